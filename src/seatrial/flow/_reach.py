"""How far one row that changes moves a figure of counts: the figure asked again with one row more, once right and once wrong.

A row of a rare class moves the mean of the classes' recalls far more than a common one. Where few rows of a kind were seen to
change, an interval must leave room for those that weren't seen, and this says how much (`numerics/replicates.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.part import PartInfo
from seatrial.contracts.tally import Measure, Tally

Floats = NDArray[np.float64]
COUNTS = {"confusion", "label_sums", "label_pairs"}
MOST_CLASSES = 100
"""With more classes a row is taken to move every figure by one over the rows."""
_BLOCK = 2**22  # numbers in the tables that are asked at once


def known(info: PartInfo, tally: Tally) -> bool:
    """Whether the metric is one of confusion matrices alone, of so few classes that each can be looked at."""
    asked = {name.removesuffix("?") for name in info.counts}
    table = tally.sums.get("confusion")
    return asked <= COUNTS and table is not None and table.ndim == 3 and table.shape[1] <= MOST_CLASSES


def moved(values: Callable[[Tally], Sequence[Measure]], tally: Tally) -> list[Floats]:
    """Of each measure, how far a row of each label moves it, (cells, labels); 0 where there is no value."""
    cells, labels = tally.sums["confusion"].shape[:2]
    step = max(1, _BLOCK // (2 * labels**3))
    parts = [_reach(values, tally.take(range(start, min(start + step, cells)))) for start in range(0, cells, step)]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _reach(values: Callable[[Tally], Sequence[Measure]], tally: Tally) -> list[Floats]:
    table = tally.sums["confusion"].astype(np.float64)
    cells, labels = table.shape[:2]
    more = np.repeat(table[None], 2 * labels, axis=0)
    for label in range(labels):
        more[2 * label, :, label, label] += 1
        more[2 * label + 1, :, label, (label + 1) % labels] += 1
    sums = {
        "confusion": more.reshape(-1, labels, labels),
        "rows": np.tile(np.asarray(tally.sums["rows"]) + 1, 2 * labels),
    }
    asked = Tally(tuple(() for _ in range(2 * labels * cells)), tally.classes, sums, about=tally.about)
    found = (np.asarray(one.value).reshape(labels, 2, cells) for one in values(asked))
    return [np.nan_to_num(np.abs(one[:, 0] - one[:, 1])).T for one in found]
