"""What two files of outputs mean: logits, probabilities, scores or predicted classes, and of which classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from seatrial.contracts.part import PartInfo
from seatrial.contracts.study import Output
from seatrial.errors import DataError
from seatrial.flow import _guess
from seatrial.flow._guess import Array
from seatrial.flow._match import BY_NAME, Matched, Means, beginning


def meaning(made: Matched, task: PartInfo, means: Means | None, named: Sequence[str]) -> Output:
    """What the numbers are, and the classes; `means` and `named` say so where it is known. Raises `DataError` where that can't be seen or differs between the files."""
    known = task.gives.get("means", ())
    if not set(known) & set(get_args(Means)):
        return Output.model_validate({"means": known[0]})
    known_as = classes(made, named)
    if made.decided:
        return Output(means="scores", classes=known_as)
    if means:
        return Output(means=means, classes=known_as)
    start = next((start for start in BY_NAME if all(name.lower().startswith(start) for name in made.columns)), "")
    if stated := {"prob_": "probabilities", "proba_": "probabilities", "logit_": "logits", "score_": "scores"}.get(
        start
    ):
        return Output.model_validate({"means": stated, "classes": known_as})
    seen = [_seen(side) for side in (made.reference, made.candidate)]
    if seen[0] != seen[1]:
        raise DataError(
            f"the reference's outputs look like {seen[0]}, the candidate's like {seen[1]}: their differences would mean nothing",
            next_step="write the same into both files; if they are the same, say what: `--means logits`",
        )
    return Output(means=seen[0], classes=known_as)


def _seen(side: Any) -> Means:
    """Probabilities or logits, by the numbers alone. Raises `DataError` where it could be either."""
    means: Means = _guess.means("", side)
    if means == "logits" and side.ndim > 1 and side.min() >= 0 and side.max() <= 1:
        sums = side.sum(axis=1)
        raise DataError(
            f"the outputs lie in 0 to 1, but rows sum to {sums.min():.4g} to {sums.max():.4g}: probabilities or scores?",
            next_step="say what they are: `--means scores` (or probabilities, or logits)",
        )
    return means


def classes(made: Matched, given: Sequence[str]) -> tuple[str | int, ...]:
    """The classes in the order of the outputs: as given, by the names of the columns, or all that occur. Empty: by index.

    Raises `DataError` where the labels can't be brought together with the columns.
    """
    truth = None if made.truth is None else np.unique(made.truth)
    if made.decided:
        occurring = [
            value
            for side in (made.reference, made.candidate, truth)
            if side is not None
            for value in np.unique(side).tolist()
        ]
        found = tuple(given) or tuple(sorted(set(occurring), key=lambda value: (isinstance(value, str), value)))
        if len(found) < 2:
            raise DataError(f"there is only one class, `{found[0]}`", next_step="name all of them: `--classes no,yes`")
        return found
    width = made.reference.shape[1] if made.reference.ndim > 1 else 1
    if made.candidate.shape[1:] != made.reference.shape[1:]:
        raise DataError(
            f"rows hold {made.reference.shape[1:]} numbers in the reference, {made.candidate.shape[1:]} in the candidate"
        )
    if given:
        if len(given) != max(width, 2):
            raise DataError(
                f"{len(given)} classes are named, the outputs are of {max(width, 2)}", next_step="name each class once"
            )
        return tuple(given)
    return _by_columns(made.columns, width, truth)


def _by_columns(columns: tuple[str, ...], width: int, truth: Array | None) -> tuple[str, ...]:
    """Names of classes that the columns carry, where all labels are among them."""
    labels = set() if truth is None else {str(value) for value in truth.tolist()}
    if len(columns) == width > 1:
        for names in (columns, _endings(columns)):
            if truth is not None and labels <= set(names):
                return names
    if truth is None:
        return ()
    if truth.dtype.kind != "i":
        order = "the class that the column speaks of last" if width == 1 else "in the order of the columns"
        raise DataError(
            f"the labels are {', '.join(sorted(labels)[:5])}{', ...' if len(labels) > 5 else ''}; no column says which class it is of",
            next_step=f"name the classes, {order}: `--classes {','.join(sorted(labels)[:3])}`",
        )
    if truth[-1] >= max(width, 2) or truth[0] < 0:
        raise DataError(
            f"labels go from {truth[0]} to {truth[-1]}, the outputs are of {max(width, 2)} classes ({', '.join(columns[:10])})",
            next_step="name the columns of all classes with --columns, or the classes in their order with --classes",
        )
    return ()


def _endings(columns: tuple[str, ...]) -> tuple[str, ...]:
    """What is left of names that begin alike: `prob_cat` is `cat`, `p10` is `10`."""
    known = beginning(columns)
    if known:
        return tuple(name[len(known) :] for name in columns)
    starts = {re.sub(r"\d+$", "", name) for name in columns}
    return tuple(name.removeprefix(next(iter(starts))) for name in columns) if len(starts) == 1 else columns
