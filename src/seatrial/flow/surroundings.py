"""What the machine did meanwhile: other work, clock and temperature over all timed blocks, and candidates whose speed wandered.

The environment is looked at once, before anything runs; these are of the blocks themselves. A machine that gets hot slows down without
saying so in a virtual machine, and a session that warms up for longer than it was given time shows the same thing the other
way round: speed that goes one way from the first round to the last. Both are told from the times.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from seatrial.contracts.finding import Finding, State, missing
from seatrial.flow import timed
from seatrial.numerics.distributions import student_quantile

WANDERED = 0.10
"""From which change between the first round and the last a figure is marked, where it is more than chance."""
SURE, FEWEST, ALIKE = 0.99, 5, 0.6
"""Confidence that a change is one, rounds without which nothing is said of it, and how much alike neighbouring rounds may be.

A machine's moods last for longer than a round, so that rounds resemble their neighbours, and a line through them leans one way by chance.
With autocorrelation up to 0.6 no more than 1 in 100 that don't wander are marked; with 0.8 up to 2 in 8 rounds and 9 in 40.
"""

SLOW = 1.5
"""From how many times on a start is called slow."""

_SEEN = (
    ("foreign", "machine.foreign", "processors", "the system doesn't say how busy its processors are"),
    ("clock", "machine.clock", "MHz", "the system doesn't say its processors' clock"),
    ("temperature", "machine.temperature", "degrees Celsius", "the system shows no sensor of temperature"),
    ("gpu_processes", "machine.gpu_processes", "processes", ""),
)


class Wander(NamedTuple):
    """By which share something became slower from the first round to the last (negative: faster), by a line through the rounds' logarithms."""

    slower: float
    rounds: int

    @property
    def note(self) -> str:
        """What it means, in words."""
        if self.slower > 0:
            way = f"it became {self.slower:.0%} slower"
            why = "the machine gets hot and slows down, or something fills up. Let it rest, and measure again with --fresh"
        else:
            way = f"it became {-self.slower:.0%} faster"
            why = "it was still warming up when the rounds began. Measure again with --fresh, in more rounds"
        return f"{way} from the first to the last of {self.rounds} rounds: {why}"


def meanwhile(bodies: Iterable[Mapping[str, Any]], at: str) -> list[Finding]:
    """Findings about the machine from the kept rounds of a run: the median over blocks, and from where to where it went."""
    seen = [load["disturbance"] for body in bodies for load in body["loads"].values()]
    found = []
    for key, what, unit, why in _SEEN if seen else ():
        values = [one[key] for one in seen if isinstance(one.get(key), int | float)]
        if values:
            found.append(
                Finding(
                    what=what, value=median(values), unit=unit, n=len(values), unit_of_replication="blocks",
                    method=f"median over timed blocks, from {min(values):.3g} to {max(values):.3g}", measured_at=at,
                )
            )  # fmt: skip
        elif why:
            found.append(
                missing(what, State.NOT_HERE, why, unit=unit, method="looked at after each block", measured_at=at)
            )
    return found


def wander(paces: Sequence[float]) -> Wander | None:
    """How far seconds a query went one way over the rounds, in their order; None where that is little, or may be chance."""
    n = len(paces)
    if n < FEWEST or min(paces) <= 0:
        return None
    y = [math.log(pace) for pace in paces]
    middle, mean = (n - 1) / 2, sum(y) / n
    spread = sum((at - middle) ** 2 for at in range(n))
    slope = sum((at - middle) * (value - mean) for at, value in enumerate(y)) / spread
    rest = sum((value - mean - slope * (at - middle)) ** 2 for at, value in enumerate(y))
    error = math.sqrt((1 + ALIKE) / (1 - ALIKE) * rest / (n - 2) / spread)
    change = math.expm1(slope * (n - 1))
    sure = abs(slope) > student_quantile((1 + SURE) / 2, n - 2) * error
    return Wander(change, n) if sure and abs(change) >= WANDERED else None


def wandered(finding: Finding, own: Wander | None, beside: Wander | None) -> Finding:
    """A figure of speed, marked where what it rests on went one way: the candidate's own times, or those over the reference's."""
    found = beside if finding.against else own
    if found is None or finding.value is None:
        return finding
    state = State.UNSTABLE if finding.state is State.OK else finding.state
    return finding.model_copy(update={"state": state, "note": timed.joined(found.note, finding.note)})


def slow_start(bodies: Sequence[Mapping[str, Any]], load: str, candidate: str) -> list[Finding]:
    """How many times as long a candidate's first answers to a load took as those after its warm-up: mean over its starts."""
    starts = {ratio for body in bodies if (ratio := body.get("slow_start", {}).get(load)) is not None}
    if not starts:
        return []
    ratio = sum(starts) / len(starts)
    return [
        Finding(
            what="slow_start", at={"load": load}, candidate=candidate, value=ratio, unit="x", better="lower", n=len(starts),
            unit_of_replication="starts", measured_at=max(body["at"] for body in bodies),
            method="median of the first ten answers over that of the last window of the warm-up, which is not in its figures",
            note="" if ratio < SLOW else (
                f"its first answers took {ratio:.3g} times as long: who asks right after a start waits longer than these figures say. "
                "Warm it up before it serves"
            ),
        )
    ]  # fmt: skip


def of_rounds(mine: Mapping[str, Any], theirs: Mapping[str, Any], load: str) -> tuple[Wander | None, Wander | None]:
    """How a candidate's times of one load wandered, and how they did beside the reference's in the same rounds."""
    own = {pair: pace for pair, body in mine.items() if (pace := _pace(body, load))}
    other = {pair: pace for pair, body in theirs.items() if (pace := _pace(body, load))}
    both = {pair: pace / other[pair] for pair, pace in own.items() if pair in other}
    clean = {pair for pair in own if not _disturbed(mine[pair], load) and not _disturbed(theirs.get(pair), load)}
    return _along(own, clean), _along(both, clean)


def _along(paces: Mapping[str, float], clean: Container[str]) -> Wander | None:
    """By undisturbed rounds where they are enough, else by all, which are marked as disturbed anyway."""
    quiet = [pace for pair, pace in paces.items() if pair in clean]
    return wander(quiet if len(quiet) >= FEWEST else [*paces.values()])


def _pace(body: Mapping[str, Any], load: str) -> float | None:
    """Median seconds of a query's answer."""
    return (body["loads"].get(load) or {}).get("pace")


def _disturbed(body: Mapping[str, Any] | None, load: str) -> bool:
    return bool(body and body["loads"].get(load, {}).get("disturbance", {}).get("reason"))
