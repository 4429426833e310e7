"""What makes rows nearly alike: cells cut to a grid, signatures of texts, hashes of pictures. Within one table, or between two.

First deviations are learnt and which texts are long; then hashes and signatures are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.audit import Chunk, Ground, Piece
from seatrial.numerics.near import (
    band_keys,
    difference_hash,
    grey,
    minhash,
    near_across,
    near_pairs,
    shrunk,
    similarity,
)
from seatrial.parts.audits._shared import Sample

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

GRID = 0.01
LONG = 8
"""Words from which on, on average, a column is text and no name."""
SIDE = 16
APART = 3
"""Bits of 64 in which the difference hashes of near pictures may differ."""
WITHIN, ACROSS = 64, 64
"""Pictures that share a quarter of their hash with which each is compared."""


class Learnt:
    """Of each column how much its fractions spread, and of text how many words a cell has on average."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._sums: dict[str, Array] = {}
        self._lengths: dict[str, Array] = {}

    def see(self, chunk: Chunk) -> None:
        """Take note of some rows."""
        for name in self.names:
            piece = chunk.columns[name]
            if piece.kind == "number" and piece.values.dtype.kind == "f":
                values = piece.numbers()
                values = values[np.isfinite(values)]
                self._sums[name] = self._sums.get(name, 0.0) + np.array([len(values), values.sum(), (values**2).sum()])
            elif piece.kind == "text":
                counts = np.bincount(piece.values[~piece.holes], minlength=len(piece.words))
                words = np.array([word.count(" ") + 1 for word in piece.words] or [0])
                held = (counts * words[: len(counts)]).sum() if len(piece.words) else 0.0
                self._lengths[name] = self._lengths.get(name, 0.0) + np.array([held, counts.sum()])

    @property
    def texts(self) -> list[str]:
        """The columns of long text."""
        return [name for name, (words, cells) in self._lengths.items() if cells and words / cells >= LONG]

    def cut(self, name: str, piece: Piece, offset: float) -> Piece:
        """Cells as they count here: fractions cut to a grid, words in small letters and without what isn't a letter or digit."""
        if piece.kind == "text":
            return Piece("text", piece.values, piece.missing, [_bare(word) for word in piece.words])
        if name in self._sums:
            n, total, squares = self._sums[name]
            deviation = float(np.sqrt(max(0.0, squares / n - (total / n) ** 2))) if n else 0.0
            if deviation > 0 and np.isfinite(deviation):
                return Piece("number", np.floor(piece.values / (GRID * deviation) + offset), piece.missing)
        return piece


class Signatures:
    """Of a table's rows: exact hashes, hashes of cells cut to two grids, signatures of at most `most` texts, of pictures hashes."""

    def __init__(self, learnt: Learnt, ground: Ground, most: int) -> None:
        self.learnt, self.ground = learnt, ground
        self.texts = {name: Texts(most) for name in learnt.texts}
        self.images: dict[str, Images] = {}
        self._sample = Sample([name for name in learnt.names if name not in self.texts], ground)
        self._exact: list[Array] = []
        self._grids: list[list[Array]] = [[], []]

    def see(self, chunk: Chunk) -> None:
        """Take hashes and signatures of some rows."""
        columns = {name: chunk.columns[name] for name in self.learnt.names}
        if any(name not in self.texts and piece.kind != "tensor" for name, piece in columns.items()):
            self._exact.append(self.ground.hash_rows(columns))
            for offset, kept in zip((0.0, 0.5), self._grids, strict=True):
                cut = {name: self.learnt.cut(name, piece, offset) for name, piece in columns.items()}
                kept.append(self.ground.hash_rows(cut))
                if not offset:
                    self._sample.see(Chunk(chunk.first, cut, chunk.hasher))
        for name, texts in self.texts.items():
            texts.see(columns[name])
        for name, piece in columns.items():
            if piece.kind == "tensor" and _pictures(piece):
                self.images.setdefault(name, Images()).see(piece)

    @property
    def tabular(self) -> bool:
        """Whether there is more in a row than texts and pictures."""
        return bool(self._exact)

    def alike(self) -> float:
        """The chance that two rows are near by one of the grids, were columns independent; long texts are taken to differ."""
        return 0.0 if self.texts else min(1.0, 2 * self._sample.alike())

    def rows_near(self) -> Array:
        """Rows near an earlier one and no copy of it, (rows,)."""
        return (again(_whole(self._grids[0])) | again(_whole(self._grids[1]))) & ~again(_whole(self._exact))

    def rows_near_those_of(self, other: Signatures) -> Array:
        """Rows near one of the other table and none of its copies, (rows,)."""
        near = [np.isin(_whole(mine), _whole(theirs)) for mine, theirs in zip(self._grids, other._grids, strict=True)]
        return (near[0] | near[1]) & ~np.isin(_whole(self._exact), _whole(other._exact))


class Texts:
    """Signatures of a column of texts; exact copies are one."""

    def __init__(self, most: int) -> None:
        self.most, self.cut, self.count = most, False, 0
        self._made: list[Array] = []

    def see(self, piece: Piece) -> None:
        """Signatures of some texts; missing ones have zeros."""
        made = (
            minhash(list(piece.words))[piece.values]
            if len(piece.words)
            else np.zeros((len(piece.values), 128), np.uint32)
        )
        made[piece.holes] = 0
        room = self.most - self.count
        self.cut = self.cut or len(made) > room
        self._made.append(made[:room])
        self.count += min(room, len(made))

    def near(self, similar: float, known: Texts | None = None) -> Array:
        """Texts near an earlier one, or near one of those known; and no copy of it."""
        own = self.signatures
        of = own if known is None else known.signatures
        there = own.any(axis=1)

        def agrees(earlier: Array, later: Array) -> Array:
            found = similarity(of[earlier], own[later])
            return (found >= similar) & (found < 1) & there[later]

        if known is None:
            return near_pairs(band_keys(own), agrees)
        return near_across(band_keys(of), band_keys(own), agrees, ACROSS)

    @property
    def signatures(self) -> Array:
        """All of them, (texts, 128)."""
        return np.concatenate(self._made or [np.zeros((0, 128), np.uint32)])


class Images:
    """Difference hashes and small pictures of a column."""

    def __init__(self) -> None:
        self._hashes: list[Array] = []
        self._small: list[Array] = []

    def see(self, piece: Piece) -> None:
        """Hash some pictures."""
        pictures = grey(piece.values)
        self._hashes.append(difference_hash(pictures))
        small = shrunk(pictures, SIDE, SIDE)
        spread, low = np.ptp(small, axis=(1, 2), keepdims=True), small.min(axis=(1, 2), keepdims=True)
        scaled = np.where(spread > 0, 255 * (small - low) / np.where(spread > 0, spread, 1), 0)
        self._small.append(scaled.astype(np.uint8).reshape(len(small), -1))

    def near(self, alike: float, known: Images | None = None) -> Array:
        """Pictures near an earlier one, or near one of those known. Those of one colour alone are near none."""
        of = self if known is None else known
        hashes, small = _whole(self._hashes), np.concatenate(self._small)
        others, theirs = _whole(of._hashes), np.concatenate(of._small)

        def agrees(earlier: Array, later: Array) -> Array:
            found = np.bitwise_count(others[earlier] ^ hashes[later]) <= APART
            close = np.flatnonzero(found)
            found[close] = _correlation(theirs[earlier[close]], small[later[close]]) >= alike
            return found

        if known is None:
            return near_pairs(_quarters(hashes), agrees, WITHIN)
        return near_across(_quarters(others), _quarters(hashes), agrees, ACROSS)


def again(hashes: Any) -> Array:
    """Which hashes stand earlier already."""
    order = np.argsort(hashes, kind="stable")
    found = np.zeros(len(hashes), bool)
    found[order[1:]] = hashes[order][1:] == hashes[order][:-1]
    return found


def _quarters(hashes: Array) -> list[Array]:
    """Hashes of 64 bits that differ in at most three share one of these."""
    return [(hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF) | np.uint64(band << 32) for band in range(4)]


def _correlation(one: Array, other: Array) -> Array:
    """Of rows, 0 where one doesn't vary."""
    first, second = (side.astype(np.float64) - side.mean(axis=1, keepdims=True) for side in (one, other))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.where(scale > 0, (first * second).sum(axis=1) / np.where(scale > 0, scale, 1), 0.0)


def _pictures(piece: Piece) -> bool:
    """Rows of height x width (x channels) of at least 8 x 8."""
    shape = piece.values.shape[1:]
    return len(shape) in (2, 3) and sorted(shape)[-2] >= 8


def _whole(pieces: Sequence[Array]) -> Array:
    return np.concatenate(pieces or [np.empty(0, np.uint64)])


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
