"""What a party brings, checked against the terms before anybody is connected: weights or rows, in fixed point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seatrial import catalog
from seatrial.contracts.parties import Role, Terms
from seatrial.errors import DataError, ModelError
from seatrial.flow._look import by_suffix
from seatrial.flow.secure import network
from seatrial.flow.secure.terms import layers
from seatrial.numerics import fixed_point

_CHUNK = 4096


class Brought(NamedTuple):
    """What a party puts in: arrays in fixed point, in the order of the protocol."""

    arrays: tuple[Any, ...] = ()

    @property
    def shapes(self) -> list[list[int]]:
        """Their shapes, as others are told."""
        return [list(one.shape) for one in self.arrays]


def agreed(terms: Terms, role: Role) -> list[list[int]]:
    """The shapes of what a party of this role must put in."""
    if role == "model":
        wanted = [layer.weights for layer in terms.layers if layer.weights]
        return [list(shape) for weights in wanted for shape in (weights, (weights[1],))]
    wide = int(np.prod(terms.inputs))
    return [[terms.rows, wide], [terms.rows, len(terms.classes)]] if role == "data" else []


def weights(terms: Terms, file: Path) -> Brought:
    """Weights and biases of the model. Raises `ModelError` where they aren't what the terms describe."""
    found = network.read(file)
    described, error = layers(found, terms.low, terms.high, terms.fraction)
    if found.inputs != terms.inputs or described != terms.layers or error > terms.error:
        raise ModelError(f"{file} isn't the network of the terms, or its values may become larger than they say", next_step="`seatrial party terms` writes terms for this model")  # fmt: skip
    made = []
    for step in found.steps:
        if step.weights is not None:
            made += [
                fixed_point.encode(step.weights, terms.fraction),
                fixed_point.encode(step.bias, 2 * terms.fraction),
            ]
    return Brought(tuple(made))


def rows(terms: Terms, file: Path, inputs: Sequence[str], label: str) -> Brought:
    """Rows in fixed point and labels as 0 and 1. Raises `DataError` where they aren't what the terms describe."""
    part = by_suffix("datasets", file)
    catalog.require(part)
    source, options = catalog.load(part), catalog.options(part, {"path": file.name})
    pieces, marks = [], []
    for chunk in source.chunks(options, file.parent, [*inputs, label], _CHUNK):
        columns = [np.asarray(chunk[name]) for name in inputs]
        pieces.append(columns[0] if len(columns) == 1 else np.stack(columns, axis=1))
        marks.append(_classes(np.asarray(chunk[label]), terms, label))
    values, places = np.concatenate(pieces), np.concatenate(marks)
    wide = int(np.prod(terms.inputs))
    if len(values) != terms.rows or values[:1].size != wide:
        raise DataError(
            f"{file} holds {len(values):,} rows of {values[:1].size} numbers, and the terms say {terms.rows:,} of {wide}",
            next_step="bring the rows that were agreed on, or agree on new terms",
        )
    flat = _numbers(values, file).reshape(len(values), wide)
    outside = ~((flat >= terms.low) & (flat <= terms.high)).all(axis=1)
    if outside.any():
        raise DataError(
            f"{int(outside.sum()):,} rows of {file} have inputs outside of {terms.low:g} to {terms.high:g}, or none",
            next_step="scale or clip them as the model expects, or agree on a wider range",
        )
    return Brought((fixed_point.encode(flat, terms.fraction), np.eye(len(terms.classes), dtype=np.int64)[places]))


def _numbers(values: Any, file: Path) -> Any:
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"the inputs of {file} are no numbers", next_step="name columns of numbers with `--inputs`"
        ) from error


def _classes(labels: Any, terms: Terms, column: str) -> Any:
    """Labels as places in the classes: numbers are places, words are names."""
    if labels.dtype.kind in "iub":
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(terms.classes):
            raise DataError(
                f"`{column}` holds numbers that are no place in the {len(terms.classes)} classes of the terms"
            )
        return labels.astype(np.int64)
    known = {name: place for place, name in enumerate(terms.classes)}
    words = [str(one) for one in labels.reshape(-1)]
    if not set(words) <= set(known):
        raise DataError(f"`{column}` holds classes that the terms don't name", next_step="`--classes` of `seatrial party terms` names them")  # fmt: skip
    return np.array([known[word] for word in words], np.int64)
