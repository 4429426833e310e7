"""What candidates tell of the rows that they learnt from, each asked in a fresh worker of its own, the reference first.

Only findings are kept, about all rows together. What was learnt of single rows stays in memory and ends with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.confiding import Privacy
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import Order
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Link
from seatrial.errors import WorkerError
from seatrial.flow import arrays
from seatrial.flow.crew import session_order
from seatrial.flow.decide import requirements_read
from seatrial.flow.keep import PRIVACY, run_folder
from seatrial.flow.privacy_leave import permission, refusal
from seatrial.flow.privacy_memberships import Memberships
from seatrial.flow.privacy_rows import Exposure, exposure, nothing
from seatrial.flow.privacy_shadows import Trained, shadows, told
from seatrial.flow.privacy_stated import MAIN, STATED, TPR, Told
from seatrial.flow.rows import ModelRows
from seatrial.flow.trial import Trial, Voyage, asks_a_server, now

Learnt = dict[str, Told]
GROUPED = "rows come in groups, and the interval takes them for independent ones"


def expose(voyage: Voyage, trials: list[Trial], data: Mapping[str, ModelRows], fresh: bool = False) -> None:
    """Try each method on each candidate, and state what came of it. What goes wrong is a finding of its own."""
    asked = voyage.plan.study.measure.privacy
    assert asked is not None
    why = refusal(voyage.plan.study, voyage.folder, asked)
    leave = permission(asked)
    voyage.findings.extend([leave] if leave and not why else [])
    answered = [one for one in trials if one.failure is None and (one.imported or one.prediction is not None)]
    if why:
        voyage.findings.extend(_none(one, State.REFUSED, why) for one in answered)
        return
    memberships = Memberships()
    for model in dict.fromkeys(one.planned.candidate.model for one in answered):
        found = exposure(voyage.plan.study, model, data[model], voyage.keeper.arrays)
        own = [one for one in answered if one.planned.candidate.model == model]
        trained = Trained(None)
        if not found.why and any(_needs_shadows(info) for _, info in _methods(voyage, asked)):
            trained = shadows(voyage, model, found, fresh)
            voyage.findings.append(told(model, found, trained))
        _Trying(voyage, asked, found, trained, fresh, memberships).all(own)
    written = memberships.write(run_folder(voyage.keeper.home, voyage.run))
    voyage.findings.extend([written] if written else [])


def _none(trial: Trial, state: State, why: str) -> Finding:
    return missing(TPR, state, why, better="lower", candidate=trial.id, measured_at=now())


def _methods(voyage: Voyage, asked: Privacy) -> Iterator[tuple[PartRef, PartInfo]]:
    for ref in asked.methods:
        info = voyage.find("privacy", ref.name)
        catalog.require(info)
        yield ref, info


def _needs_shadows(info: PartInfo) -> bool:
    return "needed" in info.accepts.get("shadows", ())


def _obstacle(trial: Trial, found: Exposure) -> tuple[State, str] | None:
    """Why this candidate isn't asked at all."""
    if trial.imported:
        return State.UNSUPPORTED, nothing("its outputs were made elsewhere, so nobody can ask it anything").why
    if found.why:
        return State.UNSUPPORTED, found.why
    if trial.artefact.after:
        return State.UNSUPPORTED, "its answers are changed after the model, and asking there is not yet ours"
    if asks_a_server(trial.runtime):
        return State.REFUSED, "it answers over a network, where nobody is asked about people"
    return None


class _Trying:
    """All methods on the candidates of one model."""

    def __init__(
        self,
        voyage: Voyage,
        asked: Privacy,
        found: Exposure,
        trained: Trained,
        fresh: bool,
        memberships: Memberships,
    ) -> None:
        self._voyage, self._asked, self._found, self._trained = voyage, asked, found, trained
        self._fresh, self._memberships = fresh or asked.memberships, memberships  # of single rows nothing is kept
        self._methods = list(_methods(voyage, asked))
        self._reference: Trial | None = None
        self._of_reference: Learnt = {}

    def all(self, trials: list[Trial]) -> None:
        """The reference first, whatever is kept of it, where another is held against it."""
        able = []
        for one in trials:
            why = _obstacle(one, self._found)
            if why is None:
                able.append(one)
            else:
                self._voyage.findings.append(_none(one, *why))
        self._reference = next((one for one in able if one.planned.reference), None)
        for one in sorted(able, key=lambda one: not one.planned.reference):
            if self._voyage.out_of_time():
                self._voyage.findings.append(_none(one, State.TOO_FEW, "the run ended before it was asked"))
            else:
                self._one(one)

    def _one(self, trial: Trial) -> None:
        pending = {}
        for ref, info in self._methods:
            if why := self._unfit(info):
                self._lack(trial, ref, info, *why)
                continue
            kept = None if self._fresh else self._voyage.keeper.get(PRIVACY, self._key(trial, ref, info))
            if kept is None:
                pending[str(ref)] = (ref, info)
            else:
                self._voyage.reused += 1
                self._tell([Finding.model_validate(one) for one in kept["findings"]], trial)
        if not pending:
            return
        other = self._learnt_from_reference(list(pending)) if trial is not self._reference else {}
        learnt = self._ask(trial, list(pending))
        for name, (ref, info) in pending.items():
            if name in learnt:
                if self._asked.memberships and info.gives["learns"][0] == "member":
                    self._memberships.note(trial.planned.label, name, learnt[name], self._found)
                stated = self._stated(trial, name, info, learnt[name], other.get(name))
                body = {"findings": [one.model_dump(mode="json") for one in stated]}
                self._voyage.keeper.put((PRIVACY, self._key(trial, ref, info), body))
                self._voyage.measured += 1
                self._tell(stated, trial)
        if trial is self._reference:
            self._of_reference.update(learnt)

    def _unfit(self, info: PartInfo) -> tuple[State, str] | None:
        """Why a method can't be tried on any candidate here."""
        learns, left_out = info.gives["learns"][0], self._found.left_out
        if _needs_shadows(info) and self._trained.body is None:
            return self._trained.state, self._trained.why
        if learns == "hidden" and (left_out is None or left_out.why):
            return State.UNSUPPORTED, left_out.why if left_out else "the study names no column that somebody may want to guess (`measure.privacy.attribute`)"  # fmt: skip
        if learns == "copy" and not self._found.budgets(self._asked):
            return State.TOO_FEW, f"there are {int(self._found.own.sum())} rows to ask with, fewer than the least of the `budgets`"  # fmt: skip
        return None

    def _learnt_from_reference(self, names: list[str]) -> Learnt:
        """What these methods learn from the reference; it is asked again where it wasn't in this run."""
        lacking = [name for name in names if name not in self._of_reference]
        if self._reference is not None and lacking:
            self._of_reference.update(self._ask(self._reference, lacking, quiet=True))
        return self._of_reference

    def _key(self, trial: Trial, ref: PartRef, info: PartInfo) -> str:
        how = [str(ref), info.version, self._trained.key if _needs_shadows(info) else "", self._voyage.plan.study.measure.seed]  # fmt: skip
        levels: list[Any] = [self._voyage.plan.levels.describe, self._voyage.plan.levels.gate]
        levels += [self._asked.rates, self._asked.attribute, self._asked.budgets]
        other = self._reference.kept_prediction if self._reference and self._reference is not trial else ""
        return f"{trial.kept_prediction}/{self._found.key(*how, *levels, other)}"

    def _stated(self, trial: Trial, name: str, info: PartInfo, learnt: Told, other: Told | None) -> list[Finding]:
        """Findings at the level for readers; those that a requirement reads at the level that decides, too."""
        plan = self._voyage.plan
        stated = STATED[info.gives["learns"][0]]
        read = {what for what, _ in requirements_read(plan)}
        levels = list(dict.fromkeys([plan.levels.describe, plan.levels.gate]))
        made = []
        for level in levels:
            for one in stated(name, learnt, other, self._found, self._asked, level, plan.study.measure.seed):
                if level == levels[0] or one.what in read:
                    against = self._reference.id if one.against and self._reference else None
                    told_too = [one.note, GROUPED if self._found.grouped else ""]
                    update = {"against": against, "measured_at": now(), "note": "; ".join(filter(None, told_too))}
                    made.append(one.model_copy(update=update))
        return made

    def _lack(self, trial: Trial, ref: PartRef, info: PartInfo, state: State, why: str) -> None:
        what = MAIN[info.gives["learns"][0]]
        self._tell([missing(what, state, why, better="lower", at={"method": str(ref)})], trial)

    def _tell(self, findings: list[Finding], trial: Trial) -> None:
        self._voyage.findings.extend(one.model_copy(update={"candidate": trial.id}) for one in findings)

    def _ask(self, trial: Trial, names: list[str], quiet: bool = False) -> Learnt:
        """What each method learns from this candidate, in a fresh worker; what fails is told, unless `quiet`."""
        learnt: Learnt = {}
        link: Link | None = None
        try:
            for number, (ref, info) in enumerate(one for one in self._methods if str(one[0]) in names):
                self._voyage.tell("privacy", trial.planned.label, number, len(names), str(ref))
                try:
                    link = link or self._opened(trial)
                    answer = link.ask(self._order(trial, ref, info), self._voyage.plan.study.measure.limits.attack)
                    learnt[str(ref)] = self._told(info, answer)
                except WorkerError as error:
                    if not quiet:
                        self._lack(trial, ref, info, State(error.state), error.what)
                    if link is None or error.state not in (State.FAILED, State.UNSUPPORTED):
                        break
        finally:
            if link is not None:
                link.close()
        return learnt

    def _told(self, info: PartInfo, answer: Mapping[str, Any]) -> Told:
        """What a worker sent back, with what it is held against."""
        learns = info.gives["learns"][0]
        right = self._found.right() if learns == "hidden" else None
        means = self._found.means() if learns == "likeness" else None
        return Told(np.asarray(answer["learnt"]), np.asarray(answer["classes"]), right, means)

    def _opened(self, trial: Trial) -> Link:
        candidate = trial.planned.candidate
        link = self._voyage.start(f"privacy {candidate.id}")
        setting = {name: getattr(candidate, name) for name in ("device", "precision", "threads", "batch")}
        fields = {"part": candidate.runtime, "artefact": trial.artefact, "setting": setting}
        try:
            link.ask(session_order(self._voyage, trial, "open", **fields), self._voyage.plan.study.measure.limits.open)
        except BaseException:
            link.close()
            raise
        return link

    def _order(self, trial: Trial, ref: PartRef, info: PartInfo) -> Order:
        found, study = self._found, self._voyage.plan.study
        model = study.models[trial.planned.candidate.model]
        settings: dict[str, Any] = {
            "labels": found.labels,
            "classes": found.classes,
            "own": found.own & (info.gives["learns"][0] != "member"),  # whose rows they are would tell who isn't one
            "budgets": list(found.budgets(self._asked)),
            "task": model.task.name,
            "outputs": {name: output.model_dump(mode="json") for name, output in model.outputs.items()},
        }
        if info.gives["learns"][0] == "hidden" and found.left_out is not None:
            settings |= {"hidden": [found.left_out.input, found.left_out.place], "choices": found.left_out.choices}
        packed = arrays.pack(settings, self._voyage.keeper.arrays)
        if _needs_shadows(info) and self._trained.body is not None:
            packed["shadows"] = {"scores": self._trained.body["scores"]} | arrays.pack({"inside": found.inside}, self._voyage.keeper.arrays)  # fmt: skip
        order = session_order(self._voyage, trial, "privacy", part=ref, settings=packed, seed=study.measure.seed)
        return order.model_copy(update={"values": dict(found.inputs)})
