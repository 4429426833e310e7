"""Rows of separated values, block by block: records, encoding, and the one type that each column has in all files.

What a column holds is decided once, from all of its cells, so that no chunk is read otherwise than the next. Memory is
bounded by a block. Errors name lines and columns, never what stands in a cell.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from seatrial.errors import DataError
from seatrial.parts.datasets import _columns, _pieces
from seatrial.parts.datasets._limits import LineLimits
from seatrial.parts.datasets._records import Block, blocks, records, text

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from seatrial.contracts.audit import Piece
    from seatrial.contracts.protocols import Columns

FIRST_RECORDS = 1_000
CELLS = 2_000_000
"""Cells that are looked at together."""
SEPARATORS = ",;\t|"
TYPES = {"integers": "int64", "numbers": "float64", "truth values": "bool", "text": "text"}


class Form(NamedTuple):
    """How cells are written."""

    separator: str | None = None
    decimal: str = "."
    nulls: tuple[str, ...] = ()
    header: bool = True
    text: tuple[str, ...] = ()
    limits: LineLimits = LineLimits()


@dataclass
class Cells:
    """What the cells of a column are: how many of each kind, and where the first of each kind stands."""

    count: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, count: int, first: int, block: Block) -> None:
        """So many cells of a block, the first in its row `first`."""
        self.count[kind] = self.count.get(kind, 0) + count
        self.first.setdefault(kind, f"line {block.lines[first]}{block.where}")

    def kind(self) -> str | None:
        """The one kind that all cells are of; None where numbers and words are mixed."""
        kinds = {kind for kind in self.count if kind != "empty"}
        if kinds <= {"integers"}:
            return "integers" if kinds else "text"
        if kinds <= {"integers", "numbers"}:
            return "numbers"
        if kinds == {"truth values"}:
            return "truth values"
        return "text" if kinds <= {"truth values", "text"} else None

    def told(self) -> str:
        """`398 numbers, the first in line 2; 2 text, the first in line 57`."""
        named = sorted((kind for kind in self.count if kind != "empty"), key=lambda kind: -self.count[kind])
        return "; ".join(f"{self.count[kind]} {kind}, the first in {self.first[kind]}" for kind in named)


class Sheet:
    """One table in one or several files of separated values."""

    def __init__(self, files: Sequence[Path], path: str, form: Form) -> None:
        """Reads the first line of each file. Raises `DataError` for other headers, other encodings and empty files."""
        self.files, self.path = files, path
        self.form = form if form.separator else form._replace(separator=_separator(files[0], path, form.limits))
        self.names = _header(files[0], self.form, path)
        for file in files[1:]:
            if form.header and _header(file, self.form, path) != self.names:
                raise DataError(f"{file.name} has other columns than {files[0].name}", where=path)
        if form.text:
            _columns.known(form.text, self.names, path)

    def words(self) -> dict[str, str]:
        """Columns with their types, by the first records."""
        block = next(blocks(self.files[0], "", self.form.header, FIRST_RECORDS, self.form.limits), None)
        cells = {name: Cells() for name in self.names}
        if block is not None:
            _survey_block(cells, _parsed(block, self, self.names), block, self.form)
        return {name: TYPES[cells[name].kind() or "text"] for name in self.names}

    def chunks(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named columns, at most `rows` rows at a time. Raises `DataError` for mixed types and empty cells."""
        _columns.known(names, self.names, self.path)
        with _columns.reading(self.path, "this can't be read as a table"):
            cells = _survey(self._stamp(), self.path, self.form)
        kinds = {name: _whole(cells[name], f"{self.path}, column `{name}`") for name in names}
        for block in self.blocks(rows):
            frame = _parsed(block, self, names)
            yield {name: _columns.plain(_cast(frame[name], kinds[name], self.form).to_numpy()) for name in names}

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Mapping[str, Piece]]:
        """The named columns, holes and all; columns of mixed types are text, and so are bytes that aren't UTF-8, replaced."""
        _columns.known(names, self.names, self.path)
        with _columns.reading(self.path, "this can't be read as a table"):
            cells = _survey(self._stamp(), self.path, self.form, lenient=True)
            kinds = {name: cells[name].kind() or "text" for name in names}
            for block in self.blocks(rows):
                frame = _parsed(block, self, names, lenient=True)
                yield {name: _piece(frame[name], kinds[name], self.form) for name in names}

    def _stamp(self) -> tuple[tuple[Path, int, int], ...]:
        return tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in self.files)

    def blocks(self, rows: int) -> Iterator[Block]:
        """All records, at most `rows` at a time."""
        for file in self.files:
            where = f" of {file.name}" if len(self.files) > 1 else ""
            yield from blocks(file, where, self.form.header, rows, self.form.limits)


# --- the first line ---------------------------------------------------------------------------------------------------------


def _first_record(file: Path, path: str, limits: LineLimits) -> str:
    _, record = next(records(file, limits), (0, b""))
    if not record:
        raise DataError("there are no rows: the file is empty", where=path)
    return text(record.removeprefix(b"\xef\xbb\xbf"), 1, path).rstrip("\r\n")


def _separator(file: Path, path: str, limits: LineLimits) -> str:
    """The separator that stands most often in the first line outside quotation marks."""
    line = re.sub(r'"[^"]*"', "", _first_record(file, path, limits))
    return max(SEPARATORS, key=line.count)


def _cells(record: str, form: Form, line: int, where: str) -> list[str]:
    """The cells of one record."""
    try:
        return next(csv.reader(io.StringIO(record, newline="\n"), delimiter=form.separator or ","), [])
    except csv.Error as error:
        raise DataError(f"line {line} can't be split into cells: {error}", where=where) from error


def _header(file: Path, form: Form, path: str) -> list[str]:
    """Names of the columns; nameless ones are called by their number. Read once for as long as the file is the same."""
    stat = file.stat()
    return list(_named(file, form, path, (stat.st_mtime_ns, stat.st_size)))


@lru_cache(maxsize=64)
def _named(file: Path, form: Form, path: str, stamp: tuple[int, int]) -> tuple[str, ...]:
    cells = _cells(_first_record(file, path, form.limits), form, 1, path)
    given = cells if form.header else [""] * len(cells)
    names = [cell.strip() or f"column_{number}" for number, cell in enumerate(given, 1)]
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise DataError(f"the column `{twice}` stands twice in the first line", where=path)
    return tuple(names)


# --- cells ------------------------------------------------------------------------------------------------------------------


def _parsed(block: Block, sheet: Sheet, names: Sequence[str], lenient: bool = False) -> pl.DataFrame:
    """Cells as text; empty ones are null. What isn't UTF-8 is refused, or replaced where that is `lenient`."""
    import polars as pl

    content = b"".join(block.records)
    if block.lines[0] == 1:
        content = content.removeprefix(b"\xef\xbb\xbf")
    if lenient:
        content = content if content.isascii() else content.decode("utf-8", "replace").encode()
    elif not content.isascii() or b"\0" in content:
        for line, record in zip(block.lines, block.records, strict=True):
            text(record, line, sheet.path)
    try:
        frame = pl.scan_csv(
            content,
            has_header=False,
            separator=sheet.form.separator or ",",
            schema=dict.fromkeys(sheet.names, pl.String),
        )
        return frame.select(list(dict.fromkeys(names))).collect()
    except pl.exceptions.PolarsError as error:
        raise _ragged(block, sheet) or DataError(str(error).splitlines()[0], where=sheet.path) from error


def _ragged(block: Block, sheet: Sheet) -> DataError | None:
    for line, record in zip(block.lines, block.records, strict=True):
        cells = _cells(record.decode(), sheet.form, line, sheet.path)
        if len(cells) != len(sheet.names):
            what = f"line {line}{block.where} has {len(cells)} cells, the first line {len(sheet.names)}"
            return DataError(what, where=sheet.path, next_step="quote cells that hold the separator, or state it")
    return None


def _survey(stamp: tuple[tuple[Path, int, int], ...], path: str, form: Form, lenient: bool = False) -> dict[str, Cells]:
    """What all cells of all columns are. Raises `DataError`, the same one for every column that is asked for."""
    found = _surveyed(stamp, path, form, lenient)
    if isinstance(found, DataError):
        raise DataError(found.what, where=found.where, next_step=found.next_step)
    return found


@lru_cache(maxsize=8)
def _surveyed(
    stamp: tuple[tuple[Path, int, int], ...], path: str, form: Form, lenient: bool
) -> dict[str, Cells] | DataError:
    """What all cells are, or what is wrong with them, in one pass; kept for as long as the files are the same."""
    try:
        return _pass(stamp, path, form, lenient)
    except DataError as error:
        return error


def _pass(stamp: tuple[tuple[Path, int, int], ...], path: str, form: Form, lenient: bool) -> dict[str, Cells]:
    sheet = Sheet([file for file, *_ in stamp], path, form)
    cells = {name: Cells() for name in sheet.names}
    rows = 0
    for block in sheet.blocks(65_536):
        _survey_block(cells, _parsed(block, sheet, sheet.names, lenient), block, form)
        rows += len(block.lines)
    _columns.some_rows(rows, path)
    return cells


def _survey_block(cells: dict[str, Cells], frame: pl.DataFrame, block: Block, form: Form) -> None:
    """Columns one below another, so that a table may have very many of them."""
    names, at_once = list(cells), max(1, CELLS // max(1, len(frame)))
    for start in range(0, len(names), at_once):
        group = names[start : start + at_once]
        for kind, masks in _kinds(frame.select(group), form).items():
            for name, mask, count in zip(group, masks, masks.sum(axis=1).tolist(), strict=True):
                if count:
                    stated = "text" if name in form.text and kind != "empty" else kind
                    cells[name].add(stated, count, int(mask.argmax()), block)


def _kinds(frame: pl.DataFrame, form: Form) -> dict[str, NDArray[np.bool_]]:
    """Which cells are of each kind: columns x rows."""
    import polars as pl

    bare = frame.unpivot().get_column("value").str.strip_chars()
    full = (bare.is_not_null() & ~bare.is_in(["", *form.nulls])).fill_null(False)
    found, left = {"empty": ~full}, full
    for kind, mask in (
        ("integers", bare.cast(pl.Int64, strict=False).is_not_null()),
        ("numbers", _decimals(bare, form).cast(pl.Float64, strict=False).is_not_null()),
        ("truth values", bare.str.to_lowercase().is_in(["true", "false"]).fill_null(False)),
    ):
        found[kind], left = left & mask, left & ~mask
    found["text"] = left
    return {kind: mask.to_numpy().reshape(frame.width, frame.height) for kind, mask in found.items()}


def _stripped(series: pl.Series, form: Form) -> pl.Series:
    """Without spaces around; empty cells, and words that stand for nothing, are null."""
    bare = series.str.strip_chars()
    return bare.set(bare.is_in(["", *form.nulls]).fill_null(True), None)


def _decimals(series: pl.Series, form: Form) -> pl.Series:
    """With a point before decimals. Where a comma is that mark, a point is none: `1.234` may mean a thousand."""
    if form.decimal == ".":
        return series
    return series.str.replace_all(".", "?", literal=True).str.replace(",", ".", literal=True)


def _whole(cells: Cells, where: str) -> str:
    """The kind of the column. Raises `DataError` for mixed kinds and for empty cells."""
    kind = cells.kind()
    if kind is None:
        step = "correct those cells, name words that mean nothing under `nulls`, or the column under `text`"
        raise DataError(f"numbers and words are mixed: {cells.told()}", where=where, next_step=step)
    if empty := cells.count.get("empty", 0):
        step = "fill them or leave those rows out; where the model takes missing numbers, write nan"
        raise DataError(f"{empty} cells are empty, the first in {cells.first['empty']}", where=where, next_step=step)
    return kind


def _cast(series: pl.Series, kind: str, form: Form) -> pl.Series:
    import polars as pl

    if kind == "text":
        return series
    if kind == "integers" and (made := series.cast(pl.Int64, strict=False)).null_count() == 0:
        return made  # nothing to strip, as in most tables
    bare = _stripped(series, form)
    if kind == "truth values":
        return bare.str.to_lowercase() == "true"
    return bare.cast(pl.Int64) if kind == "integers" else _decimals(bare, form).cast(pl.Float64)


def _piece(series: pl.Series, kind: str, form: Form) -> Piece:
    """A column for audits: empty cells are holes."""
    import polars as pl

    if kind in ("integers", "numbers") and not form.nulls and form.decimal == ".":
        made = series.cast(pl.Int64 if kind == "integers" else pl.Float64, strict=False)
        if made.null_count() == 0:
            return _pieces.plain(made)  # nothing to strip and no hole, as in most columns
    bare = _stripped(series, form)
    return _pieces.plain(bare if kind == "text" else _cast(bare, kind, form))
