"""What a table holds, as hashes that don't depend on how it is stored: on files, row groups, compression, order of columns, format.

Every cell becomes 17 bytes: what it is (missing, number, time, text, tensor), and its value. Numbers are compared as numbers, so
3 and 3.0 are the same, and so are 0.0 and -0.0; whole numbers beyond 2^53 keep all their digits. Text and tensors are BLAKE2b digests of
16 bytes. A column's hash is the SHA-256 of its cells in order; a table's that of the hashes of its columns by name.

Where the order of rows doesn't count, hashes of rows (BLAKE2b of their cells, by column name) are added up modulo 2^256. That tells what
happens by accident or by hand; somebody who may make up millions of rows could find others with the same sum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.audit import Piece

Cells = NDArray[np.uint8]
WIDTH = 17
MISSING, NUMBER, TIME, TEXT, TENSOR, WHOLE = range(6)
_EXACT = 2**53
VERSION = "seatrial content 1"
ROW_BYTES = 16


class Content:
    """The hash of a table, made up while its rows pass: `see` each piece of them, in order."""

    def __init__(self, any_order: bool = False) -> None:
        self.rows = 0
        self._columns: dict[str, Any] = {}
        self._sum: int | None = 0 if any_order else None

    def see(self, columns: Mapping[str, Piece]) -> None:
        """Take note of some rows. Raises `ValueError` where columns are others than before."""
        made = {name: cells(piece) for name, piece in sorted(columns.items())}
        if self.rows and made.keys() != self._columns.keys():
            raise ValueError("the columns aren't those of the rows before")
        for name, block in made.items():
            self._columns.setdefault(name, hashlib.sha256()).update(block.tobytes())
        count = len(next(iter(made.values()))) if made else 0
        self.rows += count
        if self._sum is not None:
            digests = row_digests(made, b"", 32)
            self._sum = (self._sum + sum(int.from_bytes(one, "little") for one in digests)) % 2**256

    def columns(self) -> dict[str, str]:
        """The hash of each column, in hex."""
        return {name: stream.hexdigest() for name, stream in sorted(self._columns.items())}

    def digest(self) -> str:
        """The hash of the table, in hex; of its rows in any order where that was asked for."""
        if self._sum is None:
            lines = [f"{stream} {name!r}" for name, stream in self.columns().items()]
        else:
            lines = ["any order", *map(repr, sorted(self._columns)), f"{self._sum:064x}"]
        return hashlib.sha256("\n".join([VERSION, str(self.rows), *lines]).encode("utf-8", "surrogatepass")).hexdigest()


def cells(piece: Piece) -> Cells:
    """The cells of a column, (rows, 17): the same bytes for the same value, however it is stored."""
    made = np.zeros((len(piece.values), WIDTH), np.uint8)
    if piece.kind == "text":
        _text(made, piece)
    elif piece.kind == "tensor":
        made[:, 0] = TENSOR
        made[:, 1:] = _tensors(piece.values)
    else:
        _numbers(made, piece)
    if piece.missing is not None:
        made[piece.missing] = 0
    return made


def _text(made: Cells, piece: Piece) -> None:
    if len(piece.words) == 0:
        return
    digests = [
        hashlib.blake2b(str(one).encode("utf-8", "surrogatepass"), digest_size=16).digest() for one in piece.words
    ]
    table = np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), 16)
    made[:, 0] = TEXT
    made[:, 1:] = table[piece.values]


def _numbers(made: Cells, piece: Piece) -> None:
    values = piece.values
    if piece.kind == "time":
        made[:, 0] = TIME
        made[:, 1:9] = values.astype("<i8").view(np.uint8).reshape(-1, 8)
        return
    floats = values.astype("<f8") + 0.0  # -0 becomes 0
    floats[np.isnan(floats)] = np.nan  # one of its many forms
    made[:, 0] = NUMBER
    made[:, 1:9] = floats.view(np.uint8).reshape(-1, 8)
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and len(values):
        _whole(made, values)


def _whole(made: Cells, values: NDArray[Any]) -> None:
    """Whole numbers that a float64 doesn't hold exactly keep all their digits."""
    large = np.flatnonzero((values > _EXACT) | (values < -_EXACT) if values.dtype.kind == "i" else values > _EXACT)
    for row in large.tolist():
        number = int(values[row])
        if int(float(number)) != number:
            made[row, 0] = WHOLE
            made[row, 1:] = np.frombuffer(number.to_bytes(16, "little", signed=True), np.uint8)


def _tensors(values: NDArray[Any]) -> Cells:
    shape = repr(values.shape[1:]).encode()
    digests = []
    for row in values:
        numbers = np.ascontiguousarray(row, "<f8") + 0.0
        digests.append(hashlib.blake2b(shape + numbers.tobytes(), digest_size=16).digest())
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(values), 16)


def row_digests(columns: Mapping[str, Cells], key: bytes, size: int = ROW_BYTES) -> list[bytes]:
    """A keyed hash of each row over its cells: the same whatever order the columns have. Who lacks the key can't try rows out."""
    names = sorted(columns)
    begin = hashlib.blake2b("\x00".join(names).encode("utf-8", "surrogatepass"), digest_size=size, key=key[:64])
    whole = np.concatenate([columns[name] for name in names], axis=1).tobytes()
    width = WIDTH * len(names)
    made = []
    for start in range(0, len(whole), width):
        stream = begin.copy()
        stream.update(whole[start : start + width])
        made.append(stream.digest())
    return made


def as_keys(digests: Sequence[bytes]) -> NDArray[Any]:
    """Digests of 16 bytes as an array that can be sorted and searched, (rows,)."""
    return np.frombuffer(b"".join(digests), f"V{ROW_BYTES}") if digests else np.empty(0, f"V{ROW_BYTES}")
