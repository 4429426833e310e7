"""Device time of a query, beside the time that users wait and never instead of it: what the processor or the GPU worked for it.

On processors it is the time that all threads of the candidate's process worked, over the queries of a block: with two threads it may be more than the
wall time. On a GPU it is the time between two events in its stream, around the model alone, where the runtime takes it
(`{torch: {device_time: true}}`). Wall time less device time is what handing over, waiting and starting cost. No other figure is made of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.parts.meters._time import At, over_rounds

ACCEPTS = {"load": ("single_stream", "multi_stream", "offline")}
GIVES = {"finding": ("device_time.query", "device_time.share"), "instances": ("many",)}
CANNOT = {
    "server": (
        "never",
        "under `server`, `bursts` and `trace` the load itself keeps the processor busy until a query is due",
    ),
    "gpu": (
        "not run here",
        "events of a GPU are read as PyTorch documents them; no GPU was at hand when this was written",
    ),
    "other runtimes": ("not yet ours", "on a GPU only PyTorch's runtime takes device time"),
}

_CPU = "processor time of all threads of the process over the queries of a block"
_GPU = "time between two events in the GPU's stream, around the model alone"


class Options(PartOptions):
    """There is nothing to set."""


class Begun(NamedTuple):
    """Clocks before a block, in seconds: wall, and all threads of this process."""

    wall: float
    own: float


def begin(device: str, options: Options) -> Begun:
    """The clocks now."""
    return Begun(time.perf_counter(), time.process_time())


def read(probe: Probe) -> Reading:
    """Device and wall seconds a query, and by which clock; or under `why` the reason why there are none."""
    begun, events = probe.begun, probe.events
    own, wall = time.process_time(), time.perf_counter()
    if events is None or not isinstance(begun, Begun):
        return {"why": "no clock was read before the block"}
    queries = len(events.done)
    if probe.device == "cpu":
        return {"device": (own - begun.own) / queries, "wall": (wall - begun.wall) / queries, "way": _CPU}
    if "device" not in probe.spent:
        return {"why": f"the runtime takes no time of {probe.device}: `device_time: true` makes PyTorch's take it"}
    wall = float((events.done - events.issued).mean()) / 1e9
    return {"device": float(probe.spent["device"]), "wall": wall, "way": _GPU}


def together(read: Sequence[Reading]) -> Reading:
    """The mean of instances side by side."""
    if lacking := [one for one in read if "why" in one]:
        return lacking[0]
    return read[0] | {name: sum(one[name] for one in read) / len(read) for name in ("device", "wall")}


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Seconds a query, and their ratio to the wall time; missing, with the reason, where a block had none."""
    at: At = {"load": load}
    reasons = [one.reading["why"] for one in rounds if "why" in one.reading]
    values = [one.reading["device"] for one in rounds if "device" in one.reading]
    if not reasons and min(values) <= 0:
        reasons = ["the processor's clock stood still during a block: make blocks longer"]
    if reasons:
        yield from (missing(what, State.NOT_HERE, reasons[0], at=at, method="device time") for what in GIVES["finding"])
        return
    shares = [one.reading["device"] / one.reading["wall"] for one in rounds]
    for what, read_, unit in (("device_time.query", values, "s"), ("device_time.share", shares, "x")):
        one = over_rounds(what, read_, dict(at), level, unit, "lower")
        yield one.model_copy(
            update={"better": "lower" if unit == "s" else None, "method": f"{rounds[0].reading['way']}; {one.method}"}
        )
