"""How often bounds hold the truth: counts over simulated studies, by figure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.numerics.interval import Interval

Key = str
NAMED = ("exact", "Clopper-Pearson", "conservative")
"""Words of a method that may cover more than .97 at .95."""


class Held(NamedTuple):
    """Of one figure: studies with bounds, without, and those whose bounds lie above and below the truth; and named ones."""

    bounded: int = 0
    silent: int = 0
    above: int = 0
    below: int = 0
    named: int = 0

    @property
    def covered(self) -> float:
        """The share of bounded studies that hold the truth."""
        return 1 - (self.above + self.below) / self.bounded if self.bounded else math.nan


def held(found: Iterable[Finding], truths: dict[Key, float]) -> dict[Key, Held]:
    """Of each figure with a level, how its bounds lie about the truth."""
    stated = ((key_of(one), one) for one in found if one.level is not None)
    return of_bounds(
        (key, Interval(one.value or 0.0, one.low, one.high, one.level or 0.0, one.method), truths[key])
        for key, one in stated
        if key in truths
    )


def of_bounds(found: Iterable[tuple[Key, Interval, float]]) -> dict[Key, Held]:
    """Of each figure, how its bounds lie about its truth; some rounding is let pass."""
    made: dict[Key, Held] = {}
    for key, one, truth in found:
        slack = 1e-9 * max(1.0, abs(truth))
        bounded = one.low is not None or one.high is not None
        more = Held(
            int(bounded),
            int(not bounded),
            int(one.low is not None and one.low > truth + slack),
            int(one.high is not None and one.high < truth - slack),
            int(bounded and any(word in one.method for word in NAMED)),
        )
        made[key] = Held(*(a + b for a, b in zip(made.get(key, Held()), more, strict=True)))
    return made


def hash_of(name: str) -> int:
    """The same number for a name, always."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")


def key_of(one: Finding) -> Key:
    """A figure's name: what, and the settings it is of."""
    at = " ".join(str(value) for name, value in one.at.items() if name not in ("groups", "favourable"))
    return f"{one.what} {at}".strip()
