"""Calibration: against statsmodels and textbook identities, false alarms and coverage by simulation, ends of the scale."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from seatrial.numerics.calibration import (
    BINS,
    Reliability,
    brier_parts,
    ece,
    line,
    lines,
    reliability,
    squared_error,
    squared_errors,
)

FINE = 4000
MIDDLES = (np.arange(FINE) + 0.5) / FINE
RUNS = 2000


def binned(score: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    codes = np.minimum((score * FINE).astype(int), FINE - 1)
    return np.bincount(codes, minlength=FINE), np.bincount(codes, truth, FINE), MIDDLES


def draw(rng: np.random.Generator, rows: int, slope: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels drawn from the recalibrated scores."""
    score = rng.beta(0.8, 1.2, rows)
    logit = np.log(score / (1 - score))
    return score, rng.random(rows) < 1 / (1 + np.exp(-(shift + slope * logit)))


@pytest.mark.parametrize("rows", [500, 10_000])
@pytest.mark.parametrize("mass", [True, False])
def test_a_calibrated_model_is_rarely_called_miscalibrated(rows: int, mass: bool):
    rng = np.random.default_rng(rows)
    alarms, biased = 0, []
    for _ in range(RUNS):
        table = reliability(*binned(*draw(rng, rows)), mass=mass)
        alarms += squared_error(table).low > 0
        biased.append(ece(table))
    assert alarms / RUNS <= 0.05
    value, expected = np.mean(biased, axis=0)
    assert value == pytest.approx(expected, rel=0.1)
    if rows == 500:
        assert value > 0.04


@pytest.mark.parametrize(
    ("slope", "shift", "rows"), [(0.6, 0.0, 1000), (1.0, 0.5, 1000), (0.8, -0.2, 5000), (1.0, 0.0, 1000)]
)
def test_the_squared_error_is_covered(slope: float, shift: float, rows: int):
    """The target is the binned error on the population: same bins, a million rows."""
    rng = np.random.default_rng(7)
    edges = np.linspace(0, 1, BINS + 1)

    def fixed(score: np.ndarray, truth: np.ndarray) -> Reliability:
        codes = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, BINS - 1)
        n = np.bincount(codes, minlength=BINS).astype(float)
        held = n > 0
        return Reliability(
            n[held], np.bincount(codes, truth, BINS)[held], np.bincount(codes, score, BINS)[held] / n[held]
        )

    score, _ = draw(rng, 2_000_000)
    logit = np.log(score / (1 - score))
    true = fixed(score, 1 / (1 + np.exp(-(shift + slope * logit))))
    target = float(true.n / true.n.sum() @ true.error**2)
    found = [squared_error(fixed(*draw(rng, rows, slope, shift))) for _ in range(RUNS)]
    assert np.mean([one.value for one in found]) == pytest.approx(
        target, abs=4 * np.std([one.value for one in found]) / RUNS**0.5
    )
    assert np.mean([one.low <= target <= one.high for one in found]) >= 0.93


def test_the_line_is_statsmodels():
    score, truth = draw(np.random.default_rng(1), 3000, 0.7, 0.3)
    logit = np.log(score / (1 - score))
    ours = line(*binned(score, truth))
    theirs = sm.Logit(truth.astype(float), sm.add_constant(logit)).fit(disp=0)
    assert [ours.intercept.value, ours.slope.value] == pytest.approx(theirs.params.tolist(), abs=2e-3)
    assert [ours.slope.low, ours.slope.high] == pytest.approx(theirs.conf_int()[1].tolist(), abs=5e-3)
    large = sm.GLM(truth.astype(float), np.ones(len(truth)), family=sm.families.Binomial(), offset=logit).fit()
    assert ours.offset.value == pytest.approx(large.params[0], abs=2e-3)


def test_lines_of_many_cells_are_each_alone():
    """Wherever the search begins: among cells alike, far away, and without a line."""
    rng = np.random.default_rng(5)
    cells = [binned(*draw(rng, 900, *place)) for place in ((1.0, 0.0), (0.2, 3.0), (4.0, -5.0), (1.0, 0.0), (0.9, 0.1))]
    cells.insert(0, (np.zeros(FINE), np.zeros(FINE), MIDDLES))
    cells[4] = binned(np.repeat([0.1, 0.9], 50), np.repeat([0, 1], 50))
    found = lines(np.stack([one[0] for one in cells]), np.stack([one[1] for one in cells]), MIDDLES)
    for several, cell in zip(found, cells, strict=True):
        alone = line(*cell)
        assert (several is None) == (alone is None)
        for one, other in zip(several or (), alone or (), strict=True):
            assert one[:3] == pytest.approx(other[:3], rel=1e-6, abs=1e-8)
    assert [one is None for one in found] == [True, False, False, False, True, False]


def test_the_line_is_covered():
    rng = np.random.default_rng(2)
    slopes = offsets = 0
    for _ in range(RUNS):
        found = line(*binned(*draw(rng, 800, 0.7, 0.0)))
        slopes += found.slope.low <= 0.7 <= found.slope.high
        offsets += found.intercept.low <= 0.0 <= found.intercept.high
    assert min(slopes, offsets) / RUNS >= 0.93


def test_briers_parts_add_up():
    """Without correction they add up to the Brier score of the bins' mean scores exactly; corrections cancel but for 1/n."""
    score, truth = draw(np.random.default_rng(3), 4000, 0.6)
    table = reliability(*binned(score, truth))
    parts = brier_parts(table)
    brier = float(((table.score**2 * table.n) - 2 * table.score * table.hits + table.hits).sum() / table.n.sum())
    assert parts.reliability.value - parts.resolution.value + parts.uncertainty.value == pytest.approx(brier, abs=1e-9)
    calibrated = [brier_parts(reliability(*binned(*draw(np.random.default_rng(seed), 2000)))) for seed in range(300)]
    assert np.mean([one.reliability.value for one in calibrated]) == pytest.approx(0, abs=3e-4)


def test_equal_mass_and_width():
    score, truth = draw(np.random.default_rng(4), 6000)
    masses = reliability(*binned(score, truth)).n
    assert len(masses) == BINS
    assert masses.max() - masses.min() < 60
    widths = reliability(*binned(np.array([0.0, 0.5, 1.0]), np.array([0, 1, 1])), bins=10, mass=False)
    assert widths.n.tolist() == [1, 1, 1]
    assert widths.hits.tolist() == [0, 1, 1]


def test_the_ends_of_the_scale():
    nothing = reliability(np.zeros(FINE), np.zeros(FINE), MIDDLES)
    assert math.isnan(ece(nothing)[0])
    assert math.isnan(squared_error(nothing).value)
    assert math.isnan(brier_parts(nothing).uncertainty.value)
    assert line(np.zeros(FINE), np.zeros(FINE), MIDDLES) is None
    one = reliability(*binned(np.array([0.3]), np.array([1])))
    assert ece(one)[0] == pytest.approx(0.7, abs=1e-3)
    assert math.isnan(squared_error(one).value)
    sure = binned(np.repeat([0.0, 1.0], 50), np.repeat([0, 1], 50))
    assert line(*sure) is None
    perfect = squared_error(reliability(*sure))
    assert perfect.low == 0.0
    assert perfect.value == pytest.approx(0, abs=1e-6)
    constant = binned(np.full(100, 0.5), np.arange(100) % 2)
    assert line(*constant) is None
    wrong = squared_error(reliability(*binned(np.repeat([0.01, 0.99], 50), np.repeat([1, 0], 50))))
    assert 0.9 < wrong.low <= wrong.value <= wrong.high


@pytest.mark.parametrize("apart", [0.0, 0.03, 0.08])
def test_an_error_that_chance_hides_in_the_bin_of_a_rare_class_is_covered(apart: float):
    """Forty-five positives of 3,000, nearly all in one of fifteen bins: where that bin happens to look right, it isn't known to be."""
    rng = np.random.default_rng(11)
    rows, share = np.full(15, 200.0), np.array([0.0005] * 14 + [0.2])
    score = share + np.array([0.0] * 14 + [apart])
    truth = float((share - score) ** 2 @ rows / rows.sum())
    tables = [Reliability(rows, rng.binomial(200, share).astype(float), score) for _ in range(1500)]
    found = squared_errors(tables, 0.95)
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.93
