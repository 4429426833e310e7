"""What probabilities promised and what came of it: mean probability minus observed share, from rows by outcome and bin.

A row in a bin stands for the bin's middle (`numerics/score_bins.py`). That moves a mean by at most the bins' mean half width,
`slack`, which is at most 1/1024 with 4,096 bins and far less for probabilities near 0 and 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.interval import Intervals, alone, at_most
from seatrial.numerics.losses import mean_intervals
from seatrial.numerics.score_bins import centres, edges

Floats = NDArray[np.float64]


class Promised(NamedTuple):
    """Sums over rows of d = probability - outcome (1 or 0), of d^2 and d^3, shape (..., 3); rows and `slack`, shape (...)."""

    sums: Floats
    rows: Floats
    slack: Floats

    def excess(self, level: float | None) -> Intervals:
        """The mean of d, -1 to 1, with Hall's bounds; NaN for no rows. `level` None: values alone."""
        if level is None:
            return alone(self.mean)
        one, two, three = np.moveaxis(self.sums, -1, 0)
        raised = [one + self.rows, two + 2.0 * one + self.rows, three + 3.0 * (two + one) + self.rows]  # of d + 1
        found = mean_intervals(np.stack(raised, axis=-1), self.rows, level, least=0.0, most=2.0)
        low, high = np.minimum(found.low - 1.0, self.mean), np.maximum(found.high - 1.0, self.mean)
        said = [
            f"{method}; binning moves it by at most {at_most(slack)}" if rows else ""
            for method, slack, rows in zip(np.ravel(found.method), self.slack.ravel(), self.rows.ravel(), strict=True)
        ]
        return Intervals(self.mean, low, high, level, np.array(said, object).reshape(self.rows.shape))

    @property
    def mean(self) -> Floats:
        """The mean of d; NaN for no rows."""
        return np.asarray(np.where(self.rows > 0, self.sums[..., 0] / np.maximum(self.rows, 1e-300), np.nan))

    @property
    def variance(self) -> Floats:
        """Variance of a single row's d; 0 for fewer than two rows."""
        squares = self.sums[..., 1] - self.sums[..., 0] ** 2 / np.maximum(self.rows, 1e-300)
        return np.asarray(np.where(self.rows > 1, np.maximum(0.0, squares) / np.maximum(self.rows - 1.0, 1e-300), 0.0))


def promised(table: ArrayLike) -> Promised:
    """From rows by outcome (0: hasn't the class) and bin of its probability, shape (..., 2, bins)."""
    counts = np.asarray(table, np.float64)
    bins = counts.shape[-1]
    apart = np.stack([centres(bins), centres(bins) - 1.0])
    sums = np.stack([(counts * apart**power).sum(axis=(-1, -2)) for power in (1, 2, 3)], axis=-1)
    rows, half = counts.sum(axis=(-1, -2)), np.diff(edges(bins)) / 2.0
    slack = (counts.sum(axis=-2) * half).sum(axis=-1) / np.where(rows > 0, rows, 1.0)
    return Promised(sums, rows, slack)
