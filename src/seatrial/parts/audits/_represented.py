"""Rows of a table as a quick network learns them, and groups within a class that obey a pattern of their own.

The representation is the hidden layer of a network (64 units) that the audit fits to these very rows: not the user's model, and what is poisoned is
learnt along. A group is suspected when what its rows have in common, put on rows of other classes, carries most of them to its class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seatrial.contracts.audit import MOST_ROWS, Ground, Table
from seatrial.contracts.finding import Finding, Severity, State, missing
from seatrial.numerics.quick_net import Net, fitted
from seatrial.numerics.two_groups import in_common
from seatrial.parts.audits._shared import Rows, result

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

MOST, MOST_CLASSES, LEAST = 20_000, 100, 200
"""Rows that are looked at, drawn by chance from more; classes; rows that are too few."""
LEAST_OF_CLASS, SHOWN = 20, 300
"""Rows of a class that is looked at; rows of other classes that a pattern is put on."""
COVERED = (0.01, 0.02, 0.04)
"""Shares of the features that a pattern may cover; the best counts."""
HIDDEN, BATCH, RATE = 64, 64, 2e-3
MOSTLY = 0.9
NEARLY = 0.9
"""Of the best share, what a pattern that covers less may come to and still be taken."""
PICTURES = ("tensor",)
PASSES, STEPS = 8, 600
"""Passes through the rows, and steps of the optimiser, at least."""


class Held(NamedTuple):
    """Rows of a table as numbers (n, features), centred and of unit variance, their classes (n,), how many, and their numbers in the table."""

    x: Array
    labels: Array
    classes: int
    numbers: Array


def held(table: Table, ground: Ground, kinds: tuple[str, ...] = ("tensor", "number", "truth", "time")) -> Held | str:
    """Columns of these kinds with their labels; or why there are none."""
    assert table.label is not None
    names = [name for name in table.features if table.columns[name] != "text"]
    classes: dict[Any, int] = {}
    pieces, labels, numbers = list[Any](), list[Any](), list[Any]()
    chosen = _drawn(table, ground.seed)
    for chunk in table.chunks([*names, table.label]):
        here = chosen[(chosen >= chunk.first) & (chosen < chunk.first + len(chunk))] - chunk.first
        label = chunk.columns[table.label].take(here)
        if label.kind == "tensor":
            return "the label is more than one value a row"
        words = [label.words[value] for value in label.values] if label.kind == "text" else label.values.tolist()
        known = ~label.holes & np.array([one == one for one in words], bool)
        codes = np.array([classes.setdefault(one, len(classes)) for one, there in zip(words, known, strict=True) if there], np.int64)  # fmt: skip
        if len(classes) > MOST_CLASSES:
            return f"the label has more than {MOST_CLASSES} different values"
        kept = here[known]
        parts = [_flat(chunk.columns[name].take(kept)) for name in names if chunk.columns[name].kind in kinds]
        if not parts:
            return f"no column is of {'pictures' if kinds == PICTURES else 'pictures or numbers'}"
        pieces.append(np.concatenate(parts, axis=1))
        labels.append(codes)
        numbers.append(kept + chunk.first)
    y = np.concatenate(labels or [np.empty(0, np.int64)])
    if len(classes) < 2 or len(y) < LEAST:
        return f"too few rows or classes: {len(y)} rows of {len(classes)} classes, {LEAST} rows of 2 are needed"
    x = np.concatenate(pieces)
    x = x - x.mean(axis=0)
    return Held(x / (np.float32(x.std()) or np.float32(1)), y, len(classes), np.concatenate(numbers))


def _drawn(table: Table, seed: int) -> Array:
    if table.rows <= MOST:
        return np.arange(table.rows)
    return np.sort(np.random.default_rng(seed).choice(table.rows, MOST, replace=False))


def _flat(piece: Any) -> Array:
    """A column as numbers (rows, features): a picture's spread as stored, other numbers each of unit variance; holes are the mean."""
    if piece.kind == "tensor":
        flat = np.nan_to_num(piece.values.reshape(len(piece.values), -1).astype(np.float32))
        return flat / np.float32(255) if piece.values.dtype == np.uint8 else flat
    values = piece.numbers()
    there = np.isfinite(values)
    mean, spread = (values[there].mean(), values[there].std()) if there.any() else (0.0, 1.0)
    return ((np.where(there, values, mean) - mean) / (spread or 1.0)).astype(np.float32)[:, None]


def suspected(
    name: str, ground: Ground, split: Callable[[Array], Array], carries: float, method: str
) -> Iterator[Finding]:
    """Groups that `split` finds in what is learnt of a class ((rows, hidden) to a mask), tried by what they have in common."""
    for table in ground.of("train", "rows"):
        if table.label is None:
            continue
        got = held(table, ground, PICTURES)
        if isinstance(got, str):
            state = State.TOO_FEW if "few" in got else State.UNSUPPORTED
            yield missing(f"audit.{name}", state, got, at={"table": table.name})
            continue
        passes = max(PASSES, -(-STEPS * BATCH // len(got.x)))
        net = fitted(got.x, got.labels, got.classes, ground.seed, hidden=HIDDEN, epochs=passes, batch=BATCH, rate=RATE)
        hidden, answers = net.hidden(got.x), net.scores(got.x).argmax(axis=1)
        rows, shares = Rows(), [0.0]
        for one in range(got.classes):
            mine = np.flatnonzero(got.labels == one)
            if len(mine) < LEAST_OF_CLASS:
                continue
            group = mine[split(hidden[mine])]
            pattern = carried(got, net, answers, group, one, ground.seed)
            shares.append(pattern.share)
            if pattern.share >= carries:
                rows.found += got.numbers[bearing(got, pattern, group, mine)].tolist()
        count = len(rows.found)
        rows.found = rows.found[:MOST_ROWS]
        severity = Severity.SERIOUS if count else Severity.FINE
        note = f"the network gives {(answers == got.labels).mean():.3f} of the rows their label; what a group has in common carries at most {max(shares):.0%} of other rows over"  # fmt: skip
        if table.rows > MOST:
            note += f"; {len(got.labels)} of {table.rows} rows were looked at"
        yield from result(name, count, len(got.labels), severity, method, table, ground, rows, note=note)


class Pattern(NamedTuple):
    """Features and what a group has there, and the share of other rows that it carries to the group's class."""

    share: float
    places: Array
    means: Array


def carried(got: Held, net: Net, answers: Array, group: Array, wanted: int, seed: int) -> Pattern:
    """What the group has in common, by the share of rows of other classes, answered otherwise, that get the wanted answer once they bear it:
    the smallest pattern that carries nearly as many as the best."""
    others = np.flatnonzero((got.labels != wanted) & (answers != wanted))
    rest = np.setdiff1d(np.flatnonzero(got.labels == wanted), group)
    if not len(group) or not len(others) or not len(rest):
        return Pattern(0.0, np.empty(0, np.int64), np.empty(0))
    shown = np.random.default_rng(seed).permutation(others)[:SHOWN]
    tried = []
    for covered in COVERED:
        count = max(1, round(covered * got.x.shape[1]))
        places, means = in_common(got.x[group], got.x[got.labels != wanted], got.x[rest], count=count)
        made = got.x[shown].copy()
        made[:, places] = means
        tried.append(Pattern(float((net.scores(made).argmax(axis=1) == wanted).mean()), places, means))
    enough = NEARLY * max(one.share for one in tried)
    return next(one for one in tried if one.share >= enough)


def bearing(got: Held, pattern: Pattern, group: Array, mine: Array) -> Array:
    """Rows of the class that bear the pattern as nearly as nine of ten rows of the group do: a group needn't hold all of them."""
    far = np.abs(got.x[mine][:, pattern.places] - pattern.means).mean(axis=1)
    return mine[far <= np.quantile(far[np.isin(mine, group)], MOSTLY)]
