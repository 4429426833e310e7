"""Search by vectors against scikit-learn and by hand, and whether its intervals hold what they say."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from seatrial.numerics import retrieval
from seatrial.numerics.replicates import GROUPS
from seatrial.numerics.resampled import bounds, weighted_means


def made(rows=60, items=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, items, rows)
    vectors = rng.normal(size=(items, 5))[labels] + rng.normal(size=(rows, 5))
    return vectors, labels


def test_ranks_lead_to_the_figures_of_scikit_learn():
    vectors, labels = made()
    every = np.arange(len(labels))
    ranks = retrieval.ranks(vectors, labels, every, every, "cosine")
    close = cosine_similarity(vectors)
    precision, gain, recall = (
        retrieval.average_precision(ranks),
        retrieval.ndcg(ranks, 10),
        retrieval.recall(ranks, 5, False),
    )
    any_ = retrieval.recall(ranks, 5, True)
    for row in every:
        others = every[every != row]
        right = labels[others] == labels[row]
        assert precision[row] == pytest.approx(average_precision_score(right, close[row, others]))
        assert gain[row] == pytest.approx(ndcg_score([right], [close[row, others]], k=10))
        first = right[np.argsort(-close[row, others])[:5]]
        assert recall[row] == pytest.approx(first.sum() / right.sum())
        assert any_[row] == first.any()


@pytest.mark.parametrize(("near", "metric"), [("cosine", "cosine"), ("euclidean", "euclidean")])
def test_neighbours_are_those_of_scikit_learn(near, metric):
    vectors, _ = made()
    queries, gallery = np.arange(0, 60, 3), np.arange(1, 60, 2)
    found = retrieval.nearest(vectors, queries, gallery, near, 4)
    fitted = NearestNeighbors(n_neighbors=5, metric=metric).fit(vectors[gallery])
    for query, mine in zip(queries, found, strict=True):
        theirs = gallery[fitted.kneighbors(vectors[[query]])[1][0]]
        assert set(mine) == set(theirs[theirs != query][:4])


def test_equally_near_rows_earn_nothing():
    ranks = retrieval.ranks(np.ones((6, 3)), np.array([0, 0, 1, 1, 2, 2]), np.arange(6), np.arange(6), "cosine")
    assert ranks.flat.tolist() == [5] * 6
    assert retrieval.recall(ranks, 4, True).tolist() == [0] * 6


def test_a_query_without_anything_to_find_has_no_value():
    ranks = retrieval.ranks(np.eye(4), np.array([0, 0, 1, 2]), np.arange(4), np.arange(4), "dot")
    assert np.isnan(retrieval.average_precision(ranks)).tolist() == [False, False, True, True]


def test_the_product_of_vectors_ranks_by_length_too():
    vectors = np.array([[1.0, 0.0], [1.0, 0.1], [9.0, 9.0]])
    ranks = {
        near: retrieval.ranks(vectors, np.array([0, 0, 1]), np.array([0]), np.arange(3), near).flat
        for near in ("dot", "cosine")
    }
    assert (ranks["dot"].tolist(), ranks["cosine"].tolist()) == ([2], [1])


def test_cosines_and_overlap_by_hand():
    assert retrieval.cosines([[1, 0], [0, 0], [1, 1]], [[0, 2], [0, 0], [-2, -2]]).tolist() == pytest.approx([0, 1, -1])
    assert retrieval.overlap(np.array([[1, 2, 3]]), np.array([[3, 9, 1]])).tolist() == pytest.approx([2 / 3])


@pytest.mark.parametrize(
    ("law", "rows", "share"), [("hits", 80, True), ("hits", 1500, True), ("shares", 200, True), ("drift", 300, False)]
)
def test_the_bounds_hold_as_often_as_they_say(law, rows, share):
    rng, inside, runs = np.random.default_rng(1), 0, 400
    truth = {"hits": 0.9, "shares": 2 / 7, "drift": 0.02}[law]
    group = np.arange(rows) % GROUPS
    filled = len(np.unique(group))
    weights = np.vstack([np.ones(rows), group[None] != np.arange(GROUPS)[:, None]])
    for _ in range(runs):
        draw = {
            "hits": lambda: rng.random(rows) < truth,
            "shares": lambda: rng.beta(2, 5, rows),
            "drift": lambda: rng.exponential(truth, rows),
        }[law]()
        values = weighted_means(draw, weights)
        found = bounds(values[:1], values[1:, None], [filled], [rows], 0.95, share)
        inside += found.low[0] <= truth <= found.high[0]
    assert 0.92 <= inside / runs <= 0.99
