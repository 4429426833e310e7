"""Figures of several labels a row: against scikit-learn, and their coverage where labels of a row go together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, hamming_loss, precision_score, recall_score

from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Partition
from seatrial.errors import DataError, Unsupported
from seatrial.numerics import multilabel, tables
from seatrial.numerics.chosen import MOST_PAIRS
from seatrial.numerics.counting import obstacle, tally

SCORES: dict[Any, Any] = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
COUNTERS = ("confusion", "label_sums", "label_pairs", "label_errors")


def batch_of(truth: np.ndarray, chosen: np.ndarray) -> Batch:
    return Batch(answers={"scores": chosen.astype(float), "chosen": chosen}, labels=truth.astype(np.int8))


def parts_of(table: np.ndarray, figure: Any, level: float | None = 0.95) -> Any:
    found = getattr(tables, figure)(table, level)
    return found._replace(
        value=found.value[..., 1],
        low=found.low[..., 1],
        high=found.high[..., 1],
        method=np.asarray(found.method)[..., 1],
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 5), st.floats(0.05, 0.95))
def test_values_are_those_of_scikit_learn(seed: int, rows: int, labels: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    truth, chosen = rng.random((rows, labels)) < share, rng.random((rows, labels)) < share
    sums = tally(batch_of(truth, chosen), (), COUNTERS).sums
    assert multilabel.hamming(sums["label_errors"]).value[0] == pytest.approx(hamming_loss(truth, chosen))
    for figure, score in SCORES.items():
        options: dict[str, Any] = {"zero_division": np.nan}
        theirs = score(truth, chosen, average="micro", **options)
        assert multilabel.micro(sums["label_sums"], figure).value[0] == pytest.approx(theirs, nan_ok=True)
        each = score(truth, chosen, average=None, **options)
        hits, out_of = multilabel.each(sums["confusion"], figure)
        with np.errstate(invalid="ignore"):
            assert (hits / out_of)[0] == pytest.approx(np.asarray(each), nan_ok=True)
        macro = multilabel.averaged(
            sums["confusion"], sums["label_pairs"], figure, False, 0.95, parts_of(sums["confusion"], figure)
        )
        known = np.asarray(each)[~np.isnan(each)]
        assert macro.value[0] == pytest.approx(known.mean() if len(known) else np.nan, nan_ok=True)


def test_pairs_of_cells_are_those_of_their_rows_and_merge() -> None:
    rng = np.random.default_rng(0)
    truth, chosen, codes = rng.random((300, 3)) < 0.4, rng.random((300, 3)) < 0.5, rng.integers(-1, 2, 300)
    batch = replace(batch_of(truth, chosen), weights=rng.integers(1, 4, 300).astype(float))

    def counted(rows: slice) -> Any:
        answers = {name: values[rows] for name, values in batch.answers.items()}
        given = replace(batch, answers=answers, labels=batch.labels[rows], weights=batch.weights[rows])
        return tally(given, [Partition((((),) * 2), codes[rows])], ("label_pairs",))

    merged = counted(slice(0, 120)).merge(counted(slice(120, 300))).sums["label_pairs"]
    x = np.concatenate([truth & chosen, truth, chosen], axis=1).astype(float)
    for cell, rows in enumerate([codes > -2, codes == 0, codes == 1]):
        assert merged[cell] == pytest.approx((x[rows] * batch.weights[rows, None]).T @ x[rows])


def test_weighted_recall_is_micro_recall_with_the_same_bounds() -> None:
    rng = np.random.default_rng(3)
    truth, chosen = rng.random((500, 4)) < 0.3, rng.random((500, 4)) < 0.4
    sums = tally(batch_of(truth, chosen), (), COUNTERS).sums
    whole = multilabel.micro(sums["label_sums"], "recall")
    weighted = multilabel.averaged(
        sums["confusion"], sums["label_pairs"], "recall", True, 0.95, parts_of(sums["confusion"], "recall")
    )
    assert (weighted.value[0], weighted.low[0], weighted.high[0]) == pytest.approx(
        (whole.value[0], whole.low[0], whole.high[0])
    )


def simulated(rng: np.random.Generator, samples: int, rows: int, together: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and choices (samples, rows, 4) that go together through what is common to a row."""
    common = together * rng.normal(size=(samples, rows, 1))
    truth = common + rng.normal(size=(samples, rows, 4)) > np.array([0.0, 0.4, 0.8, 1.6])
    chosen = 1.5 * truth + 0.7 * common + rng.normal(size=truth.shape) > 0.9
    return truth, chosen


def counts_of(truth: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tables, sums and pairs of each sample, as they are counted."""
    cells = np.stack([~truth & ~chosen, ~truth & chosen, truth & ~chosen, truth & chosen], axis=-1)
    counts = {"h": (truth & chosen).sum(-1), "t": truth.sum(-1), "c": chosen.sum(-1)}
    sums = np.stack([np.prod([counts[one] for one in term], axis=0).sum(-1) for term in multilabel.TERMS], axis=-1)
    x = np.concatenate([truth & chosen, truth, chosen], axis=-1).astype(np.float64)
    return cells.sum(axis=1).reshape(len(truth), 4, 2, 2), sums, np.swapaxes(x, 1, 2) @ x


@pytest.mark.parametrize("together", [0.0, 1.5])
@pytest.mark.parametrize("rows", [200, 1000])
def test_coverage_of_averages(rows: int, together: float) -> None:
    """.93 to .975 of 2,000 simulations, whether labels go together or not; as if labels were rows, it would be far less."""
    rng = np.random.default_rng(rows)
    truth_table, truth_sums, _ = counts_of(*simulated(rng, 400, 1000, together))
    samples, step, inside = 2000, 200_000 // rows, {}
    for _ in range(0, samples, step):
        table, sums, pairs = counts_of(*simulated(rng, step, rows, together))
        for figure in SCORES:
            whole = truth_table.sum(axis=0)
            hits, out_of = multilabel.each(whole, figure)
            true = {
                "micro": multilabel.micro(truth_sums.sum(axis=0), figure, None).value,
                "macro": (hits / out_of).mean(),
            }
            found = {
                "micro": multilabel.micro(sums, figure),
                "macro": multilabel.averaged(table, pairs, figure, False, 0.95, parts_of(table, figure)),
            }
            for name, one in found.items():
                hit = (one.low <= true[name]) & (true[name] <= one.high)
                inside.setdefault((figure, name), []).append(hit)
    covered = {key: float(np.concatenate(hits).mean()) for key, hits in inside.items()}
    assert all(0.93 <= share <= 0.975 for share in covered.values()), covered


def test_without_pairs_bounds_are_the_means_of_bounds_and_wider() -> None:
    table, _, pairs = counts_of(*simulated(np.random.default_rng(1), 3, 500, 0.0))
    parts = parts_of(table, "f1")
    known, alone = (multilabel.averaged(table, one, "f1", False, 0.95, parts) for one in (pairs, None))
    assert known.value == pytest.approx(alone.value)
    assert (alone.low < known.low).all()
    assert (alone.high > known.high).all()
    assert "mean of the bounds" in alone.method[0]


def test_what_cannot_be_counted_says_why() -> None:
    batch = batch_of(np.zeros((5, 3), bool), np.zeros((5, 3), bool))
    assert isinstance(obstacle(batch, "right"), Unsupported)
    assert isinstance(obstacle(batch, "absolute_error"), Unsupported)
    assert isinstance(obstacle(batch, "label_pairs", MOST_PAIRS), Unsupported)
    assert obstacle(batch, "confusion") is None
    assert isinstance(obstacle(replace(batch, labels=None), "confusion"), DataError)
    short = obstacle(replace(batch, labels=np.zeros((5, 2), np.int8)), "label_sums")
    assert isinstance(short, DataError)
    assert "(5, 2)" in short.what
