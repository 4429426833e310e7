"""What the page tells beside tables and pictures: requirements, methods, what wasn't tested, where it was measured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.finding import Finding
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.parts.reports._numbers import Form, form, interval, per_cent
from seatrial.parts.reports._sections import silent
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import about, words

UNSLICED = "rows.unsliced"
"""Said where groups of rows are: which values have no group of their own."""
_NUMBER = re.compile(r"\b\d[\d,.]*\b")


class Requirement(NamedTuple):
    """One requirement: its text, how many candidates have which outcome, and the judgement on each by id."""

    text: str
    counts: dict[Outcome, int]
    judgements: dict[str, Judgement]


class Method(NamedTuple):
    """How some findings were got: their names, the method in words, how sure, from how many, and their origins."""

    names: tuple[str, ...]
    how: str
    level: str
    number: str
    origins: tuple[str, ...]


class Made(NamedTuple):
    """One of the models that ran: its hash, the artefact, the labels of its candidates."""

    hash: str
    artefact: Artefact
    labels: tuple[str, ...]


def requirements(shown: View) -> list[Requirement]:
    """Every requirement with what became of it, in the order of the study."""
    by_text: dict[str, dict[str, Judgement]] = {}
    verdicts = [(row, row.verdict) for row in shown.rows if row.verdict]
    for row, verdict in sorted(verdicts, key=lambda pair: -len(pair[1].judgements)):
        for judgement in verdict.judgements:
            by_text.setdefault(judgement.requirement, {})[row.entry.id] = judgement
    eligible = {row.entry.id for row in shown.rows if row.entry.eligible}
    return [Requirement(text, _counts(found, eligible), found) for text, found in by_text.items()]


def _counts(found: dict[str, Judgement], eligible: set[str]) -> dict[Outcome, int]:
    outcomes = [judgement.outcome for id_, judgement in found.items() if id_ in eligible]
    return {outcome: outcomes.count(outcome) for outcome in Outcome}


def methods(shown: View) -> list[Method]:
    """How each kind of finding was got; those that were got alike, but for numbers in the method's words, share a line."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in _described(shown):
        if finding.method or finding.n:
            key = (_NUMBER.sub("…", finding.method), confidence(finding), finding.unit_of_replication)
            groups.setdefault(key, []).append(finding)
    return [_method(how, level, unit, found) for (how, level, unit), found in groups.items()]


def _method(how: str, level: str, unit: str, found: list[Finding]) -> Method:
    methods = {finding.method for finding in found}
    how = methods.pop() if len(methods) == 1 else how
    names = dict.fromkeys(about(finding.what)["name"] for finding in found)
    origins = dict.fromkeys(words()["origin"][finding.origin] for finding in found)
    counts = sorted({finding.n for finding in found if finding.n})
    shown = words()["page"]["from_to"] if len(counts) > 1 else "{low:,} {unit}"
    unit = unit.removesuffix("s") if counts == [1] else unit
    number = shown.format(low=counts[0], high=counts[-1], unit=unit).strip() if counts else ""
    return Method(tuple(names), how, level, number, tuple(origins))


def _described(shown: View) -> Iterator[Finding]:
    """One finding of each kind and setting, at the level at which it is shown."""
    for row in shown.rows:
        yield from listed(row)
    yield from general(shown)


def listed(row: Row) -> list[Finding]:
    """Each of a candidate's findings once, slices too, at the level at which numbers are shown."""
    return row.listed


def general(shown: View) -> list[Finding]:
    """Findings that concern no single candidate, without those that repeat the environment."""
    known = {f"environment.{key}" for key in shown.dossier.environment}
    found = [finding for finding in shown.dossier.findings if finding.candidate is None]
    return [
        finding
        for finding in found
        if ".".join(finding.what.split(".")[:2]) not in known | {UNSLICED} and "hash" not in finding.at
    ]


def data(shown: View) -> list[Finding]:
    """Findings that say which rows were used: they carry a hash of the contents."""
    return [finding for finding in shown.dossier.findings if finding.candidate is None and "hash" in finding.at]


def confidence(finding: Finding) -> str:
    """How sure its interval or bound is, as a percentage; empty without one."""
    if finding.level is None or (finding.low is None and finding.high is None):
        return ""
    if finding.low is None or finding.high is None:
        return str(words()["page"]["one_sided"].format(level=per_cent((1 + finding.level) / 2)))
    return per_cent(finding.level)


def untested(shown: View) -> list[str]:
    """What one might want to know and these findings don't tell, each in a sentence."""
    said = words()["first"]
    found = [finding for finding in shown.dossier.findings if finding.value is not None]
    loads = {str(finding.at.get("load")) for finding in found}
    listed = [one.untested for one in silent(found)]
    if shown.ran and not loads & {"server", "multi_stream"}:
        listed.append(said["many_users"])
    return [*listed, said["elsewhere" if shown.ran else "elsewhere_read"]]


def made(shown: View) -> list[Made]:
    """The models that ran, originals first."""
    labels: dict[str, list[str]] = {}
    for row in shown.rows:
        labels.setdefault(row.entry.artefact or "", []).append(row.label)
    listed = [Made(key, artefact, tuple(labels.get(key, ()))) for key, artefact in shown.dossier.artefacts.items()]
    return sorted(listed, key=lambda one: one.artefact.lineage.parent is not None)


def flat(nested: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """A nested mapping as lines: the path of names, and the value as people write it."""
    lines = []
    for key, value in nested.items():
        here = (*path, str(key).replace("_", " "))
        lines += flat(value, here) if isinstance(value, Mapping) else [(" · ".join(here), plain(value, str(key)))]
    return lines


def plain(value: Any, name: str = "") -> str:
    """Any value of the environment as text: bytes with a unit, yes and no, lists with commas."""
    said = words()["page"]
    if value is None or value in ("", [], ()):
        return str(said["none"])
    if isinstance(value, bool):
        return str(said["yes"] if value else said["no"])
    if isinstance(value, list | tuple):
        return ", ".join(plain(one) for one in value)
    if isinstance(value, int | float) and ("bytes" in name or name == "memory"):
        return Form(1e9, "GB").text(value)
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value}"


def number(finding: Finding) -> str:
    """A finding's value with its unit; the state in words where it has none."""
    if finding.value is None:
        return str(words()["state"][finding.state])
    if isinstance(finding.value, str | bool):
        return plain(finding.value)
    if about(finding.what)["kind"] == "p" and finding.number < 1e-4:
        return "< 0.0001"
    if isinstance(finding.value, int) and not finding.unit and not about(finding.what)["kind"]:
        return f"{finding.value:,}"
    return form([finding]).text(finding.number)


def range_(finding: Finding) -> str:
    """A finding's interval, or the one bound it has; empty without."""
    return interval(finding, form([finding])) if isinstance(finding.value, int | float) else ""


def setting(at: Mapping[str, Any]) -> str:
    """`class Dress`, `load offline`."""
    return ", ".join(f"{key} {value}" for key, value in at.items())


def fastest(shown: View) -> Row | None:
    """The fastest candidate that isn't recommended although it is faster than what is."""
    at = shown.setting("speedup")
    speeds = {row.number: found.number for row in shown.measured if (found := row.find("speedup", at)) and found.value}
    best = max(speeds, key=lambda key: speeds[key], default=None)
    chosen = shown.recommended
    if best is None or chosen is None or speeds[best] <= speeds.get(chosen.number, 1.0):
        return None
    return next(row for row in shown.rows if row.number == best)
