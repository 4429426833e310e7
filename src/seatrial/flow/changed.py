"""Inputs changed on purpose, the same for every candidate: corrupted rows, and rows of which parts are hidden.

Each change is a set of model inputs in files. A candidate answers them in the session that was timed; its answers are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.damage import Damage
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.record import digest
from seatrial.contracts.study import Model, Study
from seatrial.errors import DataError
from seatrial.flow import _inputs, arrays
from seatrial.flow._inputs import Array
from seatrial.flow._picks import chosen, data_sets, judging

CLEAN = "clean"
HIDDEN = "hidden"


@dataclass(frozen=True)
class Change:
    """Changed inputs: what was done (`at`), which evaluation rows they were, and the inputs in files."""

    at: Mapping[str, Any]
    rows: NDArray[np.int64]
    values: Mapping[str, ArrayRef]

    @property
    def key(self) -> str:
        """By content."""
        return digest({name: ref.hash for name, ref in self.values.items()})


def changes(study: Study, folder: Path, model_name: str, inputs: Mapping[str, ArrayRef], cache: Path) -> list[Change]:
    """Everything that the study asks candidates of this model to answer beside its rows. Raises `DataError`."""
    model = study.models[model_name]
    return [*_corrupted(study, folder, model, inputs, cache), *_hidden(study, inputs, cache)]


def drawn(rows: int, wanted: int, seed: int) -> NDArray[np.int64]:
    """Numbers of at most `wanted` of `rows` rows, by chance, in order; the same for the same seed."""
    if rows <= wanted:
        return np.arange(rows)
    return np.sort(np.random.default_rng([seed, rows]).choice(rows, wanted, replace=False))


# --- corruptions ----------------------------------------------------------------------------------------------------------


def _corrupted(
    study: Study, folder: Path, model: Model, inputs: Mapping[str, ArrayRef], cache: Path
) -> Iterator[Change]:
    asked = study.measure.robustness
    if asked is None:
        return
    rows = drawn(next(iter(inputs.values())).shape[0], asked.rows, study.measure.seed)
    columns = stored_rows(study, folder, model, rows)
    yield Change({"corruption": CLEAN}, rows, {name: kept_rows(ref, rows, cache) for name, ref in inputs.items()})
    for ref in asked.corruptions:
        info = catalog.find("corruptions", ref.name, folder)
        catalog.require(info)
        part, options = catalog.load(info), catalog.options(info, ref.options)
        learnt = _learnt(part, columns, options, ref)
        for severity in asked.severities:
            damage = Damage(severity, study.measure.seed, 0, learnt)
            spoilt = part.corrupt(columns, damage, options)
            ready = {name: _inputs.ready(one, _inputs.stored(one, spoilt), name) for name, one in model.inputs.items()}
            kept = {name: arrays.save(cache, array) for name, array in ready.items()}
            yield Change({"corruption": _label(ref), "severity": severity}, rows, kept)


def _label(ref: PartRef) -> str:
    """The corruption's name, with its options where it has any, so that two of a kind can be told apart."""
    return str(ref)


def _learnt(part: Any, columns: Mapping[str, Array], options: Any, ref: PartRef) -> dict[str, Any]:
    try:
        learnt: dict[str, Any] = part.learn(columns, options)
    except DataError as error:
        where = f"measure.robustness.corruptions, `{ref}`, {error.where}".removesuffix(", ")
        raise DataError(error.what, where=where, next_step=error.next_step) from error
    return learnt


def stored_rows(study: Study, folder: Path, model: Model, rows: NDArray[np.int64]) -> dict[str, Array]:
    """The model's columns of these evaluation rows, as stored."""
    names = sorted({column for one in model.inputs.values() for column in one.columns})
    pieces: dict[str, list[Array]] = {name: [] for name in names}
    start = 0
    for pick in judging(data_sets(study, folder)):
        for chunk in chosen(pick, names):
            length = len(next(iter(chunk.values())))
            low, high = np.searchsorted(rows, [start, start + length])
            for name in names:
                pieces[name].append(chunk[name][rows[low:high] - start])
            start += length
    return {name: np.concatenate(found) for name, found in pieces.items()}


# --- hidden parts ---------------------------------------------------------------------------------------------------------


def _hidden(study: Study, inputs: Mapping[str, ArrayRef], cache: Path) -> Iterator[Change]:
    """For each explained row: as it is, then with each part hidden in turn. Hidden is the mean over the explained rows.

    A part is a feature of a table, a patch of a picture (its last two axes). Inputs that aren't numbers stay as they are.
    """
    asked = study.measure.explanations
    if asked is None:
        return
    rows = drawn(next(iter(inputs.values())).shape[0], asked.rows, study.measure.seed)
    taken = {name: _rows_of(ref, rows) for name, ref in inputs.items()}
    masks = _masks(taken, asked.parts)
    times = len(masks) + 1
    kept = {}
    for name, array in taken.items():
        repeated = np.repeat(array, times, axis=0)
        if array.dtype.kind == "f":
            hidden = array.mean(axis=0)
            for index, mask in enumerate(masks, 1):
                if name in mask:
                    repeated[index::times] = np.where(mask[name], hidden, array)
        kept[name] = arrays.save(cache, repeated)
    yield Change({HIDDEN: len(masks)}, rows, kept)


def _masks(taken: Mapping[str, Array], most: int) -> list[dict[str, NDArray[np.bool_]]]:
    """What each part covers, by input: patches of pictures, features or runs of features of what is flat."""
    numbers = {name: array for name, array in taken.items() if array.dtype.kind == "f" and array[0].size > 1}
    single = {name: array for name, array in taken.items() if array.dtype.kind == "f" and array[0].size == 1}
    found: list[dict[str, NDArray[np.bool_]]] = [
        {name: np.ones(array.shape[1:], bool)} for name, array in single.items()
    ]
    room = max(4, (most - len(found)) // max(1, len(numbers)))
    for name, array in numbers.items():
        shape = array.shape[1:]
        if len(shape) >= 2 and min(shape[-2:]) > 1:
            found += [{name: mask} for mask in _patches(shape, room)]
        else:
            flat = np.array_split(np.arange(array[0].size), min(room, array[0].size))
            found += [{name: np.isin(np.arange(array[0].size), part).reshape(shape)} for part in flat]
    return found


def _patches(shape: tuple[int, ...], most: int) -> Iterator[NDArray[np.bool_]]:
    side = max(2, int(most**0.5))
    lines, columns = (np.array_split(np.arange(size), min(side, size)) for size in shape[-2:])
    for line in lines:
        for column in columns:
            mask = np.zeros(shape, bool)
            mask[..., line[0] : line[-1] + 1, column[0] : column[-1] + 1] = True
            yield mask


def kept_rows(ref: ArrayRef, rows: NDArray[np.int64], cache: Path) -> ArrayRef:
    """These rows of a kept array, kept as an array of their own."""
    return arrays.save(cache, _rows_of(ref, rows))


def _rows_of(ref: ArrayRef, rows: NDArray[np.int64]) -> Array:
    """These rows, read in pieces."""
    piece, found = 4096, []
    for start in range(0, ref.shape[0], piece):
        low, high = np.searchsorted(rows, [start, start + piece])
        if high > low:
            found.append(arrays.load(ref, start, start + piece)[rows[low:high] - start])
    return np.concatenate(found)
