"""Operators of ONNX Runtime's own (`com.microsoft`) in torch: weights in 4 bits, fused and quantised ones that its tools write."""
# ruff: noqa: N802

from __future__ import annotations

import torch
from torch.nn import functional

from seatrial.parts.conversions._op_integers import carried, less, requantised, whole_product


def unpacked(packed, bits):
    """Numbers of so few bits from bytes, the lowest bits first; the last axis gets longer."""
    each = 8 // bits
    shifts = torch.arange(each, device=packed.device) * bits
    parts = (packed.to(torch.int32)[..., None] >> shifts) & (2**bits - 1)
    return parts.reshape(*packed.shape[:-1], packed.shape[-1] * each)


def MatMulNBits(a, b, scales, zeros=None, g_idx=None, bias=None, K=0, N=0, bits=4, block_size=32, accuracy_level=0, weight_prepacked=0):  # noqa: N803  # fmt: skip
    """A product with weights of a few bits: `b` is N x blocks x bytes, each block with a scale (and a zero point)."""
    if g_idx is not None or weight_prepacked:
        raise ValueError("MatMulNBits with `g_idx` or prepacked weights isn't known here")
    blocks = -(-K // block_size)
    whole = unpacked(b.reshape(N, blocks, -1), bits)[..., :block_size].float()
    middle = 2.0 ** (bits - 1)
    if zeros is not None and zeros.is_floating_point():
        middle = zeros.reshape(N, blocks, 1)
    elif zeros is not None:
        middle = unpacked(zeros.reshape(N, -1), bits)[:, :blocks, None].float()
    weights = ((whole - middle) * scales.reshape(N, blocks, 1)).reshape(N, -1)[:, :K]
    return functional.linear(a, weights.to(a.dtype), bias)


def GatherBlockQuantized(x, indices, scales, zeros=None, bits=4, block_size=128, gather_axis=0, quantize_axis=1):
    """Rows of a table in a few bits; one byte holds two numbers of 4 bits where the table is of bytes."""
    packed = x.dtype == torch.uint8
    whole = unpacked(x, bits).float() if packed and bits < 8 else x.float()
    middle = (2.0 ** (bits - 1) if packed else 0.0) if zeros is None else zeros
    if isinstance(middle, torch.Tensor):
        middle = unpacked(middle, bits) if packed and bits < 8 else middle
        middle = middle[..., : scales.shape[-1]].float().repeat_interleave(block_size, quantize_axis)
        middle = middle.narrow(quantize_axis, 0, whole.shape[quantize_axis])
    wide = scales.repeat_interleave(block_size, quantize_axis).narrow(quantize_axis, 0, whole.shape[quantize_axis])
    table = (whole - middle) * wide
    before = (slice(None),) * (gather_axis % table.ndim)
    return table[(*before, indices.long())]


def FusedMatMul(a, b, alpha=1.0, transA=0, transB=0, transBatchA=0, transBatchB=0):  # noqa: N803
    if transBatchA or transBatchB:
        raise ValueError("FusedMatMul with transposed batches isn't known here")
    return alpha * torch.matmul(a.mT if transA else a, b.mT if transB else b)


def FastGelu(x, bias=None):
    return functional.gelu(x if bias is None else x + bias, approximate="tanh")


def BiasGelu(x, bias):
    return functional.gelu(x + bias)


def QuickGelu(x, alpha=1.702):
    return x * torch.sigmoid(alpha * x)


def SkipLayerNormalization(x, skip, gamma, beta=None, bias=None, epsilon=1e-12):
    total = x + skip if bias is None else x + skip + bias
    return functional.layer_norm(total, list(gamma.shape), gamma, beta, epsilon)


# --- quantised ones ------------------------------------------------------------------------------------------------------


def real(x, scale, zero):
    return less(x, zero) * scale


def QLinearAdd(a, a_scale, a_zero, b, b_scale, b_zero, scale, zero=None, kind="uint8"):
    return requantised(real(a, a_scale, a_zero) + real(b, b_scale, b_zero), 1 / scale, zero, kind)


def QLinearMul(a, a_scale, a_zero, b, b_scale, b_zero, scale, zero=None, kind="uint8"):
    return requantised(real(a, a_scale, a_zero) * real(b, b_scale, b_zero), 1 / scale, zero, kind)


def QLinearSigmoid(x, x_scale, x_zero, scale, zero=None, kind="uint8"):
    return requantised(torch.sigmoid(real(x, x_scale, x_zero)), 1 / scale, zero, kind)


def QLinearLeakyRelu(x, x_scale, x_zero, scale, zero=None, alpha=0.01, kind="uint8"):
    return requantised(functional.leaky_relu(real(x, x_scale, x_zero), alpha), 1 / scale, zero, kind)


def QLinearGlobalAveragePool(x, x_scale, x_zero, scale, zero, channels_last=0, kind="uint8"):
    axes = list(range(1, x.ndim - 1)) if channels_last else list(range(2, x.ndim))
    return requantised(real(x, x_scale, x_zero).mean(axes, keepdim=True), 1 / scale, zero, kind)


def QLinearConcat(scale, zero, *parts, axis, kind="uint8"):
    told = [real(*parts[first : first + 3]) for first in range(0, len(parts), 3)]
    return requantised(torch.cat(told, dim=axis), 1 / scale, zero, kind)


def QGemm(a, a_scale, a_zero, b, b_scale, b_zero, c=None, y_scale=None, y_zero=None, alpha=1.0, transA=0, transB=0, kind="uint8"):  # noqa: N803  # fmt: skip
    """Without a scale of the result it is given in floats."""
    a, b = less(a, a_zero), less(b, b_zero, 0 if transB else -1)
    total = whole_product(a.mT if transA else a, b.mT if transB else b)
    total = total if c is None else total + carried(c)
    factor = alpha * a_scale * b_scale
    return total * factor if y_scale is None else requantised(total, factor / y_scale, y_zero, kind)


def MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero=None, b_zero=None, bias=None):
    made = whole_product(less(a, a_zero), less(b, b_zero, -1)) * (a_scale * b_scale)
    return made if bias is None else made + bias


def DynamicQuantizeMatMul(a, b, b_scale, b_zero=None, bias=None):
    low, high = torch.clamp(a.detach().amin(), max=0), torch.clamp(a.detach().amax(), min=0)
    scale = torch.where(high == low, torch.ones_like(high), (high - low) / 255)
    zero = torch.clamp(torch.round(-low / scale), 0, 255)
    whole = requantised(a, 1 / scale, zero, "uint8")
    return MatMulIntegerToFloat(whole, b, scale, b_scale, zero, b_zero, bias)
