"""Columns of any kind as numbers for a quick model: words and bins as ones and zeros, tensors as random cosines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.audit import Chunk, Piece
from seatrial.numerics.held_out import random_features
from seatrial.parts.audits._shared import Coder

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

WORDS, BINS, WAVES = 16, 8, 512
"""Different words of a column, bins of its numbers, cosines of a tensor."""


class Features:
    """What becomes of a row: learnt from the first chunk seen, the same for all that follow."""

    def __init__(self, names: Sequence[str], seed: int, most: int = WAVES) -> None:
        self.names, self.seed, self.waves = list(names), seed, max(8, min(WAVES, most))
        self._coders: dict[str, Coder] = {}
        self._scales: dict[str, tuple[Any, Any]] = {}

    def of(self, chunk: Chunk) -> Array:
        """The rows as numbers, (rows, features) float32; the first is 1."""
        return np.concatenate(
            [np.ones((len(chunk), 1), np.float32), *(self._one(name, chunk.columns[name]) for name in self.names)],
            axis=1,
        )

    def _one(self, name: str, piece: Piece) -> Array:
        if piece.kind != "tensor":
            coder = self._coders.setdefault(name, Coder(WORDS, BINS))
            codes = np.minimum(coder.codes(piece), coder.width - 1)
            made = np.zeros((len(codes), coder.width), np.float32)
            made[np.arange(len(codes)), codes] = 1
            return made
        flat = np.nan_to_num(piece.values.reshape(len(piece.values), -1).astype(np.float32))
        if name not in self._scales:
            self._scales[name] = flat.mean(axis=0), np.float32(np.sqrt(flat.var(axis=0).mean()) or 1.0)
        mean, spread = self._scales[name]
        return random_features((flat - mean) / spread, self.waves, self.seed)[:, 1:]
