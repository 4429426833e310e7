"""What changed between two runs, and what of it can be told from chance.

Candidates are matched by id, findings by candidate and key. Two runs are independent, so the bounds of a difference are put
together from the two intervals (`numerics/independent.py`): as a ratio for times, rates and bytes, as a difference for what is
counted on rows. A change is called better or worse only where its interval leaves no change out and both were measured in
peace. A number without interval was either read off exactly (a size) and is compared as it is, or nothing is called. Within a run intervals don't hold what a machine does from day to day; where it matters, a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial import catalog
from seatrial.contracts.changes import Call, Changes, Fact, Shift, Side, Turn
from seatrial.contracts.dossier import Dossier, Entry
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.verdict import CandidateVerdict
from seatrial.errors import Unsupported
from seatrial.flow.environment import fingerprint
from seatrial.numerics.independent import difference, ratio
from seatrial.numerics.interval import Interval

LEVEL = 0.95
"""The level at which findings are compared where they are stated at several."""

_COUNTED = ("rows", "clusters")
_PASSING = ("load_1min",)
"""What the environment holds that differs at every run and explains nothing by itself."""

SAID = {
    "no interval": "it was measured without an interval",
    "one bound": "it has a bound on one side alone",
    "levels": "the two are stated at different levels of confidence",
    "reference": "the two runs have different references",
    "state": "{side} it was {state}",
    "then": "in the first run",
    "now": "in the second run",
    "other machine": "The two runs were measured on different machines, or the machine's system has changed: times and memory may have changed with it.",
    "same machine": "Times of two runs differ by more than their intervals tell, as a machine isn't the same every day. Speed against the reference, taken within each run, is the safer number.",
    "rows": "The two runs were judged on different rows: quality may have changed with them.",
    "same rows": "Quality was counted on the same rows in both runs. The intervals are made for independent rows and are wider than need be, so what is called unclear may still have changed.",
    "informal": "An informal first look (`--quick`), in few rounds, was {which}.",
    "nothing": "The two runs have no candidate in common.",
}


def changes(before: Dossier, after: Dossier) -> Changes:
    """What changed from one run to another. The two may be of different studies; what both have is compared."""
    theirs, ours = ({one.id: one for one in dossier.candidates} for dossier in (before, after))
    both = [entry for entry in after.candidates if entry.id in theirs]
    shifts = tuple(shift for entry in both for shift in _shifts(before, after, entry))
    tested = [shift for shift in shifts if shift.level is not None and not shift.why]
    return Changes(
        before=_side(before),
        after=_side(after),
        facts=tuple(_facts(before, after, both)),
        added=tuple(one.label for id_, one in ours.items() if id_ not in theirs),
        removed=tuple(one.label for id_, one in theirs.items() if id_ not in ours),
        shifts=shifts,
        turns=tuple(_turn(before, after, entry) for entry in both),
        tested=len(tested),
        by_chance=round(sum(1 - (shift.level or 1) for shift in tested), 2),
        notes=tuple(_notes(before, after, both)),
    )


def tell(made: Changes, name: str, options: dict[str, Any] | None = None) -> str:
    """The changes as a report. Raises `UnknownPart`, or `Unsupported` for a report that tells of one run alone."""
    part = catalog.find("reports", name)
    if "changes" not in part.accepts.get("record", ()):
        can = [one.name for one in catalog.parts("reports").values() if "changes" in one.accepts.get("record", ())]
        raise Unsupported(f"the report `{name}` tells of one run alone", next_step=f"say one of: {', '.join(can)}")
    catalog.require(part)
    return str(catalog.load(part).render_changes(made, catalog.options(part, options or {})))


def _side(dossier: Dossier) -> Side:
    names = {entry.id: entry.label for entry in dossier.candidates}
    return Side(
        run=dossier.run,
        study=str(dossier.study.get("name", "")),
        outcome=dossier.verdict.outcome,
        recommended=names.get(dossier.verdict.recommended or ""),
        sentence=dossier.verdict.sentence,
    )


# --- what is stated ---------------------------------------------------------------------------------------------------


def _facts(before: Dossier, after: Dossier, both: list[Entry]) -> Iterator[Fact]:
    """Surroundings, rows and artefacts that differ."""
    then, now = (dict(_flat(one.environment, "environment")) | dict(_rows(one)) for one in (before, after))
    for what in dict.fromkeys((*then, *now)):
        if then.get(what) != now.get(what) and what.rpartition(".")[2] not in _PASSING:
            yield Fact(what=what, before=then.get(what, ""), after=now.get(what, ""))
    for entry in both:
        old = before.entry(entry.id).artefact
        if old != entry.artefact:
            yield Fact(what=f"artefact.{entry.label}", before=old or "", after=entry.artefact or "")


def _flat(nested: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _rows(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """The rows that were used: how many, and the hash of their contents."""
    for finding in dossier.findings:
        if finding.candidate is None and "hash" in finding.at:
            model = f".{finding.at['model']}" if "model" in finding.at else ""
            yield f"{finding.what}{model}", f"{finding.value} ({str(finding.at['hash'])[:16]})"


def _notes(before: Dossier, after: Dossier, both: list[Entry]) -> Iterator[str]:
    if not both:
        yield SAID["nothing"]
        return
    looks = [side for side, one in (("the first run", before), ("the second run", after)) if one.run.informal]
    if looks:
        yield SAID["informal"].format(which=" and ".join(looks))
    machines = [_machine(one) for one in (before, after)]
    if None not in machines:
        yield SAID["same machine" if machines[0] == machines[1] else "other machine"]
    hashes = [{text for what, text in _rows(one) if what.startswith("rows.evaluation")} for one in (before, after)]
    if all(hashes):
        yield SAID["same rows" if hashes[0] == hashes[1] else "rows"]


def _machine(dossier: Dossier) -> str | None:
    try:
        return fingerprint(dossier.environment)
    except KeyError:  # a dossier that doesn't say its machine
        return None


def _turn(before: Dossier, after: Dossier, entry: Entry) -> Turn:
    then, now = before.verdict.of(entry.id), after.verdict.of(entry.id)
    old = {one.requirement: one.outcome for one in then.judgements} if then else {}
    changed = [one for one in (now.judgements if now else ()) if one.requirement in old and old[one.requirement] is not one.outcome]  # fmt: skip
    reasons = tuple(f"{one.requirement}: {old[one.requirement]}, now {one.outcome}: {one.reason}" for one in changed)
    outcomes = [_outcome(one) for one in (then, now)]
    return Turn(candidate=entry.id, label=entry.label, before=outcomes[0], after=outcomes[1], reasons=reasons)


def _outcome(verdict: CandidateVerdict | None) -> Any:
    return verdict.outcome if verdict and verdict.judgements else None


# --- what is a number --------------------------------------------------------------------------------------------------


def _shifts(before: Dossier, after: Dossier, entry: Entry) -> Iterator[Shift]:
    then, now = (_by_key(dossier, entry.id) for dossier in (before, after))
    for key in dict.fromkeys((*now, *then)):
        if key in then and key in now:
            yield _shift(entry, *_nearest(then[key], now[key]))
        else:
            one = (then.get(key) or now[key])[0]
            if one.value is not None:
                there: dict[str, Any] = (
                    {"before": one, "call": Call.GONE} if key in then else {"after": one, "call": Call.APPEARED}
                )
                yield Shift(candidate=entry.id, label=entry.label, **there)


def _by_key(dossier: Dossier, candidate: str) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in dossier.findings:
        if finding.candidate == candidate:
            found.setdefault(finding.key, []).append(finding)
    return found


def _nearest(before: list[Finding], now: list[Finding]) -> tuple[Finding, Finding]:
    """Two statements of one quantity at one level if there is such a pair, and of these nearest to 95 %."""
    pairs = [(one, other) for one in before for other in now]
    return min(pairs, key=lambda pair: (abs((pair[0].level or 0) - (pair[1].level or 0)), abs((pair[1].level or LEVEL) - LEVEL)))  # fmt: skip


def _shift(entry: Entry, before: Finding, after: Finding) -> Shift:
    common: dict[str, Any] = {"candidate": entry.id, "label": entry.label, "before": before, "after": after}
    if before.value is None or after.value is None:
        nothing = before.value is None and after.value is None
        call = Call.SAME if nothing else Call.APPEARED if before.value is None else Call.GONE
        why = (after if after.value is None else before).note
        return Shift(call=call, why="" if nothing else why, **common)
    if (before.value, before.low, before.high) == (after.value, after.low, after.high):
        return Shift(call=Call.SAME, **common)
    if isinstance(before.value, str | bool) or isinstance(after.value, str | bool):
        return Shift(call=Call.CHANGED, **common)
    return Shift(**common, **_compared(before, after))


def _compared(before: Finding, after: Finding) -> dict[str, Any]:
    """The difference or ratio, its bounds, and what can be said of it."""
    as_ratio = _is_ratio(before, after)
    value = after.number / before.number if as_ratio else after.number - before.number
    made: dict[str, Any] = {"change": value, "ratio": as_ratio}
    if before.against != after.against:
        return made | {"call": Call.UNCLEAR, "why": SAID["reference"]}
    if None in (before.low, before.high, after.low, after.high):
        exact = before.n is None and after.n is None and before.low is before.high is after.low is after.high is None
        call = _way(value, 1.0 if as_ratio else 0.0, after) if exact else Call.UNCLEAR
        missing = before.low is before.high is None or after.low is after.high is None
        return made | {"call": call, "why": "" if exact else SAID["no interval" if missing else "one bound"]}
    if before.level is None or before.level != after.level:
        return made | {"call": Call.UNCLEAR, "why": SAID["levels"]}
    found = (ratio if as_ratio else difference)(_interval(before), _interval(after))
    assert found.low is not None, "a difference of two bounded intervals is bounded"
    assert found.high is not None, "a difference of two bounded intervals is bounded"
    none, why = 1.0 if as_ratio else 0.0, _disturbed(before, after)
    call = Call.UNCLEAR if why or found.low <= none <= found.high else _way(value, none, after)
    bounds = {"low": found.low, "high": found.high, "level": found.level, "method": found.method}
    return made | bounds | {"call": call, "why": why}


def _is_ratio(before: Finding, after: Finding) -> bool:
    if before.unit_of_replication in _COUNTED or after.unit_of_replication in _COUNTED:
        return False
    ends = (before.value, before.low, before.high, after.value, after.low, after.high)
    return all(float(end) > 0 for end in ends if end is not None)


def _interval(finding: Finding) -> Interval:
    return Interval(finding.number, finding.low, finding.high, finding.level or LEVEL, finding.method)


def _way(value: float, none: float, finding: Finding) -> Call:
    if finding.better is None:
        return Call.CHANGED
    return Call.BETTER if (value > none) is (finding.better == "higher") else Call.WORSE


def _disturbed(before: Finding, after: Finding) -> str:
    """That one of them wasn't measured as it should be, if so."""
    for side, finding in (("then", before), ("now", after)):
        if finding.state is not State.OK:
            return SAID["state"].format(side=SAID[side], state=finding.state.replace("_", " "))
    return ""
