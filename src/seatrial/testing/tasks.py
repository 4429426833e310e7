"""The exam of tasks: answers don't depend on how rows are cut, every row keeps its place, and what makes no sense is refused.

from seatrial import catalog
from seatrial.testing.tasks import exam

exam(catalog.find("tasks", "classification"))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.study import Output
from seatrial.errors import DataError

ROWS, WIDTH = 40, 3
CLASSES = ("coat", "no", "42 m")


def exam(part: PartInfo) -> None:
    """Try a task on made-up outputs of each meaning that it says it reads (`GIVES["means"]`). Raises `AssertionError`."""
    module = catalog.load(part)
    meanings = part.gives.get("means", ())
    assert meanings, f"{part.name}: say in GIVES which outputs it reads: means"
    for means in meanings:
        other: Any = "tokens" if means == "boxes" else "boxes"
        outputs = {"other": Output(means=other), "answer": Output(means=means, classes=CLASSES)}
        raw = {"other": np.zeros((ROWS, 7), np.float32), "answer": sample(means)}
        _rows_stand_alone(part, module, outputs, raw)
        _no_nonsense(part, module, outputs, raw)
        _labels_keep_their_place(part, module, outputs)


def sample(means: str, rows: int = ROWS, width: int = WIDTH) -> np.ndarray[Any, Any]:
    """Made-up outputs, rows x width, as this meaning has them."""
    given = np.random.default_rng(1).normal(0, 4, (rows, width)).astype(np.float32)
    if means == "boxes":
        return made_boxes(rows)
    if means != "probabilities":
        return given
    powers = np.exp(given - given.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def made_boxes(rows: int) -> np.ndarray[Any, Any]:
    """Two boxes a row as corners, score and class, rows x 2 x 6; the class of both goes round from row to row."""
    rng = np.random.default_rng(1)
    corner, size = rng.uniform(0, 50, (rows, 2, 2)), rng.uniform(1, 40, (rows, 2, 2))
    score, kind = rng.random((rows, 2, 1)), np.arange(rows)[:, None, None] % len(CLASSES) + np.zeros((1, 2, 1))
    return np.concatenate([corner, corner + size, score, kind], axis=2).astype(np.float32)


def _rows_stand_alone(part: PartInfo, module: Any, outputs: Any, raw: Any) -> None:
    whole = module.answers(raw, outputs)
    assert whole, f"{part.name}: there are no answers"
    assert set(whole) <= set(part.gives.get("answers", whole)), (
        f"{part.name}: answers that GIVES doesn't name: {set(whole)}"
    )
    for name, values in whole.items():
        assert len(values) == ROWS, f"{part.name}: `{name}` has {len(values)} rows, not {ROWS}"
        assert np.isfinite(values).all(), f"{part.name}: `{name}` holds what is no number"
    order = np.random.default_rng(2).permutation(ROWS)
    for cut in (1, 7, ROWS):
        pieces = [
            module.answers({name: values[order[start : start + cut]] for name, values in raw.items()}, outputs)
            for start in range(0, ROWS, cut)
        ]
        for name, values in whole.items():
            joined = np.concatenate([piece[name] for piece in pieces])
            assert np.allclose(joined, values[order], rtol=1e-6, atol=1e-12), (
                f"{part.name}: `{name}` depends on its neighbours"
            )


def _no_nonsense(part: PartInfo, module: Any, outputs: Any, raw: Any) -> None:
    broken = raw["answer"].copy()
    broken[[1, 5], 0] = np.nan
    error = _refused(part, lambda: module.answers(raw | {"answer": broken}, outputs), "outputs that are no number")
    assert "2" in error.what, f"{part.name}: the error says how many rows are no number"
    error = _refused(part, lambda: module.answers({"anser": raw["answer"]}, outputs), "an output that isn't there")
    assert "answer" in str(error), f"{part.name}: the error names the output that isn't there"


def _labels_keep_their_place(part: PartInfo, module: Any, outputs: Any) -> None:
    stored = np.array([CLASSES[row % len(CLASSES)] for row in range(ROWS)], dtype=object)
    if "values" in part.gives["means"]:
        _refused(part, lambda: module.labels(stored, outputs), "text where numbers are predicted")
        stored = np.arange(ROWS) % len(CLASSES)
    if "boxes" in part.gives["means"]:
        _refused(part, lambda: module.labels(stored, outputs), "text where boxes are wanted")
        stored = np.tile(made_boxes(len(CLASSES))[..., [0, 1, 2, 3, 5]], (ROWS, 1, 1))[:ROWS]
    whole = module.labels(stored, outputs)
    assert len(whole) == ROWS, f"{part.name}: {ROWS} labels became {len(whole)}"
    pieces = np.concatenate([module.labels(stored[start : start + 1], outputs) for start in range(ROWS)])
    assert np.array_equal(whole, pieces), f"{part.name}: a label depends on its neighbours"
    assert len(np.unique(whole, axis=0)) == len(CLASSES), f"{part.name}: different labels became the same"
    _refused(part, lambda: module.labels(np.array([0.0, np.nan]), outputs), "labels that are missing")


def _refused(part: PartInfo, act: Callable[[], Any], what: str) -> DataError:
    try:
        act()
    except DataError as error:
        return error
    raise AssertionError(f"{part.name}: {what} must raise a DataError")
