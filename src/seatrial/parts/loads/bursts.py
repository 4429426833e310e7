"""Queries that arrive in bursts with pauses between them, one row each: what users wait when they come all at once.

Within a burst queries arrive by chance (Poisson) at `rate`; bursts and pauses last equally long each time, and where the first
one begins is drawn for each block. Latency counts from the moment when a query was due, as for `server`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.events import Events
from seatrial.contracts.protocols import Session
from seatrial.contracts.values import Values
from seatrial.parts.loads._driving import on_schedule
from seatrial.parts.loads._driving import warm as warm
from seatrial.parts.loads._schedules import Scheduled, poisson

GIVES = {"load": ("bursts",), "instances": ("many",)}
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


class Options(Scheduled):
    """How often queries come within a burst, and how long bursts, pauses and a block last."""

    rate: float = Field(gt=0, le=1e6, description="queries a second, on average, while a burst lasts")
    on: float = Field(default=0.1, gt=0, description="how long a burst lasts, in seconds")
    off: float = Field(default=0.4, ge=0, description="how long a pause lasts, in seconds")
    seconds: float = Field(default=2.0, gt=0, description="how long bursts and pauses follow one another, in seconds")
    queries: int = Field(default=100, ge=1, description="least number of queries in one block")


def samples(batch: int) -> int:
    """One row a query, whatever the batch."""
    return 1


def drive(session: Session, queries: Sequence[Values], samples: int, options: Options) -> Events:
    """Send each query when it is due. The warm-up before it (`warm`) is back to back."""
    arrivals = schedule(options)
    seed = options.order_seed, options.round
    return on_schedule(session, queries, samples, [(None, arrivals)], seed, options.most, options.beside)


def schedule(options: Options) -> NDArray[np.float64]:
    """Arrivals in seconds: those of a Poisson process that runs while bursts last and stands still between them."""
    seed = options.schedule_seed, options.round
    phase = np.random.default_rng((*seed, 1)).uniform(0.0, options.on)  # how much of the first burst is over
    busy = phase + poisson(
        options.rate, options.seconds * options.on / (options.on + options.off), options.queries, seed
    )
    arrivals: NDArray[np.float64] = busy - phase + np.floor(busy / options.on) * options.off
    return arrivals
