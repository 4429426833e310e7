"""Whether groups of people are served alike: the gaps between them, and at which stage each came in."""

from __future__ import annotations

from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._sections import named
from seatrial.parts.reports._slices import allowing
from seatrial.parts.reports._view import At, Row, View
from seatrial.parts.reports._words import about, clean

LABELS, SELECTED = "label_parity", "demographic_parity"


class Gap(NamedTuple):
    """One gap of one candidate: the finding, by how much the change widened it, and whether it did (allowing for all gaps)."""

    finding: Finding
    drop: Finding | None
    grew: bool


class Stage(NamedTuple):
    """One step from the labels to a candidate: where the gap stands there. `row` is None for the labels."""

    row: Row | None
    finding: Finding


class Between(NamedTuple):
    """The gaps between the groups of one partition, in one class: a line a candidate, and the stages on an axis."""

    groups: str
    favourable: str
    names: list[str]
    lines: list[tuple[Row, list[Gap | None]]]
    stages: list[Stage]
    scale: Axis
    form: Form
    notes: list[str]


def section(shown: View) -> list[Between] | None:
    """Each partition of people and each favourable class in turn; None where no gap was counted."""
    settings = [f.at for row in shown.measured for f in _gaps(row)]
    distinct = list({tuple(at.items()): at for at in settings}.values())
    return [_between(shown, at) for at in distinct] or None


def gaps(row: Row) -> list[Gap]:
    """All gaps of a candidate, the widest first; ratios and the labels' own gaps aside."""
    found = [one for one in _gaps(row) if one.better == "lower"]
    return [_gap(row, one) for one in sorted(found, key=lambda one: -one.number)]


def crossed(groups: object) -> str:
    """The columns that make the groups, in words: `sex and town`."""
    return clean(groups).replace(" x ", " and ")


def _gaps(row: Row) -> list[Finding]:
    return [
        one
        for one in row.listed
        if "groups" in one.at
        and named(one.what) == "fairness"
        and not one.what.endswith(".drop")
        and isinstance(one.value, int | float)
    ]


def _gap(row: Row, finding: Finding) -> Gap:
    drops = [one for one in row.listed if "groups" in one.at and one.what.endswith(".drop") and one.value is not None]
    own = next((one for one in drops if one.what == f"{finding.what}.drop" and one.at == finding.at), None)
    low = allowing(own, len(drops))[0] if own else None
    return Gap(finding, own, (low or 0.0) > 0)


def _between(shown: View, at: At) -> Between:
    names = list(dict.fromkeys(f.what for row in shown.measured for f in _gaps(row) if f.at == at and f.what != LABELS))
    lines = [(row, [_of(row, what, at) for what in names]) for row in shown.measured]
    stages = _stages(shown, at)
    found = [stage.finding for stage in stages]
    ends = [end for one in found for end in (one.low, one.high, one.number, 0.0) if end is not None]
    held = [line for line in lines if any(line[1])]
    groups, favourable = crossed(at["groups"]), clean(at.get("favourable", ""))
    return Between(groups, favourable, names, held, stages, axis(ends, room=0.03), form(found), _notes(shown, at))


def _notes(shown: View, at: At) -> list[str]:
    """What the metrics noted of the candidate that is spoken of: which groups lie farthest apart, which are undecided."""
    noted: dict[str, list[str]] = {}
    for one in _gaps(shown.focus) if shown.focus else ():
        if one.at == at and one.note:
            noted.setdefault(clean(one.note), []).append(about(one.what)["name"])
    return [f"{', '.join(names)}: {note}" for note, names in noted.items()]


def _of(row: Row, what: str, at: At) -> Gap | None:
    found = next((one for one in _gaps(row) if one.what == what and one.at == at), None)
    return _gap(row, found) if found else None


def _stages(shown: View, at: At) -> list[Stage]:
    """Labels, reference, every other candidate: the gap in who is given the class."""
    labels = next((f for row in shown.measured for f in _gaps(row) if f.what == LABELS and f.at == at), None)
    rows = sorted(shown.measured, key=lambda row: not row.entry.reference)
    found = [(row, one) for row in rows for one in _gaps(row) if one.what == SELECTED and one.at == at]
    first = [Stage(None, labels)] if labels and found else []
    return [*first, *(Stage(row, one) for row, one in found)]
