"""Deadlines missed, and jitter: how long answers take is one thing for people, that they come in time another for machines.

The share of queries that took longer than `deadline` has an interval that allows for queries which depend on each other
(Korn & Graubard, over rounds). Jitter is the mean difference between the latencies of successive queries (RFC 3393, without sign).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.contracts.study import Seconds
from seatrial.numerics.queues import missed
from seatrial.parts.meters import _legs
from seatrial.parts.meters._time import over_rounds

ACCEPTS = {"load": ("single_stream", "multi_stream", "server", "bursts", "trace")}
GIVES = {"finding": ("latency.misses", "latency.jitter"), "instances": ("many",)}


class Options(PartOptions):
    """By when an answer must be there."""

    deadline: Seconds = Field(
        default=0.1, description="by when an answer must be there; 0.1 s, which feels immediate to people, if left out"
    )


def read(probe: Probe) -> Reading:
    """Latencies of one block."""
    assert probe.events is not None
    return _legs.read(probe.events)


def together(read: Sequence[Reading]) -> Reading:
    """Latencies of instances side by side, one after another."""
    return _legs.together(read)


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """The share of queries that missed the deadline, and jitter; at each rate where there are several."""
    for setting in _legs.settings(rounds, load):
        if setting.untried:
            continue
        latencies = [np.asarray(one.reading["latencies"]) for one in setting.rounds]
        yield _misses(latencies, setting, level, options.deadline)
        jitters = [float(np.abs(np.diff(one)).mean()) for one in latencies if len(one) > 1]
        if jitters and min(jitters) > 0 and not setting.overrun:
            one = over_rounds("latency.jitter", jitters, setting.at, level, "s", "lower")
            yield one.model_copy(update={"method": f"mean difference of successive latencies; {one.method}"})


def _misses(latencies: list[np.ndarray], setting: _legs.Setting, level: float, deadline: float) -> Finding:
    """Where the queue outgrew the time only a lower bound is stated: who was never sent may still have been late."""
    interval = missed(latencies, deadline, level)
    return Finding(
        what="latency.misses",
        at=setting.at | {"deadline": deadline},
        value=interval.value,
        low=interval.low,
        high=None if setting.overrun else interval.high,
        level=level,
        better="lower",
        n=sum(map(len, latencies)),
        unit_of_replication="queries",
        method=interval.method,
        note=setting.overrun,
    )
