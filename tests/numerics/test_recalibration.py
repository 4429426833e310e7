"""Recalibration against scikit-learn and planted miscalibration; thresholds that equalise groups."""

import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from seatrial.numerics.recalibration import apply, fit
from seatrial.numerics.thresholds import fit as fit_thresholds
from seatrial.numerics.thresholds import margin


def softmax(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def overconfident(rows: int, classes: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.normal(scale=1.5, size=(rows, classes))
    labels = (softmax(z).cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    return softmax(z * temperature), labels


def log_loss(p: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(np.maximum(p[np.arange(len(p)), labels], 1e-12)).mean())


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_planted_temperature_is_found(temperature: float):
    p, labels = overconfident(20_000, 5, temperature)
    found = fit("temperature", p, labels)
    assert found["temperature"] == pytest.approx(temperature, rel=0.05)
    again = apply("temperature", found, p)
    assert (again.argmax(axis=1) == p.argmax(axis=1)).all()
    assert again.sum(axis=1) == pytest.approx(np.ones(len(p)))


@pytest.mark.parametrize(("method", "classes"), [("temperature", 5), ("platt", 2), ("isotonic", 2), ("isotonic", 5)])
def test_held_back_rows_gain(method: str, classes: int):
    p, labels = overconfident(6000, classes, 2.5)
    fitted = json.loads(json.dumps(fit(method, p[:3000], labels[:3000])))
    assert log_loss(apply(method, fitted, p[3000:]), labels[3000:]) < log_loss(p[3000:], labels[3000:])


def test_isotonic_is_scikit_learns():
    p, labels = overconfident(500, 2, 2.0)
    p = p.round(2)
    ours = apply("isotonic", fit("isotonic", p, labels), p)[:, 1]
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p[:, 1], labels).predict(p[:, 1])
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_platt_is_logistic_regression():
    """The gradient of the smoothed cross-entropy vanishes at the fit."""
    p, labels = overconfident(2000, 2, 2.0)
    found = fit("platt", p, labels)
    logit = np.log(p[:, 1] / p[:, 0])
    positive = labels.sum()
    target = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (2000 - positive + 2))
    residual = target - 1 / (1 + np.exp(-(found["intercept"] + found["slope"] * logit)))
    assert [residual.sum(), residual @ logit] == pytest.approx([0, 0], abs=1e-4)


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_certain_probabilities_are_survived(method: str):
    p = np.repeat([[1.0, 0.0], [0.0, 1.0]], 20, axis=0)
    labels = np.r_[np.zeros(19, int), 1, np.ones(20, int)]
    made = apply(method, fit(method, p, labels), p)
    assert np.isfinite(made).all()
    assert made.sum(axis=1) == pytest.approx(np.ones(40))


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="two classes"):
        fit("platt", np.ones((4, 3)) / 3, [0, 1, 2, 0])
    with pytest.raises(ValueError, match="one class"):
        fit("platt", np.ones((4, 2)) / 2, [0, 0, 0, 0])
    with pytest.raises(ValueError, match="class 2"):
        fit("isotonic", np.ones((4, 3)) / 3, [0, 1, 1, 0])
    with pytest.raises(ValueError, match="none of"):
        fit("magic", np.ones((4, 2)) / 2, [0, 1, 1, 0])


@pytest.mark.parametrize("equal", ["opportunity", "selection"])
def test_thresholds_equalise_held_back_groups(equal: str):
    rng = np.random.default_rng(5)
    group = rng.choice(["a", "b", "c"], 30_000)
    shift = np.select([group == "a", group == "b"], [0.0, -1.0], 0.7)
    positive = rng.random(30_000) < 0.4
    score = 1 / (1 + np.exp(-(rng.normal(size=30_000) + 2 * positive - 1 + shift)))
    half = np.arange(30_000) < 15_000
    found = fit_thresholds(score[half], positive[half], group[half], equal)
    selected = margin(score[~half], group[~half], found) >= 0

    def gap(chosen: np.ndarray) -> float:
        kept = positive[~half] if equal == "opportunity" else np.ones(15_000, bool)
        rates = [chosen[kept & (group[~half] == name)].mean() for name in "abc"]
        return max(rates) - min(rates)

    assert gap(selected) < 0.05 < 0.2 < gap(score[~half] >= 0.5)
    assert (selected == positive[~half]).mean() > 0.75


def test_groups_that_cannot_be_served_are_said():
    with pytest.raises(ValueError, match="`b` has no rows"):
        fit_thresholds([0.1, 0.9], [True, False], ["a", "b"], "opportunity")
    with pytest.raises(ValueError, match="no threshold was fitted"):
        margin([0.5], ["z"], {"a": 0.5})
