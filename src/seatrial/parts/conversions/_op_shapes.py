"""ONNX's operators that move numbers about, in torch: shapes, slices, gathering and scattering."""
# ruff: noqa: N802

from __future__ import annotations

import math

import torch
from torch.nn import functional

from seatrial.parts.conversions._op_base import DTYPES, axes_of, ints, is_host, listed, tensor


def Identity(x):
    return x


def Dropout(x, ratio=None, training_mode=None, seed=0, outputs=1):
    """Nothing is dropped when a model answers."""
    if training_mode is not None and bool(training_mode):
        raise ValueError("Dropout in training mode answers by chance")
    return x if outputs == 1 else (x, torch.ones_like(x, dtype=torch.bool))


def Shape(x, start=0, end=None):
    return shape_of(x)[start:end]


def Size(x):
    return math.prod(shape_of(x))


def shape_of(x):
    """Of sizes, too: so many in a list, none for a lone one."""
    if is_host(x):
        return [len(x)] if isinstance(x, list) else []
    return list(x.shape)


def Reshape(x, shape, allowzero=0):
    wanted = listed(shape)
    if is_host(x):
        return x[0] if wanted == [] else listed(x)
    wanted = [x.shape[axis] if size == 0 and not allowzero else size for axis, size in enumerate(wanted)]
    return x.reshape(wanted)


def Flatten(x, axis=1):
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def Transpose(x, perm=None):
    return x.permute(perm if perm is not None else list(range(x.ndim))[::-1])


def Squeeze(x, axes=None):
    if is_host(x):
        return listed(x)[0]
    dims = [axis for axis, size in enumerate(x.shape) if size == 1] if axes is None else axes_of(axes, x)
    return x.squeeze(dims)


def Unsqueeze(x, axes):
    if is_host(x):
        return listed(x)
    rank = x.ndim + len(listed(axes))
    for axis in sorted(axis % rank for axis in listed(axes)):
        x = x.unsqueeze(axis)
    return x


def Concat(*values, axis):
    if is_host(*values):
        return [size for value in values for size in listed(value)]
    like = next(value for value in values if isinstance(value, torch.Tensor))
    return torch.cat([tensor(value, like) for value in values], dim=axis)


def Split(x, split=None, axis=0, num_outputs=None, outputs=1):
    """In the given sizes, else in equal ones, the last of which may be smaller."""
    if split is None:
        each = -(-x.shape[axis] // (num_outputs or outputs))
        split = [each] * (outputs - 1)
        split.append(x.shape[axis] - sum(split))
    parts = torch.split(x, listed(split), dim=axis)
    return parts if outputs > 1 else parts[0]


def Slice(x, starts, ends, axes=None, steps=None):
    starts, ends = listed(starts), listed(ends)
    axes = list(range(len(starts))) if axes is None else listed(axes)
    steps = [1] * len(starts) if steps is None else listed(steps)
    if is_host(x):
        return listed(x)[slice(starts[0], ends[0], steps[0])]
    whole = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step > 0:
            whole[axis] = slice(start, end, step)
        else:
            picked = list(range(*slice(start, end, step).indices(x.shape[axis])))
            x = x.index_select(axis, tensor(picked, x))
    return x[tuple(whole)]


def Gather(x, indices, axis=0):
    if is_host(x, indices):
        return [x[index] for index in indices] if isinstance(indices, list) else x[indices]
    x = tensor(x, indices)
    if not isinstance(indices, torch.Tensor) and not isinstance(indices, list):
        return x.select(axis, indices)
    before = (slice(None),) * (axis % x.ndim)
    return x[(*before, tensor(indices, x).long())]


def GatherElements(x, indices, axis=0):
    return torch.gather(x, axis, torch.where(indices < 0, indices + x.shape[axis], indices))


def GatherND(x, indices, batch_dims=0):
    count = indices.shape[-1]
    batch = x.shape[:batch_dims]
    flat, picks = (
        x.reshape(-1, *x.shape[batch_dims:]),
        indices.reshape(math.prod(batch), -1, count) if batch else indices.reshape(1, -1, count),
    )
    rows = torch.arange(flat.shape[0], device=x.device)[:, None]
    found = flat[(rows, *(picks[..., one] for one in range(count)))]
    return found.reshape(*indices.shape[:-1], *x.shape[batch_dims + count :])


_SCATTERED = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def ScatterElements(x, indices, updates, axis=0, reduction="none"):
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    if reduction == "none":
        return x.scatter(axis, indices, updates)
    return x.scatter_reduce(axis, indices, updates, _SCATTERED[reduction])


def ScatterND(x, indices, updates, reduction="none"):
    """Whole slices at places given by `indices`; they are counted as rows of what comes before."""
    count = indices.shape[-1]
    outer, inner = x.shape[:count], x.shape[count:]
    strides = tensor([math.prod(outer[one + 1 :]) for one in range(count)], x)
    limits = tensor(list(outer), x)
    places = (torch.where(indices < 0, indices + limits, indices) * strides).sum(-1).reshape(-1)
    flat, values = x.reshape(math.prod(outer), -1), updates.reshape(len(places), -1)
    places = places[:, None].expand_as(values)
    made = (
        flat.scatter(0, places, values)
        if reduction == "none"
        else flat.scatter_reduce(0, places, values, _SCATTERED[reduction])
    )
    return made.reshape(*outer, *inner)


def Expand(x, shape):
    wanted = listed(shape)
    x = tensor(x)
    own = [1] * (len(wanted) - x.ndim) + list(x.shape)
    wanted = [1] * (len(own) - len(wanted)) + wanted
    return x.expand([size if one == 1 else one for one, size in zip(own, wanted, strict=True)])


def Tile(x, repeats):
    return x.repeat(listed(repeats))


def Pad(x, pads, value=None, axes=None, mode="constant"):
    """Constant, reflected, of the edge, or wrapped; negative numbers cut off."""
    pads, axes = listed(pads), axes_of(axes, x)
    half = len(pads) // 2
    ends = dict(zip(axes, zip(pads[:half], pads[half:], strict=True), strict=True))
    if mode == "constant":
        flat = [one for axis in reversed(range(x.ndim)) for one in ends.get(axis, (0, 0))]
        filling = 0 if value is None else value.item() if isinstance(value, torch.Tensor) else listed(value)[0]
        return functional.pad(x, flat, value=filling)
    for axis, (before, after) in ends.items():
        x = x.index_select(axis, tensor(padding(mode, x.shape[axis], before, after), x))
    return x


def padding(mode, size, before, after):
    """Which places are read where an axis is longer, or shorter, by so many on either side."""
    places = range(-before, size + after)
    if mode == "edge":
        return [min(max(place, 0), size - 1) for place in places]
    if mode == "wrap":
        return [place % size for place in places]
    period = max(2 * (size - 1), 1)
    return [min(place % period, period - place % period) for place in places]


def ConstantOfShape(shape, value=None):
    filling = torch.zeros(1) if value is None else value
    return filling.reshape(()).expand(listed(shape)).clone()


def Range(start, limit, delta):
    given = [value.item() if isinstance(value, torch.Tensor) else value for value in (start, limit, delta)]
    like = start if isinstance(start, torch.Tensor) else next((v for v in (limit, delta) if isinstance(v, torch.Tensor)), None)  # fmt: skip
    dtype, device = (torch.int64, None) if like is None else (like.dtype, like.device)
    return torch.arange(*given, dtype=dtype, device=device)


def OneHot(indices, depth, values, axis=-1):
    (depth,) = listed(depth)
    places = torch.arange(int(depth), device=indices.device)
    wanted = indices.long().unsqueeze(axis)
    wanted = torch.where(wanted < 0, wanted + int(depth), wanted)
    shape = [1] * wanted.ndim
    shape[axis] = -1
    return torch.where(wanted == places.reshape(shape), values[1], values[0])


def EyeLike(x, dtype=None, k=0):
    made = torch.ones_like(x, dtype=x.dtype if dtype is None else DTYPES[dtype])
    return torch.triu(torch.tril(made, k), k)


def Trilu(x, k=None, upper=1):
    by = 0 if k is None else ints(k)
    by = by[0] if isinstance(by, list) else by
    return torch.triu(x, by) if upper else torch.tril(x, by)


def TopK(x, k, axis=-1, largest=1, sorted=1, outputs=2):
    """Equal ones come in the order in which they stand."""
    (count,) = listed(k)
    values, places = torch.sort(x, dim=axis, descending=bool(largest), stable=True)
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


def NonZero(x):
    return torch.nonzero(x).T


def Compress(x, condition, axis=None):
    places = torch.nonzero(condition).reshape(-1)
    return x.reshape(-1)[places] if axis is None else x.index_select(axis, places)


def DepthToSpace(x, blocksize, mode="DCR"):
    n, c, h, w = x.shape
    b = blocksize
    if mode == "DCR":
        return x.reshape(n, b, b, c // b**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)
    return x.reshape(n, c // b**2, b, b, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)


def SpaceToDepth(x, blocksize, mode="DCR"):
    n, c, h, w = x.shape
    b = blocksize
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return x.reshape(n, c, h // b, b, w // b, b).permute(*order).reshape(n, c * b * b, h // b, w // b)
