"""Probabilities and scores with few digits: a step after the model that tells less to whoever copies it by asking, or asks who was in its data.

The predicted class stays what it was, unless rounding ties the first two; then it is the first of them. Calibration gets coarser. It makes
copying dearer and doesn't stop it: the class alone is enough for that, with more questions. Tramer et al. (2016), "Stealing machine
learning models via prediction APIs", section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch
from seatrial.errors import Unsupported

ACCEPTS = {"rows": ("none",)}
GIVES = {"step": ("after",)}
CANNOT = {"timing": ("not yet ours", "the step runs after the session and isn't inside the timed blocks")}
VERSION = 1


class Options(PartOptions):
    """How much is told, after which change of the model."""

    digits: int = Field(default=1, ge=0, le=6, description="digits after the point that stay")
    of: Ref = Field(
        default=PartRef(name="as_is"),
        validate_default=True,
        description="the variant that answers, such as `int8_static`",
    )


def fit(batch: Batch, options: Options) -> dict[str, Any]:
    """The digits: there is nothing to fit."""
    return {"digits": options.digits}


def apply(fitted: Mapping[str, Any], answers: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """The answers rounded; where there are probabilities, these are the scores from now on. Raises `Unsupported` where there are no scores."""
    if "scores" not in answers:
        raise Unsupported(
            f"output_rounding rounds scores of classes; this task gives {', '.join(answers) or 'nothing'}"
        )
    told = np.round(np.asarray(answers.get("probabilities", answers["scores"]), np.float64), int(fitted["digits"]))
    return dict(answers) | {"scores": told} | ({"probabilities": told} if "probabilities" in answers else {})
