"""Privacy by Renyi divergence: as Opacus' own accountant has it, and never below what is known exactly."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from seatrial.numerics import privacy

CASES = [
    (0.01, 1.1, 1000, 1e-5),
    (0.2, 2.0, 150, 1e-4),
    (1.0, 5.0, 40, 1e-5),
    (0.1, 0.6, 10, 1e-3),
    (0.5, 20.0, 5, 1e-6),
]


@pytest.mark.parametrize(("share", "noise", "steps", "delta"), CASES)
def test_it_is_opacus_bound_over_the_same_orders(share: float, noise: float, steps: int, delta: float) -> None:
    rdp = pytest.importorskip("opacus.accountants.analysis.rdp")
    orders = list(privacy.ORDERS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spent = rdp.compute_rdp(q=share, noise_multiplier=noise, steps=steps, orders=orders)
        right, _ = rdp.get_privacy_spent(orders=orders, rdp=spent, delta=delta)
    assert privacy.epsilon(share, noise, steps, delta) == pytest.approx(right, rel=1e-9)


def test_the_divergence_is_the_integral_that_defines_it() -> None:
    """Of order a between (1 - q) N(0, s) + q N(1, s) and N(0, s): log E[(mixture / plain)^a] / (a - 1)."""
    for order, share, noise in ((2, 0.1, 0.8), (5, 0.3, 1.5), (12, 0.02, 1.0)):

        def ratio(x: float, order: int = order, share: float = share, noise: float = noise) -> float:
            tilt = math.exp((2 * x - 1) / (2 * noise**2))
            return float(stats.norm.pdf(x, scale=noise) * (1 - share + share * tilt) ** order)

        whole, _ = integrate.quad(ratio, -30 * noise, order + 30 * noise, limit=400, points=[0, 1, order])
        assert privacy.renyi(order, share, noise) == pytest.approx(math.log(whole) / (order - 1), rel=1e-6)


def test_without_sampling_it_is_above_what_is_exact() -> None:
    """Balle & Wang (2018): of a Gaussian mechanism delta is known for each epsilon; T steps are one of noise s / sqrt(T)."""
    for noise, steps, delta in ((5.0, 40, 1e-5), (2.0, 3, 1e-3)):
        ratio = math.sqrt(steps) / noise

        def over(e: float, ratio: float = ratio, delta: float = delta) -> float:
            return (
                float(stats.norm.cdf(ratio / 2 - e / ratio) - math.exp(e) * stats.norm.cdf(-ratio / 2 - e / ratio))
                - delta
            )

        exact = optimize.brentq(over, 0, 60)
        assert exact <= privacy.epsilon(1.0, noise, steps, delta) <= 1.35 * exact


def test_more_noise_and_fewer_steps_are_more_private_and_the_noise_found_is_the_least() -> None:
    found = [privacy.epsilon(0.1, noise, 100, 1e-5) for noise in (0.7, 1.0, 2.0, 8.0)]
    assert found == sorted(found, reverse=True)
    assert (
        privacy.epsilon(0.1, 1.0, 100, 1e-5)
        < privacy.epsilon(0.1, 1.0, 200, 1e-5)
        < privacy.epsilon(0.2, 1.0, 200, 1e-5)
    )
    least = privacy.noise(2.0, 0.1, 100, 1e-5)
    assert privacy.epsilon(0.1, least, 100, 1e-5) <= 2.0 < privacy.epsilon(0.1, least * 0.999, 100, 1e-5)
    assert np.isclose(privacy.epsilon(0.0, 1.0, 100, 0.9), 0.0)


def test_what_makes_no_sense_is_refused() -> None:
    for wrong in ((1, 0.1, 1.0), (2, 1.1, 1.0), (2, 0.1, 0.0)):
        with pytest.raises(ValueError, match="are needed"):
            privacy.renyi(*wrong)
    with pytest.raises(ValueError, match="delta"):
        privacy.epsilon(0.1, 1.0, 1, 0.0)
    with pytest.raises(ValueError, match="enough"):
        privacy.noise(1e-9, 1.0, 10**6, 1e-12)
