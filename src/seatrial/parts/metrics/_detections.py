"""What metrics of detection share: boxes in one list, and their means over thresholds and classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.quality import Batch
from seatrial.errors import DataError
from seatrial.numerics.detection import THRESHOLDS, Boxes, Curve, curves

Each = Callable[[Curve, NDArray[np.float64]], NDArray[np.float64]]


class Seen(NamedTuple):
    """Curves of each class by range of areas, and the rows and names of classes they are of."""

    curves: dict[str, dict[int, Curve]]
    rows: int
    names: tuple[str, ...]


def see(batch: Batch, areas: tuple[str, ...]) -> Seen:
    """Every box found and labelled, matched in each range of areas. Raises `DataError` without labels."""
    if batch.labels is None:
        raise DataError("this metric needs labels", next_step="name the column with the boxes as `label`")
    found, labelled, rows = _found(batch), _labelled(np.asarray(batch.labels)), len(batch.labels)
    return Seen({area: curves(found, labelled, rows, area) for area in areas}, rows, batch.classes)


def means(seen: Seen, area: str, each: Each, weights: Any, threshold: int | None, kind: int | None = None) -> Any:
    """The mean over classes (or one class) and thresholds (or one) under each weighting, NaN where nothing is to be found."""
    made = np.full(len(weights), np.nan)
    of = seen.curves[area]
    chosen = [of[kind]] if kind is not None else list(of.values())
    for at, weight in enumerate(np.asarray(weights, np.float64)):
        values = np.array([each(curve, weight) for curve in chosen]).reshape(-1, len(THRESHOLDS))
        there = values[~np.isnan(values[:, 0])]
        if len(there):
            made[at] = there.mean() if threshold is None else there[:, threshold].mean()
    return made


def _found(batch: Batch) -> Boxes:
    image, place = np.nonzero(np.asarray(batch.answers["found"]) >= 0)
    corners, kind, score = (np.asarray(batch.answers[name])[image, place] for name in ("boxes", "found", "confidence"))
    return Boxes(image, kind, corners, score, np.zeros(len(image), bool), np.zeros(len(image)))


def _labelled(labels: NDArray[np.float64]) -> Boxes:
    image, place = np.nonzero(labels[..., 4] >= 0)
    one = labels[image, place]
    return Boxes(image, one[:, 4].astype(np.int64), one[:, :4], np.zeros(len(one)), one[:, 5] > 0, one[:, 6])
