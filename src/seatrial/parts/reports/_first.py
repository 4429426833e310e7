"""What the first page says beside the verdict: with what care, for what, until when, at what cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports._numbers import form, per_cent
from seatrial.parts.reports._sections import subject
from seatrial.parts.reports._served import groups_hurt
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import about, cautions, meaning, words

TODAY = 100
"""Machines that one imagines busy with the reference."""

FEW = 5
"""Most groups of rows that are named."""

_TROUBLE = {State.CRASHED, State.HUNG, State.FAILED, State.OUT_OF_MEMORY}
_DETAILS = ("capacity.latency", "capacity.busy", "money.ratio", "money.if")
"""What the money rests on; the first page leaves it to the tables."""
_NO_QUALITY = {"speed", "takes", "energy", "money", "executed"}


class First(NamedTuple):
    """The first page: the `call` (use, care, stay, several, none, open), why care is wanted, and the facts around it."""

    call: str
    care: tuple[str, ...]
    tasks: tuple[str, ...]
    rows: int | None
    machine: str
    versions: tuple[str, ...]
    hash: str
    machines: tuple[str, ...]
    costs: tuple[Finding, ...]


def first(shown: View) -> First:
    """All of it, from what was found."""
    best = shown.recommended
    care = tuple(_care(shown, best)) if best else ()
    return First(
        call=_call(shown, best, care),
        care=care,
        tasks=tuple(dict.fromkeys(_tasks(shown))),
        rows=next((f.n for row in shown.rows for f in row.by_what.get(shown.quality, ()) if f.n), None),
        machine=_machine(shown.dossier.environment),
        versions=_versions(shown, best),
        hash=(best.entry.artefact or "") if best else "",
        machines=_machines(shown, best) if best and shown.ran else (),
        costs=tuple(
            {f.key: f for f in reversed(shown.dossier.findings) if f.value is not None and _priced(f, best)}.values()
        )[::-1],
    )


def _call(shown: View, best: Row | None, care: tuple[str, ...]) -> str:
    if best:
        return "stay" if best.entry.reference else "care" if care else "use"
    return {Outcome.PASS: "several", Outcome.FAIL: "none", Outcome.OPEN: "open"}[shown.dossier.verdict.outcome]


# --- with what care ----------------------------------------------------------------------------------------------------


def _care(shown: View, best: Row) -> Iterator[str]:
    """Why what is recommended wants care, each in a sentence."""
    said = words()["first"]
    yield from cautions(shown.dossier.run)
    deciding = [f for one in best.verdict.judgements for f in one.findings] if best.verdict else []
    yield from dict.fromkeys(_doubtful(best, deciding))
    if deciding and all(subject(finding) in _NO_QUALITY for finding in deciding):
        yield said["care_no_quality"]
    ran, asked = best.find("executed.precision"), best.entry.candidate
    if ran and ran.value and ran.value != asked.precision and asked.variant.name == "as_is":
        yield said["care_executed"].format(asked=asked.precision, ran=ran.value)
    where = best.find("executed.device")
    if where and where.value and where.note:
        yield said["care_where"].format(note=where.note)
    for lost in (f for f in best.findings if f.state in _TROUBLE):
        state = words()["state"][lost.state]
        yield said["care_failed"].format(what=about(lost.what)["name"].capitalize(), state=state, note=lost.note)
    if groups := groups_hurt(shown, best):
        more = said["care_more"].format(count=len(groups) - FEW) if len(groups) > FEW else ""
        yield said["care_group"].format(groups=", ".join(groups[:FEW]) + more)


def _doubtful(best: Row, deciding: list[Finding]) -> Iterator[str]:
    """What decided and isn't plainly measured. The rules copy findings into judgements; states are read off both."""
    said, keys = words()["first"], {finding.key for finding in deciding}
    for finding in (*deciding, *(f for f in best.findings if f.key in keys)):
        name = about(finding.what)["name"]
        what = name[0].upper() + name[1:]
        if finding.value is not None and finding.state is not State.OK:
            yield said["care_state"].format(what=what, meaning=meaning(finding.state))
        if finding.origin not in (Origin.MEASURED, Origin.IMPORTED, Origin.MISSING):
            origin = words()["origin"][finding.origin]
            yield said["care_origin"].format(what=what, origin=origin, meaning=meaning(finding.origin))


# --- for what, until when ----------------------------------------------------------------------------------------------


def _tasks(shown: View) -> Iterator[str]:
    models = shown.dossier.study.get("models")
    for model in models.values() if isinstance(models, Mapping) else ():
        task = model.get("task") if isinstance(model, Mapping) else None
        name = task.get("name") if isinstance(task, Mapping) else task
        if name:
            yield str(name).replace("_", " ")


def _machine(environment: Mapping[str, Any]) -> str:
    """The processor and how many cores of it; empty where the environment doesn't say."""
    inner = environment.get("machine")
    known = environment | (inner if isinstance(inner, Mapping) else {})  # type: ignore[operator]
    name = next((str(known[key]) for key in ("cpu", "processor") if known.get(key)), "")
    cores = known.get("cores")
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}" if name and cores else name


def _versions(shown: View, best: Row | None) -> tuple[str, ...]:
    """The runtime of the recommended candidate with its version, or all runtimes where none is recommended."""
    packages = shown.dossier.environment.get("packages")
    if not isinstance(packages, Mapping):
        return ()
    rows = [best] if best else list(shown.rows)
    names = dict.fromkeys(row.entry.candidate.runtime.name for row in rows)
    return tuple(f"{name} {packages[name]}" for name in names if name in packages)


# --- at what cost ------------------------------------------------------------------------------------------------------


def _priced(finding: Finding, best: Row | None) -> bool:
    mine = finding.candidate is None or (best is not None and finding.candidate == best.entry.id)
    return (
        mine
        and not finding.what.startswith(_DETAILS)
        and (subject(finding) == "money" or finding.what.split(".")[-1] == "price")
    )


def _machines(shown: View, best: Row) -> tuple[str, ...]:
    """How many machines would do what 100 do today, from the ratio of throughputs; nothing where that wasn't measured."""
    fast = best.find("speedup", {"load": "offline"})
    if best.entry.reference:
        return ()
    if fast is None or not isinstance(fast.value, int | float) or fast.number <= 0:
        return ()
    return _said(fast, _spread(fast), same=bool(fast.low and fast.high and fast.low <= 1 <= fast.high))


def _spread(fast: Finding) -> str:
    """The interval of that number of machines, in words."""
    said = words()["first"]
    if not fast.low or not fast.high or fast.low <= 0:
        return str(said["machines_one"])
    ends = math.ceil(TODAY / fast.high), math.ceil(TODAY / fast.low)
    how = "machines_exactly" if ends[0] == ends[1] else "machines_range"
    return str(said[how].format(low=ends[0], high=ends[1], level=per_cent(fast.level or 0.95)))


def _said(fast: Finding, spread: str, same: bool) -> tuple[str, ...]:
    """Two sentences: how many machines, and from what. Where the interval holds the reference's speed, that is said."""
    said, count = words()["first"], math.ceil(TODAY / fast.number)
    sort = "machines_same" if same else "machines_fewer" if fast.number > 1 else "machines_more"
    told = said[sort].format(today=TODAY, count=count, range=spread)
    return (told, said["machines_from"].format(speed=form([fast]).text(fast.number)))
