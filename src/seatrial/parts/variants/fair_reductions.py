"""The model fitted anew under a constraint of fairness, by fairlearn's exponentiated gradient; the best single model it found.

Exponentiated gradient (Agarwal et al. 2018) fits the model again and again with other weights, and answers by chance as one of
those. A model that is deployed answers the same row in the same way, so one of them is kept: of those within `slack` of the
constraint on the training rows the one with the fewest errors, else the one nearest to it. What fairlearn promises of the mixture
doesn't hold for it: it is judged like any candidate. The group isn't needed to answer.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.contracts.record import Scalar
from seatrial.errors import PartError, SeatrialError, Unsupported
from seatrial.parts.variants._refit import FairLesson, fair_lesson, kept

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

NEEDS = ("fairlearn", "sklearn", "skops", "threadpoolctl")
EXTRA = "fairness"
ACCEPTS = {"format": ("skops",), "rows": ("train",)}
GIVES = {"format": ("skops",)}
CANNOT = {
    "onnx": ("not yet ours", "it runs on scikit-learn itself: conversions come before variants, not after them"),
    "the mixture": ("never", "it gives the same person another answer the next time"),
    "classes": ("not yet theirs", "two classes only"),
}
VERSION = 1

_CONSTRAINTS = {
    "selection": "DemographicParity",
    "opportunity": "TruePositiveRateParity",
    "odds": "EqualizedOdds",
}


class Options(PartOptions):
    """What is made equal between which groups."""

    group: str = Field(
        description="the column that names each row's group, in the data that trains and in that which judges"
    )
    favourable: Scalar | None = Field(
        default=None, description="the class that it is good to be given; the second if left out"
    )
    constraint: Literal["selection", "opportunity", "odds"] = Field(
        default="selection",
        description="`selection`: rates of being given it; `opportunity`: rates of finding the deserving; `odds`: both rates of errors",
    )
    slack: float = Field(
        default=0.02, gt=0, lt=1, description="gap from the overall rate that is allowed on the training rows"
    )
    steps: int = Field(default=30, ge=1, description="how often the model is fitted, at most about")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The model fitted anew. Raises `Unsupported` without training rows, for other than two classes, or without weights."""
    known = fair_lesson("fair_reductions", artefact, making, options.group, options.favourable)
    if len(np.unique(known.labels)) != 2:
        raise Unsupported("fair_reductions is for two classes")
    return kept("fair_reductions", _best(known, options), artefact, making, options, "fairlearn")


class _Taught:
    """The model as fairlearn fits it: rows by their number, classes as 0 and 1."""

    def __init__(self, known: FairLesson) -> None:
        self.known, self.model = known, None

    def __deepcopy__(self, memo: Any) -> _Taught:
        return _Taught(self.known)

    def fit(self, numbers: Any, good: Any, sample_weight: Any = None) -> _Taught:
        names = {bool(flag): name for flag, name in zip(self.known.good, self.known.labels, strict=True)}
        classes = np.where(np.asarray(good) > 0, names[True], names[False])
        weights = None if sample_weight is None else np.asarray(sample_weight, float)
        self.model = self.known.fitted(weights, classes.astype(self.known.labels.dtype))
        return self

    def predict(self, numbers: Any) -> Array:
        assert self.model is not None
        favourable = self.known.labels[int(np.argmax(self.known.good))]
        chosen = self.model.predict(self.known.rows) == favourable
        return np.asarray(chosen[np.asarray(numbers).reshape(-1).astype(int)].astype(int))


def _best(known: FairLesson, options: Options) -> Any:
    """The single model, of all that were fitted, that breaks the constraint least where none keeps it, else errs least."""
    from fairlearn import reductions

    numbers, good = np.arange(len(known.good)).reshape(-1, 1), known.good.astype(int)
    constraint = getattr(reductions, _CONSTRAINTS[options.constraint])
    search = reductions.ExponentiatedGradient(
        _Taught(known), constraint(difference_bound=options.slack), eps=options.slack, max_iter=options.steps
    )
    measure = constraint(difference_bound=options.slack)
    logging.getLogger("fairlearn").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.fit(numbers, good, sensitive_features=known.group)
            measure.load_data(numbers, good, sensitive_features=known.group)
            found = [one for one in search.predictors_ if isinstance(one, _Taught)]
            gaps = [float(measure.gamma(one.predict).max()) for one in found]
    except (SeatrialError, MemoryError):
        raise
    except Exception as error:
        raise PartError(f"fairlearn: {type(error).__name__}: {error}") from error
    if not found:
        raise Unsupported("fairlearn found only models that give everybody the same answer")
    errors = [float(np.mean(one.predict(numbers) != good)) for one in found]
    return found[min(range(len(found)), key=lambda at: (max(gaps[at], options.slack), errors[at], at))].model
