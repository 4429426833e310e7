"""How many of the labelled boxes are found at all: recall over overlaps from .50 to .95 and over classes, as COCO's AR at 100.

It doesn't ask how sure the model was, nor how many boxes it found where there is nothing: `map` does. It shows boxes that are lost
for good, whatever threshold is chosen later. Matching, areas and intervals are those of `map`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch, Figure
from seatrial.numerics.detection import recalls
from seatrial.parts.metrics._detections import Seen, each, means
from seatrial.parts.metrics._detections import see as seen_by

WHOLE = True
USUAL = True
ACCEPTS = {"task": ("detection",)}
GIVES = {"finding": ("average_recall",)}
CANNOT = {
    "slices": ("not yet ours", "a mean over classes is no mean over rows: each slice would have to be worked out anew")
}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def see(batch: Batch, options: Options) -> Seen:
    """All boxes, matched."""
    return seen_by(batch, ("all",))


def figures(seen: Seen, weights: Any, options: Options) -> Iterable[Figure]:
    """Over all overlaps, and at one half."""
    of = each(seen, "all", recalls, weights)
    for name, place in ((".50:.95", None), ("0.5", 0)):
        values = means(of, place)
        note = "nothing is labelled that could be found" if np.isnan(values[0]) else ""
        method = "largest recall with 100 boxes a class and image, over images"
        yield Figure(
            "average_recall", values, np.ones(seen.rows, bool), "higher", at={"overlap": name}, method=method, note=note
        )
