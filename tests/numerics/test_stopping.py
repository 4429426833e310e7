from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.stopping import level_at_look, looks


def _claims(at: list[int], level: float, runs: int = 4000) -> float:
    """How often a thing compared with itself is called different at some look, stopping there."""
    noise = np.random.default_rng(3).standard_normal((runs, max(at)))
    claimed = np.zeros(runs, bool)
    for rounds in at:
        so_far = noise[:, :rounds]
        half = student_quantile((1 + level) / 2, rounds - 1) * so_far.std(axis=1, ddof=1) / np.sqrt(rounds)
        claimed |= np.abs(so_far.mean(axis=1)) > half
    return float(claimed.mean())


def test_looking_at_every_round_fools():
    assert _claims(list(range(5, 51)), 0.95) == pytest.approx(0.27, abs=0.03)


@pytest.mark.parametrize(("first", "last"), [(5, 50), (3, 30), (10, 12)])
def test_spending_the_error_does_not(first: int, last: int):
    """4,000 runs: two standard errors of a binomial share of 0.05 are 0.007; the union bound leaves more room."""
    at = list(looks(first, last))
    assert _claims(at, level_at_look(0.95, len(at))) <= 0.05


def test_a_budget_that_ends_between_looks_is_the_last_look_and_does_not_fool_either():
    """When it ends depends on the clock, not on what was seen: so it stands in for the looks that are left, of which there is one at least."""
    noise, ends = np.random.default_rng(5).standard_normal((4000, 50)), np.random.default_rng(6).integers(5, 51, 4000)
    at = looks(5, 50)
    level, claimed = level_at_look(0.95, len(at)), np.zeros(4000, bool)
    for rounds in range(5, 51):
        looking = (ends == rounds) | ((rounds in at) & (ends > rounds))
        so_far = noise[:, :rounds]
        half = student_quantile((1 + level) / 2, rounds - 1) * so_far.std(axis=1, ddof=1) / np.sqrt(rounds)
        claimed |= looking & (np.abs(so_far.mean(axis=1)) > half)
    assert claimed.mean() <= 0.05


@settings(deadline=None)  # no test depends on the clock
@given(st.integers(1, 100), st.integers(0, 10_000))
def test_looks_go_from_end_to_end_by_at_most_doubling(first: int, more: int):
    at = looks(first, first + more)
    assert (at[0], at[-1]) == (first, first + more)
    assert all(a < b <= 2 * a + 1 for a, b in pairwise(at))
    assert len(at) <= 16


def test_few_looks():
    assert looks(5, 50) == (5, 9, 16, 28, 50)
    assert looks(4, 4) == (4,)
    assert level_at_look(0.95, 5) == pytest.approx(0.99)
    assert level_at_look(0.95, 1) == pytest.approx(0.95)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="looks"):
        looks(5, 4)
    with pytest.raises(ValueError, match="look"):
        level_at_look(0.95, 0)
