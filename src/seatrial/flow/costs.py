"""Capacity and cost as findings: the price, replicas, latency, use and money of each place, ratios between places, and payback.

Traffic and prices are declared, so that all of these are; what rests on an estimate as well (a power draw that is guessed, times that were
predicted) says that it is estimated or predicted, and passes no requirement. What was measured is named among the inputs.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.contracts.finding import Finding, Origin, State, missing, weakest
from seatrial.contracts.money import Price
from seatrial.contracts.plan import Plan
from seatrial.contracts.record import Scalar
from seatrial.errors import StoreError
from seatrial.flow.arrivals import read_arrivals
from seatrial.flow.capacity import CLOUD, EDGE, OWN, Desk, Offer, once_and_monthly, paid_today
from seatrial.flow.decide import requirements_read
from seatrial.flow.prices import doubt, stated
from seatrial.flow.service import service
from seatrial.numerics.stopping import level_at_look, looks

OWED = ("capacity.replicas", "money.month")
PRICE, TRAFFIC, WAITS = "money.price", "money.traffic", "money.within"
STATED = {OWN: "money.own", EDGE: "money.edge"}
UNSURE = (Origin.ESTIMATED, Origin.PREDICTED)


def costs(plan: Plan, measured: Sequence[Finding], home: Path) -> list[Finding]:
    """What each candidate takes and costs, where the study speaks of money; missing, with the reason, where that can't be said."""
    money = plan.study.money
    if money is None:
        return []
    price = stated(money, Path(plan.folder))
    found = [] if price is None else [priced(price, datetime.datetime.now(datetime.UTC).date())]
    for candidate in (one.candidate for one in plan.candidates):
        try:
            for level in _levels(plan):
                found += findings(desk_of(plan, measured, home, candidate.id, level))
        except StoreError as error:
            fields = {"candidate": candidate.id, "method": error.next_step}
            found += [missing(what, State.UNSUPPORTED, error.what, **fields) for what in OWED]
    return list({(one.candidate, one.key, one.level): one for one in found}.values())


def desk_of(plan: Plan, measured: Sequence[Finding], home: Path, candidate: str, level: float) -> Desk:
    """A candidate's times beside the study's money. Raises `StoreError` where it has no times."""
    money, folder = plan.study.money, Path(plan.folder)
    assert money is not None
    times = service(measured, [one.candidate for one in plan.candidates], candidate, home)
    arrivals = None if money.traffic.arrivals is None else read_arrivals(folder / money.traffic.arrivals)
    return Desk(times, money, stated(money, folder), arrivals, level)


def _levels(plan: Plan) -> list[float]:
    """How sure the ranges are: as everything that is described, and where a requirement reads them as what decides."""
    read = any(what.startswith(("capacity.", "money.")) for what, _ in requirements_read(plan))
    gate = level_at_look(plan.levels.gate, len(looks(*plan.rounds)))
    return [plan.levels.describe, gate] if read and gate != plan.levels.describe else [plan.levels.describe]


def priced(price: Price, today: datetime.date) -> Finding:
    """The price that is reckoned with: whose it is, of which date, and why it may no longer hold."""
    return Finding(
        what=PRICE,
        at={"price": price.name},
        value=price.hour,
        unit=price.currency,
        better="lower",
        origin=Origin.DECLARED,
        method="as stated" if price.kind == "stated" else "a row of a price table",
        note="; ".join(filter(None, (price.about, doubt(price, today)))),
    )


def findings(desk: Desk) -> list[Finding]:
    """Replicas, latency and money of each place as findings of the candidate; what can't be is missing, with the reason."""
    offers = desk.offers()
    found = [one for offer in offers for one in _of_place(desk, offer)]
    if (hourly := desk.by_the_hour()) is not None:
        at: dict[str, Scalar] = {"place": CLOUD, "replicas": "by the hour"}
        month, low = hourly
        found.append(_money(desk, "money.month", (month, low, month), at, "replicas hired hour by hour"))
    return [*found, *_compared(desk, offers), *_paid_back(desk, offers)]


def _of_place(desk: Desk, offer: Offer) -> Iterator[Finding]:
    at: dict[str, Scalar] = {"place": offer.place}
    if offer.replicas is None or offer.least is None or offer.least.value is None:
        for what in ("capacity.replicas", "capacity.latency", "money.month"):
            yield missing(what, State.UNSUPPORTED, offer.why, at=at, **_about(desk, (offer.place,)))
        return
    took = offer.least.value
    said: dict[str, Any] = {
        "n": offer.least.replications,
        "unit_of_replication": "simulations",
        "level": desk.level,
        "simulated": True,
    }
    bounded = (
        f"p{desk.money.percentile:g} within {desk.money.within:g} s at {desk.busiest:g} queries a second; {took.method}"
    )
    yield _finding(desk, "capacity.replicas", offer.replicas, at, offer.fewest, offer.replicas, method=bounded, **said)
    late = (took.value + offer.delay, (took.low or 0.0) + offer.delay, (took.high or 0.0) + offer.delay)
    yield _finding(desk, "capacity.latency", late[0], at | {"percentile": desk.money.percentile}, *late[1:], unit="s", method=took.method, **said)  # fmt: skip
    yield _finding(desk, "capacity.busy", offer.least.busy, at, better=None, method="work that comes in a second over replicas", simulated=True)  # fmt: skip
    if offer.unreachable:
        yield _finding(desk, "capacity.unreachable", offer.unreachable, at, unit="queries", method="share of time without network times queries a month", simulated=True)  # fmt: skip
    if offer.month is None:
        why = offer.why or "no price is stated"
        yield missing("money.month", State.UNSUPPORTED, why, at=at, **_about(desk, (offer.place,)))
        return
    hosts = desk.hosts(offer.replicas, offer.place)
    how = f"{hosts} machines; lower end: for the {offer.fewest} replicas that would do in half of the simulations"
    how += f"; {energy}" if (energy := desk.energy(offer.place)) else ""
    share, ends = 1e6 / desk.a_month, offer.ends
    yield _money(desk, "money.month", ends, at, how)
    each = (ends[0] * share, ends[1] * share, ends[2] * share)
    yield _money(desk, "money.per_million", each, at, f"money.month over {desk.a_month:.4g} queries")


def _compared(desk: Desk, offers: list[Offer]) -> Iterator[Finding]:
    """Each place's money over each other's."""
    costing = {one.place: one for one in offers if one.month is not None}
    for one in offers:
        for other in offers:
            if one.place == other.place:
                continue
            at: dict[str, Scalar] = {"place": one.place, "against": other.place}
            a, b = costing.get(one.place), costing.get(other.place)
            if a is None or b is None or not (a.month and b.month):
                gone = next(x for x in (one, other) if x.place not in costing or not x.month)
                why = f"{gone.place}: {gone.why or 'it has no price'}"
                yield missing("money.ratio", State.UNSUPPORTED, why, at=at, **_about(desk, (one.place, other.place)))
                continue
            (month, low, high), (against, against_low, against_high) = a.ends, b.ends
            yield _finding(desk, "money.ratio", month / against, at, low / against_high, high / (against_low or against), level=desk.level, unit="x", method="money a month over money a month")  # fmt: skip


def _paid_back(desk: Desk, offers: list[Offer]) -> Iterator[Finding]:
    """Months until changing over has paid back, for each place, where it is said what is paid today."""
    from seatrial.numerics.money import payback_months

    today = paid_today(desk)
    for offer in offers if today is not None else ():
        if offer.month is None or today is None:
            continue
        once, running = once_and_monthly(desk, offer)
        at: dict[str, Scalar] = {"place": offer.place}
        months = payback_months(once, today, running)
        if months is None:
            note = f"nothing is saved: {running:.4g} a month instead of {today:.4g}"
            yield missing("money.payback", State.UNSUPPORTED, note, at=at, **_about(desk, (offer.place,)))
            continue
        month, low, high = offer.ends
        cheap, dear = (payback_months(once, today, running + end - month) for end in (low, high))
        yield _finding(desk, "money.payback", months, at, cheap, dear, level=desk.level, unit="months", method="spent once over saved a month, without interest")  # fmt: skip


def _money(desk: Desk, what: str, ends: tuple[float, float, float], at: Mapping[str, Scalar], method: str) -> Finding:
    currency = desk.price.currency if desk.price else desk.money.currency
    month, low, high = ends
    return _finding(desk, what, month, at, low, high, unit=currency, method=method, level=desk.level)


def _finding(
    desk: Desk,
    what: str,
    value: float,
    at: Mapping[str, Scalar],
    low: float | None = None,
    high: float | None = None,
    simulated: bool = False,
    **fields: Any,
) -> Finding:
    """`simulated`: it rests on times and traffic alone, and on no money."""
    places = tuple(str(at[name]) for name in ("place", "against") if name in at)
    rested = rests_on(desk, () if simulated else places)
    given = {"better": "lower"} | _about(desk, places) | fields | {"low": low, "high": high}
    state = next((one.state for one in rested if one.state is not State.OK), State.OK)
    if state is not State.OK:
        given["note"] = "; ".join(dict.fromkeys(one.note for one in rested if one.note))
    origin = weakest((*(one.origin for one in rested), Origin.DECLARED))
    unsure = [one.origin for one in rested if one.origin in UNSURE]
    if not simulated and any(desk.guessed(place) for place in places):
        unsure.append(Origin.ESTIMATED)
        given["note"] = "; ".join(filter(None, (given.get("note"), "it rests on an estimated power draw")))
    return Finding(what=what, value=value, at=dict(at), origin=weakest(tuple(unsure)) if unsure else origin, state=state, **given)  # fmt: skip


def rests_on(desk: Desk, places: Sequence[str]) -> tuple[Finding, ...]:
    """What was measured that a figure of these places rests on: times, and energy where one pays for what was read off."""
    metered = desk.service.drawn_by if any(desk.metered(place) for place in places) else ()
    return (*desk.service.findings, *metered)


def _about(desk: Desk, places: Sequence[str]) -> dict[str, Any]:
    """What each finding here says alike: whose it is, and what it rests on."""
    price = [] if desk.price is None or CLOUD not in places else [f"{PRICE}{{price={desk.price.name}}}"]
    stated_ = [STATED[place] for place in places if place in STATED]
    inputs = (*(one.key for one in rests_on(desk, places)), TRAFFIC, WAITS, *price, *stated_)
    return {"candidate": desk.service.candidate, "inputs": tuple(dict.fromkeys(inputs))}
