"""The rows that a study judges by: inputs and labels of each model, and what they are held against."""

from __future__ import annotations

from dataclasses import replace

from seatrial.contracts.finding import Finding
from seatrial.contracts.plan import Planned
from seatrial.contracts.recorded import made_elsewhere
from seatrial.errors import DataError
from seatrial.flow import rows
from seatrial.flow._sampling import prepare_sampling
from seatrial.flow.besieged import siege
from seatrial.flow.changed import changes
from seatrial.flow.choosing import feature_changes
from seatrial.flow.cleaned import Doubts
from seatrial.flow.counted import Judged
from seatrial.flow.inquiry import inquiry
from seatrial.flow.making import fits_anew
from seatrial.flow.refitting import may_be_fitted
from seatrial.flow.representing import representing
from seatrial.flow.slices import prepare_slices
from seatrial.flow.trial import Voyage, now


def prepared_rows(voyage: Voyage) -> dict[str, rows.ModelRows]:
    """Inputs and labels of every model that has a candidate; what was noticed about them becomes findings."""
    prepared = {}
    for model in dict.fromkeys(one.candidate.model for one in voyage.plan.candidates):
        voyage.tell("rows", label=model)
        run = any(not runs_nowhere(voyage, one) for one in voyage.plan.candidates if one.candidate.model == model)
        train = voyage.plan.study.measure.privacy is not None or any(
            fits_anew(voyage, one.candidate.variant) for one in voyage.plan.candidates if one.candidate.model == model
        )
        where = voyage.plan.study, voyage.folder, model, voyage.keeper.arrays, run
        try:
            one = rows.prepare(*where, train or _for_features(voyage, model))
        except DataError:
            if train or not _for_features(voyage, model):
                raise
            one = rows.prepare(*where)  # training rows that can't be used are no reason to judge nothing
        prepared[model] = one
        for role, part in (("evaluation", one.evaluation), ("calibration", one.calibration), ("training", one.train)):
            if part is not None:
                voyage.findings.append(_rows_finding(model, role, part, prepared[model].problems))
    return prepared


def _for_features(voyage: Voyage, model: str) -> bool:
    """Whether training rows are read to judge a choice of features, though no candidate is trained."""
    return any(one.candidate.model == model and may_be_fitted(voyage, one) for one in voyage.plan.candidates)


def judges(voyage: Voyage, data: dict[str, rows.ModelRows], doubts: Doubts) -> dict[str, Judged]:
    """The rows that judge each model: their labels, slices, weights and clusters. Which values have no slice is noted."""
    where = voyage.plan.study, voyage.folder, voyage.keeper.arrays
    sliced, sampling = prepare_slices(*where), prepare_sampling(*where)
    voyage.findings.extend(
        Finding(what="rows.unsliced", at={"number": at}, value=sentence, method="as found", measured_at=now())
        for at, sentence in enumerate(sliced.left_out)
    )
    study, folder, cache = where
    made = {
        model: Judged(
            sliced,
            sampling,
            one.evaluation.labels,
            tuple(changes(study, folder, model, one.evaluation.inputs, cache)),
            tuple(feature_changes(study, folder, model, one.evaluation, cache)),
            siege(study, folder, model, one.evaluation.inputs, one.evaluation.labels, cache),
            inquiry(study, folder, model, one.evaluation.inputs, one.evaluation.labels, cache),
            study.measure.hold_back,
            doubts,
        )
        for model, one in data.items()
    }
    for model, one in made.items():
        weighted, told = representing(*where, one)
        made[model] = replace(one, weighted=weighted)
    voyage.findings.extend(told if made else [])
    return made


def runs_nowhere(voyage: Voyage, planned: Planned) -> bool:
    """Whether the candidate's outputs were made elsewhere."""
    return made_elsewhere(voyage.find("runtimes", planned.candidate.runtime.name))


def _rows_finding(model: str, role: str, part: rows.Rows, problems: tuple[str, ...]) -> Finding:
    return Finding(
        what=f"rows.{role}",
        at={"model": model, "hash": part.rows_hash},
        value=part.n,
        unit="rows",
        n=part.n,
        unit_of_replication="rows",
        method="exact count",
        note="; ".join(problems),
        measured_at=now(),
    )
