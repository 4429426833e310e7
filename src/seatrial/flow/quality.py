"""How good the answers are: metrics over the kept outputs, in pieces that are counted and merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch
from seatrial.contracts.study import Output, classes_of
from seatrial.errors import SeatrialError
from seatrial.flow import arrays
from seatrial.flow.cleaned import restated
from seatrial.flow.counted import Asked, Counted, Judged, Pieces, count
from seatrial.flow.found import EXCESS, HURT, LABEL_UNITS, found, losses, searched
from seatrial.flow.stated import state, without
from seatrial.flow.trial import Trial, Voyage, now
from seatrial.flow.whole import state as state_whole
from seatrial.numerics.regression import centre

PIECE = 65_536

Answers = Callable[[int, int], Mapping[str, Any]]
"""Answers in the task's terms of the rows from one number up to another."""


def quality_findings(
    voyage: Voyage, trial: Trial, reference: Trial | None, judged: Judged, levels: Sequence[float]
) -> list[Finding]:
    """What the study's metrics make of a candidate's outputs, at each level; paired ones against the reference's outputs.

    Outputs don't change while rounds go on: what was stated of them before is stated again.
    """
    assert trial.prediction is not None
    other = reference if reference is not trial else None
    known = (trial.id, _hashes(trial), _hashes(other), tuple(levels))
    if known not in judged.known:
        judged.known[known] = _quality(voyage, trial, other, judged, levels)
    return list(judged.known[known])


def _quality(
    voyage: Voyage, trial: Trial, reference: Trial | None, judged: Judged, levels: Sequence[float]
) -> list[Finding]:
    every = [Asked(voyage.find("metrics", ref.name), ref.options) for ref in voyage.plan.study.measure.metrics]
    metrics = [one for one in every if not one.info.whole]
    alone = [one for one in metrics if not one.info.paired]
    paired = [one for one in metrics if one.info.paired] if reference is not None else []
    counts, lost = _reference_counts(voyage, reference, alone, judged)
    theirs = reference if counts is not None else None
    asked = [*alone, *paired] if theirs is not None else alone
    stated = [(one.info, each) for one in paired if theirs is None for each in without(one.info, lost)]
    try:
        own = count(asked, pieces_of(voyage, trial, theirs, judged), judged, dealt=theirs is not None)
        stated += state(asked, pieces_of(voyage, trial, theirs, judged), judged, own, counts, levels)
    except SeatrialError as error:
        stated += [(one.info, each) for one in asked for each in without(one.info, error.what)]
    stated += _whole(voyage, trial, reference, judged, levels, [one for one in every if one.info.whole])
    against = reference.id if reference else None
    made = [one for info, each in stated for one in attributed([each], info, trial.id, against)]
    return restated(distinct([*made, *_searched(voyage, trial, theirs, judged, max(levels))]), judged.doubts)


def _whole(
    voyage: Voyage,
    trial: Trial,
    reference: Trial | None,
    judged: Judged,
    levels: Sequence[float],
    asked: Sequence[Asked],
) -> Iterator[tuple[PartInfo, Finding]]:
    """What metrics that look at all rows at once state; paired ones where the reference answered."""
    there = reference if reference is not None and reference.prediction is not None else None
    for one in asked:
        if one.info.paired and reference is not None and there is None:
            lost = "the reference gave no outputs to compare with"
            yield from ((one.info, each) for each in without(one.info, lost))
    able = [one for one in asked if there is not None or not one.info.paired]
    theirs = None if there is None else pieces_of(voyage, there, None, judged)
    own = pieces_of(voyage, trial, there, judged)
    try:
        yield from state_whole(able, own, theirs, judged, levels, () if there is None else _hashes(there))
    except SeatrialError as error:
        yield from ((one.info, each) for one in able for each in without(one.info, error.what))


def _searched(voyage: Voyage, trial: Trial, reference: Trial | None, judged: Judged, level: float) -> Iterator[Finding]:
    """Slices that nobody named, where the study asks for a search."""
    find = voyage.plan.study.measure.find
    if find is None or not judged.sliced.searched or judged.labels is None:
        return
    try:
        errs, theirs = losses(pieces_of(voyage, trial, reference, judged)())
        if "searched" not in judged.known:
            judged.known["searched"] = searched(judged.sliced, judged.sampling, len(errs))
        made = found(
            judged.known["searched"], find, errs, theirs, level, LABEL_UNITS if judged.labels.dtype.kind == "f" else ""
        )
    except SeatrialError as error:
        made = [missing(f"{what}.count", State.FAILED, error.what) for what in (EXCESS, HURT)]
    by = {"candidate": trial.id, "measured_at": now()}
    for one in made:
        yield one.model_copy(update=by | {"against": reference.id if one.against and reference else None})


def _reference_counts(
    voyage: Voyage, reference: Trial | None, asked: Sequence[Asked], judged: Judged
) -> tuple[Counted | None, str]:
    """The counts of the reference's answers, made once; or why there are none."""
    if reference is None or reference.prediction is None:
        return None, "the reference gave no outputs to compare with"
    key = ("counted", reference.id, _hashes(reference))
    if key not in judged.known:
        try:
            judged.known[key] = count(asked, pieces_of(voyage, reference, None, judged), judged, dealt=True), ""
        except SeatrialError as error:
            judged.known[key] = None, f"the reference's answers can't be read: {error.what}"
    found: tuple[Counted | None, str] = judged.known[key]
    return found


def attributed(stated: Iterable[Finding], info: PartInfo, candidate: str, reference: str | None) -> list[Finding]:
    """The findings with what a metric leaves empty: which candidate, against which reference, by which part, when."""
    by = {"candidate": candidate, "part": info.name, "part_version": info.version, "measured_at": now()}
    return [one.model_copy(update=by | {"against": reference if one.against else None}) for one in stated]


def distinct(found: Iterable[Finding]) -> list[Finding]:
    """Each statement once: of the same quantity at the same level the last."""
    return list({(one.key, one.level): one for one in found}.values())


def batches(
    rows: int,
    own: Answers,
    other: Answers | None,
    labels: Any,
    classes: tuple[str, ...],
    piece: int = PIECE,
    about: Mapping[str, tuple[float, ...]] | None = None,
) -> Iterator[Batch]:
    """Rows in pieces, as metrics count them: answers of `own` and `other` (the reference)."""
    for start in range(0, max(rows, 1), piece):
        stop = start + piece
        yield Batch(
            answers=own(start, stop),
            labels=None if labels is None else labels[start:stop],
            reference=None if other is None else other(start, stop),
            classes=classes,
            about=about or {},
        )


def about(outputs: Mapping[str, Output], labels: Any) -> dict[str, tuple[float, ...]]:
    """What holds for all rows: the predicted quantiles, and near what labels that are numbers lie (the mean of the first rows)."""
    levels = next((output.quantiles for output in outputs.values() if output.quantiles), ())
    numbers = labels is not None and labels.dtype.kind == "f"
    return ({"quantiles": levels} if levels else {}) | ({"centre": centre(labels[:PIECE])} if numbers else {})


def pieces_of(voyage: Voyage, trial: Trial, reference: Trial | None, judged: Judged) -> Pieces:
    """A trial's answers in pieces, over and over, with the reference's where there is one."""
    assert trial.prediction is not None
    rows = next(iter(_refs(trial.prediction).values())).shape[0]
    own, other = _answers(voyage, trial), None if reference is None else _answers(voyage, reference)
    outputs = voyage.plan.study.models[trial.planned.candidate.model].outputs
    classes, fixed = classes_of(outputs), about(outputs, judged.labels)

    def pieces() -> Iterator[tuple[int, Batch]]:
        for number, batch in enumerate(batches(rows, own, other, judged.labels, classes, about=fixed)):
            yield number * PIECE, batch

    return pieces


def _answers(voyage: Voyage, trial: Trial) -> Answers:
    """A trial's kept outputs in the task's terms, by what its own model says of them."""
    assert trial.prediction is not None
    model = voyage.plan.study.models[trial.planned.candidate.model]
    task, refs = catalog.load(voyage.find("tasks", model.task.name)), _refs(trial.prediction)

    def answers(start: int, stop: int) -> Mapping[str, Any]:
        raw = {name: arrays.load(ref, start, stop) for name, ref in refs.items()}
        made: Mapping[str, Any] = task.answers(raw, model.outputs)
        for step in trial.fitted:
            made = step.apply(made, slice(start, stop))
        return made

    return answers


def _hashes(trial: Trial | None) -> tuple[str, ...]:
    """What a trial answered, by content."""
    if trial is None or trial.prediction is None:
        return ()
    return tuple(ref.hash for ref in _refs(trial.prediction).values())


def _refs(prediction: Mapping[str, Any]) -> dict[str, ArrayRef]:
    return {name: ArrayRef(**ref["$array"]) for name, ref in prediction["outputs"].items()}
