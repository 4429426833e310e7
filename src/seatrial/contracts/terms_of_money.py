"""What the names of findings on capacity and money mean."""

from __future__ import annotations

from seatrial.contracts.terms import Term

MONEY: dict[str, Term] = {
    "capacity.replicas": Term(
        "Replicas",
        "How many machines answer the stated traffic while it is busiest, so that the percentile of latency keeps its bound: by "
        "simulation of a queue with measured service times. The lower end would do in half of the simulations.",
        "",
        "lower",
        short="replicas",
    ),
    "capacity.latency": Term(
        "Latency with these replicas",
        "The percentile of latency that these replicas are simulated to keep, the wait and the network included.",
        "s",
        "lower",
        short="simulated",
    ),
    "capacity.busy": Term(
        "Busy", "Share of the busiest time in which a replica works.", "", short="busy", kind="share"
    ),
    "capacity.unreachable": Term(
        "Out of reach",
        "Queries a month that find no network between them and the machine, at the stated share of outage.",
        "queries",
        "lower",
        short="out of reach",
    ),
    "money.month": Term(
        "Cost a month",
        "Money a month for the replicas at a place: hired by the hour (`cloud`), bought and written off (`own`), or devices "
        "where queries arise (`edge`). Prices and traffic are declared, and so is this.",
        "",
        "lower",
        short="a month",
    ),
    "money.per_million": Term(
        "Cost of a million predictions",
        "Cost a month over the queries of a month. Replicas are paid while they wait, too.",
        "",
        "lower",
        short="a million",
    ),
    "money.ratio": Term(
        "Cost against another place", "Money a month at one place over that at another.", "x", "lower", short="against"
    ),
    "money.payback": Term(
        "Payback",
        "Months until what changing over costs once is paid back by what is saved a month against today. Without interest.",
        "months",
        "lower",
        short="pays back",
    ),
}
