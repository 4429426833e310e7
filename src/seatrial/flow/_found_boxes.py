"""How a detector writes its boxes, for `init`: of the usual ways the one whose boxes lie on those that are labelled.

A way is the order of a box's four numbers, whether they are pixels or shares of the picture, the order in the labels where the data
don't say it, and how bytes become inputs. A labelled box is met where one of the surest boxes of its row, twice as many as are
labelled, overlaps it by half (intersection over union).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seatrial.contracts.boxes import Boxes
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import DataError
from seatrial.flow import _guess
from seatrial.flow._guess import Array, Guess
from seatrial.flow._kinds import Said
from seatrial.numerics import detection

FORMS = ("xyxy", "cxcywh", "xywh", "yxyx")
ENOUGH = 0.1
"""A share of labelled boxes that must be met before a way is believed."""
NO_BOX = -1


class Met(NamedTuple):
    """The best way: how inputs and boxes are stated, and the share of labelled boxes that it meets; with their class, too."""

    guesses: dict[str, Guess]
    boxes: Boxes
    share: float
    with_class: float
    ways: int


def met(
    task: Any, said: Sequence[Said], labels: Array, columns: Mapping[str, Array], guesses: Mapping[str, Guess],
    form: str, answer: Callable[[Values], dict[str, Array]],
) -> Met | None:  # fmt: skip
    """The way that meets most labelled boxes; None where none can be tried. `form` is how the labels are written, if that is known."""
    found: list[Met] = []
    for update in _guess.scalings(guesses, columns):
        raw = answer(_guess.values(update, columns))
        for boxes in _ways(columns, form):
            outputs = {one.name: Output.model_validate(one.stated) for one in said}
            outputs = {name: one.model_copy(update={"boxes": boxes}) if one.means == "boxes" else one for name, one in outputs.items()}  # fmt: skip
            try:
                share, with_class = _shares(task.answers(raw, outputs), task.labels(labels, outputs))
            except DataError:  # such as classes that aren't numbers in this way
                continue
            found.append(Met(update, boxes, share, with_class, 0))
    best = max(found, key=lambda one: one.share, default=None)
    return best and best._replace(ways=len(found))


def note(found: Met, rows: int) -> str:
    """In words, for the line of the study."""
    if found.share < ENOUGH:
        return f"CHECK: how boxes are written; none of {found.ways} ways met labelled boxes on the first {rows} rows"
    told = (
        f"CHECK: of {found.ways} ways tried on the first {rows} rows this met most labelled boxes ({found.share:.0%})"
    )
    odd = found.with_class < found.share / 2
    return told + ("; the numbers of their classes disagree" if odd else "")


def _ways(columns: Mapping[str, Array], form: str) -> Iterator[Boxes]:
    size = next((one.shape[1:3] for one in columns.values() if one.ndim == 4 and one.dtype == np.uint8), None)
    shares = [None] if size is None else [None, (float(size[1]), float(size[0]))]
    for order, share, labels in itertools.product(FORMS, shares, [form] if form else FORMS):
        yield Boxes.model_validate({"format": order, "share_of": share, "labels": labels})


def _shares(answers: Mapping[str, Array], labels: Array) -> tuple[float, float]:
    """Of all labelled boxes that are no crowds, those that are met, and those that are met by one of their class."""
    wanted, hit, named = 0, 0, 0
    for corners, sure, kinds, label in zip(
        answers["boxes"], answers["confidence"], answers["found"], labels, strict=True
    ):
        real = label[(label[:, 4] != NO_BOX) & (label[:, 5] == 0)]
        best = np.argsort(-sure, kind="stable")[: 2 * len(real)]
        best = best[kinds[best] != NO_BOX]
        wanted += len(real)
        if len(best) and len(real):
            over = detection.overlaps(corners[best], real[:, :4], np.zeros(len(real), bool)) >= 0.5
            hit += int(over.any(axis=0).sum())
            named += int((over & (kinds[best][:, None] == real[:, 4])).any(axis=0).sum())
    return (hit / wanted, named / wanted) if wanted else (0.0, 0.0)
