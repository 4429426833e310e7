"""Between plan and measure: rows of the data sets become model inputs in files, with the roles that the study gives them.

Memory is bounded by a chunk of rows; held for all rows are groups as stored and, of models that are run here, one hash of 8 bytes a row for
each input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from seatrial import catalog
from seatrial.contracts.artefact import Signature
from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.rows import Role
from seatrial.contracts.study import Input, Model, Study
from seatrial.contracts.values import ValueKind
from seatrial.errors import DataError
from seatrial.flow import _inputs, arrays
from seatrial.flow._inputs import Array
from seatrial.flow._labels import labels
from seatrial.flow._picks import Pick, chosen, count, data_sets, judging
from seatrial.flow._roles import offers

DRIVEN = 4096
"""Rows that timed queries are made of, at most."""


@dataclass(frozen=True)
class Rows:
    """Rows of some roles: each input as a file (rows x ...), class indices or values of the label, group columns by name, and
    the columns that a step after the model asks for.

    `rows_hash` speaks of the columns used, as stored: the same whatever files and row groups they lie in.
    """

    inputs: dict[str, ArrayRef]
    labels: arrays.Column | None
    n: int
    rows_hash: str
    groups: dict[str, Array] = field(default_factory=dict)
    columns: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRows:
    """The rows one model is judged on and, where a data set has them, the rows it may be calibrated with.

    `train` are the rows that it may be fitted to anew, read only where a variant asks for them.
    """

    evaluation: Rows
    calibration: Rows | None
    problems: tuple[str, ...] = ()
    train: Rows | None = None
    stored: dict[str, ArrayRef] = field(default_factory=dict)
    """The first rows as they are stored, where they are made ready within the clock."""


def prepare(
    study: Study, folder: Path, model_name: str, cache: Path, run: bool = True, train: bool = False
) -> ModelRows:
    """Read what a model needs, in the roles that judge and calibrate (and `train`); arrays are kept under `cache` by their content.

    A model that isn't `run` here, because its outputs were made elsewhere, needs no inputs: only labels and groups are read.

    Raises `DataError` for rows that can't be read or don't fit, and where rows of both roles are the same.
    """
    model = study.models[model_name]
    sets = data_sets(study, folder)
    judged = judging(sets)
    if not run:
        return ModelRows(_unfed(judged, model, folder, cache), None)
    asked = _asked(study)
    evaluation, tally = _collect(judged, model, folder, cache, asked)
    problems = tally.problems()

    def fitting(role: Role, what: str) -> Rows | None:
        """The rows of a role to fit with, none of which judges."""
        picks = [one.pick((role,)) for one in sets if offers(one.data.roles, role)]
        picks = [pick for pick in picks if pick.rows is None or len(pick.rows)]
        if not picks:
            return None
        made, other = _collect(picks, model, folder, cache, asked)
        problems.extend(f"{what}: {problem}" for problem in other.problems() if problem not in problems)
        _no_group_in_both(evaluation, made, role)
        if (shared := np.isin(other.row_hashes(), tally.row_hashes())).any():
            problems.append(_told_or_refused(shared, picks, what))
            made, _ = _collect(_without(picks, shared), model, folder, cache, asked)
        return replace(made, rows_hash=_with_columns(made))

    calibration = fitting(Role.CALIBRATE, "calibration")
    trained = fitting(Role.TRAIN, "training") if train else None
    as_stored = _stored(judged, model, cache) if study.measure.processing == "inside" else {}
    return ModelRows(evaluation, calibration, tuple(problems), trained, as_stored)


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
        given = "string" if np.dtype(ref.dtype).kind == "U" else ref.dtype
        if spec.dtype != given:
            step = "say `kind: text`" if spec.dtype == "string" else f"say `dtype: {spec.dtype}`"
            raise DataError(
                f"the model takes {spec.dtype}, the study gives {given}", where=f"inputs.{name}", next_step=step
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


def _asked(study: Study) -> list[str]:
    """Columns that some variant names as its `group`, or the variant that it is `of`."""
    named = [name for grid in study.candidates for ref in grid.variant for name in _groups_of(ref)]
    return sorted(set(named))


def _groups_of(ref: PartRef) -> Iterator[str]:
    if len(ref.links) > 1:
        yield from (name for link in ref.links for name in _groups_of(link))
    elif named := ref.options.get("group"):
        yield str(named)
    if inner := ref.options.get("of"):
        yield from _groups_of(TypeAdapter(Ref).validate_python(inner))


def _with_columns(rows: Rows) -> str:
    """The hash of rows that something is fitted to: of the columns, too, that a variant names."""
    if not rows.columns:
        return rows.rows_hash
    lines = [f"{name} {hashlib.sha256(_bytes(column)).hexdigest()}" for name, column in sorted(rows.columns.items())]
    return hashlib.sha256("\n".join([rows.rows_hash, *lines]).encode()).hexdigest()


def _collect(
    picks: Sequence[Pick], model: Model, folder: Path, cache: Path, asked: Sequence[str] = ()
) -> tuple[Rows, _Tally]:
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
    n = _some(next(iter(inputs.values())).shape[0], picks)
    labels = _labels(picks, model, folder, tally, cache)
    groups = _groups(picks, tally)
    columns = {name: _column(picks, name) for name in asked}
    return Rows(inputs, labels, n, tally.digest(n), groups, columns), tally


def _column(picks: Sequence[Pick], name: str) -> Array:
    """A column of the picked rows as words. Raises `DataError` where a data set hasn't got it."""
    for pick in picks:
        if name not in (there := pick.source.names()):
            where = f"data `{pick.source.name}`"
            raise DataError(
                f"there is no column `{name}`", where=where, next_step=f"its columns are {', '.join(there)}"
            )
    return np.concatenate([chunk[name] for pick in picks for chunk in chosen(pick, [name])]).astype(str)


def _unfed(picks: Sequence[Pick], model: Model, folder: Path, cache: Path) -> Rows:
    """Labels and groups of the picked rows, and how many there are."""
    tally = _Tally()
    labels = _labels(picks, model, folder, tally, cache)
    n = _some(sum(count(pick) for pick in picks) if labels is None else len(labels), picks)
    groups = _groups(picks, tally)
    return Rows({}, labels, n, tally.digest(n), groups)


def _some(n: int, picks: Sequence[Pick]) -> int:
    if n == 0:
        names = ", ".join(f"`{pick.source.name}`" for pick in picks)
        raise DataError("the roles leave no rows", where=f"data {names}")
    return n


def judged_column(study: Study, folder: Path, name: str) -> Array:
    """A column of the rows that candidates are judged on, as stored, in their order. Raises `DataError`."""
    picks = judging(data_sets(study, folder))
    return np.concatenate([chunk[name] for pick in picks for chunk in chosen(pick, [name])])


def _pieces(picks: Sequence[Pick], model: Model, name: str, tally: _Tally) -> Iterator[Array]:
    """One input, a chunk of rows at a time."""
    wanted = model.inputs[name]
    look = None if wanted.kind is ValueKind.TEXT else tally.looks.setdefault(name, _inputs.Look(wanted))
    width = _width(picks, wanted) if look is None else 0
    for pick in picks:
        for chunk in chosen(pick, wanted.columns):
            for column in wanted.columns:
                tally.column(column, chunk[column])
            stored = _inputs.stored(wanted, chunk)
            ready = _inputs.ready(wanted, stored, name)
            if look is not None:
                look.see(stored, ready)
            tally.rows.setdefault(name, []).append(_row_hashes(ready))
            yield ready if look is not None else ready.astype(f"<U{width}")


def _stored(picks: Sequence[Pick], model: Model, cache: Path) -> dict[str, ArrayRef]:
    """The first chunk of rows of each input as stored: queries are made of them."""
    found = {}
    for name, wanted in model.inputs.items():
        chunk = next(iter(chosen(picks[0], wanted.columns)))
        found[name] = arrays.save(cache, np.ascontiguousarray(_inputs.stored(wanted, chunk)[:DRIVEN]))
    return found


def _width(picks: Sequence[Pick], wanted: Input) -> int:
    """Letters of the longest text: an array of text has one width, so rows are read once before."""
    chunks = (chunk for pick in picks for chunk in chosen(pick, wanted.columns))
    return max((_inputs.stored(wanted, chunk).dtype.itemsize // 4 for chunk in chunks), default=1)


def _labels(picks: Sequence[Pick], model: Model, folder: Path, tally: _Tally, cache: Path) -> arrays.Column | None:
    """Labels in the task's terms, where every data set has them."""
    task = catalog.load(catalog.find("tasks", model.task.name, folder)).labels
    return labels(picks, task, model.outputs, tally.column, cache)


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


def _no_group_in_both(evaluation: Rows, fitting: Rows, role: Role) -> None:
    for name, values in fitting.groups.items():
        shared = set(map(str, evaluation.groups.get(name, ()))) & set(map(str, values))
        if shared:
            raise DataError(
                f"{len(shared)} groups of `{name}` have rows both to judge on and to {role} with",
                next_step="keep each group in one of them, or draw the roles by group",
            )


def _told_or_refused(shared: NDArray[np.bool_], picks: Sequence[Pick], role: str) -> str:
    """Equal rows that a draw parted are left out and told; equal rows that the study gave are refused."""
    count, total = int(shared.sum()), len(shared)
    what = f"{count} of {total} {role} rows are equal to rows that judge"
    if count == total or not all(pick.drawn for pick in picks):
        raise DataError(
            f"{what}: a model fitted to the rows it is judged on would look better than it is",
            where="data " + ", ".join(f"`{pick.source.name}`" for pick in picks),
            next_step="take them out of one of the two",
        )
    return f"{what}; they were left out of the {role}"


def _without(picks: Sequence[Pick], left_out: NDArray[np.bool_]) -> list[Pick]:
    """The same picks without the rows marked, in the order in which they were read."""
    kept, start = [], 0
    for pick in picks:
        assert pick.rows is not None
        stays = ~left_out[start : start + len(pick.rows)]
        start += len(pick.rows)
        kept.append(Pick(pick.source, pick.rows[stays], None if pick.group is None else pick.group[stays]))
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
    """64 bits of each row's BLAKE2b; of text, of its letters, however wide the array is."""
    if rows.dtype.kind == "U":
        encoded = (_bytes(row) for row in rows.reshape(len(rows), -1))
        return np.frombuffer(b"".join(hashlib.blake2b(one, digest_size=8).digest() for one in encoded), np.uint64)
    digests = b"".join(hashlib.blake2b(row.data, digest_size=8).digest() for row in np.ascontiguousarray(rows))
    return np.frombuffer(digests, np.uint64)
