"""Step 2: plan. Every way to run that the study asks for, less what is impossible here, each with its reason."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path

from seatrial import catalog
from seatrial.contracts.candidate import Candidate, PartRef, labels
from seatrial.contracts.dossier import Dropped
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Levels, Plan, Planned
from seatrial.contracts.rows import Role
from seatrial.contracts.study import Grid, Reference, Study
from seatrial.errors import StudyError
from seatrial.flow._roles import offers
from seatrial.flow.machines import LOCAL, reached
from seatrial.flow.read import Source
from seatrial.flow.routes import Way, fitting, not_installed
from seatrial.flow.steps import estimate as attacks_estimate
from seatrial.flow.training_ways import estimate as training_estimate

QUICK_ROUNDS = 3
MOST_CANDIDATES = 10_000

# What the estimate of time rests on: seconds on a common two-core machine, measured by nobody for this study.
OPENING_S = 4.0  # start a worker, import its framework, open the model, predict all rows, warm up
MAKING_S = 3.0  # make one variant
BLOCK_S = 1.0  # one timed block, where its load doesn't say how long it lasts
BETWEEN_BLOCKS_S = 0.05

_DIMENSIONS = tuple(name for name in Grid.model_fields if name != "model")
_STATEABLE = tuple(name for name in Reference.model_fields if name != "eligible")


def make_plan(source: Source, only: Sequence[str] = (), quick: bool = False) -> Plan:
    """What would run. `only` keeps candidates whose id or label has one of these words in it (or fits a pattern), and the reference.

    `quick` takes at most three rounds. Raises `StudyError` when nothing is left, or when the reference isn't one candidate.
    """
    study = source.study
    asked = _asked(source)
    possible = _Possible(study, source.folder)
    reasons = {candidate.id: possible.why_not(candidate) for candidate in asked}
    dropped = tuple(Dropped(id=id_, reason=reason) for id_, reason in reasons.items() if reason)
    kept = [candidate for candidate in asked if not reasons[candidate.id]]
    if not kept:
        raise _nothing_left(dropped, source)
    reference = _reference(kept, asked, reasons, source)
    names = labels(kept)
    chosen = _only(kept, names, reference, only)
    planned = tuple(
        Planned(
            candidate=candidate,
            label=names[candidate.id],
            form=possible.way(candidate).form,
            conversion=possible.way(candidate).conversion,
            reference=candidate is reference,
            eligible=candidate is not reference or study.reference.eligible,
        )
        for candidate in chosen
    )
    rounds = _rounds(study, quick)
    return Plan(
        study=study,
        folder=str(source.folder),
        file=str(source.file),
        candidates=planned,
        dropped=dropped,
        levels=_levels(study, kept, reference),
        rounds=rounds,
        estimate_s=_estimate(study, source.folder, planned, rounds[0]),
        quick=quick,
    )


# --- what is asked for ----------------------------------------------------------------------------------------------------


def _asked(source: Source) -> list[Candidate]:
    """Every combination of every grid, each once."""
    grids = source.study.candidates
    count = sum(prod(map(len, _axes(grid, source.study))) for grid in grids)
    if count > MOST_CANDIDATES:
        where = source.where("candidates")
        raise StudyError(
            f"the study asks for {count} candidates; at most {MOST_CANDIDATES} can be planned", where=where
        )
    found: dict[str, Candidate] = {}
    machine = reached(source.study.measure.executor, source.folder)
    for grid in grids:
        for model, *rest in product(*_axes(grid, source.study)):
            candidate = _filled(
                Candidate(model=model, **dict(zip(_DIMENSIONS, rest, strict=True))), grid, source.folder, machine
            )
            found.setdefault(candidate.id, candidate)
    return list(found.values())


def _filled(candidate: Candidate, grid: Grid, folder: Path, machine: str) -> Candidate:
    """Device and precision that a block leaves out are those that the runtime takes, where it takes one alone; the machine
    is the one that the executor reaches."""
    if "machine" not in grid.model_fields_set:
        candidate = candidate.model_copy(update={"machine": machine})
    runtime = catalog.find("runtimes", candidate.runtime.name, folder)
    left_out = [aspect for aspect in ("device", "precision") if aspect not in grid.model_fields_set]
    return candidate.model_copy(update={aspect: only for aspect in left_out if (only := runtime.only(aspect))})


def _axes(grid: Grid, study: Study) -> list[Sequence[object]]:
    """What the grid lists along each dimension; without a model it means every model."""
    return [grid.model or tuple(study.models), *(getattr(grid, name) for name in _DIMENSIONS)]


# --- what is possible -----------------------------------------------------------------------------------------------------


class _Possible:
    """Says why a candidate can't run. What holds for many candidates is found out once."""

    def __init__(self, study: Study, folder: Path) -> None:
        self._study, self._folder = study, folder
        self._machine_reached = reached(study.measure.executor, folder)
        self._absent: dict[tuple[str, str], str] = {}
        self._ways: dict[tuple[str, str, str], Way] = {}

    def why_not(self, candidate: Candidate) -> str:
        """The reason in words; empty when it can run as far as can be known without trying."""
        return next(filter(None, self._reasons(candidate)), "")

    def way(self, candidate: Candidate) -> Way:
        """The form of its model that, converted where need be and after the variant, its runtime takes; or why there is none."""
        key = (candidate.model, candidate.variant.name, candidate.runtime.name)
        if key not in self._ways:
            runtime = self._find("runtimes", candidate.runtime)
            stated = self._study.models[candidate.model]
            self._ways[key] = fitting(candidate.model, stated, self._links(candidate), runtime, self._folder)
        return self._ways[key]

    def _reasons(self, candidate: Candidate) -> Iterator[str]:
        runtime, links = self._find("runtimes", candidate.runtime), self._links(candidate)
        if self._machine_reached == LOCAL:  # what another machine has is found out there
            for part in (runtime, *links):
                yield from not_installed(part)
        for part in (runtime, *links):
            for aspect, value in (("device", candidate.device), ("precision", candidate.precision)):
                yield from _not_taken(part, aspect, value)
        yield from self._machine(candidate)
        yield self.way(candidate).reason
        for variant in links:
            rows = variant.accepts.get("rows", ())
            if "calibrate" in rows and "none" not in rows and not self._calibrating:
                yield f"{variant.name} needs rows to calibrate with: give a data set `roles: calibrate`, or draw some for it"
            if "train" in rows and "none" not in rows and not self._training:
                yield f"{variant.name} needs rows to train with: give a data set `roles: train`, or draw some for it"
        if self._machine_reached == LOCAL:
            yield self._not_here(runtime, candidate.device)

    def _find(self, kind: str, ref: PartRef) -> PartInfo:
        return catalog.find(kind, ref.name, self._folder)

    def _links(self, candidate: Candidate) -> list[PartInfo]:
        """What is done to the model, one after the other."""
        return [self._find("variants", link) for link in candidate.variant.links]

    @cached_property
    def _calibrating(self) -> bool:
        return any(offers(data.roles, Role.CALIBRATE) for data in self._study.data.values())

    @cached_property
    def _training(self) -> bool:
        return any(offers(data.roles, Role.TRAIN) for data in self._study.data.values())

    def _machine(self, candidate: Candidate) -> Iterator[str]:
        executor = self._find("executors", self._study.measure.executor)
        if candidate.machine != self._machine_reached:
            yield f"the executor `{executor.name}` doesn't reach the machine `{candidate.machine}`"
        if candidate.instances > 1 and "instances" not in executor.gives:
            yield f"the executor `{executor.name}` runs one instance, not {candidate.instances}"
        if candidate.instances > 1:
            yield from self._side_by_side(candidate)

    def _side_by_side(self, candidate: Candidate) -> Iterator[str]:
        """Why several instances can't be measured: too few processors, or a load or a meter that knows of one alone."""
        there = len(os.sched_getaffinity(0))
        if self._machine_reached == LOCAL and candidate.device == "cpu" and candidate.processors > there:
            yield f"{candidate.instances} instances of {candidate.threads} threads take {candidate.processors} processors; this machine has {there}"
        for load in self._study.measure.loads:
            if "instances" not in self._find("loads", load).gives:
                yield f"the load `{load.name}` drives one instance, not {candidate.instances}"
        for meter in self._study.measure.meters:
            if "instances" not in self._find("meters", meter).gives:
                yield f"the meter `{meter.name}` reads one instance, not {candidate.instances}"

    def _not_here(self, runtime: PartInfo, device: str) -> str:
        key = (runtime.path, device)
        if key not in self._absent:
            self._absent[key] = catalog.load(runtime).absent(device) or ""
        return self._absent[key]


def _not_taken(part: PartInfo, aspect: str, value: str) -> Iterator[str]:
    """`cuda:1` is a device of the kind `cuda`."""
    if not part.takes(aspect, value) and not part.takes(aspect, value.split(":")[0]):
        gap = part.cannot.get(value)
        why = f" ({gap[0]}: {gap[1]})" if gap else f" (it takes {', '.join(part.accepts[aspect])})"
        yield f"{part.name} doesn't take the {aspect} {value}{why}"


def _nothing_left(dropped: Sequence[Dropped], source: Source) -> StudyError:
    lines = tuple(f"{one.id}: {one.reason}" for one in dropped)
    shown = "\n  ".join(lines[:10]) + (f"\n  and {len(lines) - 10} more" if len(lines) > 10 else "")
    return StudyError(
        f"none of the {len(lines)} candidates can run here:\n  {shown}",
        where=source.where("candidates"),
        next_step="`seatrial doctor` says what this machine can run, and the command that adds the rest",
        problems=lines,
    )


# --- the reference --------------------------------------------------------------------------------------------------------


def _reference(
    kept: Sequence[Candidate], asked: Sequence[Candidate], reasons: dict[str, str], source: Source
) -> Candidate:
    """The one candidate that the study's `reference` singles out."""
    stated = {name: value for name in _STATEABLE if (value := getattr(source.study.reference, name)) is not None}
    fitting = [candidate for candidate in kept if _fits(candidate, stated)]
    if len(fitting) == 1:
        return fitting[0]
    where = source.where("reference")
    if fitting:
        apart = [name for name in _STATEABLE if len({str(getattr(one, name)) for one in fitting}) > 1]
        raise StudyError(
            f"the reference fits {len(fitting)} candidates: {_listed(fitting)}",
            where=where,
            next_step=f"single one out by {', '.join(apart)}, as in `{apart[0]}: {getattr(fitting[0], apart[0])}`"
            if apart
            else "they differ in their machine only: ask for one of them in `candidates`",
        )
    if lost := [candidate for candidate in asked if _fits(candidate, stated)]:
        raise StudyError(f"the reference {lost[0].id} can't run here: {reasons[lost[0].id]}", where=where)
    near = max(kept, key=lambda one: sum(str(getattr(one, name)) == str(value) for name, value in stated.items()))
    other = [name for name, value in stated.items() if getattr(near, name) != value]
    raise StudyError(
        "no candidate fits the reference; it must be one of them",
        where=where,
        next_step=f"the nearest is {near.id}, where {', '.join(f'{name} is {getattr(near, name)}' for name in other)}",
    )


def _fits(candidate: Candidate, stated: dict[str, object]) -> bool:
    return all(getattr(candidate, name) == value for name, value in stated.items())


def _listed(candidates: Sequence[Candidate]) -> str:
    return ", ".join(one.id for one in candidates[:5]) + (", ..." if len(candidates) > 5 else "")


# --- how much of it -------------------------------------------------------------------------------------------------------


def _only(
    kept: Sequence[Candidate], names: dict[str, str], reference: Candidate, only: Sequence[str]
) -> list[Candidate]:
    """The candidates that `only` names, and the reference."""
    chosen = [one for one in kept if any(_named(word, one.id, names[one.id]) for word in only)] if only else list(kept)
    for word in only:
        if not any(_named(word, one.id, names[one.id]) for one in kept):
            words = [*names, *names.values()]
            near = catalog.nearest(word, words)
            step = f"did you mean `{near}`?" if near else "`seatrial plan STUDY` lists them"
            raise StudyError(f"no candidate has `{word}` in its id or label", next_step=step)
    return [one for one in kept if one in chosen or one is reference]


def _named(word: str, id_: str, label: str) -> bool:
    return any(word in name or fnmatch.fnmatchcase(name, word) for name in (id_, label))


def _rounds(study: Study, quick: bool) -> tuple[int, int]:
    rounds = study.measure.rounds
    most = min(rounds.most, QUICK_ROUNDS) if quick else rounds.most
    return min(rounds.least, most), most


def _levels(study: Study, kept: Sequence[Candidate], reference: Candidate) -> Levels:
    """Each bound holds for all eligible candidates together, because a study passes when any of them passes.

    Those that `only` leaves out count too: running candidates one by one must not make it easier to pass.
    """
    eligible = sum(candidate is not reference or study.reference.eligible for candidate in kept)
    compared = max(1, eligible) if study.require else 1
    return Levels(gate=1 - 2 * (1 - study.confidence) / compared, compared=compared)


def _estimate(study: Study, folder: Path, planned: Sequence[Planned], rounds: int) -> float:
    """Seconds, by the constants at the top of this file and what the loads say of their blocks. An estimate, no promise."""
    blocks = sum(_block_seconds(load, folder) + BETWEEN_BLOCKS_S for load in study.measure.loads)
    rounds_each = _searched(study, folder, len(planned), rounds)
    made = {(one.candidate.model, str(one.candidate.variant), one.route) for one in planned}
    training = training_estimate(study, OPENING_S, BLOCK_S)
    attacks = attacks_estimate(study, folder, [one.candidate.model for one in planned], OPENING_S)
    return round(len(made) * MAKING_S + len(planned) * (OPENING_S + rounds_each * blocks) + training + attacks, 1)


def _searched(study: Study, folder: Path, candidates: int, rounds: int) -> float:
    """Rounds a candidate, short ones as the share that they are of a full one, if each look of the search leaves half of them in."""
    info = catalog.find("searches", study.measure.search.name, folder)
    counts, share = catalog.load(info).rungs(catalog.options(info, study.measure.search.options))
    if not counts:
        return rounds
    steps = zip((0, *counts), counts, strict=False)
    short = sum((count - before) / 2**rung for rung, (before, count) in enumerate(steps))
    staying = max(2.0, candidates / 2 ** len(counts)) / max(2, candidates)
    return float(share * short + rounds * staying)


def _block_seconds(load: PartRef, folder: Path) -> float:
    options = catalog.options(catalog.find("loads", load.name, folder), load.options)
    return float(getattr(options, "seconds", BLOCK_S))
