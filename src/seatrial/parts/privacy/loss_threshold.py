"""Whether a row was learnt from, by its loss alone: rows that the model is surer of are named first; the baseline.

It knows nothing of how hard a row is, so that easy rows are named whether they were learnt from or not: at low rates of false names it
picks out few. Yeom et al. (2018), Privacy Risk in Machine Learning; Song and Mittal (2021) for the entropy that minds the label.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.privacy import Deployed, Known
from seatrial.numerics.membership import log_probabilities, of_label

GIVES = {"learns": ("member",)}
VERSION = 1


class Options(PartOptions):
    """What rows are ordered by."""

    by: Literal["loss", "confidence"] = Field(
        default="loss", description="the loss of the label, or the largest probability whatever the label"
    )


def pry(target: Deployed, known: Known, options: Options) -> Any:
    """Less loss, or more confidence, is more suspicious."""
    given = log_probabilities(known.scores)
    return of_label(given, known.labels) if options.by == "loss" else np.asarray(given.max(axis=1))
