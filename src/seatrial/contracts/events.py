"""Event times of one timed block: what a load returns and meters read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from seatrial.contracts.values import Ragged, Values


class Bound(NamedTuple):
    """What a rate is held to while the highest one is searched for: this percentile of latency within so many seconds."""

    latency: float
    percentile: float


class Leg(NamedTuple):
    """Queries that came at one rate, a second (None: at no rate that was set); legs follow one another within a block.

    `sent` and `unsent` count queries; those unsent came due and were still waiting at `end`, when the time was up.
    A leg with a `bound` was a probe in a search for a rate: it is read as that and not as one of the stated rates.
    `cut` counts queries that would have come after the longest duration of a leg, and so were left out.
    """

    rate: float | None
    sent: int
    unsent: int
    end: int
    bound: Bound | None = None
    cut: int = 0


class Kept(NamedTuple):
    """An answer that was given inside the timed block, copied, and the place of its query among the queries."""

    query: int
    answer: Values


@dataclass(frozen=True, slots=True)
class Events:
    """One entry a query, nanoseconds on `clock`, in order of issue.

    `scheduled` is when the query should have started (= `issued` where nothing was scheduled), `first` when the first
    part of the answer came (= `done` where answers come whole), `tokens` the time of each token. `samples` = rows a query.
    Where arrivals were scheduled, `legs` tells the queries apart by rate, `unsent` is when those were due that never were
    issued, and `slept` for how many nanoseconds the load let the processor go. `kept` are a few answers drawn by chance.
    `servers` instances shared the arrivals; the times are then those of all of them, in order of arrival, `slept` and `kept` this one's own.
    """

    issued: NDArray[np.int64]
    done: NDArray[np.int64]
    samples: int = 1
    scheduled: NDArray[np.int64] | None = None
    first: NDArray[np.int64] | None = None
    tokens: Ragged | None = None
    clock: str = "perf_counter_ns"
    legs: tuple[Leg, ...] = ()
    unsent: NDArray[np.int64] | None = None
    slept: int = 0
    kept: tuple[Kept, ...] = ()
    servers: int = 1

    @property
    def start(self) -> NDArray[np.int64]:
        """From when latency counts: the scheduled arrival, or the issue where there was none."""
        return self.issued if self.scheduled is None else self.scheduled
