"""How well a model answers with the chosen features: the study's metrics on the rows that judge the choice, and by how much they are worse.

features.refitted.loss   {model}        the loss of the model fitted anew with the chosen features alone
features.refitted.rise   {model}        by how much more that is than the loss of the same model fitted anew with all features
features.quality.<what>  {model, ...}   a metric of the model with the chosen features; `.drop` against the same model with all
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding
from seatrial.contracts.study import Model, classes_of
from seatrial.flow._inputs import Array
from seatrial.flow.counted import Asked, Judged, Pieces, count
from seatrial.flow.quality import about, batches, distinct
from seatrial.flow.slices import Sliced
from seatrial.flow.stated import state
from seatrial.flow.trial import Voyage
from seatrial.numerics.losses import Moments, mean_interval

QUALITY = "features.quality."
REFITTED, FILLED = (
    "fitted anew with the chosen features alone, against the same fitted anew with all",
    "not fitted anew: dropped features say nothing of their own; against the model with all features",
)
Answers = Mapping[str, Any]


def quality(
    voyage: Voyage,
    model: str,
    judged: Judged,
    rows: NDArray[np.int64],
    own: Answers,
    whole: Answers,
    how: str,
    level: float,
) -> Iterator[Finding]:
    """Every metric of these rows' answers `own`, and its drop from the answers with all features. Raises nothing of a metric's."""
    study = voyage.plan.study
    every = [Asked(voyage.find("metrics", ref.name), ref.options) for ref in study.measure.metrics]
    asked = [one for one in every if not one.info.whole and not one.info.across]
    some = Judged(Sliced(), judged.sampling.some(rows, voyage.keeper.arrays), judged.labels[:][rows])
    mine, theirs = (
        _pieces(study.models[model], some.labels, one, other) for one, other in ((own, whole), (whole, None))
    )
    counts = count([one for one in asked if not one.info.paired], theirs, some, dealt=True)
    counted = count(asked, mine, some, dealt=True)
    for info, one in _distinct(state(asked, mine, some, counted, counts, (level,))):
        at = {**one.at, "model": model}
        told = {"part": info, "note": "; ".join(filter(None, [one.note, how])), "against": None}
        yield one.model_copy(update={"what": QUALITY + one.what, "at": dict(sorted(at.items()))} | told)


def _distinct(stated: Any) -> Iterator[tuple[str, Finding]]:
    named = [(info.name, one) for info, one in stated if not one.slice]
    for one in distinct(each for _, each in named):
        yield next(name for name, each in named if each is one), one


def _pieces(model: Model, labels: Array, own: Answers, other: Answers | None) -> Pieces:
    """These answers in one piece, over and over."""
    classes, fixed = classes_of(model.outputs), about(model.outputs, labels)

    def part(answers: Answers) -> Any:
        return lambda start, stop: {name: one[start:stop] for name, one in answers.items()}

    def pieces() -> Iterator[tuple[int, Any]]:
        them = None if other is None else part(other)
        for number, batch in enumerate(batches(len(labels), part(own), them, labels, classes, len(labels), fixed)):
            yield number * len(labels), batch

    return pieces


def refitted_loss(model: str, whole: Array, chosen: Array, what: str, dropped: str, level: float) -> Iterator[Finding]:
    """The loss of the model fitted anew with the chosen features, and its rise over the one with all."""
    rows: dict[str, Any] = {"at": {"model": model}, "n": len(whole), "unit_of_replication": "rows", "better": "lower"}
    for name, losses, note in (
        ("features.refitted.loss", chosen, f"fitted anew to the training rows, without {dropped}"),
        (
            "features.refitted.rise",
            chosen - whole,
            "against the same model fitted anew with all features, paired by row",
        ),
    ):
        found = mean_interval(Moments.of(losses), level)
        bounds = {"low": found.low, "high": found.high, "level": found.level}
        yield Finding(what=name, value=found.value, method=f"{what}: {found.method}", note=note, **bounds, **rows)
