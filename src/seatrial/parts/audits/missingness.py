"""Cells that hold nothing, words that mean nothing, and whether what is missing says something of the label.

Where cells are missing more often for one class, a model learns the gap instead of the thing, and does worse once forms are filled in
otherwise. Words such as `NA`, `?` or `unknown` are gaps, too, though the file doesn't say so.

audit.missingness                 cells without a value, or with a word that means nothing
audit.missingness.column          of one column {column}
audit.missingness.words           cells with a word that means nothing {column}
audit.missingness.tells_label     how strongly being missing goes with the label (Cramer's V) {column}
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.numerics.distributions import chi2_sf
from seatrial.parts.audits._shared import (
    EMPTY,
    MOST_COLUMNS,
    Coder,
    Rows,
    cramers_v,
    grade,
    listed,
    pooled,
    result,
    where,
)

ACCEPTS = {"tables": ("one",)}


class Options(PartOptions):
    """From where on gaps matter."""

    minor: float = Field(default=0.05, ge=0, le=1, description="share of a column's cells above which gaps are a fault")
    serious: float = Field(
        default=0.5, gt=0, le=1, description="share of a column's cells from which on they are serious"
    )
    tells: float = Field(
        default=0.1, gt=0, le=1, description="Cramer's V with the label from which on a gap is serious"
    )


def begin(table: Table, ground: Ground, options: Options) -> _Look:
    """Looks at every column."""
    return _Look(table, ground, options)


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, options: Options) -> None:
        self.table, self.ground, self.options = table, ground, options
        self.gaps: dict[str, int] = dict.fromkeys(table.columns, 0)
        self.words: dict[str, int] = dict.fromkeys(table.columns, 0)
        self.label = Coder()
        self.tables = {name: np.zeros((2, self.label.width)) for name in table.columns}
        self.rows = 0
        self.found = Rows()

    def see(self, chunk: Chunk) -> None:
        """Count gaps by column, and by label."""
        self.rows += len(chunk)
        label = self.label.codes(chunk.columns[self.table.label]) if self.table.label else None
        everywhere = np.zeros(len(chunk), bool)
        total = None if label is None else np.bincount(label, minlength=self.label.width)
        for name, piece in chunk.columns.items():
            empty = _empty(piece)
            if empty is None:
                gone = piece.missing
            else:
                self.words[name] += int(empty.sum())
                gone = empty | piece.holes
            self.gaps[name] += 0 if piece.missing is None else int(piece.missing.sum())
            if gone is None or not gone.any():
                gaps = np.zeros(self.label.width)
            else:
                everywhere |= gone
                gaps = (
                    np.zeros(self.label.width)
                    if label is None
                    else np.bincount(label[gone], minlength=self.label.width)
                )
            if total is not None:
                self.tables[name] += np.stack([gaps, total - gaps])
        self.found.add(chunk, everywhere)

    def findings(self) -> Iterator[Finding]:
        """Cells in all, columns with many, words that mean nothing, and what gaps tell of the label."""
        shares = {name: (self.gaps[name] + self.words[name]) / max(1, self.rows) for name in self.gaps}
        bad = where(shares, self.options.minor)
        cells = sum(self.gaps.values()) + sum(self.words.values())
        severity = grade(max(shares.values(), default=0.0), self.options.minor, self.options.serious)
        note = f"columns with more than {self.options.minor:.0%}: {listed(bad)}" if bad else ""
        yield from result(
            "missingness", cells, self.rows * len(self.gaps), severity, "exact count of cells without a value or with a word that means nothing", self.table, self.ground, self.found, unit="cells", note=note
        )  # fmt: skip
        for name in bad[:MOST_COLUMNS]:
            at = {"column": name}
            severity = grade(shares[name], self.options.minor, self.options.serious)
            count = self.gaps[name] + self.words[name]
            yield from result(
                "missingness.column",
                count,
                self.rows,
                severity,
                "exact count",
                self.table,
                self.ground,
                unit="cells",
                at=at,
            )
        for name in where({name: count / max(1, self.rows) for name, count in self.words.items()}, 0.0)[:MOST_COLUMNS]:
            yield Finding(
                what="audit.missingness.words",
                at={"table": self.table.name, "column": name},
                value=self.words[name],
                unit="cells",
                better="lower",
                n=self.rows,
                unit_of_replication="rows",
                method="exact count of words that mean nothing (NA, ?, unknown, ...)",
            )
        if self.table.label:
            yield from self._telling()

    def _telling(self) -> Iterator[Finding]:
        """Chi-square of gap by label for each column, corrected for the number of columns."""
        looked = {name: table for name, table in self.tables.items() if name != self.table.label and table[0].sum() > 0 and table[1].sum() > 0}  # fmt: skip
        found = {name: (pooled(table), *cramers_v(pooled(table))) for name, table in looked.items()}
        chance = self.ground.alarm / max(1, len(found))
        telling = {
            name: v
            for name, (_, v, chi, freedom) in found.items()
            if freedom and chi2_sf(chi, freedom) < chance and v > 0
        }
        for name in where(telling, 0.0)[:MOST_COLUMNS]:
            yield Finding(
                what="audit.missingness.tells_label",
                at={"table": self.table.name, "column": name},
                value=telling[name],
                better="lower",
                n=self.rows,
                unit_of_replication="rows",
                severity=grade(telling[name], 0.02, self.options.tells),
                method=f"Cramer's V of gap by label, corrected for chance (Bergsma 2013); chi-square, {self.ground.alarm:.2g} over {len(found)} columns (Bonferroni)",
            )


def _empty(piece: Piece) -> np.ndarray | None:
    """Which cells hold a word that means nothing; None where there can be none."""
    if piece.kind != "text":
        return None
    marks = np.array([len(word) <= 13 and word.strip().lower() in EMPTY for word in piece.words] or [False])
    if not marks.any():
        return None
    empty = marks[piece.values]
    return empty if piece.missing is None else empty & ~piece.missing
