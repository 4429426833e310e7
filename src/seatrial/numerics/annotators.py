"""Agreement of several people who label the same rows, some of them not all rows.

Source: Krippendorff, Content Analysis (4th edition, 2018), chapter 12: nominal alpha by coincidences of pairable labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.interval import Interval, tail

GROUPS = 200
SMOOTHING = 0.5
"""Disagreements that are added for the interval: leaving out the only row at odds would make its logarithm infinite."""


def alpha(labels: ArrayLike, classes: int, level: float = 0.95) -> Interval:
    """Krippendorff's alpha of labels (rows, annotators), places among `classes`, -1 where an annotator gave none.

    1 - observed over expected disagreement of pairs within rows. The interval leaves out each of 200 groups of rows in turn (jackknife), on
    the scale of log(1 - alpha). Value 1 without bounds where all labels are alike. ValueError where no row has two labels.
    """
    counts = _counts(labels, classes)
    group = np.arange(len(counts)) % min(GROUPS, len(counts))
    parts = np.stack([_parts(counts[group == one]) for one in range(int(group.max()) + 1)])
    whole = parts.sum(axis=0)
    value = _alpha(whole)
    method = f"Krippendorff's alpha, nominal, jackknife of {len(parts)} groups of rows"
    if len(parts) < 3 or value >= 1:
        return Interval(value, None, None, level, method)
    half_more = np.append(SMOOTHING, np.zeros(classes))
    without = np.log(1 - np.array([_alpha(whole + half_more - part) for part in parts]))
    n = len(parts)
    error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    half = -student_quantile(tail(level), n - 1) * error
    middle = np.log(1 - _alpha(whole + half_more))
    return Interval(value, float(1 - np.exp(middle + half)), float(1 - np.exp(middle - half)), level, method)


def at_odds(labels: ArrayLike, classes: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Share of a row's pairs of labels that differ, (rows,), 0 where there are fewer than two; and the class of more than half, else -1."""
    given = np.asarray(labels)
    counts = np.stack([(given == one).sum(axis=1) for one in range(classes)], axis=1).astype(np.float64)
    n = counts.sum(axis=1)
    pairs = n * (n - 1)
    alike = (counts * (counts - 1)).sum(axis=1)
    divided = np.where(pairs > 0, 1 - alike / np.where(pairs > 0, pairs, 1), 0.0)
    return divided, np.where((n > 1) & (counts.max(axis=1) * 2 > n), counts.argmax(axis=1), -1)


def _counts(labels: ArrayLike, classes: int) -> NDArray[np.float64]:
    given = np.asarray(labels)
    counts = np.stack([(given == one).sum(axis=1) for one in range(classes)], axis=1).astype(np.float64)
    kept: NDArray[np.float64] = counts[counts.sum(axis=1) > 1]
    if not len(kept):
        raise ValueError("alpha needs a row with two labels")
    return np.asarray(kept)


def _parts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """What adds up over rows: disagreeing pairs, each divided by a row's labels less one; and the labels of each class."""
    n = counts.sum(axis=1)
    observed = ((n**2 - (counts**2).sum(axis=1)) / (n - 1)).sum()
    return np.concatenate([[observed], counts.sum(axis=0)])


def _alpha(parts: NDArray[np.float64]) -> float:
    observed, totals = parts[0], parts[1:]
    n = totals.sum()
    expected = (n**2 - (totals**2).sum()) / (n - 1) if n > 1 else 0.0
    return float(1 - observed / expected) if expected > 0 else 1.0
