"""Which cells of the tables are candidates: what is searched within a budget of cells, and the shrunk means that rank it."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.numerics.slicing_counts import Cells, Columns
from seatrial.numerics.slicing_shrinkage import Floats, fit, posterior

Conditions = tuple[tuple[int, int], ...]
Levels = dict[int, NDArray[np.intp]]

_CERTAINTY = 1.0  # posterior standard deviations that a candidate must lie above what simpler slices explain
_PRIOR_ROWS = 4.0  # rows of the overall variance added to every cell's own, so that no cell has none


class LeftOut(NamedTuple):
    """A column that was not searched (or not all of it) in slices of `depth` conditions or more, and why."""

    column: int
    depth: int
    why: str


class Candidate(NamedTuple):
    """A slice, the lower bound of its shrunk effect, the effect's posterior mean, and its rows."""

    conditions: Conditions
    score: float
    shrunk: float
    rows: int


def levels_kept(
    columns: list[NDArray[np.unsignedinteger]], levels: Sequence[int], rows: NDArray[np.intp], least_rows: int
) -> tuple[Levels, list[LeftOut]]:
    """For each column the levels that have enough rows for a slice, columns with none (or one that is all) left out."""
    kept: Levels = {}
    left_out = []
    for at, (column, size) in enumerate(zip(columns, levels, strict=True)):
        n = np.bincount(column.take(rows), minlength=size)
        enough = np.flatnonzero(n >= least_rows)
        scarce = int(np.count_nonzero(n)) - enough.size
        if np.count_nonzero(n) <= 1:
            left_out.append(LeftOut(at, 1, "all rows have the same level"))
        elif scarce:
            part = "every level has" if not enough.size else f"{scarce} of {scarce + enough.size} levels have"
            left_out.append(LeftOut(at, 1, f"{part} fewer than {least_rows} rows to find slices in"))
        if np.count_nonzero(n) > 1 and enough.size:
            kept[at] = enough
    return kept, left_out


def recoded(
    columns: list[NDArray[np.unsignedinteger]], levels: Sequence[int], kept: Levels
) -> tuple[list[NDArray[np.unsignedinteger]], list[int]]:
    """Columns in which kept levels come first and all others are one more level, and their numbers of levels."""
    new, sizes = list(columns), list(levels)
    for at, places in kept.items():
        if places.size < levels[at]:
            code = np.full(levels[at], places.size, columns[at].dtype)
            code[places] = np.arange(places.size)
            new[at], sizes[at] = code[columns[at]], places.size + 1
    return new, sizes


def plan(kept: Levels, sizes: Sequence[int], depth: int, most_cells: int) -> tuple[list[list[Columns]], list[LeftOut]]:
    """The sets of columns to count, one list a length; where cells are too many, the columns with most levels leave.

    Single columns always stay. Complete for the columns that stay: nothing is skipped on the strength of a guess.
    """
    staying, left_out = list(kept), []
    wanted: list[list[Columns]] = [[(column,) for column in kept]]
    spent = sum(sizes[column] for column in staying)
    for length in range(2, depth + 1):
        while (cells := _cells([sizes[column] for column in staying], length)) + spent > most_cells:
            leaving = max(staying, key=lambda column: sizes[column])
            staying.remove(leaving)
            why = f"{sizes[leaving]} levels: {spent + cells} cells would be more than the {most_cells} allowed"
            left_out.append(LeftOut(leaving, length, why))
        spent += cells
        wanted.append([*combinations(staying, length)])
    return [sets for sets in wanted if sets], left_out


def _cells(sizes: list[int], length: int) -> int:
    """Cells of the tables of all sets of so many columns: an elementary symmetric polynomial."""
    sums = [1] + [0] * length
    for size in sizes:
        for at in range(length, 0, -1):
            sums[at] += sums[at - 1] * size
    return sums[length]


def rank(
    counted: dict[Columns, Cells], kept: Levels, n: int, mean: float, variance: float, least_rows: int, most: int
) -> tuple[list[Candidate], int]:
    """The `most` best candidates by score, and how many slices had enough rows; `n`, `mean`, `variance`: of all rows."""
    shrunk: dict[Columns, Floats] = {}
    found: list[Candidate] = []
    searched = 0
    for length in sorted({len(one) for one in counted}):
        sets = sorted(one for one in counted if len(one) == length)
        shapes = [tuple(kept[column].size for column in one) for one in sets]
        rows, left, spread = _flat(
            [counted[one].crop(shape) for one, shape in zip(sets, shapes, strict=True)], variance
        )
        simpler = np.concatenate(
            [_simpler(one, shape, shrunk) for one, shape in zip(sets, shapes, strict=True)], axis=1
        )
        own = _own(left - mean - simpler[0], spread + simpler[1], rows >= least_rows)
        effect = simpler[0] + own[0]
        score = effect - _CERTAINTY * np.sqrt(simpler[1] + own[1])
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        for one, shape, part in zip(sets, shapes, np.split(np.stack([*own, effect]), ends[:-1], axis=1), strict=True):
            shrunk[one] = part.reshape(3, *shape)
        eligible = (rows >= least_rows) & (rows <= n - least_rows)
        searched += int(np.count_nonzero(eligible))
        score = np.maximum(score, _plain(left - mean, spread, int(np.count_nonzero(eligible))))
        places = np.flatnonzero(eligible & (score > simpler[2]))
        for at in places[np.argsort(-score[places], kind="stable")][:most].tolist():
            which = int(np.searchsorted(ends, at, side="right"))
            cell = np.unravel_index(at - int(ends[which]) + math.prod(shapes[which]), shapes[which])
            conditions = tuple(
                (column, int(kept[column][level])) for column, level in zip(sets[which], cell, strict=True)
            )
            found.append(Candidate(conditions, float(score[at]), float(effect[at]), int(rows[at])))
    return sorted(found, key=lambda one: -one.score)[:most], searched


def _plain(effect: Floats, spread: Floats, cells: int) -> Floats:
    """The effect as observed less the largest error that chance makes among so many cells, sqrt(2 ln cells) standard errors.

    Among few cells a prior has little to be fitted to, and takes a real effect of one cell for two smaller ones of its
    conditions; what stands out this far is a candidate by itself. Source: Donoho & Johnstone (1994), Biometrika 81.
    """
    return np.asarray(effect - math.sqrt(2.0 * math.log(max(cells, 2))) * np.sqrt(spread))


def _flat(tables: list[Cells], variance: float) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Rows, mean loss and the mean's sampling variance of all cells of all tables, one after the other."""
    rows, total, squares = (np.concatenate([table[part].ravel() for table in tables]) for part in range(3))
    n = np.maximum(rows, 1)
    average = total / n
    spread = squares - total * average
    spread += _PRIOR_ROWS * (variance or 1.0)
    spread /= (n + _PRIOR_ROWS) * n
    return rows, average, spread


def _simpler(one: Columns, shape: tuple[int, ...], shrunk: dict[Columns, Floats]) -> Floats:
    """What simpler slices say of each cell of a table, shape (3, cells): the sum of their own terms, the variance of that
    sum, and the highest effect of one that contains the cell (zero for the slice of all rows)."""
    said = np.zeros((3, *shape))
    for length in range(1, len(one)):
        for fewer in combinations(one, length):
            known = shrunk[fewer][(slice(None), *(slice(None) if column in fewer else None for column in one))]
            said[:2] += known[:2]
            np.maximum(said[2], known[2], out=said[2])
    return said.reshape(3, -1)


def _own(left: Floats, spread: Floats, enough: NDArray[np.bool_]) -> Floats:
    """The shrunk own terms of all cells and their variances, shape (2, cells); zero where rows are too few."""
    own = np.zeros((2, left.size))
    own[:, enough] = posterior(left[enough], spread[enough], fit(left[enough], spread[enough]))
    return own
