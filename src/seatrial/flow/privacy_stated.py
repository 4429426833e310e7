"""What can be stated of what a model tells of its rows. Rows are spoken of together, never one by one.

privacy.permitted                          whose leave there is (declared)
privacy.shadows             {model}        how many models of the same recipe there are to compare with
privacy.tpr                 {method, fpr}  members picked out while so many outsiders are wrongly named
privacy.fpr                 {method, fpr}  the outsiders wrongly named meanwhile
privacy.tpr.change          {method, fpr}  by how much more than of the reference, on the same rows
privacy.auc                 {method}       the chance that a member is more suspicious than an outsider
privacy.auc.change          {method}       by how much more than of the reference
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.confiding import Privacy
from seatrial.contracts.finding import Finding, State, missing
from seatrial.flow._bounded import bounded
from seatrial.flow.privacy_rows import Exposure
from seatrial.numerics.membership import Picked, picked_out, picked_out_change, told_apart, told_apart_change

Array = NDArray[Any]
TPR, FPR, AUC = "privacy.tpr", "privacy.fpr", "privacy.auc"

Stated = Callable[[str, Array, Array | None, Exposure, Privacy, float, int], Iterator[Finding]]


def membership(method: str, learnt: Array, other: Array | None, found: Exposure, asked: Privacy, level: float, seed: int) -> Iterator[Finding]:  # fmt: skip
    """Rates at which members are picked out, and how well they are told apart; `other` is what was learnt from the reference."""
    own = _sides(learnt, found)
    for rate in asked.rates:
        at = {"method": method, "fpr": rate}
        picked = picked_out(*own, rate, level)
        yield _picked(picked, at, own)
        yield bounded(FPR, picked.outsiders, len(own[1]), "lower", at=at)
        if other is not None and picked.needed is None:
            change = picked_out_change(own, _sides(other, found), rate, level, seed)
            yield bounded(f"{TPR}.change", change, len(own[0]), "lower", at=at, against="reference")
    yield bounded(AUC, told_apart(*own, level), len(learnt), "lower", at={"method": method})
    if other is not None:
        change = told_apart_change(own, _sides(other, found), level)
        yield bounded(f"{AUC}.change", change, len(learnt), "lower", at={"method": method}, against="reference")


def _sides(learnt: Array, found: Exposure) -> tuple[Array, Array]:
    return learnt[found.members], learnt[~found.members]


def _picked(picked: Picked, at: dict[str, Any], own: Sequence[Array]) -> Finding:
    """The rate of members with its bounds; missing where outsiders are too few for the rate to mean anything."""
    inner, outer = map(len, own)
    among = (
        f"{inner} members and {outer} outsiders were asked about, so that {inner / (inner + outer):.1%} were members"
    )
    if picked.needed is not None:
        why = f"can't be resolved: {outer} outsiders are too few for a rate of {at['fpr']:g}, which needs {picked.needed}; {among}"  # fmt: skip
        return missing(TPR, State.TOO_FEW, why, at=at, better="lower", n=inner, unit_of_replication="members")
    named = round(picked.members.value * inner)
    wrongly = round(picked.outsiders.value * outer)
    sure = f"; of all that were named {named / max(1, named + wrongly):.1%} were" if named + wrongly else ""
    return bounded(TPR, picked.members, inner, "lower", "members", at=at, note=f"{among}{sure}")


STATED: dict[str, Stated] = {"member": membership}
"""By what a method learns."""


def as_array(learnt: Any) -> Array:
    """What a worker sent back."""
    return np.asarray(learnt)
