"""Writes and reads the terms: what the model's owner may say of a network without showing it, and what all three agree on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from seatrial.contracts.parties import Layer, Terms
from seatrial.errors import ModelError, StudyError
from seatrial.flow.secure.network import Network, Step
from seatrial.numerics import fixed_point
from seatrial.numerics.fixed_point import Bound

_WIDEST = 47
"""Bits of a value that leave room for 40 bits of mask in the field of 89."""


def layers(network: Network, low: float, high: float, fraction: int) -> tuple[tuple[Layer, ...], float]:
    """The public layers with bounds that hold for every row between `low` and `high`, and the largest error of a score.

    Raises `ModelError` where values may become too large for these digits.
    """
    bound = fixed_point.start(low, high, (int(np.prod(network.inputs)),), fraction)
    made = []
    for index, step in enumerate(network.steps):
        bound, wide = _after(step, bound, fraction)
        last = index == len(network.steps) - 1
        size = float((bound.size + bound.error).max()) + (2 * float(bound.error.max()) if last else 0.0)
        bits = fixed_point.bits(size, fraction, differences=last or step.kind == "max_pool" or _pooled(network, index))
        made.append(_layer(step, bits, fixed_point.bits(wide, 2 * fraction)))
    return tuple(made), float(bound.error.max())


def _pooled(network: Network, index: int) -> bool:
    return index + 1 < len(network.steps) and network.steps[index + 1].kind == "max_pool"


def _after(step: Step, before: Bound, fraction: int) -> tuple[Bound, float]:
    """Sizes and errors of a flat row after this step, and its largest size before a product is cut."""
    if step.kind == "relu":
        return before, 1.0
    if step.weights is not None and step.bias is not None and step.kind == "linear":
        after, wide = fixed_point.linear(
            Bound(before.size[None], before.error[None]), step.weights, step.bias, fraction
        )
        return Bound(after.size[0], after.error[0]), wide
    places = step.places
    size, error = (np.append(one, 0.0)[places] for one in before)
    if step.kind == "convolution" and step.weights is not None and step.bias is not None:
        flat = Bound(size.reshape(len(places), -1), error.reshape(len(places), -1))
        after, wide = fixed_point.linear(flat, step.weights, step.bias, fraction)
        return Bound(after.size.T.ravel(), after.error.T.ravel()), wide
    if step.kind == "average_pool":
        members = places.shape[2]
        after, wide = fixed_point.averaged(Bound(size.reshape(-1, members), error.reshape(-1, members)), fraction)
        turned = (one.reshape(places.shape[:2]).T.ravel() for one in after)
        return Bound(*turned), wide
    return Bound(size.max(axis=2).T.ravel(), error.max(axis=2).T.ravel()), 1.0


def _layer(step: Step, bits: int, wide: int) -> Layer:
    if max(bits, wide) > _WIDEST:
        raise ModelError(
            f"values of a {step.kind} step may take {max(bits, wide)} bits, and {_WIDEST} are the most",
            next_step="take fewer digits (`--digits 12`), a narrower range of inputs, or scale the model's inputs",
        )
    weights = () if step.weights is None else step.weights.shape
    return Layer(
        kind=step.kind,
        inputs=step.inputs,
        outputs=step.outputs,
        weights=weights,
        window=step.window,
        stride=step.stride,
        pads=step.pads,
        bits=bits,
        wide=wide,
    )


def write(network: Network, file: Path, said: Mapping[str, Any]) -> Terms:
    """Work the network's bounds out and write the terms. `said` holds what people agree on. Raises `StudyError`, `ModelError`."""
    if not said["low"] < said["high"]:
        raise StudyError(
            "the range of inputs is empty", next_step="`--range 0,1`: the least and the largest value of an input"
        )
    if network.outputs != len(said["classes"]):
        raise StudyError(f"the model gives {network.outputs} scores, and {len(said['classes'])} classes are named", next_step="`--classes` names them in the order of the model's outputs")  # fmt: skip
    found, error = layers(network, said["low"], said["high"], said["fraction"])
    terms = _checked({**said, "inputs": network.inputs, "layers": found, "error": error}, "the terms")
    file.write_text(terms.model_dump_json(indent=1, by_alias=True) + "\n", encoding="utf-8")
    return terms


def read(file: Path) -> Terms:
    """The terms in a file. Raises `StudyError`."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise StudyError(
            f"{file} can't be read: {error.strerror}", next_step="`seatrial party terms` writes one"
        ) from error
    return _checked(text, str(file))


def _checked(given: Any, where: str) -> Terms:
    try:
        made = Terms.model_validate_json(given) if isinstance(given, bytes) else Terms.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        said = ": ".join(filter(None, (where, ".".join(map(str, fault["loc"])), fault["msg"])))
        raise StudyError(said, next_step="`seatrial party terms` writes them") from error
    if tuple(card.role for card in made.parties) != ("model", "data", "helper"):
        raise StudyError(f"{where}: the parties are the model's owner, the data's owner and the helper, in this order")
    if len({card.certificate for card in made.parties}) < 3:
        raise StudyError(f"{where}: two parties have one certificate", next_step="each party makes its own: `seatrial party keys`")  # fmt: skip
    return made
