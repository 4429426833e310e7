"""Outputs that were made elsewhere take their place in a study: read, put into the order of its rows, kept like those of a run.

Whatever is then found from them has the origin `imported`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.finding import Finding, Origin, State, missing, weakest
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.recorded import Recorded
from seatrial.contracts.study import Data, Model, Output
from seatrial.errors import DataError
from seatrial.flow import arrays
from seatrial.flow._inputs import Array
from seatrial.flow._match import plain
from seatrial.flow._picks import DataSet

ROWS = 16_384
MOST_CELLS = 2**22
DECIDED = "predicted"  # what metrics may accept: no number for each class, only the class
PLAIN_CLASSES = "the files hold predicted classes, no number for each class"
NOT_RUN = "made elsewhere: nothing was run here"
NO_PAIR = "the reference's outputs were made elsewhere: it has no speed to compare with"


class Imported(NamedTuple):
    """Outputs by name on the study's rows, and in words how rows were matched."""

    outputs: dict[str, ArrayRef]
    by: str


def recorded(artefact: Artefact) -> Recorded:
    """Where the outputs lie that stand for this artefact."""
    return Recorded.model_validate_json(artefact.entry or "{}")


def read(
    artefact: Artefact, model: Model, folder: Path, cache: Path, rows: int, keys: Callable[[str], Array]
) -> Imported:
    """The outputs on the study's `rows` rows, kept under `cache`; `keys` gives a column of those rows.

    Raises `DataError` for columns that aren't there or hold no finite numbers, and for rows that can't be matched.
    """
    stated = recorded(artefact)
    source = _DataSet(stated, folder)
    wanted = _wanted(stated, model.outputs)
    task = catalog.load(catalog.find("tasks", model.task.name, folder))
    made = {}
    for name, columns in wanted.items():
        as_classes = _one_hot(task, name, model.outputs) if stated.decided else None
        made[name] = arrays.save_chunks(cache, _pieces(source, columns, as_classes))
    count = next(iter(made.values())).shape[0]
    if stated.key is None:
        if count != rows:
            raise DataError(
                f"{count:,} rows of outputs can't be matched by their order with the {rows:,} rows to be judged",
                where=source.where,
                next_step="name the column that says which row is which, in both: `key: id`",
            )
        return Imported(made, "order")
    asked = stated.data_key or stated.key
    pick = _places(source.whole(stated.key), keys(asked), (stated.key, asked), source.where)
    placed = {name: _placed(ref, pick, cache) for name, ref in made.items()}
    further = f"; {count - rows:,} further rows of it are not judged" if count > rows else ""
    return Imported(placed, f"key `{stated.key}`{further}")


# --- what is read -------------------------------------------------------------------------------------------------------------


class _DataSet:
    """The data set that holds the outputs; its faults are told with the files' place."""

    def __init__(self, stated: Recorded, folder: Path) -> None:
        self.where = f"outputs from {stated.source.options.get('path', stated.source)}"
        data = Data.model_validate({"from": stated.source.model_dump()})
        try:
            self._set = DataSet(self.where, data, folder)
        except ValidationError as error:
            why = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            name = stated.source.name
            raise DataError(why, where=self.where, next_step=f"`seatrial explain {name}` lists its options") from error

    def chunks(self, names: Sequence[str]) -> Iterator[Mapping[str, Array]]:
        """The named columns, some rows at a time. Raises `DataError`."""
        first = next(iter(self._set.chunks(names, 1)))
        cells = sum(first[name].size for name in first)
        yield from self._set.chunks(names, max(1, min(ROWS, MOST_CELLS // max(1, cells))))

    def whole(self, name: str) -> Array:
        """One column, whole."""
        return np.concatenate([chunk[name] for chunk in self.chunks([name])])


def _wanted(stated: Recorded, outputs: Mapping[str, Output]) -> dict[str, tuple[str, ...]]:
    """The columns of each output that the study states."""
    if isinstance(stated.columns, dict):
        for name in stated.columns:
            if name not in outputs:
                raise DataError(f"`columns` names the output `{name}`; the model's outputs are {', '.join(outputs)}")
        return stated.columns
    if not stated.columns:
        return {name: (name,) for name in outputs}
    if len(outputs) > 1:
        raise DataError(
            f"the model has {len(outputs)} outputs and `columns` doesn't say of which one it speaks",
            next_step=f"say `columns: {{{next(iter(outputs))}: [{', '.join(stated.columns)}]}}`",
        )
    return {next(iter(outputs)): stated.columns}


def _pieces(source: _DataSet, columns: tuple[str, ...], as_classes: Callable[[Array], Array] | None) -> Iterator[Array]:
    """One output, a chunk of rows at a time: columns side by side, or one column as it is."""
    start = 0
    for chunk in source.chunks(columns):
        where = f"{source.where}, column `{columns[0]}`" if len(columns) == 1 else source.where
        if as_classes:
            yield as_classes(chunk[columns[0]])
            continue
        for name in columns:
            if chunk[name].dtype.kind not in "biuf":
                raise DataError(
                    f"the column `{name}` holds no numbers",
                    where=source.where,
                    next_step="if it holds predicted classes, say `decided: true`",
                )
        joined = chunk[columns[0]] if len(columns) == 1 else np.column_stack([chunk[name] for name in columns])
        _finite(joined, where, start)
        start += len(joined)
        yield joined


def _finite(rows: Array, where: str, start: int) -> None:
    if rows.dtype.kind != "f" or np.isfinite(rows).all():
        return
    bad = ~np.asarray(np.isfinite(rows.reshape(len(rows), -1)).all(axis=1))
    raise DataError(
        f"row {start + int(bad.argmax())} is NaN or infinite",
        where=where,
        next_step="find out why the model gave no number there; a row that can't be answered can't be judged",
    )


def _one_hot(task: Any, name: str, outputs: Mapping[str, Output]) -> Callable[[Array], Array]:
    """Predicted classes as outputs: 1 for that class and 0 for the others."""
    output = outputs[name]
    if output.means != "scores" or not output.classes:
        raise DataError(
            "predicted classes need the `classes` of the output, and are no logits or probabilities",
            where=f"outputs.{name}",
            next_step=f"say `{name}: {{means: scores, classes: [...]}}`",
        )
    order = np.arange(len(output.classes))
    return lambda column: (task.labels(column, outputs)[:, None] == order).astype(np.float32)


# --- which row is which ---------------------------------------------------------------------------------------------------------


def _places(here: Array, asked: Array, names: tuple[str, str], where: str) -> Array:
    """For each row asked for, the row of the file with its key. Raises `DataError` for keys that are doubled or not there."""
    mine, theirs = plain(here), plain(asked)
    if mine.dtype.kind != theirs.dtype.kind:
        mine, theirs = mine.astype(str), theirs.astype(str)
    for keys, place in ((mine, f"{where}, column `{names[0]}`"), (theirs, f"data, column `{names[1]}`")):
        _once(keys, place)
    order = np.argsort(mine, kind="stable")
    found = np.minimum(np.searchsorted(mine, theirs, sorter=order), len(mine) - 1)
    pick = order[found]
    gone = np.asarray(mine[pick] != theirs)
    if gone.any():
        raise DataError(
            f"{int(gone.sum()):,} of {len(theirs):,} rows to be judged are not there, such as `{theirs[int(gone.argmax())]}`",
            where=f"{where}, column `{names[0]}`",
            next_step=f"are these outputs of other rows? the data has its keys in `{names[1]}` (else say `data_key`)",
        )
    return np.asarray(pick)


def _once(keys: Array, where: str) -> None:
    if keys.ndim > 1:
        raise DataError("a key is one value a row", where=where)
    values, counts = np.unique(keys, return_counts=True)
    if (counts > 1).any():
        example = values[int((counts > 1).argmax())]
        raise DataError(f"{int((counts > 1).sum()):,} keys occur more than once, such as `{example}`", where=where)


def _placed(ref: ArrayRef, pick: Array, cache: Path) -> ArrayRef:
    """The rows of a kept array in another order, read through a map of the file."""
    if np.array_equal(pick, np.arange(ref.shape[0])):
        return ref
    mapped = np.load(ref.path, mmap_mode="r", allow_pickle=False)
    step = max(1, MOST_CELLS // max(1, mapped[:1].size))
    return arrays.save_chunks(cache, (np.array(mapped[pick[at : at + step]]) for at in range(0, len(pick), step)))


# --- what is said of it -----------------------------------------------------------------------------------------------------------


def note_of(candidate: str, model: str, imported: Imported, hash_: str, at: str) -> Finding:
    """How many rows of outputs were taken from where, and how they were matched."""
    return Finding(
        what="rows.imported",
        at={"model": model, "hash": hash_},
        candidate=candidate,
        value=next(iter(imported.outputs.values())).shape[0],
        unit="rows",
        method=f"outputs made elsewhere, matched by {imported.by}",
        origin=Origin.IMPORTED,
        measured_at=at,
    )


def as_imported(found: Sequence[Finding]) -> list[Finding]:
    """The same findings with an origin that is no stronger than `imported`."""
    return [
        one if one.value is None else one.model_copy(update={"origin": weakest((one.origin, Origin.IMPORTED))})
        for one in found
    ]


def undecided(found: Sequence[Finding], metrics: Mapping[str, PartInfo]) -> list[Finding]:
    """The same findings, missing where their metric needs a number for each class and there are predicted classes only."""
    return [
        one if one.part not in metrics or metrics[one.part].takes("answers", DECIDED) else _without(one, PLAIN_CLASSES)
        for one in found
    ]


def _without(one: Finding, why: str) -> Finding:
    fields = one.model_dump(include={"candidate", "against", "at", "part", "part_version", "measured_at"})
    return missing(one.what, State.UNSUPPORTED, why, slice=one.slice, **fields)
