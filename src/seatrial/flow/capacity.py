"""What a traffic takes and costs, from service times that a run kept: replicas by simulation, and money, place by place.

    cloud   replicas of the machine that was measured, hired by the hour
    own     the same, bought and written off
    edge    devices where queries arise, each with its share of them and no network between

Traffic and prices are declared, so that every finding here is: the weakest of its inputs. What was measured is named among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from seatrial.contracts.money import HOURS_A_MONTH, SECONDS_A_MONTH, Money, Own, Price

if TYPE_CHECKING:
    from seatrial.contracts.values import Array
    from seatrial.flow.service import Service
    from seatrial.numerics.interval import Interval
    from seatrial.numerics.queueing import Least
    from seatrial.numerics.replicas import Effort, Question

CLOUD, OWN, EDGE = PLACES = ("cloud", "own", "edge")
PRIVATE = "the data must not leave the place where it arises"


class Offer(NamedTuple):
    """What one place would take: replicas (and the fewest that would do in half of the simulations), money a month; or `why` it can't be."""

    place: str
    least: Least | None = None
    replicas: int | None = None
    fewest: int | None = None
    month: float | None = None
    month_low: float | None = None
    why: str = ""
    delay: float = 0.0
    unreachable: float = 0.0
    month_high: float | None = None

    @property
    def ends(self) -> tuple[float, float, float]:
        """Money a month, and the ends of its range. Raises `ValueError` where there is none."""
        if self.month is None:
            raise ValueError(f"{self.place} has no cost")
        low = self.month if self.month_low is None else self.month_low
        return self.month, low, self.month if self.month_high is None else self.month_high


@dataclass(frozen=True)
class Desk:
    """Service times, money and price, and what has been worked out of them: the same question is simulated once.

    `scale` multiplies the traffic, `slower` all service times.
    """

    service: Service
    money: Money
    price: Price | None = None
    arrivals: Array | None = None
    level: float = 0.95
    effort: Effort | None = None
    scale: float = 1.0
    slower: float = 1.0
    known: dict[tuple[float, ...], Least] = field(default_factory=dict)

    @cached_property
    def mean_rate(self) -> float:
        """Queries a second over a day."""
        if self.arrivals is None:
            return self.scale * self.money.traffic.mean
        return self.scale * (len(self.arrivals) - 1) / float(self.arrivals[-1] - self.arrivals[0])

    @property
    def busiest(self) -> float:
        """Queries a second while it is busiest."""
        return self.mean_rate if self.arrivals is not None else self.scale * self.money.traffic.busiest

    @property
    def a_month(self) -> float:
        """Queries a month."""
        return self.mean_rate * SECONDS_A_MONTH

    def other(self, **changes: object) -> Desk:
        """This desk with something else on it; what has been simulated stays known."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def per_machine(self) -> int:
        """How many replicas share a machine: as many as were measured side by side, else as many as is stated."""
        return self.service.instances if self.service.instances > 1 else self.money.per_machine

    def needs(self, rate: float, bound: float, slower: float = 1.0) -> Least:
        """The fewest replicas for this rate, so that the percentile keeps this bound."""
        from seatrial.numerics.replicas import FULL, replicas

        money, effort, slower = self.money, self.effort or FULL, slower * self.slower
        key = (rate, bound, slower, money.percentile, self.level, money.batch, money.wait, *effort)
        if key not in self.known:
            self.known[key] = replicas(self.service.rounds, self._question(rate, bound, slower), effort)
        return self.known[key]

    def _question(self, rate: float, bound: float, slower: float) -> Question:
        from seatrial.numerics.queueing import Batching
        from seatrial.numerics.replicas import Question

        money = self.money
        batching = Batching(money.batch, money.wait, self.service.seconds(money.batch)) if money.batch > 1 else None
        share = max(1, round(self.mean_rate / rate))  # of a trace each of several places meets one in so many
        arrivals = None if self.arrivals is None else self.arrivals / self.scale
        return Question(rate, bound, money.percentile / 100, self.level, slower, batching, arrivals, share)

    def hosts(self, replicas: int, place: str = CLOUD) -> int:
        """How many machines so many replicas take; at the edge each is a device."""
        return replicas if place == EDGE else -(-replicas // self.per_machine)

    def owned(self, place: str) -> Own | None:
        """The machine that is bought there; None where it is hired."""
        return {OWN: self.money.own, EDGE: self.money.edge}.get(place)

    def metered(self, place: str) -> bool:
        """Whether energy is paid for there that was read off the measured machine."""
        owned = self.owned(place)
        return owned is not None and bool(owned.kwh) and owned.measured(self.service.drawn)

    def guessed(self, place: str) -> bool:
        """Whether energy is paid for there by an estimated power draw."""
        owned = self.owned(place)
        return owned is not None and owned.guessed

    def energy(self, place: str) -> str:
        """Where the energy of a machine that is paid for by itself is from, in words; empty where nobody pays for it."""
        owned = self.owned(place)
        if owned is None or not owned.kwh:
            return ""
        if self.metered(place):
            assert self.service.drawn is not None
            return f"energy as measured, gross: {self.service.drawn.rest:.3g} W at rest and {self.service.drawn.query:.3g} J a query"
        return (
            f"{owned.watts:g} W ({owned.watts_are})"
            if owned.watts
            else "energy left out: no power draw is stated or measured"
        )

    def with_one_fewer(self, offer: Offer) -> Interval | None:
        """The percentile when a machine of this offer fails, the network included; None where the queue then grows without end."""
        from seatrial.numerics.replicas import BUSIEST, FULL, at_replicas

        if offer.least is None or offer.replicas is None or offer.place == EDGE:
            return None
        left = offer.replicas - self.per_machine
        if left < 1 or offer.least.busy * offer.replicas / left > BUSIEST:
            return None
        slower = self.money.own.slower if offer.place == OWN and self.money.own else 1.0
        asked = self._question(self.busiest, self._within, slower * self.slower)
        took = at_replicas(self.service.rounds, asked, left, self.effort or FULL)
        return took._replace(value=took.value + offer.delay)

    def offers(self) -> list[Offer]:
        """What each place that the study speaks of would take."""
        found = [self._cloud()]
        if self.money.own is not None:
            found.append(self._own())
        if self.money.edge is not None:
            found.append(self._edge())
        return found

    def cheapest(self) -> Offer | None:
        """The offer that costs least a month among those that can be."""
        priced = [one for one in self.offers() if one.month is not None]
        return min(priced, key=lambda one: one.month or 0.0, default=None)

    def month(self, place: str) -> float | None:
        """Money a month at a place; None where it can't be, or has no price."""
        return next((one.month for one in self.offers() if one.place == place), None)

    def by_the_hour(self) -> tuple[float, float] | None:
        """Money a month where replicas are hired hour by hour, as many as that hour needs, and as many as would do in half of the simulations.

        None without a daily curve or a price.
        """
        hours = (
            [self.scale * hour * self.money.traffic.peak for hour in self.money.traffic.by_hour]
            if self.arrivals is None
            else []
        )
        if self.price is None or len(set(hours)) < 2:
            return None
        needed = [self.needs(rate, self._within) for rate in hours if rate > 0]
        if any(one.servers is None for one in needed):
            return None
        hired = HOURS_A_MONTH / 24 * self.price.hour
        most, least = (
            hired * sum(self.hosts(count or 0) for count in counts) + self._carried
            for counts in ([one.servers for one in needed], [one.fewest for one in needed])
        )
        return most, least

    @property
    def _within(self) -> float:
        """What is left of the bound when the network has taken its part."""
        return self.money.within - self.money.network.delay

    @property
    def _carried(self) -> float:
        return self.money.network.a_million * self.a_month / 1e6

    def _cloud(self) -> Offer:
        offer = self._behind_a_network(CLOUD, 1.0)
        if self.money.private:
            return offer._replace(why=PRIVATE, month=None, month_low=None)
        if self.price is None or offer.replicas is None or offer.fewest is None:
            return offer
        hired = HOURS_A_MONTH * self.price.hour
        return offer._replace(
            month=hired * self.hosts(offer.replicas) + self._carried,
            month_low=hired * self.hosts(offer.fewest) + self._carried,
        )

    def _own(self) -> Offer:
        assert self.money.own is not None
        offer = self._behind_a_network(OWN, self.money.own.slower)
        if offer.replicas is None or offer.fewest is None:
            return offer
        month, low, high = self._paid(self.money.own, self.hosts(offer.replicas), self.hosts(offer.fewest))
        carried = self._carried
        return offer._replace(month=month + carried, month_low=low + carried, month_high=high + carried)

    def _paid(self, owned: Own, most: int, fewest: int) -> tuple[float, float, float]:
        """Money a month for so many machines that are bought; its range by the fewest of them and by the ends of what they draw."""
        drawn, queries = self.service.drawn, self.a_month
        least, dearest = (None, None) if drawn is None else (drawn.at(drawn.least), drawn.at(drawn.most))
        month = owned.a_month(most, queries, drawn)
        return month, owned.a_month(fewest, queries, least), owned.a_month(most, queries, dearest)

    def _behind_a_network(self, place: str, slower: float) -> Offer:
        network = self.money.network
        gone = network.outage * self.a_month
        if self._within <= 0:
            return Offer(
                place, why=f"the network alone takes {in_words(network.delay)}", delay=network.delay, unreachable=gone
            )
        least = self.needs(self.busiest, self._within, slower)
        return Offer(
            place, least, least.servers, least.fewest, why=_why_not(least), delay=network.delay, unreachable=gone
        )

    def _edge(self) -> Offer:
        edge = self.money.edge
        assert edge is not None
        least = self.needs(self.busiest / edge.devices, self.money.within, edge.slower)
        if least.servers is None or least.fewest is None:
            return Offer(EDGE, least, why=_why_not(least))
        most, few = edge.devices * least.servers, edge.devices * least.fewest
        month, low, high = self._paid(edge, most, few)
        return Offer(EDGE, least, most, few, month, low, month_high=high)


def in_words(seconds: float) -> str:
    """`1.3 ms`, `15 µs`."""
    factor, unit = next((one for one in ((1.0, "s"), (1e-3, "ms")) if seconds >= one[0]), (1e-6, "µs"))
    return f"{seconds / factor:.3g} {unit}"


def _why_not(least: Least) -> str:
    """Why no number of replicas keeps the bound; empty where one does."""
    if least.servers is not None:
        return ""
    if least.value is None:
        return f"an answer alone takes {in_words(least.alone.value)} at this percentile, with nobody waiting"
    return "no number of replicas that was tried keeps the bound"


def once_and_monthly(desk: Desk, offer: Offer) -> tuple[float, float]:
    """What a place takes once (changing over, and machines that are bought) and then a month, without what is written off."""
    owned = desk.owned(offer.place)
    if owned is None:
        return desk.money.change, offer.month or 0.0
    bought = owned.purchase * desk.hosts(offer.replicas or 0, offer.place)
    return desk.money.change + bought, (offer.month or 0.0) - bought / (12 * owned.years)


def paid_today(desk: Desk) -> float | None:
    """What is paid a month today, where that is said."""
    if desk.money.today is not None:
        return desk.money.today
    return None if desk.money.today_a_million is None else desk.money.today_a_million * desk.a_month / 1e6
