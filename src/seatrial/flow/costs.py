"""Capacity and cost as findings: replicas, latency, utilisation and money of each place, ratios between places, and payback.

Traffic and prices are declared, so that all of these are: the weakest of their inputs. What was measured is named among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.contracts.finding import Finding, Origin, State, missing, weakest
from seatrial.contracts.plan import Plan
from seatrial.contracts.record import Scalar
from seatrial.errors import StoreError
from seatrial.flow.arrivals import read_arrivals
from seatrial.flow.capacity import CLOUD, Desk, Offer, once_and_monthly, paid_today
from seatrial.flow.decide import requirements_read
from seatrial.flow.prices import stated
from seatrial.flow.service import service
from seatrial.numerics.stopping import level_at_look, looks

OWED = ("capacity.replicas", "money.month")
WAITS, PRICE, TRAFFIC = "money.within", "money.hour", "money.traffic"


def costs(plan: Plan, measured: Sequence[Finding], home: Path) -> list[Finding]:
    """What each candidate takes and costs, where the study speaks of money; missing, with the reason, where that can't be said."""
    money, found = plan.study.money, []
    if money is None:
        return []
    folder = Path(plan.folder)
    price = stated(money, folder)
    arrivals = None if money.traffic.arrivals is None else read_arrivals(folder / money.traffic.arrivals)
    candidates = [one.candidate for one in plan.candidates]
    for candidate in candidates:
        try:
            times = service(measured, candidates, candidate.id, home)
            for level in _levels(plan):
                found += findings(Desk(times, money, price, arrivals, level))
        except StoreError as error:
            fields = {"candidate": candidate.id, "method": error.next_step}
            found += [missing(what, State.UNSUPPORTED, error.what, **fields) for what in OWED]
    return list({(one.candidate, one.key, one.level): one for one in found}.values())


def _levels(plan: Plan) -> list[float]:
    """How sure the ranges are: as everything that is described, and where a requirement reads them as what decides."""
    read = any(what.startswith(("capacity.", "money.")) for what, _ in requirements_read(plan))
    gate = level_at_look(plan.levels.gate, len(looks(*plan.rounds)))
    return [plan.levels.describe, gate] if read and gate != plan.levels.describe else [plan.levels.describe]


def findings(desk: Desk) -> list[Finding]:
    """Replicas, latency and money of each place as findings of the candidate; what can't be is missing, with the reason."""
    offers = desk.offers()
    found = [one for offer in offers for one in _of_place(desk, offer)]
    hourly = desk.by_the_hour()
    if hourly is not None:
        found.append(
            _money(
                desk, "money.month", hourly, {"place": CLOUD, "replicas": "by the hour"}, "replicas hired hour by hour"
            )
        )
    return [*found, *_compared(desk, offers), *_paid_back(desk)]


def _of_place(desk: Desk, offer: Offer) -> Iterator[Finding]:
    at: dict[str, Scalar] = {"place": offer.place}
    if offer.replicas is None or offer.least is None or offer.least.value is None:
        for what in ("capacity.replicas", "capacity.latency", "money.month"):
            yield missing(what, State.UNSUPPORTED, offer.why, at=at, **_about(desk))
        return
    took = offer.least.value
    said: dict[str, Any] = {"n": _replications(desk), "unit_of_replication": "simulations", "level": desk.level}
    bounded = (
        f"p{desk.money.percentile:g} within {desk.money.within:g} s at {desk.busiest:g} queries a second; {took.method}"
    )
    yield _finding(desk, "capacity.replicas", offer.replicas, at, offer.fewest, offer.replicas, method=bounded, **said)
    late = (took.value + offer.delay, (took.low or 0.0) + offer.delay, (took.high or 0.0) + offer.delay)
    yield _finding(desk, "capacity.latency", late[0], at | {"percentile": desk.money.percentile}, *late[1:], unit="s", method=took.method, **said)  # fmt: skip
    yield _finding(
        desk, "capacity.busy", offer.least.busy, at, better=None, method="work that comes in a second over replicas"
    )
    if offer.unreachable:
        yield _finding(desk, "capacity.unreachable", offer.unreachable, at, unit="queries", method="share of time without network times queries a month")  # fmt: skip
    if offer.month is None:
        why = offer.why or "no price is stated"
        yield missing("money.month", State.UNSUPPORTED, why, at=at, **_about(desk))
        return
    hosts = desk.hosts(offer.replicas, offer.place)
    how = f"{hosts} machines; lower end: for the {offer.fewest} replicas that would do in half of the simulations"
    how += f"; {energy}" if (energy := desk.energy(offer.place)) else ""
    yield _money(desk, "money.month", offer.month, at, how, offer.month_low)
    share = 1e6 / desk.a_month
    yield _money(desk, "money.per_million", offer.month * share, at, f"money.month over {desk.a_month:.4g} queries", (offer.month_low or 0.0) * share)  # fmt: skip


def _compared(desk: Desk, offers: list[Offer]) -> Iterator[Finding]:
    """Each place's money over each other's."""
    priced = {one.place: one for one in offers if one.month is not None}
    for one in offers:
        for other in offers:
            if one.place == other.place:
                continue
            at: dict[str, Scalar] = {"place": one.place, "against": other.place}
            a, b = priced.get(one.place), priced.get(other.place)
            if a is None or b is None or not (a.month and b.month):
                gone = next(x for x in (one, other) if x.place not in priced or not x.month)
                yield missing(
                    "money.ratio",
                    State.UNSUPPORTED,
                    f"{gone.place}: {gone.why or 'it has no price'}",
                    at=at,
                    **_about(desk),
                )
                continue
            low, high = (a.month_low or 0.0) / b.month, a.month / (b.month_low or b.month)
            yield _finding(desk, "money.ratio", a.month / b.month, at, low, high, level=desk.level, unit="x", method="money a month over money a month")  # fmt: skip


def _paid_back(desk: Desk) -> Iterator[Finding]:
    """Months until changing over has paid back, for each place, where it is said what is paid today."""
    from seatrial.numerics.money import payback_months

    today = paid_today(desk)
    for offer in desk.offers() if today is not None else ():
        if offer.month is None or today is None:
            continue
        once, running = once_and_monthly(desk, offer)
        at: dict[str, Scalar] = {"place": offer.place}
        months = payback_months(once, today, running)
        if months is None:
            note = f"nothing is saved: {running:.4g} a month instead of {today:.4g}"
            yield missing("money.payback", State.UNSUPPORTED, note, at=at, **_about(desk))
            continue
        cheap = payback_months(once, today, running - (offer.month - (offer.month_low or offer.month)))
        yield _finding(desk, "money.payback", months, at, cheap, months, level=desk.level, unit="months", method="spent once over saved a month, without interest")  # fmt: skip


def _replications(desk: Desk) -> int:
    """How many simulations a range rests on at least."""
    from seatrial.numerics.replicas import FULL

    return (desk.effort or FULL).replications


def _money(
    desk: Desk, what: str, value: float, at: Mapping[str, Scalar], method: str, low: float | None = None
) -> Finding:
    currency = desk.price.currency if desk.price else desk.money.currency
    bounds = {} if low is None else {"low": low, "high": value, "level": desk.level}
    return _finding(desk, what, value, at, unit=currency, method=method, **bounds)


def _finding(
    desk: Desk,
    what: str,
    value: float,
    at: Mapping[str, Scalar],
    low: float | None = None,
    high: float | None = None,
    **fields: Any,
) -> Finding:
    given = {"better": "lower"} | _about(desk) | fields | {"low": low, "high": high, "state": desk.service.state}
    if desk.service.state is not State.OK:
        given["note"] = "; ".join(dict.fromkeys(one.note for one in desk.service.findings if one.note))
    return Finding(what=what, value=value, at=dict(at), origin=weakest((desk.service.origin, Origin.DECLARED)), **given)


def _about(desk: Desk) -> dict[str, Any]:
    """What each finding here says alike: whose it is, what it rests on; and that the times weren't clean, if so."""
    inputs = (*(one.key for one in desk.service.findings), TRAFFIC, WAITS, PRICE)
    return {"candidate": desk.service.candidate, "inputs": tuple(dict.fromkeys(inputs))}
