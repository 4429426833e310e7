"""Queries that arrive by chance at a rate (Poisson), one row each: what users wait, queue included; at one rate or several.

The scenario that MLPerf's LoadGen calls Server. Latency counts from the moment when a query was due: one that had to wait, or
that was issued late, took that much longer. Several rates are driven one after another, from the lowest; where the queue
outgrows the time the higher ones are left out. The highest of them that keeps a bound of latency is the meter `sustained`'s
to tell. These are stated and not searched for within a block, because then candidate and reference meet the same arrivals
in each round, and testing fixed rates in rising order until one fails needs no correction for several tests.

Several `instances` share the arrivals: one queue, and whoever is free takes the next.

With `find` a search follows within the block: from the first rate it doubles or halves until one keeps the bound and one doesn't,
and then bisects between them, on rates that are `step` apart. The meter `rate_at_bound` says which rate held.

    loads: [{server: {rate: 100, find: {latency: 50 ms}}}]
    meters: [latency, rate_at_bound]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from seatrial.contracts.events import Events
from seatrial.contracts.protocols import Session
from seatrial.contracts.values import Values
from seatrial.parts.loads._driving import Driver
from seatrial.parts.loads._driving import warm as warm
from seatrial.parts.loads._highest import Find, search
from seatrial.parts.loads._schedules import Scheduled, poisson

GIVES = {"load": ("server",), "instances": ("many",), "timing": ("LoadGen-style, unverified",)}
CANNOT = {
    "reading": (
        "not yet ours",
        "reading files and decoding pictures stand outside the clock; so do scaling and what is made of the answers, "
        "unless the study says `processing: inside`",
    ),
    "batching": (
        "not yet ours",
        "queries that wait are answered one by one, in their order; gathering them into batches comes with serving",
    ),
}


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else [given]


def _rising(rates: tuple[float, ...]) -> tuple[float, ...]:
    if not rates or list(rates) != sorted(set(rates)):
        raise ValueError("rates rise from one to the next: `rate: [50, 100, 200]`")
    return rates


Rates = Annotated[tuple[Annotated[float, Field(gt=0, le=1e6)], ...], BeforeValidator(_listed), AfterValidator(_rising)]


class Options(Scheduled):
    """How often queries come, and how long one block lasts."""

    rate: Rates = Field(description="queries a second, on average: one rate, or several that rise")
    seconds: float = Field(default=1.0, gt=0, description="how long queries arrive at each rate, in seconds")
    queries: int = Field(default=100, ge=1, description="least number of queries at each rate in one block")
    find: Find | None = Field(
        default=None, description="search for the highest rate that keeps a bound of latency: `{latency: 50 ms}`"
    )


def samples(batch: int) -> int:
    """One row a query, whatever the batch."""
    return 1


def drive(session: Session, queries: Sequence[Values], samples: int, options: Options) -> Events:
    """Send each query when it is due, rate after rate. The warm-up before it (`warm`) is back to back."""
    seed = options.schedule_seed, options.round
    schedules = [(rate, poisson(rate, options.seconds, options.queries, seed)) for rate in options.rate]
    driver = Driver(session, queries, (options.order_seed, options.round), options.most, options.beside)
    for rate, arrivals in schedules:
        driver.leg(rate, arrivals)
    if options.find is not None:
        search(driver, options.rate[0], options.find, seed)
    return driver.events(samples)
