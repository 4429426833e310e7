"""What is wrong with the data: table by table, the worst first, each fault with how many, where, and the rows to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seatrial.contracts.audited import Audited
from seatrial.contracts.finding import Finding, Severity
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._numbers import form
from seatrial.parts.reports._words import about, clean, words

ORDER = (Severity.SERIOUS, Severity.MINOR, Severity.FINE)
MOST = 12
"""Details of one fault that are listed; the files for programs have all."""


class Fault(NamedTuple):
    """One line: how bad, what in words and what that means, how many, its details, and the file of rows to look at."""

    severity: Severity
    name: str
    plain: str
    many: str
    share: str
    details: tuple[str, ...]
    note: str
    rows: str
    bounds: tuple[float, float, float] | None = None

    @property
    def where(self) -> str:
        """What is said of all, then its details."""
        return ". ".join(filter(None, [self.note, "; ".join(self.details)]))


class Looked(NamedTuple):
    """One table: its name, rows, faults, the names of audits that found nothing, and what could not be looked at with the reason."""

    name: str
    rows: str
    faults: tuple[Fault, ...]
    quiet: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]

    @property
    def shares(self) -> list[Fault]:
        """The faults that are a share of rows, for the picture."""
        return [one for one in self.faults if one.bounds is not None]

    @property
    def scale(self) -> Axis:
        """From the smallest share to all rows."""
        ends = [end for one in self.shares for end in one.bounds or () if end > 0]
        return axis([*ends, 1.0], log=True)


class Told(NamedTuple):
    """The section: a sentence of all, and each table; what concerns several tables stands under an empty name."""

    sentence: str
    tables: tuple[Looked, ...]


def section(findings: Iterable[Finding]) -> Told | None:
    """What audits found; None where none looked."""
    mine = [one for one in findings if one.what.startswith("audit.")]
    if not mine:
        return None
    names = dict.fromkeys(
        str(one.at.get("table", "")) for one in mine if one.what not in ("audit.serious", "audit.minor")
    )
    tables = tuple(_table(name, [one for one in mine if str(one.at.get("table", "")) == name]) for name in names)
    return Told(_sentence(mine), tuple(one for one in tables if one.faults or one.quiet or one.failed))


def of_alone(audited: Audited) -> Told:
    """The same of data audited without a study."""
    return section(audited.findings) or Told(words()["audit"]["none"], ())


def _sentence(mine: Sequence[Finding]) -> str:
    said = words()["audit"]
    counts = {
        one.what: int(one.number)
        for one in mine
        if one.what in ("audit.serious", "audit.minor") and one.value is not None
    }
    serious, minor = counts.get("audit.serious", 0), counts.get("audit.minor", 0)
    total = next((one.n or 0 for one in mine if one.what == "audit.serious"), 0)
    if not serious and not minor:
        return str(said["none"])
    return str(said["found"]).format(serious=serious, minor=minor, fine=total - serious - minor)


def _table(name: str, mine: list[Finding]) -> Looked:
    rows = next((f"{int(one.number):,}" for one in mine if one.what == "audit.rows" and one.value is not None), "")
    shares = {one.key.replace(".share", "", 1): one for one in mine if one.what.endswith(".share")}
    graded = [one for one in mine if one.severity is not None and not one.what.endswith(".share")]
    lines: list[Fault] = []
    quiet: list[str] = []
    for part in dict.fromkeys(one.what.split(".")[1] for one in graded):
        those = [one for one in graded if one.what.split(".")[1] == part]
        bad = [one for one in those if one.severity is not Severity.FINE]
        if not bad:
            quiet.append(about(those[0].what)["name"])
        lines += _faults(part, bad, mine, shares)
    lines.sort(key=lambda line: ORDER.index(line.severity))
    failed = tuple((about(one.what)["name"], clean(one.note)) for one in mine if one.value is None)
    return Looked(clean(name), rows, tuple(lines), tuple(quiet), failed)


def _faults(part: str, bad: list[Finding], mine: list[Finding], shares: dict[str, Finding]) -> Iterable[Fault]:
    """The lines of one audit: its own finding with what belongs to it as details, or, where that is quiet, each of those."""
    head = next((one for one in bad if one.what == f"audit.{part}"), None)
    below = [one for one in bad if one is not head]
    detailed = [one for one in below if one.at.keys() - {"table"}]
    for one in [head] if head else []:
        numbers = [
            other
            for other in mine
            if other.severity is None and other.what.startswith(f"audit.{part}.") and other.value is not None
        ]
        yield _fault(one, shares, [*map(_detail, detailed), *map(_detail, numbers)], _worst([one, *detailed]))
    alone = [one for one in below if head is None or one not in detailed]
    groups = dict.fromkeys(one.what for one in alone)
    for what in groups:
        those = [one for one in alone if one.what == what]
        details = [_detail(one) for one in those] if those[0].at.keys() - {"table"} else []
        yield _fault(those[0], shares, details, _worst(those))


def _worst(those: list[Finding]) -> Severity:
    return min((one.severity for one in those if one.severity), key=ORDER.index, default=Severity.FINE)


def _fault(one: Finding, shares: dict[str, Finding], details: list[str], severity: Severity) -> Fault:
    said, known = words()["audit"], about(one.what)
    whole = isinstance(one.value, int) and bool(one.unit)
    many = (
        said["of"].format(count=f"{one.value:,}", n=f"{one.n or 0:,}", unit=_counted(one))
        if whole
        else form([one]).text(one.number)
    )
    found, range_, bounds = shares.get(one.key), "", None
    if found is not None and found.low is not None and found.high is not None and found.unit_of_replication == "rows":
        bounds = (found.low, found.number, found.high) if found.number > 0 else None
        range_ = said["share"].format(share=_share(found.number), low=_share(found.low), high=_share(found.high))
    elif not whole and one.low is not None and one.high is not None:
        range_ = said["between"].format(low=form([one]).text(one.low), high=form([one]).text(one.high))
    cut = details[:MOST] + ([said["more"].format(count=len(details) - MOST)] if len(details) > MOST else [])
    return Fault(
        severity,
        _capital(known["name"]),
        known["plain"],
        many,
        range_,
        tuple(cut),
        clean(one.note),
        one.artefacts.get("rows", ""),
        bounds,
    )


def _detail(one: Finding) -> str:
    """`income: 3 cells`, `age, beyond: 12 cells`, `title, proxy of sex: 0.98`."""
    at = [
        clean(value).replace("_", " ") if key in ("kind", "why") else clean(value)
        for key, value in one.at.items()
        if key != "table" and not (key == "sensitive" and "column" in one.at)
    ]
    known = about(one.what)
    named = (
        [] if one.what.rpartition(".")[2] in ("column", "kind", "cells") else [known["short"] if at else known["name"]]
    )
    of = f" of {clean(one.at['sensitive'])}" if "sensitive" in one.at and "column" in one.at else ""
    return f"{', '.join([*at, *named])}{of}: {_number(one)}"


def _number(one: Finding) -> str:
    if isinstance(one.value, str):
        return clean(one.value)
    value = one.number
    digits = f"{value:,.0f}" if isinstance(one.value, int) or abs(value) >= 100 else f"{value:,.2g}"
    return f"{digits} {one.unit.removesuffix('s') if digits == '1' else one.unit}".strip()


def _counted(one: Finding) -> str:
    return one.unit if one.unit else one.unit_of_replication


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if value >= 0.1 else f"{100 * value:.2g} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
