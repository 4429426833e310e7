"""Attacks on every candidate, each in a fresh worker of its own, so that a timed session never stands beside an attack.

The deployed artefact is opened as it was timed; beside it, where an attack asks for a gradient, stands the form that lends one: the
artefact itself where its runtime has gradients, else what a conversion makes of it (rounding passed straight through), else the
float reference's. Each attack at each budget is kept when it is done, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Link
from seatrial.contracts.record import digest
from seatrial.errors import SeatrialError, WorkerError
from seatrial.flow import arrays
from seatrial.flow.besieged import LOOK, Siege
from seatrial.flow.certified import certify
from seatrial.flow.counted import Judged
from seatrial.flow.crew import session_order
from seatrial.flow.keep import ATTACKED
from seatrial.flow.making import Maker
from seatrial.flow.steps import Step
from seatrial.flow.trial import Trial, Voyage, asks_a_server, now

OWN, REFERENCE = "own", "reference"
Lender = Mapping[str, Any] | str | None


def besiege(voyage: Voyage, trials: list[Trial], judged: Mapping[str, Judged], fresh: bool = False) -> None:
    """Let each candidate stand every attack that isn't kept. What goes wrong is a finding of its own."""
    asked = [one for one in trials if one.prediction is not None and one.failure is None and _siege(one, judged)]
    if not asked:
        return
    with Maker(voyage) as maker:
        for one in asked:
            siege = _siege(one, judged)
            assert siege is not None
            if why := refused(voyage, one, siege):
                one.attacked["refused"] = why
            elif not voyage.out_of_time():
                _attack(voyage, maker, one, next((other for other in trials if other.planned.reference), None), siege, fresh)  # fmt: skip
                certify(voyage, one, siege, fresh)


def refused(voyage: Voyage, trial: Trial, siege: Siege) -> tuple[State, str] | None:
    """Why this candidate isn't attacked at all."""
    if siege.why:
        return State.UNSUPPORTED, siege.why
    if not asks_a_server(trial.runtime):
        return None
    asked = voyage.plan.study.measure.security
    leave = asked.authorisation if asked else None
    if leave is None:
        return (
            State.REFUSED,
            "it answers over a network, and the study carries no leave of its owner's (`measure.security.authorisation`)",
        )
    stated = json.dumps(voyage.plan.study.models[trial.planned.candidate.model].forms[trial.planned.form])
    if leave.endpoint not in stated:
        return State.REFUSED, f"the leave that the study carries is for {leave.endpoint}, which this isn't"
    return None


def _siege(trial: Trial, judged: Mapping[str, Judged]) -> Siege | None:
    return judged[trial.planned.candidate.model].siege


def _attack(voyage: Voyage, maker: Maker, trial: Trial, reference: Trial | None, siege: Siege, fresh: bool) -> None:
    other = lender_of(voyage, maker, reference) if reference is not None else None
    if other == OWN and reference is not None and reference is not trial:
        other = sent(reference)
    lenders = {REFERENCE: other, OWN: lender_of(voyage, maker, trial) or other}
    work = _Work(voyage, trial, siege, lenders)
    try:
        for number, step in enumerate((None, *siege.steps)):
            key = work.key(step)
            kept = None if fresh else voyage.keeper.get(ATTACKED, key)
            if kept is None:
                voyage.tell("attack", trial.planned.label, number, len(siege.steps) + 1, step.label if step else LOOK)
                kept = work.done(step)
                voyage.measured += "failed" not in kept
                if "failed" not in kept:
                    voyage.keeper.put((ATTACKED, key, kept))
            else:
                voyage.reused += 1
            trial.attacked[identity(step)] = kept
    finally:
        work.close()


def identity(step: Step | None) -> str:
    """A step's place among what came of a siege."""
    return LOOK if step is None else digest([step.name, step.norm, step.budget])


def lender_of(voyage: Voyage, maker: Maker, trial: Trial) -> Lender:
    """Who gives a gradient of this candidate's artefact: its own session, or another runtime, with a conversion where need be."""
    if "gradient" in trial.runtime.gives:
        return OWN
    for ref, conversion in _ways(trial.artefact.format):
        made: Artefact | Finding = trial.artefact
        if conversion is not None:
            try:
                made = maker.converted(
                    trial.artefact, conversion, f"{trial.planned.label}, for gradients", trial.values
                )
            except SeatrialError:
                continue  # another way may do, and if none does that is a finding
        if isinstance(made, Artefact):
            return {"artefact": made.model_dump(mode="json"), "runtime": ref.model_dump(mode="json")}
    return None


def _ways(format: str) -> Iterator[tuple[PartRef, PartRef | None]]:
    """Installed runtimes with gradients and what makes of this format one that they take."""
    able = [one for one in catalog.parts("runtimes").values() if "gradient" in one.gives and not catalog.absent(one)]
    for runtime in able:
        if runtime.takes("format", format):
            yield PartRef(name=runtime.name), None
    for conversion in catalog.parts("conversions").values():
        if conversion.takes("format", format) and not catalog.absent(conversion):
            for runtime in able:
                if any(runtime.takes("format", made) for made in conversion.gives.get("format", ())):
                    yield PartRef(name=runtime.name), PartRef(name=conversion.name)


def sent(trial: Trial) -> Lender:
    """A candidate whose own runtime has gradients, as a lender beside another's session."""
    return {
        "artefact": trial.artefact.model_dump(mode="json"),
        "runtime": trial.planned.candidate.runtime.model_dump(mode="json"),
    }


class _Work:
    """One candidate's siege: a worker that is begun with the first step that isn't kept."""

    def __init__(self, voyage: Voyage, trial: Trial, siege: Siege, lenders: Mapping[str, Lender]) -> None:
        self._voyage, self._trial, self._siege, self._lenders = voyage, trial, siege, lenders
        self._link: Link | None = None
        self._lost: WorkerError | None = None

    def key(self, step: Step | None) -> str:
        """What a step's result rests on."""
        how = [None] if step is None else [str(step.ref), step.version, step.norm, step.budget]
        lender = self._lender(step)
        artefact = lender["artefact"]["hashes"] if isinstance(lender, Mapping) else lender
        after = [one.model_dump(mode="json") for one in self._trial.artefact.after]
        seed = self._voyage.plan.study.measure.seed
        return f"{self._trial.kept_prediction}/{self._siege.key(*how, artefact, after, seed)}"

    def done(self, step: Step | None) -> dict[str, Any]:
        """What came of a step, or why nothing did."""
        if self._lost is not None:
            return {"failed": self._lost.what, "state": self._lost.state}
        if step is not None and step.lends and self._lender(step) is None:
            return {"failed": "no form of the model has a gradient to lend", "state": State.UNSUPPORTED}
        try:
            link = self._opened()
            answer = link.ask(self._order(step), self._voyage.plan.study.measure.limits.attack)
        except WorkerError as error:
            if error.state not in (State.FAILED, State.UNSUPPORTED):
                self._lost = error
                self.close()
            return {"failed": error.what, "state": error.state}
        return {key: value for key, value in answer.items() if key in ("came", "seen")} | {"at": now()}

    def close(self) -> None:
        """Let the worker go."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _lender(self, step: Step | None) -> Lender:
        return self._lenders[OWN] if step is None else self._lenders.get(step.lends)

    def _opened(self) -> Link:
        if self._link is None:
            candidate, voyage = self._trial.planned.candidate, self._voyage
            self._link = voyage.start(f"attack {candidate.id}", network=asks_a_server(self._trial.runtime))
            setting = {name: getattr(candidate, name) for name in ("device", "precision", "threads", "batch")}
            fields = {"part": candidate.runtime, "artefact": self._trial.artefact, "setting": setting}
            order = session_order(voyage, self._trial, "open", **fields)
            self._link.ask(order, voyage.plan.study.measure.limits.open)
        return self._link

    def _order(self, step: Step | None) -> Order:
        study, siege, trial = self._voyage.plan.study, self._siege, self._trial
        model = study.models[trial.planned.candidate.model]
        leave = study.measure.security.authorisation if study.measure.security else None
        settings: dict[str, Any] = {
            "reach": siege.reach,
            "labels": siege.labels,
            "text": siege.text,
            "norm": step.norm if step else "linf" if siege.reach else "characters",
            "budget": step.budget if step else None,
            "lender": self._lender(step),
            "known": None if step is None else self._known(step),
            "classes_only": step is not None and siege.blind,
            "nested": step is not None and step.nested,
            "fickle": self._fickle(),
            "examples": siege.examples,
            "after": self._after(),
            "task": model.task.name,
            "outputs": {name: output.model_dump(mode="json") for name, output in model.outputs.items()},
            "per_second": leave.per_second if leave and asks_a_server(trial.runtime) else None,
        }
        return session_order(
            self._voyage,
            trial,
            "attack",
            part=step.ref if step else None,
            settings=arrays.pack(settings, self._voyage.keeper.arrays),
            seed=study.measure.seed,
        ).model_copy(update={"values": dict(siege.values)})

    def _fickle(self) -> bool:
        """Whether answers change by chance or with the rows beside, as far as is known from the look."""
        seen = self._trial.attacked.get(LOOK, {}).get("seen")
        return seen is None or seen["random"] > 0 or seen["beside"] > 0

    def _after(self) -> list[dict[str, Any]]:
        """The steps that change answers after the model, as fitted, with the attacked rows' columns that they go by."""
        rows = self._siege.rows
        return [
            {
                "name": step.name,
                "options": dict(fitted.options),
                "columns": {name: _plain(column[rows]) for name, column in fitted.groups.items()},
            }
            for step, fitted in zip(self._trial.artefact.after, self._trial.fitted, strict=True)
        ]

    def _known(self, step: Step) -> Any:
        """The smallest changes that the same attack found within larger budgets."""
        found = [smallest(self._trial.attacked.get(identity(one))) for one in self._siege.steps if _larger(one, step)]
        known = [one for one in found if one is not None]
        return np.min(known, axis=0) if known else None


def _larger(one: Step, step: Step) -> bool:
    same = one.ref == step.ref and one.norm == step.norm
    return same and one.budget is not None and step.budget is not None and one.budget > step.budget


def _plain(column: Any) -> Any:
    """A column that can be sent to a worker: words as words of NumPy."""
    return column.astype(str) if column.dtype == object else column


def smallest(body: Mapping[str, Any] | None) -> Any:
    """The smallest change that fooled each row (infinite: none did), or None where the attack wasn't made."""
    return None if body is None or "came" not in body else arrays.unpack(body["came"]["smallest"])
