"""Share of rows whose right class is among the k highest scores.

For tasks with many like classes, where a person picks from a short list. A class counts as among the k highest only where
fewer than k others score at least as high: ties earn nothing, so `top_k` with k 1 can be below `accuracy`, which takes
the first of equal scores.

    metrics: [{top_k: {k: 3}}]
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.proportions import proportions
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",), "answers": ("scores",)}
GIVES = {"finding": ("top_k",)}
COUNTS = ("ranks",)
VERSION = 2


class Options(PartOptions):
    """How long the short list is."""

    k: int = Field(default=5, ge=1, description="how many of the highest-scored classes may hold the right one")


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The share of rows whose label is among the k highest."""
    rows, width = tally.sums["rows"], len(tally.classes)
    trivial = f"every label is among {options.k} of {width} classes" if options.k >= width else ""
    found = proportions(tally.sums["ranks"][:, : options.k].sum(axis=1), rows, level)
    yield stated("top_k", found, rows, "higher", note=np.full(len(rows), trivial, object), at={"k": options.k})
