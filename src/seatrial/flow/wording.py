"""Inside the worker: texts of an attack become inputs, and how far they are from the clean ones is counted in edits.

An attack by words changes words alone: the gaps between them are put back as they were. Everything else that the model takes stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.attack import Norm
from seatrial.errors import Unsupported
from seatrial.numerics.edits import far, rejoined

Array = NDArray[Any]


class Wording:
    """Clean texts (the input `name`), and what can be made of them. A point is a string; arrays of them are objects (rows,)."""

    picture = ""

    def __init__(self, inputs: Mapping[str, Array], name: str, norm: Norm) -> None:
        self._inputs, self._name, self._norm = inputs, name, norm
        self.rows = len(inputs[name])
        self.clean = inputs[name].reshape(self.rows).astype(object)
        self.free = np.ones((), bool)

    def land(self, points: Array, rows: Array) -> Array:
        """These texts; where words are counted, with the gaps that the clean ones have. What is no text is the clean one."""
        landed = np.empty(len(rows), object)
        for at, (text, row) in enumerate(zip(points, rows, strict=True)):
            clean = self.clean[row]
            given = text if isinstance(text, str) else clean
            landed[at] = rejoined(given.split(), clean) if self._norm.startswith("word") else given
        return landed

    def far(self, landed: Array, rows: Array) -> NDArray[np.float64]:
        """How far landed texts are from the clean ones."""
        pairs = zip(self.clean[rows], landed, strict=True)
        return np.array([far(clean, text, self._norm) for clean, text in pairs], np.float64)

    def inputs(self, landed: Array, rows: Array) -> dict[str, Array]:
        """What the model is given."""
        made = {name: one[rows] for name, one in self._inputs.items()}
        text = landed.astype(str) if len(landed) else np.zeros(0, "<U1")
        return made | {self._name: text.reshape(made[self._name].shape)}

    def slope(self, gradient: Mapping[str, Array], landed: Array) -> Array:
        """Raises `Unsupported`: a text can't change a little."""
        raise Unsupported("a text has no gradient")
