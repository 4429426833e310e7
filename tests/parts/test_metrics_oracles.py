"""Metrics against other tools: numbers that fairlearn and netcal gave for seeded rows, and scikit-learn on extreme and weighted ones."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as theirs

from seatrial import catalog
from seatrial.contracts.finding import Condition, Finding
from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Partition
from seatrial.flow import arrays
from seatrial.flow._sampling import Sampling
from seatrial.flow.counted import Asked, Judged, count
from seatrial.flow.measures import findings_of
from seatrial.flow.slices import Sliced
from seatrial.flow.stated import state
from seatrial.numerics import recalibration
from seatrial.numerics.counting import tally

ROWS = 600


class People:
    """600 rows of three groups, a model of two classes; and one of four, for the same seed."""

    def __init__(self) -> None:
        rng = np.random.default_rng(20261124)
        self.group = rng.integers(0, 3, ROWS)
        self.truth = (rng.random(ROWS) < 0.35).astype(int)
        z = rng.normal(size=ROWS) + 1.8 * self.truth - 1.0 - 0.4 * (self.group == 2)
        self.p = 1 / (1 + np.exp(-1.7 * z))
        self.label = rng.choice(4, size=ROWS, p=[0.4, 0.3, 0.2, 0.1])
        logits = 2.5 * (rng.normal(size=(ROWS, 4)) + 1.5 * np.eye(4)[self.label])
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.probabilities = powers / powers.sum(axis=1, keepdims=True)

    def two(self) -> Batch:
        return two_classes(self.p, self.truth)

    def four(self) -> Batch:
        answers = {"scores": self.probabilities, "probabilities": self.probabilities}
        return Batch(answers=answers, labels=self.label, classes=tuple("abcd"))


PEOPLE = People()


def two_classes(p: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> Batch:
    both = np.stack([1 - p, p], axis=1)
    return Batch(answers={"scores": both, "probabilities": both}, labels=truth, classes=("no", "yes"), weights=weights)


def stated(name: str, batch: Batch, **given: object) -> dict[tuple, Finding]:
    part = catalog.find("metrics", name)
    counts = tally(batch, (), part.counts)
    made = catalog.load(part).measures(counts, 0.95, catalog.options(part, given))
    return {(one.what, *one.at.values()): one for measure in made for one in findings_of(measure, counts.cells)}


def between(name: str) -> dict[str, Finding]:
    part = catalog.find("metrics", name)
    cells = tuple((Condition(column="group", relation="==", value=one),) for one in range(3))
    counts = tally(PEOPLE.two(), [Partition(cells, PEOPLE.group)], part.counts).take(range(1, 4))
    made = catalog.load(part).across(counts, 0.95, catalog.options(part, {}))
    return {one.what: one for measure in made for one in findings_of(measure, [()])}


class TestFairlearn:
    """Version 0.15.0: `demographic_parity_difference` and so on, and `MetricFrame.by_group`, of the rows of `People`."""

    @pytest.mark.parametrize(
        ("name", "what", "value"),
        [
            ("demographic_parity", "demographic_parity", 0.05395833333333333),
            ("demographic_parity", "demographic_parity.ratio", 0.8453731343283583),
            ("equalised_odds", "equalised_odds", 0.1558441558441559),
            ("equalised_odds", "equalised_odds.ratio", 0.5121951219512196),
            ("equal_opportunity", "equal_opportunity", 0.1558441558441559),
            ("equal_opportunity", "equal_opportunity.ratio", 0.8095238095238094),
        ],
    )
    def test_gaps(self, name: str, what: str, value: float):
        assert between(name)[what].value == pytest.approx(value, abs=1e-12)

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("accuracy", [0.8385416666666666, 0.8557692307692307, 0.83]),
            ("recall", [0.7727272727272727, 0.8181818181818182, 0.6623376623376623]),
            ("precision", [0.7611940298507462, 0.75, 0.864406779661017]),
            ("selection_rate", [0.3489583333333333, 0.34615384615384615, 0.295]),
        ],
    )
    def test_groups(self, name: str, values: list[float]):
        for group, value in enumerate(values):
            mine = PEOPLE.group == group
            found = stated(name, two_classes(PEOPLE.p[mine], PEOPLE.truth[mine]))
            key = (name,) if name == "accuracy" else (name, "yes")
            assert found[key].value == pytest.approx(value, abs=1e-12)


class TestNetcal:
    """Version 1.4.0: `ECE(bins)`, `MCE(bins)` of equal width, and `TemperatureScaling`, which states 1 / temperature.

    Bins in powers of two: their edges are edges of the fine bins in which scores are kept, so every row is in the same bin.
    """

    @pytest.mark.parametrize(
        ("classes", "bins", "value"),
        [
            (2, 8, 0.04378376400500898),
            (2, 16, 0.043783764005009),
            (4, 8, 0.11214566759258209),
            (4, 16, 0.12053164787125156),
        ],
    )
    def test_expected_error(self, classes: int, bins: int, value: float):
        batch = PEOPLE.two() if classes == 2 else PEOPLE.four()
        (found,) = stated("ece", batch, bins=bins, mass=False).values()
        assert found.value == pytest.approx(value, abs=1e-4)

    @pytest.mark.parametrize(
        ("classes", "bins", "value"),
        [
            (2, 8, 0.14115622710850168),
            (2, 16, 0.16575348190638678),
            (4, 8, 0.18638477128215414),
            (4, 16, 0.2729520182384815),
        ],
    )
    def test_largest_error_of_the_diagram(self, classes: int, bins: int, value: float):
        batch = PEOPLE.two() if classes == 2 else PEOPLE.four()
        found = stated("reliability", batch, bins=bins, mass=False)
        shares = {one.at["bin"]: one.value for key, one in found.items() if key[0] == "reliability"}
        scores = {one.at["bin"]: one.value for key, one in found.items() if key[0] == "reliability.score"}
        apart = [abs(shares[place] - scores[place]) for place in shares if shares[place] is not None]
        assert max(apart) == pytest.approx(value, abs=1e-3)

    @pytest.mark.parametrize(("classes", "weight"), [(2, 1.13399469), (4, 0.59501834)])
    def test_temperature(self, classes: int, weight: float):
        batch = PEOPLE.two() if classes == 2 else PEOPLE.four()
        fitted = recalibration.fit("temperature", batch.answers["probabilities"], batch.labels)
        assert 1 / fitted["temperature"] == pytest.approx(weight, rel=0.01)


def extreme(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the second class, and labels."""
    rng = np.random.default_rng(3)
    truth = (rng.random(400) < 0.3).astype(int)
    p = np.clip(0.3 + 0.3 * truth + 0.2 * rng.normal(size=400), 0.01, 0.99)
    return {
        "random": (p, truth),
        "ties": (np.round(p, 1), truth),
        "constant": (np.full(400, 0.3), truth),
        "zero and one": ((p > 0.5).astype(float), truth),
        "one class": (p, np.zeros(400, int)),
        "one row": (p[:1], np.ones(1, int)),
        "rare": (p / 100, (rng.random(400) < 0.01).astype(int)),
    }[kind]


KINDS = ["random", "ties", "constant", "zero and one", "one class", "one row", "rare"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
class TestScikitLearn:
    """On the same rows, those of weight 0 to 3 included; where scikit-learn has no value, or one by convention alone, neither do we."""

    def batch(self, kind: str, weighted: bool) -> tuple[Batch, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        p, truth = extreme(kind)
        weights = np.random.default_rng(4).integers(1, 4, len(p)) / 2 if weighted else None
        return two_classes(p, truth, weights), p, truth, {"sample_weight": weights}

    @pytest.mark.parametrize(
        ("name", "oracle"),
        [
            ("accuracy", theirs.accuracy_score),
            ("balanced_accuracy", theirs.balanced_accuracy_score),
            ("mcc", theirs.matthews_corrcoef),
            ("kappa", theirs.cohen_kappa_score),
        ],
    )
    def test_of_all_rows(self, kind: str, weighted: bool, name: str, oracle):
        batch, p, truth, more = self.batch(kind, weighted)
        value = stated(name, batch)[name,].value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = oracle(truth, (p > 0.5).astype(int), **more)
        if value is None:
            assert len(set(truth)) == 1
            assert name in ("mcc", "kappa")
        else:
            assert value == pytest.approx(wanted, abs=1e-9)

    @pytest.mark.parametrize("name", ["precision", "recall", "f1"])
    def test_of_a_class(self, kind: str, weighted: bool, name: str):
        batch, p, truth, more = self.batch(kind, weighted)
        value = stated(name, batch)[name, "yes"].value
        wanted = getattr(theirs, f"{name}_score")(truth, (p > 0.5).astype(int), zero_division=np.nan, **more)
        assert value is None if np.isnan(wanted) else value == pytest.approx(wanted, abs=1e-9)

    @pytest.mark.parametrize(
        ("name", "oracle"), [("auc_roc", theirs.roc_auc_score), ("auc_pr", theirs.average_precision_score)]
    )
    def test_areas(self, kind: str, weighted: bool, name: str, oracle):
        batch, p, truth, more = self.batch(kind, weighted)
        (found,) = (one.value for one in stated(name, batch).values())
        if len(set(truth)) == 1:
            assert found is None or (name == "auc_pr" and found == pytest.approx(1.0))
        else:
            assert found == pytest.approx(oracle(truth, p, **more), abs=2e-3)

    def test_losses(self, kind: str, weighted: bool):
        batch, p, truth, more = self.batch(kind, weighted)
        brier = stated("brier", batch)["brier",].value
        assert brier == pytest.approx(2 * theirs.brier_score_loss(truth, p, pos_label=1, **more), abs=1e-9)
        floored = np.clip(p, 1e-15, 1 - 1e-15)
        wanted = theirs.log_loss(truth, np.stack([1 - floored, floored], axis=1), labels=[0, 1], **more)
        assert stated("log_loss", batch)["log_loss",].value == pytest.approx(wanted, rel=1e-3)


def test_weighted_rows_through_the_flow_are_scikit_learns(tmp_path: Path):
    """Every slice, and the difference from the reference, with weights as a study gives them."""
    rng = np.random.default_rng(5)
    rows = 3000
    truth, level = (rng.random(rows) < 0.4).astype(int), rng.integers(0, 2, rows)
    own, other = (1 / (1 + np.exp(-(rng.normal(size=rows) + 1.5 * truth - 0.7))) for _ in range(2))
    weights = rng.uniform(0.2, 3.0, rows)
    weights /= weights.mean()
    cells = tuple((Condition(column="level", relation="==", value=one),) for one in range(2))
    judged = Judged(
        Sliced((cells,), ("level",), arrays.save(tmp_path, level[:, None].astype(np.int16))),
        Sampling(arrays.save(tmp_path, weights)),
    )
    asked = [Asked(catalog.find("metrics", name), {}) for name in ("f1", "auc_roc", "log_loss", "brier")]
    batches = [two_classes(side, truth) for side in (own, other)]
    counted = [count(asked, lambda one=one: iter([(0, one)]), judged, dealt=True) for one in batches]
    found = [one for _, one in state(asked, lambda: iter([(0, batches[0])]), judged, counted[0], counted[1], (0.95,))]
    oracles = {
        "f1": lambda p, mine: theirs.f1_score(truth[mine], p[mine] > 0.5, sample_weight=weights[mine]),
        "auc_roc": lambda p, mine: theirs.roc_auc_score(truth[mine], p[mine], sample_weight=weights[mine]),
        "log_loss": lambda p, mine: theirs.log_loss(truth[mine], p[mine], sample_weight=weights[mine]),
        "brier": lambda p, mine: 2 * theirs.brier_score_loss(truth[mine], p[mine], sample_weight=weights[mine]),
    }
    for what, oracle in oracles.items():
        sign = 1 if what in ("f1", "auc_roc") else -1
        for cell, mine in [((), np.ones(rows, bool)), *((cells[one], level == one) for one in range(2))]:
            at = {"class": "yes"} if what == "f1" else {}
            value, drop = (
                next(one for one in found if one.what == name and one.slice == cell and one.at == at)
                for name in (what, f"{what}.drop")
            )
            assert value.value == pytest.approx(oracle(own, mine), abs=1e-4)
            assert drop.value == pytest.approx(sign * (oracle(other, mine) - oracle(own, mine)), abs=1e-4)
            assert value.low < value.value < value.high
            assert drop.low < drop.value < drop.high


RANGES = {"mcc": (-1, 1), "kappa": (-1, 1), "brier": (0, 2)} | dict.fromkeys(
    ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "f_beta", "specificity", "auc_roc", "auc_pr"], (0, 1)
)


def drawn(seed: int) -> tuple[Batch, np.ndarray, np.ndarray, dict[str, np.ndarray | None]]:
    """Some rows of some classes: one of them absent, one alone, tied, constant or certain scores, weighted or not."""
    rng = np.random.default_rng(seed)
    classes, rows = int(rng.choice([2, 3, 5, 11])), int(rng.choice([1, 2, 7, 40, 300]))
    truth = rng.integers(0, classes, rows)
    truth = {1: np.minimum(truth, classes - 2), 2: np.full(rows, truth[0])}.get(seed % 6, truth)
    logits = rng.normal(size=(rows, classes)) + rng.choice([0, 2]) * np.eye(classes)[truth]
    p = np.exp(2 * logits)
    if seed % 6 == 3:
        p = np.round(4 * p / p.sum(axis=1, keepdims=True)) + 0.25
    p = {4: np.eye(classes)[p.argmax(axis=1)], 5: np.ones_like(p)}.get(seed % 6, p)
    p = p / p.sum(axis=1, keepdims=True)
    weights = rng.choice([0.5, 1.0, 2.5], rows) if rng.random() < 0.4 else None
    batch = Batch({"scores": p, "probabilities": p}, truth, classes=tuple("abcdefghijk"[:classes]), weights=weights)
    return batch, truth, p.argmax(axis=1), {"sample_weight": weights}


@pytest.mark.parametrize("seed", range(48))
def test_random_extreme_rows_are_scikit_learns_and_bounds_hold_their_value(seed: int):
    batch, truth, guess, more = drawn(seed)
    found = {name: stated(name, batch) for name in RANGES}
    for name, (least, most) in RANGES.items():
        for one in found[name].values():
            assert (one.value is not None) or one.note
            low, high = (one.value if side is None else side for side in (one.low, one.high))
            assert one.value is None or least - 1e-9 <= low <= one.value + 1e-9
            assert one.value is None or one.value - 1e-9 <= high <= most + 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = {
            "accuracy": theirs.accuracy_score(truth, guess, **more),
            "balanced_accuracy": theirs.balanced_accuracy_score(truth, guess, **more),
            "mcc": theirs.matthews_corrcoef(truth, guess, **more) if len(set(truth)) > 1 else None,
            "kappa": theirs.cohen_kappa_score(truth, guess, **more) if len({*truth, *guess}) > 1 else None,
        }
    for name, wanted in whole.items():
        assert found[name][name,].value == (None if wanted is None else pytest.approx(wanted, abs=1e-8))
    labels = list(range(len(batch.classes)))
    for name in ("precision", "recall", "f1"):
        each = getattr(theirs, f"{name}_score")(truth, guess, labels=labels, average=None, zero_division=np.nan, **more)
        for place, wanted in zip(batch.classes, each, strict=True):
            assert found[name][name, place].value == (None if np.isnan(wanted) else pytest.approx(wanted, abs=1e-9))
    for place, one in zip(batch.classes, labels, strict=True):
        mine = (truth == one).astype(int)
        if 0 < mine.sum() < len(mine) and (area := found["auc_roc"].get(("auc_roc", place))):
            slack = float(re.search(r"at most ([0-9.e-]+)", area.method)[1]) if "at most" in area.method else 0.0
            wanted = theirs.roc_auc_score(mine, batch.answers["scores"][:, one], **more)
            assert area.value == pytest.approx(wanted, abs=slack + 1e-9)
