"""What would change the recommendation, as findings: each input low and high, and the volumes at which another place becomes cheaper.

money.if              {input, to, place}   money a month at the cheapest place, were this input so
money.if.cheapest     {input, to, place}   the place that would then be the cheapest, where that is another one
money.break_even      {place, against}     from how many queries a month on the cheapest place stays cheaper than the other

They are worked out for the candidate that is recommended, without one for the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.plan import Plan
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Verdict
from seatrial.errors import StoreError
from seatrial.flow.capacity import Desk
from seatrial.flow.costs import desk_of
from seatrial.flow.whatif import FEWEST, Crossing, break_evens, swings

IF, CHEAPEST, CROSSING = "money.if", "money.if.cheapest", "money.break_even"
METHOD = "worked out anew with this input alone changed"
LATER = "what would change it isn't worked out in a run that gathers queries into batches, as that takes minutes: `seatrial capacity` does it"


def outlook(plan: Plan, measured: Sequence[Finding], verdict: Verdict, home: Path) -> list[Finding]:
    """All of it; nothing where the study speaks of no money, or no place has a price and keeps the bound."""
    if plan.study.money is None:
        return []
    spoken_of = verdict.recommended or plan.reference.candidate.id
    if plan.study.money.batch > 1:
        return [missing(IF, State.UNSUPPORTED, LATER, candidate=spoken_of, method="seatrial capacity")]
    try:
        return list(changing(desk_of(plan, measured, home, spoken_of, plan.levels.describe)))
    except StoreError:  # that it has no times is told where its cost is
        return []


def changing(desk: Desk) -> Iterator[Finding]:
    """The same of a desk."""
    from seatrial.numerics.replicas import BRIEF

    best = desk.cheapest()
    if best is None:
        return
    unit = desk.price.currency if desk.price else desk.money.currency
    for swing in swings(desk, best.place):
        for to, month, place in ((swing.low, swing.month_low, swing.place_low), (swing.high, swing.month_high, swing.place_high)):  # fmt: skip
            at: dict[str, Scalar] = {"input": swing.name, "to": to, "place": best.place}
            yield _if(desk, at, month, unit)
            if place != best.place:
                yield _finding(desk, CHEAPEST, at, place, METHOD)
    for (one, other), crossing in break_evens(desk.other(effort=BRIEF)).items():
        yield _crossing(desk, one, other, crossing)


def _if(desk: Desk, at: dict[str, Scalar], month: float | None, unit: str) -> Finding:
    if month is None:
        why = "then this place can't keep the bound"
        return missing(IF, State.UNSUPPORTED, why, at=at, candidate=desk.service.candidate, unit=unit)
    return _finding(desk, IF, at, month, METHOD, unit=unit, better="lower")


def _crossing(desk: Desk, one: str, other: str, found: Crossing | None) -> Finding:
    at: dict[str, Scalar] = {"place": one, "against": other}
    if found is None:
        why = "at no volume within reach does it stay the cheaper one"
        return missing(CROSSING, State.UNSUPPORTED, why, at=at, candidate=desk.service.candidate, unit="queries")
    note = "cheaper at every volume that was looked at" if found.volume == FEWEST else ""
    method = "the volume from which on one place stays cheaper, by halving; its ends by the ends of both costs"
    bounds = {"low": _rounded(found.low), "high": _rounded(found.high), "level": desk.level}
    return _finding(desk, CROSSING, at, _rounded(found.volume) or 0.0, method, unit="queries", note=note, **bounds)


def _rounded(volume: float | None) -> float | None:
    """In three digits: it was found by halving."""
    return None if volume is None else float(f"{volume:.3g}")


def _finding(
    desk: Desk, what: str, at: dict[str, Scalar], value: float | str, method: str, **fields: object
) -> Finding:
    guessed = any(desk.guessed(str(at[name])) for name in ("place", "against") if name in at)
    given = {"value": value, "method": method, "state": desk.service.state} | fields
    given["origin"] = Origin.ESTIMATED if guessed else Origin.DECLARED
    given["inputs"] = tuple(one.key for one in desk.service.findings)
    return Finding.model_validate({"what": what, "at": at, "candidate": desk.service.candidate} | given)
