"""Full batches one after another: how many rows a second, when nobody waits for any single one.

The scenario that MLPerf's LoadGen calls Offline, sent in batches of the candidate's `batch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter_ns

import numpy as np
from pydantic import Field

from seatrial.contracts.events import Events
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Session
from seatrial.contracts.values import Values

GIVES = {"load": ("offline",)}
CANNOT = {
    "sorting": (
        "not yet ours",
        "rows are sent in their order; sorting by length, which helps text, comes with text models",
    )
}


class Options(PartOptions):
    """How long one block lasts."""

    seconds: float = Field(default=0.5, gt=0, description="least duration of one timed block, in seconds")
    queries: int = Field(default=4, ge=1, description="least number of batches in one block")


def samples(batch: int) -> int:
    """As many rows a query as the candidate's batch."""
    return batch


def drive(session: Session, queries: Sequence[Values], samples: int, options: Options) -> Events:
    """Send the batches over and over until the time is up."""
    issued: list[int] = []
    done: list[int] = []
    least = perf_counter_ns() + int(options.seconds * 1e9)
    while perf_counter_ns() < least or len(done) < options.queries:
        query = queries[len(done) % len(queries)]
        issued.append(perf_counter_ns())
        session.predict(query)
        done.append(perf_counter_ns())
    return Events(issued=np.array(issued, np.int64), done=np.array(done, np.int64), samples=samples)
