"""The worse of two gaps, and of two ratios, between groups: of true positive rates and of false positive rates.

Hardt, Price & Srebro (2016). Its interval holds for both rates at once (Bonferroni), because the worse one is picked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.gaps import Gap, choices, share_gap, share_ratio
from seatrial.parts.metrics._groups import Favoured, favoured, hit, measure, plain_gap, undeserved, value_only

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("equalised_odds", "equalised_odds.ratio")}
COUNTS = ("confusion",)
ACROSS = True
CANNOT = {"labels": ("never", "labels that are themselves unfair to a group make it look fair or unfair")}
VERSION = 2

Options = Favoured


def across(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """`equalised_odds` (the larger gap) and `equalised_odds.ratio` (the smaller ratio); missing where one of the two can't be had."""
    good = favoured(tally, options)
    rates = {"true positive rate": hit(tally, good), "false positive rate": undeserved(tally, good)}
    rows = rates["true positive rate"][1] + rates["false positive rate"][1]
    for name, of, worse, ratio in (
        ("equalised_odds", share_gap, max, False),
        ("equalised_odds.ratio", share_ratio, min, True),
    ):
        if level is None:
            values = [plain_gap(*rate, options.least, ratio=ratio) for rate in rates.values()]
            value = math.nan if any(map(math.isnan, values)) else worse(values)
            among = [choices(hits / np.maximum(n, 1), n, options.least, ratio) for hits, n in rates.values()]
            yield value_only(name, value, tally, good, rows, np.concatenate(among), higher=ratio)
        else:
            gaps = {rate: of(*counts, 1 - (1 - level) / 2, options.least) for rate, counts in rates.items()}
            yield measure(name, _worse(gaps, worse), tally, good, rows, level, higher=ratio)


def _worse(gaps: dict[str, Gap], worse: Callable[..., Any]) -> Gap:
    if any(math.isnan(gap.value) for gap in gaps.values()):
        return next(gap for gap in gaps.values() if math.isnan(gap.value))
    name = worse(gaps, key=lambda one: gaps[one].value)
    widest = gaps[name]
    undecided = tuple(sorted({index for gap in gaps.values() for index in gap.undecided}))
    low, high = (worse(getattr(gap, side) for gap in gaps.values()) for side in ("low", "high"))
    method = f"that of the {name}, the worse of two; {widest.method}, for both rates at once"
    return Gap(widest.value, low, high, widest.highest, widest.lowest, undecided, method)
