"""ONNX's Resize and Upsample in torch: one axis after the other, each new place read from its neighbours in the old axis."""
# ruff: noqa: N802

from __future__ import annotations

import torch

from seatrial.parts.conversions._op_base import axes_of, listed, tensor


def Upsample(x, scales, mode="nearest"):
    """Sizes by floor, places without an offset, as it was before operator set 10."""
    return Resize(x, None, scales, None, mode, "asymmetric", nearest_mode="floor")


def Resize(x, roi=None, scales=None, sizes=None, mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_floor", cubic_coeff_a=-0.75, exclude_outside=0, extrapolation_value=0.0, keep_aspect_ratio_policy="stretch", antialias=0, axes=None):  # fmt: skip
    """Nearest, linear or cubic. Antialiasing and a region of interest aren't known here."""
    if antialias or coordinate_transformation_mode == "tf_crop_and_resize":
        raise ValueError("Resize with antialiasing or a region of interest isn't known here")
    wanted = axes_of(axes, x)
    factors, lengths = measures(x, scales, sizes, wanted, keep_aspect_ratio_policy)
    for axis, factor, length in zip(wanted, factors, lengths, strict=True):
        if factor == 1 and length == x.shape[axis]:
            continue
        old = x.shape[axis]
        places = origins(coordinate_transformation_mode, old, length, factor, x.device)
        for_axis = neighbours(places, old, mode, nearest_mode, cubic_coeff_a, exclude_outside)
        x = blended(x, axis, for_axis)
    return x


def measures(x, scales, sizes, axes, policy):
    """The factor and the new length of each axis."""
    old = [x.shape[axis] for axis in axes]
    given = [] if scales is None else listed(scales)
    if given:
        return given, [int(length * factor + 1e-7) for length, factor in zip(old, given, strict=True)]
    lengths = listed(sizes)
    factors = [new / length for new, length in zip(lengths, old, strict=True)]
    if policy == "stretch":
        return factors, lengths
    one = min(factors) if policy == "not_larger" else max(factors)
    return [one] * len(old), [int(one * length + 0.5) for length in old]


def origins(mode, old, new, factor, device):
    """Where each new place lies on the old axis, in double precision."""
    places = torch.arange(new, dtype=torch.float64, device=device)
    if mode == "asymmetric":
        return places / factor
    if mode == "align_corners":
        return places * (old - 1) / (factor * old - 1) if new > 1 else torch.zeros_like(places)
    if mode == "pytorch_half_pixel" and new == 1:
        return torch.zeros_like(places)
    if mode == "half_pixel_symmetric":
        offset = old / 2 * (1 - new / (factor * old))
        return offset + (places + 0.5) / factor - 0.5
    return (places + 0.5) / factor - 0.5


def neighbours(places, old, mode, rounding, a, exclude):
    """Pairs of places in the old axis and their weights, one for each new place."""
    if mode == "nearest":
        rules = {"floor": torch.floor, "ceil": torch.ceil, "round_prefer_ceil": lambda v: torch.floor(v + 0.5)}
        found = rules.get(rounding, lambda v: torch.ceil(v - 0.5))(places)
        return [(found.clamp(0, old - 1).long(), None)]
    floor = torch.floor(places)
    part = places - floor
    if mode == "linear":
        pairs = [(floor, 1 - part), (floor + 1, part)]
    else:
        pairs = [(floor + by, cubic(torch.abs(part - by), a)) for by in (-1, 0, 1, 2)]
        if exclude:
            kept = [(at, torch.where((at >= 0) & (at < old), weight, 0.0)) for at, weight in pairs]
            total = sum(weight for _, weight in kept)
            pairs = [(at, weight / total) for at, weight in kept]
    return [(at.clamp(0, old - 1).long(), weight) for at, weight in pairs]


def cubic(far, a):
    """The weight of a neighbour so far away (Keys 1981)."""
    near = ((a + 2) * far - (a + 3)) * far * far + 1
    return torch.where(far <= 1, near, ((a * far - 5 * a) * far + 8 * a) * far - 4 * a)


def blended(x, axis, pairs):
    """The neighbours by their weights, added up."""
    shape = [1] * x.ndim
    shape[axis] = -1
    made = None
    for at, weight in pairs:
        piece = x.index_select(axis, tensor(at))
        piece = piece if weight is None else piece * weight.to(x.dtype).reshape(shape)
        made = piece if made is None else made + piece
    return made
