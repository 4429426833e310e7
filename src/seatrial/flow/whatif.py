"""What would be if: more or less traffic, and each input low and high. What would change the recommendation?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.money import SECONDS_A_MONTH, Own
from seatrial.flow.capacity import Desk, in_words, paid_today
from seatrial.numerics.money import break_even

SCALES = (0.5, 1.0, 1.5, 2.0, 3.0)
FEWEST, MOST = 30.0, 1e6
"""Queries a month, and queries a second: between these volumes a break-even is looked for."""
TODAY = "today"


class If(NamedTuple):
    """Traffic so many times as large: queries a second while it is busiest, replicas at the cheapest place, money a month."""

    scale: float
    rate: float
    place: str
    replicas: int | None
    month: float | None
    busy: float


class Swing(NamedTuple):
    """One input low and high: the words of both, money a month at the recommended place, and what would then be recommended."""

    name: str
    low: str
    high: str
    month_low: float | None
    month_high: float | None
    place_low: str
    place_high: str

    @property
    def tells(self) -> bool:
        """Whether it moves anything."""
        return self.width > 0 or self.place_low != self.place_high

    @property
    def width(self) -> float:
        """How far it moves the money a month; where the place can't be, further than anything."""
        if self.month_low is None or self.month_high is None:
            return float("inf")
        return abs(self.month_high - self.month_low)


def scaled(desk: Desk) -> list[If]:
    """Less and more traffic. Without any price, of the first place."""
    found = []
    for scale in SCALES:
        other = desk.other(scale=desk.scale * scale)
        best = other.cheapest() or other.offers()[0]
        busy = best.least.busy if best.least else 0.0
        found.append(If(scale, other.busiest, best.place, best.replicas, best.month, busy))
    return found


def swings(desk: Desk, place: str) -> list[Swing]:
    """Each input low and high, the widest first: a tornado. `place` is the one that is recommended."""
    found = []
    for name, (low, less), (high, more) in _inputs(desk):
        found.append(
            Swing(name, low, high, less.month(place), more.month(place), _chosen(less, place), _chosen(more, place))
        )
    return sorted(found, key=lambda one: -one.width)


def break_evens(desk: Desk) -> dict[tuple[str, str], float | None]:
    """From how many queries a month on each place is cheaper than the recommended one or today's price; None: never within reach."""
    best = desk.cheapest()
    if best is None:
        return {}
    others = [one.place for one in desk.offers() if one.month is not None and one.place != best.place]
    pairs = [(best.place, other) for other in others]
    if desk.money.today_a_million is not None:
        pairs.append((best.place, TODAY))
    low, high = FEWEST, min(MOST * SECONDS_A_MONTH, 1e3 * desk.a_month)
    return {(one, other): break_even(lambda v, p=one: _at(desk, p, v), lambda v, p=other: _at(desk, p, v), low, high) for one, other in pairs}  # type: ignore[misc]  # fmt: skip


def _at(desk: Desk, place: str, volume: float) -> float:
    """Money a month at a place for so many queries a month; infinite where it can't be."""
    there = desk.other(scale=desk.scale * volume / desk.a_month)
    month = paid_today(there) if place == TODAY else there.month(place)
    return float("inf") if month is None else month


def _chosen(desk: Desk, place: str) -> str:
    best = desk.cheapest()
    return "none" if best is None else best.place


def _inputs(desk: Desk) -> Iterator[tuple[str, tuple[str, Desk], tuple[str, Desk]]]:
    """What is varied, and by how much: a half and twice what one guesses; 30 % of prices; a fifth of what was measured."""
    yield "traffic", ("half", desk.other(scale=desk.scale / 2)), ("twice", desk.other(scale=desk.scale * 2))
    yield "service time", ("a fifth less", desk.other(slower=desk.slower * 0.8)), ("a quarter more", desk.other(slower=desk.slower * 1.25))  # fmt: skip
    bound = desk.money.within
    yield "latency bound", *_money(desk, "within", (in_words(bound / 2), bound / 2), (in_words(bound * 2), bound * 2))
    if desk.price is not None:
        hour = desk.price.hour
        less, more = (desk.price.model_copy(update={"hour": hour * share}) for share in (0.7, 1.3))
        yield (
            "price of an hour",
            (f"{less.hour:.3g}", desk.other(price=less)),
            (f"{more.hour:.3g}", desk.other(price=more)),
        )
    for field, owned in (("own", desk.money.own), ("edge", desk.money.edge)):
        yield from _owned(desk, field, owned)
    if desk.money.network.delay:
        yield "network delay", _delayed(desk, 0.5), _delayed(desk, 2.0)


def _delayed(desk: Desk, factor: float) -> tuple[str, Desk]:
    """So many times the delay of the network."""
    there = desk.money.network
    other = there.model_copy(update={"delay": there.delay * factor})
    return in_words(other.delay), desk.other(money=desk.money.model_copy(update=dict(network=other)))  # noqa: C408 - a field


def _owned(desk: Desk, field: str, owned: Own | None) -> Iterator[tuple[str, tuple[str, Desk], tuple[str, Desk]]]:
    if owned is None:
        return
    varied = {
        "purchase": (0.7, 1.3),
        "years": (2 / 3, 4 / 3),
        "watts": (0.5, 2.0),
        "kwh": (0.7, 1.3),
        "slower": (0.5, 2.0),
    }
    for name, factors in varied.items():
        value = getattr(owned, name)
        if not value or (name == "slower" and value == 1.0):
            continue
        less, more = (owned.model_copy(update={name: value * factor}) for factor in factors)
        words = [_short(value * factor) for factor in factors]
        yield f"{field}: {name}", *_money(desk, field, (words[0], less), (words[1], more))


def _money(
    desk: Desk, field: str, low: tuple[str, object], high: tuple[str, object]
) -> tuple[tuple[str, Desk], tuple[str, Desk]]:
    one, other = (
        (words, desk.other(money=desk.money.model_copy(update={field: value}))) for words, value in (low, high)
    )
    return one, other


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
