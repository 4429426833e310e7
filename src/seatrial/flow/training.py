"""Training as a load: steps of every way to train in interleaved rounds, then whole trainings from several seeds.

Each way has workers of its own. In a round every way does the same number of steps, in random order, so drift of the machine hits
all alike and what is compared is the ratio within a round. A crash, a hang or a loss that is no number ends that way (or that seed of
it) and becomes a finding; the others go on. A round and a seed are the units that are kept.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Sequence
from typing import Any

import psutil

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.plan import Plan
from seatrial.contracts.record import digest
from seatrial.contracts.training import Learning, Way
from seatrial.errors import SeatrialError, WorkerError
from seatrial.flow import arrays, rows
from seatrial.flow.decide import requirements_read
from seatrial.flow.gang import Gang
from seatrial.flow.keep import TRAINING
from seatrial.flow.machines import LOCAL
from seatrial.flow.plan import QUICK_ROUNDS
from seatrial.flow.rounds import ATTEMPTS
from seatrial.flow.statements import level_over_rounds
from seatrial.flow.trained import Trained
from seatrial.flow.trainee import ENDLESS
from seatrial.flow.training_stated import stated
from seatrial.flow.training_ways import references, short_names
from seatrial.flow.training_ways import ways as ways_of
from seatrial.flow.trial import Voyage, now

MEMORY_SHARE = 0.6


def measure_training(voyage: Voyage, fresh: bool = False) -> None:
    """Measure the ways to train that the study asks for, and add what is found; nothing where it asks for none."""
    asked = voyage.plan.study.training
    if asked is None:
        return
    if voyage.plan.quick:
        asked = asked.model_copy(update={"rounds": min(asked.rounds, QUICK_ROUNDS)})
    handed, why = handed_rows(voyage, asked.model)
    listed = ways_of(asked)
    ways = [prepared(voyage, asked, way, handed, why) for way in listed]
    for one, name in zip(ways, short_names(listed), strict=True):
        one.label = name
    reference = ways[listed.index(references(asked, listed)[0])]
    for one in ways:
        _recall(voyage, one, fresh)
    try:
        _time_steps(voyage, asked, ways, reference, handed)
        _train_through(voyage, asked, ways, handed)
    finally:
        for one in ways:
            _dismiss(one)
        cores = len(os.sched_getaffinity(0)) if voyage.machine == LOCAL else None
        voyage.findings.extend(stated(asked, ways, reference, _level(voyage.plan), cores))


def _level(plan: Plan) -> float:
    """How sure bounds are: as all that is described, or as a requirement that reads them needs it."""
    read = any(what.startswith("training.") for what, _ in requirements_read(plan))
    return max(plan.levels.describe, level_over_rounds(plan, plan.levels.gate)) if read else plan.levels.describe


# --- which ways ------------------------------------------------------------------------------------------------------------


def prepared(
    voyage: Voyage, asked: Learning, way: Way, handed: dict[str, Any], why: tuple[State, str] | None
) -> Trained:
    """A way with its key; with a failure where it is known not to work, or `why` none does."""
    made = Trained(way)
    try:
        info = voyage.find("trainers", way.trainer.name)
        why = why or _why_not(voyage, way, info)
        if why is None:
            if voyage.machine == LOCAL:
                catalog.require(info)
            part, options = catalog.load(info), catalog.options(info, way.trainer.options)
            hashes = sorted(part.files(options, voyage.folder).values())
            versions = {package: voyage.version(package) for package in info.needs}
            given = {name: [ref.hash for ref in arrays.refs(value)] for name, value in handed.items()}
            how = [way.id, info.version, hashes, versions, voyage.fingerprint, given]
            made.key = digest([*how, asked.steps])
            made.through_key = digest([*how, asked.epochs])
            reason = part.absent(way.device) if voyage.machine == LOCAL else None  # workers elsewhere say it themselves
            why = (State.NOT_HERE, reason) if reason else None
    except SeatrialError as error:
        why = _told(error)
    except Exception as error:  # noqa: BLE001 - a trainer may be the user's own; it becomes a finding
        why = State.FAILED, f"it raised {type(error).__name__}: {error}"
    if why:
        made.failure = missing("training.run", why[0], why[1], measured_at=now())
    return made


def _why_not(voyage: Voyage, way: Way, info: Any) -> tuple[State, str] | None:
    if voyage.machine == LOCAL and (gone := catalog.absent(info)):
        return State.NOT_INSTALLED, f"{info.name} needs {', '.join(gone)}: {info.install()}"
    for aspect, value in (("device", way.device), ("precision", way.precision)):
        if not info.takes(aspect, value) and not info.takes(aspect, value.split(":")[0]):
            gap = info.cannot.get(value)
            why = f"{gap[0]}: {gap[1]}" if gap else f"it takes {', '.join(info.accepts[aspect])}"
            return State.UNSUPPORTED, f"{info.name} doesn't take the {aspect} {value} ({why})"
    return None


def _told(error: SeatrialError) -> tuple[State, str]:
    return State.FAILED, error.what + (f"; {error.next_step}" if error.next_step else "")


def handed_rows(voyage: Voyage, model: str | None) -> tuple[dict[str, Any], tuple[State, str] | None]:
    """The rows that trainers are given, as a worker reads them (none where the study names no model), or why there are none."""
    if model is None:
        return {}, None
    voyage.tell("rows", label=model, note="to train with")
    try:
        found = rows.prepare(voyage.plan.study, voyage.folder, model, voyage.keeper.arrays, train=True)
    except SeatrialError as error:
        return {}, _told(error)
    train, judged = found.train, found.evaluation
    if train is None or train.labels is None:
        step = "give a data set with a label `roles: train`, or draw some rows for it"
        return {}, (State.FAILED, f"there are no rows to train with; {step}")
    return {
        "inputs": {name: {"$array": ref.model_dump()} for name, ref in train.inputs.items()},
        "labels": {"$array": train.labels.ref.model_dump()},
        "judge_inputs": {name: {"$array": ref.model_dump()} for name, ref in judged.inputs.items()},
        "judge_labels": None if judged.labels is None else {"$array": judged.labels.ref.model_dump()},
    }, None


def _recall(voyage: Voyage, one: Trained, fresh: bool) -> None:
    """What was measured before; forgotten where all is to be measured again."""
    if one.failure is not None:
        return
    for key, kept in ((f"{one.key}/round/", one.rounds), (f"{one.through_key}/seed/", one.runs)):
        if fresh:
            voyage.keeper.forget(TRAINING, key)
        kept.update({body["name"]: body for _, body in voyage.keeper.all(TRAINING, key)})
        voyage.reused += len(kept)


# --- steps in interleaved rounds ---------------------------------------------------------------------------------------------


def _time_steps(
    voyage: Voyage, asked: Learning, ways: Sequence[Trained], reference: Trained, handed: dict[str, Any]
) -> None:
    pending = [one for one in ways if one.failure is None and len(_shared(one, ways, reference)) < asked.rounds]
    while pending and not voyage.out_of_time():
        cohort = _cohort(voyage, pending, ways, reference, handed)
        lacking = [asked.rounds - len(_shared(one, ways, reference)) for one in cohort]
        _rounds(voyage, asked, cohort, max(lacking, default=0))
        for one in cohort:
            _dismiss(one)


def _cohort(
    voyage: Voyage, pending: list[Trained], ways: Sequence[Trained], reference: Trained, handed: dict[str, Any]
) -> list[Trained]:
    """Begin as many of the pending as fit into memory, each with what it is compared with; takes them off the list."""
    cohort: list[Trained] = []
    budget = MEMORY_SHARE * (voyage.memory_available or psutil.virtual_memory().available)
    while pending and (len(cohort) < 2 or sum(one.memory for one in cohort) < budget) and not voyage.out_of_time():
        first = pending.pop(0)
        for one in (*_compared(first, ways, reference), first):
            if one.failure is None and one not in cohort and _begun(voyage, one, handed):
                cohort.append(one)
    return cohort


def _compared(one: Trained, ways: Sequence[Trained], reference: Trained) -> list[Trained]:
    """The reference, and the same way with one worker, where they are others than this one."""
    others = [reference, one.alone(ways)]
    return [other for other in others if other is not None and other is not one]


def _shared(one: Trained, ways: Sequence[Trained], reference: Trained) -> set[str]:
    """The rounds that this way has together with all that it is compared with."""
    others = [other for other in _compared(one, ways, reference) if other.failure is None]
    return set(one.rounds).intersection(*(other.rounds for other in others))


def _rounds(voyage: Voyage, asked: Learning, cohort: Sequence[Trained], count: int) -> None:
    name = uuid.uuid4().hex[:12]
    for index in range(count):
        order = [one for one in cohort if one.gang is not None]
        random.Random(f"{voyage.plan.study.measure.seed}/{name}/{index}").shuffle(order)
        for place, one in enumerate(order):
            if voyage.out_of_time():
                return
            voyage.tell("round", one.label, index * len(order) + place, count * len(order), "training")
            try:
                body = _block(voyage, asked, one) | {"name": f"{name}/{index:04d}", "at": now()}
            except WorkerError as error:
                _failed(one, error)
                continue
            one.rounds[body["name"]] = body
            voyage.keeper.put((TRAINING, f"{one.key}/round/{body['name']}", body))
            voyage.measured += 1


def _block(voyage: Voyage, asked: Learning, one: Trained) -> dict[str, Any]:
    """One block of steps, repeated while something disturbs it; the last attempt stands."""
    assert one.gang is not None
    limit = voyage.plan.study.measure.limits.block
    for _ in range(ATTEMPTS):
        body = one.gang.ask({"do": "block", "steps": asked.steps}, limit)
        if not body["disturbance"]["reason"]:
            break
    assert one.begun is not None
    return body | {"first_step_s": one.begun["first_step_s"], "set_up_s": one.begun["set_up_s"]}


def _begun(voyage: Voyage, one: Trained, handed: dict[str, Any]) -> bool:
    """Workers under way, past their first step; False, with the reason as a finding, where that failed."""
    limits, seed = voyage.plan.study.measure.limits, voyage.plan.study.measure.seed
    voyage.tell("open", label=one.label, note="training")
    try:
        one.gang = Gang(voyage, one.way, one.label, handed, seed)
        one.begun = one.gang.ask({"do": "begin", "epochs": ENDLESS}, limits.open)
    except WorkerError as error:
        _failed(one, error)
        return False
    one.memory = one.begun["memory"]
    return True


def _dismiss(one: Trained) -> None:
    if one.gang is not None:
        one.gang.close()
        one.gang = None


def _failed(one: Trained, error: WorkerError) -> None:
    _dismiss(one)
    one.failure = _why(error)


def _why(error: WorkerError) -> Finding:
    return missing("training.run", State(error.state), error.what, method=error.next_step, measured_at=now())


# --- from the beginning to the end -------------------------------------------------------------------------------------------


def _train_through(voyage: Voyage, asked: Learning, ways: Sequence[Trained], handed: dict[str, Any]) -> None:
    """Every way from every seed, seed by seed, in random order, each in fresh workers."""
    first = voyage.plan.study.measure.seed
    for seed in range(first, first + asked.seeds):
        order = [one for one in ways if one.failure is None and str(seed) not in one.runs]
        random.Random(f"{first}/{seed}").shuffle(order)
        for place, one in enumerate(order):
            if voyage.out_of_time():
                return
            voyage.tell("round", one.label, place, len(order), f"training from seed {seed}")
            _one_through(voyage, asked, one, handed, seed)


def _one_through(voyage: Voyage, asked: Learning, one: Trained, handed: dict[str, Any], seed: int) -> None:
    gang = None
    try:
        gang = Gang(voyage, one.way, f"{one.label} seed {seed}", handed, seed)
        body = gang.ask({"do": "through", "epochs": asked.epochs}, asked.limit)
    except WorkerError as error:
        one.lost[str(seed)] = _why(error)
        return
    finally:
        if gang is not None:
            gang.close()
    body |= {"name": str(seed), "at": now()}
    one.runs[str(seed)] = body
    voyage.keeper.put((TRAINING, f"{one.through_key}/seed/{seed}", body))
    voyage.measured += 1
