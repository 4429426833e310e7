"""Mean of -log of the probability given to the right class, in nats: how much the probabilities can be relied on.

Unlike accuracy it sees when a model grows more or less sure. One confident mistake weighs much, so the interval is corrected
for skewness. Probabilities are clipped at 1e-15: certain and wrong costs 34.5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.numerics import losses
from seatrial.parts.metrics import _mean
from seatrial.parts.metrics._counts import labels, probabilities

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("log_loss",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> _mean.Kept:
    """Moments of the loss."""
    return _mean.moments(losses.log_loss(probabilities(batch.answers), labels(batch)))


merge = _mean.merge


def findings(state: _mean.Kept, level: float, options: Options) -> Iterable[Finding]:
    """The mean loss."""
    yield _mean.mean("log_loss", state, level, most=-math.log(losses.FLOOR), unit="nats")
