"""Which slices of the rows are served worse? An exhaustive search on one half of the rows, confirmed on the other.

A slice is a conjunction of up to three conditions "column c has level l". Its effect is the mean loss of its rows
minus that of the others. With a paired loss (candidate's minus reference's) the same search finds the slices that a
change has hurt.

1. Count (`slicing_counts`): rows and losses in every cell, exhaustive within a stated budget.
2. Shrink (`slicing_shrinkage`): a slice's mean is the overall mean plus the own terms of all its sub-slices; each own
   term (what is left of the cell's mean after those of its sub-slices) is shrunk by an empirical-Bayes prior fitted to
   all cells of that depth. A slice is a candidate where the lower bound of its shrunk mean (one posterior standard
   deviation down) lies above the shrunk mean of every simpler slice that contains it. Candidates are ranked by that
   bound less the overall mean, so neither tiny slices with luck nor large trivial ones win.
3. Merge: walking down the ranking, a slice whose rows are nearly a chosen one's (Jaccard), or whose rows outside all
   chosen ones are no longer worse than the mean (by three standard errors, or by four fifths of the slice's excess), is
   merged into the chosen one it overlaps most; of two with nearly the same rows the one with fewer conditions stays.
4. Confirm (`slicing_confirm`): one test a chosen slice on the other half, p values adjusted by Holm (`multiple`).

Not done: weighted rows, several adjacent bins as one condition, slices over more than three columns, and searching while
rows stream past (a sample of some million rows finds what matters). With clusters the ranking still counts rows as
independent; the confirmation does not.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.interval import Interval, tail
from seatrial.numerics.multiple import holm
from seatrial.numerics.slicing_candidates import (
    Candidate,
    Conditions,
    LeftOut,
    levels_kept,
    plan,
    rank,
    recoded,
)
from seatrial.numerics.slicing_counts import Bits, Cells, Columns, count, ones, pack
from seatrial.numerics.slicing_losses import Losses

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = list[NDArray[np.unsignedinteger]]

_OWN_ERRORS = 3.0  # a slice's rows outside the chosen ones are worse than the mean by so many standard errors,
_OWN_SHARE = 0.8  # or by this share of the slice's whole excess: else the chosen ones explain it
_SCANNED = 20  # candidates looked at while merging, for each one that may be confirmed


class Slice(NamedTuple):
    """A slice that was found on one half and tested on the other. Positive effects are worse.

    `conditions`: (column, level), all of which its rows meet. `rows_discover`, `rows_confirm`: its rows in each half.
    `score`: lower bound of the shrunk effect, `shrunk`: its posterior mean (against the mean of all rows; first half).
    `inside`, `outside`: mean loss of its rows and of the others, `effect`: their difference with simultaneous bounds,
    `p`: one-sided, `adjusted`: by Holm (all on the second half). `merged`: slices that this one stands for.
    """

    conditions: Conditions
    rows_discover: int
    rows_confirm: int
    score: float
    shrunk: float
    inside: float
    outside: float
    effect: Interval
    p: float
    adjusted: float
    confirmed: bool
    merged: tuple[Conditions, ...]


class Found(NamedTuple):
    """What a search found: `slices` by score, `searched` slices with enough rows on either side among `cells` counted."""

    slices: tuple[Slice, ...]
    searched: int
    cells: int
    left_out: tuple[LeftOut, ...]
    mean_discover: float
    mean_confirm: float
    method: str


def search(
    codes: ArrayLike,
    levels: Sequence[int],
    loss: ArrayLike,
    discover: ArrayLike,
    depth: int = 3,
    *,
    clusters: ArrayLike | None = None,
    most: int = 30,
    least_rows: int = 50,
    most_cells: int = 1_000_000,
    overlap: float = 0.8,
    level: float = 0.95,
) -> Found:
    """Find the slices with the highest mean loss on the rows where `discover` is true, and confirm them on the others.

    `codes`: whole numbers, shape (rows, columns), each from 0 up to its column's number in `levels` (numbers are binned
    before; a missing value is a level of its own; Fortran order and the smallest type cost least). `loss`: shape (rows,),
    any finite numbers, higher is worse: 0/1 errors, paired differences, real losses. `discover`: shape (rows,), bool; all
    rows of a cluster (user, document) must lie in one half. `clusters`: shape (rows,), which cluster a row belongs to, for
    rows that are not independent.
    Slices need `least_rows` on both sides in the discovering half; at most `most` are confirmed, of the
    best 20 times as many that may be merged into them; levels and columns that
    can have none, or that `most_cells` cells leave no room for, are named in `left_out`. Two slices whose rows overlap by
    more than `overlap` (Jaccard) are one. `level`: 1 - level is the family-wise error of `confirmed`, and `effect` holds
    for all slices together with that confidence (Bonferroni). ValueError for input of other shapes, codes outside their
    levels, losses that are not finite.
    """
    first, losses, columns = _checked(codes, levels, loss, discover, clusters, depth)
    rows = np.flatnonzero(first)
    mean, variance, rest = _moments(losses.values, rows)
    kept, left_out = levels_kept(columns, levels, rows, least_rows)
    recodes, sizes = recoded(columns, levels, kept)
    sets, left = plan(kept, sizes, depth, most_cells)
    counted, centre = _count(recodes, sizes, sets, losses, first, mean)
    ranked, searched = rank(counted, kept, rows.size, mean - centre, variance, least_rows, most * _SCANNED)
    bits, halves = Bits(columns), (pack(first), pack(~first))
    chosen = _merge(ranked, bits, losses, halves[0], (mean, variance), most, least_rows, overlap)
    slices = _confirm(chosen, bits, losses, halves, level)
    cells = sum(table.n.size for table in counted.values())
    method = f"exhaustive to depth {depth}; empirical-Bayes shrinkage; {losses.method}; Holm over {len(slices)} slices"
    return Found(slices, searched, cells, (*left_out, *left), mean, rest, method)


def rows_of(conditions: Conditions, codes: ArrayLike, most: int = 1_000) -> NDArray[np.intp]:
    """The places of the first `most` rows, ascending, that meet all conditions; `codes` as in `search`."""
    table = np.asarray(codes)
    met = np.ones(table.shape[0], np.bool_)
    for column, level in conditions:
        met &= table[:, column] == level
    return np.flatnonzero(met)[:most]


def _checked(
    codes: ArrayLike,
    levels: Sequence[int],
    loss: ArrayLike,
    discover: ArrayLike,
    clusters: ArrayLike | None,
    depth: int,
) -> tuple[Flags, Losses, Codes]:
    table, values, first = np.asarray(codes), np.asarray(loss), np.asarray(discover)
    if table.ndim != 2 or table.shape[1] != len(levels) or table.dtype.kind not in "iub":
        raise ValueError(f"codes must be whole numbers (rows, {len(levels)} columns), not {table.dtype} {table.shape}")
    if values.shape != table.shape[:1] or first.shape != values.shape or first.dtype != np.bool_:
        raise ValueError(f"one loss and one flag `discover` a row are needed, not {values.shape} and {first.shape}")
    if not 1 <= depth <= 3:
        raise ValueError(f"slices have one to three conditions, not {depth!r}")
    values = values.astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values))
        raise ValueError(f"{bad.size} losses are not finite, the first in row {bad[0]}")
    losses = Losses(values, None if clusters is None else _clusters(clusters, first))
    return first, losses, [_narrow(table[:, at], size, at) for at, size in enumerate(levels)]


def _clusters(clusters: ArrayLike, first: Flags) -> NDArray[np.intp]:
    """Clusters numbered from 0; ValueError where one lies in both halves, for then the halves are not independent."""
    names, numbers = np.unique(np.asarray(clusters), return_inverse=True)
    if numbers.shape != first.shape:
        raise ValueError(f"one cluster a row is needed, not {numbers.shape} for {first.shape}")
    share = np.bincount(numbers, first) / np.bincount(numbers)
    torn = np.flatnonzero((share > 0.0) & (share < 1.0))
    if torn.size:
        raise ValueError(f"{torn.size} clusters lie in both halves, the first {names[torn[0]]}")
    return numbers


def _narrow(column: NDArray[np.integer], size: int, at: int) -> NDArray[np.unsignedinteger]:
    """The codes of one column in the smallest type, contiguous."""
    if column.size and not (column.min() >= 0 and column.max() < size):
        raise ValueError(
            f"codes of column {at} must lie between 0 and {size - 1}: {column.min()} to {column.max()} found"
        )
    return np.ascontiguousarray(column, np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.uint32)


def _moments(values: Floats, rows: NDArray[np.intp]) -> tuple[float, float, float]:
    """Mean and variance of the discovering rows and mean of the others (NaN where there are none)."""
    one, others = values.take(rows), values.size - rows.size
    rest = float(values.sum() - one.sum()) / others if others else math.nan
    if one.size == 0 or one.min() == one.max():
        return (float(one[0]) if one.size else 0.0), 0.0, rest
    return float(one.mean()), float(one.var()), rest


def _count(
    columns: Codes, sizes: list[int], sets: list[list[Columns]], losses: Losses, first: Flags, mean: float
) -> tuple[dict[Columns, Cells], float]:
    """Tables of all sets, and what was taken off every loss before: the mean of real ones, so that squares don't cancel."""
    centre = mean if losses.kind == "real" else 0.0
    values = losses.values - centre
    hit = np.flatnonzero(first & (values != 0.0))
    quiet = np.flatnonzero(first & (values == 0.0))
    weights = None if losses.kind == "binary" else values[hit]
    found: dict[Columns, Cells] = {}
    for wanted in reversed(sets):
        missing = [one for one in wanted if one not in found]
        if missing:
            found |= count(columns, sizes, quiet, hit, weights, missing)
    return found, centre


class _Chosen(NamedTuple):
    candidate: Candidate
    bits: NDArray[np.uint64]
    merged: tuple[Conditions, ...] = ()

    def takes(self, conditions: Conditions) -> "_Chosen":
        return self._replace(merged=(*self.merged, conditions))


def _merge(
    ranked: list[Candidate],
    bits: Bits,
    losses: Losses,
    half: NDArray[np.uint64],
    overall: tuple[float, float],
    most: int,
    least_rows: int,
    overlap: float,
) -> list[_Chosen]:
    """The candidates that say something of their own, each with those it stands for, best first."""
    chosen: list[_Chosen] = []
    covered = np.zeros_like(half)
    for candidate in ranked:
        here = bits.of(candidate.conditions) & half
        if chosen and (twin := _twin(candidate, here, chosen, overlap)) is not None:
            old = chosen[twin]
            simpler = len(candidate.conditions) < len(old.candidate.conditions)
            chosen[twin] = (
                _Chosen(candidate, here, (*old.merged, old.candidate.conditions))
                if simpler
                else old.takes(candidate.conditions)
            )
        elif chosen and _explained(losses.sums(here & ~covered), losses.sums(here), overall, least_rows):
            shared = [ones(here & one.bits) for one in chosen]
            nearest = shared.index(max(shared))
            chosen[nearest] = chosen[nearest].takes(candidate.conditions)
            continue
        elif len(chosen) == most:
            break
        else:
            chosen.append(_Chosen(candidate, here))
        covered |= here
    return chosen


def _twin(candidate: Candidate, here: NDArray[np.uint64], chosen: list[_Chosen], overlap: float) -> int | None:
    """The first chosen slice that has nearly the same rows."""
    for at, one in enumerate(chosen):
        few, many = sorted((candidate.rows, one.candidate.rows))
        if few > overlap * many:
            shared = ones(here & one.bits)
            if shared > overlap * (few + many - shared):
                return at
    return None


def _explained(
    outside: tuple[int, float, float], whole: tuple[int, float, float], overall: tuple[float, float], least_rows: int
) -> bool:
    """Is a slice's excess over the overall mean gone, by and large, in its rows `outside` the chosen slices?"""
    (n, total, squares), (mean, variance) = outside, overall
    if n < least_rows:
        return True
    average = total / n
    error = math.sqrt(max(squares / n - average * average, 0.0) / n + variance / (n * n))
    excess = average - mean
    return excess <= _OWN_ERRORS * error and excess < _OWN_SHARE * (whole[1] / whole[0] - mean)


def _confirm(
    chosen: list[_Chosen],
    bits: Bits,
    losses: Losses,
    halves: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    level: float,
) -> tuple[Slice, ...]:
    """Every chosen slice tested on the second half; without rows on both sides there, p is 1 and nothing is known."""
    joint = 1.0 - 2.0 * tail(level) / max(1, len(chosen))
    unknown = Interval(math.nan, None, None, joint, "no rows to confirm on")
    tested = []
    for one in chosen:
        met = bits.of(one.candidate.conditions)
        inside, outside = halves[1] & met, halves[1] & ~met
        n = ones(inside)
        known = n > 0 and ones(outside) > 0
        tested.append((n, *(losses.compare(inside, outside, joint) if known else (math.nan, math.nan, 1.0, unknown))))
    adjusted = holm([p for _, _, _, p, _ in tested]).tolist()
    return tuple(
        Slice(
            candidate.conditions, ones(here), n, candidate.score, candidate.shrunk,
            mean_in, mean_out, effect, p, both, both <= 2.0 * tail(level), merged,
        )
        for (candidate, here, merged), (n, mean_in, mean_out, p, effect), both in zip(chosen, tested, adjusted, strict=True)
    )  # fmt: skip
