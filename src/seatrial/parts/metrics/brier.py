"""Mean squared distance of the probabilities from the truth, summed over classes: 0 is perfect, 2 is certain and wrong.

Like log-loss it judges probabilities and not only the highest one, but no single row can dominate it. For two classes it is
twice the score that is given for the probability of one class alone. Source: Brier (1950).
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.numerics import losses
from seatrial.parts.metrics import _mean
from seatrial.parts.metrics._counts import labels, probabilities

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("brier",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> _mean.Kept:
    """Moments of the score."""
    return _mean.moments(losses.brier(probabilities(batch.answers), labels(batch)))


merge = _mean.merge


def findings(state: _mean.Kept, level: float, options: Options) -> Iterable[Finding]:
    """The mean score."""
    yield _mean.mean("brier", state, level, most=2.0)
