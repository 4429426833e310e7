"""Two files of outputs become one table: which columns hold the outputs, and which row of one belongs to which of the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from seatrial import catalog
from seatrial.errors import DataError
from seatrial.flow._guess import IDS, Array
from seatrial.flow._look import by_suffix

FIRST_ROWS, CHUNK_ROWS = 256, 65_536
Means = Literal["logits", "probabilities", "scores"]
BY_NAME: dict[str, Means] = {
    "prob_": "probabilities",
    "proba_": "probabilities",
    "logit_": "logits",
    "score_": "scores",
}
"""How columns of outputs begin that say what they are, the most telling first."""
ANSWERS = ("prediction", "predictions", "predicted", "pred")


@dataclass(frozen=True)
class Matched:
    """Outputs of both files on the same rows: rows x columns of numbers, or one class a row where `decided`.

    `truth` is the label column as stored; `by` says how rows were matched.
    """

    reference: Array
    candidate: Array
    truth: Array | None
    columns: tuple[str, ...]
    decided: bool
    by: str


class Table:
    """One file of rows, read by the data set part that takes its suffix."""

    def __init__(self, path: Path) -> None:
        self.path, self.info = path, by_suffix("datasets", path)
        self._part = catalog.load(self.info)
        self._options = catalog.options(self.info, {"path": path.name})

    @cached_property
    def names(self) -> list[str]:
        """The file's columns."""
        return list(self._part.columns(self._options, self.path.parent))

    @cached_property
    def heads(self) -> dict[str, Array]:
        """The first rows of each column that can be read as an array."""
        try:
            return self._first(self.names)
        except DataError:
            found: dict[str, Array] = {}
        for name in self.names:
            try:
                found |= self._first([name])
            except DataError:
                continue  # no array, or with nulls: told when somebody asks for this column
        return found

    def _first(self, names: list[str]) -> dict[str, Array]:
        return dict(next(iter(self._part.chunks(self._options, self.path.parent, names, FIRST_ROWS))))

    def read(self, names: Iterable[str]) -> dict[str, Array]:
        """The named columns, whole. Raises `DataError`."""
        wanted = list(dict.fromkeys(names))
        self.known(wanted)
        pieces = list(self._part.chunks(self._options, self.path.parent, wanted, CHUNK_ROWS))
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in wanted}

    def known(self, names: Iterable[str]) -> None:
        """Raises `DataError`, with the nearest name, for a column that isn't there."""
        for name in names:
            if name not in self.names:
                raise DataError(
                    f"there is no column `{name}`", where=str(self.path), next_step=nearest(name, self.names)
                )


def nearest(name: str, names: Sequence[str]) -> str:
    """The next step after a wrong name of a column."""
    near = catalog.nearest(name, list(names))
    return f"did you mean `{near}`?" if near else f"its columns are: {', '.join(names[:20])}"


def beginning(columns: Sequence[str]) -> str | None:
    """The word of `BY_NAME` with which all these columns begin."""
    return next((start for start in BY_NAME if all(name.lower().startswith(start) for name in columns)), None)


def match(reference: Path, candidate: Path, label: str | None, key: str | None, columns: Sequence[str]) -> Matched:
    """Read both files and put the candidate's rows in the reference's order. Raises `DataError` for all that doesn't fit."""
    tables = (Table(reference), Table(candidate))
    chosen = tuple(columns) or _outputs(*tables, {label, key})
    labelled = _labelled(tables, label)
    one, other = (
        table.read([*chosen, *([key] if key else []), *([label] if label and table in labelled else [])])
        for table in tables
    )
    if key:
        pick = _same_keys(plain(one[key]), plain(other[key]), key, tables)
        other = {name: values[pick] for name, values in other.items()}
    else:
        _same_order(one, other, tables)
    truth = _truth(one, other, label, key, tables)
    made = Matched(
        _joined(one, chosen, tables[0]),
        _joined(other, chosen, tables[1]),
        truth,
        chosen,
        decided=False,
        by=f"key `{key}`" if key else "order",
    )
    return _decided(made, tables)


# --- which columns --------------------------------------------------------------------------------------------------------


def _outputs(one: Table, other: Table, taken: set[str | None]) -> tuple[str, ...]:
    """The columns of outputs where nobody names them: by how they begin, by name, an array column, or all columns of fractions."""
    for start in BY_NAME:
        ours, theirs = (
            [name for name in table.names if name.lower().startswith(start) and name not in taken]
            for table in (one, other)
        )
        if ours or theirs:
            other.known(ours)
            one.known(theirs)
            return tuple(ours)
    shared = {name: head for name, head in one.heads.items() if name in other.heads and name not in taken}
    named = [name for name in shared if name.lower() in ANSWERS]
    fractions = {name: head.ndim for name, head in shared.items() if head.dtype.kind == "f" and name.lower() not in IDS}
    wide = [name for name, axes in fractions.items() if axes > 1]
    if len(wide) > 1 and not named:
        raise DataError(
            f"several columns may hold the outputs: {', '.join(wide)}", next_step=f"say which: `--columns {wide[0]}`"
        )
    if found := named[:1] or wide or list(fractions):
        return tuple(found)
    raise DataError(
        f"no columns that both files share look like outputs; {one.path.name} has {', '.join(one.names[:20])}; "
        f"{other.path.name} has {', '.join(other.names[:20])}",
        next_step="name them: `--columns p0,p1,p2`, one for each class, or the one that holds the predicted class",
    )


def _labelled(tables: tuple[Table, Table], label: str | None) -> list[Table]:
    """The files that hold the label."""
    found = [table for table in tables if label in table.names]
    if label and not found:
        names = list(dict.fromkeys([*tables[0].names, *tables[1].names]))
        raise DataError(
            f"neither file has the label column `{label}`",
            where=f"{tables[0].path}, {tables[1].path}",
            next_step=nearest(label, names),
        )
    return found


def _joined(columns: dict[str, Array], chosen: tuple[str, ...], table: Table) -> Array:
    """The chosen columns side by side; one column as it is. Raises `DataError` for words among several and for NaN."""
    for name in chosen:
        if columns[name].dtype.kind not in "biuf" and len(chosen) > 1:
            raise DataError(
                f"column `{name}` holds no numbers", where=str(table.path), next_step="leave it out of --columns"
            )
        if columns[name].ndim > 1 and len(chosen) > 1:
            raise DataError(
                f"column `{name}` holds lists", where=str(table.path), next_step=f"say `--columns {name}` alone"
            )
        _finite(columns[name], f"{table.path}, column `{name}`")
    return columns[chosen[0]] if len(chosen) == 1 else np.column_stack([columns[name] for name in chosen])


def _finite(values: Array, where: str) -> None:
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    bad = ~np.asarray(np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    raise DataError(
        f"{int(bad.sum()):,} of {len(bad):,} rows are NaN or infinite, the first is row {int(bad.argmax())}",
        where=where,
        next_step="find out why the model gave no number there; rows that can't be answered must be left out of both files",
    )


def _decided(made: Matched, tables: tuple[Table, Table]) -> Matched:
    """The same, with predicted classes in words where the one column holds those and not a number for each class."""
    ours, theirs = (_holds_classes(side, made.columns[0]) for side in (made.reference, made.candidate))
    if ours != theirs:
        words = {True: "predicted classes", False: "numbers for each class"}
        raise DataError(
            f"`{made.columns[0]}` holds {words[ours]} in {tables[0].path.name} and {words[theirs]} in {tables[1].path.name}",
            next_step="write the same into both files, or name other columns with --columns",
        )
    if not ours:
        return made
    return replace(made, reference=plain(made.reference), candidate=plain(made.candidate), decided=True)


def _holds_classes(values: Array, name: str) -> bool:
    if values.ndim > 1:
        return False
    return plain(values).dtype.kind != "f" and (values.dtype.kind != "f" or name.lower() in ANSWERS)


# --- which rows -----------------------------------------------------------------------------------------------------------


def plain(values: Array) -> Array:
    """Values that can be compared between files: truths and whole fractions as whole numbers, everything else as text."""
    if values.dtype.kind == "f":
        whole = np.isfinite(values).all() and np.array_equal(values, np.trunc(values))
        return values.astype(np.int64) if whole else values
    if values.dtype.kind in "biu":
        return values.astype(np.int64)
    return np.array([str(value) for value in values.tolist()])


def _same_keys(one: Array, other: Array, key: str, tables: tuple[Table, Table]) -> Array:
    """For each row of `one` the row of `other` with that key. Raises `DataError` for keys that are doubled or stand alone."""
    if one.ndim > 1 or (one.dtype.kind == "U") != (other.dtype.kind == "U"):
        raise DataError(
            f"`{key}` can't match rows: its values are of different types in the two files, or lists",
            next_step="write the key as one number, or one text, into both files",
        )
    order, there = np.argsort(one, kind="stable"), np.argsort(other, kind="stable")
    for values, table in ((one[order], tables[0]), (other[there], tables[1])):
        _no_doubles(values, key, table)
    if len(one) != len(other) or not np.array_equal(one[order], other[there]):
        raise _alone(one, other, key, tables)
    pick = np.empty(len(one), np.int64)
    pick[order] = there
    return pick


def _no_doubles(ordered: Array, key: str, table: Table) -> None:
    if ordered.dtype.kind == "f" and np.isnan(ordered).any():
        raise DataError(f"{int(np.isnan(ordered).sum()):,} values are NaN", where=f"{table.path}, column `{key}`")
    doubled = np.unique(ordered[1:][np.asarray(ordered[1:] == ordered[:-1])])
    if len(doubled):
        raise DataError(
            f"{len(doubled):,} keys occur more than once, such as `{doubled[0]}`",
            where=f"{table.path}, column `{key}`",
            next_step="name a column that is different in each row, or leave out the doubles",
        )


def _alone(one: Array, other: Array, key: str, tables: tuple[Table, Table]) -> DataError:
    sides = ((np.setdiff1d(one, other), tables[0], tables[1]), (np.setdiff1d(other, one), tables[1], tables[0]))
    told = [
        f"{len(keys):,} of {mine.path.name} {'is' if len(keys) == 1 else 'are'} not in {theirs.path.name} (such as `{keys[0]}`)"
        for keys, mine, theirs in sides
        if len(keys)
    ]
    return DataError(
        f"the files hold different rows: of the keys in `{key}`, {'; '.join(told)}",
        next_step="compare the same rows: leave out of each file what the other hasn't",
    )


def _same_order(one: dict[str, Array], other: dict[str, Array], tables: tuple[Table, Table]) -> None:
    """Raises `DataError` where rows can't be matched by their order: other counts, or columns of row names that differ."""
    counts = [len(next(iter(side.values()))) for side in (one, other)]
    shared = [name for name in tables[0].heads if name.lower() in IDS and name in tables[1].heads]
    use = f"match them by a column: `--key {shared[0] if shared else 'NAME'}`"
    if counts[0] != counts[1]:
        raise DataError(
            f"{tables[0].path.name} has {counts[0]:,} rows, {tables[1].path.name} has {counts[1]:,}: their order can't match them",
            next_step=use,
        )
    for name in shared[:1]:
        ours, theirs = (plain(table.read([name])[name]) for table in tables)
        if not np.array_equal(ours, theirs):
            raise DataError(f"the rows stand in another order: the columns `{name}` differ", next_step=use)


def _truth(
    one: dict[str, Array], other: dict[str, Array], label: str | None, key: str | None, tables: tuple[Table, Table]
) -> Array | None:
    """The label column, which must be the same wherever it stands."""
    if label is None:
        return None
    found = []
    for columns, table in zip((one, other), tables, strict=True):
        if label in columns:
            _finite(columns[label], f"{table.path}, column `{label}`")
            found.append(plain(columns[label]))
    if len(found) == 2:
        ours, theirs = found if found[0].dtype == found[1].dtype else [values.astype(str) for values in found]
        differ = np.asarray(ours != theirs)
        if differ.any():
            raise DataError(
                f"the labels disagree in {int(differ.sum()):,} of {len(differ):,} rows, the first is row {int(differ.argmax())}",
                where=f"{tables[0].path.name}, {tables[1].path.name}, column `{label}`",
                next_step=f"are the values of `{key}` right in both files?"
                if key
                else "match rows by a column: `--key NAME`",
            )
    return np.asarray(found[0])
