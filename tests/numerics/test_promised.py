"""What probabilities promised: against the mean of the rows, within what binning is said to cost; coverage; gaps of groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from seatrial.numerics.promised import promised
from seatrial.numerics.score_bins import BINS, probability_bins


def table(p, truth, bins=BINS):
    codes = probability_bins(p) // (BINS // bins) + bins * truth
    return np.bincount(codes, minlength=2 * bins).reshape(2, bins)


@pytest.mark.parametrize("bins", [BINS, 256])
@pytest.mark.parametrize("law", ["spread", "rare", "constant", "zero and one"])
def test_within_what_bins_are_said_to_cost(law, bins):
    rng = np.random.default_rng(0)
    z = rng.normal(size=20_000)
    p = {"spread": expit(z), "rare": expit(z - 7), "constant": np.full(20_000, 0.5), "zero and one": 1.0 * (z > 1)}[law]
    truth = (rng.random(20_000) < 0.8 * p).astype(int)
    found = promised(table(p, truth, bins))
    apart = p - truth
    assert found.slack <= (1 / 1024 if bins == BINS else 1 / 32)
    assert abs(found.mean - apart.mean()) <= found.slack + 1e-12
    assert found.variance == pytest.approx(apart.var(ddof=1), rel=0.02, abs=1e-6)
    if law == "spread" and bins == BINS:
        assert found.mean == pytest.approx(apart.mean(), abs=2e-5)


def test_no_rows_and_one():
    none = promised(np.zeros((3, 2, BINS))).excess(0.95)
    assert np.isnan(none.value).all()
    assert np.isnan(none.low).all()
    one = promised(table(np.array([0.7]), np.array([1]))).excess(0.95)
    assert one.value == pytest.approx(-0.3, abs=0.002)
    assert np.isnan(one.low)


@pytest.mark.parametrize(("shift", "rows"), [(0.0, 100), (-3.0, 200), (-4.5, 2000), (1.0, 50)])
def test_coverage(shift, rows):
    """Overpromising by a tenth, positives from half of the rows to one in a hundred: .93 to .97 of 4,000."""
    rng, runs = np.random.default_rng(5), 4000
    p = expit(rng.normal(size=(runs, rows)) + shift)
    truth = (rng.random((runs, rows)) < 0.9 * p).astype(int)
    z = np.random.default_rng(6).normal(size=2_000_000) + shift
    found = promised(np.stack([table(*one) for one in zip(p, truth, strict=True)])).excess(0.95)
    covered = ((found.low <= 0.1 * expit(z).mean()) & (0.1 * expit(z).mean() <= found.high)).mean()
    assert 0.93 <= covered <= 0.97
