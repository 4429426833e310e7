"""F with a say in what hurts more: recall counts beta times as much as precision; per class and as a mean over classes.

Beta 2 where overlooking is worse than a false alarm, 0.5 where it is the other way round; beta 1 is `f1`.

    metrics: [{f_beta: {beta: 2}}]
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import agreement, tables
from seatrial.parts.metrics._averages import Averaged, by_class

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("f_beta",)}
COUNTS = ("confusion",)
VERSION = 1


class Options(Averaged):
    """Which statements to make, with which weight."""

    beta: float = Field(default=2.0, gt=0, le=100, description="how many times as much recall counts as precision")


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """F-beta of each class, `{class: NAME, beta: 2}`, and averages, `{average: macro, beta: 2}`."""
    table, beta = tally.sums["confusion"], options.beta
    averages = {
        "macro": lambda: agreement.macro_f_beta(table, beta, level),
        "weighted": lambda: agreement.weighted_f_beta(table, beta, level),
    }
    of = tables.margins(table)
    rows = of.labels + of.predictions - of.hits
    each = lambda: agreement.f_beta(table, beta, level)  # noqa: E731
    return by_class("f_beta", tally, options.of, each, averages, rows, beta=beta)
