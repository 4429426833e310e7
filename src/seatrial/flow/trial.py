"""A trial: one candidate under way. The live handle of what the findings record."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef, Order
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Plan, Planned
from seatrial.contracts.progress import Event, Stage, Watch
from seatrial.contracts.protocols import Link
from seatrial.contracts.record import digest
from seatrial.contracts.recorded import made_elsewhere
from seatrial.errors import WorkerError
from seatrial.flow import environment
from seatrial.flow.environment import version
from seatrial.flow.keep import ROUND, Keeper
from seatrial.flow.machines import LOCAL, reached
from seatrial.flow.processing import asked

START_S = 60.0


@dataclass
class Voyage:
    """What every step of one run's measuring needs to know."""

    plan: Plan
    keeper: Keeper
    run: str
    watch: Watch
    fingerprint: str
    deadline: float | None = None
    measured: int = 0
    reused: int = 0
    findings: list[Finding] = field(default_factory=list)
    versions: Mapping[str, str] = field(default_factory=dict)
    memory_available: int | None = None
    networks: list[str] = field(default_factory=list)
    cut_short: bool = False

    @property
    def machine(self) -> str:
        """The machine on which workers run."""
        return reached(self.plan.study.measure.executor, self.folder)

    def version(self, package: str) -> str:
        """The package's version where workers run."""
        return self.versions.get(package, "not asked") if self.versions else version(package)

    def look(self, packages: list[str]) -> dict[str, Any]:
        """The environment in which workers run. Of another machine a worker there tells, and this is what keys are made of."""
        machine = self.machine
        if machine == LOCAL:
            found = environment.look(packages)
        else:
            self.tell("open", label=machine)
            link = self.start(machine)
            try:
                answer = link.ask(Order(order="hello", settings={"packages": packages}), START_S)
            finally:
                link.close()
            found = answer["environment"] | {"host": machine}
            others = environment.differing(environment.look(packages), found)
            others += [] if answer["source"] == environment.source() else ["seatrial's own code, of the same version"]
            if others:
                found["other_versions"] = others
                self.tell("note", label=machine, note=f"other versions there than here: {', '.join(others)}")
            self.versions, self.memory_available = found["packages"], answer["memory_available"]
        self.fingerprint = environment.fingerprint(found)
        return found

    @property
    def folder(self) -> Path:
        """The study's folder, to which its paths are relative."""
        return Path(self.plan.folder)

    def find(self, kind: str, name: str) -> PartInfo:
        """A part of the catalogue, or a local file of the study."""
        return catalog.find(kind, name, self.folder)

    def ready(self, load: PartRef) -> PartRef:
        """A load with what its options name in the study's folder read into them, so that workers need no file of it."""
        info = self.find("loads", load.name)
        prepare = getattr(catalog.load(info), "prepare", None)
        if prepare is None:
            return load
        return PartRef(
            name=load.name, options=prepare(catalog.options(info, load.options), self.folder).model_dump(mode="json")
        )

    def tell(self, stage: Stage, label: str = "", done: int = 0, total: int = 0, note: str = "") -> None:
        """Tell whoever watches."""
        self.watch(Event(stage=stage, label=label, done=done, total=total, note=note))

    def out_of_time(self) -> bool:
        """Whether the budget is spent. Asked before something that is still to be measured: that it was left out is remembered."""
        spent = self.deadline is not None and time.monotonic() > self.deadline
        self.cut_short |= spent
        return spent

    def start(self, name: str, network: bool = False) -> Link:
        """A fresh worker whose output goes to the log of that name. It has a `network` where it must, or where the study gives it one."""
        measure = self.plan.study.measure
        info = self.find("executors", measure.executor.name)
        log = self.keeper.home / "logs" / self.run / f"{''.join(c if c.isalnum() else '_' for c in name)}.log"
        executor = catalog.load(info)
        options = catalog.options(info, measure.executor.options)
        if network and "network" in type(options).model_fields:
            options = options.model_copy(update={"network": True})
        link: Link = executor.start(log, measure.limits.memory, options)
        try:
            said = link.ask(Order(order="hello"), START_S)
            self.networks.append(str(said.get("network", "not said")))
        except BaseException:
            link.close()
            raise
        return link


def asks_a_server(runtime: PartInfo) -> bool:
    """Whether a runtime reaches its model over a network."""
    return "remote" in runtime.accepts.get("device", ())


@dataclass
class Trial:
    """One candidate: its artefact and inputs, its keys, its worker while it has one, and what has gone wrong."""

    planned: Planned
    artefact: Artefact
    values: Mapping[str, ArrayRef]
    runtime: PartInfo
    key: str
    rounds_key: str
    prediction_key: str
    memory: int = 0
    rounds: dict[str, Any] = field(default_factory=dict)
    probes: dict[str, Any] = field(default_factory=dict)
    prediction: dict[str, Any] | None = None
    facts: dict[str, Any] | None = None
    link: Link | None = None
    failure: Finding | None = None
    shown: tuple[Finding, ...] = ()
    steady: dict[str, bool] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    decided: bool = False
    asked: tuple[str, ...] = ()
    changed: dict[str, Any] = field(default_factory=dict)
    attacked: dict[str, Any] = field(default_factory=dict)
    searched: dict[str, Any] = field(default_factory=dict)
    fitted: tuple[Any, ...] = ()
    stored: Mapping[str, ArrayRef] = field(default_factory=dict)

    @property
    def driven(self) -> Mapping[str, ArrayRef]:
        """The rows that timed queries are made of: as the model takes them, or as stored where they are made ready within the clock."""
        return self.stored or self.values

    @property
    def imported(self) -> bool:
        """Whether its outputs were made elsewhere, so that nothing is run."""
        return made_elsewhere(self.runtime)

    @property
    def id(self) -> str:
        """The candidate's id."""
        return self.planned.candidate.id

    @property
    def kept_prediction(self) -> str:
        """The key of this candidate's outputs: those of another batch or thread count are other ones until they prove equal."""
        return f"{self.prediction_key}/b{self.planned.candidate.batch}t{self.planned.candidate.threads}"

    def pairs(self, reference: Trial | None) -> set[str]:
        """The rounds in which this candidate and the reference were both measured (its own, where no reference is run)."""
        return set(self.rounds) & set(reference.rounds) if reference and not reference.imported else set(self.rounds)

    def unfinished(self, reference: Trial | None, rounds: int) -> bool:
        """Whether anything is still to be measured: outputs, steps after them, answers to changed inputs, facts or rounds. Nothing is, of what was made elsewhere."""
        if self.imported:
            return False
        answered = self.prediction is not None and all(key in self.changed for key in self.asked)
        answered = answered and len(self.fitted) == len(self.artefact.after)
        return not answered or self.facts is None or len(self.pairs(reference)) < rounds

    def close(self) -> None:
        """Let the worker go."""
        if self.link is not None:
            self.link.close()
            self.link = None

    def fail(self, error: WorkerError) -> None:
        """A crash, a hang or an error is a finding; the study goes on without this candidate."""
        self.close()
        only_slow = "; if it is only slow, allow it more under `limits`" if error.state == State.HUNG else ""
        self.failure = missing(
            "run",
            State(error.state),
            f"{error.what}{only_slow}",
            candidate=self.id,
            method=error.next_step,
            measured_at=now(),
        )


def trial(
    voyage: Voyage,
    planned: Planned,
    artefact: Artefact,
    values: Mapping[str, ArrayRef],
    rows_hash: str,
    stored: Mapping[str, ArrayRef] = MappingProxyType({}),
) -> Trial:
    """A trial with what was kept of it. Its keys change with the artefact, rows, parts, options, versions and machine."""
    candidate, measure = planned.candidate, voyage.plan.study.measure
    runtime = voyage.find("runtimes", candidate.runtime.name)
    versions = {package: voyage.version(package) for package in runtime.needs}
    how = [str(candidate.runtime), runtime.version, candidate.device, versions, voyage.fingerprint]
    if "reuse" in runtime.cannot:  # what it runs may change without a sign, so each run measures it anew
        how.append(voyage.run)
    key = digest([artefact.hash, *how, candidate.precision, candidate.threads, candidate.batch, candidate.instances])
    parts = [
        (str(ref), voyage.find(kind, ref.name).version)
        for kind, refs in (("loads", map(voyage.ready, measure.loads)), ("meters", measure.meters))
        for ref in refs
    ]
    inside = [asked(voyage.plan.study.models[candidate.model]), {name: ref.hash for name, ref in stored.items()}]
    made = Trial(
        stored=stored,
        planned=planned,
        artefact=artefact,
        values=values,
        runtime=runtime,
        key=key,
        rounds_key=digest([key, parts, {name: ref.hash for name, ref in values.items()}, *(inside if stored else ())]),
        prediction_key=digest([artefact.hash, *how, candidate.precision, rows_hash]),
    )
    made.rounds = {body["pair"]: body for _, body in voyage.keeper.all(ROUND, f"{made.rounds_key}/")}
    return made


def now() -> str:
    """The present moment in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
