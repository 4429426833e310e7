"""What value a row has that was left out, guessed with the model's help, against an imputer that never saw the model.

The imputer (gradient boosting) learns from the attacker's own rows how the value goes with the others and the label. With the model, each value that may be is
put in, and the one is taken that the imputer and the label's probability speak for most (their product, by Bayes). What
only the population tells, the imputer tells too: what counts is the gain. Jayaraman and Evans (2022), Are Attribute Inference Attacks Just Imputation?
(arXiv 2209.01292).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.privacy import Deployed, Known
from seatrial.errors import Unsupported
from seatrial.numerics.membership import log_probabilities, of_label

NEEDS = ("sklearn", "threadpoolctl")
EXTRA = "sklearn"
GIVES = {"learns": ("hidden",)}
CANNOT = {
    "weights": ("not yet ours", "what the weights tell of the value isn't looked at, only answers are"),
    "numbers of many values": ("not yet ours", "the value must be one of at most 20"),
}
VERSION = 1


class Options(PartOptions):
    """How the imputer learns."""

    trees: int = Field(default=60, ge=1, description="passes of the imputer's gradient boosting")


def pry(target: Deployed, known: Known, options: Options) -> Any:
    """Two lines: the choice that the imputer makes for each row, and the one made with the model."""
    if known.hidden is None or known.choices is None:
        raise Unsupported("nothing was left out that could be guessed")
    prior = _imputed(known, options)
    told = np.stack([_with(target, known, value) for value in known.choices], axis=1)
    return np.stack([prior.argmax(axis=1), (prior + told).argmax(axis=1)])


def _with(target: Deployed, known: Known, value: float) -> Any:
    """Log probability of each row's label, were this the value that was left out."""
    assert known.hidden is not None
    name, place = known.hidden
    filled = np.array(known.inputs[name])
    filled.reshape(len(filled), -1)[:, place] = value
    answers = target.scores({**known.inputs, name: filled})
    return of_label(log_probabilities(answers), known.labels)


def _imputed(known: Known, options: Options) -> Any:
    """Log probability of each choice by the imputer, rows x choices."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    assert known.hidden is not None
    name, place = known.hidden
    count = len(known.labels)
    others = [value.reshape(count, -1) for value in known.inputs.values() if value.dtype.kind in "fiub"]
    wide = np.concatenate([*others, np.eye(known.classes)[known.labels]], axis=1).astype(np.float64)
    start = sum(value[0].size for one, value in known.inputs.items() if value.dtype.kind in "fiub" and list(known.inputs).index(one) < list(known.inputs).index(name))  # fmt: skip
    features = np.delete(wide, start + place, axis=1)
    values = known.inputs[name].reshape(count, -1)[known.own, place].astype(np.float64)
    right = np.abs(values[:, None] - np.asarray(known.choices)[None]).argmin(axis=1)
    made = np.full((count, len(known.choices)), -np.inf)
    if len(np.unique(right)) < 2:
        made[:, right[0]] = 0.0
        return made
    imputer = HistGradientBoostingClassifier(
        max_iter=options.trees, learning_rate=0.05, max_depth=3, l2_regularization=1.0, random_state=known.seed
    )
    with threadpool_limits(1):
        imputer.fit(features[known.own], right)
        made[:, imputer.classes_] = np.log(np.maximum(imputer.predict_proba(features), 1e-12))
    return np.maximum(made, -1e3)
