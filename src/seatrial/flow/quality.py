"""How good the answers are: metrics over the kept outputs, in pieces that are counted and merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Batch
from seatrial.contracts.study import Model, Output
from seatrial.contracts.values import Values
from seatrial.errors import SeatrialError, Unsupported
from seatrial.flow import arrays
from seatrial.flow.trial import Trial, Voyage, now

PIECE = 65_536

Take = Callable[[int, int], Values]
"""Outputs by name of the rows from one number up to another."""


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
            stated = without(info, "the reference gave no outputs to compare with")
        else:
            stated = tried(info, ref.options, _batches(voyage, model, trial, other, labels), levels)
        found += attributed(stated, info, trial.id, reference.id if reference else None)
    return distinct(found)


def tried(info: PartInfo, given: dict[str, Any], batches: Iterable[Batch], levels: Iterable[float]) -> list[Finding]:
    """A metric's findings from these batches, at each level.

    A metric that raises, ours or the user's, leaves its findings missing and the study goes on.
    """
    try:
        return list(_stated(info, given, batches, levels))
    except SeatrialError as error:
        return without(info, error.what, State.UNSUPPORTED if isinstance(error, Unsupported) else State.FAILED)
    except Exception as error:  # noqa: BLE001 - it becomes a finding
        return without(info, f"it raised {type(error).__name__}: {error}")


def attributed(stated: Iterable[Finding], info: PartInfo, candidate: str, reference: str | None) -> list[Finding]:
    """The findings with what a metric leaves empty: which candidate, against which reference, by which part, when."""
    by = {"candidate": candidate, "part": info.name, "part_version": info.version, "measured_at": now()}
    return [one.model_copy(update=by | {"against": reference if one.against else None}) for one in stated]


def distinct(found: Iterable[Finding]) -> list[Finding]:
    """Each statement once: of the same quantity at the same level the last."""
    return list({(one.key, one.level): one for one in found}.values())


def batches(
    task: Any, outputs: Mapping[str, Output], rows: int, own: Take, other: Take | None, labels: Any, piece: int = PIECE
) -> Iterator[Batch]:
    """Rows in pieces, as metrics count them: answers of `own` and `other` (the reference) in the task's terms."""
    classes = next((tuple(map(str, output.classes)) for output in outputs.values() if output.classes), ())
    for start in range(0, max(rows, 1), piece):
        stop = start + piece
        yield Batch(
            answers=task.answers(own(start, stop), outputs),
            labels=None if labels is None else labels[start:stop],
            reference=None if other is None else task.answers(other(start, stop), outputs),
            classes=classes,
        )


def without(info: PartInfo, note: str, state: State = State.FAILED) -> list[Finding]:
    """Each finding that the metric would have given, missing and why."""
    return [missing(what, state, note) for what in info.gives.get("finding", (info.name,))]


def _stated(
    info: PartInfo, given: dict[str, Any], batches: Iterable[Batch], levels: Iterable[float]
) -> Iterator[Finding]:
    metric, options = catalog.load(info), catalog.options(info, given)
    state = None
    for batch in batches:
        counted = metric.count(batch, options)
        state = counted if state is None else metric.merge(state, counted)
    for level in levels:
        yield from metric.findings(state, level, options)


def _batches(voyage: Voyage, model: Model, trial: Trial, other: Trial | None, labels: Any) -> Iterator[Batch]:
    """The rows of a trial, and of the reference where there is one, from their kept outputs."""
    assert trial.prediction is not None
    task = catalog.load(voyage.find("tasks", model.task.name))
    outputs = _refs(trial.prediction)
    theirs = _refs(other.prediction) if other and other.prediction else None
    rows = next(iter(outputs.values())).shape[0]
    yield from batches(task, model.outputs, rows, _taking(outputs), _taking(theirs) if theirs else None, labels)


def _taking(refs: Mapping[str, ArrayRef]) -> Take:
    return lambda start, stop: {name: arrays.load(ref, start, stop) for name, ref in refs.items()}


def _refs(prediction: Mapping[str, Any]) -> dict[str, ArrayRef]:
    return {name: ArrayRef(**ref["$array"]) for name, ref in prediction["outputs"].items()}
