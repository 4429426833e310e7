"""ONNX's reductions in torch: sums, means, extremes and where they lie. A function is named as its operator."""
# ruff: noqa: N802

from __future__ import annotations

import torch

from seatrial.parts.conversions._op_base import axes_of, listed


def reduced(function, x, axes, keepdims, idle):
    """`function` over the axes; over all where none is given, or over none where that is asked for."""
    if axes is not None and not listed(axes):
        axes = None
    if axes is None and idle:
        return None
    wanted = axes_of(axes, x)
    return function(x, wanted, bool(keepdims)) if wanted else x


def ReduceSum(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    found = reduced(lambda v, d, k: v.sum(d, k, dtype=v.dtype), x, axes, keepdims, noop_with_empty_axes)
    return x if found is None else found


def ReduceMean(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    found = reduced(lambda v, d, k: v.mean(d, k), x, axes, keepdims, noop_with_empty_axes)
    return x if found is None else found


def ReduceMax(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    found = reduced(torch.amax, x, axes, keepdims, noop_with_empty_axes)
    return x if found is None else found


def ReduceMin(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    found = reduced(torch.amin, x, axes, keepdims, noop_with_empty_axes)
    return x if found is None else found


def ReduceProd(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    def product(values, dims, keep):
        for dim in sorted(dims, reverse=True):
            values = values.prod(dim, keep, dtype=values.dtype)
        return values

    found = reduced(product, x, axes, keepdims, noop_with_empty_axes)
    return x if found is None else found


def ReduceL1(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    return ReduceSum(x.abs(), axes, keepdims, noop_with_empty_axes)


def ReduceL2(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    return torch.sqrt(ReduceSum(x * x, axes, keepdims, noop_with_empty_axes))


def ReduceSumSquare(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    return ReduceSum(x * x, axes, keepdims, noop_with_empty_axes)


def ReduceLogSum(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    return torch.log(ReduceSum(x, axes, keepdims, noop_with_empty_axes))


def ReduceLogSumExp(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    found = reduced(torch.logsumexp, x, axes, keepdims, noop_with_empty_axes)
    return x if found is None else found


def ArgMax(x, axis=0, keepdims=1, select_last_index=0):
    return chosen(torch.argmax, x, axis, keepdims, select_last_index)


def ArgMin(x, axis=0, keepdims=1, select_last_index=0):
    return chosen(torch.argmin, x, axis, keepdims, select_last_index)


def chosen(function, x, axis, keepdims, last):
    """Where the largest or smallest lies; the first of several equal ones, or the last."""
    if not last:
        return function(x, dim=axis, keepdim=bool(keepdims))
    return x.shape[axis] - 1 - function(x.flip([axis]), dim=axis, keepdim=bool(keepdims))


def CumProd(x, axis, exclusive=0, reverse=0):
    (axis,) = listed(axis)
    x = x.flip([axis]) if reverse else x
    if exclusive:
        first = torch.ones_like(x.narrow(axis, 0, 1))
        x = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    total = torch.cumprod(x, axis, dtype=x.dtype)
    return total.flip([axis]) if reverse else total


def CumSum(x, axis, exclusive=0, reverse=0):
    (axis,) = listed(axis)
    x = x.flip([axis]) if reverse else x
    total = torch.cumsum(x, axis, dtype=x.dtype)
    total = total - x if exclusive else total
    return total.flip([axis]) if reverse else total
