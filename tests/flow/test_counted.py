"""Metrics over slices, weights, clusters and against the reference: each cell is what scikit-learn says of its rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from seatrial import catalog
from seatrial.contracts.finding import Condition, Finding, State
from seatrial.contracts.quality import Batch
from seatrial.flow import arrays
from seatrial.flow._sampling import Sampling
from seatrial.flow.counted import Asked, Judged, count, independent
from seatrial.flow.slices import Sliced
from seatrial.flow.stated import state

ROWS, PIECE = 4000, 700
CLASSES = ("no", "yes")


def made(seed: int = 0, rows: int = ROWS) -> tuple[np.ndarray, Batch, np.ndarray]:
    """Slices of three levels, a batch with candidate and reference, and clusters of ten rows."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, rows)
    labels = (rng.random(rows) < 0.3).astype(np.int64)
    logit = rng.normal(size=rows) + 2.0 * labels - 1 - 0.5 * (level == 2)
    other = logit + rng.normal(scale=0.3, size=rows)

    def answers(z: np.ndarray) -> dict[str, np.ndarray]:
        p = 1 / (1 + np.exp(-z))
        return {"scores": np.stack([1 - p, p], axis=1), "probabilities": np.stack([1 - p, p], axis=1)}

    batch = Batch(answers=answers(logit), labels=labels, reference=answers(other), classes=CLASSES)
    return level, batch, np.arange(rows) // 10


def pieces(batch: Batch, swap: bool = False):
    def made_pieces() -> Iterator[tuple[int, Batch]]:
        for start in range(0, len(batch.labels), PIECE):
            part = slice(start, start + PIECE)
            own, other = ({name: one[part] for name, one in side.items()} for side in (batch.answers, batch.reference))
            yield (
                start,
                Batch(
                    answers=other if swap else own,
                    labels=batch.labels[part],
                    reference=None if swap else other,
                    classes=CLASSES,
                ),
            )

    return made_pieces


def judged(folder: Path, level: np.ndarray, sampling: Sampling | None = None) -> Judged:
    cells = tuple((Condition(column="level", relation="==", value=value),) for value in range(3))
    codes = arrays.save(folder, level[:, None].astype(np.int16))
    return Judged(Sliced((cells,), ("level",), codes, groups=(0,)), sampling or Sampling())


def asked(*names: str | dict, folder: Path | None = None) -> list[Asked]:
    named = [(one, {}) if isinstance(one, str) else next(iter(one.items())) for one in names]
    return [Asked(catalog.find("metrics", name, folder or Path()), options) for name, options in named]


def findings(metrics: list[Asked], batch: Batch, rows: Judged, levels: tuple[float, ...] = (0.95,)) -> list[Finding]:
    own = count(metrics, pieces(batch), rows, dealt=True)
    other = count([one for one in metrics if not one.info.paired], pieces(batch, swap=True), rows, dealt=True)
    return [found for _, found in state(metrics, pieces(batch), rows, own, other, levels)]


def pick(found: list[Finding], what: str, level: int | None = None, **at: object) -> Finding:
    (one,) = [
        each
        for each in found
        if each.what == what
        and each.at.items() >= at.items()
        and [condition.value for condition in each.slice] == ([] if level is None else [level])
    ]
    return one


def test_each_slice_is_what_its_rows_alone_give(tmp_path: Path):
    level, batch, _ = made()
    found = findings(asked("accuracy", "f1", "mcc"), batch, judged(tmp_path, level))
    predicted = batch.answers["scores"].argmax(axis=1)
    for value in (None, 0, 1, 2):
        rows = np.ones(ROWS, bool) if value is None else level == value
        truth, guess = batch.labels[rows], predicted[rows]
        accuracy = pick(found, "accuracy", value)
        assert accuracy.value == pytest.approx(accuracy_score(truth, guess))
        assert accuracy.n == rows.sum()
        assert pick(found, "f1", value, **{"class": "yes"}).value == pytest.approx(f1_score(truth, guess))
        assert pick(found, "mcc", value).value == pytest.approx(matthews_corrcoef(truth, guess))


def test_every_metric_is_held_against_the_reference(tmp_path: Path):
    level, batch, _ = made()
    found = findings(asked("f1", "log_loss"), batch, judged(tmp_path, level))
    own, other = (side["scores"].argmax(axis=1) for side in (batch.answers, batch.reference))
    drop = pick(found, "f1.drop", **{"class": "yes"})
    assert drop.value == pytest.approx(f1_score(batch.labels, other) - f1_score(batch.labels, own))
    assert drop.against == "reference"
    assert drop.low < drop.value < drop.high
    loss = pick(found, "log_loss.drop")

    def log_loss(side: dict) -> float:
        return float(-np.log(side["probabilities"][np.arange(ROWS), batch.labels]).mean())

    assert loss.value == pytest.approx(log_loss(batch.answers) - log_loss(batch.reference))
    assert pick(found, "f1.drop", 2, **{"class": "yes"}).n is not None


def test_paired_intervals_are_narrower_than_unpaired(tmp_path: Path):
    level, batch, _ = made()
    found = findings(asked("accuracy", "drop"), batch, judged(tmp_path, level))
    alone = pick(found, "accuracy")
    drops = [one for one in found if one.what == "accuracy.drop" and not one.slice]
    assert all(one.high - one.low < alone.high - alone.low for one in drops)
    assert len({round(one.value, 12) for one in drops}) == 1


def test_a_rare_class_leaves_the_room_that_its_own_rows_need(tmp_path: Path):
    """Forty of 4,000 rows are positive and none changes, 200 others do: three or four positives may change unseen, of forty."""
    rng = np.random.default_rng(3)
    labels = np.zeros(ROWS, np.int64)
    labels[rng.choice(ROWS, 40, replace=False)] = 1
    sure = np.where(labels == 1, 0.9, 0.1)
    own = np.where(rng.permutation(ROWS) < 200, 0.9, sure)
    own[labels == 1] = 0.9
    sides = [
        {"scores": np.stack([1 - p, p], axis=1), "probabilities": np.stack([1 - p, p], axis=1)} for p in (own, sure)
    ]
    batch = Batch(answers=sides[0], labels=labels, reference=sides[1], classes=CLASSES)
    found = findings(asked("balanced_accuracy", "recall"), batch, judged(tmp_path, np.zeros(ROWS, np.int64)))
    for what, at in (("balanced_accuracy.drop", {}), ("recall.drop", {"average": "macro"})):
        drop = pick(found, what, **at)
        assert drop.high - drop.number > 0.95 * 3.69 / 40 / 2


def test_clusters_and_weights_widen(tmp_path: Path):
    rng = np.random.default_rng(1)
    level, batch, clusters = made()
    luck = rng.random(ROWS // 10)[clusters] < 0.3  # whole clusters that are always wrong
    scores = batch.answers["scores"].copy()
    scores[luck] = np.eye(2)[1 - batch.labels[luck]]
    batch = Batch(
        answers={"scores": scores, "probabilities": scores},
        labels=batch.labels,
        reference=batch.reference,
        classes=CLASSES,
    )
    plain = findings(asked("accuracy"), batch, judged(tmp_path, level))
    numbered = arrays.save(tmp_path, rng.permutation(ROWS // 10)[clusters].astype(np.int32))
    clustered = findings(asked("accuracy"), batch, judged(tmp_path, level, Sampling(None, numbered, ROWS // 10, 100)))
    one, other = pick(plain, "accuracy"), pick(clustered, "accuracy")
    assert one.value == other.value
    assert other.high - other.low > 2 * (one.high - one.low)
    assert "400 clusters" in other.method
    weights = arrays.save(tmp_path, np.where(level == 2, 2.0, 0.5) / np.where(level == 2, 2.0, 0.5).mean())
    weighted = findings(asked("accuracy", "f1"), batch, judged(tmp_path, level, Sampling(weights)))
    right = scores.argmax(axis=1) == batch.labels
    assert pick(weighted, "accuracy").value == pytest.approx(np.average(right, weights=np.where(level == 2, 2.0, 0.5)))
    assert pick(weighted, "accuracy", 2).value == pytest.approx(right[level == 2].mean())
    truth = f1_score(batch.labels, scores.argmax(axis=1), sample_weight=np.where(level == 2, 2.0, 0.5))
    assert pick(weighted, "f1", **{"class": "yes"}).value == pytest.approx(truth)


def test_a_slice_has_bounds_by_its_own_independent_rows(tmp_path: Path):
    """A slice of few rows, or of many rows of few clusters, knows less than the whole does; of fewer than ten nothing."""
    _, batch, clusters = made()
    level = np.full(ROWS, 2)
    level[:8], level[8:40] = 0, 1
    found = findings(asked("accuracy"), batch, judged(tmp_path, level))
    few, some, all_ = (pick(found, "accuracy.drop", cell) for cell in (0, 1, None))
    assert (few.state, few.low, few.high) == (State.TOO_FEW, None, None)
    assert "fewer than 10" in few.note
    assert some.high - some.value >= 0.99 * 3.69 / 32 > all_.high - all_.value
    level = np.where(clusters < 12, 1, np.where(clusters < 20, 0, 2))
    numbered = arrays.save(tmp_path, np.random.default_rng(2).permutation(ROWS // 10)[clusters].astype(np.int32))
    rows = judged(tmp_path, level, Sampling(None, numbered, ROWS // 10, 100))
    assert independent(rows, ROWS).tolist() == [400, 8, 12, 380]
    found = findings(asked("accuracy"), batch, rows)
    assert pick(found, "accuracy", 0).state is State.TOO_FEW
    drop = pick(found, "accuracy.drop", 1)
    whole = pick(found, "accuracy.drop")
    assert drop.high - drop.low > 4 * (whole.high - whole.low)


def test_many_clusters_are_counted_nearly_right(tmp_path: Path):
    rng = np.random.default_rng(3)
    cluster = rng.permutation(30_000).repeat(2)
    level = np.where(np.arange(60_000) < 20_000, 0, 1)
    rows = judged(tmp_path, level, Sampling(None, arrays.save(tmp_path, cluster.astype(np.int32)), 30_000, 100))
    counts = independent(rows, 60_000)
    assert counts[0] == 30_000
    assert counts[1] == pytest.approx(10_000, rel=0.3)


def test_groups_are_compared(tmp_path: Path):
    level, batch, _ = made()
    found = findings(asked("selection_rate", "demographic_parity", "equal_opportunity"), batch, judged(tmp_path, level))
    predicted = batch.answers["scores"].argmax(axis=1)
    rates = [predicted[level == value].mean() for value in range(3)]
    gap = pick(found, "demographic_parity", groups="level")
    assert gap.value == pytest.approx(max(rates) - min(rates))
    assert gap.level == 0.95
    assert gap.low > 0
    assert "lowest 2" in gap.note
    assert pick(found, "selection_rate", 2, **{"class": "yes"}).value == pytest.approx(rates[2])
    grown = pick(found, "demographic_parity.drop", groups="level")
    others = batch.reference["scores"].argmax(axis=1)
    before = [others[level == value].mean() for value in range(3)]
    assert grown.value == pytest.approx((max(rates) - min(rates)) - (max(before) - min(before)))
    assert not [one for one in found if one.what == "label_parity.drop"]


def test_a_users_own_metric_is_sliced(tmp_path: Path):
    (tmp_path / "mine.py").write_text('''
"""Share of rows given the second class."""
from seatrial.contracts.finding import Finding

ACCEPTS = {"task": ("classification",)}

def count(batch, options):
    given = batch.answers["scores"].argmax(axis=1)
    return {"n": len(given), "given": int(given.sum())}

def merge(one, other):
    return {name: one[name] + other[name] for name in one}

def findings(state, level, options):
    yield Finding(what="mine", value=state["given"] / state["n"], n=state["n"], unit_of_replication="rows", method="share")
''')
    level, batch, _ = made()
    found = findings(asked("./mine.py", folder=tmp_path), batch, judged(tmp_path, level))
    predicted = batch.answers["scores"].argmax(axis=1)
    assert pick(found, "mine").value == pytest.approx(predicted.mean())
    assert pick(found, "mine", 1).value == pytest.approx(predicted[level == 1].mean())


def test_a_metric_that_raises_leaves_its_own_missing(tmp_path: Path):
    (tmp_path / "bad.py").write_text('''
"""It raises."""
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("bad",)}
COUNTS = ("rows",)

def measures(tally, level, options):
    raise RuntimeError("planted")
''')
    level, batch, _ = made()
    found = findings([*asked("./bad.py", folder=tmp_path), *asked("accuracy")], batch, judged(tmp_path, level))
    bad = pick(found, "bad")
    assert bad.state is State.FAILED
    assert "planted" in bad.note
    assert pick(found, "accuracy").value is not None


def test_scores_without_probabilities_cost_only_what_needs_them(tmp_path: Path):
    level, batch, _ = made()
    bare = Batch(
        answers={"scores": batch.answers["scores"]},
        labels=batch.labels,
        reference={"scores": batch.reference["scores"]},
        classes=CLASSES,
    )
    found = findings(asked("log_loss", "accuracy"), bare, judged(tmp_path, level))
    assert pick(found, "log_loss").state is State.UNSUPPORTED
    assert pick(found, "accuracy").value is not None


def test_many_slices_do_not_widen_what_scores_say(tmp_path: Path):
    """With many slices replicate groups are counted in fewer bins than the whole, which moves both alike and is no spread."""
    _, batch, _ = made()
    few = judged(tmp_path, np.zeros(ROWS, np.int64))
    level = np.random.default_rng(3).integers(0, 40, ROWS)
    cells = tuple((Condition(column="level", relation="==", value=value),) for value in range(40))
    many = Judged(Sliced((cells,), ("level",), arrays.save(tmp_path, level[:, None].astype(np.int16))), Sampling())
    one, other = (pick(findings(asked("auc_pr"), batch, rows), "auc_pr.drop") for rows in (few, many))
    assert one.value == other.value
    assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.03)


def test_no_metric_fails_where_rows_are_clustered(tmp_path: Path):
    """Every metric of shared counts, the paired ones and those with a largest value, too."""
    level, batch, cluster = made(rows=800)
    rows = judged(tmp_path, level, Sampling(None, arrays.save(tmp_path, cluster.astype(np.int32)), 80, 80))
    given = {"cost": {"matrix": [[0, 1], [1, 0]]}}
    able = [one for one in catalog.parts("metrics").values() if one.counts and one.takes("task", "classification")]
    found = findings([Asked(one, given.get(one.name, {})) for one in able], batch, rows)
    assert [one.key for one in found if one.state is State.FAILED] == []
    assert pick(found, "output_difference").value == pytest.approx(
        np.abs(batch.answers["scores"] - batch.reference["scores"]).max()
    )
