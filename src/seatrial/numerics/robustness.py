"""Accuracy on corrupted rows: how far a model falls, and whether a candidate falls farther than its reference.

Candidate and reference get the same corrupted rows, so each row has a value of its own: with 1 for a right answer and 0
for a wrong one, (clean - corrupted) of the candidate less (clean - corrupted) of the reference, a whole number from -2 to 2. Its
mean is the difference of both drops (a difference in differences). Summed over S severities it runs from -2 S to 2 S, and its
mean over S is the area between the curves. What is kept is how many rows have each value: such tallies are added to merge
shards. Rows must be independent: for rows in groups use a cluster bootstrap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.interval import Interval, tail

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

PSEUDO = 1.0
"""Rows added on either side of a difference, and twice as many at either end of a share: see `_mean`."""


def right_tally(right: Array) -> Array:
    """Of severities x rows right answers (bool): how many rows are right at 0, 1 .. S severities, int64 of S + 1."""
    hits = np.atleast_2d(np.asarray(right, bool))
    return np.bincount(hits.sum(axis=0), minlength=len(hits) + 1).astype(np.int64)


def extra_drop_tally(clean: Array, corrupted: Array, reference: Array, reference_corrupted: Array) -> Array:
    """How many rows have each value -2 S .. 2 S of the candidate's drops less the reference's, int64 of 4 S + 1.

    `clean` and `reference` are right answers (bool) of rows, the corrupted ones of severities x rows, or of rows where
    there is one severity. ValueError where they don't fit one another.
    """
    hits, reference_hits = (np.atleast_2d(np.asarray(one, bool)) for one in (corrupted, reference_corrupted))
    if (
        hits.shape != reference_hits.shape
        or np.shape(clean) != (hits.shape[1],)
        or np.shape(reference) != np.shape(clean)
    ):
        raise ValueError("clean answers are rows, corrupted ones severities x rows, of the same rows and severities")
    severities = len(hits)
    before = np.asarray(clean, bool).astype(np.int64) - np.asarray(reference, bool)
    after = hits.sum(axis=0, dtype=np.int64) - reference_hits.sum(axis=0, dtype=np.int64)
    return np.bincount(severities * before - after + 2 * severities, minlength=4 * severities + 1).astype(np.int64)


def mean_accuracy(tally: Array, level: float = 0.95) -> Interval:
    """The share of right answers over all severities (the area under the curve of accuracy), by `right_tally`.

    Rows are the unit: the same row at five severities is no five rows. Agresti & Coull's (1998) interval for means: two
    rows wholly right and two wholly wrong are added. Coverage by simulation: at least .93.
    """
    severities = len(tally) - 1
    if severities < 1:
        raise ValueError("a tally of right answers has one count for each number of severities, 0 among them")
    values = np.arange(severities + 1) / severities
    return _mean(values, tally, 0.0, 1.0, 2 * PSEUDO, level, "two rows added at either end")


def extra_drop(tally: Array, level: float = 0.95) -> Interval:
    """By how much more the candidate's accuracy drops than the reference's, on average over the severities, by `extra_drop_tally`.

    Above 0 the candidate falls faster. Bonett & Price's (2012) way for paired proportions carried over to more values:
    one row is added on either side, as far from 0 as rows that differ are on average (root mean square, with one row that
    differs as much as can be among them); so no flips at all are no certainty. Coverage by simulation: at least .93, with
    few flips too.
    """
    severities = (len(tally) - 1) // 4
    if severities < 1 or len(tally) != 4 * severities + 1:
        raise ValueError(f"a tally of S severities has 4 S + 1 counts, not {len(tally)}")
    values = np.arange(-2 * severities, 2 * severities + 1) / severities
    flips = np.where(values == 0, 0, tally)
    reach = math.sqrt((float(flips @ values**2) + float(values[-1]) ** 2) / (int(flips.sum()) + 1))
    return _mean(values, tally, -reach, reach, PSEUDO, level, "one row added on either side")


def _mean(values: Array, tally: Array, low: float, high: float, pseudo: float, level: float, added: str) -> Interval:
    """Student's interval for the mean of tallied values with `pseudo` rows added at `low` and at `high`."""
    n = int(np.sum(tally))
    if n <= 0 or np.min(tally) < 0:
        raise ValueError("a tally needs at least one row and no negative counts")
    mean = float(values @ tally) / n
    all_values, weights = np.append(values, [low, high]), np.append(tally.astype(np.float64), [pseudo, pseudo])
    total = float(weights.sum())
    centre = float(all_values @ weights) / total
    variance = float((all_values - centre) ** 2 @ weights) / (total - 1)
    half = -student_quantile(tail(level), total - 1) * math.sqrt(variance / total)
    ends = float(values[0]), float(values[-1])
    method = f"paired rows, Student's interval of the mean with {added}, {n} rows"
    return Interval(mean, max(ends[0], min(mean, centre - half)), min(ends[1], max(mean, centre + half)), level, method)
