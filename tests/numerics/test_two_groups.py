"""Groups within a class against scikit-learn's PCA and KMeans, neighbours against its brute force, and a quick network against finite differences."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from seatrial.numerics.near_labels import neighbour_counts
from seatrial.numerics.quick_net import fitted
from seatrial.numerics.two_groups import directions, in_common, smaller_half

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(300, 12)) * np.linspace(3, 0.5, 12)


def test_directions_are_principal_components_up_to_their_sign():
    ours, theirs = directions(ROWS, 4), PCA(4, svd_solver="full").fit_transform(ROWS)
    assert np.abs(ours) == pytest.approx(np.abs(theirs), abs=1e-8)


@pytest.mark.parametrize("apart", [1.0, 6.0])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_two_means_are_as_tight_as_scikit_learns(apart: float, share: float):
    points = RNG.normal(size=(400, 5))
    there = RNG.random(400) < share
    points[there, :2] += apart
    small = smaller_half(points)
    assert small.sum() <= 200
    means = np.stack([points[~small].mean(axis=0), points[small].mean(axis=0)])
    ours = ((points - means[small.astype(int)]) ** 2).sum()
    assert ours <= KMeans(2, n_init=10, random_state=0).fit(points).inertia_ * 1.005
    if apart > 3 and share > 0.2:
        assert (small == there).mean() > 0.98


def test_what_a_group_has_in_common_is_where_it_was_put():
    others, group = RNG.uniform(size=(200, 30)), RNG.uniform(size=(50, 30))
    group[:, [3, 17]] = [1.0, 0.1]
    places, means = in_common(group, others, count=2)
    assert set(places) == {3, 17}
    assert set(in_common(group, others, np.where(np.arange(30) == 3, 1.0, others), count=1)[0]) == {17}
    assert dict(zip(places.tolist(), means.tolist(), strict=True)) == pytest.approx({3: 1.0, 17: 0.1})


def test_one_value_for_all_makes_no_group():
    assert not smaller_half(np.zeros((20, 2))).any()


def test_neighbours_are_those_of_brute_force():
    rows, labels = RNG.normal(size=(1300, 6)).astype(np.float32), RNG.integers(0, 4, 1300)
    near = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(rows).kneighbors(return_distance=False)
    expected = np.stack([(labels[near] == one).sum(axis=1) for one in range(4)], axis=1)
    assert (neighbour_counts(rows, labels, 4, 8) == expected).all(axis=1).mean() > 0.999, "but for ties in float32"
    with pytest.raises(ValueError, match="more than 5 rows"):
        neighbour_counts(rows[:5], labels[:5], 4, 8)


def test_a_quick_network_learns_and_its_slope_is_that_of_finite_differences():
    centres = RNG.normal(size=(3, 8)) * 3
    labels = RNG.integers(0, 3, 400)
    x = (centres[labels] + RNG.normal(size=(400, 8))).astype(np.float32)
    net = fitted(x, labels, 3, seed=1)
    assert (net.scores(x).argmax(axis=1) == labels).mean() > 0.97
    assert all(np.array_equal(one, other) for one, other in zip(net, fitted(x, labels, 3, seed=1), strict=True))
    wanted = (labels + 1) % 3
    slope, loss = net.slope(x, wanted)
    step = np.zeros(8, np.float32)
    step[2] = 1e-2
    expected = (net.slope(x + step, wanted)[1] - net.slope(x - step, wanted)[1]) / 2e-2
    assert np.median(np.abs(slope[:, 2] - expected)) < 0.02 * np.abs(slope[:, 2]).mean()
    assert (loss > 0).all()
