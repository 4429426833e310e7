"""Pinball loss of predicted quantiles: lowest where a tenth of all labels really lie below the quantile 0.1, and so on.

A label above the predicted quantile q costs q for each unit, one below costs 1 - q. It rewards quantiles that are right and close
to the labels, in the label's units; of the quantile 0.5 it is half of `mae`. Source: Koenker & Bassett (1978).
The study says which quantiles the output has: `outputs: {y: {means: values, quantiles: [0.1, 0.5, 0.9]}}`. The interval is corrected for skewness; where fewer than fifteen rows lie
beyond a quantile it holds less often than it says (of 0.9: .88 with 30 rows, .91 with 60, .94 with 150 at a nominal .95).
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.losses import mean_intervals
from seatrial.parts.metrics._numbers import by_target

ACCEPTS = {"task": ("regression",), "answers": ("quantiles",)}
GIVES = {"finding": ("quantile_loss",)}
COUNTS = ("quantile_loss",)
CANNOT = {
    "few rows beyond a quantile": (
        "not yet ours",
        "most of the loss comes from them, and what wasn't seen has no bound",
    )
}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean loss of each predicted quantile, `{quantile: 0.1}`."""
    sums, rows = tally.sums["quantile_loss"], tally.sums["rows"]
    for place, quantile in enumerate(tally.about["quantiles"]):
        yield from by_target(
            "quantile_loss",
            tally,
            lambda target, place=place: mean_intervals(sums[:, target, place], rows, level, least=0.0),  # type: ignore[misc]
            "lower",
            at={"quantile": quantile},
            unit=True,
        )
