"""Short rounds first: what can't be the answer any more is left out early, and only the rest is measured in full.

All candidates run short rounds; at each rung the rounds so far are doubled for those that are still in (successive halving;
Karnin et al. 2013, Jamieson & Talwalkar 2016). Those papers drop the worse half at each rung, whatever the noise. Here a candidate is left out only where

- a bound shows that it fails a requirement, or
- a bound shows that it isn't more than `within` better than one that fails nothing, in the study's `prefer`, or
- it differs from one that fails a bound of latency or memory only by more of what can't help (`assume`). That is an assumption
  and not a proof, and the note says so.

Bounds are t intervals on paired ratios of the same rounds, at a level at which all candidates and all rungs hold together with
`confidence` (union bound), so that looking often costs nothing of it. Who stays is measured in full rounds, apart from those
that chose it, so its figures aren't flattered by having been chosen. Where the one that displaced others fails a requirement in
the end, these come back.

    measure: {search: halving}
    measure: {search: {halving: {within: 2 %, most: 32}}}
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from seatrial.contracts.candidate import Candidate
from seatrial.contracts.part import PartOptions
from seatrial.contracts.quantity import parse
from seatrial.contracts.race import Entrant, Failing, Leaving, Race, Rungs
from seatrial.numerics.interval import Interval
from seatrial.numerics.ratios import paired_ratio, ratio_apart
from seatrial.numerics.stopping import looks

CANNOT = {
    "qualities": (
        "not yet ours",
        "only what is read off round by round can displace others; a preference for accuracy leaves out by requirements alone",
    )
}

_FEWEST = 3
"""Common rounds that a paired interval takes."""
_PEAK = {"int8": 4.0, "bf16": 3.0, "fp16": 2.0, "int4": 2.0}
"""How many times as fast as fp32 a precision may be, uncalibrated: a hint of order and nothing else."""
_BOUNDED = ("latency", "memory", "cold_start")

Share = Annotated[float, BeforeValidator(lambda given: parse(given).value), Field(ge=0, lt=1)]


class Options(PartOptions):
    """How short the first rounds are, when it looks, and what counts as as good."""

    share: Share = Field(
        default=0.1, gt=0, description="how long a block of a short round lasts, as a share of a full one"
    )
    least: int = Field(default=4, ge=2, description="short rounds before anything is left out")
    most: int = Field(default=16, ge=2, description="short rounds after which who is left is measured in full")
    within: Share = Field(default=0.02, description="how much better a candidate must be able to be to stay in")
    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="one-sided: the best candidate is left out no more often than this leaves",
    )
    assume: tuple[Literal["batch", "threads"], ...] = Field(
        default=("batch",),
        description="what can't mend a bound of latency or memory that is failed: a larger batch, and fewer threads (more, for memory)",
    )


def order(candidates: Sequence[Candidate], options: Options) -> list[str]:
    """The likely fastest first, by uncalibrated peaks: with a budget, they are measured before it is spent."""
    hints = {one.id: _PEAK.get(one.precision, 1.0) * one.threads * (1.0 + math.log2(one.batch)) for one in candidates}
    variants = {one.id: 1.0 + ("int8" in one.variant.name) for one in candidates}
    return sorted(hints, key=lambda id_: -hints[id_] * variants[id_])


def rungs(options: Options) -> Rungs:
    """After `least` short rounds, twice as many, and so on to `most`."""
    return Rungs(looks(options.least, max(options.least, options.most)), options.share)


def leave(race: Race, options: Options) -> list[Leaving]:
    """Those that fail a requirement, those that are assumed to, and those that are shown not to be the best."""
    failed = [
        Leaving(one.id, f"it fails a requirement, {one.failing[0].reason}") for one in race.running if one.failing
    ]
    out = {one.candidate for one in failed}
    hopeless = [one for one in (*race.gone, *race.running) if one.failing]
    assumed = [
        one for entrant in race.running if entrant.id not in out for one in _assumed(entrant, hopeless, race, options)
    ]
    out |= {one.candidate for one in assumed}
    staying = [one for one in race.running if one.id not in out]
    return [*failed, *assumed, *_displaced(staying, race, options)]


# --- by requirements --------------------------------------------------------------------------------------------------------


def _assumed(one: Entrant, hopeless: Sequence[Entrant], race: Race, options: Options) -> list[Leaving]:
    """What is assumed of a candidate because a like one fails: at most one reason."""
    for other in hopeless:
        for failing in other.failing:
            if (axis := _worse_along(one, other, failing, race.processors)) in options.assume and axis:
                mine = getattr(one.candidate, axis)
                words = f"with {axis} {mine} instead of {getattr(other.candidate, axis)} it is assumed to fail as `{other.label}` does, not measured"
                return [Leaving(one.id, f"{words}: {failing.reason}")]
    return []


def _worse_along(one: Entrant, other: Entrant, failing: Failing, processors: int | None) -> str:
    """The only coordinate in which they differ, where the first has no more hope than the second; else nothing."""
    mine, theirs = one.candidate.fields(), other.candidate.fields()
    differing = [name for name, value in mine.items() if theirs[name] != value]
    if len(differing) != 1 or not failing.what.startswith(_BOUNDED):
        return ""
    (axis,) = differing
    more = getattr(one.candidate, axis) if axis in ("batch", "threads") else 0
    than = getattr(other.candidate, axis) if more else 0
    if axis == "batch" and axis in failing.same and more > than:
        return axis
    if axis == "threads" and failing.what.startswith("memory") and more > than:
        return axis
    crowded = processors is not None and more > than >= processors
    return axis if axis == "threads" and failing.what.startswith("latency") and (more < than or crowded) else ""


# --- by preference ------------------------------------------------------------------------------------------------------------


def _displaced(running: Sequence[Entrant], race: Race, options: Options) -> list[Leaving]:
    """Those that aren't more than `within` better than the leader, and those that are worse than any sound one."""
    able = [one for one in running if one.sound and len(one.values) >= _FEWEST]
    if race.better is None or not able:
        return []
    spent = (1.0 - options.confidence) / (max(1, race.compared - 1) * max(1, race.looks))
    leader = max(able, key=lambda one: _standing(one, able, race))
    found = []
    for one in running:
        rivals = [leader, *(other for other in able if other is not leader)]
        bounds = [(other, _at_most(one, other, race, 1.0 - 2.0 * spent)) for other in rivals if other is not one]
        room = 1.0 if one.relied or one is leader else 1.0 + options.within
        beaten = next((
            (other, bound)
            for other, bound in bounds
            if bound is not None and bound.high is not None and bound.high < (room if other is leader else 1.0)
        ), None)  # fmt: skip
        if beaten:
            found.append(Leaving(one.id, _words(one, beaten[0], beaten[1], race, spent), by=beaten[0].id))
    gone = {one.candidate for one in found}
    return [one for one in found if one.by not in gone or _rests(one, found, gone)]


def _rests(one: Leaving, found: Sequence[Leaving], gone: set[str]) -> bool:
    """Whether who displaces this one was itself displaced by one that stays, or by one of which that is true."""
    by = {other.candidate: other.by for other in found}
    seen, at = {one.candidate}, one.by
    while at in gone and at not in seen:
        seen.add(at)
        at = by[at]
    return at not in gone


def _standing(one: Entrant, able: Sequence[Entrant], race: Race) -> float:
    """By how much it beats the first of the able, on common rounds: orders them without bounds."""
    ratio = _ratio(one, able[0], race, 0.5)
    return ratio.value if ratio else 1.0


def _at_most(one: Entrant, other: Entrant, race: Race, level: float) -> Interval | None:
    return _ratio(one, other, race, level) if len(one.values) >= _FEWEST else None


def _ratio(one: Entrant, other: Entrant, race: Race, level: float) -> Interval | None:
    """How many times as good one is as the other: paired where they met in enough rounds, else from rounds apart."""
    above, below = (one, other) if race.better == "higher" else (other, one)
    common = [name for name in above.values if name in below.values]
    if len(common) >= _FEWEST:
        return paired_ratio([above.values[name] for name in common], [below.values[name] for name in common], level)
    if not above.values or not below.values:
        return None
    return ratio_apart([*above.values.values()], [*below.values.values()], level)


def _words(one: Entrant, other: Entrant, bound: Interval, race: Race, spent: float) -> str:
    at_most = f"at most {bound.high:.3g} times as good as `{other.label}` in {race.what}"
    return f"{at_most}, with {100 * (1 - spent):.4g} % confidence after {len(one.values)} short rounds"
