"""Probabilities that mean what they say again: a step after the model, fitted to the calibration rows as this candidate answers them.

Each runtime and precision gets a fit of its own, from the very session that is measured. `temperature` never changes which class is
predicted; `platt` (two classes) and `isotonic` (some thousand rows) may. Judged on other rows, like any candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch
from seatrial.errors import Unsupported
from seatrial.numerics import recalibration

ACCEPTS = {"rows": ("calibrate",)}
GIVES = {"step": ("after",)}
CANNOT = {"timing": ("not yet ours", "the step runs after the session and isn't inside the timed blocks")}
VERSION = 1


class Options(PartOptions):
    """What is fitted, after which change of the model."""

    method: Literal["temperature", "platt", "isotonic"] = Field(default="temperature", description="what is fitted")
    of: Ref = Field(
        default=PartRef(name="as_is"),
        validate_default=True,
        description="the variant that answers, such as `int8_static`",
    )


def fit(batch: Batch, options: Options) -> dict[str, Any]:
    """The fit as plain numbers. Raises `Unsupported` where there are no labels or probabilities, or no fit."""
    if batch.labels is None or "probabilities" not in batch.answers:
        raise Unsupported("recalibration needs labels, and outputs that are logits or probabilities")
    try:
        found = recalibration.fit(options.method, batch.answers["probabilities"], batch.labels)
    except ValueError as error:
        raise Unsupported(f"recalibration by {options.method}: {error}") from error
    return {"method": options.method} | found


def apply(fitted: Mapping[str, Any], answers: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """The answers with recalibrated probabilities, which are their scores from now on."""
    made = recalibration.apply(fitted["method"], fitted, answers["probabilities"])
    return dict(answers) | {"scores": made, "probabilities": made}
