"""Rows answered a second, with a t interval over rounds, and the ratio to the reference paired round by round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.parts.meters._time import At, over_rounds, speedup

ACCEPTS = {"load": ("offline",)}
GIVES = {"finding": ("throughput", "speedup"), "instances": ("many",)}


class Options(PartOptions):
    """There is nothing to set."""


def read(probe: Probe) -> Reading:
    """Rows a second from the first issue to the last answer."""
    events = probe.events
    assert events is not None
    return {"throughput": len(events.done) * events.samples / ((events.done[-1] - events.issued[0]) / 1e9)}


def together(read: Sequence[Reading]) -> Reading:
    """Rows a second of instances side by side add up."""
    return {"throughput": sum(one["throughput"] for one in read)}


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Throughput and its ratio to the reference's."""
    at: At = {"load": load}
    yield over_rounds("throughput", [one.reading["throughput"] for one in rounds], at, level, "samples/s", "higher")
    yield from speedup(rounds, "throughput", at, level, inverse=False)
