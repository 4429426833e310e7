"""Whether the rows that judge look like those that taught, column by column, by the size of the difference and not its p-value.

A model that is judged on other rows than it was taught on is judged on another task, perhaps rightly so: tomorrow's rows differ, too. What
counts is how far, and whether that is more than two draws of the same rows show. Numbers are cut into ten bins, words counted.

audit.split_shift           columns whose stability index is above `minor` and above what chance reaches
audit.split_shift.column    population stability index {column}: 0.1 is little, 0.25 is much, by custom
audit.split_shift.mean      difference of means in standard deviations {column}, with an interval, of columns that shifted
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.part import PartOptions
from seatrial.numerics.shift import Distance, Moments, moments, population_stability, standardised_difference
from seatrial.parts.audits._shared import MOST_COLUMNS, Coder, grade, listed

ACCEPTS = {"tables": ("all",)}
CANNOT = {
    "pictures and vectors": ("not yet ours", "of tensors only the mean of a row is looked at; a classifier sees more"),
}
WORDS, BINS = 50, 10


class Options(PartOptions):
    """From where on a column has shifted."""

    minor: float = Field(default=0.1, gt=0, description="population stability index above which a column has shifted")
    serious: float = Field(default=0.25, gt=0, description="population stability index from which it is serious")


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """Each table that judges, against those that taught."""
    train = ground.of("train")
    for table in ground.of("evaluation") if train else ():
        yield from _of_one(table, train, ground, options)


class _Side:
    """What one side shows of one column: counts of codes, and moments of its numbers."""

    def __init__(self) -> None:
        self.counts = np.zeros(WORDS + 2, np.int64)
        self.moments = Moments()


def _of_one(table: Table, train: Sequence[Table], ground: Ground, options: Options) -> Iterator[Finding]:
    known = [name for name in table.features if any(name in one.columns for one in train)]
    names = [*known, *([table.label] if table.label and all(table.label in one.columns for one in train) else [])]
    if not names:
        return
    coders = {name: Coder(WORDS, BINS) for name in names}
    sides = [{name: _Side() for name in names} for _ in range(2)]
    for side, tables in zip(sides, ([*train], [table]), strict=True):
        for one in tables:
            _count(one, [name for name in names if name in one.columns], coders, side)
    chance = 1 - ground.alarm / len(names)
    distances = {
        name: population_stability(sides[0][name].counts, sides[1][name].counts, chance)
        for name in names
        if sides[0][name].counts.any() and sides[1][name].counts.any()
    }
    shifted = {name: one for name, one in distances.items() if one.value > options.minor and one.above_chance}
    yield from _told(table, shifted, len(distances), sides, ground, options)


def _count(table: Table, names: list[str], coders: dict[str, Coder], side: dict[str, _Side]) -> None:
    for chunk in table.chunks(names):
        for name in names:
            piece = chunk.columns[name]
            if piece.kind == "tensor":
                flat = piece.values.reshape(len(piece.values), -1)
                piece = type(piece)("number", flat.mean(axis=1), piece.missing)
            one = side[name]
            one.counts += np.bincount(np.minimum(coders[name].codes(piece), WORDS + 1), minlength=WORDS + 2)
            if piece.kind in ("number", "truth"):
                one.moments = one.moments.merge(moments(piece.numbers()))


def _told(
    table: Table,
    shifted: dict[str, Distance],
    n: int,
    sides: list[dict[str, _Side]],
    ground: Ground,
    options: Options,
) -> Iterator[Finding]:
    at = {"table": table.name}
    ranked = sorted(shifted, key=lambda name: -shifted[name].value)
    worst = max((one.value for one in shifted.values()), default=0.0)
    method = f"population stability index above {options.minor:g} (a custom) and above what chance reaches in {ground.alarm:.2g} of pairs without a shift (Bonferroni over {n} columns)"
    yield Finding(
        what="audit.split_shift",
        at=at,
        value=len(shifted),
        unit="columns",
        better="lower",
        n=n,
        unit_of_replication="columns",
        severity=grade(worst, options.minor, options.serious),
        method=method,
        note=listed(ranked),
    )
    for name in ranked[:MOST_COLUMNS]:
        one = shifted[name]
        common: dict[str, Any] = {"at": {**at, "column": name}, "n": table.rows, "unit_of_replication": "rows"}
        severity = Severity.SERIOUS if one.value >= options.serious else Severity.MINOR
        yield Finding(
            what="audit.split_shift.column",
            value=one.value,
            better="lower",
            severity=severity,
            method=one.method,
            **common,
        )
        found = standardised_difference(sides[0][name].moments, sides[1][name].moments, ground.level)
        if found.low is not None and found.high is not None:
            yield Finding(
                what="audit.split_shift.mean",
                value=found.value,
                low=found.low,
                high=found.high,
                level=found.level,
                method=found.method,
                **common,
            )
