"""The larger of two gaps between groups: in true positive rates and in false positive rates.

Hardt, Price & Srebro (2016). Its interval holds for both rates at once (Bonferroni), because the larger one is picked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.gaps import Gap, share_gap
from seatrial.parts.metrics._groups import Favoured, favoured, hit, measure, plain_gap, undeserved, value_only

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("equalised_odds",)}
COUNTS = ("confusion",)
ACROSS = True
CANNOT = {"labels": ("never", "labels that are themselves unfair to a group make it look fair or unfair")}
VERSION = 1

Options = Favoured


def across(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The larger gap; missing where one of the two can't be had."""
    good = favoured(tally, options)
    rates = {"true positive rate": hit(tally, good), "false positive rate": undeserved(tally, good)}
    rows = rates["true positive rate"][1] + rates["false positive rate"][1]
    if level is None:
        values = [plain_gap(hits, of, options.least) for hits, of in rates.values()]
        yield value_only(
            "equalised_odds", max(values) if not any(map(math.isnan, values)) else math.nan, tally, good, rows
        )
        return
    both = 1 - (1 - level) / 2
    gaps = {name: share_gap(hits, of, both, options.least) for name, (hits, of) in rates.items()}
    yield measure("equalised_odds", _larger(gaps), tally, good, rows, level)


def _larger(gaps: dict[str, Gap]) -> Gap:
    if any(math.isnan(gap.value) for gap in gaps.values()):
        return next(gap for gap in gaps.values() if math.isnan(gap.value))
    name = max(gaps, key=lambda one: gaps[one].value)
    widest = gaps[name]
    undecided = tuple(sorted({index for gap in gaps.values() for index in gap.undecided}))
    low, high = (max(getattr(gap, side) for gap in gaps.values()) for side in ("low", "high"))
    method = f"gap in the {name}, the larger of two; {widest.method}, for both rates at once"
    return Gap(widest.value, low, high, widest.highest, widest.lowest, undecided, method)
