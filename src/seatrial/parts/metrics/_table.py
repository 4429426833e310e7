"""What metrics of single classes share: a confusion matrix as state, and findings per class and on average.

Only cells that occur are kept, `{"2,0": 17}` for 17 rows of class 2 taken for class 0, so that a thousand classes with few
rows stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.numerics.interval import Interval
from seatrial.parts.metrics._counts import Ints, labels, names, predicted, statement, too_few

PerClass = Callable[[Ints, float], tuple[Interval | None, ...]]
Average = Callable[[Ints, float], Interval]


class Averaged(PartOptions):
    """Which statements to make."""

    of: tuple[Literal["class", "macro"], ...] = Field(
        default=("class", "macro"),
        description="`class`: each class; `macro`: their plain mean, each class counting alike",
    )


def confusion(batch: Batch) -> dict[str, Any]:
    """Rows by label and predicted class."""
    width = np.shape(batch.answers["scores"])[1]
    cells, counts = np.unique(labels(batch) * width + predicted(batch.answers), return_counts=True)
    keys = [f"{cell // width},{cell % width}" for cell in cells.tolist()]
    return {"classes": names(batch), "cells": dict(zip(keys, counts.tolist(), strict=True))}


def table(state: dict[str, Any]) -> Ints:
    """The state as a matrix, labels x predictions."""
    counts = np.zeros((len(state["classes"]),) * 2, np.int64)
    for cell, rows in state["cells"].items():
        label, _, guess = cell.partition(",")
        counts[int(label), int(guess)] = rows
    return counts


def by_class(
    what: str, state: dict[str, Any], level: float, of: tuple[str, ...], each: PerClass, mean: Average, rows: Ints
) -> Iterable[Finding]:
    """Findings `{class: NAME}` and `{average: macro}`. `rows` are the rows that each class's statement rests on."""
    counts = table(state)
    if "class" in of:
        for name, interval, n in zip(state["classes"], each(counts, level), rows.tolist(), strict=True):
            at = {"class": name}
            if interval is None:
                yield too_few(what, "higher", "there are no rows of which this would be a share", at=at)
            else:
                yield statement(what, interval, n, "higher", at=at)
    if "macro" in of:
        at = {"average": "macro"}
        if any(interval is not None for interval in each(counts, level)):
            yield statement(what, mean(counts, level), int(counts.sum()), "higher", at=at)
        else:
            yield too_few(what, "higher", at=at)
