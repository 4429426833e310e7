"""The reference fitted anew with the chosen features alone, where it is a model that can be: once with all of them, once with the chosen.

A dropped feature holds one value in all rows, those that teach and those that judge, so that a fit can make nothing of it. What differs
between the two fits is what dropping costs a model that is made without the dropped features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Planned
from seatrial.contracts.record import digest
from seatrial.contracts.study import Model
from seatrial.contracts.values import ValueKind
from seatrial.errors import SeatrialError, WorkerError
from seatrial.flow import _inputs, arrays, chains
from seatrial.flow._feature_rows import Feature, Table, placed
from seatrial.flow._inputs import Array
from seatrial.flow.counted import Judged
from seatrial.flow.crew import session_order
from seatrial.flow.features import read_by
from seatrial.flow.keep import CHANGED
from seatrial.flow.making import Maker
from seatrial.flow.rows import ModelRows, Rows
from seatrial.flow.trial import Trial, Voyage, now

WAY = "refit"
WITH_ALL, WITH_CHOSEN = "all", "chosen"
Fits = Mapping[str, Mapping[str, Any]]
"""What the model fitted with `all` features answered to the rows that judge, and the one with the `chosen`."""


def may_be_fitted(voyage: Voyage, planned: Planned) -> bool:
    """Whether training rows are worth reading, because features are chosen and the form that the reference arrives in can be fitted anew."""
    if not planned.reference or voyage.plan.study.measure.features is None:
        return False
    given = voyage.find("subjects", planned.form).gives.get("format", ())
    return any(one.takes("format", form) for one in _ways() for form in given)


def _ways() -> list[PartInfo]:
    known = catalog.parts("variants").values()
    return [one for one in known if WAY in one.gives.get("way", ()) and not catalog.absent(one)]


def refit(
    voyage: Voyage, trial: Trial, rows: ModelRows, judged: Judged, held: Table, dropped: Sequence[Feature]
) -> Fits | str:
    """Answers of both fits to the rows that judge the choice, from the store or made now; or in words why there are none."""
    way = _way(trial)
    if isinstance(way, str):
        return way
    if rows.train is None:
        return "there are no training rows, or some of them judge, too"
    model = voyage.plan.study.models[trial.planned.candidate.model]
    whole = {name: arrays.load(ref) for name, ref in judged.features[0].values.items()}
    try:
        still = _still(model, held, dropped)
        made = {}
        with Maker(voyage) as maker:
            for name, fixed in ((WITH_ALL, {}), (WITH_CHOSEN, still)):
                made[name] = _fit(voyage, maker, trial, way, rows, whole, fixed)
    except SeatrialError as error:
        return error.what
    return made


def _way(trial: Trial) -> PartRef | str:
    """What fits this artefact anew, or why nothing does."""
    if trial.fitted:
        return "its answers are changed after the model, by something that was fitted to them"
    for one in _ways():
        if not isinstance(chains.formats([one], trial.artefact.format, trial.runtime), str):
            return PartRef(name=one.name)
    return f"nothing here fits a model of the format {trial.artefact.format} anew"


def _still(model: Model, held: Table, dropped: Sequence[Feature]) -> dict[str, dict[int, Any]]:
    """By input the places in a row at which dropped features stand, and the value that each holds. Raises `DataError`."""
    row = {name: held.columns[name][:1].copy() for name in read_by(model)}
    for feature in dropped:
        placed(row, feature, slice(None), held.middle(feature))
    made: dict[str, dict[int, Any]] = {}
    for name, wanted in model.inputs.items():
        ready = _inputs.ready(wanted, _inputs.stored(wanted, row), name).reshape(-1)
        at = 0
        for column in wanted.columns:
            width = int(np.prod(row[column].shape[1:], dtype=int)) if wanted.kind is ValueKind.DENSE else 1
            for feature in dropped:
                if feature.column == column:
                    mine = range(at, at + width) if feature.at is None else [at + feature.at]
                    made.setdefault(name, {}).update({place: ready[place] for place in mine})
            at += width
    return made


def _fit(
    voyage: Voyage,
    maker: Maker,
    trial: Trial,
    way: PartRef,
    rows: ModelRows,
    whole: Mapping[str, Array],
    still: Mapping[str, Mapping[int, Any]],
) -> Mapping[str, Any]:
    """One fit, and its answers. Raises `WorkerError` where it can't be made or doesn't answer."""
    assert rows.train is not None
    cache = voyage.keeper.arrays
    candidate = trial.planned.candidate.model_copy(update={"variant": way})
    train = replace(rows, train=_with(rows.train, still, cache) if still else rows.train)
    artefact = maker.artefact(trial.planned.model_copy(update={"candidate": candidate}), train)
    if isinstance(artefact, Finding):
        raise WorkerError(artefact.note)
    values = {name: arrays.save(cache, fixed(one, still.get(name, {}))) for name, one in whole.items()}
    key = digest([artefact.hash, {name: ref.hash for name, ref in values.items()}])
    kept = voyage.keeper.get(CHANGED, f"{trial.kept_prediction}/{WAY}/{key}")
    if kept is not None:
        voyage.reused += 1
        return dict(kept)
    body = _answered(voyage, trial, artefact, values)
    voyage.measured += 1
    voyage.keeper.put((CHANGED, f"{trial.kept_prediction}/{WAY}/{key}", body))
    return body


def _with(train: Rows, still: Mapping[str, Mapping[int, Any]], cache: Any) -> Rows:
    """Training rows in which dropped features hold one value."""
    inputs = {
        name: arrays.save(cache, fixed(arrays.load(ref), still[name])) if name in still else ref
        for name, ref in train.inputs.items()
    }
    told = digest([train.rows_hash, {name: ref.hash for name, ref in inputs.items()}])
    return replace(train, inputs=inputs, rows_hash=told)


def fixed(rows: Array, still: Mapping[int, Any]) -> Array:
    """The same rows, in which these places hold one value each."""
    made = rows.copy().reshape(len(rows), -1)
    for place, value in still.items():
        made[:, place] = value
    return made.reshape(rows.shape)


def _answered(voyage: Voyage, trial: Trial, artefact: Any, values: Mapping[str, ArrayRef]) -> dict[str, Any]:
    """What a session of its own answers. Raises `WorkerError`."""
    candidate, limits = trial.planned.candidate, voyage.plan.study.measure.limits
    voyage.tell("predict", trial.planned.label, note="fitted anew")
    link = voyage.start(f"refit {candidate.id}")
    try:
        setting = {name: getattr(candidate, name) for name in ("device", "precision", "threads", "batch")}
        fields = {"part": candidate.runtime, "artefact": artefact, "setting": setting, "values": dict(values)}
        opened = session_order(voyage, trial, "open", **fields)
        link.ask(opened, limits.open)
        count = next(iter(values.values())).shape[0]
        order = session_order(voyage, trial, "predict", rows=(0, count), samples=candidate.batch)
        answer = link.ask(order.model_copy(update={"values": dict(values)}), limits.predict)
    finally:
        link.close()
    return {"outputs": {name: {"$array": ref} for name, ref in answer["outputs"].items()}, "at": now()}
