"""Arrays of data sets as pieces, with their holes: for audits and content hashes of data sets whose part gives arrays alone."""

from __future__ import annotations

import numpy as np

from seatrial.contracts.audit import Piece
from seatrial.flow._inputs import Array


def as_piece(values: Array) -> Piece:
    """A column of `chunks` as a piece: text by its different words, times in microseconds, nan and NaT as holes."""
    if values.ndim > 1:
        return Piece("tensor", values)
    if values.dtype.kind in "OUST":
        return _text(values)
    if values.dtype.kind in "mM":
        gone = np.isnat(values)
        unit = "datetime64[us]" if values.dtype.kind == "M" else "timedelta64[us]"
        return Piece("time", values.astype(unit).astype(np.int64), gone if gone.any() else None)
    if values.dtype.kind == "f" and (gone := np.isnan(values)).any():
        return Piece("number", np.where(gone, values.dtype.type(0), values), gone)
    return Piece("truth" if values.dtype.kind == "b" else "number", values)


def _text(values: Array) -> Piece:
    known: dict[str, int] = {}
    places = np.zeros(len(values), np.int32)
    gone = np.zeros(len(values), bool)
    for row, cell in enumerate(values.tolist()):
        gone[row] = cell is None or cell != cell
        places[row] = 0 if gone[row] else known.setdefault(str(cell), len(known))
    return Piece("text", places, gone if gone.any() else None, list(known))
