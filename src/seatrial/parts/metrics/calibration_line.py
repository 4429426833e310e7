"""Slope and intercept of a logistic line through the probabilities: whether they are overconfident, or shifted as a whole.

A slope below 1 says that probabilities are too extreme, above 1 that they are too timid. `calibration.offset`, the intercept with
the slope held at 1, says that they are too low (above 0) or too high as a whole. Source: Cox (1958), Biometrika 45.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.calibration import lines
from seatrial.parts.metrics._calibration import Looked, bare, measure, views

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("calibration.slope", "calibration.intercept", "calibration.offset")}
COUNTS = ("confidence", "scores?")
VERSION = 1

NONE = "there is no line: too few rows, one class, one score, or scores that part the classes perfectly"

Options = Looked


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """`calibration.slope`, `calibration.intercept` and `calibration.offset`; none is better for being higher or lower."""
    for view in views(tally, options):
        made = lines(view.n, view.hits, view.score, level or 0.95)
        for name in ("slope", "intercept", "offset"):
            found = [None if one is None else getattr(one, name) for one in made]
            if level is None:
                found = [None if one is None else bare(one.value) for one in found]
            yield measure(f"calibration.{name}", view, found, None, NONE, level)
