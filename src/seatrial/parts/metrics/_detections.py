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


def each(seen: Seen, area: str, of: Each, weights: Any) -> dict[int, NDArray[np.float64]]:
    """Of each class the figures at all thresholds under each weighting, (weightings, thresholds); NaN where nothing is to be found."""
    given = np.asarray(weights, np.float64)
    found = {kind: of(curve, given) for kind, curve in seen.curves[area].items()}
    return found or {-1: np.full((len(given), len(THRESHOLDS)), np.nan)}


def means(of: dict[int, NDArray[np.float64]], threshold: int | None, kind: int | None = None) -> Any:
    """The mean over classes (or one class) and thresholds (or one) under each weighting, NaN where nothing is to be found."""
    chosen = [of[kind]] if kind is not None else list(of.values())
    values = np.stack([one.mean(axis=1) if threshold is None else one[:, threshold] for one in chosen])
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def _found(batch: Batch) -> Boxes:
    image, place = np.nonzero(np.asarray(batch.answers["found"]) >= 0)
    corners, kind, score = (np.asarray(batch.answers[name])[image, place] for name in ("boxes", "found", "confidence"))
    return Boxes(image, kind, corners, score, np.zeros(len(image), bool), np.zeros(len(image)))


def _labelled(labels: NDArray[np.float64]) -> Boxes:
    image, place = np.nonzero(labels[..., 4] >= 0)
    one = labels[image, place]
    return Boxes(image, one[:, 4].astype(np.int64), one[:, :4], np.zeros(len(one)), one[:, 5] > 0, one[:, 6])
