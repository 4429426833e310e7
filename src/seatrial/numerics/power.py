"""What a search for slices could have seen: the least effect that it most likely finds and confirms."""

from __future__ import annotations

import math

from seatrial.numerics.distributions import normal_quantile

_ABOVE = 0.25
"""By how many standard errors a slice must exceed the largest of as many that mean nothing, to be chosen (by simulation)."""


def detectable_mean(
    square: float,
    n: float,
    searched: int,
    tests: int = 1,
    level: float = 0.95,
    power: float = 0.9,
    size: float = 1.0,
) -> float:
    """The least mean loss above the others' of a slice with `n` rows in either half that a search finds and confirms.

    To be chosen among `searched` slices it must stand out, by sqrt(2 ln searched) + 0.25 standard errors: about the largest of
    so many that mean nothing. To be confirmed it must pass the Bonferroni bound over `tests`. Both happen with this `power`,
    each with its square root. `square` is the mean squared loss of a row, floored at 1 / n as if one row differed by 1; where a
    slice loses more by rows that lose `size` (0/1 errors and flips: 1), the effect itself adds to it. NaN for less than one row.
    Simulated for 30 to 2,000 slices of 4,000 to 100,000 rows, found nine times in ten or more often.
    """
    if n < 1:
        return math.nan
    chosen = math.sqrt(2.0 * math.log(max(2, searched))) + _ABOVE
    confirmed = normal_quantile(1.0 - (1.0 - level) / max(1, tests))
    apart = (max(chosen, confirmed) + normal_quantile(math.sqrt(power))) ** 2 / n
    return (apart * size + math.sqrt((apart * size) ** 2 + 4.0 * apart * max(square, 1.0 / n))) / 2.0
