"""How good the answers are: metrics over the kept outputs, in pieces that are counted and merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Batch
from seatrial.contracts.study import Model
from seatrial.errors import SeatrialError
from seatrial.flow import arrays
from seatrial.flow.trial import Trial, Voyage, now

PIECE = 65_536


def quality_findings(
    voyage: Voyage, trial: Trial, reference: Trial | None, labels: Any, levels: Iterable[float]
) -> list[Finding]:
    """What the study's metrics make of a candidate's outputs, at each level; paired ones against the reference's outputs."""
    model = voyage.plan.study.models[trial.planned.candidate.model]
    found: list[Finding] = []
    for ref in voyage.plan.study.measure.metrics:
        info = voyage.find("metrics", ref.name)
        other = reference if info.paired else None
        if info.paired and (reference is None or reference is trial):
            continue
        if info.paired and (other is None or other.prediction is None):
            stated = _without(info, "the reference gave no outputs to compare with")
        else:
            stated = _tried(voyage, ref, model, trial, other, labels, levels)
        for one in stated:
            against = reference.id if one.against and reference else None
            update = {"candidate": trial.id, "against": against, "part": info.name, "part_version": info.version}
            found.append(one.model_copy(update=update | {"measured_at": now()}))
    return list({(one.key, one.level): one for one in found}.values())


def _tried(
    voyage: Voyage, ref: PartRef, model: Model, trial: Trial, other: Trial | None, labels: Any, levels: Iterable[float]
) -> list[Finding]:
    """The metric's findings; a metric that raises, ours or the user's, leaves its findings missing and the study goes on."""
    try:
        return list(_stated(voyage, ref, model, trial, other, labels, levels))
    except SeatrialError as error:
        return _without(voyage.find("metrics", ref.name), error.what)
    except Exception as error:  # noqa: BLE001 - it becomes a finding
        return _without(voyage.find("metrics", ref.name), f"it raised {type(error).__name__}: {error}")


def _stated(
    voyage: Voyage, ref: PartRef, model: Model, trial: Trial, other: Trial | None, labels: Any, levels: Iterable[float]
) -> Iterator[Finding]:
    info = voyage.find("metrics", ref.name)
    metric, options = catalog.load(info), catalog.options(info, ref.options)
    state = None
    for batch in _batches(voyage, model, trial, other, labels):
        counted = metric.count(batch, options)
        state = counted if state is None else metric.merge(state, counted)
    for level in levels:
        yield from metric.findings(state, level, options)


def _batches(voyage: Voyage, model: Model, trial: Trial, other: Trial | None, labels: Any) -> Iterator[Batch]:
    assert trial.prediction is not None
    task = catalog.load(voyage.find("tasks", model.task.name))
    outputs = _refs(trial.prediction)
    theirs = _refs(other.prediction) if other and other.prediction else None
    classes = next((tuple(map(str, output.classes)) for output in model.outputs.values() if output.classes), ())
    rows = next(iter(outputs.values())).shape[0]
    for start in range(0, max(rows, 1), PIECE):
        piece = {name: arrays.load(ref, start, start + PIECE) for name, ref in outputs.items()}
        reference = {name: arrays.load(ref, start, start + PIECE) for name, ref in theirs.items()} if theirs else None
        yield Batch(
            answers=task.answers(piece, model.outputs),
            labels=None if labels is None else labels[start : start + PIECE],
            reference=None if reference is None else task.answers(reference, model.outputs),
            classes=classes,
        )


def _refs(prediction: Mapping[str, Any]) -> dict[str, ArrayRef]:
    return {name: ArrayRef(**ref["$array"]) for name, ref in prediction["outputs"].items()}


def _without(info: PartInfo, note: str) -> list[Finding]:
    """Each finding that the metric would have given, missing and why."""
    return [missing(what, State.FAILED, note) for what in info.gives.get("finding", (info.name,))]
