"""The search for the highest rate that keeps a bound of latency, probe by probe.

A probe is a run at one rate with as many queries as LoadGen asks of its server scenario (459 and more for p99). It holds where no more of
them are over the bound than may be (order statistics, 99 %). Rates lie on a grid, so that probes of all rounds and candidates meet at the same
ones. The search assumes that a higher rate is harder only to choose what to try next; what holds is what was tried.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from seatrial.contracts.events import Bound
from seatrial.contracts.part import PartOptions
from seatrial.contracts.quantity import parse
from seatrial.contracts.study import Seconds
from seatrial.numerics.distributions import binomial_cdf
from seatrial.numerics.percentiles import discards, least_n
from seatrial.parts.loads._driving import Driver
from seatrial.parts.loads._schedules import poisson

_PROBING = 1_000_003
"""Sets the schedules of probes apart from those of the stated rates."""

_SURE, _ROUNDS = 0.99, 10
"""A probe ends early where it is as sure as this that it won't hold, in so many rounds of probes together."""

Step = Annotated[float, BeforeValidator(lambda given: parse(given).value), Field(gt=0.001, le=1)]


class Find(PartOptions):
    """The bound that the highest rate keeps, and how finely it is searched for."""

    latency: Seconds = Field(description="the bound of latency, the wait in the queue included")
    percentile: float = Field(default=99, gt=0, lt=100, description="the percentile that keeps it")
    step: Step = Field(default=0.05, description="how far neighbouring rates lie apart")
    probes: int = Field(default=12, ge=2, description="runs in one block, at most")
    seconds: float = Field(default=1.0, gt=0, description="how long queries arrive in each probe, at least")
    queries: int = Field(
        default=0, ge=0, description="queries in each probe, at least; LoadGen's least number where that is more"
    )


def search(driver: Driver, first: float, find: Find, seed: tuple[int, ...]) -> None:
    """Probe rates `first` x (1 + step)^k until neighbours are found of which the lower holds, or the probes are used up."""
    holds, fails = -math.inf, math.inf
    stride = max(1, round(math.log(2.0) / math.log1p(find.step)))
    place = 0
    for probe in range(find.probes):
        held = _holds(driver, first * (1.0 + find.step) ** place, find, (*seed, _PROBING, probe))
        holds, fails = (place, fails) if held else (holds, place)
        if held is None or fails - holds <= 1:
            return
        if math.isinf(holds):
            place = int(fails) - stride
        elif math.isinf(fails):
            place = int(holds) + stride
        else:
            place = int(holds + fails) // 2


def _holds(driver: Driver, rate: float, find: Find, seed: tuple[int, ...]) -> bool | None:
    """Whether it does; None where so few queries come within the longest duration of a leg that it can't be said."""
    share = find.percentile / 100.0
    arrivals = poisson(rate, find.seconds, max(find.queries, least_n(share)), seed)
    arrivals = arrivals[arrivals < driver.most]
    may = discards(len(arrivals), share) if len(arrivals) else None
    if may is None:
        return None
    late = driver.leg(
        rate, arrivals, Bound(find.latency, find.percentile), _hopeless(len(arrivals), share, find.probes)
    )
    return int((late > find.latency).sum()) <= may


def _hopeless(n: int, share: float, probes: int) -> int:
    """The most queries over the bound of which it isn't shown yet that the percentile is above it: one more ends a probe."""
    chance = (1.0 - _SURE) / (_ROUNDS * probes)
    fewest, most = 0, n
    while fewest < most:
        middle = (fewest + most) // 2
        if 1.0 - binomial_cdf(middle, n, 1.0 - share) <= chance:
            most = middle
        else:
            fewest = middle + 1
    return most
