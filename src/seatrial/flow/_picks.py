"""The data sets of a study, and the rows of each that have a role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.audit import Piece
from seatrial.contracts.rows import EVALUATION, Role
from seatrial.contracts.study import Data, Study
from seatrial.errors import DataError
from seatrial.flow._inputs import Array
from seatrial.flow._pieces import as_piece
from seatrial.flow._roles import offers, role_indices

CHUNK_BYTES = 16 * 2**20
MOST_CHUNK_ROWS = 65_536
SMALL_COLUMN_ROWS = 65_536


@dataclass(frozen=True)
class Pick:
    """Rows of one data set: their numbers (None: all), their groups as stored, whether a draw chose them."""

    source: DataSet
    rows: NDArray[np.int64] | None
    group: Array | None

    @property
    def drawn(self) -> bool:
        return self.source.data.roles.draw is not None


class DataSet:
    """A data set of the study with its part, and its small columns once they are read."""

    def __init__(self, name: str, data: Data, folder: Path) -> None:
        info = catalog.find("datasets", data.source.name, folder)
        catalog.require(info)
        self.name, self.data, self.folder = name, data, folder
        self._part, self._options = catalog.load(info), catalog.options(info, data.source.options)
        self._small: dict[str, Array] | None = None

    def chunks(self, names: Sequence[str], rows: int) -> Iterator[Mapping[str, Array]]:
        """The named columns, some rows at a time; a fault is told with the data set's name."""
        try:
            yield from self._part.chunks(self._options, self.folder, list(dict.fromkeys(names)), rows)
        except DataError as error:
            raise DataError(
                error.what, where=f"data `{self.name}`, {error.where}", next_step=error.next_step
            ) from error

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Mapping[str, Piece]]:
        """The named columns as stored, holes and all, for audits. A part that can't give them gives what `chunks` does."""
        offered = getattr(self._part, "pieces", None)
        if offered is None:
            for chunk in self.chunks(names, rows):
                yield {name: as_piece(values) for name, values in chunk.items()}
            return
        try:
            yield from offered(self._options, self.folder, list(names), rows)
        except DataError as error:
            raise DataError(
                error.what, where=f"data `{self.name}`, {error.where}", next_step=error.next_step
            ) from error

    def types(self) -> dict[str, str]:
        """Its columns with their types in words."""
        return dict(self._part.columns(self._options, self.folder))

    def naming(self) -> tuple[str, ...]:
        """Its columns that only name a row."""
        offered = getattr(self._part, "naming", None)
        return tuple(offered(self._options, self.folder)) if offered else ()

    def names(self) -> list[str]:
        """Its columns."""
        return list(self.types())

    def pick(self, roles: Sequence[Role]) -> Pick:
        """The rows that have one of these roles."""
        small, stated = self.small(), self.data.roles
        group = small.get(self.data.group) if self.data.group else None
        if stated.all is not None:
            return Pick(self, None, group)
        rows = role_indices(small, self.data, roles, self.name)
        return Pick(self, rows, None if group is None else group[rows])

    def small(self) -> dict[str, Array]:
        """Group and role columns, whole; for a draw by row also the number of rows, as `""`."""
        if self._small is None:
            names = [name for name in (self.data.group, self.data.roles.column) if name]
            counted = names or [
                next(iter(self.data.answers), "") or next(iter(self._part.columns(self._options, self.folder)))
            ]
            if not names and self.data.roles.draw is None:
                self._small = {}
                return self._small
            count, pieces = 0, {name: list[Array]() for name in names}
            for chunk in self.chunks(counted, SMALL_COLUMN_ROWS):
                count += len(chunk[counted[0]])
                for name, kept in pieces.items():
                    kept.append(chunk[name])
            self._small = {name: np.concatenate(kept) for name, kept in pieces.items()} | {"": np.arange(count)}
        return self._small


def data_sets(study: Study, folder: Path) -> list[DataSet]:
    """The study's data sets, in its order."""
    return [DataSet(name, data, folder) for name, data in study.data.items()]


def judging(sets: Sequence[DataSet]) -> list[Pick]:
    """The rows that judge, of every data set that has some."""
    return [one.pick(EVALUATION) for one in sets if any(offers(one.data.roles, role) for role in EVALUATION)]


def chosen(pick: Pick, names: Sequence[str]) -> Iterator[Mapping[str, Array]]:
    """The picked rows of some columns, in chunks of about 16 MiB once they are numbers."""
    first = next(iter(pick.source.chunks(names, 1)))
    row_bytes = sum(8 * first[name].size for name in first)
    rows = max(1, min(MOST_CHUNK_ROWS, CHUNK_BYTES // max(1, row_bytes)))
    start = 0
    for chunk in pick.source.chunks(names, rows):
        length = len(next(iter(chunk.values())))
        if pick.rows is None:
            yield chunk
        else:
            low, high = np.searchsorted(pick.rows, [start, start + length])
            yield {name: values[pick.rows[low:high] - start] for name, values in chunk.items()}
        start += length


def count(pick: Pick) -> int:
    """How many rows were picked."""
    if pick.rows is not None:
        return len(pick.rows)
    names = [next(iter(pick.source.data.answers), "") or pick.source.names()[0]]
    return sum(len(chunk[names[0]]) for chunk in pick.source.chunks(names, SMALL_COLUMN_ROWS))
