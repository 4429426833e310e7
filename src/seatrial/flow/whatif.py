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


class Crossing(NamedTuple):
    """From how many queries a month on one place stays cheaper than another; its ends by the ends of both costs (None: then it never does)."""

    volume: float
    low: float | None
    high: float | None


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


def break_evens(desk: Desk) -> dict[tuple[str, str], Crossing | None]:
    """Of the recommended place and each other one, or today's price: from which volume on the first of the pair stays cheaper than the second.

    None where neither does as far as is looked.
    """
    best = desk.cheapest()
    if best is None:
        return {}
    others = [one.place for one in desk.offers() if one.month is not None and one.place != best.place]
    pairs = [(best.place, other) for other in others]
    if desk.money.today_a_million is not None:
        pairs.append((best.place, TODAY))
    low, high = FEWEST, min(MOST * SECONDS_A_MONTH, 1e3 * desk.a_month)
    found: dict[tuple[str, str], Crossing | None] = {}
    for one, other in pairs:
        ways = ((one, other), (other, one))
        known = ((way, _crossing(desk, way, low, high)) for way in ways)
        way, crossing = next((pair for pair in known if pair[1] is not None), (ways[0], None))
        found[way] = crossing
    return found


def _crossing(desk: Desk, way: tuple[str, str], least: float, most: float) -> Crossing | None:
    def found(mine: int, theirs: int) -> float | None:
        return break_even(lambda v: _at(desk, way[0], v)[mine], lambda v: _at(desk, way[1], v)[theirs], least, most)

    volume = found(0, 0)
    return None if volume is None else Crossing(volume, found(1, 2), found(2, 1))


def _at(desk: Desk, place: str, volume: float) -> tuple[float, float, float]:
    """Money a month at a place for so many queries a month, and the ends of its range; infinite where it can't be."""
    there = desk.other(scale=desk.scale * volume / desk.a_month)
    if place == TODAY:
        paid = paid_today(there) or 0.0
        return paid, paid, paid
    offer = next((one for one in there.offers() if one.place == place and one.month is not None), None)
    return (float("inf"),) * 3 if offer is None else offer.ends


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
