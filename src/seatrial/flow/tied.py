"""Inside the worker: columns that hang together, such as `total` that is `a + b`, or `net` that is at most `gross`.

Points become numbers as they are stored, in which the ties are stated. A column that `equals` a formula is worked out from the
others and moved by nobody; one that is bounded by a formula is brought back to the bound where it passed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.flow._formulas import Formula

Array = NDArray[Any]
EQUAL = 1e-5
"""How exactly a sum must hold, in shares of the column's range (or of the number, where that is more): float32 has no more."""
ASIDE = 1e-6
"""By how much of its range a column stays off a bound, so that rounding doesn't carry it across."""
ROUNDS = 2
"""How often bounds and sums are gone through: a bound may rest on a sum and the sum on what is bounded."""
NUDGE = 1e-4


class Tie:
    """One column's place in a row, how it hangs on others (==, <=, >=), and where those lie."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        self.place, self.relation = int(stated["place"]), str(stated["relation"])
        self.formula = Formula(stated["formula"])
        self.others = {name: int(stated["others"][name]) for name in self.formula.names}

    def bound(self, stored: Array) -> Array:
        """What the formula says of each row; `stored` is rows x features."""
        columns = {name: stored[:, place] for name, place in self.others.items()}
        return self.formula.value(columns or {"": stored[:, self.place]})

    def touched(self, moved: Array) -> NDArray[np.bool_]:
        """Rows in which the column, or one that it hangs on, has moved."""
        return np.asarray(moved[:, [self.place, *self.others.values()]].any(axis=1))


class Tied:
    """All ties of a model's rows. `zero` and `size` (features,): the point of the stored number 0, and how many points 1 is."""

    def __init__(self, stated: Sequence[Mapping[str, Any]], zero: Array, size: Array, whole: Array) -> None:
        made = [Tie(one) for one in stated]
        self.sums = [one for one in made if one.relation == "=="]
        self._bounds = [one for one in made if one.relation != "=="]
        self._zero, self._size, self._whole = zero, np.where(size == 0, 1.0, size), whole
        self._range = 1 / np.abs(self._size)
        self.derived = np.zeros(len(zero), bool)
        self.derived[[one.place for one in self.sums]] = True
        self.places = np.array(sorted({place for one in made for place in (one.place, *one.others.values())}), np.int64)

    def stored(self, points: Array) -> Array:
        """Numbers as they are stored, float64, whole ones whole."""
        made = (points.astype(np.float64) - self._zero) / self._size
        return np.where(self._whole, np.rint(made), made)

    def settled(self, points: Array, clean: Array, free: Array) -> Array:
        """Points that were brought within their bounds where that column is free, and whose sums were worked out anew."""
        made = points.copy()
        for _ in range(ROUNDS):
            for tie in self._bounds:
                if free[tie.place]:
                    self._brought_back(tie, made, clean)
            for tie in self.sums:
                moved = tie.touched(made != clean)
                bound = np.nan_to_num(tie.bound(self.stored(made)))
                made[moved, tie.place] = (self._zero[tie.place] + bound * self._size[tie.place])[moved]
        return made

    def broken(self, points: Array, clean: Array | None = None) -> NDArray[np.bool_]:
        """Rows in which a tie doesn't hold; with `clean`, of those alone in which something has moved."""
        stored, found = self.stored(points), np.zeros(len(points), bool)
        for tie in (*self.sums, *self._bounds):
            bound, own = tie.bound(stored), stored[:, tie.place]
            with np.errstate(invalid="ignore"):
                if tie.relation == "==":
                    held = np.abs(own - bound) <= EQUAL * np.maximum(self._range[tie.place], np.abs(bound))
                else:
                    held = own <= bound if tie.relation == "<=" else own >= bound
            found |= ~held if clean is None else ~held & tie.touched(points != clean)
        return found

    def passed_on(self, slope: Array, points: Array) -> Array:
        """A gradient by all points as one by those that can be moved: what a sum feels is felt by what it is the sum of."""
        stored, made = self.stored(points), slope.astype(np.float64)
        for tie in reversed(self.sums):
            for place in dict.fromkeys(tie.others.values()):
                step = NUDGE * self._range[place]
                ends = []
                for side in (step, -step):
                    moved = stored.copy()
                    moved[:, place] += side
                    ends.append(tie.bound(moved))
                by = np.nan_to_num((ends[0] - ends[1]) / (2 * step)) * self._size[tie.place] / self._size[place]
                made[:, place] += made[:, tie.place] * by
            made[:, tie.place] = 0
        return made

    def _brought_back(self, tie: Tie, points: Array, clean: Array) -> None:
        """Move the column, in place, to its bound where it is past it (or so near that rounding could carry it there)."""
        stored = self.stored(points)
        bound, own = tie.bound(stored), stored[:, tie.place]
        sign = 1.0 if tie.relation == "<=" else -1.0
        if self._whole[tie.place]:
            to = sign * np.floor(sign * bound + EQUAL**2)
        else:
            to = bound - sign * ASIDE * self._range[tie.place]
        past = (sign * own > sign * to) & tie.touched(points != clean) & np.isfinite(to)
        points[past, tie.place] = (self._zero[tie.place] + to * self._size[tie.place])[past]
