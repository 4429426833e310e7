"""Takes a study through the six steps: read, plan, measure, keep, decide, publish."""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seatrial.contracts.dossier import Dossier, Entry, Run
from seatrial.contracts.finding import State, missing
from seatrial.contracts.plan import Plan
from seatrial.contracts.progress import Event, Watch, silent
from seatrial.flow.costs import costs
from seatrial.flow.decide import decide
from seatrial.flow.environment import version
from seatrial.flow.foretold import bought
from seatrial.flow.held_back import held_back
from seatrial.flow.keep import Keeper, keep_dossier
from seatrial.flow.machines import on as placed
from seatrial.flow.measure import Measured, measure
from seatrial.flow.outlook import outlook
from seatrial.flow.plan import make_plan
from seatrial.flow.publish import publish
from seatrial.flow.read import read
from seatrial.flow.reconsidered import reconsidered
from seatrial.flow.sweeps import sweeps
from seatrial.flow.trial import now
from seatrial.flow.trust import trusting


def run(
    file: Path | str,
    *,
    quick: bool = False,
    only: Sequence[str] = (),
    budget: float | None = None,
    fresh: bool = False,
    trust: Sequence[str] = (),
    on: str | None = None,
    watch: Watch = silent,
) -> Dossier:
    """Carry out a study and return its dossier, whose reports lie in `.seatrial/runs/<id>` beside the study file.

    `quick` takes fewer rounds, `only` keeps candidates whose id or label matches, `budget` stops measuring after so many
    seconds, `fresh` measures again what is kept, `trust` lets files with these hashes through that are refused otherwise,
    `on` is another machine (`ssh://user@host`). Raises a `SeatrialError` when the study can't be carried out at all.
    """
    source = read(Path(file))
    source = replace(source, study=trusting(source.study, trust, source.folder))
    source = replace(source, study=placed(source.study, on, source.folder))
    plan = make_plan(source, only, quick)
    watch(Event(stage="plan", plan=plan))
    keeper = Keeper(source.folder, source.study.store)
    begun, clock = now(), time.monotonic()
    name = f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    measured = measure(plan, keeper, name, watch, budget, fresh)
    findings = (*measured.findings, *held_back(plan, measured.findings))
    findings += (*costs(plan, findings, keeper.home), *sweeps(plan, findings, keeper.home), *bought(plan, findings))
    watch(Event(stage="decide"))
    verdict = decide(plan, findings)
    findings += (*reconsidered(plan, findings), *outlook(plan, findings, verdict, keeper.home))
    dossier = Dossier(
        run=_run(name, plan, measured, begun, time.monotonic() - clock),
        study=source.study.model_dump(mode="json"),
        candidates=_entries(plan, measured),
        dropped=plan.dropped,
        findings=findings,
        verdict=verdict,
        environment=measured.environment,
        artefacts=measured.artefacts,
    )
    folder = keep_dossier(keeper, dossier)
    watch(Event(stage="publish", note=str(folder)))
    failures = publish(dossier, folder, source.folder).failures
    if failures:
        lost = [missing("report", State.FAILED, reason, at={"report": name}) for name, reason in failures.items()]
        dossier = dossier.model_copy(update={"findings": (*dossier.findings, *lost)})
        keep_dossier(keeper, dossier)
        for name, reason in failures.items():
            watch(Event(stage="note", label=name, note=f"the report `{name}` could not be written: {reason}"))
    return dossier


def _run(name: str, plan: Plan, measured: Measured, begun: str, seconds: float) -> Run:
    return Run(
        id=name,
        study_file=plan.file,
        started=begun,
        finished=now(),
        seconds=round(seconds, 3),
        measured=measured.measured,
        reused=measured.reused,
        interrupted=measured.interrupted,
        out_of_time=measured.out_of_time,
        informal=plan.quick,
        seatrial=version("seatrial"),
    )


def _entries(plan: Plan, measured: Measured) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            id=one.candidate.id,
            label=one.label,
            candidate=one.candidate,
            reference=one.reference,
            eligible=one.eligible,
            artefact=measured.artefact_of.get(one.candidate.id),
        )
        for one in plan.candidates
    )
