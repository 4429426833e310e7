"""How well boxes are found: mean average precision as COCO has it, over overlaps from .50 to .95 and over classes.

`map` with `{overlap: .50:.95}` is COCO's AP, `{overlap: 0.5}` the older and kinder one; with `{area: small}`, `medium` and `large` it
is that of boxes up to 32 x 32 pixels, up to 96 x 96, and above. Pixels are those of the boxes as they are judged: of pictures made
smaller for the model they are fewer. Crowds, and boxes out of the range, are ignored as COCO does (`numerics/detection.py`).

    metrics: [map, {map: {areas: [all, small], of: [all, class]}}]

The interval and the difference from the reference come of leaving out images, a hundredth at a time. With few images the figure is
flattering (precision is made falling, so chance only lifts it): the lower bound allows for that. Images of one scene or film
are alike: name it as the data's `group`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch, Figure
from seatrial.numerics.detection import average_precisions
from seatrial.parts.metrics._detections import Seen, each, means
from seatrial.parts.metrics._detections import see as seen_by

WHOLE = True
USUAL = True
ACCEPTS = {"task": ("detection",)}
GIVES = {"finding": ("map",)}
CANNOT = {
    "slices": (
        "not yet ours",
        "a mean average precision is no mean over rows: each slice would have to be worked out anew",
    ),
    "masks": ("not yet ours", "boxes are matched by their boxes alone"),
}
VERSION = 1
OVERLAPS = {".50:.95": None, "0.5": 0, "0.75": 5}
METHOD = "precision at 101 recalls, over images"
NOTHING = "nothing is labelled that could be found"


class Options(PartOptions):
    """Which statements to make."""

    areas: tuple[Literal["all", "small", "medium", "large"], ...] = Field(
        default=("all", "small", "medium", "large"), min_length=1, description="ranges of areas"
    )
    of: tuple[Literal["all", "class"], ...] = Field(
        default=("all",),
        min_length=1,
        description="`all`: the mean over classes; `class`: each class, over all overlaps",
    )


def see(batch: Batch, options: Options) -> Seen:
    """All boxes, matched."""
    return seen_by(batch, tuple(dict.fromkeys(["all", *options.areas])))


def figures(seen: Seen, weights: Any, options: Options) -> Iterable[Figure]:
    """The mean over classes at each overlap, in each range of areas, and of each class where asked."""
    rows = np.ones(seen.rows, bool)

    def figure(values: Any, **at: Any) -> Figure:
        note = NOTHING if np.isnan(values[0]) else ""
        return Figure("map", values, rows, "higher", at=at, method=METHOD, note=note, flattering=True)

    overall = each(seen, "all", average_precisions, weights)
    if "all" in options.of:
        for area in options.areas:
            if area == "all":
                for name, place in OVERLAPS.items():
                    yield figure(means(overall, place), overlap=name)
            else:
                within = each(seen, area, average_precisions, weights)
                yield figure(means(within, None), overlap=".50:.95", area=area)
    if "class" in options.of:
        for kind in seen.curves["all"]:
            name = seen.names[kind] if kind < len(seen.names) else str(kind)
            yield figure(means(overall, None, kind), **{"overlap": ".50:.95", "class": name})
