"""Columns that tell the label where the model is taught and no longer where it is judged: shortcuts that a model will take.

A hospital's scanner, a photographer's lamp, a season: what goes with the label by the way rows were gathered is learnt like a reason, and
fails elsewhere. Of each column it is worked out how much of the label's entropy it takes away in training (corrected for chance), and how much
the same table of chances takes away from rows that judge. Of pictures brightness, contrast and the frame are columns.

audit.shortcuts           columns that tell at least `least` of the label and lose more than half of that, more than chance
audit.shortcuts.column    how much they lose, as a share of the label's entropy, with an interval {column}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.part import PartOptions
from seatrial.numerics.distributions import normal_quantile
from seatrial.numerics.interval import tail
from seatrial.parts.audits._shared import MOST_COLUMNS, Coder, listed

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"tables": ("all",)}
CANNOT = {
    "one table alone": ("never", "a shortcut shows where it fails: rows of another origin are needed"),
    "shortcuts of several columns together": ("not yet ours", "each column is looked at alone"),
    "labels that are numbers": ("not yet ours", "they are cut into ten classes of equally many rows"),
}
WORDS, BINS, CLASSES = 50, 10, 50


class Options(PartOptions):
    """From where on a column is a shortcut."""

    least: float = Field(
        default=0.05, gt=0, lt=1, description="share of the label's entropy that a column must tell in training"
    )
    lost: float = Field(
        default=0.5, gt=0, le=1, description="share of that which must be lost where the model is judged"
    )


class Told(NamedTuple):
    """How much a column tells in training and where the model is judged, as shares of the label's entropy; the difference's error."""

    taught: float
    judged: float
    error: float


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """Each table that judges and has a label, against those that taught."""
    train = [one for one in ground.of("train") if one.label is not None]
    for table in ground.of("evaluation") if train else ():
        if table.label is not None:
            yield from _of_one(table, train, ground, options)


def _of_one(table: Table, train: Sequence[Table], ground: Ground, options: Options) -> Iterator[Finding]:
    label, coders = Coder(CLASSES, 10), dict[str, Coder]()
    taught = [_counts(one, label, coders) for one in train]
    sides = [
        {name: sum(one[name] for one in taught if name in one) for name in taught[0]},
        _counts(table, label, coders),
    ]
    told = {name: skill(sides[0][name], counts) for name, counts in sides[1].items() if name in sides[0]}
    sure = -normal_quantile(ground.alarm / max(1, len(told)))
    found = {
        name: one
        for name, one in told.items()
        if one.taught >= options.least and one.taught - one.judged > max(options.lost * one.taught, sure * one.error)
    }
    ranked = sorted(found, key=lambda name: found[name].judged - found[name].taught)
    at = {"table": table.name}
    method = f"entropy of the label taken away, training less rows that judge, more than chance ({ground.alarm:.2g} over {len(told)} columns)"
    yield Finding(
        what="audit.shortcuts",
        at=at,
        value=len(found),
        unit="columns",
        better="lower",
        n=len(told),
        unit_of_replication="columns",
        severity=Severity.SERIOUS if found else Severity.FINE,
        method=method,
        note=listed(ranked),
    )
    half = -normal_quantile(tail(ground.level))
    for name in ranked[:MOST_COLUMNS]:
        one = found[name]
        value = one.taught - one.judged
        yield Finding(
            what="audit.shortcuts.column",
            at={**at, "column": name},
            value=value,
            low=value - half * one.error,
            high=value + half * one.error,
            level=ground.level,
            better="lower",
            n=int(np.sum(sides[1][name])),
            unit_of_replication="rows",
            severity=Severity.SERIOUS,
            method="mean gain in log chance of the label, normal interval",
            note=f"in training {one.taught:.2g} of the label's entropy, here {one.judged:.2g}",
        )


def skill(taught: Array, judged: Array) -> Told:
    """What a column's codes tell of the label, from counts (codes, classes) of both sides.

    Chances come from training (half a row added to each cell); the share told there is corrected for what chance does on average (Miller 1955).
    """
    some = 0.5
    seen = taught[:, taught.sum(axis=0) + judged.sum(axis=0) > 0].astype(np.float64)
    here = judged[:, taught.sum(axis=0) + judged.sum(axis=0) > 0].astype(np.float64)
    prior = (seen.sum(axis=0) + some) / (seen.sum() + some * seen.shape[1])
    chances = (seen + some * prior * seen.shape[1]) / (seen.sum(axis=1, keepdims=True) + some * seen.shape[1])
    gain = np.log(chances) - np.log(prior)
    entropy = float(-(prior * np.log(prior)).sum())
    if entropy <= 0 or not seen.sum() or not here.sum():
        return Told(0.0, 0.0, 0.0)
    kept = int((seen.sum(axis=1) > 0).sum())
    chance = (kept - 1) * (seen.shape[1] - 1) / (2 * seen.sum())
    (own, own_error), (other, other_error) = (_mean(gain, counts) for counts in (seen, here))
    error = float(np.sqrt(own_error**2 + other_error**2 + (2 * chance) ** 2))
    return Told((own - chance) / entropy, other / entropy, error / entropy)


def _mean(gain: Array, counts: Array) -> tuple[float, float]:
    """Mean of the gain over the rows, and its standard error."""
    n = counts.sum()
    mean = float((gain * counts).sum() / n)
    return mean, float(np.sqrt(max(0.0, (gain**2 * counts).sum() / n - mean**2) / n))


def _counts(table: Table, label: Coder, coders: dict[str, Coder]) -> dict[str, Array]:
    """Codes by classes of each column, (codes, classes)."""
    assert table.label is not None
    made: dict[str, Array] = {}
    for chunk in table.chunks([table.label, *table.features]):
        classes = np.minimum(label.codes(chunk.columns[table.label]), CLASSES + 1)
        there = ~chunk.columns[table.label].holes
        for name, piece in _seen(chunk, table.features):
            coder = coders.setdefault(name, Coder(WORDS, BINS))
            codes = np.minimum(coder.codes(piece), WORDS + 1)
            pairs = (codes * (CLASSES + 2) + classes)[there]
            counted = np.bincount(pairs, minlength=(WORDS + 2) * (CLASSES + 2)).reshape(WORDS + 2, CLASSES + 2)
            made[name] = made.get(name, 0) + counted
    return made


def _seen(chunk: Chunk, names: Sequence[str]) -> Iterator[tuple[str, Piece]]:
    """The columns to count; of pictures how bright they are, how rich in contrast, and how bright at their frame."""
    for name in names:
        piece = chunk.columns[name]
        if piece.kind != "tensor":
            yield name, piece
            continue
        values = piece.values.reshape(len(piece.values), -1).astype(np.float32)
        yield f"brightness of {name}", Piece("number", values.mean(axis=1), piece.missing)
        yield f"contrast of {name}", Piece("number", values.std(axis=1), piece.missing)
        if piece.values.ndim >= 3 and min(piece.values.shape[1:3]) > 2:
            frame = np.ones(piece.values.shape[1:3], bool)
            frame[1:-1, 1:-1] = False
            edges = piece.values.reshape(*piece.values.shape[:3], -1)[:, frame].reshape(len(values), -1)
            yield f"frame of {name}", Piece("number", edges.mean(axis=1, dtype=np.float32), piece.missing)
