"""Features through the reference's own session: which changed rows it answers, and what is stated of its answers.

The chosen set is known only once the other answers are there, so it is one more change, made and answered (or recalled) then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.selecting import Selecting
from seatrial.contracts.study import Model, Study, classes_of
from seatrial.errors import DataError, SeatrialError
from seatrial.flow import _inputs, arrays
from seatrial.flow._feature_rows import Table, table
from seatrial.flow._inputs import Array
from seatrial.flow.changed import Change, drawn, stored_rows
from seatrial.flow.chosen import FILLED, REFITTED, quality, refitted_loss
from seatrial.flow.counted import Judged
from seatrial.flow.features import (
    CHOSEN,
    FEATURES,
    LENT,
    WHOLE,
    Judgement,
    choice_findings,
    judge,
    losses,
    read_by,
    table_findings,
)
from seatrial.flow.refitting import WITH_ALL, WITH_CHOSEN, refit
from seatrial.flow.robust import answer_changes, recall_changes
from seatrial.flow.rows import ModelRows, Rows
from seatrial.flow.trial import Trial, Voyage, now
from seatrial.numerics.importance import permutations

LEAST_ROWS = 40


def feature_changes(study: Study, folder: Path, model_name: str, evaluation: Rows, cache: Path) -> list[Change]:
    """What the reference is asked: rows as they are, and for each group of features the rows with values lent by others. Raises `DataError`."""
    asked = study.measure.features
    if asked is None or not evaluation.inputs or evaluation.labels is None or evaluation.n < LEAST_ROWS:
        return []
    model = study.models[model_name]
    held = _held(study, folder, model, asked, evaluation.n)
    lenders = permutations(held.half, asked.repeats, 0)
    made = [_change(model, {FEATURES: WHOLE}, held.rows[held.half :], held.without({}), cache)]
    for group in held.groups:
        at = {FEATURES: LENT, "feature": " + ".join(map(str, group))}
        made.append(_change(model, at, held.rows[: held.half], held.lent(group, lenders), cache))
    return made


def _held(study: Study, folder: Path, model: Model, asked: Selecting, rows: int) -> Table:
    names = read_by(model)
    for name in asked.columns:
        if name not in names:
            near = catalog.nearest(name, names)
            step = f"did you mean `{near}`?" if near else f"it reads {', '.join(names)}"
            raise DataError(f"the model reads no column `{name}`", where="measure.features.columns", next_step=step)
    picked = drawn(rows, asked.rows, study.measure.seed)
    return table(stored_rows(study, folder, model, picked), picked, asked)


def _change(model: Model, at: Mapping[str, Any], rows: Any, columns: Mapping[str, Array], cache: Path) -> Change:
    ready = {name: _inputs.ready(one, _inputs.stored(one, columns), name) for name, one in model.inputs.items()}
    return Change(at, rows, {name: arrays.save(cache, array) for name, array in ready.items()})


def answer_features(voyage: Voyage, trial: Trial, judged: Judged) -> None:
    """Let the reference answer all of it, and then the chosen set."""
    if not trial.planned.reference or not judged.features:
        return
    answer_changes(voyage, trial, judged.features)
    try:
        chosen = _chosen(voyage, trial, judged)
    except SeatrialError:
        return  # told with the findings
    if chosen is not None:
        answer_changes(voyage, trial, [chosen])


def feature_findings(voyage: Voyage, trial: Trial, judged: Judged, level: float) -> list[Finding]:
    """The table of features of a model, from what the reference answered; kept answers are recalled."""
    if voyage.plan.study.measure.features is None:
        return []
    if not judged.features:
        why = f"there are no labels, or fewer than {LEAST_ROWS} rows, to hold answers against"
        return [
            missing("features.loss", State.TOO_FEW, why, at={"model": trial.planned.candidate.model}, measured_at=now())
        ]
    name, by = trial.planned.candidate.model, {"measured_at": now()}
    recall_changes(voyage, trial, [one for one in judged.features if one.key not in trial.changed])
    try:
        found = list(_stated(voyage, trial, judged, level))
    except SeatrialError as error:
        found = [missing("features.loss", State.FAILED, error.what, at={"model": name}, method=error.next_step)]
    return [one.model_copy(update=by) for one in found]


def _stated(voyage: Voyage, trial: Trial, judged: Judged, level: float) -> Iterator[Finding]:
    study, name = voyage.plan.study, trial.planned.candidate.model
    made, what = _judgements(voyage, trial, judged, level)
    yield from table_findings(made, name, what, study.money.currency if study.money else "money")
    whole, _ = _losses(voyage, trial, judged, judged.features[0])
    chosen = _chosen(voyage, trial, judged)
    if chosen is not None and chosen.key not in trial.changed:
        recall_changes(voyage, trial, [chosen])
    without = None
    if chosen is not None and "outputs" in trial.changed.get(chosen.key, {}):
        without, _ = _losses(voyage, trial, judged, chosen)
    yield from choice_findings(name, whole, without, made, what, level)
    yield from _quality(voyage, trial, judged, made, chosen, what, level)


def refit_chosen(
    voyage: Voyage, trial: Trial | None, judges: Mapping[str, Judged], data: Mapping[str, ModelRows]
) -> None:
    """Let the reference be fitted anew with the chosen features, where it can be; what came of it is remembered."""
    if trial is None or trial.failure is not None:
        return
    judged, rows = judges[trial.planned.candidate.model], data[trial.planned.candidate.model]
    if not judged.features:
        return
    level = voyage.plan.levels.describe
    recall_changes(voyage, trial, [one for one in judged.features if one.key not in trial.changed])
    try:
        made, _ = _judgements(voyage, trial, judged, level)
    except SeatrialError:
        return  # told with the findings
    dropped = [feature for one in made for feature in one.dropped]
    if dropped:
        study, name = voyage.plan.study, trial.planned.candidate.model
        assert study.measure.features is not None
        held = _held(study, voyage.folder, study.models[name], study.measure.features, len(judged.labels))
        judged.known["fits", trial.id] = refit(voyage, trial, rows, judged, held, dropped)


def _quality(
    voyage: Voyage, trial: Trial, judged: Judged, made: list[Judgement], chosen: Change | None, what: str, level: float
) -> Iterator[Finding]:
    """The loss and the metrics with the chosen features: of the model fitted anew, or else of the one there is."""
    name, fits = trial.planned.candidate.model, judged.known.get(("fits", trial.id))
    if chosen is None:
        return
    dropped = ", ".join(str(feature) for one in made for feature in one.dropped)
    bodies = (trial.changed.get(chosen.key, {}), trial.changed[judged.features[0].key])
    if isinstance(fits, Mapping):
        bodies = (fits[WITH_CHOSEN], fits[WITH_ALL])
        labels = judged.labels[:][chosen.rows]
        fitted, with_all = (losses(_answers(voyage, trial, body, chosen.rows), labels)[0] for body in bodies)
        yield from refitted_loss(name, with_all, fitted, what, dropped, level)
    else:
        why = fits or "it wasn't tried"
        yield missing("features.refitted.loss", State.UNSUPPORTED, why, at={"model": name}, better="lower")
    if all("outputs" in body for body in bodies):
        own, whole = (_answers(voyage, trial, body, chosen.rows) for body in bodies)
        how = REFITTED if isinstance(fits, Mapping) else FILLED
        yield from quality(voyage, name, judged, chosen.rows, own, whole, how, level)


def _judgements(voyage: Voyage, trial: Trial, judged: Judged, level: float) -> tuple[list[Judgement], str]:
    study = voyage.plan.study
    model = study.models[trial.planned.candidate.model]
    asked = study.measure.features
    assert asked is not None
    key = ("features", trial.id, level)
    if key not in judged.known:
        held = _held(study, voyage.folder, model, asked, len(judged.labels))
        own, lent, what = None, [], ""
        for change in judged.features[1:]:
            each, what = _losses(voyage, trial, judged, change)
            shaped = each.reshape(held.half, -1)
            own = shaped[:, 0] if own is None else own
            lent.append(shaped[:, 1:].T)
        if own is None:
            raise DataError("the model reads no feature that could be looked at", where="measure.features")
        labels = judged.labels[:][held.rows[: held.half]]
        classes = len(classes_of(model.outputs)) if labels.dtype.kind in "iu" else 0
        judged.known[key] = judge(held, asked, own, lent, labels, classes, level), what
    found: tuple[list[Judgement], str] = judged.known[key]
    return found


def _chosen(voyage: Voyage, trial: Trial, judged: Judged) -> Change | None:
    """The rows that judge, without what was dropped; None where nothing was."""
    level = voyage.plan.levels.describe
    made, _ = _judgements(voyage, trial, judged, level)
    dropped = {feature: other for one in made for feature, other in one.dropped.items()}
    if not dropped:
        return None
    key = ("chosen", trial.id)
    if key not in judged.known:
        study, model = voyage.plan.study, voyage.plan.study.models[trial.planned.candidate.model]
        assert study.measure.features is not None
        held = _held(study, voyage.folder, model, study.measure.features, len(judged.labels))
        columns = held.without(dropped)
        judged.known[key] = _change(model, {FEATURES: CHOSEN}, held.rows[held.half :], columns, voyage.keeper.arrays)
    found: Change = judged.known[key]
    return found


def _losses(voyage: Voyage, trial: Trial, judged: Judged, change: Change) -> tuple[Any, str]:
    """The loss of each changed row. Raises `DataError` where it wasn't answered."""
    body = trial.changed.get(change.key, {})
    if "outputs" not in body:
        raise DataError(
            str(body.get("failed", "the reference didn't answer the rows that show what features are worth"))
        )
    count = next(iter(body["outputs"].values()))["$array"]["shape"][0]
    rows = change.rows.repeat(count // len(change.rows))
    return losses(_answers(voyage, trial, body, rows), judged.labels[:][rows])


def _answers(voyage: Voyage, trial: Trial, body: Mapping[str, Any], rows: Any) -> Mapping[str, Any]:
    """Outputs in the task's terms, of these rows. Raises `DataError` for outputs that can't be."""
    model = voyage.plan.study.models[trial.planned.candidate.model]
    task = catalog.load(voyage.find("tasks", model.task.name))
    answers: Mapping[str, Any] = task.answers(
        {name: arrays.load(ArrayRef(**ref["$array"])) for name, ref in body["outputs"].items()}, model.outputs
    )
    for step in trial.fitted:
        answers = step.apply(answers, rows)
    return answers
