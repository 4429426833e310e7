"""Deadlines missed, and jitter: how long answers take is one thing for people, that they come in time another for machines.

The share of queries that took longer than `deadline` has an interval that allows for queries which depend on each other
(Korn & Graubard, over rounds). Jitter is the mean difference between the latencies of successive queries (RFC 3393, without sign).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import Field

from seatrial.contracts.finding import Finding, State, missing
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
            ats = setting.at | {"deadline": options.deadline}, setting.at
            for what, at in zip(GIVES["finding"], ats, strict=True):
                yield missing(what, State.UNSTABLE, setting.untried, at=at)
            continue
        latencies = [np.asarray(one.reading["latencies"]) for one in setting.rounds]
        yield _misses(latencies, setting, level, options.deadline)
        yield _jitter(latencies, setting, level)


def _jitter(latencies: list[np.ndarray], setting: _legs.Setting, level: float) -> Finding:
    """The mean difference of successive latencies; none where the queue outgrew the time: they then differ by how long it lasted."""
    jitters = [float(np.abs(np.diff(one)).mean()) for one in latencies if len(one) > 1]
    method = "mean difference of successive latencies"
    why = setting.overrun
    if not why and len(jitters) < len(latencies):
        why = "a round of one query has no successive ones: send more (`queries`)"
    if not why and min(jitters) <= 0:
        why = "in a round all latencies were alike, as far as the clock tells"
    if why:
        state = State.UNSTABLE if setting.overrun else State.TOO_FEW
        return missing("latency.jitter", state, why, at=setting.at, unit="s", better="lower", method=method)
    one = over_rounds("latency.jitter", jitters, setting.at, level, "s", "lower")
    return one.model_copy(update={"method": f"{method}; {one.method}", "note": setting.cut})


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
        note=setting.said,
    )
