"""Counters of predicted numbers, for `numerics/counting.py`; for C cells, T targets, Q quantiles and P pairs of quantiles:

    absolute_error      (C, T, 3)       sums of the rows' absolute errors, their squares and cubes
    squared_error       (C, T, 3)       the same of the squared errors
    relative_error      (C, T, 4)       rows whose label isn't 0; and the same of their absolute errors over the label's size
    variation           (C, T, 24)      sums of `regression.POWERS` of error and label
    quantile_loss       (C, T, Q, 3)    the same three of the pinball loss
    covered             (C, T, P)       rows whose label lies within the pair, its ends included
    width               (C, T, P, 3)    the same three of the pair's distance

Pairs are the outermost two quantiles, the next two, and so on. Labels are summed as distances from the batch's `centre`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.quality import Batch
from seatrial.errors import DataError, SeatrialError, Unsupported
from seatrial.numerics.regression import POWERS, pairs, pinball

Floats = NDArray[np.float64]
Value = Callable[[Any], Floats]
"""A quantity of each row, from `numerics.rows.Rows`."""
VALUES = ("absolute_error", "squared_error", "relative_error", "variation")
QUANTILES = ("quantile_loss", "covered", "width")
COUNTERS = (*VALUES, *QUANTILES)


def asked(batch: Batch) -> bool:
    """Whether answers are predicted numbers."""
    return "values" in batch.answers or "quantiles" in batch.answers


def targets(batch: Batch) -> int:
    """How many numbers are predicted of a row."""
    return int(next(batch.answers[name] for name in ("values", "quantiles") if name in batch.answers).shape[1])


def obstacle(batch: Batch, counter: str) -> SeatrialError | None:
    """Why this counter can't be counted of this batch; None where it can."""
    if not asked(batch):
        return Unsupported("this metric is for models that predict numbers")
    if counter in VALUES and "values" not in batch.answers:
        return Unsupported(
            "this metric needs one predicted number; the model gives quantiles, and the median isn't among them",
            next_step="state an output with `means: values` and without `quantiles`",
        )
    if counter in QUANTILES and "quantiles" not in batch.answers:
        step = "say which they are: `outputs: {y: {means: values, quantiles: [0.1, 0.9]}}`"
        return Unsupported("this metric needs predicted quantiles", next_step=step)
    if counter in ("covered", "width") and len(batch.about["quantiles"]) < 2:
        return Unsupported("an interval needs two predicted quantiles, there is one")
    return _labels_fault(batch)


def _labels_fault(batch: Batch) -> SeatrialError | None:
    if batch.labels is None:
        return DataError("this metric needs labels", next_step="name the `label` column of the evaluation data")
    given, wanted = np.asarray(batch.labels), targets(batch)
    width = 1 if given.ndim == 1 else given.shape[1]
    if given.dtype.kind != "f":
        return DataError(f"labels are {given.dtype}, where predicted numbers are compared with numbers")
    return None if width == wanted else DataError(f"a row has {width} labels, the model predicts {wanted} numbers")


class Numbers:
    """A chunk of predicted numbers and their labels, one target at a time; every quantity has shape (rows,)."""

    def __init__(self, batch: Batch, chunk: slice) -> None:
        self._batch, self._chunk = batch, chunk
        self._powers: dict[tuple[int, int, int], Floats] = {}

    @cached_property
    def _labels(self) -> Floats:
        given = np.asarray(self._batch.labels)[self._chunk].astype(np.float64)
        return given[:, None] if given.ndim == 1 else given

    @cached_property
    def _errors(self) -> Floats:
        return self._labels - np.asarray(self._batch.answers["values"][self._chunk], np.float64)

    def size(self, target: int) -> Floats:
        """The absolute error."""
        return np.abs(self._errors[:, target])

    def square(self, target: int) -> Floats:
        """The squared error."""
        return np.square(self._errors[:, target])

    def known(self, target: int) -> Floats:
        """1 where the label isn't 0."""
        return np.asarray(self._labels[:, target] != 0, np.float64)

    def share(self, target: int) -> Floats:
        """The absolute error over the label's size; 0 where the label is 0."""
        size, label = self.size(target), np.abs(self._labels[:, target])
        return np.asarray(np.divide(size, label, out=np.zeros(len(size)), where=label != 0))

    def power(self, target: int, error: int, label: int) -> Floats:
        """error^(2 `error`) * (label - centre)^`label`."""
        key = (target, error, label)
        if key not in self._powers:
            if error:
                found = self.power(target, error - 1, label) * self.square(target)
            elif label:
                found = self.power(target, 0, label - 1) * (self._labels[:, target] - self._centre(target))
            else:
                found = np.ones(len(self._labels))
            self._powers[key] = found
        return self._powers[key]

    def _centre(self, target: int) -> float:
        return self._batch.about["centre"][target] if "centre" in self._batch.about else 0.0

    def quantile(self, target: int, place: int) -> Floats:
        """A predicted quantile."""
        return np.asarray(self._batch.answers["quantiles"][self._chunk, target, place], np.float64)

    def pinball(self, target: int, place: int) -> Floats:
        """The loss of a predicted quantile."""
        return pinball(self._labels[:, target], self.quantile(target, place), self._batch.about["quantiles"][place])

    def covered(self, target: int, low: int, high: int) -> Floats:
        """1 where the label lies within two predicted quantiles."""
        label = self._labels[:, target]
        return np.asarray((self.quantile(target, low) <= label) & (label <= self.quantile(target, high)), np.float64)

    def width(self, target: int, low: int, high: int) -> Floats:
        """The distance of two predicted quantiles; below 0 where they stand the wrong way round."""
        return self.quantile(target, high) - self.quantile(target, low)


def summed(counter: str, batch: Batch) -> list[Value]:
    """What is summed, number by number of the counter's shape."""
    levels = batch.about.get("quantiles", ())
    return [value for target in range(targets(batch)) for value in _of_target(counter, target, levels)]


def _of_target(counter: str, target: int, levels: tuple[float, ...]) -> list[Value]:
    both = pairs(levels)
    if counter == "variation":
        return [_value("power", target, *power) for power in POWERS]
    if counter == "quantile_loss":
        return [one for place in range(len(levels)) for one in three(_value("pinball", target, place))]
    if counter == "covered":
        return [_value("covered", target, *pair) for pair in both]
    if counter == "width":
        return [one for pair in both for one in three(_value("width", target, *pair))]
    if counter == "relative_error":
        return [_value("known", target), *three(_value("share", target))]
    return three(_value("size" if counter == "absolute_error" else "square", target))


def shaped(counter: str, found: NDArray[Any], batch: Batch) -> NDArray[Any]:
    """Sums (cells, numbers) as the counter's own shape."""
    levels = batch.about.get("quantiles", ())
    inner = {"quantile_loss": (len(levels), 3), "covered": (len(pairs(levels)),), "width": (len(pairs(levels)), 3)}
    return found.reshape(len(found), targets(batch), *inner.get(counter, (found.shape[1] // targets(batch),)))


def three(value: Value) -> list[Value]:
    """A quantity, its square and its cube."""
    return [value, lambda rows: np.square(value(rows)), lambda rows: np.square(value(rows)) * value(rows)]


def _value(name: str, *places: int) -> Value:
    return partial(_asked, name=name, places=places)


def _asked(rows: Any, name: str, places: tuple[int, ...]) -> Floats:
    found: Floats = getattr(rows.numbers, name)(*places)
    return found
