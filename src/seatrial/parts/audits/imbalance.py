"""How unequal classes are, and how many rows there effectively are once weights, groups and rare classes are allowed for.

Ten thousand rows of which forty are positive say as much of the positive class as forty rows do. Rows of one person, weights of a
survey and rare classes all make a table smaller than it looks.

audit.imbalance                   rows of the rarest class
audit.imbalance.ratio             rows of the most frequent class for each row of the rarest
audit.imbalance.effective         as many rows, equally shared by the classes, would say as much of the differences between them
audit.imbalance.effective_weight  as many rows of equal weight would do (Kish 1965)
audit.imbalance.effective_group   as many independent rows would do, given how alike labels are within a group (design effect)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding, Severity, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.parts.audits._shared import result

ACCEPTS = {"tables": ("one",)}
BYTES_A_ROW = 300
"""Where every row has a group of its own; where there is none, nothing."""
MOST_CLASSES = 1_000


class Options(PartOptions):
    """From where on classes are unequal."""

    ratio: float = Field(
        default=10, gt=1, description="rows of the most frequent class a row of the rarest: a fault from here on"
    )
    few: int = Field(
        default=50, ge=1, description="rows of the rarest class below which next to nothing can be said of it"
    )


def begin(table: Table, ground: Ground, options: Options) -> _Look | None:
    """There is something to count where there is a label, a weight or both."""
    return _Look(table, ground, options) if table.label or table.weight else None


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, options: Options) -> None:
        self.table, self.ground, self.options = table, ground, options
        self.classes: Counter[Any] = Counter()
        self.rows = 0
        self.weight = self.squares = 0.0
        self.groups: dict[Any, list[float]] = {}
        self.many = False

    def see(self, chunk: Chunk) -> None:
        """Count classes, sum weights, and sum labels by group."""
        self.rows += len(chunk)
        if self.table.weight:
            weights = np.nan_to_num(chunk.columns[self.table.weight].numbers())
            self.weight, self.squares = self.weight + weights.sum(), self.squares + (weights**2).sum()
        if self.table.label and not self.many:
            label = chunk.columns[self.table.label]
            self.classes.update(_counted(label))
            self.many = len(self.classes) > MOST_CLASSES
            if self.table.group and not self.many:
                self._grouped(chunk.columns[self.table.group], label)

    def _grouped(self, group: Piece, label: Piece) -> None:
        """Of each group the rows, and the rows of the class that came first."""
        first = next(iter(self.classes), None)
        hits = np.array([cell == first for cell in _cells(label)], float)
        for name, hit in zip(_cells(group), hits.tolist(), strict=True):
            one = self.groups.setdefault(name, [0.0, 0.0])
            one[0] += 1
            one[1] += hit

    def findings(self) -> Iterator[Finding]:
        """Rarest class, ratio, and effective sizes."""
        at = {"table": self.table.name}
        if self.table.label and self.many:
            why = f"the label has more than {MOST_CLASSES} values: a quantity, or a name of each row"
            yield missing("audit.imbalance", State.UNSUPPORTED, why, at=at)
        elif self.table.label and self.classes:
            yield from self._classes(at)
        if self.table.weight and self.squares > 0:
            yield self._size("effective_weight", self.weight**2 / self.squares, "Kish's effective sample size: the square of the sum of weights over the sum of their squares")  # fmt: skip
        if len(self.groups) > 1 and not self.many and self.rows > len(self.groups):
            size, alike = _design(np.array(list(self.groups.values())))
            yield self._size("effective_group", size, f"design effect of {len(self.groups)} groups: intraclass correlation {alike:.3g} of the first class, by analysis of variance")  # fmt: skip

    def _classes(self, at: dict[str, str]) -> Iterator[Finding]:
        counts = np.array(sorted(self.classes.values()), float)
        least, n = int(counts[0]), int(counts.sum())
        ratio = counts[-1] / least
        severity = Severity.FINE
        if len(counts) == 1 or ratio >= self.options.ratio:
            few = least < self.options.few or len(counts) == 1
            severity = Severity.SERIOUS if few else Severity.MINOR
        note = (
            "there is one class alone: nothing can be learnt or judged"
            if len(counts) == 1
            else f"{len(counts)} classes"
        )
        yield from result(
            "imbalance", least, n, severity, "exact count of the rarest class", self.table, self.ground, note=note
        )
        yield Finding(what="audit.imbalance.ratio", at=at, value=float(ratio), better="lower", n=n, unit_of_replication="rows", method="exact counts")  # fmt: skip
        size = len(counts) ** 2 / float((1 / counts).sum())
        yield self._size("effective", size, "classes times the harmonic mean of their rows")

    def _size(self, name: str, value: float, method: str) -> Finding:
        return Finding(
            what=f"audit.imbalance.{name}",
            at={"table": self.table.name},
            value=float(value),
            unit="rows",
            better="higher",
            n=self.rows,
            unit_of_replication="rows",
            method=method,
        )


def _cells(piece: Piece) -> list[Any]:
    if piece.kind == "text":
        return [piece.words[code] for code in piece.values.tolist()] if len(piece.words) else [""] * len(piece.values)
    return piece.values.tolist()  # type: ignore[no-any-return]


def _counted(piece: Piece) -> dict[Any, int]:
    there = piece.values if piece.missing is None else piece.values[~piece.missing]
    values, counts = np.unique(there, return_counts=True)
    names = [piece.words[code] for code in values.tolist()] if piece.kind == "text" else values.tolist()
    return dict(zip(names, counts.tolist(), strict=True))


def _design(groups: np.ndarray) -> tuple[float, float]:
    """Effective rows and intraclass correlation of a share, from rows and hits of each group (groups, 2)."""
    sizes, hits = groups[:, 0], groups[:, 1]
    n, k = sizes.sum(), len(sizes)
    means, mean = hits / sizes, hits.sum() / n
    between = float((sizes * (means - mean) ** 2).sum()) / (k - 1)
    within = float((sizes * means * (1 - means)).sum()) / max(1.0, n - k)
    usual = (n - (sizes**2).sum() / n) / (k - 1)
    alike = (between - within) / (between + (usual - 1) * within) if between + (usual - 1) * within > 0 else 0.0
    alike = min(1.0, max(0.0, alike))
    return float(n / (1 + ((sizes**2).sum() / n - 1) * alike)), alike
