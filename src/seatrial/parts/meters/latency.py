"""How long one answer takes: percentiles with a one-sided 99 % bound, the mean, and the ratio to the reference.

A percentile is bounded by order statistics within rounds and by the spread between rounds (`numerics/percentiles.py`);
where there are too few queries for a bound, that is said. The ratio is of the median latency, paired round by round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import Field

from seatrial.contracts.finding import Finding, State
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.numerics.percentiles import percentile_over_rounds
from seatrial.parts.meters._time import over_rounds, speedup

ACCEPTS = {"load": ("single_stream",)}
GIVES = {"finding": ("latency.p50", "latency.p90", "latency.p99", "latency.mean", "speedup")}


class Options(PartOptions):
    """Which percentiles to state."""

    percentiles: tuple[float, ...] = Field(default=(50, 90, 99), description="percentiles of latency, in percent")


def read(probe: Probe) -> Reading:
    """Latencies of one block in seconds, their median and mean."""
    assert probe.events is not None
    seconds = (probe.events.done - probe.events.start) / 1e9
    return {
        "latencies": seconds,
        "median_latency": float(np.median(seconds)),
        "mean_latency": float(seconds.mean()),
    }


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Percentiles over all rounds, mean latency, and the speed-up of the median."""
    latencies = [np.asarray(one.reading["latencies"]) for one in rounds]
    for percent in options.percentiles:
        yield _percentile(latencies, percent, load, level)
    means = [one.reading["mean_latency"] for one in rounds]
    yield over_rounds("latency.mean", means, load, level, "s", "lower")
    yield from speedup(rounds, "median_latency", load, level, inverse=True)


def _percentile(latencies: list[np.ndarray], percent: float, load: str, level: float) -> Finding:
    confidence = max(0.99, (1 + level) / 2)
    interval = percentile_over_rounds(latencies, percent / 100, confidence)
    return Finding(
        what=f"latency.p{percent:g}",
        at={"load": load},
        value=interval.value,
        high=interval.high,
        level=2 * confidence - 1,
        unit="s",
        better="lower",
        n=sum(map(len, latencies)),
        unit_of_replication="queries",
        method=interval.method,
        state=State.OK if interval.high is not None else State.TOO_FEW,
        note="" if interval.high is not None else interval.method,
    )
