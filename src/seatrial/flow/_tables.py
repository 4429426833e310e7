"""Tables for audits: the rows of a data set that have a role, a piece of every column at a time, holes and all."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from seatrial.contracts.audit import Chunk, Piece, Table
from seatrial.contracts.rows import EVALUATION, Role
from seatrial.contracts.study import Data, Study
from seatrial.errors import DataError
from seatrial.flow._inputs import Array
from seatrial.flow._limits import of_part
from seatrial.flow._look import by_suffix
from seatrial.flow._match import nearest
from seatrial.flow._picks import DataSet, Pick
from seatrial.flow._roles import offers
from seatrial.numerics.row_hash import row_hashes

CHUNK_BYTES = 16 * 2**20
MOST_CHUNK_ROWS = 131_072
CELL_BYTES = 16
"""What a cell of text or a number comes to, once it is a piece."""
ALONE = "rows"
"""The role of rows of which nothing is said."""
_ROLES: dict[str, tuple[Role, ...]] = {
    Role.TRAIN: (Role.TRAIN,),
    Role.CALIBRATE: (Role.CALIBRATE,),
    Role.TUNE: (Role.TUNE,),
    "evaluation": EVALUATION,
}


def of_study(study: Study, folder: Path, ignore: Sequence[str], key: bytes) -> dict[str, Table]:
    """The tables of a study by name: a data set of one role by its own, else `name.role`. Raises `DataError`."""
    tables = {}
    for name, data in study.data.items():
        source = DataSet(name, data, folder)
        roles = [role for role, those in _ROLES.items() if any(offers(data.roles, one) for one in those)]
        for role in roles:
            called = name if len(roles) == 1 else f"{name}.{role}"
            table = of_data(called, role, source, ignore, key, _ROLES[role])
            if data.roles.all is not None or table.rows:
                tables[called] = table
    return tables


def of_file(
    path: Path,
    role: str,
    columns: Mapping[str, str | None],
    ignore: Sequence[str],
    key: bytes,
    limits: Mapping[str, str] | None = None,
) -> Table:
    """The table in a file or folder; `columns` names those of `label`, `group`, `order`, `weight`. Raises `DataError`, `PartError`.

    `limits` stand in for those of its part. Raises `StudyError` for some that aren't there.
    """
    part = by_suffix("datasets", path)
    named = {what: name for what, name in columns.items() if name}
    asked = {what: made.model_dump(mode="json") for what, made in of_part(part, limits or {}).items()}
    data = Data.model_validate({"from": {part.name: {"path": path.name} | asked}, **named})
    return of_data(role, role, DataSet(role, data, path.parent), ignore, key)


def of_data(
    name: str, role: str, source: DataSet, ignore: Sequence[str], key: bytes, roles: Sequence[Role] | None = None
) -> Table:
    """A table of a data set's rows: all, or those with one of these `roles`. Raises `DataError` for columns that aren't there."""
    data, columns = source.data, source.types()
    named = {"label": data.label, "group": data.group, "order": data.order, "weight": data.weight}
    for what, column in [*named.items(), *(("ignore", one) for one in ignore)]:
        if column is not None and column not in columns:
            step = nearest(column, list(columns))
            raise DataError(f"there is no column `{column}`", where=f"data `{source.name}`, {what}", next_step=step)
    whole = roles is None or data.roles.all is not None
    pick = None if whole else source.pick(roles or ())
    reader = _Reader(source, columns, pick, lambda pieces: row_hashes(pieces, key))
    naming = source.naming()
    table = Table(
        name,
        role,
        columns,
        reader,
        data.label,
        data.group,
        data.order,
        data.weight,
        source=str(data.source),
        ignored=tuple(dict.fromkeys([*ignore, *naming])),
        by_name=bool(naming),
    )
    if pick is not None and pick.rows is not None:
        table.kept_rows = len(pick.rows)
    return table


class _Reader:
    """Reads named columns of the chosen rows, a chunk at a time."""

    def __init__(
        self,
        source: DataSet,
        columns: Mapping[str, str],
        pick: Pick | None,
        hasher: Callable[[Mapping[str, Piece]], Array],
    ) -> None:
        self.source, self.columns, self.pick, self.hasher = source, columns, pick, hasher

    def __call__(self, names: Sequence[str], rows: int | None) -> Iterator[Chunk]:
        wanted = rows or _rows(self.columns, names)
        start = first = 0
        for pieces in self.source.pieces(names, wanted):
            length = len(next(iter(pieces.values())).values)
            if self.pick is not None and self.pick.rows is not None:
                low, high = np.searchsorted(self.pick.rows, [start, start + length])
                taken = self.pick.rows[low:high] - start
                pieces = {name: piece.take(taken) for name, piece in pieces.items()}
            start += length
            chunk = Chunk(first, pieces, self.hasher)
            if len(chunk):
                yield chunk
            first += len(chunk)

    def numbers(self, rows: Array) -> Array:
        """The numbers that rows of the table have in the data set."""
        return rows if self.pick is None or self.pick.rows is None else self.pick.rows[rows]


def numbers(table: Table, rows: Iterable[int]) -> Array:
    """The numbers that these rows of a table have in the data set they come from, in the order given."""
    given = np.fromiter((int(one) for one in rows), np.int64)
    return table.reader.numbers(given) if isinstance(table.reader, _Reader) else given


def _rows(columns: Mapping[str, str], names: Sequence[str]) -> int:
    """Rows in a chunk of about `CHUNK_BYTES`, by the types of its columns (`uint8 28x28`)."""
    cells = sum(math.prod(map(int, re.findall(r"\d+", columns[name].partition(" ")[2]))) or 1 for name in names)
    return max(1, min(MOST_CHUNK_ROWS, CHUNK_BYTES // (CELL_BYTES * max(1, cells))))
