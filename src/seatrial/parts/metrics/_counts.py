"""What metrics share: reading a batch, and states that can be merged and kept.

A state is a small dict of plain Python numbers, lists and dicts, so that a store can keep it as JSON and shards on several
machines can be merged. Its size doesn't depend on the number of rows. Counts merge exactly; sums of losses to rounding.

Slices come for free: `flow` counts the rows of a slice as it counts all rows, and merges what it counted. No metric knows
of slices. Answers come from the task, which promises finite numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.protocols import Batch
from seatrial.errors import DataError, Unsupported
from seatrial.numerics.interval import Interval
from seatrial.numerics.proportions import proportion

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Better = Literal["higher", "lower"]


def labels(batch: Batch) -> Ints:
    """The labels, class indices of shape (rows,). Raises `DataError` where there are none or they name classes the model hasn't."""
    if batch.labels is None:
        raise DataError("this metric needs labels", next_step="name the `label` column of the evaluation data")
    found, width = np.asarray(batch.labels, np.int64), np.shape(batch.answers["scores"])[1]
    if found.size and (found.min() < 0 or found.max() >= width):
        raise DataError(f"labels go from {found.min()} to {found.max()}, the model answers for {width} classes")
    return found


def scores(answers: Mapping[str, Any]) -> Floats:
    """Raw scores as the model gave them, shape (rows, classes)."""
    return np.asarray(answers["scores"], np.float64)


def probabilities(answers: Mapping[str, Any]) -> Floats:
    """Probabilities, shape (rows, classes). Raises `Unsupported` where the outputs are mere scores."""
    if "probabilities" not in answers:
        raise Unsupported("this metric needs probabilities", next_step="say `means: logits` or `means: probabilities`")
    return np.asarray(answers["probabilities"], np.float64)


def predicted(answers: Mapping[str, Any]) -> Ints:
    """The class with the highest score, shape (rows,); the first of equal ones."""
    return np.asarray(np.argmax(answers["scores"], axis=1), np.int64)


def reference(batch: Batch) -> Mapping[str, Any]:
    """The reference's answers on the same rows. Raises `DataError` where there are none or for other rows or classes."""
    if batch.reference is None:
        raise DataError("this metric compares with the reference, whose answers are not there")
    own, other = np.shape(batch.answers["scores"]), np.shape(batch.reference["scores"])
    if own != other:
        raise DataError(f"the candidate answers with shape {own}, the reference with {other}: they can't be compared")
    return batch.reference


def names(batch: Batch) -> list[str]:
    """Names of the classes; their indices where the study gives none."""
    return list(batch.classes) or [str(index) for index in range(np.shape(batch.answers["scores"])[1])]


def add(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The merge of two states of counts and sums: numbers add up, lists entry by entry, names must agree."""
    if one.keys() != other.keys() or one.get("classes") != other.get("classes"):
        raise ValueError("states of different classes or options can't be merged")
    return {key: value if key == "classes" else _sum(value, other[key]) for key, value in one.items()}


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, list):
        return [mine + theirs for mine, theirs in zip(one, other, strict=True)]
    if isinstance(one, dict):
        return {key: one.get(key, 0) + other.get(key, 0) for key in sorted(one.keys() | other.keys())}
    return one + other


def statement(what: str, interval: Interval, n: int, better: Better, **more: Any) -> Finding:
    """A finding on `n` rows with the interval's bounds and method; too few rows where there are no bounds."""
    bounded = interval.low is not None or interval.high is not None
    return Finding(
        what=what,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        level=interval.level,
        better=better,
        n=n,
        unit_of_replication="rows",
        method=interval.method,
        state=State.OK if bounded else State.TOO_FEW,
        note="" if bounded else interval.method,
        **more,
    )


def share(what: str, successes: int, n: int, level: float, better: Better, **more: Any) -> Finding:
    """A share of rows with its interval; missing where there are no rows."""
    if n == 0:
        return too_few(what, better, **more)
    return statement(what, proportion(successes, n, level), n, better, **more)


def too_few(what: str, better: Better | None, note: str = "there are no rows", **more: Any) -> Finding:
    """A finding that would need more rows."""
    return missing(what, State.TOO_FEW, note, better=better, unit_of_replication="rows", **({"n": 0} | more))
