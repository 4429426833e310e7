"""Event times of one timed block: what a load returns and meters read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from seatrial.contracts.values import Ragged


@dataclass(frozen=True, slots=True)
class Events:
    """One entry a query, nanoseconds on `clock`, in order of issue.

    `scheduled` is when the query should have started (= `issued` where nothing was scheduled), `first` when the first
    part of the answer came (= `done` where answers come whole), `tokens` the time of each token. `samples` = rows a query.
    """

    issued: NDArray[np.int64]
    done: NDArray[np.int64]
    samples: int = 1
    scheduled: NDArray[np.int64] | None = None
    first: NDArray[np.int64] | None = None
    tokens: Ragged | None = None
    clock: str = "perf_counter_ns"

    @property
    def start(self) -> NDArray[np.int64]:
        """From when latency counts: the scheduled arrival, or the issue where there was none."""
        return self.issued if self.scheduled is None else self.scheduled
