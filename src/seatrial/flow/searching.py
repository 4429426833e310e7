"""Searching: short rounds of all candidates, after which those that can't be the answer are left out.

The part says whom to leave out; here it is told what is known. That is the study's preference, round by round; which requirements
a candidate is shown to fail, by its outputs or by its short rounds; and who may displace others. Short rounds are kept, and
looked at again in the same steps when a study is resumed. Figures of who stays come from full rounds alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.race import Entrant, Failing, Leaving, Race
from seatrial.contracts.record import digest
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.flow.counted import Judged
from seatrial.flow.decide import Requirement, decide, preferred, requirements
from seatrial.flow.keep import SHORT_ROUND
from seatrial.flow.rounds import Short, by_round, measure_rounds, meters
from seatrial.flow.search_told import disturbed, is_left_out, left_out
from seatrial.flow.statements import reference_of, statements
from seatrial.flow.trial import Trial, Voyage, now
from seatrial.numerics.ratios import paired_ratio
from seatrial.numerics.stopping import level_at_look, looks

_FEWEST = 3
"""Short rounds without which nothing is said of a requirement."""


class Asked(NamedTuple):
    """A figure that short rounds show: its name, the setting that is asked for, and the load that it is read off."""

    what: str
    at: Mapping[str, Any]
    load: str


class Standing(NamedTuple):
    """What is known of a candidate beside its short rounds: what it fails, and whether nothing is failing or open."""

    failing: tuple[Failing, ...] = ()
    sound: bool = True


class Hunt:
    """One study's search. Without rungs it does nothing, and every candidate is measured."""

    def __init__(self, voyage: Voyage, trials: Sequence[Trial], judged: Mapping[str, Judged]) -> None:
        ref = voyage.plan.study.measure.search
        self._info = voyage.find("searches", ref.name)
        self._part, self._options = catalog.load(self._info), catalog.options(self._info, ref.options)
        self._rungs = self._part.rungs(self._options)
        self._voyage, self._trials, self._judged = voyage, list(trials), judged
        self._racing = [
            one for one in trials if one.planned.eligible and not one.imported and not one.planned.reference
        ]
        self._reference = reference_of([one for one in trials if not one.imported])
        self._required = requirements(voyage.plan)
        prefer = preferred(voyage.plan)
        self._preferred = self._asked(prefer["what"], prefer.get("at") or {}) if prefer else None
        self._short = self._shorter()
        self._by: dict[str, str] = {}
        self._able = self._sure = False
        self._seen: dict[tuple[str, str], dict[str, list[Finding]]] = {}
        for one in trials if self._rungs.counts else ():
            kept = voyage.keeper.all(SHORT_ROUND, f"{one.rounds_key}/{self._short.key}/")
            one.probes = {body["pair"]: body for _, body in kept}

    # --- what `measure` asks -----------------------------------------------------------------------------------------------

    def ordered(self, pending: Sequence[Trial]) -> list[Trial]:
        """Those that are still to be measured, the most promising first: less those that kept short rounds rule out."""
        place = {
            id_: at
            for at, id_ in enumerate(self._part.order([one.planned.candidate for one in pending], self._options))
        }
        self._race([])
        if all(one.failure is not None for one in pending) and self._doubted():
            self._race([])
        return sorted((one for one in pending if one.failure is None), key=lambda one: place[one.id])

    def narrow(self, cohort: list[Trial]) -> list[Trial]:
        """Short rounds of an open cohort; who is left out is closed. The reference stays."""
        self._race([one for one in cohort if one.link is not None])
        for one in cohort:
            if is_left_out(one):
                one.close()
        return [one for one in cohort if one.link is not None]

    def revived(self, pending: Sequence[Trial]) -> list[Trial]:
        """Candidates that come back: who displaced them doesn't pass now that it is measured in full, or, where nobody is
        `pending`, the answer hangs on an assumption about them."""
        back = [one for one in self._revive(self._standings()) if one.link is None]
        back = back or ([] if pending else self._doubted())
        if back:
            self._race([])
        return [one for one in back if one.failure is None]

    def findings(self) -> list[Finding]:
        """How many candidates were left out, of how many."""
        if not self._rungs.counts:
            return []
        return [left_out(self._info, self._rungs.counts, self._racing, [*self._notes()])]

    def _notes(self) -> Iterator[str]:
        """What the search could not go by."""
        if self._voyage.plan.study.prefer and not self._preferred:
            yield "what is preferred isn't read off round by round: requirements alone left out"
        elif self._preferred and (why := self._unread()):
            yield f"what is preferred, `{self._preferred.what}`, could not be read in short rounds ({why}): requirements alone left out"
        elif (asked := self._preferred) and not self._able and any(self._read(one, asked.load) for one in self._racing):
            yield "every candidate was open on a requirement or failed one, so that none could displace others"

    def _unread(self) -> str:
        """Why no short round shows what is preferred; empty where one does, or where there was none."""
        asked = self._preferred
        if asked is None or not any(one.probes for one in self._racing):
            return ""
        rounds = [found for one in self._racing for found in self._read(one, asked.load).values()]
        told = [f for found in rounds for f in found if f.what == asked.what]
        if not rounds or any(_is(f, asked) for f in told):
            return ""  # all were disturbed, which is said by itself; or there it is
        return next((f.note for f in told if f.note), "it stands in none of them")

    # --- the race ------------------------------------------------------------------------------------------------------------

    def _race(self, opened: Sequence[Trial]) -> None:
        """Rung by rung: short rounds of those that are open, then a look at all that is known."""
        standings = self._standings() if self._rungs.counts else {}
        for count in self._rungs.counts:
            running = [one for one in self._racing if one.failure is None]
            fresh = [one for one in opened if one in running and not self._full(one)]
            if opened and (not fresh or len(running) < 2):
                return
            if fresh and self._short.loads:
                self._top_up(fresh, count)
            seen = self._seen_at(count, standings)
            self._able = self._able or any(one.sound and one.values for one in seen.running)
            left = self._part.leave(seen, self._options)
            if self._dismiss(left):
                self._revive(standings | {one.candidate: Standing(sound=False) for one in left if not one.by})
            short = disturbed(fresh)
            if 2 * sum(short) > len(short) or (fresh and self._blind()):
                return  # more short rounds would cost and show nothing: the machine is too busy, or there is nothing to see

    def _top_up(self, fresh: list[Trial], count: int) -> None:
        have = min(len(one.probes) for one in fresh)
        reference = self._reference if self._reference and self._reference.link else None
        cohort = [reference, *fresh] if reference and reference not in fresh else fresh
        measure_rounds(self._voyage, cohort, count - have, lambda _: False, self._short)

    def _seen_at(self, count: int, standings: Mapping[str, Standing]) -> Race:
        """What is known after so many short rounds of each, whether or not there are more by now."""
        made = {
            one.id: self._entrant(one, count, standings)
            for one in self._racing
            if one.failure is None or is_left_out(one)
        }
        better = self._direction()
        running = [one for one in self._racing if one.failure is None]
        return Race(
            running=[made[one.id] for one in running],
            gone=[made[one.id] for one in self._racing if is_left_out(one)],
            compared=len(self._racing),
            looks=len(self._rungs.counts),
            what=self._preferred.what if self._preferred else "",
            better=better if self._preferred else None,
            processors=len(os.sched_getaffinity(0)),
            sure=self._sure,
            last=count == self._rungs.counts[-1] and all(len(one.probes) >= count for one in running if one.probes),
        )

    def _entrant(self, one: Trial, count: int, standings: Mapping[str, Standing]) -> Entrant:
        standing = standings.get(one.id, Standing())
        failing = standing.failing
        if not failing and not self._full(one):
            failing = self._failing_by_rounds(one, count)
        return Entrant(
            candidate=one.planned.candidate,
            label=one.planned.label,
            values=self._values(one, self._preferred, count) if self._preferred else {},
            failing=failing,
            sound=standing.sound and not failing,
            relied=one.id in self._by.values(),
        )

    def _dismiss(self, left: Sequence[Leaving]) -> list[Trial]:
        """Note whom the search leaves out; who was measured in full already stays."""
        reasons = {one.candidate: one for one in left}
        gone = [one for one in self._racing if one.id in reasons and one.failure is None and not self._full(one)]
        for one in gone:
            leaving = reasons[one.id]
            self._by[one.id] = leaving.by
            note = f"left out by the search `{self._info.name}`: {leaving.reason}"
            fields: dict[str, Any] = {"part": self._info.name, "part_version": self._info.version, "measured_at": now()}
            one.failure = missing("run", State.LEFT_OUT, note, candidate=one.id, **fields)
        if gone:
            still = sum(one.failure is None for one in self._racing)
            self._voyage.tell(
                "note", note=f"the search left out {len(gone)}; {still} of {len(self._racing)} are still in"
            )
        return gone

    def _blind(self) -> bool:
        """Whether short rounds show neither what is preferred nor anything that is required."""
        return bool(self._unread()) and not any(self._asked(*one.rule.needs(one.options)) for one in self._required)

    def _doubted(self) -> list[Trial]:
        """Those that were assumed to fail, where nobody passes and nobody else is open: now they are looked at, once, without assuming."""
        if self._sure or not self._required or not any(map(is_left_out, self._racing)):
            return []
        verdict = decide(self._voyage.plan, statements(self._voyage, self._trials, self._judged))
        undecided = {one.candidate for one in verdict.candidates if one.eligible and one.outcome is Outcome.OPEN}
        back = [one for one in self._racing if one.id in undecided and is_left_out(one) and not self._by.get(one.id)]
        if verdict.outcome is not Outcome.OPEN or {one.id for one in back} != undecided:
            return []
        self._sure = True
        self._voyage.tell(
            "note", note=f"nobody passes: {len(back)} that the search assumed to fail are looked at after all"
        )
        for one in back:
            one.failure, one.shown = None, ()
            self._by.pop(one.id, None)
        return back

    def _revive(self, standings: Mapping[str, Standing]) -> list[Trial]:
        """Let those back in whose displacer fails a requirement, is open on one, or broke."""
        known = {one.id: one for one in self._racing}
        back = []
        for one in self._racing:
            by = known.get(self._by.get(one.id, ""))
            if by is None or not is_left_out(one):
                continue
            broke = by.failure is not None and not (is_left_out(by) and self._by.get(by.id))
            if broke or not standings.get(by.id, Standing()).sound:
                one.failure, one.shown = None, ()
                del self._by[one.id]
                back.append(one)
        return back

    # --- what is known -------------------------------------------------------------------------------------------------------

    def _standings(self) -> dict[str, Standing]:
        """Of every candidate, by the requirements on what is known of it now beside short rounds."""
        if not self._rungs.counts or not self._required:
            return {}
        verdict = decide(self._voyage.plan, statements(self._voyage, self._trials, self._judged))
        found = {}
        for one in self._racing:
            judged = verdict.of(one.id)
            mine = [judgement for judgement in judged.judgements if judgement.rule != "run"] if judged else []
            failing = [judgement for judgement in mine if judgement.outcome is Outcome.FAIL]
            seen = [judgement for judgement in mine if judgement.outcome is Outcome.OPEN and judgement.findings]
            reasons = tuple(
                Failing(read.what, _said(judgement), self._same(str(read.at.get("load", ""))))
                for judgement in failing
                for read in judgement.findings[:1]
            )
            found[one.id] = Standing(reasons, not failing and not seen)
        return found

    def _failing_by_rounds(self, one: Trial, count: int) -> tuple[Failing, ...]:
        """Requirements on what is timed that its short rounds show it to fail; the bounds that show it are stated."""
        failing, shown = [], []
        for required in self._required:
            asked = self._asked(*required.rule.needs(required.options))
            stated = self._stated(one, asked, count) if asked else None
            if asked and stated and (reason := _fails(required, one.id, stated)):
                failing.append(Failing(asked.what, reason, self._same(asked.load)))
                shown.append(stated)
        one.shown = tuple(shown)
        return tuple(failing)

    def _stated(self, one: Trial, asked: Asked, count: int) -> Finding | None:
        """The figure over its short rounds, bounded by the spread between them, at a level that allows for every look."""
        values, like = self._values(one, asked, count), self._like(one, asked)
        if len(values) < _FEWEST or like is None:
            return None
        plan = self._voyage.plan
        level = level_at_look(plan.levels.gate, len(self._rungs.counts) + len(looks(*plan.rounds)))
        interval = paired_ratio([*values.values()], [1.0] * len(values), level)
        return like.model_copy(
            update={
                "candidate": one.id,
                "against": self._reference.id if like.against and self._reference else None,
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
                "level": level,
                "n": len(values),
                "unit_of_replication": "rounds",
                "method": f"geometric mean of the figures of {len(values)} short rounds, t interval on logarithms",
                "state": State.OK,
                "note": "from short rounds of the search, which measured it no further",
                "measured_at": now(),
            }
        )

    def _values(self, one: Trial, asked: Asked, count: int) -> dict[str, float]:
        """The figure of each of the first short rounds in which it could be read, above zero, by the round's name."""
        rounds = self._read(one, asked.load)
        first = [name for name in one.probes if name in rounds][:count]
        found = {name: [f.number for f in rounds[name] if _is(f, asked)] for name in first}
        return {name: values[0] for name, values in found.items() if len(values) == 1 and values[0] > 0}

    def _like(self, one: Trial, asked: Asked) -> Finding | None:
        return next((f for found in self._read(one, asked.load).values() for f in found if _is(f, asked)), None)

    def _read(self, one: Trial, load: str) -> dict[str, list[Finding]]:
        """What meters make of each short round, worked out once."""
        known = self._seen.setdefault((one.id, load), {})
        known.update(by_round(self._voyage, one, self._reference, load, known))
        return known

    def _direction(self) -> Any:
        """Which way the preferred figure is better: as the study says, else as the figure does."""
        prefer = preferred(self._voyage.plan) or {}
        if prefer.get("better") or self._preferred is None:
            return prefer.get("better")
        likes = (self._like(one, self._preferred) for one in self._racing)
        return next((like.better for like in likes if like), None)

    def _asked(self, what: str, at: Mapping[str, Any]) -> Asked | None:
        """The load whose meters tell this figure; None where none does, or where several do and the setting doesn't say which."""
        loads = [ref.name for ref in self._voyage.plan.study.measure.loads]
        wanted = [at["load"]] if "load" in at else ["", *loads]
        telling = [load for load in wanted if load in ("", *loads) and self._tells(load, what)]
        return Asked(what, at, telling[0]) if len(telling) == 1 else None

    def _tells(self, load: str, what: str) -> bool:
        given = [self._voyage.find("meters", ref.name).gives.get("finding", ()) for ref in meters(self._voyage, load)]
        family = what.rpartition(".")[0]
        return any(what in names or any(family and name.startswith(f"{family}.") for name in names) for names in given)

    def _shorter(self) -> Short:
        """Short rounds of the loads that the preference and the requirements ask for, and no others."""
        needed = [self._asked(*one.rule.needs(one.options)) for one in self._required]
        loads = tuple(sorted({asked.load for asked in (*needed, self._preferred) if asked}))
        return Short(self._rungs.share, loads, digest(["short", self._rungs.share, loads]))

    def _full(self, one: Trial) -> bool:
        """Whether it has the rounds that the study asks for: then it is left out no more."""
        return len(one.pairs(self._reference)) >= self._voyage.plan.rounds[0]

    def _same(self, load: str) -> tuple[str, ...]:
        """Coordinates of which more changes nothing in what was asked: the batch, where the load's queries don't depend on it."""
        if not load:
            return ("batch",)
        part = catalog.load(self._voyage.find("loads", load))
        return ("batch",) if len({part.samples(batch) for batch in (1, 2, 8, 64)}) == 1 else ()


def _is(finding: Finding, asked: Asked) -> bool:
    within = all(str(finding.at.get(name)) == str(value) for name, value in asked.at.items())
    number = isinstance(finding.value, int | float) and not finding.slice
    return finding.what == asked.what and within and number


def _fails(required: Requirement, candidate: str, stated: Finding) -> str:
    """Why the requirement fails on this finding, in words; empty where it doesn't."""
    assert stated.level is not None
    try:
        judgement = required.rule.judge(Evidence(candidate, [stated], stated.level), required.options)
    except Exception:  # noqa: BLE001 - a rule that raises leaves its requirement open, which `decide` says
        return ""
    return _said(judgement) if judgement.outcome is Outcome.FAIL else ""


def _said(judgement: Judgement) -> str:
    """The requirement and the bound that fails it, in words."""
    return f"{judgement.requirement}: {judgement.reason.split(' (')[0]}"
