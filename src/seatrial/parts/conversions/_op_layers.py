"""ONNX's matrix products, convolutions, pooling and normalisation in torch."""
# ruff: noqa: N802

from __future__ import annotations

import math

import torch
from torch.nn import functional

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
_MAX = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVERAGE = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


def MatMul(a, b):
    return torch.matmul(a, b)


def Gemm(a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):  # noqa: N803
    a, b = a.T if transA else a, b.T if transB else b
    if c is not None and alpha == beta == 1.0:
        return torch.addmm(c, a, b) if a.is_floating_point() else a @ b + c
    made = a @ b if alpha == 1.0 else alpha * (a @ b)
    return made if c is None else made + (c if beta == 1.0 else beta * c)


def Det(x):
    return torch.linalg.det(x)


def Einsum(*values, equation):
    return torch.einsum(equation, *values)


# --- convolutions ---------------------------------------------------------------------------------------------------------


def pads_of(lengths, kernel, strides, dilations, pads, auto_pad):
    """Begin and end of the padding of each axis."""
    if auto_pad in ("NOTSET", "VALID"):
        found = [0] * (2 * len(kernel)) if pads is None or auto_pad == "VALID" else pads
        return list(zip(found[: len(kernel)], found[len(kernel) :], strict=True))
    wanted = []
    for length, size, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True):
        total = max((-(-length // stride) - 1) * stride + dilation * (size - 1) + 1 - length, 0)
        less, more = total // 2, total - total // 2
        wanted.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
    return wanted


def padded(x, ends, value=0.0):
    """The spatial axes made longer on both sides."""
    flat = [one for pair in reversed(ends) for one in pair]
    return functional.pad(x, flat, value=value) if any(flat) else x


def Conv(x, w, b=None, auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None):
    rank = w.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    ends = pads_of(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    even = all(before == after for before, after in ends)
    x = x if even else padded(x, ends)
    return _CONV[rank](x, w, b, strides, [before if even else 0 for before, _ in ends], dilations, group)


def ConvTranspose(x, w, b=None, auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, output_padding=None, output_shape=None, pads=None, strides=None):  # fmt: skip
    rank = w.ndim - 2
    strides, dilations, more = strides or [1] * rank, dilations or [1] * rank, output_padding or [0] * rank
    full = [
        stride * (length - 1) + extra + dilation * (size - 1) + 1
        for length, size, stride, dilation, extra in zip(
            x.shape[2:], w.shape[2:], strides, dilations, more, strict=True
        )
    ]
    if auto_pad.startswith("SAME") and output_shape is None:
        output_shape = [length * stride for length, stride in zip(x.shape[2:], strides, strict=True)]
    if output_shape is not None:
        over = [size - wanted for size, wanted in zip(full, output_shape[-rank:], strict=True)]
        ends = [(int(one / 2), one - int(one / 2)) for one in over]
        ends = [one[::-1] for one in ends] if auto_pad == "SAME_LOWER" else ends
    else:
        ends = pads_of(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    # what the output is longer by than torch makes it, is filled with the bias: torch wants it shorter than a stride
    made = _TRANSPOSED[rank](x, w, None, strides, 0, 0, group, dilations)
    made = padded(made, [(-before, extra - after) for (before, after), extra in zip(ends, more, strict=True)])
    return made if b is None else made + b.reshape(-1, *[1] * rank)


# --- pooling --------------------------------------------------------------------------------------------------------------


def windows(x, kernel, strides, dilations, pads, auto_pad, ceil_mode):
    """Padding of each axis, the end of it long enough for the last window that starts on the input or before it."""
    ends = []
    given = pads_of(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
    for length, size, stride, dilation, (before, after) in zip(x.shape[2:], kernel, strides, dilations, given, strict=True):  # fmt: skip
        room = length + before + after - dilation * (size - 1) - 1
        count = room // stride + 1
        if ceil_mode and room % stride and count * stride < length + before:
            count += 1
        ends.append((before, after, max((count - 1) * stride + dilation * (size - 1) + 1 - length - before - after, 0)))
    return ends


def MaxPool(x, kernel_shape, auto_pad="NOTSET", ceil_mode=0, dilations=None, pads=None, storage_order=0, strides=None):
    rank = len(kernel_shape)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    ends = windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    wide = x if x.is_floating_point() else x.float()
    wide = padded(wide, [(before, after + more) for before, after, more in ends], -math.inf)
    return _MAX[rank](wide, kernel_shape, strides, 0, dilations).to(x.dtype)


def AveragePool(x, kernel_shape, auto_pad="NOTSET", ceil_mode=0, count_include_pad=0, dilations=None, pads=None, strides=None):  # fmt: skip
    rank = len(kernel_shape)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    ends = windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    if not any(any(one) for one in ends) and set(dilations) == {1}:
        return _AVERAGE[rank](x, kernel_shape, strides)
    counted = torch.ones_like(x[:1, :1])
    if count_include_pad:
        counted = padded(counted, [one[:2] for one in ends], 1.0)
        counted = padded(counted, [(0, one[2]) for one in ends])
    else:
        counted = padded(counted, [(one[0], one[1] + one[2]) for one in ends])
    x = padded(x, [(one[0], one[1] + one[2]) for one in ends])
    return summed(x, kernel_shape, strides, dilations) / summed(counted, kernel_shape, strides, dilations)


def summed(x, kernel, strides, dilations):
    """The sum of each window."""
    ones = torch.ones((1, 1, *kernel), dtype=x.dtype, device=x.device)
    flat = x.reshape(-1, 1, *x.shape[2:])
    made = _CONV[len(kernel)](flat, ones, None, strides, 0, dilations)
    return made.reshape(*x.shape[:2], *made.shape[2:])


def GlobalAveragePool(x):
    return x.mean(dim=list(range(2, x.ndim)), keepdim=True)


def GlobalMaxPool(x):
    return x.amax(dim=list(range(2, x.ndim)), keepdim=True)


def LpPool(x, kernel_shape, auto_pad="NOTSET", ceil_mode=0, dilations=None, p=2, pads=None, strides=None):
    rank = len(kernel_shape)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    ends = windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    x = padded(x.abs() ** p, [(one[0], one[1] + one[2]) for one in ends])
    return summed(x, kernel_shape, strides, dilations) ** (1 / p)


_GRID = {"linear": "bilinear", "cubic": "bicubic"}


def GridSample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=0):
    """Pictures, or volumes without cubic ones."""
    return functional.grid_sample(x, grid, _GRID.get(mode, mode), padding_mode, bool(align_corners))


# --- normalisation --------------------------------------------------------------------------------------------------------


def BatchNormalization(x, scale, b, mean, var, epsilon=1e-5, momentum=0.9, spatial=1, training_mode=0):
    if training_mode or not spatial:
        raise ValueError("BatchNormalization that trains, or without `spatial`, isn't known here")
    return functional.batch_norm(x, mean, var, scale, b, False, 0.0, epsilon)


def InstanceNormalization(x, scale, b, epsilon=1e-5):
    axes = list(range(2, x.ndim))
    shape = (-1, *[1] * len(axes))
    return centred(x, axes, epsilon)[0] * scale.reshape(shape) + b.reshape(shape)


def centred(x, axes, epsilon):
    """Less its mean, over its deviation; and the mean and the reciprocal of the deviation."""
    mean = x.mean(axes, keepdim=True)
    rest = x - mean
    inverse = torch.rsqrt((rest * rest).mean(axes, keepdim=True) + epsilon)
    return rest * inverse, mean, inverse


def LayerNormalization(x, scale, b=None, axis=-1, epsilon=1e-5, stash_type=1, outputs=1):
    axes = list(range(axis % x.ndim, x.ndim))
    shape = x.shape[axes[0] :]
    if outputs == 1 and scale.shape == shape and (b is None or b.shape == shape):
        return functional.layer_norm(x, list(shape), scale, b, epsilon)
    wide = x.float() if stash_type == 1 else x
    made, mean, inverse = centred(wide, axes, epsilon)
    made = made.to(x.dtype) * scale
    made = made if b is None else made + b
    return made if outputs == 1 else (made, mean, inverse)[:outputs]


def RMSNormalization(x, scale, axis=-1, epsilon=1e-5, stash_type=1):
    axes = list(range(axis % x.ndim, x.ndim))
    wide = x.float() if stash_type == 1 else x
    return (wide * torch.rsqrt((wide * wide).mean(axes, keepdim=True) + epsilon)).to(x.dtype) * scale


def GroupNormalization(x, scale, b, num_groups, epsilon=1e-5, stash_type=1, opset=21):
    """Scale and shift are given for each channel; before operator set 21 for each group."""
    each = x.shape[1] // num_groups if opset < 21 else 1
    scale, b = scale.repeat_interleave(each), b.repeat_interleave(each)
    return functional.group_norm(x, num_groups, scale, b, epsilon)


def LpNormalization(x, axis=-1, p=2):
    size = torch.linalg.vector_norm(x, ord=p, dim=axis, keepdim=True)
    return torch.where(size == 0, torch.zeros_like(x), x / torch.where(size == 0, torch.ones_like(size), size))


def MeanVarianceNormalization(x, axes=None):
    axes = [0, 2, 3] if axes is None else axes
    rest = x - x.mean(axes, keepdim=True)
    return rest / (torch.sqrt((rest * rest).mean(axes, keepdim=True)) + 1e-9)


def LRN(x, size, alpha=1e-4, beta=0.75, bias=1.0):
    before = (size - 1) // 2
    squares = functional.pad((x * x).movedim(1, -1), (before, size - 1 - before))
    return x / (bias + alpha / size * squares.unfold(-1, size, 1).sum(-1).movedim(-1, 1)) ** beta
