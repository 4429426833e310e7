"""Answering any number of rows with a model that takes certain numbers of rows only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seatrial.errors import ModelError

Run = Callable[[dict[str, Any]], dict[str, Any]]


def in_sizes(run: Run, sizes: tuple[int, ...]) -> Run:
    """`run`, made to take any number of rows: split into calls of the largest size, the last one filled up.

    `sizes` are the numbers of rows that `run` takes. A call is filled up by repeating its last row, and what comes of the
    filling is cut off, so rows are answered as they would be alone.
    """
    most = max(sizes)

    def sized(values: dict[str, Any]) -> dict[str, Any]:
        if not values:
            raise ModelError("no input is given")
        rows = len(next(iter(values.values())))
        if rows in sizes:
            return run(values)
        pieces = [
            _filled(run, {name: value[first : first + most] for name, value in values.items()}, sizes)
            for first in range(0, rows, most)
        ]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    return sized


def _filled(run: Run, values: Mapping[str, Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    rows = len(next(iter(values.values())))
    size = min(size for size in sizes if size >= rows)
    full = {name: np.concatenate([value, np.repeat(value[-1:], size - rows, axis=0)]) for name, value in values.items()}
    return {name: answer[:rows] for name, answer in run(full).items()}
