"""Whether a row was learnt from, by a likelihood ratio: how sure models that learnt from it are of it, and those that didn't (LiRA).

Shadows, models of the same recipe, are trained on halves of the rows. Of each row two normal distributions are fitted to their confidences, of
shadows that learnt from it and of shadows that didn't: the deployed model's own is more likely in one of them. Carlini et al.
(2022), Membership Inference Attacks From First Principles. The variance is one for all rows, as the paper does with few shadows.
Where probabilities are handed out that were rounded to 1, confidences are compared no further than fp32 tells them from 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.privacy import Deployed, Known
from seatrial.errors import Unsupported
from seatrial.numerics.membership import confidence, likelihood_ratio

ACCEPTS = {"shadows": ("needed",)}
GIVES = {"learns": ("member",)}
CANNOT = {
    "several questions a row": ("not yet ours", "mirrored and shifted copies of a picture, which the paper asks too, aren't asked"),
    "quantised shadows": ("not yet ours", "shadows answer in float, whatever the candidate was made into"),
}  # fmt: skip
VERSION = 1


class Options(PartOptions):
    """Which shadows are compared with."""

    online: bool = Field(
        default=True, description="both kinds of shadows; else those alone that didn't learn from the row (offline)"
    )
    pooled: bool = Field(
        default=True, description="one variance for all rows; a row's own needs some 64 shadows and more"
    )


FINEST = 16.6
"""The confidence of the largest fp32 number below 1."""
ROUNDED = 100.0
"""Confidences that only a probability rounded to 0 or 1 has."""


def pry(target: Deployed, known: Known, options: Options) -> Any:
    """Log likelihood ratio of each row; offline: standard deviations above shadows that didn't learn from it."""
    if known.shadows is None:
        raise Unsupported("it compares with models of the same recipe, and there are none")
    seen = confidence(known.scores, known.labels)
    compared = confidence(known.shadows.scores, known.labels)
    if np.abs(seen).max() > ROUNDED:
        seen, compared = (np.clip(one, -FINEST, FINEST) for one in (seen, compared))
    return likelihood_ratio(seen, compared, known.shadows.inside, options.online, options.pooled)
