"""Figures without the rows in doubt, beside those of all rows: what faults of the data do to the verdict.

cleaned.<what> {without, ...}   the same figure without `label_errors` (suspected), `leaked` (they stand in training, too), `duplicates`
                                (copies of an earlier row), and without `any` of these where there are several kinds

Audits say which rows are in doubt, all of them; here they are a cell of their own in every count. Taking out rows that a quick model
labels otherwise flatters whatever errs as that model does: beside the figure of all rows it shows how much hangs on them, no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Condition, Finding
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.tally import Partition, Slice
from seatrial.flow import arrays

PREFIX, WITHOUT, ANY = "cleaned.", "without", "any"
_COLUMN = "rows in doubt"


@dataclass(frozen=True)
class Doubts:
    """Kinds of doubt about rows that judge; `marks` is a file of a byte a row, in which each kind has a bit."""

    kinds: tuple[str, ...] = ()
    marks: ArrayRef | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The kinds, and `any` where there are several."""
        return (*self.kinds, ANY) if len(self.kinds) > 1 else self.kinds

    @property
    def cells(self) -> tuple[Slice, ...]:
        """A cell for the rows without each kind of doubt, and one for those without any."""
        return tuple(_cell(kind) for kind in self.named)

    def partitions(self, start: int, stop: int) -> list[Partition]:
        """The partitions of rows `start` to `stop`: one a cell, because cells overlap."""
        if self.marks is None:
            return []
        marks = np.asarray(arrays.load(self.marks, start, stop))
        bits = [marks & np.uint8(1 << at) for at in range(len(self.kinds))]
        bits += [marks] if len(self.kinds) > 1 else []
        return [Partition((cell,), np.where(bit > 0, -1, 0)) for cell, bit in zip(self.cells, bits, strict=True)]


def prepare_doubts(marked: Sequence[tuple[int, dict[str, NDArray[np.bool_]]]], cache: Path) -> Doubts:
    """What audits marked in the tables that judge (rows and marks by kind of each), over all their rows in order.

    A kind that no row has, or every row, says nothing beside the figures of all rows.
    """
    rows = sum(count for count, _ in marked)
    kinds: list[str] = []
    marks = np.zeros(rows, np.uint8)
    for kind in dict.fromkeys(name for _, each in marked for name in each):
        one = np.concatenate([each.get(kind, np.zeros(count, bool)) for count, each in marked])
        if one.any() and not one.all():
            marks |= one.astype(np.uint8) << np.uint8(len(kinds))
            kinds.append(kind)
    return Doubts(tuple(kinds), arrays.save(cache, marks)) if kinds else Doubts()


def restated(found: Iterable[Finding], doubts: Doubts) -> list[Finding]:
    """Findings on cells without rows in doubt under a name of their own; all others as they are."""
    kind_of = {_cell(kind): kind for kind in doubts.named}
    return [
        one.model_copy(
            update={"what": PREFIX + one.what, "at": dict(sorted({**one.at, WITHOUT: kind}.items())), "slice": ()}
        )
        if (kind := kind_of.get(one.slice))
        else one
        for one in found
    ]


def _cell(kind: str) -> Slice:
    return (Condition(column=_COLUMN, relation="!=", value=kind),)
