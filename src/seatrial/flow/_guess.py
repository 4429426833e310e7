"""What can be seen of a model and its data without being told: which columns feed it, which one is the label, what comes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.artefact import Signature, TensorSpec
from seatrial.contracts.study import Input, Layout, Scale
from seatrial.contracts.values import ValueKind, Values
from seatrial.flow import _inputs

Array = NDArray[Any]
Means = Literal["logits", "probabilities"]

LABELS = ("label", "labels", "target", "targets", "y", "class", "classes", "category", "species", "outcome")
NESTED = (*LABELS, "tags", "boxes")
"""What columns of several numbers a row are called that are labels."""
IDS = ("id", "index", "row", "rowid", "uuid", "key", "qsl_idx")
MOST_TRIED = 200
LAYOUTS = (("HW", "CHW"), ("HW", "HWC"), ("HWC", "CHW"), ("CHW", "HWC"))
BYTE = Scale(divide=255)
IMAGENET = Scale(divide=255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))  # as torchvision documents it


@dataclass(frozen=True)
class Guess:
    """An input as it seems to be, and whether that is more than a reading of names and shapes."""

    input: Input
    note: str = ""


def label(columns: Mapping[str, Array], signature: Signature) -> str | None:
    """The label column: by its name, or the only column of words or whole numbers that no input needs."""
    for name in columns:
        if _plain(name) in (LABELS if columns[name].ndim == 1 else NESTED) and columns[name].ndim < 4:
            return name
    discrete = [name for name, values in columns.items() if values.ndim == 1 and values.dtype.kind in "OUbiu"]
    if len(discrete) > MOST_TRIED:
        discrete = discrete[
            -1:
        ]  # each is tried against all others: of very many only the last, where labels mostly stand
    spare = [name for name in discrete if None not in inputs(columns, signature, name).values()]
    if len(spare) == 1 or (spare and spare[-1] == list(columns)[-1]):
        return spare[-1]
    return None if discrete else _target(columns, signature)


def _target(columns: Mapping[str, Array], signature: Signature) -> str | None:
    """Where there are fractions alone: the last column, if the others are just what the inputs need."""
    name = list(columns)[-1] if columns else ""
    alone = name and columns[name].ndim == 1 and columns[name].dtype.kind == "f"
    return name if alone and None not in inputs(columns, signature, name).values() else None


def inputs(columns: Mapping[str, Array], signature: Signature, label: str | None) -> dict[str, Guess | None]:
    """For each input of the model the columns that fit it, by name, else by shape; None where none or several do."""
    free = {name: values for name, values in columns.items() if name != label and values.dtype.kind in "biuf"}
    texts = {name: values for name, values in columns.items() if name != label and values.ndim == 1}
    return {
        spec.name: _text(spec, texts) if spec.kind is ValueKind.TEXT else _input(spec, free)
        for spec in signature.inputs
    }


def _text(spec: TensorSpec, columns: Mapping[str, Array]) -> Guess | None:
    """The column of the input's name."""
    named = [name for name in columns if _plain(name) == _plain(spec.name)]
    if len(named) != 1 or (spec.shape is not None and len(spec.shape) > 1):
        return None
    return Guess(Input(columns=(named[0],), kind=ValueKind.TEXT, shape=(1,) if spec.shape else None))


def _input(spec: TensorSpec, columns: Mapping[str, Array]) -> Guess | None:
    if spec.kind is not ValueKind.DENSE or spec.dtype in ("string", "object"):
        return None
    for name, values in columns.items():
        if _plain(name) == _plain(spec.name) and (guess := _fitted(spec, name, values)):
            return guess
    shaped = [guess for name, values in columns.items() if values.ndim > 1 and (guess := _fitted(spec, name, values))]
    if shaped:
        return shaped[0] if len(shaped) == 1 else None
    return _features(spec, [name for name, values in columns.items() if values.ndim == 1])


def _features(spec: TensorSpec, numeric: Sequence[str]) -> Guess | None:
    """All columns of single numbers, in their order, where there are as many as the model takes; numbers of rows left out."""
    if spec.shape is None or len(spec.shape) != 1 or not numeric:
        return None
    size = spec.shape[0]
    without_ids = [name for name in numeric if _plain(name) not in IDS]
    for names in (numeric, without_ids):
        if len(names) == size:
            shape = (1,) if size == 1 else None
            return Guess(Input(columns=tuple(names), dtype=spec.dtype, shape=shape))
    if size is None and without_ids:
        return Guess(
            Input(columns=tuple(without_ids), dtype=spec.dtype), "CHECK: the file doesn't say how many it takes"
        )
    return None


def _fitted(spec: TensorSpec, name: str, values: Array) -> Guess | None:
    """How rows of this column become rows of this input, if they can."""
    row, asked = values.shape[1:], spec.shape
    guess = Guess(Input(columns=(name,), dtype=spec.dtype, scale=BYTE if _bytes_to_floats(spec, values) else None))
    if asked is None or _agree(row, asked):
        return guess
    for stored, model in LAYOUTS:
        sizes = dict(zip(stored, row, strict=False))
        if len(stored) == len(row) and _agree([sizes.get(axis, 1) for axis in model], asked):
            layout = Layout(stored=stored, model=model)
            return replace(guess, input=guess.input.model_copy(update={"layout": layout}))
    if None not in asked and math.prod(row) == math.prod(asked):  # type: ignore[arg-type]
        note = "CHECK: the order of axes in the flat column" if len(asked) > 1 else ""
        return Guess(guess.input.model_copy(update={"shape": asked}), note)
    return None


def _agree(row: Sequence[int], asked: Sequence[int | None]) -> bool:
    return len(row) == len(asked) and all(wanted in (None, size) for size, wanted in zip(row, asked, strict=True))


def _bytes_to_floats(spec: TensorSpec, values: Array) -> bool:
    return values.dtype == np.uint8 and spec.dtype.startswith("float") and bool(values.max(initial=0) > 1)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


# --- by letting it answer -------------------------------------------------------------------------------------------------

Predict = Callable[[Values], Values]


def values(guesses: Mapping[str, Guess], columns: Mapping[str, Array]) -> dict[str, Array]:
    """The first rows as the model would take them. Raises `DataError` where they don't fit after all."""
    made = {name: _inputs.stored(guess.input, columns) for name, guess in guesses.items()}
    return {name: _inputs.ready(guesses[name].input, rows, name) for name, rows in made.items()}


def means(name: str, given: Array | None) -> Means:
    """Probabilities where every row of answers lies in [0, 1] and sums to one, or, unseen, where the name says so."""
    if given is None:
        return "probabilities" if "prob" in name.lower() or "softmax" in name.lower() else "logits"
    flat = given.reshape(len(given), -1).astype(np.float64)
    inside = bool((flat >= 0).all() and (flat <= 1).all())
    sums = flat.shape[1] == 1 or bool(np.allclose(flat.sum(axis=1), 1, atol=1e-3))
    return "probabilities" if inside and sums else "logits"


def scaled(
    guesses: Mapping[str, Guess], columns: Mapping[str, Array], truth: Array | None, answer: Callable[[Values], Array]
) -> dict[str, Guess]:
    """How bytes become inputs: of the usual ways the one with most right classes on the first rows, where that can be tried."""
    if truth is None or not any(guess.input.scale for guess in guesses.values()):
        return dict(guesses)
    ways = list(scalings(guesses, columns))
    tried = [(float((answer(values(update, columns)) == truth).mean()), update) for update in ways]
    right, best = max(tried, key=lambda one: one[0])
    note = f"CHECK: scale as in training; of {len(ways)} tried on the first {len(truth)} rows this gave most right classes ({right:.0%})"
    return {
        name: replace(guess, note=note if guesses[name].input.scale else guess.note) for name, guess in best.items()
    }


def scalings(guesses: Mapping[str, Guess], columns: Mapping[str, Array]) -> Iterator[dict[str, Guess]]:
    """The guesses with each usual way in which bytes become inputs; as they are where there are no bytes."""
    bytes_ = [name for name, guess in guesses.items() if guess.input.scale]
    for way in _usual(guesses[bytes_[0]].input, columns) if bytes_ else [None]:
        yield {name: _with_scale(one, way) if name in bytes_ else one for name, one in guesses.items()}


def _usual(wanted: Input, columns: Mapping[str, Array]) -> list[Scale | None]:
    """To [0, 1], as they are, to [-1, 1], by the rows' own mean and deviation, and for three channels those of ImageNet."""
    rows = _inputs.ready(wanted, _inputs.stored(wanted, columns), "").astype(np.float64)
    channel = wanted.layout.model.index("C") + 1 if wanted.layout and "C" in wanted.layout.model else None
    channels = rows.shape[channel] if channel else 1
    over = tuple(axis for axis in range(rows.ndim) if channels == 1 or axis != channel)
    mean, std = (np.round(np.atleast_1d(one), 3).tolist() for one in (rows.mean(axis=over), rows.std(axis=over)))
    ways: list[Scale | None] = [BYTE, None, Scale(divide=255, mean=0.5, std=0.5)]
    if all(std):
        own = (mean[0], std[0]) if channels == 1 else (tuple(mean), tuple(std))
        ways.append(Scale(divide=255, mean=own[0], std=own[1]))
    return [*ways, IMAGENET] if channels == 3 else ways


def _with_scale(guess: Guess, scale: Scale | None) -> Guess:
    return replace(guess, input=guess.input.model_copy(update={"scale": scale}))


def assigned(chosen: Array, truth: Array, count: int) -> list[int] | None:
    """The class that each output stands for: the one that most of its choices belong to. None unless that is one class each."""
    if chosen.max(initial=0) >= count:
        return None
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (chosen, truth), 1)
    order: list[int] = table.argmax(axis=1).tolist()
    clear = bool((2 * table.max(axis=1) > table.sum(axis=1)).all())
    return order if clear and len(set(order)) == count else None
