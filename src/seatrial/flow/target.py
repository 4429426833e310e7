"""Inside the worker: what an attack asks, and the bookkeeping for it: queries, hits within the budget, how the loss rose.

A hit counts when the deployed artefact itself answered wrongly, and once more when it is asked again at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.attack import SLACK, Aim, Felt, Norm
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.flow.possible import Possible

Array = NDArray[Any]
Answer = Callable[[Values], Array]
"""Inputs to the deployed artefact's scores, rows x classes; NaN in rows that have none."""
Lend = Callable[[Values, str, Array], tuple[Values, Array]]
"""Inputs, a loss and labels to a gradient by the inputs and the loss of each row."""
LATE = 0.75
"""After which share of the questions a hit is late: many late hits say that more patience would find more."""


@dataclass(frozen=True)
class Given:
    """What an attack is let see and held to: `classes_only` hides the scores; rows that are `known` to fall to a change so large need no work."""

    norm: Norm
    budget: float | None
    seed: int = 0
    classes_only: bool = False
    known: Array | None = None


class Watched:
    """The target that an attack is given: `contracts/attack.py`, `Target`."""

    def __init__(self, possible: Possible, answer: Answer, lend: Lend | None, labels: Array, given: Given) -> None:
        self._possible, self._answer, self._lend, self._given = possible, answer, lend, given
        self._labels, count = labels, possible.rows
        everything = np.arange(count)
        self._clean = answer(possible.inputs(possible.land(possible.clean, everything), everything))
        self.right = self._is_right(self._clean, everything)
        known = np.full(count, np.inf) if given.known is None else np.asarray(given.known, np.float64)
        self.smallest = np.where(self.right, known, 0.0)
        self._new = np.zeros(count, bool)
        self._best = possible.land(possible.clean, everything)
        self.queries, self.slopes, self._hit_at = (np.zeros(count, np.int64) for _ in range(3))
        self._first, self._highest = np.full(count, np.nan), np.full(count, -np.inf)

    def aim(self) -> Aim:
        """What the attack is told."""
        return Aim(
            points=self._possible.clean,
            labels=self._labels,
            classes=self._clean.shape[1],
            norm=self._given.norm,
            budget=self._given.budget,
            free=self._possible.free,
            picture=self._possible.picture,
            seed=self._given.seed,
        )

    def scores(self, points: Array, rows: Array) -> Array:
        """The deployed artefact's scores, or its class alone."""
        found = self._ask(self._possible.land(points, rows), rows)
        found = np.nan_to_num(found, nan=-np.inf)
        return np.eye(found.shape[1])[found.argmax(axis=1)] if self._given.classes_only else found

    def slope(self, points: Array, rows: Array, loss: str, labels: Array) -> Felt:
        """A lent gradient at the possible points nearest to these; the deployed artefact is asked there, too."""
        if self._lend is None:
            raise Unsupported("no form of the model has a gradient to lend", next_step="pip install 'seatrial[torch]'")
        landed = self._possible.land(points, rows)
        wrong = ~self._is_right(self._ask(landed, rows), rows)
        gradient, lost = self._lend(self._possible.inputs(landed, rows), loss, labels)
        self.slopes[rows] += 1
        self._first[rows] = np.where(np.isnan(self._first[rows]), lost, self._first[rows])
        self._highest[rows] = np.maximum(self._highest[rows], lost)
        return Felt(self._possible.slope(gradient, landed), np.asarray(lost), wrong)

    def left(self, rows: Array) -> Array:
        """Rows that were right when clean and haven't been fooled within the budget."""
        if self._given.budget is None:
            return np.asarray(self.right[rows])
        return np.asarray(self.smallest[rows] > self._given.budget + SLACK)

    def settle(self) -> dict[str, Any]:
        """Ask once more at every new hit, and say what came of it all."""
        hit = np.flatnonzero(self._new)
        lost = np.zeros(0, np.int64)
        if len(hit):
            again = self._answer(self._possible.inputs(self._best[hit], hit))
            lost = hit[self._is_right(again, hit)]
            before = np.full(len(self.right), np.inf) if self._given.known is None else self._given.known
            self.smallest[lost], self._new[lost] = np.asarray(before, np.float64)[lost], False
        asked, felt = self.queries > 0, np.isfinite(self._first)
        late = self._hit_at[self._new] > LATE * max(1, int(self.queries.max(initial=0)))
        risen = float(np.mean(self._highest[felt] > self._first[felt] + SLACK)) if felt.any() else None
        return {
            "smallest": self.smallest,
            "queries": float(self.queries[asked].mean()) if asked.any() else 0.0,
            "slopes": float(self.slopes[asked].mean()) if asked.any() else 0.0,
            "attacked": int(asked.sum()),
            "hits": int(self._new.sum()),
            "late": int(late.sum()),
            "taken_back": len(lost),
            "risen": risen,
        }

    def _ask(self, landed: Array, rows: Array) -> Array:
        """The deployed artefact's scores at landed points; what is wrong within the budget is noted."""
        found = self._answer(self._possible.inputs(landed, rows))
        self.queries[rows] += 1
        far = self._possible.far(landed, rows)
        most = np.inf if self._given.budget is None else self._given.budget + SLACK
        hit: NDArray[np.bool_] = np.logical_and.reduce(
            [~self._is_right(found, rows), far <= most, far < self.smallest[rows]]
        )
        places = rows[hit]
        self.smallest[places], self._best[places] = far[hit], landed[hit]
        self._hit_at[places] = np.where(self._new[places], self._hit_at[places], self.queries[places])
        self._new[places] = True
        return found

    def _is_right(self, scores: Array, rows: Array) -> NDArray[np.bool_]:
        known = np.asarray(np.isfinite(scores).all(axis=1))
        right: NDArray[np.bool_] = np.where(known[:, None], scores, 0.0).argmax(axis=1) == self._labels[rows]
        return known & right
