"""Slices that nobody named: searched on one half of the rows, confirmed on the other, for each candidate.

slice.excess   how much more often the candidate errs inside the slice than outside it
slice.hurt     how much more often it errs there than the reference does, against what it does outside: what the change did

Of predicted numbers it is by how much they are off and not how often: absolute errors, in the label's units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.quality import Batch
from seatrial.contracts.study import Find
from seatrial.contracts.tally import Slice
from seatrial.errors import Unsupported
from seatrial.flow._sampling import Sampling
from seatrial.flow.slices import Sliced
from seatrial.numerics import slicing
from seatrial.numerics.power import detectable_mean

MOST_ROWS = 20_000_000
SHOWN_ROWS = 20
EXCESS, HURT = "slice.excess", "slice.hurt"
LABEL_UNITS = "label units"
SHARE = 0.05
"""The slice whose least detectable harm is stated: a twentieth of all rows."""


class Searched(NamedTuple):
    """What a search over these rows needs: codes (rows, columns), levels and cells of each column, the half that discovers."""

    codes: NDArray[Any]
    cells: tuple[tuple[Slice, ...], ...]
    names: tuple[str, ...]
    discover: NDArray[np.bool_]
    clusters: NDArray[np.int64] | None = None
    weighted: bool = False


def searched(sliced: Sliced, sampling: Sampling, rows: int) -> Searched:
    """The searched partitions of the first `MOST_ROWS` rows. Whole clusters fall into one half; rows without a value are a level."""
    rows = min(rows, MOST_ROWS)
    parts = [sliced.partitions(0, rows)[index] for index in sliced.searched]
    codes = np.stack([np.where(part.codes < 0, len(part.cells), part.codes) for part in parts], axis=1)
    return Searched(
        codes,
        tuple(part.cells for part in parts),
        tuple(sliced.names[index] for index in sliced.searched),
        sampling.group(0, rows) % 2 == 0,
        sampling.group(0, rows) if sampling.clusters else None,
        sampling.weights is not None,
    )


def losses(
    pieces: Iterable[tuple[int, Batch]], most: int = MOST_ROWS
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """How wrong each of the first rows is: the candidate's answers, and the reference's where there is one.

    Classes: 1 where the highest-scored one isn't the label, else 0. Several labels: the share of them that are wrong. Predicted
    numbers: the absolute error. Raises `Unsupported` for other answers, and for several predicted numbers a row.
    """
    own: list[NDArray[np.float64]] = []
    other: list[NDArray[np.float64]] = []
    for start, batch in pieces:
        if start >= most:
            break
        if batch.labels is None:
            raise Unsupported("the search for slices needs labels")
        own.append(_loss(batch.answers, batch.labels))
        if batch.reference is not None:
            other.append(_loss(batch.reference, batch.labels))
    return np.concatenate(own)[:most], np.concatenate(other)[:most] if other else None


def _loss(answers: Mapping[str, Any], labels: Any) -> NDArray[np.float64]:
    if "chosen" in answers:
        return np.asarray((answers["chosen"] != labels).mean(axis=1), np.float64)
    if "scores" in answers:
        return np.asarray(answers["scores"].argmax(axis=1) != labels, np.float64)
    if "values" not in answers:
        raise Unsupported("the search for slices needs a score for each class, or one predicted number")
    if answers["values"].shape[1] > 1:
        raise Unsupported("the search for slices is for one predicted number a row: errors of several don't add up")
    return np.asarray(np.abs(answers["values"][:, 0] - np.reshape(labels, -1)), np.float64)


def found(
    where: Searched,
    find: Find,
    own: NDArray[np.float64],
    reference: NDArray[np.float64] | None,
    level: float,
    unit: str = "",
) -> list[Finding]:
    """Findings of both searches; `own` and `reference` (rows,) are losses in `unit`. Without a reference only the first."""
    rows = len(where.codes)
    stated = list(_search(where, find, own[:rows], EXCESS, level))
    if reference is not None:
        stated += _search(where, find, own[:rows] - reference[:rows], HURT, level)
    return [one if one.what.endswith(".count") else one.model_copy(update={"unit": unit}) for one in stated]


def _search(where: Searched, find: Find, loss: NDArray[np.float64], what: str, level: float) -> Iterator[Finding]:
    against = "reference" if what == HURT else None
    levels = [len(cells) + 1 for cells in where.cells]
    made = slicing.search(
        where.codes,
        levels,
        loss,
        where.discover,
        find.depth,
        clusters=where.clusters,
        most=find.most,
        least_rows=find.least,
        level=level,
    )
    kept = [one for one in made.slices if one.confirmed and _named(one, where)]
    for one in kept:
        yield _finding(one, where, what, against, made, loss)
    yield from _summary(kept, where, what, against, made, loss, find, level)


def _named(one: slicing.Slice, where: Searched) -> bool:
    """Whether each condition has a name: rows that no cell of a column holds can't be spoken of."""
    return all(code < len(where.cells[column]) for column, code in one.conditions)


def _conditions(one: slicing.Slice, where: Searched) -> Slice:
    return tuple(condition for column, code in one.conditions for condition in where.cells[column][code])


def _finding(
    one: slicing.Slice, where: Searched, what: str, against: str | None, made: slicing.Found, loss: NDArray[np.float64]
) -> Finding:
    rows = slicing.rows_of(one.conditions, where.codes, len(where.codes))
    worse = rows[loss[rows] > 0]
    look = worse[np.argsort(-loss[worse], kind="stable")[:SHOWN_ROWS]].tolist()
    return Finding(
        what=what,
        slice=_conditions(one, where),
        against=against,
        value=one.effect.value,
        low=one.effect.low,
        high=one.effect.high,
        level=one.effect.level,
        better="lower",
        n=one.rows_confirm,
        unit_of_replication="rows",
        method=f"{made.method}; {one.effect.method}",
        note=f"{one.inside:.3g} inside, {one.outside:.3g} outside; adjusted p {one.adjusted:.2g}; rows to look at: "
        + ", ".join(map(str, look)),
    )


def _summary(
    kept: Sequence[slicing.Slice],
    where: Searched,
    what: str,
    against: str | None,
    made: slicing.Found,
    loss: NDArray[np.float64],
    find: Find,
    level: float,
) -> Iterator[Finding]:
    """How many slices were confirmed, and how large an effect would have been needed in a slice of a twentieth of the rows."""
    common: dict[str, Any] = {"against": against, "better": "lower", "unit_of_replication": "rows"}
    confirm = int((~where.discover).sum())
    rows = SHARE * min(confirm, len(loss) - confirm)
    size = 1.0 if np.abs(loss).max(initial=0.0) <= 1.0 else 0.0
    least = detectable_mean(float(np.mean(loss**2)), rows, made.searched, find.most, level, size=size)
    if math.isnan(least):
        yield missing(f"{what}.count", State.TOO_FEW, "too few rows to confirm anything", n=len(loss), **common)
        return
    noted = [f"{made.searched} slices of {', '.join(where.names)} searched, to {find.depth} conditions"]
    noted += ["every row counted alike, whatever its weight"] if where.weighted else []
    noted += [f"{where.names[left.column]}: {left.why}" for left in made.left_out]
    note = "; ".join(noted)
    yield Finding(what=f"{what}.count", value=len(kept), n=len(loss), method=made.method, note=note, **common)
    yield Finding(
        what=f"{what}.detectable",
        value=least,
        n=confirm,
        method=f"least effect in {SHARE:.0%} of the rows that such a search finds and one of {find.most} tests confirms, nine times in ten",
        note="a slice of that size that is worse by more than this would most likely have been found",
        **common,
    )
