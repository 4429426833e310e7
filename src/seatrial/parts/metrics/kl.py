"""How far the candidate's probabilities are from the reference's on the same rows: mean KL(reference || candidate), in nats.

It sees changes that accuracy and flips don't: a model that is as right as before but less sure. It needs no labels.
Probabilities are clipped at 1e-15.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.numerics import losses
from seatrial.parts.metrics import _mean
from seatrial.parts.metrics._counts import probabilities, reference

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("kl",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> _mean.Kept:
    """Moments of the divergence."""
    other = probabilities(reference(batch))
    return _mean.moments(losses.kl(other, probabilities(batch.answers)))


merge = _mean.merge


def findings(state: _mean.Kept, level: float, options: Options) -> Iterable[Finding]:
    """The mean divergence."""
    yield _mean.mean("kl", state, level, most=-math.log(losses.FLOOR), unit="nats", against="reference")
