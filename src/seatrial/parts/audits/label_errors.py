"""Labels that are likely to be wrong, found by a model that didn't see the row, and how many are to be expected.

A quick model (ridge regression on bins, words and random cosines) is fitted five times, each time without a fifth of the rows, and asked
for those. Rows that it confidently gives another class (confident learning) are suspected; the rows to look at are these, the least
likely label first: a queue for relabelling. That a row is suspected doesn't mean that its label is wrong: the model errs, too.

audit.label_errors           how many rows are suspected
audit.label_errors.rate      the share of labels that is estimated to be wrong, with an interval: an estimate that assumes that errors strike
                             easy rows as often as others
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import MOST_ROWS, Chunk, Ground, Table
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.numerics.confident import error_rate, likely_errors
from seatrial.numerics.held_out import Sums, probabilities, sums, weights
from seatrial.parts.audits._features import Features
from seatrial.parts.audits._shared import Rows, grade, result

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"tables": ("all",)}
GIVES = {"way": ("model",)}
CANNOT = {
    "numbers": ("not yet ours", "labels of more than 100 different values, such as prices, aren't judged"),
    "annotators": ("not yet ours", "the agreement of several annotators of a row isn't measured"),
}
FOLDS, MOST_CLASSES, LEAST = 5, 100, 200


class Options(PartOptions):
    """From which estimated rate on errors matter."""

    minor: float = Field(
        default=0.01, ge=0, lt=1, description="estimated share of wrong labels above which it is worth a look"
    )
    serious: float = Field(
        default=0.05, gt=0, lt=1, description="estimated share of wrong labels from which it is serious"
    )


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """What is suspected in each table that has a label."""
    for table in ground.tables.values():
        if table.label is not None and table.features:
            yield from _of_one(table, ground, options)


def _of_one(table: Table, ground: Ground, options: Options) -> Iterator[Finding]:
    labels, why = _labels(table)
    if why:
        at = {"table": table.name}
        yield missing("audit.label_errors", State.TOO_FEW if "few" in why else State.UNSUPPORTED, why, at=at)
        return
    judged = np.flatnonzero(labels >= 0)
    given = labels[judged]
    p = probabilities(_scores(table, labels, ground.seed)[judged], given)
    found, rate = likely_errors(given, p), error_rate(given, p, ground.level)
    severity = grade((rate.low or 0.0) if rate else 0.0, options.minor, options.serious)
    rows = Rows()
    rows.found = judged[found.ranked[:MOST_ROWS]].tolist()
    ground.doubt("label_errors", table, judged[found.suspected])
    how = "confident learning on probabilities by five-fold cross-validation"
    count = int(found.suspected.sum())
    note = f"the model gives {(p.argmax(axis=1) == given).mean():.3f} of the rows their label"
    yield from result("label_errors", count, len(given), severity, how, table, ground, rows, note=note)
    if rate is None:
        why = "the quick model isn't good enough on these rows to tell its own errors from those of labels"
        yield missing("audit.label_errors.rate", State.UNSUPPORTED, why, at={"table": table.name})
        return
    yield Finding(
        what="audit.label_errors.rate",
        at={"table": table.name},
        value=rate.value,
        low=rate.low,
        high=rate.high,
        level=rate.level,
        better="lower",
        n=len(given),
        unit_of_replication="rows",
        origin=Origin.ESTIMATED,
        severity=severity,
        method=rate.method,
        note="assumes that errors strike easy rows as often as others, and says nothing of classes that the model is never sure of",
    )


def _labels(table: Table) -> tuple[Array, str]:
    """The class of each row, -1 where the label is missing; or why there are none."""
    assert table.label is not None
    classes: dict[Any, int] = {}
    pieces = []
    for chunk in table.chunks([table.label]):
        piece = chunk.columns[table.label]
        if piece.kind == "tensor":
            return np.empty(0, np.int64), "the label is more than one value a row"
        words = np.array([*piece.words, ""], object) if piece.kind == "text" else None
        values = words[piece.values] if words is not None else piece.values
        holes = piece.holes | (np.isnan(values) if values.dtype.kind == "f" else False)
        different, places = np.unique(
            np.where(holes, values[~holes][:1] if (~holes).any() else values[:1], values), return_inverse=True
        )
        codes = np.array([classes.setdefault(one, len(classes)) for one in different.tolist()], np.int64)
        if len(classes) > MOST_CLASSES:
            return np.empty(0, np.int64), f"the label has more than {MOST_CLASSES} different values"
        pieces.append(np.where(holes, -1, codes[places]))
    labels = np.concatenate(pieces or [np.empty(0, np.int64)])
    counts = np.bincount(labels[labels >= 0], minlength=1)
    if len(counts) < 2 or counts.sum() < LEAST:
        return (
            labels,
            f"too few rows or classes: {counts.sum()} rows of {len(counts)} classes, {LEAST} rows of 2 are needed",
        )
    return labels, ""


def _scores(table: Table, labels: Array, seed: int) -> Array:
    """Scores of each row by what was fitted without its fold, (rows, classes); two passes over the rows."""
    features, classes = Features(table.features, seed, len(labels) // 6), int(labels.max()) + 1
    fold = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
    parts: list[Sums | None] = [None] * FOLDS
    for chunk, here in _chunks(table):
        x = features.of(chunk)
        for one in range(FOLDS):
            mine = (fold[here] == one) & (labels[here] >= 0)
            made = sums(x[mine], labels[here][mine], classes)
            before = parts[one]
            parts[one] = made if before is None else before.add(made)
    known = [part for part in parts if part is not None]
    whole = known[0]
    for part in known[1:]:
        whole = whole.add(part)
    fitted = [weights(whole.less(part)).astype(np.float32) for part in known]
    scores = np.zeros((len(labels), classes), np.float32)
    for chunk, here in _chunks(table):
        x, mine = features.of(chunk), scores[here]
        for one, each in enumerate(fitted):
            rows = fold[here] == one
            mine[rows] = x[rows] @ each
    return scores


def _chunks(table: Table) -> Iterator[tuple[Chunk, slice]]:
    for chunk in table.chunks(table.features):
        yield chunk, slice(chunk.first, chunk.first + len(chunk))
