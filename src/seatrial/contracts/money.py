"""What a study says of money: prices, traffic, and the places where a model could run. All of it is declared."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.quantity import parse
from seatrial.contracts.record import Record

HOURS_A_MONTH = 730.5
"""365.25 days of 24 hours, in 12 months."""
SECONDS_A_MONTH = 3600 * HOURS_A_MONTH
_UNTIL = {"": 1.0, "h": 1.0, "hour": 1.0, "d": 1 / 24, "day": 1 / 24, "month": 1 / HOURS_A_MONTH}


def _as_seconds(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    quantity = parse(given)
    if quantity.unit not in ("s", ""):
        raise ValueError(f"`{given}` is not a time, like `50 ms`")
    return quantity.value


def _as_rate(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    quantity = parse(given)
    if quantity.unit not in ("samples/s", ""):
        raise ValueError(f"`{given}` is not a rate, like `200/s`")
    return quantity.value


def per_hour(given: Any) -> Any:
    """`1.20`, `1.20/h`, `29/day` or `870/month` as money an hour. Raises `ValueError`."""
    if not isinstance(given, str):
        return given
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(?:/\s*(\w+))?\s*", given)
    if match is None or (match[2] or "") not in _UNTIL:
        raise ValueError(f"`{given}` is not a price, like `1.20/h` or `870/month`")
    return float(match[1]) * _UNTIL[match[2] or ""]


Time = Annotated[float, BeforeValidator(_as_seconds), Field(ge=0, le=1e6)]
Rate = Annotated[float, BeforeValidator(_as_rate), Field(ge=1e-6, le=1e7)]
Hourly = Annotated[float, BeforeValidator(per_hour), Field(ge=1e-6, le=1e6)]
Amount = Annotated[float, Field(ge=0, le=1e12)]


class Price(Record):
    """What an hour of a machine costs: a row of a price table, or what somebody stated. Always declared."""

    name: str = Field(description="`provider/instance`, or what it was called")
    hour: float = Field(ge=1e-6, le=1e6, description="money an hour")
    currency: str = Field(default="USD", description="its currency")
    accelerator: str = Field(default="", description="accelerators in it, `8 x H100`")
    kind: str = Field(default="on demand", description="`on demand`, `reserved` or `stated`")
    region: str = Field(default="", description="where it holds")
    date: str = Field(default="", description="of which date, or version of a price list, it is")
    source: str = Field(default="", description="who says so")

    @property
    def about(self) -> str:
        """What it is a price of, where, of which date, and who says so."""
        return ", ".join(filter(None, (self.accelerator, self.kind, self.region, self.date, self.source)))

    def __str__(self) -> str:
        return f"{self.hour:g} {self.currency} an hour, {self.name}{f' ({self.about})' if self.about else ''}"


class Traffic(Record):
    """How many queries come: on average (`rate`, or `a_month`), by hour of the day, and how much more in peaks; or a file of arrivals."""

    rate: Rate | None = Field(default=None, description="queries a second, on average over a day: `200/s`")
    a_month: float | None = Field(default=None, ge=1, le=1e13, description="queries a month, instead of `rate`")
    hours: tuple[Annotated[float, Field(ge=0, le=1e12)], ...] = Field(
        default=(), description="the daily curve: 24 numbers, how much comes in each hour against the others"
    )
    peak: float = Field(
        default=1.0, ge=1, le=1000, description="how many times the busiest hour's average comes while it is busiest"
    )
    arrivals: str | None = Field(
        default=None, description="a text file of arrivals, one moment in seconds a line, instead of a rate"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.rate, self.a_month, self.arrivals)) != 1:
            raise ValueError("say one of `rate` (queries a second), `a_month`, or `arrivals` (a file)")
        if self.hours and (len(self.hours) != 24 or not sum(self.hours)):
            raise ValueError(f"`hours` are 24 numbers, not all of them 0; there are {len(self.hours)}")
        return self

    @property
    def mean(self) -> float:
        """Queries a second, averaged over a day; of arrivals the file says it."""
        if self.arrivals is not None:
            raise ValueError("the file of arrivals says how many there are")
        return self.rate if self.rate is not None else (self.a_month or 0.0) / SECONDS_A_MONTH

    @property
    def by_hour(self) -> tuple[float, ...]:
        """Queries a second in each hour of the day."""
        if not self.hours:
            return (self.mean,) * 24
        return tuple(24 * self.mean * hour / sum(self.hours) for hour in self.hours)

    @property
    def busiest(self) -> float:
        """Queries a second while it is busiest: what replicas must bear."""
        return max(self.by_hour) * self.peak


class Drawn(Record):
    """What the measured machine draws by its energy counters, gross: at rest, and what each query takes beyond that.

    `least` and `most` are both at the ends of their intervals, where there are any.
    """

    rest: float = Field(ge=0, description="watts at rest, which are paid for as well")
    query: float = Field(default=0.0, ge=0, description="joules a query beyond that")
    least: tuple[float, float] | None = Field(
        default=None, description="watts at rest and joules a query, at the least"
    )
    most: tuple[float, float] | None = Field(default=None, description="watts at rest and joules a query, at the most")

    def at(self, end: tuple[float, float] | None) -> Drawn:
        """The same at an end of its interval; as it is where there is none."""
        return self if end is None else Drawn(rest=end[0], query=end[1])

    def watts(self, machines: int, queries: float) -> float:
        """Watts of so many machines that answer so many queries a month."""
        return machines * self.rest + queries * self.query / SECONDS_A_MONTH


class Own(Record):
    """A machine of one's own: bought, and written off over years."""

    purchase: Amount = Field(description="price of one machine")
    years: float = Field(default=3.0, ge=0.01, le=50, description="over how many years it is written off")
    watts: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="its power draw under this load; without it that of the measured machine counts, by its energy counters",
    )
    watts_are: Literal["declared", "estimated"] = Field(
        default="estimated",
        description="`declared` where a meter or its maker says so; what rests on an estimate passes no requirement",
    )
    kwh: Amount = Field(default=0.0, description="price of a kilowatt-hour")
    upkeep: Amount = Field(default=0.0, description="money a month for all of them: room, network, people")
    slower: float = Field(
        default=1.0,
        ge=1e-4,
        le=1e4,
        description="how many times as long an answer takes there as where it was measured",
    )

    def a_month(self, machines: int, queries: float = 0.0, drawn: Drawn | None = None) -> float:
        """Money a month for so many machines that answer so many queries; `drawn` is what the measured one draws."""
        watts = machines * (self.watts or 0.0)
        if self.measured(drawn):
            assert drawn is not None
            watts = drawn.watts(machines, queries)
        return machines * self.purchase / (12 * self.years) + HOURS_A_MONTH * watts / 1000 * self.kwh + self.upkeep

    @property
    def guessed(self) -> bool:
        """Whether its energy is paid for by a power draw that nobody vouches for: no requirement may rest on that."""
        return bool(self.kwh and self.watts) and self.watts_are == "estimated"

    def measured(self, drawn: Drawn | None) -> bool:
        """Whether its energy is that which was measured: where none is stated, and it is a machine like the measured one."""
        return self.watts is None and drawn is not None and self.slower == 1.0


class Edge(Own):
    """Devices where the queries arise, so that no network stands between: each answers an equal share of the traffic."""

    devices: int = Field(
        default=1, ge=1, le=10**9, description="how many places there are; each has at least one device"
    )


class Network(Record):
    """What stands between users and a data centre."""

    delay: Time = Field(default=0.0, description="there and back, added to every answer: `30 ms`")
    outage: float = Field(default=0.0, ge=0, lt=1, description="share of time without it: 0.001 is 44 minutes a month")
    a_million: Amount = Field(default=0.0, description="price of carrying a million queries")


class Money(Record):
    """What replicas must bear and keep, and what they cost. All of it is declared, so requirements say `accept: declared`."""

    traffic: Traffic = Field(description="how many queries come")
    within: Time = Field(description="what a percentile of latency must keep, queue and network included: `50 ms`")
    percentile: float = Field(default=99.0, ge=1, le=99.99, description="which percentile")
    hour: Hourly | None = Field(
        default=None, description="what an hour of the machine that was measured costs: `1.20/h`"
    )
    price: str | None = Field(default=None, description="a row of the price table instead: `aws/g6.4xlarge`")
    prices: str | None = Field(
        default=None, description="a price table of your own (CSV), read before the one that is shipped"
    )
    currency: str = Field(default="USD", description="of all amounts here")
    per_machine: int = Field(
        default=1, ge=1, le=10_000, description="how many replicas share one machine, each as fast there as alone"
    )
    batch: int = Field(
        default=1, ge=1, le=4096, description="most queries that are answered together (dynamic batching)"
    )
    wait: Time = Field(default=0.0, description="how long the first of a batch waits for others")
    own: Own | None = Field(default=None, description="a machine of one's own, to compare")
    edge: Edge | None = Field(default=None, description="devices where queries arise, to compare")
    network: Network = Field(default=Network(), description="what stands between users and a data centre")
    private: bool = Field(default=False, description="whether the data must not leave the place where it arises")
    today: Amount | None = Field(default=None, description="what is paid a month today, to see when a change pays back")
    today_a_million: Amount | None = Field(
        default=None, description="what a million queries cost today, instead of `today`"
    )
    change: Amount = Field(default=0.0, description="what changing over costs once, purchases apart")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hour is not None and self.price is not None:
            raise ValueError("say `hour` for a price, or `price` for a row of the price table")
        if self.today is not None and self.today_a_million is not None:
            raise ValueError("say `today` (money a month) or `today_a_million`")
        if self.within <= 0:
            raise ValueError("`within` is more than 0: `50 ms`")
        return self
