"""The labels of picked rows in the task's terms, made a chunk of rows at a time and kept in a file.

Memory is a chunk of rows and, of text, the different words: it doesn't grow with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.study import Output
from seatrial.errors import DataError
from seatrial.flow import arrays
from seatrial.flow._inputs import Array
from seatrial.flow._picks import Pick, chosen

Labels = Callable[[Array, Mapping[str, Output]], Array]
"""A task's `labels`: a column in the task's terms."""


def labels(
    picks: Sequence[Pick],
    task: Labels,
    outputs: Mapping[str, Output],
    see: Callable[[str, Array], None],
    cache: Path,
) -> arrays.Column | None:
    """Labels of all picks, None where no data set has any; `see` is shown each chunk as stored. Raises `DataError`."""
    unlabelled = [pick.source.name for pick in picks if not pick.source.data.answers]
    if len(unlabelled) == len(picks):
        return None
    if unlabelled:
        raise DataError("this data set has no `label`, others have", where=f"data `{unlabelled[0]}`")
    pieces = (piece for pick in picks for piece in _of_one(pick, lambda column: task(column, outputs), see))
    return arrays.Column(arrays.save_chunks(cache, pieces))


def _of_one(pick: Pick, task: Callable[[Array], Array], see: Callable[[str, Array], None]) -> Iterator[Array]:
    columns = pick.source.data.answers
    where = f"data `{pick.source.name}`, column `{'`, `'.join(columns)}`"
    words = _Words(task)
    rows = missing = first = 0
    for chunk in chosen(pick, columns):
        values = chunk[columns[0]] if len(columns) == 1 else np.column_stack([chunk[one] for one in columns])
        see("label", values)
        gaps = _missing(values)
        if gaps.any() and not missing:
            first = rows + int(gaps.argmax())
        missing += int(gaps.sum())
        rows += gaps.size
        if missing:
            continue  # it will be refused: how many are missing is all that is still asked
        try:
            made = words.made(values) if values.dtype.kind == "O" and values.ndim == 1 else task(values)
        except DataError as error:
            raise DataError(error.what, where=where, next_step=error.next_step) from error
        yield made.astype(np.int32) if made.dtype == np.int64 and made.ndim == 1 else made
    if missing:
        raise DataError(
            f"{missing} of {rows} labels are missing (not a number), the first in row {first}",
            where=where,
            next_step="leave those rows out or label them: a row without a right answer judges nothing",
        )


class _Words:
    """Text labels: the task sees each different word once."""

    def __init__(self, task: Callable[[Array], Array]) -> None:
        self._task = task
        self._known: dict[object, int] = {}
        self._made: list[Array] = []

    def made(self, values: Array) -> Array:
        """The labels of these words."""
        listed = values.tolist()
        if not listed:
            return np.zeros(0, np.int64)
        if new := [word for word in dict.fromkeys(listed) if word not in self._known]:
            column = np.empty(len(new), object)
            column[:] = new
            self._made.append(self._task(column))
            self._known.update({word: len(self._known) + at for at, word in enumerate(new)})
        codes = np.array([self._known[word] for word in listed], np.int64)
        return np.asarray(np.concatenate(self._made)[codes])


def _missing(values: Array) -> NDArray[np.bool_]:
    """Rows without a label, or with a part of it missing."""
    if values.dtype.kind == "O":
        gaps = np.array([one is None or one != one for one in values.reshape(-1)], bool).reshape(values.shape)
    else:
        gaps = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    return np.asarray(gaps if gaps.ndim == 1 else gaps.any(axis=tuple(range(1, gaps.ndim))))
