from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contracts.finding import Condition
from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Partition, Tally
from seatrial.errors import DataError, Unsupported
from seatrial.numerics import counting, losses
from seatrial.numerics.counting import COUNTERS, PAIRED_BINS, bins_for, obstacle, tally
from seatrial.numerics.score_bins import BINS, centres, edges, probability_bins, score_bins
from seatrial.testing.metrics import random_batch, take

LIGHT = [name for name in COUNTERS if name != "pair_scores"]
"""Those whose arrays are small enough to be counted hundreds of times; that one has a test of its own."""
SHAPES = st.tuples(st.integers(0, 60), st.lists(st.integers(1, 4), max_size=4), st.integers(0, 2**32 - 1))


def binary(rows, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((rows, 2))
    powers = np.exp(scores)
    answers = {"scores": scores, "probabilities": powers / powers.sum(1, keepdims=True)}
    other = {name: value[::-1] for name, value in answers.items()}
    return Batch(answers, rng.integers(0, 2, rows), other, classes=("no", "yes"))


def columns(rows, sizes, seed):
    rng = np.random.default_rng(seed)
    return [
        Partition(tuple((Condition(column=f"c{at}", relation="==", value=one),) for one in range(size)), codes)
        for at, size in enumerate(sizes)
        for codes in [rng.integers(-1, size, rows)]
    ]


def equal(one, other):
    assert one.sums.keys() == other.sums.keys()
    for name, found in one.sums.items():
        if found.dtype.kind == "i":
            assert np.array_equal(found, other.sums[name]), name
        else:
            assert found == pytest.approx(other.sums[name], rel=1e-9, abs=1e-12), name
    for name, found in one.peaks.items():
        assert np.array_equal(found, other.peaks[name])


@settings(deadline=None, max_examples=25)  # no test depends on the clock
@given(SHAPES, st.integers(1, 5), st.booleans(), st.booleans())
def test_shards_merged_are_the_whole(shape, shards, two_classes, weighted):
    """Any cut, any columns: counts exactly, sums of losses to rounding; weights, too."""
    rows, sizes, seed = shape
    batch = binary(rows, seed) if two_classes else random_batch(rows, seed)
    rng = np.random.default_rng(seed)
    if weighted:
        batch = replace(batch, weights=rng.random(rows))
    partitions = columns(rows, sizes, seed)
    cuts = np.split(np.arange(rows), np.sort(rng.integers(0, rows + 1, shards - 1)))
    parts = [
        tally(take(batch, cut), [Partition(one.cells, one.codes[cut]) for one in partitions], LIGHT) for cut in cuts
    ]
    equal(reduce(Tally.merge, parts), tally(batch, partitions, LIGHT))


def test_pairs_of_scores_merge_and_are_counted_by_hand():
    batch, (partition,) = random_batch(900, 5), columns(900, [3], 5)
    whole = tally(batch, [partition], ["pair_scores"])
    halves = [
        tally(take(batch, rows), [Partition(partition.cells, partition.codes[rows])], ["pair_scores"])
        for rows in np.split(np.arange(900), [350])
    ]
    equal(halves[1].merge(halves[0]), whole)
    own, other = (
        probability_bins(side["probabilities"][:, 2]) // (BINS // PAIRED_BINS)
        for side in (batch.answers, batch.reference)
    )
    for cell, rows in enumerate([np.ones(900, bool), *(partition.codes == one for one in range(3))]):
        wanted = np.zeros((PAIRED_BINS, PAIRED_BINS), int)
        np.add.at(wanted, (other[rows], own[rows]), 1)
        assert np.array_equal(whole.sums["pair_scores"][cell, 2], wanted)


def test_pairs_of_scores_need_two_of_a_kind_and_few_cells():
    batch = random_batch(9)
    bare = replace(batch, reference={"scores": batch.reference["scores"]})
    with pytest.raises(Unsupported, match="bare scores"):
        tally(bare, (), ["pair_scores"])
    assert "reference" in obstacle(replace(batch, reference=None), "pair_scores").what
    assert obstacle(batch, "pair_scores", 100) is None
    assert "too many" in obstacle(batch, "pair_scores", 200).what


@pytest.mark.parametrize("chunk", [1024, 3000])
def test_any_chunking_counts_the_same(monkeypatch, chunk):
    batch, partitions = random_batch(5000, 3), columns(5000, [3, 5, 40], 3)
    whole = tally(batch, partitions, COUNTERS)
    monkeypatch.setattr(counting, "CHUNK_ROWS", chunk)
    equal(tally(batch, partitions, COUNTERS), whole)


@pytest.mark.parametrize("batch", [random_batch(3000, 1), binary(3000, 1)], ids=["four classes", "two classes"])
def test_each_cell_counts_its_rows_alone(batch):
    partitions = columns(3000, [3, 5, 7, 40], 2)  # more than are counted together
    counts = tally(batch, partitions, COUNTERS)
    assert counts.cells[0] == ()
    masks = [np.ones(3000, bool)] + [one.codes == cell for one in partitions for cell in range(len(one.cells))]
    assert len(masks) == len(counts.cells) == len(counts.sums["rows"])
    for cell in (0, 1, 4, 9, 20, len(masks) - 1):
        equal(counts.take([cell]), tally(take(batch, masks[cell]), (), COUNTERS))


def test_against_counting_by_hand():
    batch = random_batch(2000, 7)
    counts = {name: found[0] for name, found in tally(batch, (), COUNTERS).sums.items()}
    guess, other = batch.answers["scores"].argmax(1), batch.reference["scores"].argmax(1)
    truth, p, q = batch.labels, batch.answers["probabilities"], batch.reference["probabilities"]
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (truth, guess), 1)
    assert np.array_equal(counts["confusion"], confusion)
    cube = np.zeros((4, 4, 4), int)
    np.add.at(cube, (truth, other, guess), 1)
    assert np.array_equal(counts["pair_confusion"], cube)
    pair = np.zeros((2, 2), int)
    np.add.at(pair, ((other == truth).astype(int), (guess == truth).astype(int)), 1)
    assert np.array_equal(counts["pair"], pair)
    assert (counts["rows"], counts["right"], counts["changed"]) == (
        2000,
        (guess == truth).sum(),
        (guess != other).sum(),
    )
    for k in (1, 2, 4):
        assert counts["ranks"][:k].sum() == losses.top_k_hits(batch.answers["scores"], truth, k).sum()
    rows = {
        "log_loss": losses.log_loss(p, truth),
        "brier": losses.brier(p, truth),
        "kl": losses.kl(q, p),
        "log_loss_change": losses.log_loss(p, truth) - losses.log_loss(q, truth),
        "brier_change": losses.brier(p, truth) - losses.brier(q, truth),
        "output_difference": np.abs(batch.answers["scores"] - batch.reference["scores"]).mean(1),
    }
    for name, values in rows.items():
        assert counts[name] == pytest.approx([(values**power).sum() for power in (1, 2, 3)], abs=1e-9), name
    for place in range(4):
        has, found = truth == place, probability_bins(p[:, place])
        for row, chosen in enumerate((~has, has)):
            assert np.array_equal(counts["scores"][place, row], np.bincount(found[chosen], minlength=BINS))


def test_two_classes_have_the_histogram_of_the_second():
    batch = binary(1000)
    (found,) = tally(batch, (), ["scores"]).sums["scores"]
    assert found.shape == (1, 2, BINS)
    assert np.array_equal(
        found[0, 1], np.bincount(probability_bins(batch.answers["probabilities"][batch.labels == 1, 1]), minlength=BINS)
    )


def test_weights_are_sums_and_a_weight_of_two_is_two_rows():
    batch = random_batch(400, 2)
    weights = np.random.default_rng(0).integers(0, 3, 400)
    heavy = tally(replace(batch, weights=weights.astype(float)), (), COUNTERS)
    repeated = tally(take(batch, np.repeat(np.arange(400), weights)), (), COUNTERS)
    for name, found in repeated.sums.items():
        assert heavy.sums[name].dtype == float
        assert heavy.sums[name] == pytest.approx(found, rel=1e-9, abs=1e-12)


def test_thousands_of_cells_are_counted():
    rows, cells = 20_000, 3_000
    codes = np.random.default_rng(0).integers(0, cells, rows)
    names = tuple((Condition(column="group", relation="==", value=one),) for one in range(cells))
    counts = tally(binary(rows), [Partition(names, codes)], ["confusion"])
    assert counts.sums["confusion"].shape == (cells + 1, 2, 2)
    assert np.array_equal(counts.sums["rows"][1:], np.bincount(codes, minlength=cells))


class TestRefusals:
    @pytest.mark.parametrize(
        "name", sorted(set(COUNTERS) - {"rows", "kl", "changed", "output_difference", "pair_scores"})
    )
    def test_labels_are_needed(self, name):
        with pytest.raises(DataError, match="labels"):
            tally(replace(random_batch(9), labels=None), (), [name])
        assert name not in tally(replace(random_batch(9), labels=None), (), [f"{name}?"]).sums

    def test_many_classes_are_refused_for_the_cube(self):
        batch = Batch({"scores": np.zeros((3, 17))}, np.zeros(3, int), {"scores": np.zeros((3, 17))})
        with pytest.raises(Unsupported, match="16 classes"):
            tally(batch, (), ["pair_confusion"])

    def test_what_would_not_fit_memory_is_refused(self):
        batch = Batch({"scores": np.zeros((3, 1000))}, np.zeros(3, int))
        assert obstacle(batch, "confusion") is None
        assert "too many" in obstacle(batch, "confusion", 500).what
        assert obstacle(batch, "scores") is None
        assert "bins" in obstacle(batch, "scores", 100).what

    def test_bins_are_fewer_where_there_are_many_cells(self):
        assert bins_for(1, 2) == bins_for(89, 2) == BINS
        assert 256 <= bins_for(89, 10) < BINS
        assert bins_for(100_000, 10) == 0

    @pytest.mark.parametrize("codes", [[0, 1], [0, 1, 3], [0, -2, 1], [0.0, 1.0, 1.0]])
    def test_codes_that_do_not_fit_are_refused(self, codes):
        cells = tuple((Condition(column="a", relation="==", value=one),) for one in range(3))
        with pytest.raises(ValueError, match="partition"):
            tally(random_batch(3), [Partition(cells, np.array(codes))], ["rows"])

    def test_an_unknown_counter_is_named(self):
        with pytest.raises(ValueError, match="confusoin"):
            tally(random_batch(3), (), ["confusoin"])


class TestBins:
    def test_edges_rise_and_bins_are_as_narrow_as_said(self):
        low, high = edges()[:-1], edges()[1:]
        assert (high > low).all()
        assert (edges()[0], edges()[BINS // 2], edges()[BINS]) == (0.0, 0.5, 1.0)
        x = np.minimum(centres(), 1 - centres())
        assert ((high - low) / x)[x > 2**-13].max() <= 1 / 128
        assert ((high - low) / x)[x > 2**-29].max() <= 1 / 31

    @settings(deadline=None)  # no test depends on the clock
    @given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
    def test_bins_keep_the_order_and_hold_their_values(self, values):
        p = np.sort(np.array(values))
        found = probability_bins(p)
        assert (np.diff(found) >= 0).all()
        slack = 1e-7 * np.minimum(p, 1 - p) + 2e-8  # values go through float32
        assert (edges()[found] <= p + slack).all()
        assert (p - slack <= edges()[found + 1]).all()

    @settings(deadline=None)  # no test depends on the clock
    @given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=50))
    def test_bins_of_scores_keep_the_order(self, values):
        found = score_bins(np.sort(np.array(values)))
        assert (np.diff(found) >= 0).all()
        assert 0 <= found.min() <= found.max() < BINS

    def test_bins_of_scores_tell_one_percent_apart(self):
        x = np.geomspace(2**-15, 2**15, 500)
        assert (score_bins(x * 1.0157) > score_bins(x)).all()
        assert (score_bins(-x * 1.0157) < score_bins(-x)).all()

    def test_fewer_bins_join_neighbours(self):
        assert np.array_equal(edges(512), edges()[::8])


@pytest.mark.parametrize("weighted", [False, True])
def test_what_one_counter_holds_is_not_counted_twice_and_is_the_same(weighted):
    """Two classes, with ties and probabilities of exactly 0 and 1: each counter alone is what it is beside the others."""
    batch = binary(500, 3)
    for side in batch.answers.values():
        side[:50], side[50:100] = 0.5, (0.0, 1.0)
    batch = replace(batch, weights=np.random.default_rng(4).random(500) if weighted else None)
    partitions = columns(500, [3, 2], 5)
    together = tally(batch, partitions, LIGHT)
    for name in ("rows", "right", "confusion", "scores", "confidence", "ranks"):
        alone = tally(batch, partitions, (name,)).sums[name]
        assert together.sums[name] == pytest.approx(alone, rel=1e-12, abs=1e-12), name
        assert together.sums[name].dtype == alone.dtype
    hits = losses.top_k_hits(batch.answers["scores"], batch.labels, 1)
    weights = np.ones(500) if batch.weights is None else batch.weights
    assert together.sums["ranks"][0, 0] == pytest.approx(weights[hits].sum())
