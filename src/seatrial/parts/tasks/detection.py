"""Boxes around things: outputs are boxes with a score and a class each, labels the boxes that are really there.

    outputs: {boxes: {means: boxes}, scores: {means: scores, threshold: 0.05}, labels: {means: classes, classes: [cat, dog]}}
    outputs: {boxes: {means: boxes, boxes: {format: cxcywh, share_of: [320, 320]}}, scores: {means: scores}}
    outputs: {detections: {means: boxes}}                                six numbers a box: the box, its score, its class

Models give as many boxes for every row, most of them nothing: what is real is said by an output that `means: count`, by a
`threshold` of the scores, or by a score of 0. `scores` are one a box, or one a class for each box (rows x boxes x classes): then
its highest class counts. A row's output has fixed size; non-maximum suppression is part of the model. Classes are numbers: places
in `classes`, or, where those are numbers themselves, the numbers meant.

The label column holds for each row a list of boxes: four numbers, class, and where known whether it is a crowd (0 or 1) and the
area in pixels. Rows with fewer boxes than the fullest are filled up with boxes of -1 alone: the data set `coco` does so by itself, `parquet`
and `arrow` for lists of unequal length (`fill: {boxes: -1}`); in an .npz file it is an array (rows x boxes x 5 to 7).

Answers are `boxes` (rows x boxes x 4, corners in pixels), `confidence` and `found` (rows x boxes; -1 for none).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.part import PartOptions
from seatrial.contracts.study import Boxes, Output
from seatrial.contracts.values import Values
from seatrial.errors import DataError
from seatrial.parts.tasks._outputs import named, numbers, numeric_labels

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS: dict[str, tuple[str, ...]] = {"setting": ("threshold",)}
GIVES = {
    "answers": ("boxes", "confidence", "found"),
    "means": ("boxes",),
    "labels": ("boxes",),
    "gate": ('{what: map, at: {overlap: ".50:.95"}, margin: 1 pp}',),
}
CANNOT = {
    "suppression after the model": (
        "not yet ours",
        "export the model with its non-maximum suppression, as detectors are served",
    ),
    "a number of boxes that varies": (
        "not yet ours",
        "an output has a row axis and a fixed size; pad it where the model is made",
    ),
    "masks and key points": ("not yet ours", "boxes alone are compared"),
}
WITH_SCORE_AND_CLASS = 6
NONE = -1


class Options(PartOptions):
    """There are no options; how boxes are written is said of the output."""


def answers(raw: Values, outputs: Mapping[str, Output]) -> dict[str, Array]:
    """`boxes`, `confidence` and `found`. Raises `DataError` for NaN, for shapes that don't go together and for unknown classes."""
    name, output = _stated(outputs, "boxes")
    given = numbers(named(raw, name), name)
    parts = [_stated(outputs, means)[0] for means in ("scores", "classes", "count") if _there(outputs, means)]
    if given.ndim != 3 or given.shape[2] not in (4, WITH_SCORE_AND_CLASS):
        raise DataError(
            f"has shape {given.shape}; boxes are rows x boxes x 4, or x 6 with score and class",
            where=f"outputs.{name}",
            next_step="export the model with a row axis and a fixed number of boxes",
        )
    rows, most = given.shape[:2]
    if given.shape[2] == WITH_SCORE_AND_CLASS:
        scores, kinds = given[..., 4], given[..., 5]
    else:
        scores, kinds = _scores_and_classes(raw, outputs, rows, most)
    real = scores > 0
    if _there(outputs, "count"):
        counted = numbers(named(raw, parts[-1]), parts[-1]).reshape(rows, -1)[:, :1] if rows else np.zeros((0, 1))
        real &= np.arange(most) < counted
    limit = next((one.threshold for one in outputs.values() if one.threshold is not None), None)
    real &= scores >= (limit if isinstance(limit, float) else -np.inf)
    classes = next((one.classes for one in outputs.values() if one.classes), ())
    found = np.where(real, _places(np.where(real, kinds, 0), classes, f"outputs.{name}", real), NONE)
    form = output.boxes or Boxes()
    return {
        "boxes": _corners(given[..., :4], form.format, form.share_of),
        "confidence": np.where(real, scores, 0.0).astype(np.float64),
        "found": found.astype(np.int64),
    }


def labels(column: Array, outputs: Mapping[str, Output]) -> NDArray[np.float64]:
    """Rows x boxes x 7: corners in pixels, class (-1 for none), whether a crowd, area. Raises `DataError` for other lists."""
    given = numeric_labels(column, "give a list of boxes for each row: four numbers and the class").astype(np.float64)
    if given.ndim != 3 or not 5 <= given.shape[2] <= 7:
        raise DataError(
            f"a label is a list of boxes of 5 to 7 numbers, not of shape {given.shape[1:]}",
            next_step="write boxes as [x, y, x, y, class], with crowd and area where they are known",
        )
    form = _stated(outputs, "boxes")[1].boxes or Boxes()
    there = given[..., 4] != NONE
    classes = next((one.classes for one in outputs.values() if one.classes), ())
    kinds = _places(np.where(there, given[..., 4], 0), classes, "labels", there)
    corners = _corners(given[..., :4], form.labels, form.share_of if form.labels_are_shares else None)
    size = np.clip(corners[..., 2:] - corners[..., :2], 0, None).prod(axis=2)
    crowd = given[..., 5] if given.shape[2] > 5 else np.zeros(size.shape)
    area = given[..., 6] if given.shape[2] > 6 else size
    made = np.concatenate([corners, np.stack([kinds, crowd, area], axis=2)], axis=2)
    return np.where(there[..., None], made, np.array([0, 0, 0, 0, NONE, 0, 0], np.float64))


def _there(outputs: Mapping[str, Output], means: str) -> bool:
    return any(one.means == means for one in outputs.values())


def _stated(outputs: Mapping[str, Output], means: str) -> tuple[str, Output]:
    for name, output in outputs.items():
        if output.means == means:
            return name, output
    raise DataError(f"no output is stated as {means}", where="outputs", next_step=f"say `means: {means}`")


def _scores_and_classes(raw: Values, outputs: Mapping[str, Output], rows: int, most: int) -> tuple[Array, Array]:
    """Of each box, (rows, boxes); from scores of all classes the highest."""
    means = "probabilities" if _there(outputs, "probabilities") else "scores"
    name = _stated(outputs, means)[0]
    scores = numbers(named(raw, name), name)
    if scores.ndim == 3 and scores.shape[:2] == (rows, most):
        return scores.max(axis=2, initial=-np.inf), scores.argmax(axis=2)
    kind = _stated(outputs, "classes")[0]
    kinds = numbers(named(raw, kind), kind)
    for one, array in ((name, scores), (kind, kinds)):
        if array.reshape(rows, -1).shape[1] != most if rows else False:
            raise DataError(f"has shape {array.shape}, there are {most} boxes a row", where=f"outputs.{one}")
    return scores.reshape(rows, most), kinds.reshape(rows, most)


def _places(kinds: Array, classes: Any, where: str, real: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers of classes as their places; as they are where none is named. Raises `DataError` for ones that aren't there."""
    whole = np.asarray(np.rint(kinds), np.int64)
    if not classes:
        bad = real & ((whole != kinds) | (whole < 0))
    elif all(isinstance(one, int) for one in classes):
        known = np.array(classes, np.int64)
        order = np.argsort(known)
        place = np.minimum(np.searchsorted(known, whole, sorter=order), len(known) - 1)
        bad, whole = real & (known[order[place]] != kinds), order[place]
    else:
        bad = real & ((whole != kinds) | (whole < 0) | (whole >= len(classes)))
    if bad.any():
        example = float(kinds[bad][0])
        raise DataError(
            f"{int(bad.sum())} boxes are of the class {example:g}, which isn't there",
            where=where,
            next_step="name all `classes` in their order, or their numbers; is the background one of them?",
        )
    return np.asarray(whole)


def _corners(given: Array, form: str, share_of: tuple[float, float] | None) -> NDArray[np.float64]:
    """Boxes as x, y, x, y in pixels."""
    one = np.asarray(given, np.float64)
    if form == "yxyx":
        one = one[..., [1, 0, 3, 2]]
    elif form == "xywh":
        one = np.concatenate([one[..., :2], one[..., :2] + one[..., 2:]], axis=-1)
    elif form == "cxcywh":
        one = np.concatenate([one[..., :2] - one[..., 2:] / 2, one[..., :2] + one[..., 2:] / 2], axis=-1)
    return one if share_of is None else one * np.array([*share_of, *share_of])
