"""Rows that are nearly alike: numbers that differ by rounding, texts with a few words changed, pictures brightened or packed again.

Tables: rows that are equal once numbers are cut to a hundredth of a standard deviation and words are written alike. Texts: those that share four
fifths of their runs of three words (MinHash). Pictures: those whose difference hashes agree in all but three of 64 bits, and whose small
pictures are one another's at a correlation of 0.99. Exact copies are told by the audit of duplicates and aren't counted here.

audit.near_duplicates            rows that are near an earlier one {of: table}
audit.near_duplicates.text       {column}
audit.near_duplicates.image      {column}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import MOST_ROWS, Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.numerics.near import band_keys, difference_hash, grey, minhash, near_pairs, shrunk, similarity
from seatrial.parts.audits._shared import Rows, grade, result

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "pictures turned, mirrored or shifted": ("not yet ours", "the difference hash changes with them"),
    "texts said in other words": ("not yet ours", "they want an embedding"),
    "tables in which one value of many was changed": ("not yet ours", "only rounding and spelling are allowed for"),
}
BYTES_A_ROW = 800
"""Of texts the signatures; of pictures 300, of tables 32."""
GRID = 0.01
LONG = 8
"""Words from which on, on average, a column is text and no name."""
SIDE = 16


class Options(PartOptions):
    """How near is near."""

    similar: float = Field(
        default=0.8, gt=0.5, lt=1, description="share of runs of words that near texts have in common"
    )
    alike: float = Field(default=0.99, gt=0.8, lt=1, description="correlation of near pictures")
    serious: float = Field(default=0.01, gt=0, le=1, description="share of near rows that is serious")


def begin(table: Table, ground: Ground, options: Options) -> _Look:
    """Looks at whole rows, and at each column of texts or pictures."""
    return _Look(table, ground, options)


class _Look:
    """First it learns deviations and which texts are long; then it takes hashes and signatures."""

    def __init__(self, table: Table, ground: Ground, options: Options) -> None:
        self.table, self.ground, self.options = table, ground, options
        self.names = [name for name in table.columns if name not in (*table.ignored, table.label)]
        self.sums: dict[str, np.ndarray] = {}
        self.lengths: dict[str, np.ndarray] = {}
        self.learnt = False
        self.grids: list[list[np.ndarray]] = [[], []]
        self.exact: list[np.ndarray] = []
        self.texts: dict[str, _Texts] = {}
        self.images: dict[str, _Images] = {}
        self.rows = 0

    @property
    def again(self) -> bool:
        """A second pass, with what the first one learnt."""
        if self.learnt:
            return False
        self.learnt = True
        most = max(1, self.ground.memory // 2 // BYTES_A_ROW)
        long = [name for name, (words, cells) in self.lengths.items() if cells and words / cells >= LONG]
        self.texts = {name: _Texts(most) for name in long}
        return True

    def see(self, chunk: Chunk) -> None:
        """Learn; then take hashes."""
        if not self.learnt:
            self._learn(chunk)
            return
        self.rows += len(chunk)
        columns = {name: chunk.columns[name] for name in self.names}
        plain = {name: piece for name, piece in columns.items() if name not in self.texts and piece.kind != "tensor"}
        if plain:
            self.exact.append(self.ground.hash_rows(columns))
            for offset, kept in zip((0.0, 0.5), self.grids, strict=True):
                cut = {name: self._cut(name, piece, offset) for name, piece in columns.items()}
                kept.append(self.ground.hash_rows(cut))
        for name, texts in self.texts.items():
            texts.see(columns[name])
        for name, piece in columns.items():
            if piece.kind == "tensor" and _pictures(piece):
                self.images.setdefault(name, _Images()).see(piece)

    def _learn(self, chunk: Chunk) -> None:
        for name in self.names:
            piece = chunk.columns[name]
            if piece.kind == "number" and piece.values.dtype.kind == "f":
                values = piece.numbers()
                values = values[np.isfinite(values)]
                self.sums[name] = self.sums.get(name, 0.0) + np.array([len(values), values.sum(), (values**2).sum()])
            elif piece.kind == "text":
                counts = np.bincount(piece.values[~piece.holes], minlength=len(piece.words))
                words = np.array([word.count(" ") + 1 for word in piece.words] or [0])
                self.lengths[name] = self.lengths.get(name, 0.0) + np.array([(counts * words[: len(counts)]).sum() if len(piece.words) else 0.0, counts.sum()])  # fmt: skip

    def _cut(self, name: str, piece: Piece, offset: float) -> Piece:
        """Cells as they count here: fractions cut to a grid, words in small letters and without what isn't a letter or digit."""
        if piece.kind == "text":
            return Piece("text", piece.values, piece.missing, [_bare(word) for word in piece.words])
        if name in self.sums:
            n, total, squares = self.sums[name]
            deviation = float(np.sqrt(max(0.0, squares / n - (total / n) ** 2))) if n else 0.0
            if deviation > 0 and np.isfinite(deviation):
                return Piece("number", np.floor(piece.values / (GRID * deviation) + offset), piece.missing)
        return piece

    def findings(self) -> Iterator[Finding]:
        """Near rows of the table, of its texts and of its pictures."""
        if self.exact:
            exact = _again(np.concatenate(self.exact))
            near = (_again(np.concatenate(self.grids[0])) | _again(np.concatenate(self.grids[1]))) & ~exact
            method = f"equal once fractions are cut to {GRID:g} standard deviations and words are in small letters, without signs"
            yield from self._told("near_duplicates", near, method, {"of": "table"})
        self.exact, self.grids = [], [[], []]
        for name, texts in self.texts.items():
            method = (
                f"MinHash of 128 places over runs of three words, Jaccard index from about {self.options.similar:g}"
            )
            note = f"the first {texts.most} texts" if texts.cut else ""
            yield from self._told(
                "near_duplicates.text", texts.near(self.options.similar), method, {"column": name}, note
            )
        for name, images in self.images.items():
            method = f"difference hash, at most three of 64 bits apart, and a correlation of {self.options.alike:g} at {SIDE} x {SIDE}"
            yield from self._told("near_duplicates.image", images.near(self.options.alike), method, {"column": name})

    def _told(self, what: str, near: np.ndarray, method: str, at: dict[str, str], note: str = "") -> Iterator[Finding]:
        rows = Rows()
        rows.found = np.flatnonzero(near)[:MOST_ROWS].tolist()
        count = int(near.sum())
        severity = grade(count / max(1, len(near)), 0.0, self.options.serious)
        yield from result(what, count, len(near), severity, method, self.table, self.ground, rows, at=at, note=note)


class _Texts:
    """Signatures of a column of texts; exact copies are one."""

    def __init__(self, most: int) -> None:
        self.most, self.cut, self.count = most, False, 0
        self.signatures: list[np.ndarray] = []

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
        self.signatures.append(made[:room])
        self.count += min(room, len(made))

    def near(self, similar: float) -> np.ndarray:
        """Texts near an earlier one and no copy of it."""
        signatures = np.concatenate(self.signatures or [np.zeros((0, 128), np.uint32)])
        there = signatures.any(axis=1)

        def agrees(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
            found = similarity(signatures[earlier], signatures[later])
            return (found >= similar) & (found < 1) & there[later]

        return near_pairs(band_keys(signatures), agrees)


class _Images:
    """Difference hashes and small pictures of a column."""

    def __init__(self) -> None:
        self.hashes: list[np.ndarray] = []
        self.small: list[np.ndarray] = []

    def see(self, piece: Piece) -> None:
        """Hash some pictures."""
        pictures = grey(piece.values)
        self.hashes.append(difference_hash(pictures))
        small = shrunk(pictures, SIDE, SIDE)
        spread = np.ptp(small, axis=(1, 2), keepdims=True)
        low = small.min(axis=(1, 2), keepdims=True)
        self.small.append(
            np.where(spread > 0, 255 * (small - low) / np.where(spread > 0, spread, 1), 0).astype(np.uint8)
        )

    def near(self, alike: float) -> np.ndarray:
        """Pictures near an earlier one. Those of one colour alone are near none."""
        hashes = np.concatenate(self.hashes)
        small = np.concatenate(self.small).reshape(len(hashes), -1)
        keys = [(hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF) | np.uint64(band << 32) for band in range(4)]

        def agrees(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
            apart = np.bitwise_count(hashes[earlier] ^ hashes[later])
            found = np.zeros(len(later), bool)
            close = np.flatnonzero(apart <= 3)
            found[close] = _correlation(small[earlier[close]], small[later[close]]) >= alike
            return found

        return near_pairs(keys, agrees)


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of rows, 0 where one doesn't vary."""
    first, second = (side.astype(np.float64) - side.mean(axis=1, keepdims=True) for side in (one, other))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.where(scale > 0, (first * second).sum(axis=1) / np.where(scale > 0, scale, 1), 0.0)


def _pictures(piece: Piece) -> bool:
    """Rows of height x width (x channels) of at least 8 x 8."""
    shape = piece.values.shape[1:]
    return len(shape) in (2, 3) and sorted(shape)[-2] >= 8


def _again(hashes: Any) -> np.ndarray:
    """Which hashes stand earlier already."""
    order = np.argsort(hashes, kind="stable")
    again = np.zeros(len(hashes), bool)
    again[order[1:]] = hashes[order][1:] == hashes[order][:-1]
    return again


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
