"""Steps after the model: fitted to the calibration rows as the candidate answers them, applied to its answers before they are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.artefact import Step
from seatrial.contracts.finding import State
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.quality import Batch
from seatrial.contracts.record import digest
from seatrial.contracts.study import classes_of
from seatrial.errors import SeatrialError, Unsupported, WorkerFailed
from seatrial.flow import arrays
from seatrial.flow._inputs import Array
from seatrial.flow.crew import failed, session_order
from seatrial.flow.keep import STEP
from seatrial.flow.rows import ModelRows, Rows
from seatrial.flow.trial import Trial, Voyage

NOTHING = Batch(answers={}, labels=None)
"""What a step is given that has nothing to fit."""


@dataclass(frozen=True)
class Fitted:
    """A fitted step: the part that applies it, what was fitted, and the judged rows' values of the column it was fitted by."""

    part: Any
    options: Mapping[str, Any]
    groups: Mapping[str, Array] = field(default_factory=dict)

    def apply(self, answers: Mapping[str, Any], rows: Any) -> dict[str, Any]:
        """Changed answers of these judged rows (a slice, or row numbers)."""
        taken = {name: column[rows] for name, column in self.groups.items()}
        made: dict[str, Any] = self.part.apply(self.options, answers, taken)
        return made


def fit_steps(voyage: Voyage, trial: Trial, rows: ModelRows) -> None:
    """Fit every step of a trial that isn't fitted yet, or take what was kept; a step that can't be fitted ends the trial."""
    if trial.failure is not None or trial.prediction is None or trial.fitted or not trial.artefact.after:
        return
    try:
        made = [_fitted(voyage, trial, step, rows) for step in trial.artefact.after]
    except SeatrialError as error:
        lost = WorkerFailed(error.what, next_step=error.next_step)
        lost.state = State.UNSUPPORTED if isinstance(error, Unsupported) else State.FAILED
        failed(voyage, trial, lost)
        return
    trial.fitted = tuple(made)
    steps = zip(trial.artefact.after, made, strict=True)
    after = tuple(Step(name=step.name, options=dict(one.options)) for step, one in steps)
    trial.artefact = trial.artefact.model_copy(update={"after": after})


def recall_steps(voyage: Voyage, trial: Trial, rows: ModelRows) -> None:
    """Take the steps that were fitted before."""
    if trial.artefact.after and all(voyage.keeper.get(STEP, _key(trial, step)) for step in trial.artefact.after):
        fit_steps(voyage, trial, rows)


def _key(trial: Trial, step: Step) -> str:
    return f"{trial.kept_prediction}/{digest([step.name, step.options])}"


def _fitted(voyage: Voyage, trial: Trial, step: Step, rows: ModelRows) -> Fitted:
    info = voyage.find("variants", step.name)
    part = catalog.load(info)
    given = {name: value for name, value in step.options.items() if name not in ("version", "rows")}
    key = _key(trial, step)
    fitted = voyage.keeper.get(STEP, key)
    if fitted is None:
        fits = "none" not in info.accepts.get("rows", ())
        if fits and rows.calibration is None:
            way = "give a data set `roles: calibrate`, or draw some for it"
            raise Unsupported(f"{step.name} needs rows to calibrate with", next_step=way)
        fitted = part.fit(
            _answered(voyage, trial, rows.calibration) if fits and rows.calibration else NOTHING,
            catalog.options(info, given),
        )
        voyage.measured += 1
        voyage.keeper.put((STEP, key, fitted))
    return Fitted(part, fitted, rows.evaluation.columns)


def _answered(voyage: Voyage, trial: Trial, calibration: Rows) -> Batch:
    """The calibration rows with the candidate's answers."""
    if trial.link is None:
        raise Unsupported("the candidate isn't there any more to answer the calibration rows")
    model = voyage.plan.study.models[trial.planned.candidate.model]
    order = session_order(
        voyage, trial, "predict", rows=(0, calibration.n), samples=trial.planned.candidate.batch
    ).model_copy(update={"values": dict(calibration.inputs)})
    answer = trial.link.ask(order, voyage.plan.study.measure.limits.predict)
    raw = {name: arrays.load(ArrayRef(**ref)) for name, ref in answer["outputs"].items()}
    task = catalog.load(voyage.find("tasks", model.task.name))
    labels = None if calibration.labels is None else np.asarray(calibration.labels)
    classes = classes_of(model.outputs)
    return Batch(answers=task.answers(raw, model.outputs), labels=labels, groups=calibration.columns, classes=classes)
