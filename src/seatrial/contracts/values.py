"""Values that go in and come out of models: named, and of four kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]


class ValueKind(StrEnum):
    """Dense tensors, ragged lists, text, and state carried between calls."""

    DENSE = "dense"
    RAGGED = "ragged"
    TEXT = "text"
    STATE = "state"


class Ragged(NamedTuple):
    """Lists of unequal length: row i is `flat[offsets[i]:offsets[i + 1]]`; `offsets` has rows + 1 entries, int64."""

    flat: Array
    offsets: NDArray[np.int64]


class Text(NamedTuple):
    """One string a row."""

    strings: Sequence[str]


Value = Any  # Array (dense, first axis = rows) | Ragged | Text | a runtime's own state object
Values = Mapping[str, Value]
"""Named values. Every one has the same number of rows."""
