"""Leaks: planted ones by kind, clean tables, and the census income data, whose rows in both splits are known."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from seatrial.contracts.audit import Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.numerics.row_hash import row_hashes
from seatrial.parts.audits import label_errors, leakage
from seatrial.testing import _faulty
from seatrial.testing.audits import table

DAY = np.timedelta64(1, "D")
KINDS = (
    "future_dates", "target_statistics",
    "exact_rows", "groups", "time_order", "calibration_rows", "duplicated_file", "label_in_feature", "source_marker", "identifier",
    "row_order", "preprocessing",
)  # fmt: skip


def found(tables: list[Table], **stated: Any) -> list[Finding]:
    """What the audit of leaks says of these tables."""
    by_name = {one.name: one for one in tables}
    ground = Ground(by_name, hash_rows=lambda pieces: row_hashes(pieces, _faulty.KEY), **stated)
    return list(leakage.look(ground, leakage.Options()))


def alarms(findings: list[Finding]) -> set[str]:
    """Kinds of leak that raised an alarm."""
    return {one.what.split(".")[2] for one in findings if one.severity not in (None, Severity.FINE)}


def _people(rows: int, seed: int, first: int) -> dict[str, Any]:
    return _faulty.clean(rows, seed) | {"person": np.arange(rows) // 2 + first, "day": np.arange(rows) + first}


def _tables(train: dict[str, Any], judge: dict[str, Any], *more: Table) -> list[Table]:
    named = {"label": "y", "group": "person", "order": "day"}
    return [table(train, "train", "train", **named), table(judge, "evaluation", "evaluation", **named), *more]


def planted(kind: str) -> bool:
    """Whether a leak of this kind, planted in a clean pair of tables, is found by its name."""
    train, judge, more, stated = _people(3000, 1, 0), _people(1000, 2, 10_000), [], {}
    rng = np.random.default_rng(0)
    if kind == "exact_rows":
        judge = {name: np.concatenate([train[name][:20], judge[name][20:]]) for name in judge}
    elif kind == "groups":
        judge["person"] = np.where(np.arange(1000) < 20, train["person"][:1000], judge["person"])
    elif kind == "time_order":
        judge["day"] = judge["day"] - 9_000
    elif kind == "calibration_rows":
        more = [table({name: values[:30] for name, values in judge.items()}, "fitted", "calibrate")]
    elif kind == "duplicated_file":
        more = [table({name: values[::-1] for name, values in train.items()}, "copy", "rows")]
    elif kind == "future_dates":
        for one in (train, judge):
            one["day"] = np.datetime64("2024-01-01") + one["day"] * DAY
            one["paid"] = one["day"] + (np.arange(len(one["day"])) % 50 == 0) * DAY
    elif kind == "target_statistics":
        towns, labels = (np.concatenate([train[name], judge[name]]) for name in ("town", "y"))
        means = {town: labels[towns == town].mean() for town in set(towns)}
        for one in (train, judge):
            one["rate"] = np.array([means[town] for town in one["town"]])
    elif kind == "label_in_feature":
        train, judge = ({**one, "code": one["y"] * 2.5 + rng.normal(0, 0.01, len(one["y"]))} for one in (train, judge))
    elif kind == "source_marker":
        for one in (train, judge):
            one["path"] = np.array([f"/{'north' if y else 'south'}/{at}.png" for at, y in enumerate(one["y"])], object)
    elif kind == "identifier":
        for one in (train, judge):
            one["id"] = np.argsort(np.argsort(one["y"] + rng.normal(0, 0.3, len(one["y"]))))
    elif kind == "row_order":
        order = np.argsort(train["y"], kind="stable")
        train = {name: train[name] if name in ("day", "person") else train[name][order] for name in train}
    else:
        both = np.concatenate([train["height"], judge["height"]])
        stated = {"statistics": {"height": {"mean": float(both.mean()), "std": float(both.std())}}}
    return kind in alarms(found(_tables(train, judge, *more), **stated))


def leaks_found() -> dict[str, Any]:
    """Of the planted kinds how many are found, and how many of ten clean pairs raise an alarm."""
    clean = [alarms(found(_tables(_people(3000, seed, 0), _people(1000, seed + 50, 10_000)))) for seed in range(10)]
    return {
        "leaks_found": sum(planted(kind) for kind in KINDS),
        "leaks_planted": len(KINDS),
        "leak_false_alarms": sum(map(bool, clean)),
    }


def census(train: Path, test: Path) -> dict[str, Any]:
    """Different rows in both splits of the census income data (CSV files without a header), and CPU seconds of the audits."""
    tables = []
    for file, role in ((train, "train"), (test, "evaluation")):
        frame = pl.read_csv(file, has_header=False, infer_schema_length=None)
        columns = {
            name: frame[name].to_numpy() if frame[name].dtype != pl.String else frame[name].to_numpy().astype(object)
            for name in frame.columns
        }
        tables.append(table(columns, role, role, 65_536, label=frame.columns[-1]))
    begun = time.process_time()
    made = found(tables)
    leaks = time.process_time() - begun
    rates = {one.name: one for one in tables}
    errors = list(
        label_errors.look(Ground(rates, hash_rows=lambda p: row_hashes(p, _faulty.KEY)), label_errors.Options())
    )
    by_name = {one.what: one.value for one in made}
    return {
        "census_rows_in_both": by_name["audit.leakage.exact_rows.different"],
        "census_leakage_cpu_s": leaks,
        "census_label_errors_cpu_s": time.process_time() - begun - leaks,
        "census_label_errors": {f"{one.what} {one.at['table']}": one.value for one in errors},
        "census_alarms": sorted(alarms(made)),
    }
