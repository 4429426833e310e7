"""Metrics: against scikit-learn and statsmodels, by the exam, and by simulated coverage."""

from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
import sklearn.metrics
from pydantic import ValidationError
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from seatrial import catalog
from seatrial.contracts.finding import State
from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Tally
from seatrial.errors import DataError, Unsupported
from seatrial.flow.measures import findings_of
from seatrial.numerics.counting import tally
from seatrial.testing.metrics import CLASSES, batch_of, exam, random_batch, take

NAMES = sorted(catalog.parts("metrics"))
COSTS = [[0, 1, 2, 3], [1, -2, 1, 1], [5, 5, 0, 5], [50, 50, 40, 0]]
GIVEN = {"cost": {"matrix": COSTS}}  # options that there is no default for


def measure(name, batch, level=0.95, **given):
    """Findings by `what`, or by (what, setting) where there is one."""
    part = catalog.find("metrics", name)
    found = stated(part, tally(batch, (), part.counts), level, **given)
    return {(one.what, *one.at.values()) if one.at else one.what: one for one in found}


def stated(part, counts, level=0.95, **given):
    """The findings of a tally's cells."""
    module, options = catalog.load(part), catalog.options(part, given)
    return [one for measure in module.measures(counts, level, options) for one in findings_of(measure, counts.cells)]


def right(batch, of="answers"):
    return getattr(batch, of)["scores"].argmax(1) == batch.labels


@pytest.fixture(scope="module")
def batch():
    return random_batch(3000, seed=5)


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_passes_the_exam(name):
    exam(catalog.find("metrics", name), GIVEN.get(name))


CARELESS = """
from seatrial.contracts.finding import Finding, State, missing
from seatrial.numerics.proportions import proportion

def count(batch, options):
    right = batch.answers["scores"].argmax(1) == batch.labels
    state = {"rows": len(right), "right": int(right.sum())}
    EXTRA_COUNT
    return state

def merge(one, other):
    return MERGED

def findings(state, level, options):
    if state["rows"] == 0:
        return [missing("careless", State.TOO_FEW, "no rows")]
    found = proportion(state["right"], state["rows"], level)
    return [Finding(what="careless", value=found.value, low=found.low, high=found.high, level=LEVEL, n=state["rows"],
                    unit_of_replication="rows", method=found.method)]
"""
SUM = "{key: one[key] + other[key] for key in one}"


@pytest.mark.parametrize(
    ("extra", "merged", "level", "fault"),
    [
        ("pass", SUM, "level", None),
        ("pass", "other", "level", "merged shards"),
        ("pass", "[one.update(rows=one['rows'] + other['rows'], right=one['right'] + other['right']), one][1]", "level",
         "changed a state"),
        ("state['all'] = sorted(batch.answers['scores'][:, 0].tolist())",
         "{key: sorted(one[key] + other[key]) if key == 'all' else one[key] + other[key] for key in one}", "level", "grows"),
        ("state['first'] = float(batch.answers['scores'][:1].sum())", SUM, "level", "merged shards"),
        ("pass", SUM, "0.95", "level"),
    ],
)  # fmt: skip
def test_the_exam_finds_a_careless_metric(tmp_path, extra, merged, level, fault):
    name = f"careless_{abs(hash((extra, merged, level)))}"
    source = CARELESS.replace("EXTRA_COUNT", extra).replace("MERGED", merged).replace("=LEVEL", f"={level}")
    (tmp_path / f"{name}.py").write_text(source)
    part = catalog.find("metrics", f"{name}.py", tmp_path)
    if fault is None:
        exam(part)
    else:
        with pytest.raises(AssertionError, match=fault):
            exam(part)


def test_the_exam_finds_a_careless_counted_metric(tmp_path):
    """One that mixes up its cells: the mean over them instead of each cell's own."""
    source = """
import numpy as np
from seatrial.contracts.tally import Measure

COUNTS = ("right",)

def measures(tally, level, options):
    share = tally.sums["right"].sum() / max(1, tally.sums["rows"].sum())
    value = np.where(tally.sums["rows"] > 0, share, np.nan)
    none = value * np.nan
    yield Measure("careless", value, none, none, tally.sums["rows"], "share", "higher", note="no bounds")
"""
    (tmp_path / "careless_counted.py").write_text(source)
    with pytest.raises(AssertionError, match="rows alone"):
        exam(catalog.find("metrics", "careless_counted.py", tmp_path))


class TestOracles:
    def test_accuracy(self, batch):
        expected = sklearn.metrics.accuracy_score(batch.labels, batch.answers["scores"].argmax(1))
        assert measure("accuracy", batch)["accuracy"].value == pytest.approx(expected)

    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_top_k(self, batch, k):
        expected = sklearn.metrics.top_k_accuracy_score(batch.labels, batch.answers["scores"], k=k)
        assert measure("top_k", batch, k=k)["top_k", k].value == pytest.approx(expected)

    @pytest.mark.parametrize("name", ["precision", "recall", "f1"])
    def test_per_class_and_macro(self, batch, name):
        oracle = getattr(sklearn.metrics, f"{name}_score")
        predicted = batch.answers["scores"].argmax(1)
        found = measure(name, batch)
        for value, label in zip(oracle(batch.labels, predicted, average=None), CLASSES, strict=True):
            assert found[name, label].value == pytest.approx(value)
        assert found[name, "macro"].value == pytest.approx(oracle(batch.labels, predicted, average="macro"))

    def test_log_loss(self, batch):
        expected = sklearn.metrics.log_loss(batch.labels, batch.answers["probabilities"])
        assert measure("log_loss", batch)["log_loss"].value == pytest.approx(expected)

    def test_brier(self, batch):
        expected = sklearn.metrics.brier_score_loss(
            batch.labels, batch.answers["probabilities"], labels=range(4), scale_by_half=False
        )
        assert measure("brier", batch)["brier"].value == pytest.approx(expected)

    def test_mcnemar(self, batch):
        own, other = right(batch), right(batch, "reference")
        table = [[(own & other).sum(), (~own & other).sum()], [(own & ~other).sum(), (~own & ~other).sum()]]
        exact = statsmodels_mcnemar(table, exact=True).pvalue
        found = measure("mcnemar", batch)["mcnemar"]
        assert found.value <= exact
        assert found.value == pytest.approx(statsmodels_mcnemar(table, exact=False, correction=False).pvalue, abs=0.02)
        assert (found.unit, found.low, found.high, found.level) == ("p", None, None, None)

    def test_kl(self, batch):
        p, q = batch.reference["probabilities"], batch.answers["probabilities"]
        found = measure("kl", batch)["kl"]
        assert found.value == pytest.approx((p * np.log(p / q)).sum(1).mean())
        assert (found.unit, found.against) == ("nats", "reference")

    def test_output_difference(self, batch):
        found = measure("output_difference", batch)
        difference = np.abs(batch.answers["scores"] - batch.reference["scores"])
        assert found["output_difference"].value == difference.max()
        assert found["output_difference.mean"].value == pytest.approx(difference.mean())

    def test_flips_and_drop(self, batch):
        own, other = right(batch), right(batch, "reference")
        found = measure("flips", batch)
        assert found["flips"].value == (
            batch.answers["scores"].argmax(1) != batch.reference["scores"].argmax(1)
        ).mean()  # fmt: skip
        assert found["flips.lost"].value == (other & ~own).mean()
        assert found["flips.gained"].value == (own & ~other).mean()
        assert measure("drop", batch)["accuracy.drop"].value == pytest.approx(other.mean() - own.mean())

    @pytest.mark.parametrize(
        ("name", "oracle"),
        [
            ("balanced_accuracy", sklearn.metrics.balanced_accuracy_score),
            ("mcc", sklearn.metrics.matthews_corrcoef),
            ("kappa", sklearn.metrics.cohen_kappa_score),
        ],
    )
    def test_figures_of_the_whole_table(self, batch, name, oracle):
        assert measure(name, batch)[name].value == pytest.approx(
            oracle(batch.labels, batch.answers["scores"].argmax(1))
        )

    @pytest.mark.parametrize("name", ["precision", "recall", "f1"])
    def test_weighted_averages(self, batch, name):
        expected = getattr(sklearn.metrics, f"{name}_score")(
            batch.labels, batch.answers["scores"].argmax(1), average="weighted"
        )
        assert measure(name, batch, of=["weighted"])[name, "weighted"].value == pytest.approx(expected)

    def test_f_beta_and_specificity(self, batch):
        guess = batch.answers["scores"].argmax(1)
        expected = sklearn.metrics.fbeta_score(batch.labels, guess, beta=0.5, average=None)
        found = measure("f_beta", batch, beta=0.5)
        assert [found["f_beta", 0.5, name].value for name in CLASSES] == pytest.approx(list(expected))
        for place, name in enumerate(CLASSES):
            rest = batch.labels != place
            assert measure("specificity", batch)["specificity", name].value == (guess[rest] != place).mean()

    def test_areas_of_one_class_against_the_rest(self, batch):
        p = batch.answers["probabilities"]
        for what, oracle in (
            ("auc_roc", sklearn.metrics.roc_auc_score),
            ("auc_pr", sklearn.metrics.average_precision_score),
        ):
            found = measure(what, batch)
            expected = [oracle(batch.labels == place, p[:, place]) for place in range(4)]
            assert [found[what, name].value for name in CLASSES] == pytest.approx(expected, abs=2e-3)
            assert found[what, "macro"].value == pytest.approx(np.mean(expected), abs=2e-3)

    def test_areas_of_two_classes_are_one_figure_and_need_no_probabilities(self):
        rng = np.random.default_rng(1)
        truth = rng.integers(0, 2, 4000)
        margin = rng.normal(size=4000) + truth
        bare = Batch(answers={"scores": np.stack([-margin, margin], axis=1)}, labels=truth, classes=("no", "yes"))
        (found,) = measure("auc_roc", bare).values()
        assert found.at == {}
        assert found.value == pytest.approx(sklearn.metrics.roc_auc_score(truth, margin), abs=1e-4)

    def test_cost(self, batch):
        table = sklearn.metrics.confusion_matrix(batch.labels, batch.answers["scores"].argmax(1))
        found = measure("cost", batch, matrix=COSTS, unit="EUR")
        mine = (table * np.array(COSTS)).sum() / len(batch.labels)
        fixed = (table.sum(1) @ np.array(COSTS)).min() / len(batch.labels)
        assert (found["cost"].value, found["cost"].unit) == (pytest.approx(mine), "EUR")
        assert found["cost.saved"].value == pytest.approx(fixed - mine)
        with pytest.raises(DataError, match="4 rows"):
            measure("cost", batch, matrix=[[0, 1], [1, 0]])


class TestEdges:
    def test_a_class_that_never_occurs_is_missing_and_named(self):
        batch = random_batch(500)
        kept = take(batch, batch.labels != 3)
        found = measure("recall", kept)["recall", CLASSES[3]]
        assert (found.value, found.state) == (None, State.TOO_FEW)

    def test_nothing_changed_is_no_proof_of_sameness(self):
        batch = random_batch(300)
        same = replace(batch, reference=batch.answers)
        found = measure("drop", same)["accuracy.drop"]
        assert found.value == 0
        assert found.low < 0 < found.high
        assert measure("mcnemar", same)["mcnemar"].value == 1

    @pytest.mark.parametrize(("name", "most"), [("brier", 2.0), ("log_loss", 34.54), ("kl", 34.54)])
    def test_rows_that_are_all_alike_claim_no_certainty(self, name, most):
        sure = 1000.0 * np.eye(4)[np.arange(400) % 4]
        found = measure(name, batch_of(sure, np.arange(400) % 4, sure))[name]
        assert (found.value, found.low) == (0, 0)
        assert found.high == pytest.approx(most * (1 - 0.025 ** (1 / 400)), rel=1e-3)

    def test_one_row_has_a_mean_and_no_bounds_and_is_too_few(self):
        found = measure("brier", random_batch(1))["brier"]
        assert (found.low, found.high, found.state) == (None, None, State.TOO_FEW)

    def test_more_places_than_classes_is_trivial_and_said(self):
        found = measure("top_k", random_batch(50), k=4)["top_k", 4]
        assert (found.value, found.note) == (1.0, "every label is among 4 of 4 classes")

    def test_statements_on_classes_or_their_mean_can_be_left_out(self):
        batch = random_batch(200)
        assert set(measure("f1", batch, of=["macro"])) == {("f1", "macro")}
        assert set(measure("f1", batch, of=["class"])) == {("f1", name) for name in CLASSES}

    def test_flips_need_no_labels(self):
        found = measure("flips", replace(random_batch(300), labels=None))
        assert set(found) == {"flips"}

    def test_certain_and_wrong_is_a_large_loss_and_not_infinite(self):
        batch = batch_of(1000 * np.eye(4), [1, 1, 2, 3], np.eye(4))
        found = measure("log_loss", batch)["log_loss"]
        assert 5 < found.value < 1000

    @pytest.mark.parametrize("name", ["log_loss", "brier", "kl"])
    def test_mere_scores_are_no_probabilities(self, name):
        batch = random_batch(20)
        bare = {"scores": batch.answers["scores"]}
        with pytest.raises(Unsupported, match="probabilities"):
            measure(name, replace(batch, answers=bare, reference=bare))

    @pytest.mark.parametrize("name", ["accuracy", "top_k", "precision", "log_loss", "brier", "drop", "mcnemar"])
    def test_no_labels_is_said(self, name):
        with pytest.raises(DataError, match="labels"):
            measure(name, replace(random_batch(20), labels=None))

    @pytest.mark.parametrize(
        "name",
        [name for name in NAMES if catalog.find("metrics", name).paired and not catalog.find("metrics", name).whole],
    )
    def test_no_reference_or_another_width_is_said(self, name):
        batch = random_batch(20)
        with pytest.raises(DataError, match="reference"):
            measure(name, replace(batch, reference=None))
        with pytest.raises(DataError, match="reference"):
            measure(name, replace(batch, reference={key: value[:, :3] for key, value in batch.answers.items()}))

    def test_labels_beyond_the_classes_are_said(self):
        batch = random_batch(20)
        with pytest.raises(DataError, match="4 classes"):
            measure("accuracy", replace(batch, labels=batch.labels + 3))

    def test_without_names_classes_go_by_their_indices(self):
        found = measure("recall", replace(random_batch(500), classes=()))
        assert ("recall", "2") in found

    def test_a_binary_model_is_two_classes(self):
        rng = np.random.default_rng(1)
        logit, truth = rng.normal(size=400), rng.integers(0, 2, 400)
        scores = np.stack([np.zeros(400), logit], axis=1)
        answers = {"scores": scores, "probabilities": np.exp(scores) / np.exp(scores).sum(1, keepdims=True)}
        found = measure("f1", Batch(answers=answers, labels=truth, classes=("no", "yes")))
        assert found["f1", "yes"].value == pytest.approx(sklearn.metrics.f1_score(truth, logit > 0))

    def test_k_is_at_least_one(self):
        with pytest.raises(ValidationError):
            measure("top_k", random_batch(5), k=0)

    def test_a_million_rows_by_a_hundred_shards_are_the_whole(self):
        part = catalog.find("metrics", "log_loss")
        shard = tally(random_batch(10_000), (), part.counts)
        (whole,), (one,) = stated(part, reduce(Tally.merge, [shard] * 100)), stated(part, shard)
        assert whole.n == 1_000_000
        assert whole.value == pytest.approx(one.value, rel=1e-12)
        assert whole.high - whole.low == pytest.approx((one.high - one.low) / 10, rel=0.01)

    def test_counts_of_other_classes_do_not_merge(self):
        batch = random_batch(5)
        other = tally(replace(batch, classes=tuple("abcd")), (), ("confusion",))
        with pytest.raises(ValueError, match="merged"):
            tally(batch, (), ("confusion",)).merge(other)


class TestCoverage:
    """The share of simulated studies whose interval holds the truth: at least .93 at a nominal .95."""

    def test_drop(self):
        rng, drop = np.random.default_rng(3), catalog.load(catalog.find("metrics", "drop"))
        lost, gained, _ = rng.multinomial(1500, [0.02, 0.012, 0.968], size=2000).T
        pair = np.stack([0 * lost, gained, lost, 1500 - lost - gained], axis=1).reshape(-1, 2, 2)
        counts = Tally(((),) * 2000, ("a", "b"), {"rows": np.full(2000, 1500), "pair": pair})
        (found,) = drop.measures(counts, 0.95, drop.Options())
        assert np.mean((found.low <= 0.008) & (found.high >= 0.008)) >= 0.93

    @pytest.mark.parametrize(("name", "truth"), [("f1", "macro"), ("log_loss", None), ("kl", None)])
    def test_others(self, name, truth):
        """Samples of 400 from a population of 100,000 rows whose figure is known."""
        population = random_batch(100_000, seed=11)
        exact = self.figure(name, population, truth).value
        rng = np.random.default_rng(12)
        samples = [take(population, rng.integers(0, 100_000, 400)) for _ in range(400)]
        found = [self.figure(name, sample, truth) for sample in samples]
        assert sum(one.low <= exact <= one.high for one in found) / 400 >= 0.93

    @staticmethod
    def figure(name, batch, average):
        return next(one for one in measure(name, batch).values() if one.at.get("average") == average)
