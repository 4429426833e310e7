"""Whether a row was learnt from, by how much the model favours it more than other rows, against what shadows expect (RMIA).

A row's probability is divided by its mean over shadows, and so is every other row's: the more other rows it leaves behind, the more suspicious it
is. Needs fewer shadows than LiRA. All rows that are asked about serve as the other rows, which loses nothing: against one
model their choice only rescales the order. Zarifzadeh, Liu and Shokri (2024), Low-Cost High-Power Membership Inference Attacks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.privacy import Deployed, Known
from seatrial.errors import Unsupported
from seatrial.numerics.membership import log_probabilities, of_label, relative_ratio

ACCEPTS = {"shadows": ("needed",)}
GIVES = {"learns": ("member",)}
CANNOT = {
    "several questions a row": ("not yet ours", "mirrored and shifted copies of a picture, which the paper asks too, aren't asked"),
}  # fmt: skip
VERSION = 1


class Options(PartOptions):
    """Which shadows are compared with, and how."""

    online: bool = Field(
        default=True, description="both kinds of shadows; else those alone that didn't learn from the row (offline)"
    )
    offset: float = Field(
        default=0.3, ge=0, le=1, description="offline: the paper's `a`, how much surer a shadow would be that learnt from it"
    )  # fmt: skip
    gamma: float = Field(default=1.0, ge=1, description="how many times more a row must be favoured than another")


def pry(target: Deployed, known: Known, options: Options) -> Any:
    """The share of rows that each row leaves behind."""
    if known.shadows is None:
        raise Unsupported("it compares with models of the same recipe, and there are none")
    seen = np.exp(of_label(log_probabilities(known.scores), known.labels))
    compared = np.exp(of_label(log_probabilities(known.shadows.scores), known.labels))
    return relative_ratio(seen, compared, known.shadows.inside, options.online, options.offset, options.gamma)
