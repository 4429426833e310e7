"""What ONNX's operators in torch share: shapes that stay Python numbers, and broadcasting between them and tensors.

A shape that a model computes (Shape, Gather, Concat, Reshape) stays a whole number or a list of them, so that a compiler sees
sizes and not data. Everything else is a tensor.
"""

from __future__ import annotations

import functools

import torch

DTYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    4: torch.uint16,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    12: torch.uint32,
    13: torch.uint64,
    16: torch.bfloat16,
}
"""Types of numbers by ONNX's numbers for them."""


def is_host(*values):
    """Whether all are sizes: whole numbers or lists of them."""
    return all(isinstance(value, int | list | torch.SymInt) for value in values)


def tensor(value, like=None):
    """A tensor as it is; sizes as int64, where `like` lies."""
    if isinstance(value, torch.Tensor):
        return value
    return torch.tensor(value, dtype=torch.int64, device=like.device if isinstance(like, torch.Tensor) else None)


def ints(value):
    """Sizes as Python numbers: what a tensor holds, or the sizes themselves."""
    return value.tolist() if isinstance(value, torch.Tensor) else value


def listed(value):
    """The same, always a list."""
    found = ints(value)
    return found if isinstance(found, list) else [found]


def answered(value, to):
    """An output of the model: a tensor of the type that the model states."""
    return tensor(value).to(DTYPES[to])


def sizes(function, one, other):
    """`function` on sizes, element by element."""
    if not isinstance(one, list) and not isinstance(other, list):
        return function(one, other)
    first, second = ([value] if not isinstance(value, list) else value for value in (one, other))
    length = max(len(first), len(second))
    first, second = (value * length if len(value) == 1 else value for value in (first, second))
    return [function(a, b) for a, b in zip(first, second, strict=True)]


def elementwise(function, on_sizes, one, other):
    """`function` on tensors, `on_sizes` where both are sizes."""
    if is_host(one, other):
        return sizes(on_sizes, one, other)
    return function(tensor(one, other), tensor(other, one))


def folded(function, values):
    """`function` over all values from the left."""
    return functools.reduce(function, [tensor(value, values[0]) for value in values])


def axes_of(axes, x):
    """Axes as a list without negative ones; all where none is given."""
    if axes is None:
        return list(range(x.ndim))
    return [axis % max(x.ndim, 1) for axis in listed(axes)]
