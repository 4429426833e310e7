"""Opening a candidate: start its worker, load, warm up, keep its answers once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seatrial import catalog
from seatrial.contracts.finding import State
from seatrial.contracts.messages import ArrayRef, Order, OrderName
from seatrial.errors import SeatrialError, WorkerError, WorkerFailed
from seatrial.flow import arrays
from seatrial.flow.alone import SAME
from seatrial.flow.copies import Copies
from seatrial.flow.keep import FACTS, PREDICTION, REFUSAL
from seatrial.flow.making import differ
from seatrial.flow.processing import asked
from seatrial.flow.quiet import quietest
from seatrial.flow.trial import Trial, Voyage, asks_a_server, now

SAMPLE_ROWS = 512
FOR_GOOD = (State.REFUSED, State.UNSUPPORTED)
"""What would come out the same next time; a crash, a hang or an error is tried again by the next run."""
WARM = {"seconds": 0.1, "queries": 3, "most": 1.0}
"""A window of the warm-up: a model of several seconds an answer gives one."""


def open_trial(voyage: Voyage, trial: Trial) -> bool:
    """A worker ready for timed rounds and its outputs kept; False, with the reason as a finding, when that failed."""
    try:
        _open(voyage, trial)
        _warm(voyage, trial)
        _predict(voyage, trial)
    except WorkerError as error:
        failed(voyage, trial, error)
    return trial.failure is None


def verify(voyage: Voyage, trial: Trial) -> None:
    """Ask the session what really ran; a candidate that didn't run as asked is refused. Asked after the rounds, because
    finding out may cost memory."""
    if trial.link is None or trial.facts is not None:
        return
    try:
        limit = voyage.plan.study.measure.limits.predict
        trial.facts = trial.link.ask(session_order(voyage, trial, "facts"), limit)["facts"] | {"at": now()}
        voyage.keeper.put((FACTS, trial.key, trial.facts))
        if trial.facts["fell_back"]:
            error = WorkerFailed(f"it did not run as asked: {trial.facts['fell_back']}")
            error.state = State.REFUSED
            raise error
    except WorkerError as error:
        failed(voyage, trial, error)


def close_all(trials: Iterable[Trial]) -> None:
    """Let the workers go."""
    for trial in trials:
        trial.close()


def failed(voyage: Voyage, trial: Trial, error: WorkerError) -> None:
    """End a trial; what would come out the same next time is kept."""
    trial.fail(error)
    assert trial.failure is not None
    if trial.failure.state in FOR_GOOD:
        voyage.keeper.put((REFUSAL, trial.key, trial.failure.model_dump(mode="json")))


def session_order(voyage: Voyage, trial: Trial, name: OrderName, **fields: Any) -> Order:
    """An order about a trial's session."""
    common = {"base": str(voyage.folder), "values": dict(trial.values), "folder": str(voyage.keeper.arrays)}
    return Order(order=name, **common | fields)


def driving(voyage: Voyage, trial: Trial) -> dict[str, Any]:
    """Settings of an order that drives a trial: what stands before and after the model, where that is within the clock."""
    return asked(voyage.plan.study.models[trial.planned.candidate.model]) if trial.stored else {}


def _open(voyage: Voyage, trial: Trial) -> None:
    candidate = trial.planned.candidate
    voyage.tell("open", label=trial.planned.label)
    network = asks_a_server(trial.runtime)
    if candidate.instances > 1:
        name = candidate.id
        trial.link = Copies(
            candidate.instances, candidate.threads, lambda at: voyage.start(f"{name}/{at}", network=network)
        )
    else:
        trial.link = voyage.start(candidate.id, network=network)
    setting = {name: getattr(candidate, name) for name in ("device", "precision", "threads", "batch")}
    order = session_order(voyage, trial, "open", part=candidate.runtime, artefact=trial.artefact, setting=setting)
    answer = trial.link.ask(order, voyage.plan.study.measure.limits.open)
    trial.memory = answer["memory"]


def _warm(voyage: Voyage, trial: Trial) -> None:
    """Every load until three windows agree; the first call at a new batch size may compile, hence the limit of `open`."""
    assert trial.link is not None
    for load in voyage.plan.study.measure.loads:
        voyage.tell("warm", label=trial.planned.label, note=load.name)
        options = catalog.options_type(catalog.load(voyage.find("loads", load.name))).model_fields
        brief = {name: value for name, value in WARM.items() if name in options}
        settings = brief | {"cores": quietest(trial.planned.candidate.processors)} | driving(voyage, trial)
        answer = trial.link.ask(
            session_order(voyage, trial, "warm", part=voyage.ready(load), settings=settings, values=dict(trial.driven)),
            voyage.plan.study.measure.limits.open,
        )
        trial.steady[load.name], trial.slow[load.name] = answer["stable"], answer["slow_start"]


def _predict(voyage: Voyage, trial: Trial) -> None:
    """Take the outputs that are kept for this artefact, runtime and precision if they agree on a sample, else answer all."""
    voyage.tell("predict", label=trial.planned.label)
    rows = next(iter(trial.values.values())).shape[0]
    if trial.prediction is None:
        kept = [body for _, body in voyage.keeper.all(PREDICTION, f"{trial.prediction_key}/")]
        sample = _ask(voyage, trial, (0, min(SAMPLE_ROWS, rows))) if kept else {}
        same = next((body for body in kept if _agree(sample, body)), None)
        trial.prediction = same | {"alone": sample.get("alone")} if same else _ask(voyage, trial, (0, rows))
        voyage.measured += same is None
        voyage.reused += same is not None
        voyage.keeper.put((PREDICTION, trial.kept_prediction, trial.prediction))


def _ask(voyage: Voyage, trial: Trial, rows: tuple[int, int]) -> dict[str, Any]:
    assert trial.link is not None
    order = session_order(voyage, trial, "predict", rows=rows, samples=trial.planned.candidate.batch)
    answer = trial.link.ask(order, voyage.plan.study.measure.limits.predict)
    outputs = {name: {"$array": ref} for name, ref in answer["outputs"].items()}
    return {"outputs": outputs, "alone": answer.get("alone"), "at": now()}


def _agree(sample: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """Whether a sample of outputs equals the first rows of kept ones, to rounding."""
    mine = {name: arrays.unpack(ref) for name, ref in sample["outputs"].items()}
    theirs = {
        name: arrays.load(ArrayRef(**ref["$array"]), 0, len(next(iter(mine.values()))))
        for name, ref in kept["outputs"].items()
    }
    try:
        difference, scale = differ(theirs, mine)
    except SeatrialError:
        return False
    return difference <= SAME * max(1.0, scale)
