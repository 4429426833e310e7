"""ONNX's arithmetic, comparisons and activations in torch. A function is named as its operator."""
# ruff: noqa: N802

from __future__ import annotations

import operator

import torch
from torch.nn import functional

from seatrial.parts.conversions._op_base import DTYPES, elementwise, folded, is_host, listed, tensor


def Add(a, b):
    return elementwise(torch.add, operator.add, a, b)


def Sub(a, b):
    return elementwise(torch.sub, operator.sub, a, b)


def Mul(a, b):
    return elementwise(torch.mul, operator.mul, a, b)


def Div(a, b):
    """Whole numbers are divided towards zero."""
    return elementwise(divided, operator.floordiv, a, b)


def divided(a, b):
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() or b.is_floating_point() else "trunc")


def Mod(a, b, fmod=0):
    return elementwise(torch.fmod if fmod else torch.remainder, operator.mod, a, b)


def Pow(a, b):
    """In the type of the base."""
    a, b = tensor(a, b), tensor(b, a)
    wide = a if a.is_floating_point() else a.double()
    return torch.pow(wide, b).to(a.dtype)


def Max(*values):
    return folded(torch.maximum, values)


def Min(*values):
    return folded(torch.minimum, values)


def Sum(*values):
    return folded(torch.add, values)


def Mean(*values):
    return folded(torch.add, values) / len(values)


def Equal(a, b):
    return elementwise(torch.eq, operator.eq, a, b)


def Greater(a, b):
    return torch.gt(tensor(a, b), tensor(b, a))


def GreaterOrEqual(a, b):
    return torch.ge(tensor(a, b), tensor(b, a))


def Less(a, b):
    return torch.lt(tensor(a, b), tensor(b, a))


def LessOrEqual(a, b):
    return torch.le(tensor(a, b), tensor(b, a))


def And(a, b):
    return torch.logical_and(a, b)


def Or(a, b):
    return torch.logical_or(a, b)


def Xor(a, b):
    return torch.logical_xor(a, b)


def Not(x):
    return torch.logical_not(x)


def BitwiseAnd(a, b):
    return torch.bitwise_and(a, b)


def BitwiseOr(a, b):
    return torch.bitwise_or(a, b)


def BitwiseXor(a, b):
    return torch.bitwise_xor(a, b)


def BitwiseNot(x):
    return torch.bitwise_not(x)


def IsNaN(x):
    return torch.isnan(x)


def IsInf(x, detect_negative=1, detect_positive=1):
    wanted = torch.zeros_like(x, dtype=torch.bool)
    if detect_positive:
        wanted = wanted | torch.isposinf(x)
    return wanted | torch.isneginf(x) if detect_negative else wanted


def Where(condition, a, b):
    if is_host(condition, a, b):
        chosen = (listed(condition), listed(a), listed(b))
        length = max(map(len, chosen))
        return [y if x else z for x, y, z in zip(*(one * length if len(one) == 1 else one for one in chosen), strict=True)]  # fmt: skip
    like = next(value for value in (condition, a, b) if isinstance(value, torch.Tensor))
    return torch.where(tensor(condition, like).bool(), tensor(a, like), tensor(b, like))


# --- one number at a time -------------------------------------------------------------------------------------------------


def Abs(x):
    return torch.abs(x)


def Neg(x):
    return -x


def Sign(x):
    return torch.sign(x)


def Ceil(x):
    return torch.ceil(x)


def Floor(x):
    return torch.floor(x)


def Round(x):
    """Halves to the even neighbour."""
    return torch.round(x)


def Exp(x):
    return torch.exp(x)


def Log(x):
    return torch.log(x)


def Sqrt(x):
    return torch.sqrt(x)


def Reciprocal(x):
    return torch.reciprocal(x)


def Erf(x):
    return torch.erf(x)


def Sin(x):
    return torch.sin(x)


def Cos(x):
    return torch.cos(x)


def Tan(x):
    return torch.tan(x)


def Asin(x):
    return torch.asin(x)


def Acos(x):
    return torch.acos(x)


def Atan(x):
    return torch.atan(x)


def Sinh(x):
    return torch.sinh(x)


def Cosh(x):
    return torch.cosh(x)


def Asinh(x):
    return torch.asinh(x)


def Acosh(x):
    return torch.acosh(x)


def Atanh(x):
    return torch.atanh(x)


def Clip(x, min=None, max=None):
    """Bounds are inputs or attributes; where they cross, the upper one wins."""
    for bound, chosen in ((min, torch.maximum), (max, torch.minimum)):
        if bound is not None:
            x = chosen(x, torch.as_tensor(bound, dtype=x.dtype, device=x.device))
    return x


# --- activations ----------------------------------------------------------------------------------------------------------


def Relu(x):
    return torch.relu(x)


def LeakyRelu(x, alpha=0.01):
    return functional.leaky_relu(x, alpha)


def PRelu(x, slope):
    return torch.where(x < 0, x * slope, x)


def Elu(x, alpha=1.0):
    return functional.elu(x, alpha)


def Celu(x, alpha=1.0):
    return functional.celu(x, alpha)


def Selu(x, alpha=1.6732632423543772, gamma=1.0507009873554805):
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(torch.clamp(x, max=0)))


def ThresholdedRelu(x, alpha=1.0):
    return torch.where(x > alpha, x, torch.zeros_like(x))


def Sigmoid(x):
    return torch.sigmoid(x)


def HardSigmoid(x, alpha=0.2, beta=0.5):
    return torch.clamp(alpha * x + beta, 0, 1)


def HardSwish(x):
    return functional.hardswish(x)


def Swish(x, alpha=1.0):
    return x * torch.sigmoid(alpha * x)


def Mish(x):
    return functional.mish(x)


def Tanh(x):
    return torch.tanh(x)


def Softplus(x):
    return functional.softplus(x)


def Softsign(x):
    return functional.softsign(x)


def Gelu(x, approximate="none"):
    return functional.gelu(x, approximate=approximate)


def Shrink(x, bias=0.0, lambd=0.5):
    zero = torch.zeros_like(x)
    return torch.where(x < -lambd, x + bias, torch.where(x > lambd, x - bias, zero)).to(x.dtype)


def Softmax(x, axis=None, opset=13):
    return over_axis(torch.softmax, x, axis, opset)


def LogSoftmax(x, axis=None, opset=13):
    return over_axis(torch.log_softmax, x, axis, opset)


def Hardmax(x, axis=None, opset=13):
    def hardest(values, dim):
        found = values.argmax(dim=dim, keepdim=True)
        return torch.zeros_like(values).scatter(dim, found, 1.0)

    return over_axis(hardest, x, axis, opset)


def over_axis(function, x, axis, opset):
    """Along one axis; before operator set 13 along all axes from this one on, taken together."""
    if opset >= 13:
        return function(x, dim=-1 if axis is None else axis)
    axis = (1 if axis is None else axis) % x.ndim
    return function(x.flatten(axis), dim=-1).reshape(x.shape)


def Cast(x, to, saturate=1, round_mode="up"):
    """Sizes stay sizes as whole numbers."""
    return x if is_host(x) and to in (6, 7) else tensor(x).to(DTYPES[to])


def CastLike(x, like, saturate=1, round_mode="up"):
    return x.to(like.dtype)
