"""The network's share of a query's time, where a model is asked over a network: seconds, and the share of the whole.

What the runtime tells of its queries is read: time on the wire less the server's own time, by the server's word on it (`measured`), or
the round trip of an empty request (`estimated`: too low where tensors are large). The server's word is that of each answer
or of its statistics; statistics that count other requests, too, are the mean of all and so `estimated`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.parts.meters._time import over_rounds

ACCEPTS = {"load": ("offline", "single_stream", "multi_stream", "server", "bursts", "trace")}
GIVES = {"finding": ("network.time", "network.share"), "instances": ("many",)}
WAYS = {
    "header": "time on the wire less the server's own, as it states it with each answer",
    "statistics": "time on the wire less the server's own, as its statistics have it",
    "statistics of all": "time on the wire less the server's own, the mean of all requests of anybody in its statistics",
    "round trip": "round trip of an empty request before and after the block; what large tensors take is not in it",
}
MEASURED = ("header", "statistics")


class Options(PartOptions):
    """There is nothing to set."""


def read(probe: Probe) -> Reading:
    """Mean seconds a query and of that on the network, and how that was got; nothing where the runtime can't tell."""
    spent = probe.spent
    if "wire" not in spent:
        return {}
    network = min(spent["round_trip"], spent["wire"]) if "round_trip" in spent else spent["wire"] - spent["server"]
    return {"query": spent["query"], "network": network, "way": spent["way"]}


def together(read: Sequence[Reading]) -> Reading:
    """The mean of instances side by side, each a client of its own; nothing where one of them can't tell."""
    if not all(read):
        return {}
    means = {name: fmean(one[name] for one in read) for name in ("query", "network")}
    return means | {"way": max((one["way"] for one in read), key=list(WAYS).index)}


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Both over all rounds, or why there are none."""
    at = {"load": load}
    if lacking := _lacking(rounds):
        for what in GIVES["finding"]:
            yield missing(what, lacking[0], lacking[1], at=dict(at), method="what the runtime tells of its queries")
        return
    network, share = [], []
    for one in rounds:
        network.append(one.reading["network"])
        share.append(one.reading["network"] / one.reading["query"])
    ways = sorted({one.reading["way"] for one in rounds}, key=list(WAYS).index)
    origin = Origin.MEASURED if set(ways) <= set(MEASURED) else Origin.ESTIMATED
    told = "; or ".join(WAYS[way] for way in ways)
    for what, values, unit in (("network.time", network, "s"), ("network.share", share, "")):
        found = over_rounds(what, values, dict(at), level, unit, "lower")
        high = min(found.high, 1.0) if found.high is not None and not unit else found.high
        yield found.model_copy(update={"high": high, "origin": origin, "method": f"{told}; {found.method}"})


def _lacking(rounds: Sequence[Round]) -> tuple[State, str] | None:
    if any(not one.reading for one in rounds):
        return State.UNSUPPORTED, "nothing is known of a network: the model runs here, or what runs it can't tell"
    if any(one.reading["network"] <= 0 for one in rounds):
        return (
            State.FAILED,
            "the server states that it worked for longer than its answers took: its clock can't be believed",
        )
    return None
