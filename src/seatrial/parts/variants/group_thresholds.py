"""A threshold for each group of people, so that groups are selected, or found, at equal rates: a step after a model of two classes.

Mitigates a gap without training anew; fitted to the calibration rows, judged on others, on accuracy and fairness both. It treats
people differently by their group, which in some places and uses the law forbids: ask before deploying it. Hardt et al. (2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch
from seatrial.contracts.record import Scalar
from seatrial.errors import Unsupported
from seatrial.numerics import thresholds

ACCEPTS = {"rows": ("calibrate",)}
GIVES = {"step": ("after",)}
CANNOT = {
    "classes": ("not yet ours", "two classes only"),
    "timing": ("not yet ours", "the step runs after the session and isn't inside the timed blocks"),
}
VERSION = 1


class Options(PartOptions):
    """Between which groups, and what is made equal."""

    group: str = Field(
        description="the column that names each row's group, in the data that calibrates and in that which judges"
    )
    equal: Literal["opportunity", "selection"] = Field(
        default="opportunity",
        description="`opportunity`: rates of finding the deserving; `selection`: rates of being chosen",
    )
    favourable: Scalar | None = Field(
        default=None, description="the class that it is good to be given; the second if left out"
    )
    of: Ref = Field(
        default=PartRef(name="as_is"),
        validate_default=True,
        description="the variant that answers, such as `int8_static`",
    )


def fit(batch: Batch, options: Options) -> dict[str, Any]:
    """The threshold of each group. Raises `Unsupported` where there are not two classes, or a group can't be served."""
    scores = np.asarray(batch.answers.get("probabilities", batch.answers["scores"]), np.float64)
    if batch.labels is None or scores.shape[1] != 2:
        raise Unsupported("thresholds by group need labels, and two classes")
    good = _favourable(batch, options)
    try:
        found = thresholds.fit(scores[:, good], batch.labels == good, batch.groups[options.group], options.equal)
    except ValueError as error:
        raise Unsupported(f"thresholds by `{options.group}`: {error}") from error
    return {"group": options.group, "favourable": good, "thresholds": found}


def apply(fitted: Mapping[str, Any], answers: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """The answers with scores that are highest for the favourable class from the group's threshold on; probabilities stay."""
    scores = np.asarray(answers.get("probabilities", answers["scores"]), np.float64)
    good = int(fitted["favourable"])
    try:
        above = thresholds.margin(scores[:, good], groups[fitted["group"]], fitted["thresholds"])
    except ValueError as error:
        raise Unsupported(str(error), next_step="give every group calibration rows") from error
    chosen = above >= 0
    moved = np.where(chosen, np.maximum(above, np.finfo(float).tiny), above)
    made = np.stack([-moved, moved], axis=1) if good == 1 else np.stack([moved, -moved], axis=1)
    return dict(answers) | {"scores": made}


def _favourable(batch: Batch, options: Options) -> int:
    if options.favourable is None:
        return 1
    if str(options.favourable) not in batch.classes:
        raise Unsupported(f"`{options.favourable}` is no class: {', '.join(batch.classes)}")
    return batch.classes.index(str(options.favourable))
