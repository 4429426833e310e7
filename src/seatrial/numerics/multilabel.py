"""Figures of several labels a row with intervals, from counts alone, for many cells at once: labels of one row go together.

A row is what is drawn, not a label: averages over labels are ratios of sums over rows, with the spread of rows (delta method,
Cochran 1977, section 6.3), as a proportion of as many effective rows as have that spread (Korn & Graubard 1998). Averages that
weigh labels alike or by their rows need how labels go together (`label_pairs`), and those that weigh them alike take the wider of
that and of the labels' own intervals combined, which allows for rare labels; without it their bounds are the means of the
labels' bounds, which is never too narrow.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.chosen import TERMS
from seatrial.numerics.interval import Intervals, alone
from seatrial.numerics.losses import mean_intervals
from seatrial.numerics.proportions import proportions

Floats = NDArray[np.float64]
Figure = Literal["precision", "recall", "f1"]
# what is counted as a hit, and out of what: F1 is hits over the mean of labels and chosen
_OUT_OF: dict[Figure, tuple[float, float]] = {"recall": (1.0, 0.0), "precision": (0.0, 1.0), "f1": (0.5, 0.5)}


def each(tables: ArrayLike, figure: Figure) -> tuple[Floats, Floats]:
    """Hits and what they are a share of, (..., L) each, from tables (..., L, 2, 2) of label and choice."""
    of = np.asarray(tables, np.float64)
    hits, labels, chosen = of[..., 1, 1], of[..., 1, :].sum(axis=-1), of[..., :, 1].sum(axis=-1)
    weigh = _OUT_OF[figure]
    return hits, weigh[0] * labels + weigh[1] * chosen


def micro(sums: ArrayLike, figure: Figure, level: float | None = 0.95) -> Intervals:
    """Over all rows and labels together, from `label_sums` (..., 9); NaN where there is nothing to be a share of."""
    of = {name: np.asarray(sums, np.float64)[..., place] for place, name in enumerate(TERMS)}
    a, b = _OUT_OF[figure]
    out_of = a * of["t"] + b * of["c"]
    share = np.divide(of["h"], out_of, out=np.full(out_of.shape, np.nan), where=out_of > 0)
    if level is None:
        return alone(share)
    square = a * a * of["tt"] + 2 * a * b * of["tc"] + b * b * of["cc"]
    spread = of["hh"] - 2 * share * (a * of["ht"] + b * of["hc"]) + share**2 * square
    safe = np.where(out_of > 0, out_of, 1.0)
    return _effective(share, spread / safe**2, out_of, level, "of all labels together")


def averaged(
    tables: ArrayLike, pairs: ArrayLike | None, figure: Figure, weigh: bool, level: float | None, parts: Intervals
) -> Intervals:
    """The mean of the labels' figures (`parts`, (..., L)), each alike, or `weigh`ed by the rows that have the label.

    `pairs` are `label_pairs`, (..., 3 L, 3 L). Labels without a figure are left out.
    """
    hits, out_of = each(tables, figure)
    there = out_of > 0
    weights = np.where(there, np.asarray(tables, np.float64)[..., 1, :].sum(axis=-1) if weigh else 1.0, 0.0)
    total = weights.sum(axis=-1)
    weights = weights / np.where(total > 0, total, 1.0)[..., None]
    share = np.divide(hits, out_of, out=np.zeros(hits.shape), where=there)
    value = np.where(total > 0, (weights * share).sum(axis=-1), np.nan)
    if level is None:
        return alone(value)
    count = there.sum(axis=-1)
    told = np.array([f"of {one} of {there.shape[-1]} labels" for one in count.ravel().tolist()], object)
    told = told.reshape(count.shape)
    if pairs is None:
        low, high = ((weights * np.where(there, one, 0.0)).sum(axis=-1) for one in (parts.low, parts.high))
        method = np.add("mean, and conservative mean of the bounds, ", told, dtype=object)
        nothing = np.isnan(value)
        return Intervals(value, np.where(nothing, np.nan, low), np.where(nothing, np.nan, high), level, method)
    covariance = _covariance(np.asarray(pairs, np.float64), share, np.where(there, out_of, 1.0), figure)
    variance = np.einsum("...i,...ij,...j->...", weights, covariance, weights)
    if weigh:  # the weights are drawn with the rows, too
        variance = _weighed(
            np.asarray(pairs, np.float64), weights, share, np.where(there, out_of, 1.0), value, total, figure
        )
    rows = 1.0 / np.where(total > 0, (weights**2 / np.where(there, out_of, 1.0)).sum(axis=-1), 1.0)
    found = _effective(value, variance, rows, level, told)
    if weigh:
        return found
    down, up = _mover(parts, weights, there, covariance)
    method = np.add("conservative, the wider of MOVER with the labels' correlations, and ", found.method, dtype=object)
    low, high = (
        np.maximum(0.0, np.minimum(found.low, value - down)),
        np.minimum(1.0, np.maximum(found.high, value + up)),
    )
    return Intervals(value, low, high, level, method)


def _covariance(pairs: Floats, share: Floats, out_of: Floats, figure: Figure) -> Floats:
    """Of the labels' shares, (..., L, L): a row moves a share by (hit - share * what it adds to the rest) / rows."""
    a, b = _OUT_OF[figure]
    labels = share.shape[-1]
    blocks = pairs.reshape(*pairs.shape[:-2], 3, labels, 3, labels)
    sides = np.stack([np.ones(share.shape), -a * share, -b * share], axis=-2) / out_of[..., None, :]
    return np.asarray(np.einsum("...pi,...piqj,...qj->...ij", sides, blocks, sides))


def _weighed(
    pairs: Floats, weights: Floats, share: Floats, out_of: Floats, value: Floats, total: Floats, figure: Figure
) -> Floats:
    """The variance of the mean weighted by the rows that have each label, whose number is drawn as well."""
    a, b = _OUT_OF[figure]
    slope = weights / out_of
    drawn = (
        np.where(weights > 0, share - np.nan_to_num(value)[..., None], 0.0) / np.where(total > 0, total, 1.0)[..., None]
    )
    move = np.concatenate([slope, drawn - a * slope * share, -b * slope * share], axis=-1)
    return np.asarray(np.einsum("...i,...ij,...j->...", move, pairs, move))


def _mover(parts: Intervals, weights: Floats, there: NDArray[np.bool_], covariance: Floats) -> tuple[Floats, Floats]:
    """How far the mean's bounds lie below and above it: distances of the parts' add as standard errors do (Zou & Donner 2008)."""
    spread = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
    scale = spread[..., :, None] * spread[..., None, :]
    between = np.clip(np.divide(covariance, scale, out=np.zeros(scale.shape), where=scale > 0), -1.0, 1.0)
    index = np.arange(scale.shape[-1])
    between[..., index, index] = 1.0
    sides = [np.where(there, one, 0.0) * weights for one in (parts.value - parts.low, parts.high - parts.value)]
    down, up = (np.sqrt(np.maximum(0.0, np.einsum("...i,...ij,...j->...", one, between, one))) for one in sides)
    return down, up


def hamming(counts: ArrayLike, level: float | None = 0.95) -> Intervals:
    """The share of labels that are wrong, from rows by how many of theirs are, (..., L + 1)."""
    of = np.asarray(counts, np.float64)
    labels = of.shape[-1] - 1
    share = np.arange(labels + 1) / max(labels, 1)
    sums = np.stack([(of * share**power).sum(axis=-1) for power in (1, 2, 3)], axis=-1)
    return mean_intervals(sums, of.sum(axis=-1), level, least=0.0, most=1.0)


def _effective(
    share: Floats, variance: Floats, rows: Floats, level: float, told: str | NDArray[np.object_]
) -> Intervals:
    """The share's interval as a proportion of the effective rows that its variance amounts to; `rows` where it has none."""
    inside = (share > 0) & (share < 1) & (variance > 0)
    between = np.where(inside, share * (1 - share), 1.0)
    effective = np.where(inside, between / np.where(inside, variance, 1.0), rows)
    effective = np.where(np.isnan(share), 0.0, effective)
    found = proportions(np.clip(np.nan_to_num(share), 0, 1) * effective, effective, level)
    method = np.add(np.asarray(found.method, object), ", of effective rows, ", dtype=object)
    value = np.where(np.isnan(share), np.nan, share)
    low, high = np.minimum(found.low, value), np.maximum(found.high, value)
    return Intervals(value, low, high, level, np.add(method, told, dtype=object))
