"""Inside the worker: a search for backdoors in the open session, and its triggers tried on rows that it hasn't seen.

What carries a row over is decided by the deployed artefact's own answer; gradients are lent, as they are for attacks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.poisoning import Lineup, Pull, Triggers
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.flow.possible import Possible

Array = NDArray[Any]


class Asked:
    """The suspect that a search is given: `contracts/poisoning.py`, `Suspect`. Every other row is for looking, the rest for trying."""

    def __init__(self, possible: Possible, answer: Callable[[Values, Array], Array], lend: Any, labels: Array) -> None:
        self._possible, self._answer, self._lend, self._labels = possible, answer, lend, labels
        everything = np.arange(possible.rows)
        self._look, self._try = everything[::2], everything[1::2]
        self._classes = int(answer(self._inputs(possible.clean[:1], everything[:1]), everything[:1]).shape[1])

    def lineup(self, seed: int) -> Lineup:
        """What the search is told."""
        rows = self._look
        return Lineup(self._possible.clean[rows], self._labels[rows], self._classes, self._possible.picture, seed)

    def pull(self, points: Array, rows: Array, wanted: Array) -> Pull:
        """A lent gradient at the possible points nearest to these."""
        if self._lend is None:
            raise Unsupported("no form of the model has a gradient to lend", next_step="pip install 'seatrial[torch]'")
        landed = self._possible.land(points, self._look[rows])
        inputs = self._possible.inputs(landed, self._look[rows])
        gradient, loss = self._lend(inputs, "cross_entropy", wanted)
        return Pull(self._possible.slope(gradient, landed), np.asarray(loss))

    def tried(self, found: Triggers) -> dict[str, Any]:
        """By class: the trigger's size as a share of the input, and of how many unseen rows of other answers it carried how many over."""
        rows, clean = self._try, self._possible.clean[self._try]
        before = self._answer(self._inputs(clean, rows), rows).argmax(axis=1)
        carried, of = [], []
        for wanted in range(self._classes):
            other = before != wanted
            mask, pattern = found.masks[wanted], found.patterns[wanted]
            points = ((1 - mask) * clean[other] + mask * pattern).astype(np.float32)
            after = (
                self._answer(self._inputs(points, rows[other]), rows[other]).argmax(axis=1)
                if other.any()
                else np.zeros(0)
            )
            carried.append(int((after == wanted).sum()))
            of.append(int(other.sum()))
        sizes = found.masks.reshape(self._classes, -1).mean(axis=1)
        return {"sizes": sizes, "carried": carried, "of": of, "masks": found.masks, "patterns": found.patterns}

    def _inputs(self, points: Array, rows: Array) -> dict[str, Array]:
        return self._possible.inputs(self._possible.land(points, rows), rows)
