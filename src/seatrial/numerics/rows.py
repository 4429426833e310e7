"""What one row of answers comes to: predicted class, rank of the label, losses, bins; worked out once for all that count them.

`Rows` looks at a chunk of a batch and computes each quantity when it is first asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.quality import Batch
from seatrial.numerics import losses
from seatrial.numerics.chosen import Sets
from seatrial.numerics.score_bins import BINS, Bins, probability_bins, score_bins
from seatrial.numerics.valued import Numbers

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
RAW = ("scores", "values", "quantiles", "vectors", "boxes")
"""Answers that are the model's own numbers; the first that there is."""


def raw(answers: Mapping[str, Any]) -> NDArray[Any]:
    """The model's own numbers, shape (rows, columns)."""
    array = np.asarray(next(answers[name] for name in RAW if name in answers))
    return array if array.ndim == 2 else array.reshape(len(array), math.prod(array.shape[1:]))


class Side:
    """One model's answers to a chunk of rows; `labels` as places of classes, None where there are none."""

    def __init__(self, answers: Mapping[str, Any], chunk: slice, labels: Places | None) -> None:
        self._answers, self._chunk, self._labels = answers, chunk, labels

    @cached_property
    def scores(self) -> NDArray[Any]:
        """Raw scores, shape (rows, classes)."""
        return np.asarray(self._answers["scores"][self._chunk])

    @cached_property
    def raw(self) -> NDArray[Any]:
        """The model's own numbers, shape (rows, columns)."""
        return raw(self._answers)[self._chunk]

    @cached_property
    def probabilities(self) -> Floats:
        """Probabilities, shape (rows, classes)."""
        return np.ascontiguousarray(self._answers["probabilities"][self._chunk], np.float64)

    @property
    def labels(self) -> Places:
        """The labels, shape (rows,)."""
        assert self._labels is not None
        return self._labels

    @cached_property
    def predicted(self) -> Places:
        """The class with the highest score, the first of equal ones; shape (rows,)."""
        if self.scores.shape[1] == 2:
            return np.asarray(self.scores[:, 1] > self.scores[:, 0], np.intp)
        return np.asarray(self.scores.argmax(axis=1), np.intp)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether the predicted class is the label."""
        return np.asarray(self.predicted == self.labels)

    @cached_property
    def ranks(self) -> Places:
        """How many other classes score at least as high as the label (`numerics.losses.top_k_hits`)."""
        if self.scores.shape[1] == 2:
            first, second = self.scores[:, 0], self.scores[:, 1]
            return np.asarray(~np.where(self.labels == 1, first < second, second < first), np.intp)
        own = self.scores.reshape(-1).take(self._own)
        return np.asarray((~(self.scores < own[:, None])).sum(axis=1) - 1, np.intp)

    @cached_property
    def log_loss(self) -> Floats:
        """As `numerics.losses.log_loss`."""
        return np.asarray(-np.log(np.maximum(self._of_label, losses.FLOOR)))

    @cached_property
    def brier(self) -> Floats:
        """As `numerics.losses.brier`."""
        if self.probabilities.shape[1] == 2:
            other = self.probabilities.reshape(-1).take(self._own ^ 1)
            return np.asarray((1.0 - self._of_label) ** 2 + other * other)
        squares = np.einsum("ij,ij->i", self.probabilities, self.probabilities)
        return np.asarray(np.maximum(0.0, squares - 2.0 * self._of_label + 1.0))

    def bins(self, place: int) -> Bins:
        """Bins of this class's probabilities, or scores where there are none (for two classes: the margin between them)."""
        if "probabilities" in self._answers:
            return probability_bins(self.probabilities[:, place])
        if self.scores.shape[1] == 2 and "chosen" not in self._answers:
            return score_bins((1 if place else -1) * (self.scores[:, 1] - self.scores[:, 0]))
        return score_bins(self.scores[:, place])

    @cached_property
    def _own(self) -> Places:
        """Where each row's label lies in the flattened answers."""
        width = np.shape(self._answers["scores"])[1]
        return np.arange(0, len(self.labels) * width, width) + self.labels

    @cached_property
    def _of_label(self) -> Floats:
        return self.probabilities.reshape(-1).take(self._own)


class Rows:
    """A chunk of a batch: the candidate's side, and the reference's where there is one."""

    def __init__(self, batch: Batch, chunk: slice) -> None:
        known = None if batch.labels is None else np.asarray(batch.labels)[chunk]
        labels = known.astype(np.intp) if known is not None and known.ndim == 1 and known.dtype.kind in "iu" else None
        self.own = Side(batch.answers, chunk, labels)
        self.other = Side(batch.reference or {}, chunk, labels)
        self.weights = None if batch.weights is None else np.asarray(batch.weights[chunk], np.float64)
        self.labels = labels
        self._batch, self._chunk = batch, chunk

    @cached_property
    def numbers(self) -> Numbers:
        """What predicted numbers come to."""
        return Numbers(self._batch, self._chunk)

    @cached_property
    def sets(self) -> Sets:
        """What labels chosen in any number come to."""
        return Sets(self._batch, self._chunk)

    @cached_property
    def kl(self) -> Floats:
        """Divergence of the candidate's probabilities from the reference's (`numerics.losses.kl`)."""
        return losses.kl(self.other.probabilities, self.own.probabilities)

    @cached_property
    def difference(self) -> Floats:
        """Absolute difference of the raw outputs, shape (rows, columns)."""
        return np.asarray(np.abs(np.asarray(self.own.raw, np.float64) - self.other.raw))

    @cached_property
    def mean_difference(self) -> Floats:
        """The mean of `difference` over columns, shape (rows,)."""
        return np.asarray(self.difference.mean(axis=1))


def classed(rows: Rows, place: int, bins: int) -> Places:
    """Whether each row has the class, and the bin of its score, as one number below 2 x bins."""
    found = rows.own.bins(place)
    if bins < BINS:
        found = found // (BINS // bins)
    of_it = rows.sets.labels[:, place] if rows.labels is None else rows.labels == place
    return np.asarray(found + of_it.astype(np.intp) * bins)


def scored_twice(rows: Rows, place: int, bins: int) -> Places:
    """The bins of the reference's and of the candidate's score of a class, as one number below bins x bins."""
    return np.asarray(rows.other.bins(place) // (BINS // bins) * bins + rows.own.bins(place) // (BINS // bins))


def confident(rows: Rows, bins: int) -> Places:
    """Whether each row is right, and the bin of its highest probability, as one number below 2 x bins."""
    found = probability_bins(rows.own.probabilities.max(axis=1)) // (BINS // bins)
    return np.asarray(found + rows.own.right.astype(np.intp) * bins)
