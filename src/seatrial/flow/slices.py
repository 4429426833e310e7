"""Slices of the evaluation rows: what the study names, made into a cell for every row and kept in a file.

Two passes over the columns: the first finds values and quantiles, the second writes each row's cell. Memory is bounded by a
chunk of rows, the values of a column (at most `MOST_VALUES`) and `SAMPLE` numbers a column for its quantiles.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Condition
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.study import Slicing, Study
from seatrial.contracts.tally import Partition, Slice
from seatrial.errors import DataError
from seatrial.flow import arrays
from seatrial.flow._conditions import MISSING, absent, holds, parse
from seatrial.flow._inputs import Array
from seatrial.flow._match import nearest
from seatrial.flow._picks import Pick, chosen, data_sets, judging
from seatrial.numerics.pictures import look

MOST_VALUES = 50
FEW_NUMBERS = 12
BINS = 5
SAMPLE = 1_000_000


@dataclass(frozen=True)
class Sliced:
    """The cells of the evaluation rows. `codes` is a file of rows x partitions; `groups` and `searched` are numbers of partitions.

    `left_out` says in sentences which values have no cell of their own.
    """

    cells: tuple[tuple[Slice, ...], ...] = ()
    names: tuple[str, ...] = ()
    codes: ArrayRef | None = None
    groups: tuple[int, ...] = ()
    searched: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()

    def partitions(self, start: int, stop: int) -> list[Partition]:
        """The partitions of rows `start` to `stop`."""
        if self.codes is None:
            return []
        codes = arrays.load(self.codes, start, stop)
        return [Partition(cells, codes[:, index]) for index, cells in enumerate(self.cells)]


def prepare_slices(study: Study, folder: Path, cache: Path) -> Sliced:
    """The slices and groups that the study names, over its evaluation rows in their order. Raises `DataError`."""
    asked = list(_asked(study))
    if not asked:
        return Sliced()
    picks = judging(data_sets(study, folder))
    columns = sorted({column for one in asked for column in one.columns})
    for pick in picks:
        _known(pick, columns)
    for chunk in _chunks(picks, columns):
        for one in asked:
            one.see(chunk)
    for one in asked:
        one.settle()
    codes = arrays.save_chunks(cache, (_coded(asked, chunk) for chunk in _chunks(picks, columns)))
    searched = _searched(study, asked)
    return Sliced(
        tuple(one.cells for one in asked),
        tuple(one.name for one in asked),
        codes,
        tuple(index for index, one in enumerate(asked) if one.group),
        tuple(searched),
        tuple(told for one in asked if (told := one.told or one.nobody())),
    )


def _coded(asked: Sequence[_One], chunk: Mapping[str, Array]) -> NDArray[np.int16]:
    """The cells of some rows, (rows, partitions)."""
    found = [one.code(chunk) for one in asked]
    for one, codes in zip(asked, found, strict=True):
        one.held |= bool((codes >= 0).any())
    return np.stack(found, axis=1).astype(np.int16)


def _chunks(picks: Sequence[Pick], columns: Sequence[str]) -> Iterator[Mapping[str, Array]]:
    for pick in picks:
        yield from chosen(pick, columns)


def _known(pick: Pick, columns: Sequence[str]) -> None:
    there = pick.source.names()
    for name in columns:
        if name not in there:
            where = f"data `{pick.source.name}`"
            raise DataError(f"there is no column `{name}` to slice by", where=where, next_step=nearest(name, there))


def _asked(study: Study) -> Iterator[_One]:
    """Every partition that is asked for, each once: named slices, groups, and columns of the search."""
    measure = study.measure
    made: dict[str, _One] = {}
    for slicing in measure.slices:
        one = _of(slicing, study)
        made.setdefault(one.name, one)
    for columns in measure.groups:
        name = " x ".join(columns)
        one = made.get(name) or (_Column(columns[0]) if len(columns) == 1 else _Crossed(columns))
        made[name] = one
        one.group = True
    for column in measure.find.columns if measure.find else ():
        made.setdefault(column, _Column(column))
    yield from made.values()


def _searched(study: Study, asked: Sequence[_One]) -> list[int]:
    """Which partitions the search combines: single columns, those it names or all there are."""
    if study.measure.find is None:
        return []
    named = study.measure.find.columns
    return [index for index, one in enumerate(asked) if isinstance(one, _Column) and (not named or one.name in named)]


def _of(slicing: Slicing, study: Study) -> _One:
    if slicing.where is not None:
        return _Where(slicing.where)
    column = slicing.column or _only_picture(study)
    if slicing.image is None:
        return _Column(column, slicing.bins)
    what = slicing.image

    def seen(pictures: Array) -> Array:
        try:
            return look(pictures, what)
        except ValueError as error:
            raise DataError(f"`{column}` holds no pictures: {error}", where="measure.slices") from error

    return _Column(column, slicing.bins or 4, f"{what} of {column}", seen)


def _only_picture(study: Study) -> str:
    columns = {column for model in study.models.values() for one in model.inputs.values() for column in one.columns}
    if len(columns) != 1:
        step = f"name the column: `{{image: brightness, column: {min(columns, default='image')}}}`"
        raise DataError(f"the models read {len(columns)} columns; which holds the pictures?", next_step=step)
    return columns.pop()


# --- ways to tell rows apart ----------------------------------------------------------------------------------------------


@dataclass
class _One(ABC):
    """One partition under way: sees all rows once, settles on its cells, then says each row's cell."""

    name: str
    columns: tuple[str, ...]
    cells: tuple[Slice, ...] = ()
    group: bool = False
    told: str = ""
    held: bool = False

    def nobody(self) -> str:
        """What is said of a slice without any row."""
        return "" if self.held else f"`{self.name}`: no row that judges is in it"

    def see(self, chunk: Mapping[str, Array]) -> None:  # noqa: B027 - some need to see nothing
        """Take note of some rows."""

    def settle(self) -> None:  # noqa: B027 - some know their cells beforehand
        """Fix the cells."""

    @abstractmethod
    def code(self, chunk: Mapping[str, Array]) -> NDArray[np.int64]:
        """The cell of each row, -1 for none."""


class _Where(_One):
    """The rows where a condition holds."""

    def __init__(self, text: str) -> None:
        where = parse(text)
        super().__init__(text, tuple(dict.fromkeys(one.column for one in where)), (where,))

    def code(self, chunk: Mapping[str, Array]) -> NDArray[np.int64]:
        return np.where(holds(self.cells[0], chunk), 0, -1)


class _Column(_One):
    """Each value of a column, or bins of its numbers; rows without a value are a cell of their own."""

    def __init__(
        self,
        column: str,
        bins: int | tuple[float, ...] | None = None,
        name: str = "",
        of: Callable[[Array], Array] | None = None,
    ) -> None:
        super().__init__(name or column, (column,))
        self._bins, self._of = bins, of
        self._counts: dict[Any, int] | None = {}
        self._sample, self._every = np.empty(0), 1
        self._text, self._lacking = False, False
        self._edges: tuple[float, ...] = ()
        self._values: list[Any] = []

    def _column(self, chunk: Mapping[str, Array]) -> Array:
        column = chunk[self.columns[0]]
        made = column if self._of is None else self._of(column)
        if made.ndim == 2 and made.shape[1] == 1:
            made = made[:, 0]
        if made.ndim != 1:
            step = "slice pictures by how they look: `{image: brightness}`" if made.ndim > 2 else ""
            raise DataError(f"a row of `{self.name}` is no single value", where="measure.slices", next_step=step)
        return made

    def see(self, chunk: Mapping[str, Array]) -> None:
        column = self._column(chunk)
        empty = absent(column)
        self._lacking |= bool(empty.any())
        present = column[~empty]
        self._text = column.dtype.kind in "OUTb"
        if self._bins is None or self._text:
            self._count(present)
        if not self._text:
            self._sample = np.concatenate([self._sample, present[:: self._every].astype(float)])
            while len(self._sample) > SAMPLE:
                self._sample, self._every = self._sample[::2], self._every * 2

    def _count(self, present: Array) -> None:
        """Rows of each value; given up for numbers once there are too many of them."""
        if self._counts is None:
            return
        values, counts = np.unique(present.astype(str) if self._text else present, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count
        if not self._text and len(self._counts) > FEW_NUMBERS:
            self._counts = None

    def settle(self) -> None:
        if self._text and self._bins is not None:
            raise DataError(f"`{self.name}` holds words; bins are for numbers", where="measure.slices")
        if self._bins is None and self._counts is not None:
            self._settle_values(self._counts)
        else:
            self._settle_bins()
        if self._lacking:
            self.cells += ((Condition(column=self.name, relation="is", value=MISSING),),)

    def _settle_values(self, counts: dict[Any, int]) -> None:
        common = sorted(counts, key=lambda value: (-counts[value], str(value)))[:MOST_VALUES]
        self._values = sorted(common)
        if rest := len(counts) - len(common):
            rows = sum(counts.values()) - sum(counts[value] for value in common)
            self.told = f"`{self.name}`: the {MOST_VALUES} most frequent of {len(counts)} values; {rest} ({rows} rows) have no slice of their own"
        self.cells = tuple((Condition(column=self.name, relation="==", value=value),) for value in self._values)

    def _settle_bins(self) -> None:
        if isinstance(self._bins, tuple):
            self._edges = self._bins
        elif len(self._sample):
            cuts = np.quantile(self._sample, np.linspace(0, 1, (self._bins or BINS) + 1)[1:-1], method="nearest")
            self._edges = tuple(edge for edge in sorted(set(cuts.tolist())) if edge > self._sample.min())
        sides = [None, *(_short(edge) for edge in self._edges), None]
        self._edges = tuple(side for side in sides if side is not None)
        self.cells = tuple(
            tuple(
                Condition(column=self.name, relation=relation, value=side)
                for relation, side in ((">=", low), ("<", high))
                if side is not None
            )
            for low, high in itertools.pairwise(sides)
        )

    def code(self, chunk: Mapping[str, Array]) -> NDArray[np.int64]:
        column = self._column(chunk)
        empty = absent(column)
        made = np.full(len(column), len(self.cells) - 1 if self._lacking else -1, np.int64)
        present = column[~empty]
        made[~empty] = self._coded(present.astype(str) if self._text else present)
        return made

    def _coded(self, present: Array) -> NDArray[np.int64]:
        if not self._values:
            return np.searchsorted(np.asarray(self._edges, float), present.astype(float), side="right")
        values = np.asarray(self._values)
        at = np.minimum(np.searchsorted(values, present), len(values) - 1)
        return np.where(values[at] == present, at, -1)


class _Crossed(_One):
    """Groups of several columns at once: each combination of their values that occurs."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(" x ".join(columns), tuple(columns))
        self._each = [_Column(column) for column in columns]
        self._seen: NDArray[np.bool_] = np.zeros(0, bool)

    def see(self, chunk: Mapping[str, Array]) -> None:
        for one in self._each:
            one.see(chunk)

    def settle(self) -> None:
        for one in self._each:
            one.settle()
        sizes = [len(one.cells) for one in self._each]
        combined: list[Slice] = [()]
        for one in self._each:
            combined = [(*before, *cell) for before in combined for cell in one.cells]
        if len(combined) > 2**15 - 1:
            raise DataError(f"{' x '.join(map(str, sizes))} combinations are too many", where="measure.groups")
        self.cells = tuple(combined)

    def code(self, chunk: Mapping[str, Array]) -> NDArray[np.int64]:
        codes = [one.code(chunk) for one in self._each]
        joint = np.zeros_like(codes[0])
        for one, code in zip(self._each, codes, strict=True):
            joint = joint * len(one.cells) + code
        return np.where(np.logical_and.reduce([code >= 0 for code in codes]), joint, -1)


def _short(edge: float) -> float:
    """The edge with as few digits as tell it to one part in a million."""
    return float(f"{edge:.6g}")
