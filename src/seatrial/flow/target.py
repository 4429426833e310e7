"""Inside the worker: what an attack asks, and the bookkeeping for it: queries, hits within the budget, how the loss rose.

A hit counts when the deployed artefact itself answered wrongly, and once more when it is asked again at the end, among clean
rows; what doesn't come again is taken back and sought anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.attack import SLACK, Aim, Felt, Norm
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported

Array = NDArray[Any]
Answer = Callable[[Values, Array], Array]
"""Inputs, and which rows they are of, to the deployed artefact's scores, rows x classes; NaN in rows that have none."""
Lend = Callable[[Values, str, Array], tuple[Values, Array]]
"""Inputs, a loss and labels to a gradient by the inputs and the loss of each row."""
LATE = 0.75
"""After which share of the questions a hit is late: many late hits say that more patience would find more."""


class Ground(Protocol):
    """Clean rows, and what can be made of them: numbers (`Possible`) or text (`Wording`)."""

    rows: int
    picture: str

    @property
    def clean(self) -> Array:
        """The clean rows, as points."""
        ...

    @property
    def free(self) -> Array:
        """What may change of a row."""
        ...

    def land(self, points: Array, rows: Array) -> Array:
        """The possible points nearest to these."""
        ...

    def far(self, landed: Array, rows: Array) -> NDArray[np.float64]:
        """How far landed points are from the clean ones."""
        ...

    def inputs(self, landed: Array, rows: Array) -> dict[str, Array]:
        """What the model is given for landed points."""
        ...

    def slope(self, gradient: Mapping[str, Array], landed: Array) -> Array:
        """A gradient by the inputs as one by the points."""
        ...


WORTH = 0.98
"""Of the smallest change known, how small another must be to be worth asking again, where that is needed and there is no budget."""
FEW = 8
"""How many clean rows come beside hits that are asked again at once; at the end there are as many as hits."""


@dataclass(frozen=True)
class Given:
    """What an attack is let see and held to: `classes_only` hides the scores.

    `known` are the smallest changes that the same attack found within larger budgets (infinite: it found none): rows that fall to one
    within this budget need no work, nor, where the attack is `nested`, do rows that it left standing there. `fickle` says that
    answers change from question to question, or with the rows that come beside: then a hit counts when it came twice. `beside`
    is how many rows are asked at a time.
    """

    norm: Norm
    budget: float | None
    seed: int = 0
    classes_only: bool = False
    known: Array | None = None
    nested: bool = False
    fickle: bool = False
    beside: int = 1


class Watched:
    """The target that an attack is given: `contracts/attack.py`, `Target`."""

    def __init__(self, possible: Ground, answer: Answer, lend: Lend | None, labels: Array, given: Given) -> None:
        self._possible, self._answer, self._lend, self._given = possible, answer, lend, given
        self._labels, count = labels, possible.rows
        everything = np.arange(count)
        self._clean = answer(possible.inputs(possible.land(possible.clean, everything), everything), everything)
        self.right = self._is_right(self._clean, everything)
        known = np.full(count, np.inf) if given.known is None else np.asarray(given.known, np.float64)
        self._open = self.right & ~(given.nested & (given.known is not None) & np.isinf(known))
        self._chance = np.random.default_rng([given.seed, count])
        self._before = np.where(known <= self._most(), known, np.inf)
        self.smallest = np.where(self.right, self._before, 0.0)
        self._new, self._unsure = np.zeros(count, bool), np.zeros(count, bool)
        self._best = possible.land(possible.clean, everything)
        self.queries, self.slopes, self._hit_at = (np.zeros(count, np.int64) for _ in range(3))
        self.taken_back = 0
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
        """Rows that were right when clean and haven't been fooled within the budget; without a budget all that were right."""
        if self._given.budget is None:
            return np.asarray(self._open[rows])
        return np.asarray(self._open[rows] & (self.smallest[rows] > self._most()))

    def verified(self) -> bool:
        """Ask once more at every hit since the last time, beside as many clean rows; take back what doesn't come again. True where all came.

        What was taken back, and nothing else, is left for another try.
        """
        hit = np.flatnonzero(self._unsure)
        lost = hit[~self._comes_again(self._best[hit], hit, len(hit))] if len(hit) else hit
        self.smallest[lost], self._new[lost] = self._before[lost], False
        self._unsure[:], self.taken_back = False, self.taken_back + len(lost)
        self._open = np.isin(np.arange(len(self._open)), lost)
        return not len(lost)

    def settle(self) -> dict[str, Any]:
        """Ask once more at every hit that wasn't asked again, and say what came of it all."""
        self.verified()
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
            "taken_back": self.taken_back,
            "risen": risen,
        }

    def shown(self, most: int) -> dict[str, Any]:
        """Of the new hits those with the smallest changes, `most` of them: clean and changed points, and what they were taken for."""
        hit = np.flatnonzero(self._new)
        hit = hit[np.argsort(self.smallest[hit], kind="stable")][:most]
        if not len(hit):
            return {}
        after, clean = self._best[hit], self._possible.clean[hit]
        said = self._answer(self._possible.inputs(after, hit), hit).argmax(axis=1)
        text = clean.dtype == object
        before, changed = (one.astype(str) if text else one.reshape(clean.shape) for one in (clean, after))
        return {"rows": hit, "far": self.smallest[hit], "said": said, "before": before, "after": changed}

    def _ask(self, landed: Array, rows: Array) -> Array:
        """The deployed artefact's scores at landed points; what is wrong within the budget is noted."""
        found = self._answer(self._possible.inputs(landed, rows), rows)
        self.queries[rows] += 1
        wrong, far = ~self._is_right(found, rows), np.full(len(rows), np.inf)
        if wrong.any():
            far[wrong] = self._possible.far(landed[wrong], rows[wrong])
        worth = WORTH if self._given.fickle and self._given.budget is None else 1.0
        hit: NDArray[np.bool_] = wrong & (far <= self._most()) & (far < worth * self.smallest[rows])
        if self._given.fickle and hit.any():
            few = min(int(hit.sum()), FEW, self._given.beside - 1)
            hit[hit] = self._comes_again(landed[hit], rows[hit], few)
        places = rows[hit]
        self.smallest[places], self._best[places] = far[hit], landed[hit]
        self._hit_at[places] = np.where(self._new[places], self._hit_at[places], self.queries[places])
        self._new[places] = self._unsure[places] = True
        return found

    def _comes_again(self, landed: Array, rows: Array, clean: int) -> NDArray[np.bool_]:
        """Whether answers at these points are wrong again, beside so many clean rows in an order by chance."""
        others = self._chance.choice(self._possible.rows, min(clean, self._possible.rows), replace=False)
        order = self._chance.permutation(len(rows) + len(others))
        points = np.concatenate([landed, self._possible.land(self._possible.clean[others], others)])[order]
        asked = np.concatenate([rows, others])[order]
        found = np.empty((len(order), self._clean.shape[1]))
        found[order] = self._answer(self._possible.inputs(points, asked), asked)
        return ~self._is_right(found[: len(rows)], rows)

    def _most(self) -> float:
        return np.inf if self._given.budget is None else self._given.budget + SLACK

    def _is_right(self, scores: Array, rows: Array) -> NDArray[np.bool_]:
        known = np.asarray(np.isfinite(scores).all(axis=1))
        right: NDArray[np.bool_] = np.where(known[:, None], scores, 0.0).argmax(axis=1) == self._labels[rows]
        return known & right
