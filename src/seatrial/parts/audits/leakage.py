"""What the rows that judge have in common with those that taught, and what tells the label without being a reason for it.

A model that has seen the answers looks better than it will be. Each way in which that happens is a finding of its own:

audit.leakage.exact_rows         rows that judge and stand in training, too (`.different`: how many different ones)
audit.leakage.near_rows          rows that judge and are nearly one of training: rounded, spelt or brightened otherwise
audit.leakage.groups             groups (users, patients) with rows in both
audit.leakage.time_order         rows that judge and are earlier than the latest of training
audit.leakage.calibration_rows   rows that judge and that something was calibrated or tuned on
audit.leakage.duplicated_file    data sets that hold the same rows under another name
audit.leakage.future_dates       columns of times with values later than the row's own time (`order`)
audit.leakage.label_in_feature   columns that tell the label nearly or wholly
audit.leakage.source_marker      columns with a value that stands in one class and in no other: a file's folder, a scanner, a pixel
audit.leakage.identifier         identifiers that tell something of the label
audit.leakage.row_order          whether the number of a row tells something of the label
audit.leakage.target_statistics  columns that are the label's mean by another column, over all rows instead of those of training
audit.leakage.preprocessing      columns whose stated mean, deviation, least or largest value is that of all rows, not of training

Rows are compared by keyed hashes of the columns that both tables have, 8 bytes a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.audit import MOST_ROWS, Ground, Table
from seatrial.contracts.finding import Finding, Severity, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.numerics.shift import Moments, moments
from seatrial.parts.audits._leaks_label import leaks
from seatrial.parts.audits._leaks_near import near_rows
from seatrial.parts.audits._leaks_target import of_all_rows
from seatrial.parts.audits._shared import Rows, beyond, grade, listed, result

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"tables": ("all",)}
CANNOT = {
    "target_statistics": (
        "not yet ours",
        "the label's mean by another column is recognised of labels that are numbers and columns that are text, not smoothed or without the row itself",
    ),
    "written_dates": ("not yet ours", "dates in the future are looked for in columns of times, not in text or numbers"),
}
SERIOUS = 0.01
"""Share of the rows that judge from which a leak is serious."""


class Options(PartOptions):
    """There is nothing to set."""


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """Everything that leaks between the tables, then within each that has a label."""
    train, judging = ground.of("train"), ground.of("evaluation")
    fitted = ground.of("calibrate", "tune")
    for table in judging:
        yield from _shared(ground, table, train, "exact_rows")
        yield from _near(ground, table, train)
        yield from _shared(ground, table, fitted, "calibration_rows")
        yield from _groups(ground, table, train)
        yield from _time(ground, table, train)
    yield from _twins(ground)
    for table in ground.tables.values():
        yield from _future(table)
        if table.label is not None:
            yield from _labels(ground, table)
    if train and judging:
        names, n = of_all_rows(train, judging)
        yield from _columns(
            "target_statistics", names, n, "equal to the mean label of all rows by another column's words"
        )
    yield from _preprocessing(ground, train, judging)


# --- between tables -------------------------------------------------------------------------------------------------------


def _hashes(ground: Ground, table: Table, names: Sequence[str]) -> Array:
    if set(names) == set(table.columns):
        return table.hashes()
    found = [ground.hash_rows(chunk.columns) for chunk in table.chunks(names)]
    return np.concatenate(found or [np.empty(0, np.uint64)])


def _common(one: Table, other: Table) -> list[str]:
    aside = {*one.ignored, *other.ignored}
    return [name for name in one.columns if name in other.columns and name not in aside]


def _shared(ground: Ground, table: Table, others: Sequence[Table], kind: str) -> Iterator[Finding]:
    """Rows of a table that stand in one of the others."""
    if not others:
        return
    inside, different = np.zeros(table.rows, bool), 0
    for other in others:
        names = _common(table, other)
        if names:
            mine = _hashes(ground, table, names)
            inside |= np.isin(mine, _hashes(ground, other, names))
    if inside.any():
        different = len(np.unique(table.hashes()[inside]))
    rows = Rows()
    rows.found = np.flatnonzero(inside)[:MOST_ROWS].tolist()
    ground.doubt("leaked", table, np.flatnonzero(inside))
    count, severity = int(inside.sum()), _severity(inside)
    how = "exact count of rows whose keyed hash stands in both"
    yield from result(f"leakage.{kind}", count, table.rows, severity, how, table, ground, rows)
    at = {"table": table.name}
    yield Finding(
        what=f"audit.leakage.{kind}.different", value=different, unit="rows", at=at, better="lower", method=how
    )


def _near(ground: Ground, table: Table, train: Sequence[Table]) -> Iterator[Finding]:
    if not train:
        return
    near, chance = near_rows(ground, table, train)
    more = beyond(int(near.sum()), chance, ground.alarm)
    rows = Rows()
    rows.found = np.flatnonzero(near)[:MOST_ROWS].tolist()
    if more:
        ground.doubt("leaked", table, np.flatnonzero(near))
    note = f"about {chance:.3g} would be by chance, were columns independent" if chance >= 0.5 else ""
    severity = grade(more / max(1, table.rows), 0.0, SERIOUS)
    how = "equal once fractions are cut to a hundredth of their deviation and words are in small letters; or four fifths of a text's runs of three words, or a picture's hash and small form, in common"
    yield from result("leakage.near_rows", int(near.sum()), table.rows, severity, how, table, ground, rows, note=note)


def _severity(found: Array) -> Severity:
    return grade(float(found.mean()) if found.size else 0.0, 0.0, SERIOUS)


def _groups(ground: Ground, table: Table, train: Sequence[Table]) -> Iterator[Finding]:
    if not table.group or not train:
        return
    name = table.group
    mine = np.unique(_hashes(ground, table, [name]))
    theirs = [_hashes(ground, one, [name]) for one in train if name in one.columns]
    both = int(np.isin(mine, np.concatenate(theirs)).sum()) if theirs else 0
    severity = Severity.SERIOUS if both else Severity.FINE
    how = f"exact count of values of `{name}` that stand in both"
    yield from result("leakage.groups", both, len(mine), severity, how, table, ground, unit="groups")


def _time(ground: Ground, table: Table, train: Sequence[Table]) -> Iterator[Finding]:
    """Rows that judge and are earlier than the latest row of training."""
    name = table.order
    earlier = [one for one in train if name in one.columns]
    if not name or not earlier:
        return
    kinds = {chunk.columns[name].kind for one in (table, *earlier) for chunk in one.chunks([name], 1000)}
    if not kinds <= {"number", "time"}:
        why = f"`{name}` holds neither times nor numbers"
        yield missing("audit.leakage.time_order", State.UNSUPPORTED, why, at={"table": table.name})
        return
    latest = max((float(np.nanmax(values)) for values in _numbers(earlier, name)), default=-np.inf)
    before = np.concatenate([values < latest for values in _numbers([table], name)])
    rows = Rows()
    rows.found = np.flatnonzero(before)[:MOST_ROWS].tolist()
    how = f"exact count of rows whose `{name}` is below the largest of training"
    yield from result("leakage.time_order", int(before.sum()), len(before), _severity(before), how, table, ground, rows)


def _numbers(tables: Sequence[Table], name: str) -> Iterator[Array]:
    for table in tables:
        for chunk in table.chunks([name]):
            values = chunk.columns[name].numbers()
            if np.isfinite(values).any():
                yield values


def _twins(ground: Ground) -> Iterator[Finding]:
    """Pairs of tables with the same different rows."""
    tables = list(ground.tables.values())
    pairs = [(one, other) for at, one in enumerate(tables) for other in tables[at + 1 :]]
    if not pairs:
        return
    twins = [f"{one.name} and {other.name}" for one, other in pairs if _alike(ground, one, other)]
    severity = Severity.SERIOUS if twins else Severity.FINE
    yield Finding(
        what="audit.leakage.duplicated_file",
        value=len(twins),
        unit="pairs",
        better="lower",
        n=len(pairs),
        unit_of_replication="pairs",
        severity=severity,
        method="pairs of tables of which 95 % of the different rows stand in both, by keyed hashes",
        note=listed(twins),
    )


def _alike(ground: Ground, one: Table, other: Table) -> bool:
    names = _common(one, other)
    if not names or 2 * len(names) < len(one.columns) or min(one.rows, other.rows) == 0:
        return False
    first, second = (np.unique(_hashes(ground, table, names)) for table in (one, other))
    both = np.isin(first, second).sum()
    return bool(both >= 0.95 * (len(first) + len(second) - both))


# --- within a table, and what was stated ----------------------------------------------------------------------------------


def _future(table: Table) -> Iterator[Finding]:
    """Columns of times that are later than the row itself, where rows have a time."""
    if table.order is None:
        return
    later: dict[str, int] = {}
    for chunk in table.chunks([table.order, *table.features]):
        own = chunk.columns[table.order]
        for name in table.features:
            piece = chunk.columns[name]
            if own.kind == piece.kind == "time":
                after = (piece.values > own.values) & ~piece.holes & ~own.holes
                later[name] = later.get(name, 0) + int(after.sum())
    if later:
        how = f"columns with a time later than the row's own in `{table.order}`"
        yield from _columns("future_dates", [name for name in later if later[name]], len(later), how, table.name)


def _labels(ground: Ground, table: Table) -> Iterator[Finding]:
    found, n = leaks(table, ground.alarm), len(table.features)
    methods = {
        "label_in_feature": "columns that take away at least 90 % of the label's entropy, less chance (Miller 1955)",
        "source_marker": "columns with a value in 98 % of a class's rows of which 98 % are of that class",
        "identifier": "identifiers with Cramer's V of at least 0.2 with the label, more than chance",
    }
    for kind, how in methods.items():
        names = getattr(found, kind)
        yield from _columns(kind, names, n, how, table.name)
    how = "label by twentieths of the table: Cramer's V of at least 0.2, more than chance"
    yield from _columns("row_order", ["the number of the row"] if found.row_order else [], 1, how, table.name)


def _columns(kind: str, names: Sequence[str], n: int, how: str, table: str | None = None) -> Iterator[Finding]:
    yield Finding(
        what=f"audit.leakage.{kind}",
        at={"table": table} if table else {},
        value=len(names),
        unit="columns",
        better="lower",
        n=n,
        unit_of_replication="columns",
        severity=Severity.SERIOUS if names else Severity.FINE,
        method=how,
        note=listed(list(names)),
    )


def _preprocessing(ground: Ground, train: Sequence[Table], judging: Sequence[Table]) -> Iterator[Finding]:
    """Columns whose stated figures are those of all rows."""
    if not ground.statistics or not train or not judging:
        return
    columns = [name for name in ground.statistics if all(name in one.columns for one in (*train, *judging))]
    guilty = [name for name in columns if _of_all(ground.statistics[name], name, train, judging)]
    how = "stated figures at most a tenth as far from those of all rows as from those of training"
    yield from _columns("preprocessing", guilty, len(columns), how)


def _of_all(stated: Any, name: str, train: Sequence[Table], judging: Sequence[Table]) -> bool:
    taught, other = _figures(_numbers(train, name)), _figures(_numbers([*train, *judging], name))
    for figure in stated.keys() & taught.keys():
        apart, near = abs(stated[figure] - taught[figure]), abs(stated[figure] - other[figure])
        if apart > 1e-9 * max(1.0, abs(taught[figure])) and near < apart / 10:
            return True
    return False


def _figures(pieces: Iterable[Array]) -> dict[str, float]:
    whole, low, high = Moments(), np.inf, -np.inf
    for values in pieces:
        whole = whole.merge(moments(values))
        low, high = min(low, float(np.nanmin(values))), max(high, float(np.nanmax(values)))
    if not whole.n:
        return {}
    return {"mean": whole.mean, "std": float(np.sqrt(whole.second / whole.n)), "min": low, "max": high}
