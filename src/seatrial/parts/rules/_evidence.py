"""Which finding a rule reads, and whether that finding may decide anything."""

from __future__ import annotations

from collections.abc import Mapping

from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.quantity import UNITS
from seatrial.contracts.record import Scalar
from seatrial.parts.rules._limit import Limit
from seatrial.parts.rules._words import P_VALUE, REASONS, STATES, confidence, figure, settings, subject


def pick(evidence: Evidence, what: str, at: Mapping[str, Scalar]) -> tuple[Finding | None, str]:
    """The one finding of that name and setting, at the level that is needed; or None, and why there is none.

    A setting that is met exactly goes before those that contain it; several different ones are no answer.
    """
    found = [f for f in evidence.findings if f.what == what and not f.slice and _within(at, f.at)]
    found = [f for f in found if f.at.keys() == at.keys()] or found
    under = sorted({settings(f.at) for f in found})
    if len(under) > 1:
        return None, REASONS["settings"].format(subject=subject(what), settings=", ".join(under))
    if not found:
        return None, _why_not(evidence, subject(what, at))
    return min(found, key=lambda f: _unfitness(f, evidence.level)), ""


def unusable(finding: Finding, limit: Limit, needed: float) -> str:
    """Why this finding can't decide about the limit at the `needed` two-sided level; empty when it can."""
    return (
        _no_number(finding)
        or _no_standing(finding, limit.accept)
        or _no_match(finding, limit)
        or _no_confidence(finding, needed)
    )


def _within(at: Mapping[str, Scalar], setting: Mapping[str, Scalar]) -> bool:
    """Whether a setting contains `at`, as they are written: a class named `3` is met by the number 3."""
    return all(name in setting and str(setting[name]) == str(value) for name, value in at.items())


def _unfitness(finding: Finding, needed: float) -> tuple[bool, float]:
    """Least for the finding whose level is just high enough; those below the needed level come last."""
    level = needed if finding.level is None else finding.level
    return level < needed - 1e-9, abs(level - needed)


def _why_not(evidence: Evidence, name: str) -> str:
    """Why there is no such finding: what became of the run, if anything did."""
    gone = next((f for f in evidence.findings if f.what == "run" and f.origin is Origin.MISSING), None)
    return _missing(gone, name) if gone else REASONS["not looked at"].format(subject=name)


def _missing(finding: Finding, name: str) -> str:
    state = finding.state.value.replace("_", " ")
    return REASONS["missing"].format(subject=name, state=state, note=finding.note or "no reason was given")


def _no_number(finding: Finding) -> str:
    name = subject(finding.what)
    if finding.value is None:
        return _missing(finding, name)
    if isinstance(finding.value, str):
        return REASONS["word"].format(subject=name, value=finding.value)
    if finding.state is State.OK:
        return ""
    words = STATES.get(finding.state, f"its state is {finding.state.value}")
    note = f" ({finding.note})" if finding.note else ""
    return REASONS["state"].format(subject=name, value=figure(finding.number, finding.unit), words=words, note=note)


def _no_standing(finding: Finding, accept: tuple[str, ...]) -> str:
    if finding.origin in (Origin.MEASURED, Origin.IMPORTED):
        return ""
    if finding.origin is Origin.DECLARED:
        return "" if "declared" in accept else REASONS["not accepted"].format(subject=subject(finding.what))
    return REASONS["origin"].format(subject=subject(finding.what), origin=finding.origin.value)


def _no_match(finding: Finding, limit: Limit) -> str:
    name, unit = subject(finding.what), finding.unit
    if unit == P_VALUE:
        return REASONS["p-value"].format(subject=name)
    if unit == limit.unit or (not limit.unit and _written_one_way(unit)):
        return ""
    like = ", ".join(f"`{written}`" for written, (_, base) in UNITS.items() if written and base == unit)
    return REASONS["unit"].format(
        subject=name, unit=unit or "plain numbers", limit=limit.written, like=like or f"plain numbers of {unit}"
    )


def _written_one_way(unit: str) -> bool:
    """Whether a bare number can only mean this unit: `x` is written in one way, seconds aren't."""
    return all(factor == 1.0 for factor, base in UNITS.values() if base == unit)


def _no_confidence(finding: Finding, needed: float) -> str:
    name, level = subject(finding.what), finding.level
    if finding.low is None and finding.high is None:
        value = figure(finding.number, finding.unit)
        why = finding.method or "its method gives no bounds"
        return "" if level is None else REASONS["unbounded"].format(subject=name, value=value, method=why)
    if level is None or level < needed - 1e-9:
        has = "a confidence that isn't stated" if level is None else f"{confidence(level)} confidence"
        return REASONS["level"].format(subject=name, has=has, needs=confidence(needed))
    return ""
