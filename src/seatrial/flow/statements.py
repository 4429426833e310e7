"""What can be stated of each candidate: speed from its rounds, quality from its outputs, what ran, and what went wrong.

Every quantity is stated at the level for readers; those that a requirement reads are stated at the level that decides, too.
"""

from __future__ import annotations

from typing import Any

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.plan import Plan
from seatrial.flow.decide import requirements_read
from seatrial.flow.quality import quality_findings
from seatrial.flow.rounds import speed_findings
from seatrial.flow.trial import Trial, Voyage
from seatrial.numerics.stopping import level_at_look, looks


def statements(voyage: Voyage, trials: list[Trial], labels: dict[str, Any]) -> list[Finding]:
    """All findings about candidates, from what is known now. `labels` by model."""
    read = {what for what, _ in requirements_read(voyage.plan)}
    reference = reference_of(trials)
    return [finding for one in trials for finding in _of_one(voyage, one, reference, labels, read)]


def reference_of(trials: list[Trial]) -> Trial | None:
    """The reference's trial; None where its artefact could not be made."""
    return next((one for one in trials if one.planned.reference), None)


def level_over_rounds(plan: Plan, level: float) -> float:
    """The level of a bound on rounds: higher where the study may stop at several looks (alpha spending)."""
    return level_at_look(level, len(looks(*plan.rounds)))


def _of_one(
    voyage: Voyage, one: Trial, reference: Trial | None, labels: dict[str, Any], read: set[str]
) -> list[Finding]:
    if one.failure is not None and one.failure.state is State.REFUSED:
        return [*_executed(one), one.failure]  # its figures are those of something else
    levels = [voyage.plan.levels.describe, voyage.plan.levels.gate] if read else [voyage.plan.levels.describe]
    over_rounds = [level_over_rounds(voyage.plan, level) for level in levels]
    stated = speed_findings(voyage, one, reference, over_rounds)
    if one.prediction is not None:
        stated += quality_findings(voyage, one, reference, labels[one.planned.candidate.model], levels)
    shown = [finding for finding in stated if finding.what in read or finding is _nearest(finding, stated, levels[0])]
    return [*shown, *_executed(one), *_end(one)]


def _nearest(finding: Finding, stated: list[Finding], level: float) -> Finding:
    """Of all statements of the same quantity the one whose level is nearest to this."""
    return min((one for one in stated if one.key == finding.key), key=lambda one: abs((one.level or level) - level))


def _executed(one: Trial) -> list[Finding]:
    """What really ran, as the session found out."""
    if one.facts is None:
        return []
    fields = {"candidate": one.id, "method": "read from the session", "measured_at": one.facts["at"]}
    return [Finding(what=f"executed.{name}", value=one.facts[name], **fields) for name in ("device", "precision")]


def _end(one: Trial) -> list[Finding]:
    """How it ended, where it didn't end well."""
    if one.failure is not None:
        return [one.failure]
    if one.rounds and one.prediction:
        return []
    return [missing("run", State.TOO_FEW, "the run ended before this candidate was measured", candidate=one.id)]
