"""Interleaved rounds: in each, every candidate of a cohort and the reference run every load once, in random order.

Drift of the machine then hits all alike, and what is compared is the ratio within a round. A disturbed block is repeated; a
round is the unit that is kept.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import Order
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Round
from seatrial.errors import WorkerError, WorkerFailed
from seatrial.flow import arrays, surroundings, timed
from seatrial.flow.crew import driving, failed
from seatrial.flow.elsewhere import NO_PAIR, NOT_RUN
from seatrial.flow.keep import ROUND, SHORT_ROUND
from seatrial.flow.processing import SAID
from seatrial.flow.quiet import quietest
from seatrial.flow.service import TIMES_OF
from seatrial.flow.stated import without
from seatrial.flow.trial import Trial, Voyage, now

ATTEMPTS = 3
LEAST_CLEAN = 3
SPEEDUP = "speedup"
LEAST_S = 0.03
"""No short block lasts less, where a full one does: in 10 ms a wait of 0.1 ms for a processor is a disturbance already."""
_APART = 1_000_000
"""Short rounds are numbered from here, so that their schedules of arrivals are others than those of full rounds."""
LEVEL = 0.95
"""Of figures of a single round, which have no bounds."""
INFORMAL = "informal: a first look in few rounds"


class Short(NamedTuple):
    """Rounds that a search looks at: of these loads alone, a `share` as long, kept under a key of their own."""

    share: float
    loads: tuple[str, ...]
    key: str


def measure_rounds(
    voyage: Voyage, cohort: list[Trial], count: int, settled: Callable[[int], bool], short: Short | None = None
) -> None:
    """Up to `count` rounds of this cohort, until `settled(rounds)` or the budget is spent. Failures leave the cohort."""
    name = uuid.uuid4().hex[:12]
    seed = voyage.plan.study.measure.seed
    measured = max((len(_series(trial, short)) for trial in cohort), default=0) + (_APART if short else 0)
    for index in range(count):
        if settled(index) or voyage.out_of_time():
            return
        order = [trial for trial in cohort if trial.link is not None]
        random.Random(f"{seed}/{name}/{index}").shuffle(order)
        bodies = []
        chosen: dict[int, list[int]] = {}
        for place, trial in enumerate(order):
            voyage.tell("round", label=trial.planned.label, done=index * len(order) + place, total=count * len(order))
            number = measured + index  # no schedule of arrivals is used twice
            try:
                body = (
                    _short_round(voyage, trial, number, short, chosen) if short else _one_round(voyage, trial, number)
                )
                bodies.append((trial, body))
            except WorkerError as error:
                failed(voyage, trial, error)
        for trial, body in bodies:
            body |= {"pair": f"{name}/{index:04d}", "at": now()}
            _series(trial, short)[body["pair"]] = body
        shelf, under = (SHORT_ROUND, f"/{short.key}") if short else (ROUND, "")
        voyage.keeper.put(*((shelf, f"{trial.rounds_key}{under}/{body['pair']}", body) for trial, body in bodies))
        voyage.measured += len(bodies)


def _series(trial: Trial, short: Short | None) -> dict[str, Any]:
    return trial.probes if short else trial.rounds


def _one_round(voyage: Voyage, trial: Trial, number: int) -> dict[str, Any]:
    """Every load once, and what is read off beside them."""
    cores = quietest(trial.planned.candidate.processors)
    loads = {
        ref.name: _block(voyage, trial, voyage.ready(ref), cores, number) for ref in voyage.plan.study.measure.loads
    }
    beside = _ask(voyage, trial, None, cores)["readings"]
    return {"loads": loads, "beside": beside, "steady": dict(trial.steady), "slow_start": dict(trial.slow)}


def _short_round(
    voyage: Voyage, trial: Trial, number: int, short: Short, chosen: dict[int, list[int]]
) -> dict[str, Any]:
    """Short blocks on the processors that were `chosen` for this round; what is read off beside them where that is asked for."""
    count = trial.planned.candidate.processors
    if count not in chosen:
        chosen[count] = quietest(count)
    cores = chosen[count]
    refs = [ref for ref in voyage.plan.study.measure.loads if ref.name in short.loads]
    loads = {ref.name: _block(voyage, trial, _shortened(voyage, ref, short.share), cores, number, True) for ref in refs}
    beside = _ask(voyage, trial, None, cores)["readings"] if "" in short.loads else {}
    return {"loads": loads, "beside": beside, "steady": dict(trial.steady)}


def _shortened(voyage: Voyage, load: PartRef, share: float) -> PartRef:
    """A load with a share of its seconds and queries, as far as it has such options."""
    options = catalog.options(voyage.find("loads", load.name), voyage.ready(load).options)
    scaled: dict[str, Any] = {}
    if hasattr(options, "seconds"):
        scaled["seconds"] = max(options.seconds * share, min(options.seconds, LEAST_S))
    if hasattr(options, "queries"):
        scaled["queries"] = max(1, round(options.queries * share))
    return PartRef(name=load.name, options=options.model_copy(update=scaled).model_dump(mode="json"))


def _block(
    voyage: Voyage, trial: Trial, load: PartRef, cores: list[int], number: int, short: bool = False
) -> dict[str, Any]:
    """One block, repeated while something disturbs it; the last attempt stands, with its disturbance."""
    seen: dict[str, Any] = {}
    for attempt in range(1, ATTEMPTS + 1):  # noqa: B007
        answer = _ask(voyage, trial, load, cores, number, short)
        if answer.get("rubbish"):
            raise _not_its_answers(answer["rubbish"])
        seen |= {"repeats": answer["repeats"]} if "repeats" in answer else {}
        if not answer["disturbance"]["reason"]:
            break
        cores = quietest(trial.planned.candidate.processors)
    block = {"readings": answer["readings"], "disturbance": answer["disturbance"], "pace": answer.get("pace")}
    return block | {"attempts": attempt} | seen


def _not_its_answers(why: str) -> WorkerError:
    error = WorkerFailed(why)
    error.state = State.REFUSED
    return error


def _ask(
    voyage: Voyage, trial: Trial, load: PartRef | None, cores: list[int], number: int = 0, short: bool = False
) -> dict[str, Any]:
    assert trial.link is not None
    read = meters(voyage, load.name if load else "")
    options = {ref.name: ref.options for ref in read if ref.options}
    order = Order(
        order="block",
        part=load,
        base=str(voyage.folder),
        values=dict(trial.driven),
        meters=tuple(ref.name for ref in read),
        folder=str(voyage.keeper.arrays),
        settings=driving(voyage, trial) | {"cores": cores, "options": options} | ({"unchecked": True} if short else {}),
        seed=number,
    )
    return trial.link.ask(order, voyage.plan.study.measure.limits.block)


def meters(voyage: Voyage, load: str) -> list[PartRef]:
    """The study's meters that read this load; those that read no load (memory, size) for an empty one."""
    return [ref for ref in voyage.plan.study.measure.meters if voyage.find("meters", ref.name).takes("load", load)]


def speed_findings(voyage: Voyage, trial: Trial, reference: Trial | None, levels: Iterable[float]) -> list[Finding]:
    """What the meters make of a candidate's rounds, at each level; missing, with the reason, what can't be had of it."""
    if trial.imported:
        return _not_run(voyage, trial)
    if not trial.rounds:
        return []
    found = []
    for load in ["", *(ref.name for ref in voyage.plan.study.measure.loads)]:
        rounds = _paired(trial, reference, load)
        own = [body["loads"][load] for body in trial.rounds.values()] if load else []
        cached = timed.cached(own, load, trial.id, max(body["at"] for body in trial.rounds.values()))
        clean = [one for one in rounds if not one.disturbed]
        disturbed = len(clean) < min(LEAST_CLEAN, len(rounds))
        said = _of_times(voyage, trial, load)
        own_way, beside = surroundings.of_rounds(trial.rounds, reference.rounds if reference else {}, load)
        for ref in meters(voyage, load):
            info = voyage.find("meters", ref.name)
            chosen = [_reading_of(ref.name, one) for one in (rounds if disturbed else clean)]
            stated = _had(_tried(info, ref, chosen, load, levels), info, trial, reference, load)
            stated = _with_times(stated, voyage, trial, ref.name, chosen, load)
            signed = (
                _signed(one, info.name, info.version, trial, reference, rounds, disturbed, load, said) for one in stated
            )
            found += [timed.doubted(surroundings.wandered(one, own_way, beside), cached) for one in signed]
        found += [*cached, *surroundings.slow_start([*trial.rounds.values()], load, trial.id)]
    return list({(one.key, one.level): one for one in found}.values())


def _tried(info: PartInfo, ref: PartRef, rounds: list[Round], load: str, levels: Iterable[float]) -> list[Finding]:
    """A meter's findings at each level; a meter that raises leaves them missing, and the study goes on."""
    meter, options = catalog.load(info), catalog.options(info, ref.options)
    try:
        return [one for level in levels for one in meter.findings(rounds, load, level, options)]
    except Exception as error:  # noqa: BLE001 - it becomes a finding
        return without(info, f"it raised {type(error).__name__}: {error}")


def _not_run(voyage: Voyage, trial: Trial) -> list[Finding]:
    """All that the meters would have found of a candidate whose outputs were made elsewhere."""
    found = []
    for load in ["", *(ref.name for ref in voyage.plan.study.measure.loads)]:
        for info in (voyage.find("meters", ref.name) for ref in meters(voyage, load)):
            fields: dict[str, Any] = {"at": {"load": load} if load else {}, "candidate": trial.id, "measured_at": now()}
            fields |= {"part": info.name, "part_version": info.version}
            found += [one.model_copy(update=fields) for one in without(info, NOT_RUN, State.UNSUPPORTED)]
    return list({one.key: one for one in found}.values())


def _had(stated: list[Finding], info: PartInfo, trial: Trial, reference: Trial | None, load: str) -> list[Finding]:
    """What was stated, less what the runtime says that it can't know of its model, and with how its times are to be read."""
    found = []
    for one in stated:
        gap = trial.runtime.cannot.get(one.what)
        found.append(missing(one.what, State.UNSUPPORTED, gap[1], at=one.at) if gap else one)
    found += [
        missing(what, State.UNSUPPORTED, gap[1], at={"load": load} if load else {})
        for what in info.gives.get("finding", ())
        if (gap := trial.runtime.cannot.get(what)) and what not in [one.what for one in found]
    ]
    if SPEEDUP in info.gives.get("finding", ()) and reference is not None and reference.imported:
        found.append(missing(SPEEDUP, State.UNSUPPORTED, NO_PAIR, at={"load": load}))
    return found


def _with_times(
    stated: list[Finding], voyage: Voyage, trial: Trial, meter: str, chosen: list[Round], load: str
) -> list[Finding]:
    """The mean with the files of the times behind it, where they are service times: what a queue is simulated from later."""
    if not load or "service" not in voyage.find("loads", load).gives.get("times", ()):
        return stated
    bodies = list(trial.rounds.values())
    found = {one.index: arrays.refs(bodies[one.index]["loads"][load]["readings"][meter]) for one in chosen}
    files = {f"round {index}": f"{voyage.keeper.arrays.name}/{Path(ref.path).name}" for index, refs in found.items() for ref in refs}  # fmt: skip
    return [one.model_copy(update={"artefacts": files}) if one.what == TIMES_OF else one for one in stated]


def by_round(
    voyage: Voyage, trial: Trial, reference: Trial | None, load: str, known: Container[str] = ()
) -> Iterator[tuple[str, list[Finding]]]:
    """What the meters make of each undisturbed short round alone, under the round's name; less those that are known."""
    fresh = {name: body for name, body in trial.probes.items() if name not in known}
    mine = replace(trial, rounds=fresh)
    other = mine if trial is reference else replace(reference, rounds=reference.probes) if reference else None
    for name, one in zip(mine.rounds, _paired(mine, other, load), strict=True):
        if not one.disturbed:
            infos = [(voyage.find("meters", ref.name), ref) for ref in meters(voyage, load)]
            alone = [(info, ref, [_reading_of(ref.name, one)]) for info, ref in infos]
            yield name, [f for info, ref, rounds in alone for f in _tried(info, ref, rounds, load, [LEVEL])]


def _paired(trial: Trial, reference: Trial | None, load: str) -> list[Round]:
    """A candidate's rounds of one load, each with the reference's reading in the same round of the same cohort."""
    others = {} if reference is None or reference is trial else reference.rounds
    paired = []
    for index, (pair, body) in enumerate(trial.rounds.items()):  # as they were kept: clocks may be set back
        other = others.get(pair)
        reasons = [_disturbance(one, load) for one in (body, other) if one]
        paired.append(Round(index, _reading(body, load), _reading(other, load) if other else None, any(reasons)))
    return paired


def _reading(body: dict[str, Any], load: str) -> Any:
    kept = body["loads"][load]["readings"] if load else body["beside"]
    return arrays.unpack(kept)


def _disturbance(body: dict[str, Any], load: str) -> str:
    return body["loads"][load]["disturbance"]["reason"] if load else ""


def _reading_of(meter: str, one: Round) -> Round:
    return Round(one.index, one.reading[meter], one.reference[meter] if one.reference else None, one.disturbed)


def _of_times(voyage: Voyage, trial: Trial, load: str) -> list[str]:
    """How times under this load are to be read: what is in them, by whose definitions they are, and whether they are a first look."""
    by = voyage.find("loads", load).gives.get("timing", ()) if load else ()
    informal = [INFORMAL] if voyage.plan.quick else []
    return [*trial.runtime.gives.get("timing", ()), *([SAID] if trial.stored else []), *by, *informal]


def _signed(
    one: Finding,
    part: str,
    version: int,
    trial: Trial,
    reference: Trial | None,
    rounds: list[Round],
    disturbed: bool,
    load: str,
    said: Sequence[str],
) -> Finding:
    """The finding with its candidate, part and date, what is `said` of its times; marked where the machine or the candidate was not steady."""
    update: dict[str, Any] = {
        "candidate": trial.id,
        "against": reference.id if one.against and reference else None,
        "part": part,
        "part_version": version,
        "measured_at": max(body["at"] for body in trial.rounds.values()),
    }
    if timing := ", ".join(word for word in said if word not in one.method) if load and one.value is not None else "":
        update["method"] = f"{one.method}; {timing}" if one.method else timing
    if one.value is not None and disturbed:
        out = sum(round_.disturbed for round_ in rounds)
        update |= {
            "state": State.DISTURBED if one.state is State.OK else one.state,
            "note": timed.joined(f"the machine did other things in {out} of {len(rounds)} rounds", one.note),
        }
    elif one.state is State.OK and not all(body["steady"].get(load, True) for body in trial.rounds.values()):
        update |= {
            "state": State.UNSTABLE,
            "note": timed.joined("it had not become steady when the rounds began", one.note),
        }
    return one.model_copy(update=update)
