"""Recalibration: a step after the model that makes its probabilities mean what they say. Fitted on rows that judge nothing.

    temperature   p^(1/T), normalised: one number for all classes; the predicted class never changes (Guo et al. 2017)
    platt         two classes: logit = a + b * logit (Platt 1999, with his smoothed targets); the predicted class may change
    isotonic      any rising step function of each class's probability (Zadrozny & Elkan 2002); needs a thousand rows or so

A fit is a dict of plain numbers and lists, so that it can be kept with the artefact that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Fit = dict[str, Any]
FLOOR = 1e-12


def fit(method: str, probabilities: ArrayLike, labels: ArrayLike) -> Fit:
    """The fit of `temperature`, `platt` or `isotonic` to probabilities (rows, classes) and class indices (rows,).

    `ValueError` for an unknown method, no rows, classes without a row (isotonic, platt), and platt with other than two classes.
    """
    p, truth = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    if p.ndim != 2 or truth.shape != p.shape[:1] or not len(p):
        raise ValueError(
            f"probabilities (rows, classes) and as many labels are needed, not {p.shape} and {truth.shape}"
        )
    return _FITS[_known(method)](p, truth)


def apply(method: str, fitted: Mapping[str, Any], probabilities: ArrayLike) -> Floats:
    """Recalibrated probabilities (rows, classes), each row summing to 1."""
    return _APPLIED[_known(method)](fitted, np.asarray(probabilities, np.float64))


def _known(method: str) -> str:
    if method not in _FITS:
        raise ValueError(f"`{method}` is none of {', '.join(_FITS)}")
    return method


# --- temperature ------------------------------------------------------------------------------------------------------------


def _fit_temperature(p: Floats, truth: NDArray[np.int64]) -> Fit:
    """Least log-loss, which is convex in 1/T: golden-section search of log(1/T) between 1/100 and 100."""
    logs = np.log(np.maximum(p, FLOOR))

    def loss(cool: float) -> float:
        scaled = logs * np.exp(cool)
        top = scaled.max(axis=1)
        whole = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((whole - scaled[np.arange(len(truth)), truth]).mean())

    low, high, ratio = -np.log(100.0), np.log(100.0), (5**0.5 - 1) / 2
    one, other = high - ratio * (high - low), low + ratio * (high - low)
    first, second = loss(one), loss(other)
    while high - low > 1e-7:
        if first < second:
            high, other, second = other, one, first
            one = high - ratio * (high - low)
            first = loss(one)
        else:
            low, one, first = one, other, second
            other = low + ratio * (high - low)
            second = loss(other)
    return {"temperature": float(np.exp(-(low + high) / 2))}


def _apply_temperature(fitted: Mapping[str, Any], p: Floats) -> Floats:
    logs = np.log(np.maximum(p, FLOOR)) / fitted["temperature"]
    return _normal(np.exp(logs - logs.max(axis=1, keepdims=True)))


# --- Platt ------------------------------------------------------------------------------------------------------------------


def _fit_platt(p: Floats, truth: NDArray[np.int64]) -> Fit:
    if p.shape[1] != 2:
        raise ValueError(f"Platt's scaling is for two classes, not {p.shape[1]}: take temperature or isotonic")
    positive = int(truth.sum())
    if not 0 < positive < len(truth):
        raise ValueError("the rows to fit on are all of one class")
    target = np.where(truth == 1, (positive + 1) / (positive + 2), 1 / (len(truth) - positive + 2))
    design = np.stack([np.ones(len(p)), _logit(p[:, 1])], axis=1)
    beta = np.array([0.0, 1.0])
    best = _cross_entropy(design @ beta, target)
    for _ in range(100):
        share = _expit(design @ beta)
        information = design.T @ (design * (share * (1 - share) + 1e-12)[:, None])
        step = np.linalg.lstsq(information, design.T @ (target - share), rcond=None)[0]
        while (found := _cross_entropy(design @ (beta + step), target)) > best and np.abs(step).max() > 1e-12:
            step = step / 2
        beta, best = beta + step, min(best, found)
        if np.abs(step).max() < 1e-10:
            break
    return {"intercept": float(beta[0]), "slope": float(beta[1])}


def _apply_platt(fitted: Mapping[str, Any], p: Floats) -> Floats:
    positive = _expit(fitted["intercept"] + fitted["slope"] * _logit(p[:, 1]))
    return np.stack([1 - positive, positive], axis=1)


# --- isotonic ---------------------------------------------------------------------------------------------------------------


def _fit_isotonic(p: Floats, truth: NDArray[np.int64]) -> Fit:
    """Pool adjacent violators for each class against the others; two classes need one curve."""
    curves = []
    for column in [1] if p.shape[1] == 2 else range(p.shape[1]):
        if not (truth == column).any():
            raise ValueError(f"no row to fit on belongs to class {column}")
        curves.append(_pooled(p[:, column], truth == column))
    return {"curves": curves}


def _pooled(score: Floats, hit: NDArray[np.bool_]) -> dict[str, list[float]]:
    """The rising step function nearest to the labels, as knots between which one interpolates."""
    values, inverse = np.unique(score, return_inverse=True)
    weight = np.bincount(inverse).astype(float)
    mean = np.bincount(inverse, hit) / weight
    blocks: list[tuple[float, float, int, int]] = []  # mean, weight, first, last
    for index, (middle, rows) in enumerate(zip(mean.tolist(), weight.tolist(), strict=True)):
        block = (middle, rows, index, index)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            rows = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / rows, rows, before[2], block[3])
        blocks.append(block)
    ends = [(values[at], middle) for middle, _, first, last in blocks for at in dict.fromkeys((first, last))]
    return {"score": [float(at) for at, _ in ends], "share": [float(middle) for _, middle in ends]}


def _apply_isotonic(fitted: Mapping[str, Any], p: Floats) -> Floats:
    curves = fitted["curves"]
    if len(curves) == 1:
        positive = np.interp(p[:, 1], curves[0]["score"], curves[0]["share"])
        return np.stack([1 - positive, positive], axis=1)
    made = np.stack([np.interp(p[:, column], one["score"], one["share"]) for column, one in enumerate(curves)], axis=1)
    return _normal(np.maximum(made, FLOOR))


# --- shared -----------------------------------------------------------------------------------------------------------------


def _normal(p: Floats) -> Floats:
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _logit(p: Floats) -> Floats:
    inside = np.clip(p, FLOOR, 1 - FLOOR)
    return np.asarray(np.log(inside / (1 - inside)))


def _expit(eta: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(eta, -500, 500))))


def _cross_entropy(eta: Floats, target: Floats) -> float:
    return float((np.logaddexp(0, eta) - target * eta).sum())


_FITS: dict[str, Callable[[Floats, NDArray[np.int64]], Fit]] = {
    "temperature": _fit_temperature,
    "platt": _fit_platt,
    "isotonic": _fit_isotonic,
}
_APPLIED: dict[str, Callable[[Mapping[str, Any], Floats], Floats]] = {
    "temperature": _apply_temperature,
    "platt": _apply_platt,
    "isotonic": _apply_isotonic,
}
