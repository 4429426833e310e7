"""Counters of answers that choose any number of labels for a row, for `numerics/counting.py`; for C cells and L labels:

confusion       (C, L, 2, 2)    rows by whether they have the label, and whether it was chosen
scores          (C, L, 2, B)    as for classes, each label against its absence
label_errors    (C, L + 1)      rows by how many labels are missed or chosen wrongly
jaccard         (C, 3)          sums of the row's agreement, its square and cube
label_sums      (C, 9)          sums of the row's hits h, labels t and chosen c, and of hh, tt, cc, ht, hc, tc
label_pairs     (C, 3 L, 3 L)   sums of products of every two of the row's hits, labels and chosen
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.quality import Batch
from seatrial.errors import DataError, SeatrialError, Unsupported
from seatrial.numerics.valued import Value, three

if TYPE_CHECKING:
    from seatrial.numerics.cells import Cells

Floats = NDArray[np.float64]
COUNTERS = ("label_errors", "jaccard", "label_sums", "label_pairs")
TERMS = ("h", "t", "c", "hh", "tt", "cc", "ht", "hc", "tc")
MOST_PAIRS = 2**21  # numbers of `label_pairs`: 16 MiB


def asked(batch: Batch) -> bool:
    """Whether answers are sets of labels."""
    return "chosen" in batch.answers


def obstacle(batch: Batch, counter: str, cells: int) -> SeatrialError | None:
    """Why this counter can't be counted of this batch in so many cells; None where it can."""
    if not asked(batch):
        return Unsupported("this metric is for models that choose any number of labels for a row")
    labels = int(np.shape(batch.answers["chosen"])[1])
    if counter == "label_pairs" and cells * (3 * labels) ** 2 > MOST_PAIRS:
        return Unsupported(f"{cells} groups of rows and {labels} labels are too many for the correlations of labels")
    return labels_fault(batch)


def labels_fault(batch: Batch) -> SeatrialError | None:
    """Why labels can't be compared with what was chosen."""
    if batch.labels is None:
        return DataError("this metric needs labels", next_step="name the `label` column of the evaluation data")
    own, labels = np.shape(batch.answers["chosen"]), np.shape(batch.labels)
    if own == labels:
        return None
    return DataError(
        f"labels have shape {labels}, the model's choices {own}: a 0 or 1 for each row and label is needed"
    )


class Sets:
    """A chunk of rows with labels each chosen or not."""

    def __init__(self, batch: Batch, chunk: slice) -> None:
        self.labels = np.asarray(batch.labels)[chunk].astype(bool)
        self.chosen = np.asarray(batch.answers["chosen"][chunk], bool)

    @cached_property
    def counts(self) -> dict[str, Floats]:
        """How many hits, labels and chosen each row has, (rows,) each."""
        parts = {"h": self.labels & self.chosen, "t": self.labels, "c": self.chosen}
        return {name: one.sum(axis=1).astype(np.float64) for name, one in parts.items()}

    @cached_property
    def wrong(self) -> NDArray[np.intp]:
        """How many labels of each row are wrong, (rows,)."""
        return np.asarray((self.labels != self.chosen).sum(axis=1), np.intp)

    @cached_property
    def jaccard(self) -> Floats:
        """Hits over labels that the row has or that were chosen; 1 where there are none of either."""
        either = self.counts["t"] + self.counts["c"] - self.counts["h"]
        return np.asarray(np.divide(self.counts["h"], either, out=np.ones(len(either)), where=either > 0))

    def product(self, term: str) -> Floats:
        """A count of each row (`h`), or the product of two (`hc`)."""
        return np.asarray(np.prod([self.counts[letter] for letter in term], axis=0))

    def place(self, label: int) -> NDArray[np.intp]:
        """Whether the row has the label, and whether it was chosen, as one number below 4."""
        return np.asarray(self.labels[:, label] * 2 + self.chosen[:, label], np.intp)

    @cached_property
    def indicators(self) -> Floats:
        """Hits, labels and chosen side by side, (rows, 3 L)."""
        return np.concatenate([self.labels & self.chosen, self.labels, self.chosen], axis=1).astype(np.float64)


def summed(counter: str) -> list[Value]:
    """What is summed for a counter of rows' quantities."""
    if counter == "jaccard":
        return three(lambda rows: rows.sets.jaccard)
    return [partial(_product, term=term) for term in TERMS]


def _product(rows: Any, term: str) -> Floats:
    found: Floats = rows.sets.product(term)
    return found


class Pairs:
    """Sums of products of every two indicators, in every cell: what `label_pairs` keeps while counting."""

    def __init__(self, cells: Cells, labels: int) -> None:
        self._cells = cells
        self.kept = np.zeros((cells.count, 3 * labels, 3 * labels))

    def add(self, chunk: slice, rows: Any) -> None:
        """Count a chunk of rows."""
        given = rows.sets.indicators
        weighted = given if rows.weights is None else given * rows.weights[:, None]
        self.kept[0] += weighted.T @ given
        for first, codes in self._cells.codes(chunk):
            order = np.argsort(codes, kind="stable")
            there, starts = np.unique(codes[order], return_index=True)
            for code, members in zip(there.tolist(), np.split(order, starts[1:]), strict=True):
                if code >= 0:
                    self.kept[first + code] += weighted[members].T @ given[members]
