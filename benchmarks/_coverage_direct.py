"""Intervals that the flow states beside metrics: robustness, stability of explanations, slices that were found, shift of data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from _coverage_held import Held, hash_of, of_bounds
from numpy.typing import NDArray

from seatrial.numerics import slicing
from seatrial.numerics.interval import Interval
from seatrial.numerics.losses import Moments, mean_interval
from seatrial.numerics.paired import tango
from seatrial.numerics.proportions import proportion
from seatrial.numerics.replicates import mean_by_group, share_by_group
from seatrial.numerics.robustness import extra_drop, extra_drop_tally
from seatrial.numerics.shift import moments, standardised_difference
from seatrial.numerics.slicing_confirm import (
    binary_difference,
    clustered_above,
    mean_difference,
    signed_difference,
)

LEVEL = 0.95
Stated = Iterator[tuple[str, Interval, float]]
"""Figures of one study with their truths."""


class Direct(NamedTuple):
    """A study's figures, drawn anew each time."""

    name: str
    study: Callable[[np.random.Generator], Stated]
    at_once: int = 100

    def studies(self, first: int) -> dict[str, Held]:
        """`at_once` studies, drawn by the number of the first."""
        rng = np.random.default_rng([hash_of(self.name), first])
        return of_bounds(one for _ in range(self.at_once) for one in self.study(rng))


def _robust(rng: np.random.Generator, rows: int, accuracy: float, flips: float, clusters: int = 0) -> Stated:
    """Three severities; the candidate flips some rows against the reference, three losses to one gain."""
    units, each = (clusters, rows // clusters) if clusters else (rows, 1)
    lost, gained = 0.75 * flips, 0.25 * flips
    shares = np.array([accuracy - lost, lost, gained, 1 - accuracy - gained])  # both right, lost, gained, both wrong
    kinds = [_kinds(rng, units, each, shares) for _ in range(4)]
    own, other = ([np.isin(kind, which) for kind in kinds] for which in ((0, 2), (0, 1)))
    clean, reference = own[0], other[0]
    n, group = len(clean), np.arange(units).repeat(each) % max(10, min(100, units))
    weights, worse = np.ones(n), other[1].astype(float) - own[1]
    truth = shares[0] + shares[2]
    if clusters:
        yield "corrupted.accuracy", share_by_group(own[1], weights, group, units, LEVEL), truth
        yield "corrupted.accuracy.drop", mean_by_group(worse, weights, group, units, LEVEL, scale=1.0), lost - gained
        falls = (clean - np.mean(own[1:], axis=0)) - (reference - np.mean(other[1:], axis=0))
        yield "corrupted.extra_drop", mean_by_group(falls, weights, group, units, LEVEL, scale=1.0), 0.0
        return
    yield "corrupted.accuracy", proportion(int(own[1].sum()), n, LEVEL), truth
    yield "corrupted.accuracy.drop", tango(int((worse > 0).sum()), int((worse < 0).sum()), n, LEVEL), lost - gained
    yield "corrupted.extra_drop", extra_drop(extra_drop_tally(clean, own[1:], reference, other[1:]), LEVEL), 0.0


def _kinds(rng: np.random.Generator, units: int, each: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Kinds of rows; half of a cluster's rows are of the kind of its first."""
    drawn = rng.choice(4, p=shares, size=(units, each))
    return np.asarray(np.where(rng.random((units, each)) < 0.5, drawn[:, :1], drawn).ravel())


def _explained(rng: np.random.Generator, rows: int, clusters: int = 0) -> Stated:
    """Rank correlations of attributions, skewed towards 1."""
    units, each = (clusters, rows // clusters) if clusters else (rows, 1)
    shared = rng.beta(6.0, 2.0, (units, 1)) if clusters else 0.75
    agreement = (shared * rng.beta(9.0, 1.0, (units, each))).ravel()
    truth = 0.75 * 0.9
    if clusters:
        group = np.arange(units).repeat(each) % max(10, min(100, units))
        yield "explanations.agreement", mean_by_group(agreement, np.ones(rows), group, units, LEVEL), truth
    else:
        yield "explanations.agreement", mean_interval(Moments.of(agreement), LEVEL), truth


def _slices(rng: np.random.Generator, rows: int) -> Stated:
    """A slice of some rows among 5,000: errors, paired errors, real losses, and errors in clusters of twenty."""
    m = 5000
    errors = binary_difference(rng.binomial(rows, 0.2), rows, rng.binomial(m, 0.1), m, LEVEL)
    yield "slice.excess of errors", errors, 0.1
    one, other = rng.multinomial(rows, [0.1, 0.05, 0.85]), rng.multinomial(m, [0.02, 0.02, 0.96])
    yield "slice.hurt", signed_difference((one[0], one[1], rows), (other[0], other[1], m), LEVEL), 0.05
    yield "slice.excess of losses", mean_difference(rng.exponential(2.0, rows), rng.exponential(1.0, m), LEVEL), 1.0
    clusters, each = rows // 4, 20
    inside = np.repeat(rng.beta(1.0, 4.0, clusters), each) > rng.random(clusters * each)
    outside = np.repeat(rng.beta(1.0, 9.0, 250), each) > rng.random(250 * each)
    where = np.arange(clusters).repeat(each), np.arange(clusters, clusters + 250).repeat(each)
    yield "slice.excess in clusters", clustered_above(inside * 1.0, outside * 1.0, *where, LEVEL)[1], 0.1


def _found(rng: np.random.Generator) -> Stated:
    """A planted slice that a search finds and confirms: its effect on the half that had no part in the choice."""
    levels, rows = (4, 5, 6), 8000
    codes = np.stack([rng.integers(0, one, rows) for one in levels], axis=1).astype(np.uint8)
    planted = (codes[:, 0] == 1) & (codes[:, 1] == 2)
    loss = (rng.random(rows) < np.where(planted, 0.35, 0.1)).astype(float)
    made = slicing.search(codes, levels, loss, rng.random(rows) < 0.5, 2, most=5)
    for one in made.slices:
        if one.confirmed and set(one.conditions) == {(0, 1), (1, 2)}:
            yield "slice.excess of a slice that was found", one.effect, 0.25


def _shifted(rng: np.random.Generator, rows: int) -> Stated:
    """The standardised difference of two data sets, of a normal and of a skewed column."""
    one, other = rng.normal(size=rows), rng.normal(0.2, 1.0, 2 * rows)
    yield "shift.difference", standardised_difference(moments(one), moments(other), LEVEL), 0.2
    skewed = rng.exponential(1.0, rows), rng.exponential(1.0, 2 * rows) + 0.2
    yield "shift.difference, skewed", standardised_difference(*map(moments, skewed), LEVEL), 0.2


DIRECT = {
    one.name: one
    for one in (
        Direct("corrupted rows, 200, 5 % flips", lambda rng: _robust(rng, 200, 0.8, 0.05)),
        Direct("corrupted rows, 2,000, 1 % flips", lambda rng: _robust(rng, 2000, 0.95, 0.01)),
        Direct("corrupted rows, 50 clusters of 8", lambda rng: _robust(rng, 400, 0.8, 0.1, 50)),
        Direct("corrupted rows, 250 clusters of 8", lambda rng: _robust(rng, 2000, 0.9, 0.04, 250)),
        Direct("explanations, 40 rows", lambda rng: _explained(rng, 40)),
        Direct("explanations, 300 rows", lambda rng: _explained(rng, 300)),
        Direct("explanations, 40 clusters of 5", lambda rng: _explained(rng, 200, 40)),
        Direct("slices of 60 rows", lambda rng: _slices(rng, 60)),
        Direct("slices of 400 rows", lambda rng: _slices(rng, 400)),
        Direct("a search for slices, 8,000 rows", _found),
        Direct("two data sets, 100 and 200 rows", lambda rng: _shifted(rng, 100)),
        Direct("two data sets, 3,000 and 6,000 rows", lambda rng: _shifted(rng, 3000)),
    )
}
