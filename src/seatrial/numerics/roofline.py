"""A roofline: the time of a model from the work of its operators.

Time of an operator = max(operations / (share x peak), bytes / (share x bandwidth at that working set)) + seconds to start it
(Williams, Waterman and Patterson 2009; shares by kind of operator, because a depthwise convolution reaches another share of the
peak than a matrix product does). Constants are read again in every call, so their working set is all that the model touches;
what one operator hands to the next has the working set of these two tensors.

The shares are fitted to models that were measured (`fit`), and how far a prediction can be off is learned from models that were
left out of the fit (`left_out`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
KINDS = ("matmul", "convolution", "depthwise", "recurrent", "elementwise", "normalisation", "pooling", "movement", "lookup", "transfer")  # fmt: skip
"""Kinds of operator that take time."""


@dataclass(frozen=True)
class Load:
    """The operators of several models as columns: `model` says whose each is, `kind` is a place in `KINDS`."""

    model: NDArray[np.int64]
    kind: NDArray[np.int64]
    flops: Floats
    weights: Floats
    moved: Floats
    starts: Floats
    weights_rate: Floats
    moved_rate: Floats
    count: int

    def only(self, models: Sequence[int]) -> Load:
        """These models, numbered anew in their order."""
        place = {old: new for new, old in enumerate(models)}
        keep = np.isin(self.model, list(place))
        columns: dict[str, Any] = {name: getattr(self, name)[keep] for name in _COLUMNS}
        columns["model"] = np.array([place[int(one)] for one in columns["model"]], np.int64)
        return Load(**columns, count=len(models))


_COLUMNS = ("model", "kind", "flops", "weights", "moved", "starts", "weights_rate", "moved_rate")


@dataclass(frozen=True)
class Roof:
    """What a device reaches: `shares` of `peak` (operations a second) and `flow` of the bandwidth by kind, seconds to start."""

    peak: float
    shares: Floats
    flow: Floats
    start: Floats
    call: float


@dataclass(frozen=True)
class Split:
    """Seconds of each operator: computing, moving data, starting; `total` is the larger of the first two plus the third."""

    compute: Floats
    move: Floats
    start: Floats

    @property
    def total(self) -> Floats:
        """Seconds of each operator."""
        return np.asarray(np.maximum(self.compute, self.move) + self.start)


def load(models: Sequence[Sequence[Any]], rate: Any) -> Load:
    """Columns from operators (`contracts.hardware.Operator`) of several models; `rate(bytes)` is the bandwidth at a working set."""
    rows = []
    for index, operators in enumerate(models):
        everything = sum(one.weights for one in operators) + max((one.moved for one in operators), default=0.0)
        for one in operators:
            if one.kind != "free":
                starts = 0.0 if one.fused or one.kind == "transfer" else 1.0
                rates = (rate(one.table or everything), rate(one.moved))
                rows.append((index, KINDS.index(one.kind), one.flops, one.weights, one.moved, starts, *rates))
    table = np.array(rows, np.float64).reshape(-1, len(_COLUMNS))
    columns: dict[str, Any] = {name: table[:, place] for place, name in enumerate(_COLUMNS)}
    columns["model"], columns["kind"] = columns["model"].astype(np.int64), columns["kind"].astype(np.int64)
    return Load(**columns, count=len(models))


def at_working_set(sizes: Sequence[float], rates: Sequence[float]) -> Any:
    """Bandwidth by working set: between the measured sizes along the logarithm of the size, beyond them as at the ends."""
    logs = np.log(np.asarray(sizes, np.float64))

    def rate(size: float) -> float:
        return float(np.interp(math.log(max(size, 1.0)), logs, rates))

    return rate


def split(work: Load, roof: Roof) -> Split:
    """Seconds of every operator under this roof."""
    compute = work.flops / (roof.shares[work.kind] * roof.peak)
    flow = roof.flow[work.kind]
    move = work.weights / (flow * work.weights_rate) + work.moved / (flow * work.moved_rate)
    return Split(compute, move, work.starts * roof.start[work.kind])


def seconds(work: Load, roof: Roof) -> Floats:
    """Seconds of every model."""
    return np.asarray(np.bincount(work.model, split(work, roof).total, work.count) + roof.call)


# --- calibration ----------------------------------------------------------------------------------------------------------

PRIOR_SHARE = {"matmul": 0.8, "convolution": 0.6, "depthwise": 0.15, "recurrent": 0.4}
"""Where a fit starts: shares of the peak; what isn't named starts at .1 (it computes outside the matrix units)."""
SPREAD, STEPS = 1.5, 60
"""Standard deviation of the prior on logarithms, and most steps of the fit. A kind that no model shows stays at the prior."""
NOISE = 0.1
"""Standard deviation of a measurement on a logarithmic scale that the prior is weighed against."""


def prior(peak: float) -> Roof:
    """What is believed before anything was measured: a microsecond to start an operator, five to start a call."""
    shares = np.array([PRIOR_SHARE.get(kind, 0.1) for kind in KINDS])
    return Roof(peak, shares, np.full(len(KINDS), 0.5), np.full(len(KINDS), 1e-6), 5e-6)


def fit(work: Load, measured: Floats, start: Roof) -> Roof:
    """The roof whose predicted logarithms of seconds are nearest to the measured ones (Levenberg-Marquardt, with a prior).

    `measured` are seconds, one for each model of `work`. All parameters are positive and are moved on the logarithmic scale.
    """
    centre, wanted = _pack(start), np.log(measured)

    def errors(point: Floats) -> Floats:
        off = (np.log(seconds(work, _unpack(point, start.peak))) - wanted) / NOISE
        return np.concatenate([off, (point - centre) / SPREAD])

    point, damping = centre.copy(), 1.0
    here = errors(point)
    for _ in range(STEPS):
        slope = _slope(errors, point, here)
        square = slope.T @ slope
        step = np.linalg.solve(square + damping * np.diag(np.diag(square)), -slope.T @ here)
        there = errors(point + np.clip(step, -1, 1))
        if there @ there < here @ here:
            gained = 1 - (there @ there) / (here @ here)
            point, here, damping = point + np.clip(step, -1, 1), there, damping / 3
            if gained < 1e-5:
                break
        else:
            damping *= 4
            if damping > 1e8:
                break
    return _unpack(point, start.peak)


def left_out(work: Load, measured: Floats, start: Roof, groups: Sequence[str]) -> Floats:
    """Predicted over measured seconds of every model by a fit that never saw its group. Shape (models,)."""
    ratios = np.empty(len(measured))
    for group in dict.fromkeys(groups):
        out = [place for place, one in enumerate(groups) if one == group]
        rest = [place for place, one in enumerate(groups) if one != group]
        roof = fit(work.only(rest), measured[rest], start)
        ratios[out] = seconds(work.only(out), roof) / measured[out]
    return ratios


def within(ratios: Floats, share: float = 0.9) -> float:
    """The factor that `share` of predictions stay within, up or down: a split-conformal quantile of |log ratio|.

    Its rank is ceil((n + 1) x share) of n (Vovk et al. 2005): for one more model of the same sort it holds with that probability.
    """
    off = np.sort(np.abs(np.log(ratios)))
    return float(math.exp(off[min(len(off), math.ceil((len(off) + 1) * share)) - 1]))


def apart(one: Mapping[str, float], other: Mapping[str, float], share: float = 0.9) -> float:
    """The factor that `share` of predicted ratios of two ways to run a model stay within, up or down.

    `one` and `other` are logarithms of predicted over measured seconds by model, each predicted by a fit that never saw it. Errors that
    both make alike cancel in the ratio. Raises `ValueError` where no model is in both.
    """
    both = sorted(one.keys() & other.keys())
    if not both:
        raise ValueError("no model was measured both ways")
    return within(np.exp(np.array([one[name] - other[name] for name in both])), share)


def _pack(roof: Roof) -> Floats:
    return np.asarray(np.log(np.concatenate([roof.shares, roof.flow, roof.start, [roof.call]])))


def _unpack(point: Floats, peak: float) -> Roof:
    shares, flow, start, call = np.split(np.exp(point), [len(KINDS), 2 * len(KINDS), 3 * len(KINDS)])
    return Roof(peak, shares, flow, start, float(call[0]))


def _slope(errors: Any, point: Floats, here: Floats, width: float = 1e-4) -> Floats:
    """Derivatives of the errors by finite differences, shape (errors, parameters)."""
    columns = []
    for place in range(len(point)):
        moved = point.copy()
        moved[place] += width
        columns.append((errors(moved) - here) / width)
    return np.stack(columns, axis=1)


def faster(roof: Roof, **changes: Any) -> Roof:
    """The same roof with `peak`, `flow`, `start` or `call` multiplied by a factor (or one a kind)."""
    changed = {name: getattr(roof, name) * factor for name, factor in changes.items()}
    return replace(roof, **changed)
