"""Between plan and measure: rows of the data sets become model inputs in files, with the roles that the study gives them.

Memory is bounded by a chunk of rows; labels, groups and one hash a row are held for all rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.artefact import Signature
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.rows import EVALUATION, Role
from seatrial.contracts.study import Model, Study
from seatrial.errors import DataError
from seatrial.flow import _inputs, arrays
from seatrial.flow._inputs import Array
from seatrial.flow._picks import DataSet, Pick, chosen
from seatrial.flow._roles import offers


@dataclass(frozen=True)
class Rows:
    """Rows of some roles: each input as a file (rows x ...), class indices or values of the label, group columns by name.

    `rows_hash` speaks of the columns used, as stored: the same whatever files and row groups they lie in.
    """

    inputs: dict[str, ArrayRef]
    labels: Array | None
    n: int
    rows_hash: str
    groups: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRows:
    """The rows one model is judged on and, where a data set has them, the rows it may be calibrated with."""

    evaluation: Rows
    calibration: Rows | None
    problems: tuple[str, ...] = ()


def prepare(study: Study, folder: Path, model_name: str, cache: Path) -> ModelRows:
    """Read what a model needs, in the roles that judge and calibrate; arrays are kept under `cache` by their content.

    Raises `DataError` for rows that can't be read or don't fit, and where rows of both roles are the same.
    """
    model = study.models[model_name]
    sets = [DataSet(name, data, folder) for name, data in study.data.items()]
    judged = [one.pick(EVALUATION) for one in sets if any(offers(one.data.roles, role) for role in EVALUATION)]
    calibrating = [one.pick((Role.CALIBRATE,)) for one in sets if offers(one.data.roles, Role.CALIBRATE)]
    calibrating = [pick for pick in calibrating if pick.rows is None or len(pick.rows)]
    evaluation, tally = _collect(judged, model, folder, cache)
    if not calibrating:
        return ModelRows(evaluation, None, tuple(tally.problems()))
    calibration, other = _collect(calibrating, model, folder, cache)
    problems = tally.problems()
    problems += [f"calibration: {problem}" for problem in other.problems() if problem not in problems]
    _no_group_in_both(evaluation, calibration)
    if (shared := np.isin(other.row_hashes(), tally.row_hashes())).any():
        problems.append(_told_or_refused(shared, calibrating))
        calibration, _ = _collect(_without(calibrating, shared), model, folder, cache)
    return ModelRows(evaluation, calibration, tuple(problems))


def check_fit(rows: Rows, signature: Signature) -> None:
    """Raises `DataError` unless inputs have the names, types and fixed dimensions that the model's file asks for."""
    wanted = {spec.name: spec for spec in signature.inputs}
    for name in rows.inputs:
        if name not in wanted:
            near = catalog.nearest(name, list(wanted))
            step = f"did you mean `{near}`?" if near else f"its inputs are: {', '.join(wanted)}"
            raise DataError(f"the model has no input `{name}`", where=f"inputs.{name}", next_step=step)
    if lacking := [name for name in wanted if name not in rows.inputs]:
        step = "state under `inputs` which columns it comes from"
        raise DataError(
            f"the study doesn't say what the model's input `{lacking[0]}` is", where="inputs", next_step=step
        )
    for name, ref in rows.inputs.items():
        spec, shape = wanted[name], ref.shape[1:]
        if spec.dtype != ref.dtype:
            step = f"say `dtype: {spec.dtype}`"
            raise DataError(
                f"the model takes {spec.dtype}, the study gives {ref.dtype}", where=f"inputs.{name}", next_step=step
            )
        if spec.shape is not None and not _fits(shape, spec.shape):
            asked = "x".join("any" if size is None else str(size) for size in spec.shape) or "one number"
            given = "x".join(map(str, shape)) or "one number"
            step = "state `shape` or `layout` so that a row becomes what the model takes"
            if len(shape) == len(spec.shape) == 1:
                step = "name under `columns` exactly the features it was trained with, in that order, and not the label"
            raise DataError(
                f"the model takes rows of {asked}, the study gives {given}", where=f"inputs.{name}", next_step=step
            )


def _fits(shape: tuple[int, ...], asked: tuple[int | None, ...]) -> bool:
    return len(shape) == len(asked) and all(wanted in (None, size) for size, wanted in zip(shape, asked, strict=True))


# --- columns become inputs ------------------------------------------------------------------------------------------------


class _Tally:
    """What is noted of the rows while they pass: a hash a column, a hash a row, and what looks wrong."""

    def __init__(self) -> None:
        self.columns: dict[str, Any] = {}
        self.rows: dict[str, list[NDArray[np.uint64]]] = {}
        self.looks: dict[str, _inputs.Look] = {}

    def column(self, name: str, values: Array) -> None:
        """Add rows of a column as stored."""
        stream, dtype = self.columns.get(name, (hashlib.sha256(), None))
        kind = f"{_kind(values)} {values.shape[1:]}"
        if kind != dtype:  # only where a data set ends and another begins
            stream.update(kind.encode())
        stream.update(_bytes(values))
        self.columns[name] = (stream, kind)

    def row_hashes(self) -> NDArray[np.uint64]:
        """One hash a row over all inputs."""
        whole = [np.concatenate(pieces) for _, pieces in sorted(self.rows.items())]
        return whole[0] if len(whole) == 1 else _row_hashes(np.stack(whole, axis=1))

    def digest(self, n: int) -> str:
        """The hash of all columns, by name, and the number of rows."""
        lines = [f"{name} {stream.hexdigest()}" for name, (stream, _) in sorted(self.columns.items())]
        return hashlib.sha256("\n".join([str(n), *lines]).encode()).hexdigest()

    def problems(self) -> list[str]:
        """What looks wrong, in sentences."""
        return [sentence for name, look in self.looks.items() for sentence in look.sentences(name)]


def _collect(picks: Sequence[Pick], model: Model, folder: Path, cache: Path) -> tuple[Rows, _Tally]:
    """Inputs, labels and groups of the picked rows, data set after data set."""
    if not model.inputs:
        step = "state under `inputs` which columns each input of the model comes from"
        raise DataError("the model has no inputs", where="inputs", next_step=step)
    tally = _Tally()
    inputs = {}
    for name in model.inputs:
        try:
            inputs[name] = arrays.save_chunks(cache, _pieces(picks, model, name, tally))
        except ValueError as error:
            raise DataError(f"data sets don't fit together: {error}", where=f"inputs.{name}") from error
    n = next(iter(inputs.values())).shape[0]
    if n == 0:
        names = ", ".join(f"`{pick.source.name}`" for pick in picks)
        raise DataError("the roles leave no rows", where=f"data {names}")
    labels = _labels(picks, model, folder, tally)
    groups = _groups(picks, tally)
    return Rows(inputs, labels, n, tally.digest(n), groups), tally


def _pieces(picks: Sequence[Pick], model: Model, name: str, tally: _Tally) -> Iterator[Array]:
    """One input, a chunk of rows at a time."""
    wanted = model.inputs[name]
    look = tally.looks.setdefault(name, _inputs.Look(wanted))
    for pick in picks:
        for chunk in chosen(pick, wanted.columns):
            for column in wanted.columns:
                tally.column(column, chunk[column])
            stored = _inputs.stored(wanted, chunk)
            ready = _inputs.ready(wanted, stored, name)
            look.see(stored, ready)
            tally.rows.setdefault(name, []).append(_row_hashes(ready))
            yield ready


def _labels(picks: Sequence[Pick], model: Model, folder: Path, tally: _Tally) -> Array | None:
    """Labels in the task's terms, where every data set has them."""
    stored = [pick.label for pick in picks]
    if any(label is None for label in stored):
        unlabelled = [pick.source.name for pick in picks if pick.label is None]
        if len(unlabelled) < len(picks):
            raise DataError("this data set has no `label`, others have", where=f"data `{unlabelled[0]}`")
        return None
    task: Callable[..., Array] = catalog.load(catalog.find("tasks", model.task.name, folder)).labels
    made = []
    for pick, label in zip(picks, stored, strict=True):
        assert label is not None
        tally.column("label", label)
        _none_missing(label, f"data `{pick.source.name}`, column `{pick.source.data.label}`")
        try:
            made.append(task(label, model.outputs))
        except DataError as error:
            where = f"data `{pick.source.name}`, column `{pick.source.data.label}`"
            raise DataError(error.what, where=where, next_step=error.next_step) from error
    return np.concatenate(made)


def _none_missing(label: Array, where: str) -> None:
    """Raises `DataError` for labels that are NaN or None: how many, and where the first stands."""
    if label.dtype.kind == "O":
        missing = np.array([one is None or one != one for one in label.reshape(-1)]).reshape(label.shape)
    else:
        missing = np.isnan(label) if label.dtype.kind == "f" else np.zeros(label.shape, bool)
    if count := int(missing.sum()):
        what = f"{count} of {missing.size} labels are missing (not a number), the first in row {int(missing.argmax())}"
        step = "leave those rows out or label them: a row without a right answer judges nothing"
        raise DataError(what, where=where, next_step=step)


def _groups(picks: Sequence[Pick], tally: _Tally) -> dict[str, Array]:
    """The group column, where all data sets have one of the same name."""
    names = {pick.source.data.group for pick in picks}
    columns = [pick.group for pick in picks if pick.group is not None]
    if len(names) != 1 or len(columns) != len(picks):
        return {}
    for column in columns:
        tally.column("group", column)
    return {str(names.pop()): np.concatenate(columns)}


# --- what must not be in both -----------------------------------------------------------------------------------------------


def _no_group_in_both(evaluation: Rows, calibration: Rows) -> None:
    for name, values in calibration.groups.items():
        shared = set(map(str, evaluation.groups.get(name, ()))) & set(map(str, values))
        if shared:
            raise DataError(
                f"{len(shared)} groups of `{name}` have rows both to judge on and to calibrate with",
                next_step="keep each group in one of them, or draw the roles by group",
            )


def _told_or_refused(shared: NDArray[np.bool_], calibrating: Sequence[Pick]) -> str:
    """Equal rows that a draw parted are left out and told; equal rows that the study gave are refused."""
    count, total = int(shared.sum()), len(shared)
    what = f"{count} of {total} calibration rows are equal to rows that judge"
    if count == total or not all(pick.drawn for pick in calibrating):
        raise DataError(
            f"{what}: a model fitted to the rows it is judged on would look better than it is",
            where="data " + ", ".join(f"`{pick.source.name}`" for pick in calibrating),
            next_step="take them out of one of the two",
        )
    return f"{what}; they were left out of the calibration"


def _without(picks: Sequence[Pick], left_out: NDArray[np.bool_]) -> list[Pick]:
    """The same picks without the rows marked, in the order in which they were read."""
    kept, start = [], 0
    for pick in picks:
        assert pick.rows is not None
        stays = ~left_out[start : start + len(pick.rows)]
        start += len(pick.rows)
        columns = (None if column is None else column[stays] for column in (pick.label, pick.group))
        kept.append(Pick(pick.source, pick.rows[stays], *columns))
    return kept


# --- hashes ---------------------------------------------------------------------------------------------------------------


def _kind(values: Array) -> str:
    return "text" if values.dtype.kind in "OUT" else values.dtype.newbyteorder("<").str


def _bytes(values: Array) -> bytes:
    """A column's rows as bytes, the same on every machine; of text the length and the UTF-8 of each."""
    if values.dtype.kind not in "OUT":
        return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    encoded = [str(value).encode() for value in values.reshape(-1)]
    return b"".join(len(one).to_bytes(8, "little") + one for one in encoded)


def _row_hashes(rows: Array) -> NDArray[np.uint64]:
    """64 bits of each row's BLAKE2b."""
    digests = b"".join(hashlib.blake2b(row.data, digest_size=8).digest() for row in np.ascontiguousarray(rows))
    return np.frombuffer(digests, np.uint64)
