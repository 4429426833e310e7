"""Step three: measure. Make the artefacts, open every candidate, keep its answers once, then time all in interleaved rounds.

Candidates are measured in cohorts that fit into memory, the reference in each. Whatever goes wrong with a candidate becomes a
finding, and the others go on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.plan import Plan, Planned
from seatrial.contracts.progress import Watch
from seatrial.contracts.verdict import Outcome
from seatrial.flow import elsewhere, rows, surroundings
from seatrial.flow.afterwards import fit_steps, recall_steps
from seatrial.flow.attacked import threat
from seatrial.flow.audit import audit_study
from seatrial.flow.audit_kept import Kept
from seatrial.flow.audit_rows import Marks
from seatrial.flow.backdoors import search
from seatrial.flow.choosing import answer_features, feature_findings, refit_chosen
from seatrial.flow.cleaned import prepare_doubts
from seatrial.flow.counted import Judged
from seatrial.flow.crew import close_all, open_trial, verify
from seatrial.flow.decide import decide
from seatrial.flow.foretold import foretell
from seatrial.flow.forms import prove_forms
from seatrial.flow.keep import CHANGED, FACTS, PREDICTION, REFUSAL, ROUND, SHORT_ROUND, STEP, Keeper, run_folder, sweep
from seatrial.flow.making import Maker
from seatrial.flow.prepared import judges, prepared_rows, runs_nowhere
from seatrial.flow.privacy import expose
from seatrial.flow.promise import promises
from seatrial.flow.provenance import provenance_findings
from seatrial.flow.robust import answer_changes, recall_changes
from seatrial.flow.rounds import measure_rounds
from seatrial.flow.searching import Hunt
from seatrial.flow.sensitivity import layers
from seatrial.flow.shifted import shift_findings
from seatrial.flow.siege import besiege
from seatrial.flow.skewed import skew_findings
from seatrial.flow.statements import reference_of, statements
from seatrial.flow.training import measure_training
from seatrial.flow.training_ways import ways
from seatrial.flow.trial import Trial, Voyage, now, trial
from seatrial.flow.twins import measure_twins
from seatrial.numerics.stopping import looks

MEMORY_SHARE = 0.6


@dataclass(frozen=True)
class Measured:
    """What came of measuring: findings, artefacts by hash, the artefact of each candidate, the environment, counts, and whether it ended early."""

    findings: tuple[Finding, ...]
    artefacts: dict[str, Artefact]
    artefact_of: dict[str, str]
    environment: dict[str, Any]
    measured: int
    reused: int
    interrupted: bool
    out_of_time: bool


def measure(
    plan: Plan, keeper: Keeper, run: str, watch: Watch, budget: float | None = None, fresh: bool = False
) -> Measured:
    """Measure what isn't kept yet, and state all findings. Ctrl-C keeps what is done. Raises a `SeatrialError` when
    nothing can be measured at all (no rows, an unreadable model)."""
    sweep(keeper.home)
    deadline = None if budget is None else time.monotonic() + budget
    voyage = Voyage(plan, keeper, run, watch, "", deadline)
    for load in plan.study.measure.loads:
        voyage.ready(load)  # what is wrong with its files is told before variants are made
    looked = voyage.look(_packages(plan))
    trials: list[Trial] = []
    judged: dict[str, Judged] = {}
    interrupted = False
    try:
        marks = _audited(voyage, fresh)
        data = prepared_rows(voyage)
        judged = judges(voyage, data, prepare_doubts(marks, keeper.arrays))
        voyage.findings.extend(provenance_findings(plan.study, voyage.folder))
        voyage.findings.extend(skew_findings(plan.study, voyage.folder, plan.levels.describe))
        voyage.findings.extend(shift_findings(plan.study, voyage.folder, plan.levels.describe))
        trials = _trials(voyage, data)
        voyage.findings.extend(foretell(voyage, trials, data))
        if fresh:
            _forget(voyage, trials)
        _recall(voyage, trials, judged, data)
        _sail(voyage, trials, judged, data)
        refit_chosen(voyage, reference_of(_run(trials)), judged, data)
        if plan.study.measure.security is not None:
            besieged = [one.siege for one in judged.values() if one.siege is not None]
            voyage.findings.append(threat(plan.study.measure.security, besieged))
            besiege(voyage, trials, judged, fresh)
        if plan.study.measure.privacy is not None:
            expose(voyage, trials, data, fresh)
        search(voyage, trials, judged, fresh)
        measure_training(voyage, fresh)
        measure_twins(voyage, fresh)
    except KeyboardInterrupt:
        interrupted = True
        voyage.tell("note", note="interrupted: what is done is kept")
    finally:
        close_all(trials)
    looked |= _network(voyage)
    return Measured(
        findings=(
            *voyage.findings,
            *_environment_findings(looked),
            *surroundings.meanwhile((body for one in trials for body in one.rounds.values()), now()),
            *statements(voyage, trials, judged),
            *_features(voyage, trials, judged),
        ),
        artefacts={one.artefact.hash: one.artefact for one in trials},
        artefact_of={one.id: one.artefact.hash for one in trials},
        environment=looked,
        measured=voyage.measured,
        reused=voyage.reused,
        interrupted=interrupted,
        out_of_time=voyage.cut_short,
    )


def _audited(voyage: Voyage, fresh: bool) -> list[Marks]:
    """Audit the study's data; the rows in doubt."""
    kept, folder = Kept(voyage.keeper, fresh), run_folder(voyage.keeper.home, voyage.run)
    told, marks = audit_study(voyage.plan.study, voyage.folder, folder, lambda name: voyage.tell("audit", name), kept)
    voyage.findings.extend(told)
    voyage.measured, voyage.reused = voyage.measured + kept.measured, voyage.reused + kept.reused
    return marks


def _features(voyage: Voyage, trials: list[Trial], judged: dict[str, Judged]) -> list[Finding]:
    """What features are worth, where the study asks: told of the reference."""
    reference = reference_of(_run(trials))
    if reference is None or reference.planned.candidate.model not in judged:
        return []
    return feature_findings(voyage, reference, judged[reference.planned.candidate.model], voyage.plan.levels.describe)


def _packages(plan: Plan) -> list[str]:
    folder = Path(plan.folder)
    used = {("runtimes", one.candidate.runtime.name) for one in plan.candidates}
    used |= {("variants", link.name) for one in plan.candidates for link in one.candidate.variant.links}
    used |= {("conversions", link.name) for one in plan.candidates if one.conversion for link in one.conversion.links}
    used |= {("trainers", one.trainer.name) for one in (ways(plan.study.training) if plan.study.training else ())}
    return sorted(
        {"seatrial", "numpy"} | {need for kind, name in used for need in catalog.find(kind, name, folder).needs}
    )


def _trials(voyage: Voyage, data: dict[str, rows.ModelRows]) -> list[Trial]:
    """A trial for each candidate whose artefact could be made; a finding for each other."""
    with Maker(voyage) as maker:
        refused = prove_forms(voyage, maker, {model: one.evaluation.inputs for model, one in data.items()})
        run = [one for one in voyage.plan.candidates if not runs_nowhere(voyage, one)]
        maker.ahead([one for one in run if (one.candidate.model, one.route) not in refused], data)
        return [
            made for one in voyage.plan.candidates if (made := _trial(voyage, maker, one, data, refused)) is not None
        ]


def _trial(
    voyage: Voyage,
    maker: Maker,
    planned: Planned,
    data: dict[str, rows.ModelRows],
    refused: dict[tuple[str, str], Finding],
) -> Trial | None:
    candidate = planned.candidate
    mine = data[candidate.model]
    if runs_nowhere(voyage, planned):
        return _imported(voyage, planned, maker.base(candidate.model, planned.form), mine.evaluation)
    rows.check_fit(mine.evaluation, maker.base(candidate.model, planned.form).signature)
    artefact = refused.get((candidate.model, planned.route)) or maker.artefact(planned, mine)
    if isinstance(artefact, Finding):
        voyage.findings.append(artefact.model_copy(update={"candidate": candidate.id, "measured_at": now()}))
        return None
    voyage.findings.extend((*layers(artefact, candidate.id), *promises(voyage, artefact, candidate.id)))
    return trial(voyage, planned, artefact, mine.evaluation.inputs, mine.evaluation.rows_hash, mine.stored)


def _imported(voyage: Voyage, planned: Planned, artefact: Artefact, judged: rows.Rows) -> Trial | None:
    """A trial whose outputs were made elsewhere: they are taken as they lie, so nothing can be done to the model first."""
    candidate, study = planned.candidate, voyage.plan.study
    if candidate.variant != Candidate.model_fields["variant"].default:
        why = f"the outputs were made elsewhere: {candidate.variant} can't be applied to them"
        voyage.findings.append(missing("run", State.UNSUPPORTED, why, candidate=candidate.id, measured_at=now()))
        return None
    voyage.tell("predict", label=planned.label, note="made elsewhere")
    made = trial(voyage, planned, artefact, {}, judged.rows_hash)
    taken = elsewhere.read(
        artefact,
        study.models[candidate.model],
        voyage.folder,
        voyage.keeper.arrays,
        judged.n,
        lambda name: rows.judged_column(study, voyage.folder, name),
    )
    made.decided = elsewhere.recorded(artefact).decided
    made.prediction = {
        "outputs": {name: {"$array": ref.model_dump()} for name, ref in taken.outputs.items()},
        "at": now(),
    }
    voyage.keeper.put((PREDICTION, made.kept_prediction, made.prediction))
    voyage.findings.append(elsewhere.note_of(made.id, candidate.model, taken, artefact.hash, now()))
    return made


def _forget(voyage: Voyage, trials: list[Trial]) -> None:
    for one in _run(trials):
        voyage.keeper.forget(ROUND, f"{one.rounds_key}/")
        voyage.keeper.forget(PREDICTION, f"{one.prediction_key}/")
        for shelf in (CHANGED, STEP):
            voyage.keeper.forget(shelf, f"{one.prediction_key}/")
        voyage.keeper.forget(SHORT_ROUND, f"{one.rounds_key}/")
        for shelf in (FACTS, REFUSAL):
            voyage.keeper.forget(shelf, one.key)
        one.rounds.clear()


def _run(trials: list[Trial]) -> list[Trial]:
    """Those that are run here."""
    return [one for one in trials if not one.imported]


def _recall(voyage: Voyage, trials: list[Trial], judged: dict[str, Judged], data: dict[str, rows.ModelRows]) -> None:
    """What is kept of each candidate beside its rounds."""
    for one in _run(trials):
        changes = judged[one.planned.candidate.model].changes
        more = judged[one.planned.candidate.model].features if one.planned.reference else ()
        one.asked = tuple(change.key for change in (*changes, *more))
        recall_changes(voyage, one, (*changes, *more))
        one.prediction = voyage.keeper.get(PREDICTION, one.kept_prediction)
        one.facts = voyage.keeper.get(FACTS, one.key)
        refusal = voyage.keeper.get(REFUSAL, one.key)
        one.failure = Finding.model_validate(refusal) if refusal else None
        voyage.reused += len(one.rounds) + (one.prediction is not None)
        recall_steps(voyage, one, data[one.planned.candidate.model])


def _sail(voyage: Voyage, trials: list[Trial], judged: dict[str, Judged], data: dict[str, rows.ModelRows]) -> None:
    """Open what isn't finished, cohort by cohort, the reference in each, and measure its rounds."""
    least, most = voyage.plan.rounds
    reference = reference_of(_run(trials))
    pending = [one for one in trials if one.failure is None and one.unfinished(reference, least)]
    if least < most:
        pending = [one for one in trials if one.failure is None and one.unfinished(reference, most)]
        pending = [] if not pending or _settled(voyage, trials, pending, judged) else pending
    hunt = Hunt(voyage, trials, judged)
    pending = hunt.ordered([one for one in pending if one is not reference]) or [
        one for one in pending if one is reference
    ]
    first = True  # the reference answers even when no time is left: without it nothing can be said
    while pending and (first or not voyage.out_of_time()):
        first, cohort = False, _cohort(voyage, pending, reference)
        for one in cohort:
            fit_steps(voyage, one, data[one.planned.candidate.model])
        cohort = hunt.narrow([one for one in cohort if one.link is not None])
        others = [one for one in cohort if one is not reference] or cohort
        already = min((len(one.pairs(reference)) for one in others), default=0)
        moments = [moment - already for moment in looks(least, most)]
        measure_rounds(
            voyage,
            cohort,
            most - already,
            lambda index: index in moments and _settled(voyage, trials, others, judged),  # noqa: B023
        )
        for one in cohort:
            verify(voyage, one)
            answer_changes(voyage, one, judged[one.planned.candidate.model].changes)
            answer_features(voyage, one, judged[one.planned.candidate.model])
        close_all(others)
        pending += hunt.revived(pending)
    voyage.findings.extend(hunt.findings())


def _cohort(voyage: Voyage, pending: list[Trial], reference: Trial | None) -> list[Trial]:
    """Open the reference and then as many of the pending as fit into memory; takes them off the list."""
    cohort: list[Trial] = []
    if reference is not None and reference.failure is None and (reference.link or open_trial(voyage, reference)):
        cohort.append(reference)
    budget = MEMORY_SHARE * (voyage.memory_available or psutil.virtual_memory().available)
    while pending and not voyage.out_of_time():
        if len(cohort) > 1 and sum(one.memory for one in cohort) + max(one.memory for one in cohort) > budget:
            break
        one = pending.pop(0)
        if one is not reference and one.failure is None and open_trial(voyage, one):
            cohort.append(one)
    return cohort


def _settled(voyage: Voyage, trials: list[Trial], asked: list[Trial], judged: dict[str, Judged]) -> bool:
    """Whether every requirement on each of these candidates is settled by what is known now."""
    verdict = decide(voyage.plan, statements(voyage, trials, judged))
    outcomes = [verdict.of(one.id) for one in asked if one.failure is None and one.planned.eligible]
    return all(one is not None and one.outcome is not Outcome.OPEN for one in outcomes)


def _network(voyage: Voyage) -> dict[str, Any]:
    """What workers could reach, each way that there was; nothing where none was started."""
    return {"network_of_workers": "; ".join(sorted(set(voyage.networks)))} if voyage.networks else {}


def _environment_findings(looked: dict[str, Any]) -> list[Finding]:
    flat = {key: value for key, value in looked.items() if not isinstance(value, dict)}
    flat |= {f"packages.{name}": version for name, version in looked["packages"].items()}
    words = {key: ", ".join(value) if isinstance(value, list) else value for key, value in flat.items()}
    at = {"machine": looked["host"]} if "host" in looked else {}
    return [
        Finding(what=f"environment.{key}", at=at, value=value, method="as found", measured_at=now())
        for key, value in words.items()
    ]
