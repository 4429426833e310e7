"""Latencies of a block, apart for each rate at which queries came, and what is to be said where the queue outgrew the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seatrial.contracts.events import Events, Leg
from seatrial.contracts.protocols import Reading, Round
from seatrial.parts.meters._time import At

FULL = 1.0
"""Share of the time between first and last arrival that answering takes; from here on the queue grows without end."""


class Setting(NamedTuple):
    """Rounds at one setting. In words: `overrun`, that the queue outgrew the time, `untried`, why nothing was sent at all, `cut`, that fewer came than were asked for."""

    at: At
    rounds: list[Round]
    overrun: str = ""
    untried: str = ""
    cut: str = ""

    @property
    def said(self) -> str:
        """What is to be said of a figure of this setting; empty where all is as it was asked for."""
        return "; ".join(filter(None, (self.overrun, self.cut)))

    @property
    def queued(self) -> bool:
        """Whether queries came when they liked, so that they may have waited for each other."""
        return any("sent" in one.reading for one in self.rounds)


def read(events: Events) -> Reading:
    """Latencies in seconds, their median and mean; where arrivals were scheduled, under `legs`, one entry a rate.

    A query that was never sent counts with the time that it had waited when the leg ended: less than it would have taken.
    """
    seconds = (events.done - events.start) / 1e9
    if not events.legs:
        return _summary(seconds)
    found, sent, left = [], 0, 0
    for leg in events.legs:
        mine, late = slice(sent, sent + leg.sent), slice(left, left + leg.unsent)
        waits = np.empty(0) if events.unsent is None else (leg.end - events.unsent[late]) / 1e9
        found.append(_leg(leg, np.concatenate([seconds[mine], waits]), _busy(events, mine)))
        sent, left = sent + leg.sent, left + leg.unsent
    return {"legs": found}


def together(read: Sequence[Reading]) -> Reading:
    """Readings of instances side by side as one: their latencies one after another. Where they shared arrivals each has the whole."""
    if "legs" in read[0]:
        return read[0]
    return _summary(np.concatenate([np.asarray(one["latencies"]) for one in read]))


def settings(rounds: Sequence[Round], load: str) -> Iterator[Setting]:
    """The rounds as of one setting each, readings flat: for the whole load, or for each of its rates."""
    if "legs" not in rounds[0].reading:
        yield Setting({"load": load}, list(rounds))
        return
    for place, leg in enumerate(rounds[0].reading["legs"]):
        if leg.get("bound"):
            return  # from here on a rate was searched for
        rate = leg["rate"]
        at: At = {"load": load} if rate is None else {"load": load, "rate": int(rate) if rate == int(rate) else rate}
        tried = [_at(one, place) for one in rounds if _tried(one.reading["legs"][place])]
        if tried:
            legs = [one.reading for one in tried]
            yield Setting(at, tried, _overrun(legs, rate), cut=_cut(legs))
        else:
            yield Setting(at, [], untried=_untried([one.reading["legs"][place] for one in rounds]))


def compared(setting: Setting) -> bool:
    """Whether a ratio to the reference means anything: neither's queue outgrew the time in any round."""
    theirs = [one.reference for one in setting.rounds if one.reference]
    return not setting.overrun and not any(_over(one) for one in theirs)


def _summary(seconds: Any) -> Reading:
    return {
        "latencies": seconds,
        "median_latency": float(np.median(seconds)),
        "mean_latency": float(seconds.mean()),
    }


def _leg(leg: Leg, seconds: Any, busy: float | None) -> Reading:
    bound = list(leg.bound) if leg.bound else None
    counts = {"rate": leg.rate, "sent": leg.sent, "unsent": leg.unsent, "busy": busy, "bound": bound, "cut": leg.cut}
    return counts | (_summary(seconds) if seconds.size else {})


def _busy(events: Events, mine: slice) -> float | None:
    """Time that an instance spent answering over the time in which queries came; None for fewer than two queries."""
    start = events.start[mine]
    if start.size < 2 or start[-1] == start[0]:
        return None
    return float((events.done[mine] - events.issued[mine]).sum() / (start[-1] - start[0]) / events.servers)


def _at(one: Round, place: int) -> Round:
    other = one.reference["legs"][place] if one.reference else None
    return Round(one.index, one.reading["legs"][place], other if other and _tried(other) else None, one.disturbed)


def _tried(leg: Reading) -> bool:
    return bool(leg["sent"] or leg["unsent"])


def _over(leg: Reading) -> bool:
    full = leg.get("rate") is not None and (leg.get("busy") or 0.0) >= FULL
    return bool(leg.get("unsent")) or full


def _untried(legs: Sequence[Reading]) -> str:
    """Why nothing was sent at a setting."""
    if any(leg.get("cut") for leg in legs):
        return "no query came within the longest duration of a block: raise `rate`, or `most`"
    return "not tried: at a lower rate the queue already outgrew the time"


def _cut(legs: Sequence[Reading]) -> str:
    """That fewer queries came than were asked for, because the longest duration of a block was over before."""
    gone, came = sum(leg.get("cut", 0) for leg in legs), sum(leg["sent"] + leg["unsent"] for leg in legs)
    if not gone:
        return ""
    return f"{came} of {came + gone} queries came within the longest duration of a block: raise `most` for all of them, or `rate`"


def _overrun(legs: Sequence[Reading], rate: float | None) -> str:
    over = [leg for leg in legs if _over(leg)]
    if not over:
        return ""
    unsent, came = sum(leg["unsent"] for leg in over), sum(leg["sent"] + leg["unsent"] for leg in over)
    never = f"{unsent} of {came} queries were never sent before the time was up; " if unsent else ""
    busy = max((leg["busy"] or 0.0) for leg in over)
    if rate is None:
        advice = "give it longer (`most`), send fewer queries, or take a faster candidate"
    else:
        advice = (
            f"it answers about {rate / busy:.3g} queries a second: set `rate` well below that"
            if busy
            else "lower `rate`"
        )
    return f"the queue outgrew the time in {len(over)} of {len(legs)} rounds: {never}waits would grow with the block; {advice}"
