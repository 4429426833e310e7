"""Counts of a model's answers in cells of rows, from which metrics are computed: they merge, and hold no rows.

Cell 0 is all rows; the others are slices (every level of a column, a condition). One pass over the rows fills all cells, for
every metric that reads such counts; slices then cost no second pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from seatrial.contracts.finding import Condition

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

Slice = tuple[Condition, ...]
"""Conditions that all hold; empty for all rows."""


@dataclass(frozen=True)
class Partition:
    """Rows told apart by one thing. `codes` (rows,) are whole numbers: the row's cell in `cells`, or -1 for none of them."""

    cells: tuple[Slice, ...]
    codes: Array


@dataclass(frozen=True)
class Tally:
    """Sums and largest values over the rows of each cell, by the counter's name; the first axis of every array is cells.

    `about` is the batches' (`protocols.Batch`): what was fixed before anything was counted. `known` remembers what several
    metrics work out from the same sums, by a name of theirs.
    """

    cells: tuple[Slice, ...]
    classes: tuple[str, ...]
    sums: Mapping[str, Array]
    peaks: Mapping[str, Array] = field(default_factory=dict)
    about: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def merge(self, other: Tally) -> Tally:
        """The tally of both sets of rows: counts exactly, sums of losses to rounding. `ValueError` for other cells or classes."""
        if (self.cells, self.classes, self.sums.keys(), self.peaks.keys(), self.about) != (
            other.cells,
            other.classes,
            other.sums.keys(),
            other.peaks.keys(),
            other.about,
        ):
            raise ValueError("tallies of other cells, classes or counters can't be merged")
        import numpy as np

        sums = {name: mine + other.sums[name] for name, mine in self.sums.items()}
        peaks = {name: np.maximum(mine, other.peaks[name]) for name, mine in self.peaks.items()}
        return Tally(self.cells, self.classes, sums, peaks, self.about)

    def take(self, cells: Sequence[int]) -> Tally:
        """These cells alone, in this order."""
        picked = list(cells)
        return Tally(
            tuple(self.cells[cell] for cell in picked),
            self.classes,
            {name: array[picked] for name, array in self.sums.items()},
            {name: array[picked] for name, array in self.peaks.items()},
            self.about,
        )


@dataclass(frozen=True)
class Measure:
    """One quantity stated of every cell of a tally: arrays of shape (cells,), NaN where there is no value or bound.

    `n` are the rows that each value rests on. `method` and `note` are one text for all cells or one for each; a cell without
    a value has a note that says why. `against` is true for a comparison with the reference. `level` is the bounds' two-sided
    confidence; None for a figure that no bounds belong to (a p-value, a maximum). `scale` is how much one row changes by where
    it changes, of shape (cells,); None for 1, as in a share of rows. `among` (choices, 2), of a single cell: the figures of which the
    value is the worst, as between pairs of groups, and 1 beside those that take part; a difference from the reference needs them.
    """

    what: str
    value: Array
    low: Array
    high: Array
    n: Array
    method: str | Sequence[str]
    better: Literal["higher", "lower"] | None
    at: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    note: str | Sequence[str] = ""
    against: bool = False
    level: float | None = None
    scale: Array | None = None
    among: Array | None = None
