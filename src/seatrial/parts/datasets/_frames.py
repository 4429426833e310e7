"""What typed tables share (Parquet, Arrow): words of types, chunks of rows, nested lists as arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.audit import Piece
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.datasets import _arrow_batches, _columns, _parquet_pages
from seatrial.parts.datasets._limits import TableLimits, beyond
from seatrial.parts.datasets._pieces import piece

if TYPE_CHECKING:
    import polars as pl

    from seatrial.contracts.values import Array

BLOCK_BYTES = 32 * 2**20
SCANS = {"Parquet": "scan_parquet", "Arrow": "scan_ipc"}


class Table:
    """A table in one or several files of a format, looked at but not read."""

    def __init__(
        self,
        kind: str,
        path: str,
        folder: Path,
        limits: TableLimits,
        *suffixes: str,
        fill: Mapping[str, float] | None = None,
    ) -> None:
        """`fill` are numbers that lists of unequal length are filled up with, by column. Raises `DataError` for no or other files."""
        import polars as pl

        self.kind, self.path, self.limits, self.fill = kind, path, limits, dict(fill or {})
        self.files = _columns.files(path, folder, *suffixes)
        with reading(path, kind):
            self.frame: pl.LazyFrame = getattr(pl, SCANS[kind])(self.files, glob=False)
            self.schema = self.frame.collect_schema()
        self._forms: dict[str, Array] = {}

    def words(self) -> dict[str, str]:
        """Columns with their types in words."""
        return {name: _words(dtype) for name, dtype in self.schema.items()}

    def chunks(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named columns, at most `rows` rows at a time. Raises `DataError` for nulls and lists of unequal length."""
        import polars as pl

        _columns.known([*names, *self.fill], self.schema, self.path)
        self._bounded(names, whole=False)
        picked = self.frame.select(names)
        with reading(self.path, self.kind):
            length = _columns.some_rows(int(self.frame.select(pl.len()).collect().item()), self.path)
            for first, held in _columns.slices(length, _block([self.schema[name] for name in names], rows)):
                block = picked.slice(first, held).collect()
                for start, count in _columns.slices(held, rows):
                    part = block.slice(start, count)
                    yield {name: self._column(part[name], first + start, length) for name in names}

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Mapping[str, Piece]]:
        """The named columns as stored, holes and all, at most `rows` rows at a time, in one pass over the files."""
        _columns.known(names, self.schema, self.path)
        self._bounded(names, whole=True)
        with reading(self.path, self.kind):
            for block in self.frame.select(names).collect_batches(chunk_size=rows, maintain_order=True):
                for start, count in _columns.slices(len(block), rows):
                    part = block.slice(start, count)
                    yield {
                        name: piece(self._short(part[name]), f"{self.path}, column `{name}`", _array) for name in names
                    }

    def _bounded(self, names: Sequence[str], whole: bool) -> None:
        """Raises `DataError` where a file asks for more than the limits, by its own headers; a `whole` group only where all rows are gone through."""
        for file in self.files:
            stat = file.stat()
            with reading(f"{self.path}, {file.name}" if len(self.files) > 1 else self.path, self.kind):
                rows, size, largest = _largest(_asked(self.kind, (file, stat.st_mtime_ns, stat.st_size), names))
                if largest > self.limits.block:
                    what = f"a block would unpack to {largest} bytes, more than {self.limits.block}"
                    raise beyond(what, "block", self.path)
                if whole and size > self.limits.group:
                    what = (
                        f"a group of {rows} rows would take {size} bytes once unpacked, more than {self.limits.group}"
                    )
                    raise beyond(what, "group", self.path, "write the rows in smaller groups (`row_group_size`)")

    def _short(self, series: pl.Series) -> pl.Series:
        """The column, whose texts and lists are within the limit. Raises `DataError`."""
        if (longest := _longest(series)) > self.limits.cell:
            where = f"{self.path}, column `{series.name}`"
            raise beyond(f"a cell holds {longest} bytes, more than {self.limits.cell}", "cell", where)
        return series

    def _column(self, series: pl.Series, start: int, length: int) -> Array:
        where = f"{self.path}, column `{series.name}`"
        self._short(series)
        if series.null_count():
            import polars as pl

            nulls = int(self.frame.select(pl.col(series.name).null_count()).collect().item())
            first = start + int(series.is_null().arg_max() or 0)
            raise _nulls(nulls, f", the first in row {first} of {length}", where)
        if series.name in self.fill:
            return _filled(series, self._full(series.name), self.fill[series.name], where)
        return _array(series, where)

    def _full(self, name: str) -> Array:
        """As many entries as the longest list of a column has in all files, each of the form that they have; their values don't count."""
        import polars as pl

        where = f"{self.path}, column `{name}`"
        if not isinstance(self.schema[name], pl.List):
            raise DataError("this column holds no lists to fill up", where=where)
        if name not in self._forms:
            lengths = pl.col(name).list.len()
            some = self.frame.select(name).filter(lengths > 0).head(1).collect()
            if not len(some):
                raise DataError("all of its lists are empty", where=where)
            longest = int(self.frame.select(lengths.max()).collect().item())
            self._forms[name] = np.repeat(_array(some[name].explode(), where)[:1], longest, axis=0)
        return self._forms[name]


def _filled(series: pl.Series, full: Array, value: float, where: str) -> Array:
    """Lists of unequal length as an array, each filled up with `value` to the length of `full`."""
    made = np.full((len(series), *full.shape), value, full.dtype)
    lengths = series.list.len().to_numpy()
    if lengths.any():
        made[np.arange(len(full)) < lengths[:, None]] = _array(series.filter(series.list.len() > 0).explode(), where)
    return made


def held(kind: str, file: Path) -> int:
    """Bytes that the whole table in a file takes once unpacked, by the file's own headers."""
    stat = file.stat()
    return sum(one[1] for one in _asked(kind, (file, stat.st_mtime_ns, stat.st_size), None))


Group = tuple[int, int, int]
"""Rows of a group, its bytes once unpacked, those of its largest block."""


def _asked(kind: str, file: tuple[Path, int, int], names: Sequence[str] | None) -> list[Group]:
    """What each group of a file asks for in the named columns, or in all. Arrow's batches are unpacked whole."""
    if kind == "Arrow":
        return [(one.rows, one.bytes, one.largest) for one in _arrow_batches.asked(*file)]
    made = []
    for one in _parquet_pages.asked(*file):
        wanted = list(one.columns) if names is None else names
        size, largest = sum(one.columns.get(name, 0) for name in wanted), [one.pages.get(name, 0) for name in wanted]
        made.append((one.rows, size, max(largest, default=0)))
    return made


def _largest(groups: Sequence[Group]) -> Group:
    rows, size, _ = max(groups, key=lambda one: one[1], default=(0, 0, 0))
    return rows, size, max((one[2] for one in groups), default=0)


def _longest(series: pl.Series) -> int:
    """Bytes of the longest text, or of the longest list of numbers; 0 for all else."""
    import polars as pl

    if isinstance(series.dtype, pl.String):
        return int(series.str.len_bytes().max() or 0)  # type: ignore[arg-type]
    if isinstance(series.dtype, pl.List):
        return 8 * int(series.list.len().max() or 0)  # type: ignore[arg-type]
    return 0


def _block(types: Sequence[pl.DataType], rows: int) -> int:
    """Rows read at once, a multiple of `rows`: a group of rows in the file is decoded anew for each piece that is read of it."""
    if not all(one.is_numeric() or str(one) == "Boolean" for one in types):
        return rows
    return rows * max(1, BLOCK_BYTES // (8 * len(types)) // rows)


@contextlib.contextmanager
def reading(where: str, kind: str) -> Iterator[None]:
    """Whatever a damaged file makes the reader raise becomes a `DataError`; a panic of its native code, too."""
    import polars as pl

    with _columns.reading(where, f"this can't be read as {kind}"):
        try:
            yield
        except pl.exceptions.PanicException as error:  # no `Exception`: it would pass every handler above
            raise DataError(f"this can't be read as {kind}: its reader gave up", where=where) from error


def _words(dtype: pl.DataType) -> str:
    import polars as pl

    if isinstance(dtype, pl.Array):
        inner: Any = dtype
        while isinstance(inner, pl.Array):
            inner = inner.inner
        return f"{_words(inner)} {'x'.join(map(str, dtype.shape))}"
    if isinstance(dtype, pl.List):
        return f"list of {_words(dtype.inner)}"  # type: ignore[arg-type]
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    return str(dtype).lower()


def _array(series: pl.Series, where: str) -> np.ndarray[Any, Any]:
    """The column as an array, rows first; nested lists become further axes."""
    import polars as pl

    shape = [len(series)]
    while isinstance(series.dtype, pl.List | pl.Array):
        shape.append(_width(series, where))
        series = series.explode()
        if count := series.null_count():
            raise _nulls(count, "", where)
    if isinstance(series.dtype, pl.Struct | pl.Object):
        raise DataError(f"columns of {str(series.dtype).split('(')[0].lower()} can't be used", where=where)
    if isinstance(series.dtype, pl.Decimal):
        series = series.cast(pl.Float64)
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)
    return _columns.plain(series.to_numpy().reshape(shape))


def array(series: pl.Series, where: str) -> np.ndarray[Any, Any]:
    """The column as an array, rows first. Raises `DataError` for what can't be one."""
    return _array(series, where)


def words(schema: Mapping[str, pl.DataType]) -> dict[str, str]:
    """Columns with their types in words."""
    return {name: _words(dtype) for name, dtype in schema.items()}


def _width(series: pl.Series, where: str) -> int:
    """The one length of all lists."""
    import polars as pl

    if isinstance(series.dtype, pl.Array):
        return series.dtype.size
    lengths = series.list.len()
    least, most = int(lengths.min()), int(lengths.max())  # type: ignore[arg-type]
    if least != most or most == 0:
        raise DataError(
            f"its lists hold {least} to {most} values; all must be equally long and not empty",
            where=where,
            next_step="say with what to fill them up, as in `fill: {boxes: -1}`",
        )
    return most


def _nulls(count: int, at: str, where: str) -> DataError:
    return DataError(f"{count} values are null{at}", where=where, next_step="fill them or leave those rows out")
