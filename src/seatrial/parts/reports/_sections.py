"""The groups in which findings are read: `templates/sections.toml` says which there are and what is in them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._words import TEMPLATES


class Section(NamedTuple):
    """A group of findings that are read together: its key, title and what it tells; what is said as long as it is empty."""

    key: str
    title: str
    tells: str
    members: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    untested: str = ""
    mute: tuple[str, ...] = ()


@cache
def sections() -> dict[str, Section]:
    """All groups by key, in the order of reading."""
    with (TEMPLATES / "sections.toml").open("rb") as file:
        read = tomllib.load(file)
    return {key: _read(key, one) for key, one in read.items()}


def section(finding: Finding) -> str:
    """The key of the group that a finding is in."""
    if finding.value is None:
        return "failed"
    return subject(finding)


def subject(finding: Finding) -> str:
    """The key of the group that it speaks of, whether or not it has a value."""
    by_setting = next((key for key, one in sections().items() if finding.at.keys() & set(one.at)), "")
    by_name = named(finding.what)
    if by_setting or by_name in ("fairness", "robustness", "security", "speed"):
        return by_setting or by_name
    if finding.slice:
        return "groups"
    return "sameness" if finding.against and by_name in ("quality", "other") else by_name


@cache
def named(what: str) -> str:
    """The key of the group that the name belongs to: the one that knows the longest beginning of it."""
    while what:
        if found := next((key for key, one in sections().items() if what in one.members), ""):
            return found
        what = what.rpartition(".")[0]
    return "other"


def grouped(findings: Iterable[Finding]) -> dict[Section, list[Finding]]:
    """Findings by group, in the order of reading; groups without a finding are left out."""
    made: dict[str, list[Finding]] = {}
    for finding in findings:
        made.setdefault(section(finding), []).append(finding)
    return {one: made[key] for key, one in sections().items() if key in made}


def silent(findings: Iterable[Finding]) -> list[Section]:
    """The groups of which no finding has a value, in the order of reading: what wasn't tested."""
    told = {key for finding in findings if finding.value is not None and _tells(key := subject(finding), finding)}
    return [one for key, one in sections().items() if one.untested and key not in told]


def _tells(key: str, finding: Finding) -> bool:
    """Whether it says something of what its group is about: a rate over all rows says nothing of groups of people."""
    return finding.what not in sections()[key].mute or bool(finding.slice)


def _read(key: str, one: dict[str, Any]) -> Section:
    members, at, mute = (tuple(one.get(name, ())) for name in ("members", "at", "mute"))
    return Section(key, one["title"], one["tells"], members, at, one.get("untested", ""), mute)
