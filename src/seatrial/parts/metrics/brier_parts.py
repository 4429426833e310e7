"""The Brier score taken apart: reliability (lack of calibration) minus resolution (telling rows apart) plus uncertainty of the data.

Reliability and uncertainty are better low, resolution better high; together they tell whether a worse Brier score comes from
probabilities that lie or from a model that sees less. Sources: Murphy (1973); biases removed by Ferro & Fricker (2012).
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import calibration
from seatrial.parts.metrics._calibration import Binned, bare, measure, tables, views

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("brier.reliability", "brier.resolution", "brier.uncertainty")}
COUNTS = ("confidence", "scores?")
CANNOT = {"interval": ("not yet ours", "`calibration_error` and `brier` have intervals; the parts are shown without")}
VERSION = 1

Options = Binned
WAYS = {"reliability": "lower", "resolution": "higher", "uncertainty": None}


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The three parts."""
    for view in views(tally, options):
        parts = [calibration.brier_parts(table) for table in tables(view, options)]
        for name, better in WAYS.items():
            found = [bare(getattr(one, name), "decomposition over bins, biases removed") for one in parts]
            yield measure(f"brier.{name}", view, found, better, "there are no rows")  # type: ignore[arg-type]
