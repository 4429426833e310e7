"""The situations in which `coverage.py` simulates every interval: few and many rows, rare classes, weights, clusters, pairs, groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import _coverage_people as people
from _coverage_runs import Scene

from seatrial import catalog

GIVEN: dict[str, dict[str, Any]] = {
    "cost": {"matrix": [[0, 1], [20, 0]]},
    "top_k": {"k": 1},
    "f_beta": {"of": ["class", "macro", "weighted"]},
    "f1": {"of": ["class", "macro", "weighted", "micro"]},
    "precision": {"of": ["class", "macro", "weighted", "micro"]},
    "recall": {"of": ["class", "macro", "weighted", "micro"]},
    "reliability": {"bins": 5},
    "map": {"areas": ["all", "medium"], "of": ["all", "class"]},
    "retrieval_recall": {"k": [1, 5]},
    "cosine_drift": {"beyond": [0.01]},
}
UNBOUNDED = {"ece", "mcnemar"}
"""Metrics without an interval."""
SCORED = {"scores", "confidence", "pair_scores"}


def metrics(task: str, *, scored: bool | None = None, across: bool = False, **given: dict[str, Any]) -> dict[str, Any]:
    """The task's metrics with their options; only those of score histograms, or only the others, where asked."""
    found = {}
    for part in catalog.parts("metrics").values():
        of = {name.removesuffix("?") for name in part.counts}
        if task not in part.accepts.get("task", ()) or part.across != across or part.name in UNBOUNDED:
            continue
        if scored is None or scored == bool(of & SCORED):
            found[part.name] = GIVEN.get(part.name, {}) | given.get(part.name, {})
    return found


def _unpaired(task: str, **given: Any) -> dict[str, Any]:
    return {name: of for name, of in metrics(task, **given).items() if not catalog.find("metrics", name).paired}


def _several(cost: int, **given: Any) -> dict[str, Any]:
    """Metrics of several classes: costs for each of them."""
    matrix = [[0 if label == decision else 1 for decision in range(cost)] for label in range(cost)]
    matrix[-1] = [20 * one for one in matrix[-1]]
    return _unpaired("classification", **given) | {"cost": {"matrix": matrix}}


RARE, RARER = people.two(0.015, sharp=4.0), people.two(0.003, sharp=5.0)
THIRD, CALIBRATED = people.two(0.3), people.two(0.3, sharp=1.5, bent=1.0)
FOUR, TEN = people.several((0.5, 0.3, 0.17, 0.03)), people.several((1.0,) * 10)
LABELS, RARE_LABELS = people.sets((0.5, 0.3, 0.2, 0.1)), people.sets((0.3, 0.1, 0.05, 0.02))
NORMAL, HEAVY, SKEWED = (people.numbers(law) for law in ("normal", "t5", "skewed"))
QUANTILES = people.numbers("normal", (0.1, 0.5, 0.9))
GROUPED = people.two(0.4, groups=(0.1, 0.2, 0.3, 0.4))
PAIR = people.two(0.4, groups=(0.3, 0.7))


def _values() -> Iterable[tuple[str, Scene]]:
    """Values of independent rows."""
    two = _unpaired("classification")
    for name, made, rows, at_once in (
        ("100 rows, 30 % positive", THIRD, 100, 200),
        ("500 rows, 30 % positive", THIRD, 500, 200),
        ("500 rows, 30 % positive, calibrated", CALIBRATED, 500, 200),
        ("1,000 rows, 15 positive", RARE, 1000, 200),
        ("10,000 rows, 30 positive", RARER, 10_000, 50),
        ("10,000 rows, 30 % positive", THIRD, 10_000, 50),
    ):
        yield f"two classes, {name}", Scene(made, rows, two, at_once=at_once, paired=False)
    wide = {"reliability": {"bins": 5, "mass": False}} | {
        name: {"mass": False} for name in ("brier_parts", "calibration_error")
    }
    for rows in (500, 5000):
        yield f"two classes, bins of equal width, {rows:,} rows", Scene(THIRD, rows, wide, at_once=200, paired=False)
    yield (
        "two classes, bins of equal width, 1,000 rows, 15 positive",
        Scene(RARE, 1000, wide, at_once=200, paired=False),
    )
    yield "four classes, 300 rows, one of 9", Scene(FOUR, 300, _several(4), at_once=100, paired=False)
    yield "four classes, 3,000 rows", Scene(FOUR, 3000, _several(4), at_once=100, paired=False)
    yield "ten classes, 1,000 rows", Scene(TEN, 1000, _several(10), at_once=40, paired=False)
    for name, made, rows in (("200 rows", LABELS, 200), ("1,000 rows, one of 20", RARE_LABELS, 1000)):
        yield f"several labels, {name}", Scene(made, rows, _unpaired("multi_label"), at_once=100, paired=False)
    numbers = {name: {} for name in ("mae", "rmse", "mape", "r2")}
    for name, made, rows in (
        ("60 rows", NORMAL, 60),
        ("500 rows, heavy tails", HEAVY, 500),
        ("2,000 rows, skewed", SKEWED, 2000),
    ):
        yield f"numbers, {name}", Scene(made, rows, numbers, at_once=200, paired=False)
    quantiles = {name: {} for name in ("quantile_loss", "interval_coverage")}
    for rows in (60, 1000):
        yield f"predicted quantiles, {rows:,} rows", Scene(QUANTILES, rows, quantiles, at_once=200, paired=False)


def _pairs() -> Iterable[tuple[str, Scene]]:
    """Differences from the reference, of independent rows."""
    for name, made, rows in (("1,000 rows, 30 % positive", THIRD, 1000), ("3,000 rows, 45 positive", RARE, 3000)):
        plain = metrics("classification", scored=False)
        yield f"two classes against the reference, {name}", Scene(made, rows, plain, at_once=60)
        scored = metrics("classification", scored=True)
        for left in ("reliability", "calibration_line", "calibration_in_the_large"):
            scored.pop(left)
        yield f"scores against the reference, {name}", Scene(made, rows, scored, at_once=79)
    four = {name: of for name, of in metrics("classification", scored=False).items() if name != "cost"}
    yield "four classes against the reference, 1,000 rows", Scene(FOUR, 1000, four, at_once=40)
    yield (
        "several labels against the reference, 500 rows",
        Scene(LABELS, 500, metrics("multi_label", scored=False), at_once=40),
    )
    numbers = {name: {} for name in ("mae", "rmse", "mape", "r2", "output_difference")}
    for name, made, rows in (("100 rows", NORMAL, 100), ("1,000 rows, heavy tails", HEAVY, 1000)):
        yield f"numbers against the reference, {name}", Scene(made, rows, numbers, at_once=40)
    quantiles = {name: {} for name in ("quantile_loss", "interval_coverage")}
    yield "predicted quantiles against the reference, 500 rows", Scene(QUANTILES, 500, quantiles, at_once=40)


def _sampled() -> Iterable[tuple[str, Scene]]:
    """Weighted rows, and rows in clusters of eight; some with the reference."""
    plain, scored = metrics("classification", scored=False), metrics("classification", scored=True)
    for drawn, name, made, rows in (
        ("weighted", "1,000 weighted rows", THIRD, 1000),
        ("weighted", "4,000 weighted rows, rare", RARE, 4000),
        ("clustered", "60 clusters", THIRD, 60),
        ("clustered", "250 clusters", THIRD, 250),
        ("clustered", "500 clusters, rare", RARE, 500),
    ):
        yield f"two classes, {name}", Scene(made, rows, plain, drawn, at_once=40)
        if rows in (250, 1000):
            yield f"scores, {name}", Scene(made, rows, scored, drawn, at_once=79, paired=False)
    numbers = {name: {} for name in ("mae", "rmse", "mape", "r2", "output_difference")}
    for drawn, rows in (("weighted", 500), ("clustered", 100)):
        yield f"numbers, {drawn}, {rows}", Scene(HEAVY, rows, numbers, drawn, at_once=40)
        sets = metrics("multi_label", scored=False)
        yield f"several labels, {drawn}, {2 * rows}", Scene(LABELS, 2 * rows, sets, drawn, at_once=40)


def _gaps() -> Iterable[tuple[str, Scene]]:
    """Gaps between groups of people."""
    of = metrics("classification", across=True)
    yield "two groups, 600 rows", Scene(PAIR, 600, of, groups=2, at_once=10, paired=False)
    yield "four groups, 3,000 rows", Scene(GROUPED, 3000, of, groups=4, at_once=10, paired=False)
    counts = metrics("classification", across=True, scored=False)
    yield "two groups against the reference, 1,000 rows", Scene(PAIR, 1000, counts, groups=2, at_once=10)
    yield "two groups, 1,000 weighted rows", Scene(PAIR, 1000, counts, "weighted", 10, False, 2)
    yield "two groups, 150 clusters", Scene(PAIR, 150, counts, "clustered", 10, False, 2)
    scored = metrics("classification", across=True, scored=True)
    yield (
        "calibration within two groups against the reference, 1,000 rows",
        Scene(PAIR, 1000, scored, groups=2, at_once=4),
    )
    yield "calibration within two groups, 150 clusters", Scene(PAIR, 150, scored, "clustered", 4, False, 2)


def _whole() -> Iterable[tuple[str, Scene]]:
    """Metrics that look at all rows at once."""
    for rows, spread in ((60, 1.0), (400, 0.7)):
        yield f"vectors, {rows} queries", Scene(people.vectors(spread), rows, metrics("embedding"), at_once=20)
    for rows in (60, 150):
        yield f"boxes, {rows} images", Scene(people.boxes(6.0), rows, metrics("detection"), at_once=1)


SCENES: dict[str, Scene] = dict(
    sorted([*_values(), *_pairs(), *_sampled(), *_gaps(), *_whole()], key=lambda one: one[0].startswith("scores"))
)
"""By name; those that take longest come last."""
