"""The Brier score taken apart: reliability (lack of calibration) minus resolution (telling rows apart) plus uncertainty of the data.

Reliability and uncertainty are better low, resolution better high; together they tell whether a worse Brier score comes from
probabilities that lie or from a model that sees less. Each has an interval. Sources: Murphy (1973); biases removed by Ferro & Fricker (2012).
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.calibration import briers_parts
from seatrial.parts.metrics._calibration import Binned, measure, tables, views

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("brier.reliability", "brier.resolution", "brier.uncertainty")}
COUNTS = ("confidence", "scores?")
CANNOT = {
    "bins of few rows": (
        "never",
        "with bins of equal width (`mass: false`) and a rare class many bins hold one row or two: simulated with 15 positives of 1,000 "
        "rows, intervals of the reliability at .95 held .91; bins of equally many rows hold",
    )
}
VERSION = 2

Options = Binned
WAYS = {"reliability": "lower", "resolution": "higher", "uncertainty": None}


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The three parts."""
    for view in views(tally, options):
        parts = briers_parts(tables(view, options), level)
        for name, better in WAYS.items():
            found = [getattr(one, name) for one in parts]
            yield measure(f"brier.{name}", view, found, better, "there are no rows", level)  # type: ignore[arg-type]
