"""Arrivals, drawn before the clock runs, and the options that scheduled loads share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.parts.loads._meeting import Beside


class Scheduled(PartOptions):
    """What every load with a schedule lets one set."""

    most: float = Field(
        default=20.0,
        gt=0,
        description="longest duration at one rate, in seconds: what still waits then is counted and never sent",
    )
    order_seed: int = Field(default=0, ge=0, description="fixes which row comes when, apart from the schedule")
    schedule_seed: int = Field(default=0, ge=0, description="fixes the schedule, apart from the order of the rows")
    round: int = Field(
        default=0, ge=0, description="which schedule and order of these seeds is drawn; a study counts its rounds here"
    )
    beside: Beside | None = Field(
        default=None, description="the instances that share the arrivals; a study with `instances` sets it"
    )


def poisson(rate: float, seconds: float, least: int, seed: tuple[int, ...]) -> NDArray[np.float64]:
    """Arrivals in seconds of a Poisson process of this rate: those within `seconds`, and further ones up to `least`.

    The gaps are independent and exponential, as in LoadGen's server scenario. The same seed at another rate gives the same
    arrivals, stretched.
    """
    random = np.random.default_rng(seed)
    count = max(least, int(rate * seconds + 6 * np.sqrt(rate * seconds) + 10))
    arrivals = np.cumsum(random.exponential(1.0, count)) / rate
    return arrivals[: max(least, int(np.searchsorted(arrivals, seconds)))]
