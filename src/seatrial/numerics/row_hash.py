"""A keyed hash of 64 bits for each row of a table, whatever order its columns have and however its rows are cut.

Words are hashed by BLAKE2b with the key; numbers by the finaliser of SplitMix64 (Steele, Lea & Flood 2014) over their bits, salted by
key and column name. Equal values hash alike whatever type they are stored in: 3, 3.0 and a 3 among missing values. Two different rows
of n share a hash with probability about n^2 / 2^65: 3e-6 for ten million. Who doesn't know the key can't try out what a row held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.audit import Piece

Hashes = NDArray[np.uint64]
_HOLE = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def row_hashes(columns: Mapping[str, Piece], key: bytes) -> Hashes:
    """One hash a row over all columns, (rows,). Raises `ValueError` where there is no column."""
    if not columns:
        raise ValueError("a row without columns has no hash")
    total: Hashes | None = None
    with np.errstate(over="ignore"):
        for name, piece in columns.items():
            salt = _digest(name.encode(), key)
            hashed = mixed(_bits(piece, key) ^ salt)
            if piece.missing is not None:
                hashed[piece.missing] = mixed(np.array([salt ^ _HOLE]))[0]
            total = hashed if total is None else total + hashed
    assert total is not None
    return mixed(total)


def mixed(bits: Hashes) -> Hashes:
    """Each number scattered over all 64 bits, one to one: the finaliser of SplitMix64."""
    made = bits.copy()
    made ^= made >> np.uint64(30)
    made *= _FIRST
    made ^= made >> np.uint64(27)
    made *= _SECOND
    made ^= made >> np.uint64(31)
    return made


def word_hashes(words: list[str], key: bytes) -> Hashes:
    """The hash of each word, (words,)."""
    short = key[:64]
    digests = b"".join(
        hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8, key=short).digest() for word in words
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _digest(content: bytes, key: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(content, digest_size=8, key=key[:64]).digest(), "little"))


def _bits(piece: Piece, key: bytes) -> Hashes:
    """64 bits a cell that are equal for equal values."""
    if piece.kind == "text":
        words = word_hashes(list(piece.words), key) if len(piece.words) else np.zeros(1, np.uint64)
        return words[piece.values]
    if piece.kind == "tensor":
        return _tensors(piece, key)
    values = piece.values
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and len(values) and int(np.abs(values).max()) >= 2**53:
        return values.astype(np.uint64)
    numbers = values.astype(np.float64) + 0.0  # -0 becomes 0
    return numbers.view(np.uint64).copy()


def _tensors(piece: Piece, key: bytes) -> Hashes:
    flat = np.ascontiguousarray(piece.values).reshape(len(piece.values), -1)
    digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8, key=key[:64]).digest() for row in flat)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
