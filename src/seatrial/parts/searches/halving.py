"""Short rounds first: what can't be the answer any more is left out early, and only the rest is measured in full.

All candidates run short rounds; at each rung the rounds so far are doubled for those that are still in (successive halving;
Karnin et al. 2013, Jamieson & Talwalkar 2016). Those papers drop the worse half at each rung, whatever the noise. Here a candidate is left out only where

- a bound shows that it fails a requirement, or
- a bound shows that it isn't more than `within` better than one that fails nothing, in the study's `prefer`, or
- it differs from one that fails a bound of latency or memory only by more of what can't help (`assume`). That is an assumption
  and not a proof, and the note says so, or
- it has no figures yet, and one that differs in processors or precision alone is so far behind that no peak of the hardware
  would make up for it (`assume: [peaks]`). That is an assumption, too, or
- after the last short round so many others stand better as are measured in full at most (`finalists`). That is a rank and not
  a proof, and the note says how much better it might be.

Bounds are t intervals on paired ratios of the same rounds, at a level at which all candidates and all rungs hold together with
`confidence` (union bound), so that looking often costs nothing of it. Few rounds say little of one candidate's noise; where there are
six or more, that of all is learned from together (`numerics/spreads.py`). Who stays is measured in full rounds, apart from those
that chose it, so its figures aren't flattered by having been chosen. Where the one that displaced others fails a requirement in
the end, these come back.

    measure: {search: halving}
    measure: {search: {halving: {within: 2 %, most: 32}}}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from seatrial.contracts.candidate import Candidate
from seatrial.contracts.part import PartOptions
from seatrial.contracts.quantity import parse
from seatrial.contracts.race import Entrant, Failing, Leaving, Race, Rungs
from seatrial.numerics.interval import Interval
from seatrial.numerics.ratios import paired_ratio, ratio_apart
from seatrial.numerics.spreads import ratio_beside, spreads
from seatrial.numerics.stopping import looks

CANNOT = {
    "qualities": (
        "not yet ours",
        "only what is read off round by round can displace others; a preference for accuracy leaves out by requirements alone",
    )
}

_FEWEST = 3
"""Common rounds that a paired interval takes."""
_CROWD = 6
"""Candidates from which on each one's noise is told from that of all."""
_PEAK = {"int8": 4.0, "bf16": 3.0, "fp16": 2.0, "int4": 2.0}
"""How many times as fast as fp32 a precision may be, uncalibrated: a hint of order and nothing else."""
_CREDIT = {"tf32": 8.0, "bf16": 16.0, "fp16": 16.0, "int8": 32.0, "int4": 64.0}
"""How many times as fast as fp32 a precision is at its very most, on the hardware that gains most by it (matrix units)."""
_BEYOND = 1.5
"""How many times as much as so many processors more than that share a candidate is given credit for: caches may do that."""
_LESS = 4.0
"""How many times as good a candidate may be with fewer processors, or in fp32, as with more or in a narrower precision."""
_BOUNDED = ("latency", "memory", "cold_start")

Share = Annotated[float, BeforeValidator(lambda given: parse(given).value), Field(ge=0, lt=1)]
Finalists = Annotated[float, BeforeValidator(lambda given: parse(given).value), Field(gt=0, le=1)]
Noise = Mapping[str, tuple[float, float]]
"""Of each candidate: the variance of a round's logarithm, and its degrees of freedom."""


class Options(PartOptions):
    """How short the first rounds are, when it looks, and what counts as as good."""

    share: Share = Field(
        default=0.1, gt=0, description="how long a block of a short round lasts, as a share of a full one"
    )
    least: int = Field(default=4, ge=2, description="short rounds before anything is left out")
    most: int = Field(default=12, ge=2, description="short rounds after which who is left is measured in full")
    within: Share = Field(default=0.02, description="how much better a candidate must be able to be to stay in")
    finalists: Finalists = Field(
        default=0.1,
        description="at most this share of the candidates is measured in full, and two at least; `100 %` sets no limit",
    )
    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="one-sided: the best candidate is left out no more often than this leaves",
    )
    assume: tuple[Literal["batch", "threads", "peaks"], ...] = Field(
        default=("batch", "peaks"),
        description="what can't mend a bound of latency or memory that is failed: a larger batch, and fewer threads (more, for memory); "
        "and that no peak of the hardware is beaten (`peaks`)",
    )


def order(candidates: Sequence[Candidate], options: Options) -> list[str]:
    """The likely fastest first, by uncalibrated peaks: with a budget, they are measured before it is spent."""
    hints = {
        one.id: _PEAK.get(one.precision, 1.0) * one.processors * (1.0 + math.log2(one.batch)) for one in candidates
    }
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
    asked = [] if race.sure else [one for one in race.running if one.id not in out]
    assumed = [leaving for one in asked for leaving in _assumed(one, hopeless, race, options)]
    out |= {one.candidate for one in assumed}
    displaced = _displaced([one for one in race.running if one.id not in out], race, options)
    out |= {one.candidate for one in displaced}
    beaten = [] if race.sure else _outpeaked([one for one in race.running if one.id not in out], race, options)
    out |= {one.candidate for one in beaten}
    ranked = _beyond([one for one in race.running if one.id not in out], race, options) if race.last else []
    return [*failed, *assumed, *displaced, *beaten, *ranked]


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
    noise, level = _noise(race), _level(race, options)
    leader = max(able, key=lambda one: _standing(one, able[0], race))
    found = []
    for one in running:
        rivals = [leader, *(other for other in able if other is not leader)]
        bounds = ((other, _at_most(one, other, race, level, noise)) for other in rivals if other is not one)
        room = 1.0 if one.relied or one is leader else 1.0 + options.within
        beaten = next((
            (other, bound)
            for other, bound in bounds
            if bound is not None and bound.high is not None and bound.high < (room if other is leader else 1.0)
        ), None)  # fmt: skip
        if beaten:
            found.append(Leaving(one.id, _words(one, beaten[0], beaten[1], race, level), by=beaten[0].id))
    gone = {one.candidate for one in found}
    return [one for one in found if one.by not in gone or _rests(one, found, gone)]


def _outpeaked(running: Sequence[Entrant], race: Race, options: Options) -> list[Leaving]:
    """Those without figures yet that couldn't catch up with the leader even at the peak of their processors and precision.

    Each is held against a like one that has figures. Where not all candidates fit into memory at once, these are never opened.
    """
    able = [one for one in running if one.sound and len(one.values) >= _FEWEST]
    if race.better is None or not able or "peaks" not in options.assume:
        return []
    noise, level = _noise(race), _level(race, options)
    leader = max(able, key=lambda one: _standing(one, able[0], race))
    known = [one for one in (*race.running, *race.gone) if len(one.values) >= _FEWEST and one is not leader]
    bounds = {one.id: _at_most(one, leader, race, level, noise) for one in known}
    found = []
    for one in running:
        for other in known if not one.values else ():
            bound, credit = bounds[other.id], _credit(one.candidate, other.candidate)
            if credit and bound is not None and bound.high is not None and bound.high * credit < 1.0:
                words = f"it is assumed to be at most {credit:g} times as good as `{other.label}`, which is {_words(other, leader, bound, race, level)}"
                found.append(Leaving(one.id, words, by=leader.id))
                break
    return found


def _credit(one: Candidate, other: Candidate) -> float:
    """How many times as good one can be at most as another that differs in processors or precision alone; 0 where nothing is known."""
    mine, theirs = one.fields(), other.fields()
    differing = {name for name, value in mine.items() if theirs[name] != value}
    if not differing or not differing <= {"threads", "instances", "precision"}:
        return 0.0
    credit = 1.0
    if "precision" in differing:
        credit = {other.precision: _CREDIT.get(one.precision, 0.0), one.precision: _LESS}.get("fp32", 0.0)
    if one.processors != other.processors:
        more = one.processors / other.processors
        credit *= _BEYOND * more if more > 1.0 else _LESS
    return credit


def _beyond(running: Sequence[Entrant], race: Race, options: Options) -> list[Leaving]:
    """Those that rank behind as many sound ones as are measured in full at most."""
    able = [one for one in running if one.sound and len(one.values) >= _FEWEST]
    most = max(2, math.ceil(options.finalists * race.compared))
    if race.better is None or options.finalists >= 1.0 or len(able) < most:
        return []
    standing = {one.id: _standing(one, able[0], race) for one in running if len(one.values) >= _FEWEST}
    finalists = sorted(able, key=lambda one: -standing[one.id])[:most]
    others = [one for one in running if one.id in standing and one not in finalists and not one.relied]
    leader, noise, level = finalists[0], _noise(race), _level(race, options)
    found = []
    for one in others:
        bound = _at_most(one, leader, race, level, noise)
        if bound is not None and standing[one.id] < standing[finalists[-1].id]:
            words = f"{most} candidates stood better, which is as many as are measured in full (`finalists`); {_words(one, leader, bound, race, level)}"
            found.append(Leaving(one.id, words, by=leader.id))
    return found


def _level(race: Race, options: Options) -> float:
    """At which all candidates' upper bounds hold together at all looks."""
    return 1.0 - 2.0 * (1.0 - options.confidence) / (max(1, race.compared - 1) * max(1, race.looks))


def _rests(one: Leaving, found: Sequence[Leaving], gone: set[str]) -> bool:
    """Whether who displaces this one was itself displaced by one that stays, or by one of which that is true."""
    by = {other.candidate: other.by for other in found}
    seen, at = {one.candidate}, one.by
    while at in gone and at not in seen:
        seen.add(at)
        at = by[at]
    return at not in gone


def _noise(race: Race) -> Noise:
    """How much each candidate's figures vary beside the others' of the same rounds; empty where they are too few to tell."""
    known = [one for one in (*race.running, *race.gone) if len(one.values) >= 2]
    names = list(dict.fromkeys(name for one in known for name in one.values))
    if len(known) < _CROWD:
        return {}
    found = spreads(
        [[math.log(one.values[name]) if name in one.values else math.nan for name in names] for one in known]
    )
    if found is None:
        return {}
    pairs = zip(found.variances.tolist(), found.freedom.tolist(), strict=True)
    return dict(zip((one.id for one in known), pairs, strict=True))


def _standing(one: Entrant, other: Entrant, race: Race) -> float:
    """By how much it beats another on common rounds: orders them without bounds."""
    ratio = _ratio(one, other, race, 0.5, {})
    return ratio.value if ratio else 1.0


def _at_most(one: Entrant, other: Entrant, race: Race, level: float, noise: Noise) -> Interval | None:
    return _ratio(one, other, race, level, noise) if len(one.values) >= _FEWEST else None


def _ratio(one: Entrant, other: Entrant, race: Race, level: float, noise: Noise) -> Interval | None:
    """How many times as good one is as the other: paired where they met in enough rounds, else from rounds apart."""
    above, below = (one, other) if race.better == "higher" else (other, one)
    common = [name for name in above.values if name in below.values]
    if len(common) >= _FEWEST:
        sides = [above.values[name] for name in common], [below.values[name] for name in common]
        if one.id not in noise or other.id not in noise:
            return paired_ratio(*sides, level)
        (mine, freely), (theirs, freedom) = noise[one.id], noise[other.id]
        return ratio_beside(*sides, (mine, theirs), min(freely, freedom), level)
    if not above.values or not below.values:
        return None
    return ratio_apart([*above.values.values()], [*below.values.values()], level)


def _words(one: Entrant, other: Entrant, bound: Interval, race: Race, level: float) -> str:
    at_most = f"at most {bound.high:.3g} times as good as `{other.label}` in {race.what}"
    return f"{at_most}, with {50 * (1 + level):.4g} % confidence after {len(one.values)} short rounds"
