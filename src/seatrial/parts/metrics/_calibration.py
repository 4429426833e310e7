"""What metrics of calibration share: which probabilities are looked at, and a figure of every cell made one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.calibration import BINS, Reliability, reliabilities
from seatrial.numerics.interval import Interval
from seatrial.numerics.score_bins import centres

Counts = NDArray[np.float64]


class Looked(PartOptions):
    """Which probabilities are held against what happened."""

    of: tuple[Literal["top", "class"], ...] = Field(
        default=("top",),
        description="`top`: the highest probability of each row, as if it said how likely the answer is right (for two classes "
        "that of the second class); `class`: each class's probability",
    )


class Binned(Looked):
    """Which probabilities, and the bins of the reliability diagram."""

    bins: int = Field(default=BINS, ge=2, le=100, description="bins of the reliability diagram")
    mass: bool = Field(default=True, description="bins of equally many rows; false: of equal width")


class View(NamedTuple):
    """One kind of probability in all cells: rows and positive rows by cell and fine bin, (cells, bins), and the bins' scores.

    `tables` are the reliability diagrams that were made of it before.
    """

    at: dict[str, Any]
    n: Counts
    hits: Counts
    score: Counts
    tables: dict[Any, list[Reliability]]


def views(tally: Tally, options: Looked) -> list[View]:
    """What the options ask to be looked at; the tally remembers it for the next metric of calibration."""
    asked = ("calibration views", options.of)
    if asked not in tally.known:
        tally.known[asked] = list(_views(tally, options))
    found: list[View] = tally.known[asked]
    return found


def _views(tally: Tally, options: Looked) -> Iterator[View]:
    two = len(tally.classes) == 2
    scores = tally.sums.get("scores")
    if "top" in options.of:
        yield _view({"class": tally.classes[1]} if two else {"of": "top"}, tally.sums["confidence"])
    if "class" in options.of and not (two and "top" in options.of) and scores is not None:
        for column in range(scores.shape[1]):
            yield _view({"class": tally.classes[1 if two else column]}, scores[:, column])


def _view(at: dict[str, Any], table: NDArray[Any]) -> View:
    counts = table.astype(np.float64)
    return View(at, counts.sum(axis=1), counts[:, 1], centres(counts.shape[2]), {})


def tables(view: View, options: Binned) -> list[Reliability]:
    """The reliability diagram of every cell."""
    asked = (options.bins, options.mass)
    if asked not in view.tables:
        view.tables[asked] = reliabilities(view.n, view.hits, view.score, options.bins, options.mass)
    return view.tables[asked]


def measure(
    what: str,
    view: View,
    found: Iterable[Interval | None],
    better: Literal["higher", "lower"] | None,
    none: str,
    level: float | None = None,
    **at: Any,
) -> Measure:
    """One figure of every cell; `none` says why a cell has none. `level` None: there are no bounds to be had."""
    made = [one or Interval(math.nan, None, None, 0.95, "") for one in found]
    value = np.array([one.value for one in made])
    low, high = (np.array([math.nan if side is None else side for side in sides]) for sides in _sides(made))
    return Measure(
        what=what,
        value=value,
        low=low,
        high=high,
        n=view.n.sum(axis=1),
        method=[one.method for one in made],
        better=better,
        at=view.at | at,
        note=[none if math.isnan(one) else "" for one in value],
        level=level,
    )


def _sides(made: list[Interval]) -> tuple[list[float | None], list[float | None]]:
    return [one.low for one in made], [one.high for one in made]


def bare(value: float, method: str = "") -> Interval:
    """A value without bounds."""
    return Interval(value, None, None, 0.95, method)
