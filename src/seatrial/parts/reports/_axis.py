"""An axis: where a number stands between the two ends of a picture, and which round numbers to write beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MARGIN = 3.0
"""Per cent of the width left free at either end."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, in equal steps or (`log`) equal factors. Positions are per cent of the picture's width."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where `value` stands, from 0 to 100; what lies beyond an end is put at that end."""
        low, high, here = self._line(self.low), self._line(self.high), self._line(max(value, self.low))
        share = min(1.0, max(0.0, (here - low) / (high - low)))
        return round(MARGIN + share * (100 - 2 * MARGIN), 2)

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers inside the axis."""
        found = _decades(self.low, self.high) if self.log else _steps(self.low, self.high, about)
        if self.log and len(found) < 3:
            found = _steps(self.low, self.high, about)
        return found

    def _line(self, value: float) -> float:
        return math.log(value) if self.log else value


def axis(values: Iterable[float], log: bool = False, around: Iterable[float] = (), room: float = 0.06) -> Axis:
    """An axis that holds all `values` and `around`, with some room. Logarithmic only where all are above zero."""
    held = [value for value in (*values, *around) if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(held), max(held)
    if log and low > 0:
        factor = max((high / low) ** room, 1.05)
        return Axis(low / factor, high * factor, log=True)
    space = (high - low) * room or abs(high) * 0.1 or 1.0
    return Axis(low - space, high + space)


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten; where these are many, powers of ten alone."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for leads in ((1, 2, 5), (1,)):
        found = [lead * 10.0**power for power in powers for lead in leads if low <= lead * 10.0**power <= high]
        if len(found) <= 7:
            break
    return found


def _steps(low: float, high: float, about: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about so many."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(lead * power for lead in (1, 2, 5, 10) if lead * power >= raw * 0.999)
    return [round(index * step, 12) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]
