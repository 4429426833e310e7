"""Leaks: planted ones by kind, one at a time, and ten clean pairs of tables: five made up, five of real data drawn by chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from seatrial.contracts.audit import Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.numerics.row_hash import row_hashes
from seatrial.parts.audits import leakage
from seatrial.testing import _faulty
from seatrial.testing.audits import table

DAY = np.timedelta64(1, "D")
KINDS: dict[str, tuple[str, ...]] = {
    "exact rows in both splits": ("exact_rows",),
    "near rows": ("near_rows",),
    "groups split across": ("groups",),
    "time order broken": ("time_order",),
    "label encoded in a feature": ("label_in_feature",),
    "label in an identifier or in the order of rows": ("identifier", "row_order"),
    "target statistics over all rows": ("target_statistics",),
    "future-dated feature": ("future_dates",),
    "duplicated file under another name": ("duplicated_file",),
    "constant source marker per class": ("source_marker",),
    "preprocessing fitted on all rows": ("preprocessing",),
    "calibration rows among those that judge": ("calibration_rows",),
}
"""The twelve kinds, with the findings that must name them."""


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
    elif kind == "near_rows":
        judge = {
            name: np.concatenate([train[name][:20], judge[name][20:]]) if name not in ("person", "day") else judge[name]
            for name in judge
        }
        judge["height"][:20] += 1e-6
        judge["income"][:20] += 0.01
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


def clean() -> list[tuple[str, list[Table]]]:
    """Ten pairs of tables without a leak: of made-up people, and of real data, shuffled, each row once, split by chance."""
    from sklearn import datasets

    made = [(f"people {seed}", _tables(_people(3000, seed, 0), _people(1000, seed + 50, 10_000))) for seed in range(5)]
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        whole = getattr(datasets, f"load_{name}")()
        x, first = np.unique(whole.data, axis=0, return_index=True)
        order = np.random.default_rng(0).permutation(len(x))
        columns = {f"x{at}": x[order, at] for at in range(x.shape[1])} | {"y": whole.target[first][order]}
        cut = 2 * len(x) // 3
        parts = (("train", slice(None, cut)), ("evaluation", slice(cut, None)))
        made.append(
            (
                name,
                [
                    table({key: one[rows] for key, one in columns.items()}, role, role, label="y")
                    for role, rows in parts
                ],
            )
        )
    return made


def leaks_found() -> dict[str, Any]:
    """Of the twelve planted kinds how many are found, and of ten clean pairs which raise an alarm."""
    missed = [kind for kind, names in KINDS.items() if not all(planted(name) for name in names)]
    false = {name: sorted(kinds) for name, tables in clean() if (kinds := alarms(found(tables)))}
    return {"leaks_found": len(KINDS) - len(missed), "missed": missed, "leak_false_alarms": len(false), "false": false}
