"""What the names of findings on capacity and money mean."""

from __future__ import annotations

from seatrial.contracts.terms import Term

MONEY: dict[str, Term] = {
    "capacity.replicas": Term(
        "Replicas",
        "How many replicas, each one session as it was measured, answer the stated traffic while it is busiest, so that the percentile of latency keeps its bound: by "
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
    "money.price": Term(
        "Price of an hour",
        "What an hour of a machine costs: stated, or a row of a price table, whose date and source are named. Prices change.",
        "",
        "lower",
        short="an hour",
    ),
    "money.break_even": Term(
        "Break-even",
        "From how many queries a month on one place stays cheaper than another, as far as was looked. Costs rise in steps, so near it they may cross more than once.",
        "queries",
        short="break-even",
    ),
    "money.if": Term(
        "Cost, were an input another one",
        "Money a month at the place that is the cheapest, were one input low or high and all others as they are.",
        "",
        "lower",
        short="were it so",
    ),
    "money.if.cheapest": Term(
        "Place that would then be the cheapest",
        "Which place would be cheaper than the recommended one, were this input so.",
        short="then cheaper",
    ),
    "money.payback": Term(
        "Payback",
        "Months until what changing over costs once is paid back by what is saved a month against today. Without interest.",
        "months",
        "lower",
        short="pays back",
    ),
}
