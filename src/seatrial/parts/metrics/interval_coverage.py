"""Share of labels that lie within a predicted interval, and how wide it is: an interval of 90 % should hold 90 % of them.

An interval is two predicted quantiles, the outermost two, the next two and so on; `{nominal: 0.8}` says what share it should hold.
Below that the model is surer than it may be. Any coverage can be had by wide intervals, so `interval_coverage.width` stands beside
it, in the label's units. Ends count as inside; an interval whose ends stand the wrong way round holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.losses import mean_intervals
from seatrial.numerics.proportions import proportions
from seatrial.numerics.regression import pairs
from seatrial.parts.metrics._numbers import by_target

ACCEPTS = {"task": ("regression",), "answers": ("quantiles",)}
GIVES = {"finding": ("interval_coverage", "interval_coverage.width")}
COUNTS = ("covered", "width")
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Coverage and mean width of each interval."""
    covered, width, rows = tally.sums["covered"], tally.sums["width"], tally.sums["rows"]
    quantiles = tally.about["quantiles"]
    for place, (low, high) in enumerate(pairs(quantiles)):
        at = {"nominal": round(quantiles[high] - quantiles[low], 10)}
        yield from by_target(
            "interval_coverage",
            tally,
            lambda target, place=place: proportions(covered[:, target, place], rows, level),  # type: ignore[misc]
            "higher",
            at=at,
        )
        yield from by_target(
            "interval_coverage.width",
            tally,
            lambda target, place=place: mean_intervals(width[:, target, place], rows, level),  # type: ignore[misc]
            "lower",
            at=at,
            unit=True,
        )
