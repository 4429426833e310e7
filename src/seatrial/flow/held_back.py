"""The best of several, confirmed: the candidate that is best on one half of the rows, stated on the other half.

Whoever is best of K on some rows looks better there than it is, the more so the more candidates there are. On rows that had no part in
the choice it doesn't.
"""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.contracts.finding import Finding
from seatrial.contracts.plan import Plan
from seatrial.flow.counted import HALVES

CHOSEN, HELD = HALVES


def held_back(plan: Plan, findings: Sequence[Finding]) -> list[Finding]:
    """For each quantity that has a better and a worse: `best.<what>`, of the eligible candidate that is best on the other half."""
    eligible = {one.candidate.id for one in plan.candidates if one.eligible}
    stated = [one for one in findings if one.candidate in eligible and one.better and one.value is not None]
    level = plan.levels.describe
    made: dict[str, Finding] = {}
    for one in (one for one in stated if one.slice == CHOSEN and one.level in (None, level)):
        key = one.model_copy(update={"slice": ()}).key
        if key not in made or _better(one, made[key]):
            made[key] = one
    return [found for best in made.values() if (found := _confirmed(best, stated, len(eligible), level))]


def _better(one: Finding, other: Finding) -> bool:
    return one.number > other.number if one.better == "higher" else one.number < other.number


def _confirmed(best: Finding, stated: Sequence[Finding], candidates: int, level: float) -> Finding | None:
    """The same quantity of the same candidate on the half that was held back."""
    for one in stated:
        same = (one.what, one.at, one.candidate, one.slice) == (best.what, best.at, best.candidate, HELD)
        if same and one.level in (None, level):
            note = f"best of {candidates} on the other half, where it was {best.number:.4g}"
            return one.model_copy(update={"what": f"best.{one.what}", "slice": (), "note": note})
    return None
