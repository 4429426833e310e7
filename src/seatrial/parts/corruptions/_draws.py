"""Random numbers that belong to rows: the same whichever chunk a row comes in.

A counter-based generator (Philox 4x64-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is keyed
by the seed, the corruption and the column; its counter starts at the row's index. Severities share their draws, so that a
curve over severities isn't blurred by luck: a cell that is hit at severity 1 is hit at 2 (photons are counted anew).
The same numbers come from one version of numpy; another may draw differently from the same counter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

BLOCK = 1024
"""Rows drawn at once where a row takes few numbers: blocks lie at multiples of it, wherever a chunk begins."""


class Draws:
    """The random numbers of one column under one corruption and seed."""

    def __init__(self, seed: int, *words: str) -> None:
        digest = hashlib.blake2b("\0".join((str(seed), *words)).encode(), digest_size=16).digest()
        bits = np.random.Philox(key=np.frombuffer(digest, "<u8").astype(np.uint64))
        self._generator, self._fresh = np.random.Generator(bits), bits.state

    def at(self, index: int, stream: int = 0) -> np.random.Generator:
        """The generator at the start of the numbers of one row (or block: stream 1). One generator serves all: use it at once."""
        self._fresh["state"]["counter"][:] = (0, 0, index, stream)
        self._generator.bit_generator.state = self._fresh
        return self._generator

    def rows(self, first: int, count: int) -> Iterator[np.random.Generator]:
        """For each row its generator, to be used before the next is asked for."""
        return (self.at(row) for row in range(first, first + count))

    def uniform(self, first: int, count: int, width: int = 1) -> Array:
        """`width` uniform numbers in [0, 1) for each row: count x width."""
        return self._blocks(first, count, width, normal=False)

    def normal(self, first: int, count: int, width: int = 1) -> Array:
        """`width` standard normal numbers for each row: count x width."""
        return self._blocks(first, count, width, normal=True)

    def _blocks(self, first: int, count: int, width: int, normal: bool) -> Array:
        drawn = [np.empty((0, width))]
        start = first // BLOCK * BLOCK
        for block in range(start, first + count, BLOCK):
            generator = self.at(block // BLOCK, stream=1)
            draw = generator.standard_normal if normal else generator.random
            drawn.append(draw((BLOCK, width)))
        return np.concatenate(drawn)[first - start :][:count]
