"""Tables by their content: the hash of all rows, two versions compared by a key, and rows that must be gone.

What a row holds is in no answer: rows are named by their numbers, or by hashes under a key that only the owner has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.audit import Piece
from seatrial.contracts.provenance import Column, Difference
from seatrial.errors import DataError, StudyError
from seatrial.flow._inputs import Array
from seatrial.flow._limits import of_part
from seatrial.flow._look import by_suffix
from seatrial.flow._match import nearest
from seatrial.flow._pieces import as_piece
from seatrial.numerics.content import Cells, Content, as_keys, cells, row_digests

NUMBERS = "biuf"
CHUNK_ROWS = 65_536
CHUNK_CELLS = 2**21
MOST_ROWS_TOLD = 1_000
LEAST_SECRET = 16


class Source:
    """A data set as a part reads it, in pieces with their holes where the part gives them."""

    def __init__(self, part: Any, options: Any, folder: Path, name: str) -> None:
        self._part, self._options, self._folder, self.name = part, options, folder, name
        self.columns: dict[str, str] = dict(part.columns(options, folder))

    def pieces(self, names: Sequence[str] = ()) -> Iterator[Mapping[str, Piece]]:
        """The named columns (all if none is named), some rows at a time. Raises `DataError`."""
        wanted = list(names) or list(self.columns)
        rows = max(1, min(CHUNK_ROWS, CHUNK_CELLS // max(1, len(wanted))))
        offered = getattr(self._part, "pieces", None)
        chunks = (offered or self._part.chunks)(self._options, self._folder, wanted, rows)
        for chunk in chunks:
            read = chunk if offered else {name: as_piece(values) for name, values in chunk.items()}
            self._check(read)
            yield read

    def _check(self, read: Mapping[str, Piece]) -> None:
        """Raises `DataError` for a column that is none of what a table here can hold."""
        for name, piece in read.items():
            rows = piece.values if piece.kind == "tensor" and piece.values.dtype == object else [piece.values]
            if not all(_is_numeric(row) for row in rows):
                raise DataError(
                    f"the column `{name}` holds neither numbers, words, times nor lists of numbers",
                    where=self.name,
                    next_step="leave it out when the file is written, or write its parts as columns of their own",
                )

    def only(self, names: Sequence[str]) -> Source:
        """The same rows with these columns alone. Raises `StudyError` for one that isn't there."""
        for name in names:
            if name not in self.columns:
                raise StudyError(f"{self.name} has no column `{name}`", next_step=nearest(name, list(self.columns)))
        made = Source(self._part, self._options, self._folder, self.name)
        made.columns = {name: self.columns[name] for name in names}
        return made


def _is_numeric(values: Any) -> bool:
    try:
        return np.asarray(values).dtype.kind in NUMBERS
    except ValueError:  # lists of unequal length within a cell
        return False


def of_file(path: Path, limits: Mapping[str, str] | None = None) -> Source:
    """The table in a file or folder, within its part's limits or those given. Raises `DataError`, `StudyError` for limits that aren't there."""
    if not path.exists():
        raise DataError(f"there is no data at {path}", next_step="correct the path")
    info = by_suffix("datasets", path)
    part = catalog.load(info)
    return Source(
        part, catalog.options(info, {"path": path.name} | of_part(info, limits or {})), path.parent, path.name
    )


def content(source: Source, any_order: bool = False) -> Content:
    """The hash of all rows and columns, and of each column. Memory is a chunk of rows. Raises `DataError`."""
    made = Content(any_order)
    for pieces in source.pieces():
        made.see(pieces)
    if made.rows == 0:
        raise DataError("there are no rows", where=source.name)
    return made


# --- two versions -----------------------------------------------------------------------------------------------------------


class _Keyed(NamedTuple):
    """A table by key: the digest of each row's key, of each column's cell (8 bytes, for telling which changed), and its hash."""

    keys: NDArray[Any]
    cells: dict[str, NDArray[np.uint64]]
    repeated: int
    rows: int
    hash: str


def difference(before: Source, after: Source, key: Sequence[str]) -> Difference:
    """What became of the rows from one version to the other. Memory: 16 bytes a row, and 8 for each of its cells.

    Raises `StudyError` for a key that isn't there, `DataError` for rows that can't be read.
    """
    for side in (before, after):
        for name in key:
            if name not in side.columns:
                raise StudyError(f"{side.name} has no column `{name}`", next_step=nearest(name, list(side.columns)))
    shared = [name for name in before.columns if name in after.columns and name not in key]
    one, other = _keyed(before, key, shared), _keyed(after, key, shared)
    here, there, mine, theirs = matched(one.keys, other.keys)
    changed = np.zeros(len(mine), bool)
    counts = {}
    for name in shared:
        differs = one.cells[name][mine] != other.cells[name][theirs]
        counts[name] = int(differs.sum())
        changed |= differs
    columns = [
        Column(
            name=name,
            before=before.columns.get(name, ""),
            after=after.columns.get(name, ""),
            changed=counts.get(name, 0),
        )
        for name in dict.fromkeys([*before.columns, *after.columns])
    ]
    rows = {"added": there, "removed": here, "changed": np.sort(theirs[changed])}
    return Difference(
        before_rows=one.rows,
        after_rows=other.rows,
        added=len(there),
        removed=len(here),
        changed=int(changed.sum()),
        same=len(mine) - int(changed.sum()),
        repeated=(one.repeated, other.repeated),
        columns=tuple(one for one in columns if one.changed or one.before != one.after),
        rows={name: tuple(found[:MOST_ROWS_TOLD].tolist()) for name, found in rows.items()},
        before_hash=one.hash,
        after_hash=other.hash,
    )


def _keyed(source: Source, key: Sequence[str], shared: Sequence[str]) -> _Keyed:
    whole, keys = Content(), list[bytes]()
    held: dict[str, list[NDArray[np.uint64]]] = {name: [] for name in shared}
    for pieces in source.pieces():
        whole.see(pieces)
        made = {name: cells(pieces[name]) for name in {*key, *shared}}
        keys += row_digests({name: made[name] for name in key}, b"")
        for name in shared:
            held[name].append(_short(made[name]))
    array = as_keys(keys)
    repeated = len(array) - len(np.unique(array))
    merged = {name: np.concatenate(pieces or [np.empty(0, np.uint64)]) for name, pieces in held.items()}
    return _Keyed(array, merged, repeated, whole.rows, whole.digest())


def _short(block: Cells) -> NDArray[np.uint64]:
    """Eight bytes of a cell that are equal where it is: what it is, mixed with both halves of its value."""
    halves = np.ascontiguousarray(block[:, 1:]).view("<u8")
    with np.errstate(over="ignore"):
        mixed = halves[:, 0] * np.uint64(0x9E3779B97F4A7C15) + (halves[:, 1] ^ np.uint64(0xD1B54A32D192ED03))
        mixed ^= mixed >> np.uint64(29)
        made: NDArray[np.uint64] = mixed * np.uint64(0xBF58476D1CE4E5B9) + block[:, 0]
    return made


def matched(before: NDArray[Any], after: NDArray[Any]) -> tuple[Array, Array, Array, Array]:
    """Numbers of the rows that only the first has, that only the second has, and of those of both, side by side.

    Of rows that share a key the first counts.
    """
    one, first = np.unique(before, return_index=True)
    other, second = np.unique(after, return_index=True)
    both, mine, theirs = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    only_one, only_other = np.ones(len(one), bool), np.ones(len(other), bool)
    only_one[mine] = only_other[theirs] = False
    assert len(both) == len(mine)
    return np.sort(first[only_one]), np.sort(second[only_other]), first[mine], second[theirs]


# --- rows that must be gone --------------------------------------------------------------------------------------------------


def marks(source: Source, rows: Sequence[int], secret: bytes) -> list[str]:
    """The keyed hash of each of these rows over all columns, in hex. Raises `StudyError` for a short secret or a row that isn't there."""
    _check(secret)
    wanted, made, start = set(rows), dict[int, str](), 0
    for pieces in source.pieces():
        length = len(next(iter(pieces.values())).values)
        if any(start <= row < start + length for row in wanted):
            digests = row_digests({name: cells(piece) for name, piece in pieces.items()}, secret)
            made |= {row: digests[row - start].hex() for row in wanted if start <= row < start + length}
        start += length
    if lacking := sorted(wanted - made.keys()):
        raise StudyError(
            f"{source.name} has {start} rows, and no row {lacking[0]}", next_step="rows are counted from 0"
        )
    return [made[row] for row in rows]


def still_there(source: Source, marked: Sequence[str], columns: Sequence[str], secret: bytes) -> list[int]:
    """Numbers of the rows whose keyed hash, over these columns, is one of those marked. Raises `StudyError`, `DataError`."""
    _check(secret)
    if lacking := [name for name in columns if name not in source.columns]:
        raise StudyError(
            f"{source.name} has no column `{lacking[0]}`, so its rows can't be told from those marked",
            next_step="mark the rows again over columns that both versions have",
        )
    wanted, found, start = set(marked), list[int](), 0
    for pieces in source.pieces(columns):
        digests = row_digests({name: cells(piece) for name, piece in pieces.items()}, secret)
        found += [start + row for row, digest in enumerate(digests) if digest.hex() in wanted]
        start += len(digests)
    return found


def _check(secret: bytes) -> None:
    if len(secret) < LEAST_SECRET:
        raise StudyError(
            f"the secret has {len(secret)} bytes; with less than {LEAST_SECRET} rows could be guessed",
            next_step="make one: `head -c 32 /dev/urandom > secret.key`, and keep it where the data isn't",
        )
