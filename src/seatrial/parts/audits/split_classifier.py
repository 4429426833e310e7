"""Whether a quick model can tell rows that judge from rows that taught: shifts that no single column shows.

A model (ridge regression on bins, words and random cosines) learns which split a row is from, and is asked of rows it didn't see. Where it
is no better than chance the splits are alike in all that it can see. Splits by time or place are told apart rightly; then the figures are
of other rows than those taught on, which may be what is wanted.

audit.split_classifier    area under its curve, by five-fold cross-validation, with an interval: 0.5 can't tell, 1 always can {table}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.numerics.distributions import normal_quantile
from seatrial.numerics.held_out import out_of_sample
from seatrial.numerics.interval import tail
from seatrial.numerics.ranking import delong
from seatrial.numerics.row_hash import mixed
from seatrial.parts.audits._features import Features
from seatrial.parts.audits._shared import grade

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"tables": ("all",)}
GIVES = {"way": ("model",)}
CANNOT = {
    "identifiers": (
        "never",
        "a column that counts rows up tells every split: name it under `ignore`, `order` or `group`",
    )
}
MOST, LEAST = 10_000, 100
"""Rows of each side that are looked at, drawn by a hash of their number; fewer than the least say nothing."""


class Options(PartOptions):
    """From where on splits are told apart."""

    minor: float = Field(default=0.55, gt=0.5, lt=1, description="area under the curve above which splits differ")
    serious: float = Field(default=0.75, gt=0.5, lt=1, description="area under the curve from which they differ much")


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """Each table that judges, against those that taught."""
    train = ground.of("train")
    for table in ground.of("evaluation") if train else ():
        names = [name for name in table.features if all(name in one.columns for one in train)]
        if names:
            yield _of_one(table, train, names, ground, options)


def _of_one(table: Table, train: Sequence[Table], names: list[str], ground: Ground, options: Options) -> Finding:
    at = {"table": table.name}
    features = Features(names, ground.seed, MOST // 8)
    sides = [_drawn(features, tables, ground.seed) for tables in ([table], train)]
    least = min(map(len, sides))
    if least < LEAST:
        why = f"{least} rows on one side are too few, {LEAST} are needed"
        return missing("audit.split_classifier", State.TOO_FEW, why, at=at)
    rows = np.concatenate(sides)
    from_here = np.repeat([1, 0], [len(one) for one in sides])
    found = delong(out_of_sample(rows, from_here, 2, ground.seed)[:, 1], from_here)
    value = float(found.auc[0])
    half = -normal_quantile(tail(ground.level)) * float(np.sqrt(max(found.covariance[0, 0], 1e-12)))
    low, high = max(0.0, value - half), min(1.0, value + half)
    return Finding(
        what="audit.split_classifier",
        at=at,
        value=value,
        low=low,
        high=high,
        level=ground.level,
        better="lower",
        n=len(rows),
        unit_of_replication="rows",
        severity=grade(low, options.minor, options.serious),
        method="area under the curve of ridge regression by five-fold cross-validation, DeLong's interval; graded by its lower bound",
    )


def _drawn(features: Features, tables: Sequence[Table], seed: int) -> Array:
    """Features of at most `MOST` rows of these tables, drawn by a hash of their number."""
    total = sum(table.rows for table in tables)
    limit = np.uint64(min(1.0, MOST / max(1, total)) * (2**64 - 2**12))
    pieces: list[Array] = []
    for number, table in enumerate(tables):
        for chunk in table.chunks(features.names):
            places = np.arange(chunk.first, chunk.first + len(chunk), dtype=np.uint64)
            taken = mixed(places ^ np.uint64((seed + number + 1) << 40)) <= limit
            if taken.any():
                columns = {name: piece.take(taken) for name, piece in chunk.columns.items()}
                pieces.append(features.of(Chunk(chunk.first, columns, chunk.hasher)))
    return np.concatenate(pieces or [np.zeros((0, 1), np.float32)])
