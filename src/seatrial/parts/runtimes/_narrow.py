"""What runtimes share that compute in 32 bits: numbers of 64 bits are handed on where they fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from seatrial.errors import ModelError

_NARROWER = {"int64": "int32", "uint64": "uint32", "float64": "float32"}


def narrow(name: str, value: Any, who: str) -> Any:
    """An array of 64-bit numbers in 32 bits, others as they are. Raises `ModelError` where integers don't fit."""
    if value.dtype.name not in _NARROWER:
        return value
    kind = np.dtype(_NARROWER[value.dtype.name])
    if kind.kind in "iu" and value.size:
        most = np.iinfo(kind)
        if value.min() < most.min or value.max() > most.max:
            raise ModelError(f"`{name}` holds integers that don't fit in 32 bits, in which {who} computes")
    return value.astype(kind)
