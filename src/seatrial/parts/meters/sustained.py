"""The highest of the stated rates at which a percentile of latency keeps a bound, queue included.

Rates are tested in rising order, each by the percentile's upper bound, and the first that fails ends it: so the confidence holds
for the answer, however many rates there were (a fixed-sequence test; Maurer, Hothorn and Lehmacher 1995).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import Field

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.contracts.study import Seconds
from seatrial.numerics.queues import percentile_in_queue
from seatrial.parts.meters import _legs

ACCEPTS = {"load": ("server",)}
GIVES = {"finding": ("throughput.sustained",), "instances": ("many",)}
CANNOT = {
    "between": ("never", "only rates that the load states are read; `rate_at_bound` reads those that it searched for"),
}


class Options(PartOptions):
    """Which percentile keeps which bound."""

    latency: Seconds = Field(
        default=0.1, description="the bound of latency; 0.1 s, which feels immediate to people, if left out"
    )
    percentile: float = Field(default=99, gt=0, lt=100, description="the percentile that keeps it")


def read(probe: Probe) -> Reading:
    """Latencies at each rate."""
    assert probe.events is not None
    return _legs.read(probe.events)


def together(read: Sequence[Reading]) -> Reading:
    """Instances that shared the arrivals: each has the whole."""
    return _legs.together(read)


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """The highest rate, or that not even the lowest one kept the bound."""
    held, confidence = None, max(0.99, (1 + level) / 2)
    ended = "the highest rate that was tried keeps it: higher ones may, too"
    for setting in _legs.settings(rounds, load):
        if why := _fails(setting, options, confidence):
            ended = f"at {_rate(setting):g} a second it doesn't: {why}"
            break
        held = setting
    method = (
        f"highest rate whose p{options.percentile:g} has a {confidence:.4g} upper bound within {options.latency:g} s"
    )
    if held is None:
        yield missing("throughput.sustained", State.TOO_FEW, ended, at={"load": load}, method=method)
        return
    yield Finding(
        what="throughput.sustained",
        at={"load": load},
        value=_rate(held),
        low=_rate(held),
        level=2 * confidence - 1,
        unit="samples/s",
        better="higher",
        n=len(held.rounds),
        unit_of_replication="rounds",
        method=f"{method}; rates in rising order until one fails",
        note=ended,
    )


def _fails(setting: _legs.Setting, options: Options, confidence: float) -> str:
    """Why the bound isn't kept at this rate, or isn't shown to be; empty when it is."""
    if setting.untried or setting.overrun:
        return setting.untried or setting.overrun
    latencies = [np.asarray(one.reading["latencies"]) for one in setting.rounds]
    interval = percentile_in_queue(latencies, options.percentile / 100, confidence)
    if interval.high is None:
        return interval.method
    if interval.high > options.latency:
        return f"p{options.percentile:g} is {interval.value:.3g} s, at most {interval.high:.3g} s"
    return ""


def _rate(setting: _legs.Setting) -> float:
    """The rate of a setting; where none was set, queries over time."""
    if "rate" in setting.at:
        return float(setting.at["rate"])
    took = [np.asarray(one.reading["latencies"]) for one in setting.rounds]
    return float(sum(map(len, took)) / sum(float(one.sum()) for one in took))
