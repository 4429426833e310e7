"""How long one answer takes: percentiles with a one-sided 99 % bound, the mean, and the ratio to the reference.

A percentile is bounded by order statistics within rounds and by the spread between rounds (`numerics/percentiles.py`);
where there are too few queries for a bound, that is said. The bound allows for queries that depend on each other, as those
of a queue do (`numerics/queues.py`). The ratio is of the median latency, paired round by round. Where the queue outgrows the time there is no upper bound
and no ratio, and that is said with what helps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import Field

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.numerics.percentiles import percentile, percentile_over_rounds
from seatrial.numerics.queues import percentile_in_queue
from seatrial.numerics.ratios import paired_ratio
from seatrial.parts.meters import _legs
from seatrial.parts.meters._time import over_rounds, speedup

ACCEPTS = {"load": ("single_stream", "multi_stream", "server", "bursts", "trace")}
GIVES = {"finding": ("latency.p50", "latency.p90", "latency.p99", "latency.mean", "speedup"), "instances": ("many",)}


class Options(PartOptions):
    """Which percentiles to state."""

    percentiles: tuple[float, ...] = Field(default=(50, 90, 99), description="percentiles of latency, in percent")


def read(probe: Probe) -> Reading:
    """Latencies of one block in seconds, their median and mean; apart for each rate where queries came at rates."""
    assert probe.events is not None
    return _legs.read(probe.events)


def together(read: Sequence[Reading]) -> Reading:
    """Latencies of instances side by side, one after another."""
    return _legs.together(read)


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Percentiles over all rounds, mean latency, and the speed-up of the median; at each rate where there are several."""
    for setting in _legs.settings(rounds, load):
        if setting.untried:
            names = [*(f"latency.p{percent:g}" for percent in options.percentiles), "latency.mean"]
            yield from (missing(what, State.UNSTABLE, setting.untried, at=setting.at) for what in names)
            continue
        latencies = [np.asarray(one.reading["latencies"]) for one in setting.rounds]
        for percent in options.percentiles:
            yield (_overrun if setting.overrun else _percentile)(latencies, percent, setting, level)
        means = [one.reading["mean_latency"] for one in setting.rounds]
        mean = over_rounds("latency.mean", means, setting.at, level, "s", "lower")
        yield mean.model_copy(update={"note": setting.said} | ({"high": None} if setting.overrun else {}))
        if _legs.compared(setting):
            yield from speedup(setting.rounds, "median_latency", setting.at, level, inverse=True)


def _percentile(latencies: list[np.ndarray], percent: float, setting: _legs.Setting, level: float) -> Finding:
    confidence = max(0.99, (1 + level) / 2)
    bounded = percentile_in_queue if setting.queued else percentile_over_rounds
    interval = bounded(latencies, percent / 100, confidence)
    return Finding(
        what=f"latency.p{percent:g}",
        at=setting.at,
        value=interval.value,
        high=interval.high,
        level=2 * confidence - 1,
        unit="s",
        better="lower",
        n=sum(map(len, latencies)),
        unit_of_replication="queries",
        method=interval.method,
        state=State.OK if interval.high is not None else State.TOO_FEW,
        note="; ".join(filter(None, ("" if interval.high is not None else interval.method, setting.cut))),
    )


def _overrun(latencies: list[np.ndarray], percent: float, setting: _legs.Setting, level: float) -> Finding:
    """A percentile that has no upper bound, because waits grow for as long as queries come; a lower one it has."""
    own = [percentile(one, percent / 100) for one in latencies]
    interval = paired_ratio(own, [1.0] * len(own), level)
    return Finding(
        what=f"latency.p{percent:g}",
        at=setting.at,
        value=interval.value,
        low=interval.low,
        level=level,
        unit="s",
        better="lower",
        n=sum(map(len, latencies)),
        unit_of_replication="queries",
        method=f"geometric mean of the percentiles of {len(own)} rounds, t interval on logarithms; queries that were never sent count with their wait",
        state=State.OK if interval.low is not None else State.TOO_FEW,
        note=setting.said,
    )
