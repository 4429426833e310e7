"""The model fitted anew to the training rows, with weights under which the favourable class is independent of the group.

Rows of a group that seldom has the favourable class weigh more where they have it, and less where they haven't (Kamiran & Calders
2012, section 4.3). It narrows the gap in who is given that class (`demographic_parity`) and costs accuracy against labels that
hold the gap themselves; it promises neither equal rates nor equal errors: it is judged like any candidate. The group isn't
needed to answer. Hyperparameters stay; seeds that are open are set.
"""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.contracts.record import Scalar
from seatrial.errors import Unsupported
from seatrial.numerics import reweighing
from seatrial.parts.variants._refit import fair_lesson, kept

NEEDS = ("sklearn", "skops", "threadpoolctl")
EXTRA = "sklearn"
ACCEPTS = {"format": ("skops",), "rows": ("train",)}
GIVES = {"format": ("skops",)}
CANNOT = {
    "onnx": ("not yet ours", "it runs on scikit-learn itself: conversions come before variants, not after them"),
    "other formats": ("not yet ours", "fitting anew needs a trainer; scikit-learn models bring their own"),
    "weights of the data": ("not yet ours", "a `weight` column of the training rows isn't multiplied in"),
}
VERSION = 1


class Options(PartOptions):
    """Between which groups, and which class it is good to be given."""

    group: str = Field(
        description="the column that names each row's group, in the data that trains and in that which judges"
    )
    favourable: Scalar | None = Field(
        default=None, description="the class that it is good to be given; of two classes the second if left out"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The model fitted anew. Raises `Unsupported` without training rows, for a group without an outcome, or without weights."""
    known = fair_lesson("reweighed", artefact, making, options.group, options.favourable)
    try:
        weights = reweighing.weights(known.good, known.group)
    except ValueError as error:
        raise Unsupported(f"reweighing by `{options.group}`: {error}") from error
    return kept("reweighed", known.fitted(weights), artefact, making, options)
