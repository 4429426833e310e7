"""A run against a baseline that was kept: has anything become worse that can be told from chance?

Compared are the reference, and the candidate that the baseline recommended (where this run doesn't have it, the one that this
run recommends). An outcome is worse where a requirement passed and passes no longer. A figure is worse where the two intervals
don't overlap: a strict test, which 95 % intervals fail by chance alone about once in 360 times; a small loss that is real can
slip through. Bytes have no interval: they are worse beyond a tolerance. What was timed or held memory is compared on the same machine alone, what
was counted on rows only for the same rows; the rest is said to be left out. Absolute times move from run to run on one
machine, too: they are compared only where a requirement reads them; speedups are paired and are always compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.dossier import Dossier, Entry
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.flow.environment import fingerprint

TOLERANCE = 0.05
"""How much more bytes, as a share, don't count as worse."""

_COUNTED = ("rows", "clusters")
_ROWS, _TIMED, _FIXED = "rows", "timed", "fixed"

SAID = {
    "outcome": "{label}: {requirement}: {old} in the baseline, now {new}: {reason}",
    "figure": "{label}: {name} {new}, in the baseline {old} (the {level:.4g} % intervals don't overlap)",
    "bytes": "{label}: {name} {new}, in the baseline {old} (more than {tolerance:.0%} worse)",
    _TIMED: "speed and memory: the baseline was measured on another machine ({old}; this is {new})",
    _ROWS: "{label}: quality: the baseline was measured on other rows",
    "reference": "{label}: what is measured against the reference: the baseline has another reference",
    "state": "{label}: {name}: {state}",
    "required": "{label}: `{requirement}` is required in {side} only",
    "baseline": "the baseline",
    "this": "this run",
    "no candidate": "there is no candidate to compare: the baseline has none of this run's",
    "another": "the baseline recommends {old}; this run recommends {new}",
    "none": "nothing",
}


class Comparison(NamedTuple):
    """Lines for people: what is worse, what could not be compared, what else to know; and how many comparisons tell something."""

    worse: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    compared: int

    @property
    def outcome(self) -> Outcome:
        """Fail if anything is worse, pass if something was compared and nothing is, else not enough evidence."""
        if self.worse:
            return Outcome.FAIL
        return Outcome.PASS if self.compared else Outcome.OPEN


class Pair(NamedTuple):
    """One candidate in both: its entry and findings, old and new; which grounds of comparison hold."""

    old: Entry
    new: Entry
    before: dict[str, list[Finding]]
    now: dict[str, list[Finding]]
    grounds: dict[str, bool]

    @property
    def label(self) -> str:
        """What this run calls it."""
        return self.new.label


class Compared(NamedTuple):
    """One comparison: a line on what is worse or why it was left out, if either; whether it `tells` that all is well.

    That a file has its old size, or that what could not be judged still can't, tells nothing.
    """

    worse: str = ""
    left_out: str = ""
    tells: bool = True


def compare(new: Dossier, old: Dossier) -> Comparison:
    """Hold a run against a baseline. Both are dossiers; the study may have changed meanwhile."""
    pairs = _pairs(new, old)
    done = [one for pair in pairs for one in (*_outcomes(pair, new, old), *_figures(pair, new, old))]
    left_out = [SAID["no candidate"]] if not pairs else [one.left_out for one in done if one.left_out]
    return Comparison(
        worse=tuple(one.worse for one in done if one.worse),
        left_out=tuple(dict.fromkeys(left_out)),
        notes=_notes(new, old),
        compared=sum(one.tells and not one.left_out for one in done),
    )


def _pairs(new: Dossier, old: Dossier) -> list[Pair]:
    """The reference, and the candidate that matters, where both are of the same model."""
    found = {(before.id, after.id): (before, after) for before, after in _matching(new, old)}
    return [
        Pair(before, after, _findings(old, before), _findings(new, after), _grounds(new, old, before, after))
        for before, after in found.values()
        if before.candidate.model == after.candidate.model
    ]


def _matching(new: Dossier, old: Dossier) -> Iterator[tuple[Entry, Entry]]:
    ours, theirs = ({one.id: one for one in dossier.candidates} for dossier in (new, old))
    yield from zip(_references(old), _references(new), strict=False)
    taken, takes = old.verdict.recommended, new.verdict.recommended
    same = taken or takes
    if same in ours and same in theirs:
        yield theirs[same], ours[same]
    elif taken in theirs and takes in ours:
        yield theirs[taken], ours[takes]


def _references(dossier: Dossier) -> list[Entry]:
    return [entry for entry in dossier.candidates if entry.reference]


def _findings(dossier: Dossier, entry: Entry) -> dict[str, list[Finding]]:
    """A candidate's overall findings by key, at every level at which they are stated."""
    found: dict[str, list[Finding]] = {}
    for finding in dossier.findings:
        if finding.candidate == entry.id and not finding.slice:
            found.setdefault(finding.key, []).append(finding)
    return found


def _grounds(new: Dossier, old: Dossier, before: Entry, after: Entry) -> dict[str, bool]:
    rows = _rows(new, after), _rows(old, before)
    return {_ROWS: rows[0] is not None and rows[0] == rows[1], _TIMED: _same_machine(new, old), _FIXED: True}


def _rows(dossier: Dossier, entry: Entry) -> object:
    """The hash of the rows on which a candidate's model was judged."""
    hashes = (f.at.get("hash") for f in dossier.findings if f.what == "rows.evaluation" and f.candidate is None and f.at.get("model") == entry.candidate.model)  # fmt: skip
    return next(hashes, None)


def _same_machine(new: Dossier, old: Dossier) -> bool:
    try:
        return fingerprint(new.environment) == fingerprint(old.environment)
    except KeyError:  # a dossier that doesn't say its machine was made on an unknown one
        return False


def _ground(finding: Finding) -> str:
    """What must be the same for this finding to be compared: the rows, the machine, or nothing."""
    if finding.unit_of_replication in _COUNTED:
        return _ROWS
    return _TIMED if finding.n is not None else _FIXED


def _outcomes(pair: Pair, new: Dossier, old: Dossier) -> Iterator[Compared]:
    """Requirements that both have, by their words."""
    before, now = _judgements(old, pair.old), _judgements(new, pair.new)
    for text in dict.fromkeys((*before, *now)):
        if text not in before or text not in now:
            side = SAID["baseline" if text in before else "this"]
            yield Compared(left_out=SAID["required"].format(label=pair.label, requirement=text, side=side))
            continue
        earlier, later = before[text], now[text]
        if missing := _missing_ground((*earlier.findings, *later.findings), pair):
            yield Compared(left_out=_why(missing, pair, new, old))
        elif earlier.outcome is Outcome.PASS and later.outcome is not Outcome.PASS:
            words = {"requirement": text, "old": earlier.outcome, "new": later.outcome, "reason": later.reason}
            yield Compared(worse=SAID["outcome"].format(label=pair.label, **words))
        else:
            yield Compared(tells=any(finding.value is not None for finding in later.findings))


def _judgements(dossier: Dossier, entry: Entry) -> dict[str, Judgement]:
    verdict = dossier.verdict.of(entry.id)
    return {one.requirement: one for one in verdict.judgements} if verdict else {}


def _missing_ground(findings: tuple[Finding, ...], pair: Pair) -> str:
    """What keeps these findings, old and new, from being compared; empty where nothing does."""
    if len({finding.against for finding in findings if finding.against}) > 1:
        return "reference"
    return next((ground for ground in sorted(map(_ground, findings)) if not pair.grounds[ground]), "")


def _why(ground: str, pair: Pair, new: Dossier, old: Dossier) -> str:
    machines = {side: _machine(dossier) for side, dossier in (("old", old), ("new", new))}
    return SAID[ground].format(label=pair.label, **machines)


def _machine(dossier: Dossier) -> str:
    known = dossier.environment
    return f"{known.get('cpu', '?')}, {known.get('cores', '?')} cores, {known.get('kernel', '?')}"


def _figures(pair: Pair, new: Dossier, old: Dossier) -> Iterator[Compared]:
    """Figures that both have, that can be better or worse, and that were required or speak of quality, speedup or bytes."""
    required = {f.key for dossier, entry in ((old, pair.old), (new, pair.new)) for one in _judgements(dossier, entry).values() for f in one.findings}  # fmt: skip
    everywhere = {finding.what for finding in (*new.findings, *old.findings)}
    for key in (key for key in pair.now if key in pair.before):
        before, now = _nearest(pair.before[key], pair.now[key])
        quality = now.what.removesuffix(".drop")
        wanted = key in required or f"{quality}.drop" in everywhere or now.unit in ("x", "B")
        if now.better and wanted and _bounded(before, now):
            yield _figure(pair, before, now, new, old)


def _nearest(before: list[Finding], now: list[Finding]) -> tuple[Finding, Finding]:
    """Two statements of the same quantity at levels as alike as can be; of these the strictest."""
    pairs = [(one, other) for one in before for other in now]
    return min(pairs, key=lambda pair: (abs((pair[0].level or 0) - (pair[1].level or 0)), -(pair[1].level or 0)))


def _bounded(before: Finding, now: Finding) -> bool:
    """Whether the two can be told apart: by intervals with both ends, or as bytes, by a tolerance."""
    return now.unit == "B" or None not in (before.low, before.high, now.low, now.high)


def _figure(pair: Pair, before: Finding, now: Finding, new: Dossier, old: Dossier) -> Compared:
    if missing := _missing_ground((before, now), pair):
        return Compared(left_out=_why(missing, pair, new, old))
    troubled = next((f.state for f in (now, before) if f.state is not State.OK), None)
    if troubled:
        return Compared(left_out=SAID["state"].format(label=pair.label, name=now.key, state=troubled.replace("_", " ")))
    if not _worse(before, now):
        return Compared(tells=_ground(now) != _FIXED)
    said = SAID["figure" if now.low is not None else "bytes"]
    words = {"name": now.key, "old": _written(before), "new": _written(now), "tolerance": TOLERANCE}
    return Compared(worse=said.format(label=pair.label, level=100 * min(before.level or 0, now.level or 0), **words))


def _worse(before: Finding, now: Finding) -> bool:
    if before.low is None or before.high is None or now.low is None or now.high is None:
        return now.number > before.number * (1 + TOLERANCE) if now.better == "lower" else now.number < before.number * (1 - TOLERANCE)  # fmt: skip
    return now.low > before.high if now.better == "lower" else now.high < before.low


def _written(finding: Finding) -> str:
    value = f"{finding.number:,.4g}" if abs(finding.number) < 1e4 else f"{finding.number:,.0f}"
    unit = "" if finding.unit in ("", "x") else f" {finding.unit}"
    bounds = f" ({finding.low:.4g} to {finding.high:.4g})" if finding.low is not None else ""
    return f"{value}{unit}{bounds}"


def _notes(new: Dossier, old: Dossier) -> tuple[str, ...]:
    """That the recommendation is another one, if it is."""
    if new.verdict.recommended == old.verdict.recommended:
        return ()
    names = {entry.id: entry.label for dossier in (old, new) for entry in dossier.candidates}
    said = [names.get(one.verdict.recommended or "", SAID["none"]) for one in (old, new)]
    return (SAID["another"].format(old=said[0], new=said[1]),)
