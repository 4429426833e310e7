"""Which labels are likely to be wrong, from probabilities of a model that didn't see the row: confident learning, and a rate.

Source of counts, thresholds and joint: Northcutt, Jiang & Chuang (2021), Journal of Artificial Intelligence Research 70, 1373-1411.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.interval import Interval
from seatrial.numerics.proportions import proportion

Floats = NDArray[np.float64]
ANCHORS = (0.05, 0.1)
"""Shares of the rows, the surest first, on which the rate is read; the bounds are the outer ones."""
FURTHER = 0.3
"""A larger share, on which a model that is right where it is surest disagrees hardly more."""


class Errors(NamedTuple):
    """`suspected` (rows,) are likely to be wrong; `ranked` are their numbers, the least likely label first; `joint` is given x true class."""

    suspected: NDArray[np.bool_]
    ranked: NDArray[np.int64]
    joint: Floats


def thresholds(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Of each class the mean probability that its own rows get, (classes,); 1 for a class without rows."""
    given, p = _checked(labels, probabilities)
    sums = np.bincount(given, p[np.arange(len(p)), given], p.shape[1])
    counts = np.bincount(given, minlength=p.shape[1])
    return np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)


def confident_classes(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.int64]:
    """The class that each row confidently is, (rows,): the likeliest of those at or above their threshold; -1 for none."""
    _, p = _checked(labels, probabilities)
    able = p >= thresholds(labels, probabilities) - 1e-6
    best = np.where(able, p, -1.0).argmax(axis=1)
    return np.where(able.any(axis=1), best, -1)


def joint(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Estimated share of rows by given x true class, (classes, classes): confident counts scaled to the counts of given labels."""
    given, p = _checked(labels, probabilities)
    classes, sure = p.shape[1], confident_classes(labels, probabilities)
    kept = sure >= 0
    counts = np.bincount(given[kept] * classes + sure[kept], minlength=classes**2).reshape(classes, classes)
    totals = np.bincount(given, minlength=classes).astype(np.float64)
    rows = counts.sum(axis=1).astype(np.float64)
    filled = np.where(rows[:, None] > 0, counts, np.eye(classes))
    return np.asarray(filled / np.maximum(rows, 1.0)[:, None] * totals[:, None] / max(1, len(p)))


def likely_errors(labels: ArrayLike, probabilities: ArrayLike) -> Errors:
    """Rows that confidently are of another class than they are labelled with, ranked by the probability of their label.

    `labels` (rows,) whole numbers, `probabilities` (rows, classes) of a model that wasn't fitted to the row. ValueError for others.
    """
    given, p = _checked(labels, probabilities)
    sure = confident_classes(labels, probabilities)
    wrong = (sure >= 0) & (sure != given) & (p.argmax(axis=1) != given)
    own = p[np.arange(len(p)), given]
    rows = np.flatnonzero(wrong)
    return Errors(wrong, rows[np.argsort(own[rows], kind="stable")], joint(labels, probabilities))


def error_rate(labels: ArrayLike, probabilities: ArrayLike, level: float = 0.95) -> Interval | None:
    """The share of wrong labels, read where the model is surest: there it is right itself, and what differs is the label.

    The surest rows by the margin between the two likeliest classes. On all rows a model's own errors count as errors of labels (the
    joint of confident learning gave .07 on data without planted ones); where it is surest they hardly do. It assumes that errors strike
    easy rows as often as others. The bounds are the outer ones of two shares of rows, each Wilson's or Clopper-Pearson's; the low one is
    less what disagreement grows by as rows get less sure: a model that is still getting better where it is surest errs there, too.
    None where the model disagrees with a third as many of its surest rows as the commonest class alone would, or with a fifth: then it
    isn't good enough to say anything.
    """
    given, p = _checked(labels, probabilities)
    two = np.sort(p, axis=1)[:, -2:]
    order, differs = np.argsort(two[:, 0] - two[:, 1], kind="stable"), p.argmax(axis=1) != given

    def among(share: float) -> Interval:
        rows = order[: max(1, math.ceil(share * len(p)))]
        return proportion(int(differs[rows].sum()), len(rows), level)

    found = [among(share) for share in ANCHORS]
    rate, further = found[-1].value, among(FURTHER).value
    if rate > min(1 - float(np.bincount(given).max()) / len(given), 0.6) / 3:
        return None
    low, high = min(one.low or 0.0 for one in found), max(1.0 if one.high is None else one.high for one in found)
    words = " and ".join(f"{share:.0%}" for share in ANCHORS)
    method = f"disagreement among the surest {words} of rows, outer bounds, low less its growth up to {FURTHER:.0%}"
    return Interval(rate, max(0.0, low - max(0.0, further - rate)), high, level, method)


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    given, p = np.asarray(labels), np.asarray(probabilities, np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or given.shape != p.shape[:1] or given.dtype.kind not in "iu" or not len(given):
        raise ValueError(
            f"a label a row and probabilities of two classes or more are needed, not {given.shape}, {p.shape}"
        )
    if given.min() < 0 or given.max() >= p.shape[1]:
        raise ValueError("labels are places among the classes")
    return given.astype(np.int64), p
