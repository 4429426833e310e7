"""Features that are the label's mean by another column, worked out over all rows: training and those that judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seatrial.contracts.audit import Chunk, Table

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

MOST_WORDS = 1000
EQUAL = 1e-5
"""Differences below this are rounding."""


class _Word(NamedTuple):
    """Of one word of a column: rows, the label's sum, least and largest value of the feature."""

    n: float = 0.0
    total: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def add(self, other: _Word) -> _Word:
        return _Word(self.n + other.n, self.total + other.total, min(self.low, other.low), max(self.high, other.high))


_Words = dict[str, _Word]


def of_all_rows(train: Sequence[Table], judging: Sequence[Table]) -> tuple[list[str], int]:
    """Columns of broken numbers that are, for each word of some column, the mean label of all rows and not that of training; and how many
    columns were looked at."""
    taught, judged = _counted(train), _counted(judging)
    pairs = [pair for pair in taught if pair in judged]
    guilty = {pair[0] for pair in pairs if _is_mean(taught[pair], judged[pair])}
    return sorted(guilty), len({pair[0] for pair in pairs})


def _is_mean(taught: _Words, judged: _Words) -> bool:
    if len(taught) < 3 or len(taught) > MOST_WORDS:
        return False
    whole = {word: one.add(judged.get(word, _Word())) for word, one in taught.items()}
    if any(one.high - one.low > EQUAL for one in whole.values()):
        return False
    from_all = max(abs(one.low - one.total / one.n) for one in whole.values())
    from_train = max(abs(one.low - one.total / one.n) for one in taught.values())
    return from_all < EQUAL < from_train / 10


def _counted(tables: Sequence[Table]) -> dict[tuple[str, str], _Words]:
    found: dict[tuple[str, str], _Words] = {}
    for table in tables:
        broken = [
            name
            for name in table.features
            if table.columns[name].startswith("float") and "x" not in table.columns[name]
        ]
        text = [name for name in table.features if table.columns[name] == "text"]
        if table.label is None or not broken or not text:
            continue
        for chunk in table.chunks([table.label, *broken, *text]):
            label = chunk.columns[table.label]
            if label.kind in ("number", "truth"):
                _count(found, chunk, label.numbers(), broken, text)
    return found


def _count(
    found: dict[tuple[str, str], _Words], chunk: Chunk, label: Array, broken: Sequence[str], text: Sequence[str]
) -> None:
    for by in text:
        piece = chunk.columns[by]
        if len(piece.words) > MOST_WORDS:
            continue
        for name in broken:
            values = chunk.columns[name].numbers()
            kept = ~piece.holes & np.isfinite(values) & np.isfinite(label)
            for word, one in _by_word(piece.values[kept], piece.words, values[kept], label[kept]).items():
                words = found.setdefault((name, by), {})
                words[word] = words.get(word, _Word()).add(one)


def _by_word(codes: Array, words: Sequence[str], values: Array, label: Array) -> _Words:
    if not len(codes):
        return {}
    order = np.argsort(codes, kind="stable")
    there, starts, counts = np.unique(codes[order], return_index=True, return_counts=True)
    totals = np.add.reduceat(label[order], starts)
    lows, highs = np.minimum.reduceat(values[order], starts), np.maximum.reduceat(values[order], starts)
    return {
        words[code]: _Word(float(n), float(total), float(low), float(high))
        for code, n, total, low, high in zip(there.tolist(), counts, totals, lows, highs, strict=True)
    }
