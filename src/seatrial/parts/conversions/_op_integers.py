"""ONNX's quantised operators in torch, with gradients.

A quantised number is carried as a whole number in a float, which holds it exactly, and rounding passes the gradient straight
through (Bengio, Leonard & Courville 2013); where a number is cut off at the end of its range the gradient is zero, as it is.
Sums of products are exact: they are taken in pieces so short that a float32 holds them.
"""
# ruff: noqa: N802

from __future__ import annotations

import torch

from seatrial.parts.conversions._op_base import DTYPES
from seatrial.parts.conversions._op_layers import Conv

_RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint4": (0, 15),
    "int4": (-8, 7),
}
_EXACT = 512
"""Products of two 8-bit numbers whose sum a float32 holds exactly: 2**24 / (255 * 128)."""


def carried(x):
    """Whole numbers as floats."""
    return x if x.is_floating_point() else x.float()


def rounded(x):
    """To the nearest whole number, halves to the even one; the gradient passes. The sum is exact."""
    return x + (x.round() - x).detach()


def along(value, x, axis, block=0):
    """A scale or zero point shaped to go with `x`: one number, one for each place of an axis, or one for each block."""
    value = carried(value)
    if block:
        return value.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    if value.numel() == 1:
        return value.reshape(())
    shape = [1] * x.ndim
    shape[axis] = -1
    return value.reshape(shape)


def QuantizeLinear(x, scale, zero=None, axis=1, block_size=0, output_dtype=0, precision=0, saturate=1, kind="uint8"):
    low, high = _RANGES[kind]
    made = rounded(carried(x) / along(scale, x, axis, block_size))
    made = made if zero is None else made + along(zero, x, axis, block_size)
    return torch.clamp(made, low, high)


def DequantizeLinear(x, scale, zero=None, axis=1, block_size=0, output_dtype=0):
    whole = carried(x)
    whole = whole if zero is None else whole - along(zero, x, axis, block_size)
    made = whole * along(scale, x, axis, block_size)
    return made.to(DTYPES[output_dtype] if output_dtype else scale.dtype)


def DynamicQuantizeLinear(x, outputs=3):
    """To 8 bits by the smallest and largest number of all rows together."""
    fixed = x.detach()
    low, high = torch.clamp(fixed.amin(), max=0), torch.clamp(fixed.amax(), min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.clamp(torch.round(-low / scale), 0, 255)
    return torch.clamp(rounded(x / scale) + zero, 0, 255), scale, zero


# --- products -------------------------------------------------------------------------------------------------------------


def whole_product(a, b):
    """The matrix product of whole numbers of 8 bits, in pieces that are exact."""
    length = a.shape[-1]
    with torch.autocast(a.device.type, enabled=False):
        a, b = a.float(), b.float()
        if length <= _EXACT:
            return torch.matmul(a, b)
        pieces = [
            torch.matmul(a[..., first : first + _EXACT], b[..., first : first + _EXACT, :]).double()
            for first in range(0, length, _EXACT)
        ]
        return torch.stack(pieces).sum(0).float()


def whole_conv(x, w, settings):
    """The convolution of whole numbers of 8 bits, in pieces of channels that are exact."""
    window, channels = w[0, 0].numel(), w.shape[1]
    most = max(_EXACT // window, 1)
    with torch.autocast(x.device.type, enabled=False):
        x, w = x.float(), w.float()
        if channels <= most or settings.get("group", 1) > 1:
            return Conv(x, w, None, **settings)
        pieces = [
            Conv(x[:, first : first + most], w[:, first : first + most], None, **settings).double()
            for first in range(0, channels, most)
        ]
        return torch.stack(pieces).sum(0).float()


def less(x, zero, axis=None):
    """Whole numbers less their zero point; along an axis where there is one for each of its places."""
    if zero is None:
        return carried(x)
    zero = carried(zero)
    if zero.numel() > 1 and zero.ndim == 1 and axis is not None:
        shape = [1] * x.ndim
        shape[axis] = -1
        zero = zero.reshape(shape)
    elif zero.numel() == 1:
        zero = zero.reshape(())
    return carried(x) - zero


def requantised(total, factor, zero, kind):
    low, high = _RANGES[kind]
    made = rounded(total * factor)
    return torch.clamp(made if zero is None else made + carried(zero), low, high)


def MatMulInteger(a, b, a_zero=None, b_zero=None):
    return whole_product(less(a, a_zero, -2), less(b, b_zero, -1))


def ConvInteger(x, w, x_zero=None, w_zero=None, auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None):  # fmt: skip
    settings = {"auto_pad": auto_pad, "dilations": dilations, "group": group, "pads": pads, "strides": strides}
    return whole_conv(less(x, x_zero), less(w, w_zero, 0), settings)


def QLinearMatMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, kind="uint8"):
    total = whole_product(less(a, a_zero, -2), less(b, b_zero, -1))
    a_scale, b_scale = (one.float() for one in (a_scale, b_scale))
    a_scale = a_scale[..., None] if a_scale.ndim == 1 and a_scale.numel() > 1 else a_scale
    return requantised(total, a_scale * b_scale / y_scale.float(), y_zero, kind)


def QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b=None, auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None, kind="uint8"):  # fmt: skip
    settings = {"auto_pad": auto_pad, "dilations": dilations, "group": group, "pads": pads, "strides": strides}
    total = whole_conv(less(x, x_zero), less(w, w_zero, 0), settings)
    shape = (-1, *[1] * (w.ndim - 2))
    total = total if b is None else total + carried(b).reshape(shape)
    w_scale = w_scale.reshape(shape) if w_scale.numel() > 1 else w_scale
    return requantised(total, x_scale * w_scale / y_scale, y_zero, kind)
