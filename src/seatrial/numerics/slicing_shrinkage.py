"""Shrinkage of many noisy effects, few of which are real: an adaptive empirical-Bayes prior.

Effect i is observed as x_i with variance v_i. The true effects are taken as draws from a mixture of normals around
zero, sum_k w_k N(0, s_k^2) with s_0 = 0, whose weights are fitted to all observations at once by maximum penalised
likelihood (EM). The estimate is the posterior mean sum_k p_ik x_i s_k^2 / (s_k^2 + v_i), p_ik the posterior weight of
component k. Unlike James and Stein's single normal it leaves one large effect among thousands of nulls almost as it
is, and shrinks the nulls to zero. Source: Stephens (2017), "False discovery rates: a new deal", Biostatistics 18,
275-294.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_FITTED = 8_000  # effects that the weights are fitted to: more of them, evenly spaced, change little
_NULL_PENALTY = 10.0  # pseudo-count of the component at zero (Stephens's); the others share 1, so that none dies out
_MANY = (
    1_000  # effects from which on it is that much; among fewer it would outweigh a real one, so it falls in proportion
)
_ROUNDS = 40
_AT_A_TIME = 1 << 16


class Prior(NamedTuple):
    """Weights and variances of the normals that true effects are drawn from, each of shape (components,)."""

    weights: Floats
    variances: Floats


def fit(x: Floats, v: Floats) -> Prior:
    """The prior of effects observed as `x` with variances `v` > 0, both of shape (effects,); all zero if there are none."""
    if x.size == 0:
        return Prior(np.ones(1), np.zeros(1))
    step = -(-x.size // _MOST_FITTED)
    variances = _grid(x, v)
    x, v = x[::step], v[::step]
    likelihood = np.exp(_log_likelihood(x, v, variances))
    pseudo = np.r_[_NULL_PENALTY * min(1.0, x.size / _MANY), np.full(variances.size - 1, 1.0 / variances.size)]
    weights = pseudo / pseudo.sum()
    for _ in range(_ROUNDS):
        expected = weights * (likelihood.T @ (1.0 / (likelihood @ weights))) + pseudo
        weights = expected / expected.sum()
    return Prior(weights, variances)


def posterior(x: Floats, v: Floats, prior: Prior) -> tuple[Floats, Floats]:
    """Mean and variance of each true effect given what was observed, each of shape (effects,)."""
    mean, variance = np.empty_like(x), np.empty_like(x)
    for start in range(0, x.size, _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        mean[part], variance[part] = _posterior(x[part], v[part], prior)
    return mean, variance


def _posterior(x: Floats, v: Floats, prior: Prior) -> tuple[Floats, Floats]:
    share = np.exp(_log_likelihood(x, v, prior.variances)) * prior.weights
    share /= share.sum(axis=1, keepdims=True)
    keep = prior.variances / (prior.variances + v[:, None])
    kept = share * keep
    mean = kept.sum(axis=1) * x
    second = kept.sum(axis=1) * v + (kept * keep).sum(axis=1) * x * x
    return mean, np.maximum(second - mean * mean, 0.0)


def _grid(x: Floats, v: Floats) -> Floats:
    """Zero, then variances by factors of four from well below the noise to beyond the largest effect."""
    least, most = float(v.min()) / 16.0, max(float(np.max(x * x)), float(v.min()))
    steps = int(np.ceil(np.log2(most / least) / 2.0)) + 1
    return np.concatenate([[0.0], least * 4.0 ** np.arange(steps)])


def _log_likelihood(x: Floats, v: Floats, variances: Floats) -> Floats:
    """log density of each effect under each component, less the effect's largest, shape (effects, components)."""
    spread = v[:, None] + variances
    log = -0.5 * (np.log(spread) + (x * x)[:, None] / spread)
    log -= log.max(axis=1, keepdims=True)
    return log
