"""Energy that the GPU drew for an answer, by its own counter: also where nothing counts what the processor draws.

NVML's counter is read before and after each block. It counts the whole board and whoever uses it, at work and at rest (gross). `energy` adds
the processor and its memory, and is missing without their counters, which virtual machines rarely show; this figure is there all the
same. It is never the whole: money isn't reckoned from it. For a candidate that runs on a processor it is missing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seatrial.contracts.candidate import NVIDIA
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.parts.meters._counters import Counted, between, nvml, side_by_side, stated
from seatrial.parts.meters._time import At

ACCEPTS = {"load": ("single_stream", "multi_stream", "server", "bursts", "trace", "offline")}
GIVES = {"finding": ("energy.device", "energy.device.power"), "instances": ("many",)}
CANNOT = {
    "gpu": (
        "not run here",
        "the counter is read through NVML as it is documented; no GPU was at hand when this was written",
    ),
    "amd": ("not yet ours", "counters of AMD and Intel GPUs aren't read yet"),
    "parts of a GPU": ("not yet theirs", "NVML counts the board as a whole, not one of its instances (MIG)"),
}

_METHOD = "the GPU's own energy counter before and after each block, of the whole board"


class Options(PartOptions):
    """There is nothing to set."""


class Begun(NamedTuple):
    """The counter before a block, or why there is none."""

    at: float
    gpu: Counted | str


def begin(device: str, options: Options) -> Begun:
    """The counter now."""
    return Begun(time.perf_counter(), _counter(device))


def read(probe: Probe) -> Reading:
    """Joules of the block, its seconds and rows; or under `why` the reason why there are none."""
    begun, events = probe.begun, probe.events
    assert events is not None
    counts = {"shared": events.servers > 1, "queries": len(events.done), "rows": len(events.done) * events.samples}
    before = begun.gpu if isinstance(begun, Begun) else "no counter was read before the block"
    after = _counter(probe.device)
    if isinstance(before, str) or isinstance(after, str):
        return counts | {"why": before if isinstance(before, str) else after}
    took = time.perf_counter() - begun.at
    try:
        return counts | {"joules": between(before, after), "seconds": took}
    except ValueError as error:
        return counts | {"why": str(error)}


def together(read: Sequence[Reading]) -> Reading:
    """Instances side by side on one GPU: its counter is the board's, so that of the longest block counts, once."""
    return side_by_side(read)


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Joules a row, and watts. Missing, with the reason, where a block had no counter."""
    at: At = {"load": load}
    reasons = [one.reading["why"] for one in rounds if "why" in one.reading]
    if reasons:
        yield from (missing(what, State.NOT_HERE, reasons[0], at=at, method=_METHOD) for what in GIVES["finding"])
        return
    read = [one.reading for one in rounds]
    yield stated("energy.device", [one["joules"] / one["rows"] for one in read], at, level, "J", _METHOD)
    yield stated("energy.device.power", [one["joules"] / one["seconds"] for one in read], at, level, "W", _METHOD)


def _counter(device: str) -> Counted | str:
    if not device.startswith(NVIDIA):
        return f"the candidate runs on {device}, which has no counter of its own beside the processor's"
    return nvml(device)
