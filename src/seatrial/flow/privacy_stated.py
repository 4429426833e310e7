"""What can be stated of what a model tells of its rows. Rows are spoken of together, never one by one.

privacy.permitted                          whose leave there is (declared)
privacy.memberships                        how many lines of single rows were written, where the study asks
privacy.shadows             {model}        how many models of the same recipe there are to compare with
privacy.tpr                 {method, fpr}  members picked out while so many outsiders are wrongly named
privacy.fpr                 {method, fpr}  the outsiders wrongly named meanwhile
privacy.tpr.change          {method, fpr}  by how much more than of the reference, on the same rows
privacy.auc                 {method}       the chance that a member is more suspicious than an outsider
privacy.auc.change          {method}       by how much more than of the reference
privacy.attribute.imputed   {method, column, rows}  left-out values that an imputer guesses, of members and of outsiders
privacy.attribute.guessed   {method, column, rows}  the same with the model's help
privacy.attribute.gain      {method, column, rows}  what the model adds
privacy.extraction.agreement {method, queries}      how often a copy made from so many answers gives the model's class
privacy.inversion.likeness  {method}       how like its class is what is drawn from answers
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.confiding import Privacy
from seatrial.contracts.finding import Finding, State, missing
from seatrial.flow._bounded import bounded
from seatrial.flow.privacy_rows import Exposure
from seatrial.numerics.means import mean
from seatrial.numerics.membership import Picked, picked_out, picked_out_change, told_apart, told_apart_change
from seatrial.numerics.paired import tango
from seatrial.numerics.proportions import proportion

Array = NDArray[Any]
TPR, FPR, AUC = "privacy.tpr", "privacy.fpr", "privacy.auc"


class Told(NamedTuple):
    """What a worker sent back: what was learnt, the model's class of each row; which choice a left-out value is, the mean of each class's members."""

    learnt: Array
    classes: Array
    right: Array | None = None
    means: Array | None = None


Stated = Callable[[str, Told, Told | None, Exposure, Privacy, float, int], Iterator[Finding]]


def membership(method: str, told: Told, other: Told | None, found: Exposure, asked: Privacy, level: float, seed: int) -> Iterator[Finding]:  # fmt: skip
    """Rates at which members are picked out, and how well they are told apart; `other` is what was learnt from the reference."""
    own = _sides(told, found)
    for rate in asked.rates:
        at = {"method": method, "fpr": rate}
        picked = picked_out(*own, rate, level)
        yield _picked(picked, at, own)
        yield bounded(FPR, picked.outsiders, len(own[1]), "lower", at=at)
        if other is not None and picked.needed is None:
            change = picked_out_change(own, _sides(other, found), rate, level, seed)
            yield bounded(f"{TPR}.change", change, len(own[0]), "lower", at=at, against="reference")
    yield bounded(AUC, told_apart(*own, level), len(told.learnt), "lower", at={"method": method})
    if other is not None:
        change = told_apart_change(own, _sides(other, found), level)
        yield bounded(f"{AUC}.change", change, len(told.learnt), "lower", at={"method": method}, against="reference")


def _sides(told: Told, found: Exposure) -> tuple[Array, Array]:
    return told.learnt[found.members], told.learnt[~found.members]


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


def hidden(method: str, told: Told, other: Told | None, found: Exposure, asked: Privacy, level: float, seed: int) -> Iterator[Finding]:  # fmt: skip
    """How often a left-out value is guessed without and with the model, of members and of outsiders that aren't the attacker's own."""
    assert told.right is not None
    for rows, where in (("members", found.members), ("outsiders", ~found.members & ~found.own)):
        at = {"method": method, "column": str(asked.attribute), "rows": rows}
        without, guessed = (told.learnt[line][where] == told.right[where] for line in (0, 1))
        for what, hits in (("imputed", without), ("guessed", guessed)):
            yield bounded(f"privacy.attribute.{what}", proportion(int(hits.sum()), len(hits), level), len(hits), "lower", at=at)  # fmt: skip
        gain = tango(int((guessed & ~without).sum()), int((without & ~guessed).sum()), len(without), level)
        yield bounded("privacy.attribute.gain", gain, len(without), "lower", at=at)
        if other is not None:  # the imputer is the same, so that the gains differ by what was guessed
            theirs = other.learnt[1][where] == told.right[where]
            yield _changed("privacy.attribute.gain", guessed, theirs, at, level)


def copied(method: str, told: Told, other: Told | None, found: Exposure, asked: Privacy, level: float, seed: int) -> Iterator[Finding]:  # fmt: skip
    """How often copies give the model's class to outsiders that no answer was bought for."""
    rows = ~found.members & ~found.own
    classes = told.classes[rows]
    usual = float(np.bincount(classes).max() / len(classes))
    for line, budget in enumerate(found.budgets(asked)):
        at = {"method": method, "queries": budget}
        alike = told.learnt[line][rows] == classes
        note = f"the model's most frequent class alone agrees on {usual:.1%}"
        share = proportion(int(alike.sum()), len(classes), level)
        yield bounded("privacy.extraction.agreement", share, len(classes), "lower", at=at, note=note)
        if other is not None:
            theirs = other.learnt[line][rows] == other.classes[rows]
            yield _changed("privacy.extraction.agreement", alike, theirs, at, level)


def _changed(what: str, own: Array, theirs: Array, at: dict[str, Any], level: float) -> Finding:
    """By how much a share of the same rows is more than of the reference."""
    change = tango(int((own & ~theirs).sum()), int((theirs & ~own).sum()), len(own), level)
    return bounded(f"{what}.change", change, len(own), "lower", at=at, against="reference")


def likeness(method: str, told: Told, other: Told | None, found: Exposure, asked: Privacy, level: float, seed: int) -> Iterator[Finding]:  # fmt: skip
    """How like the members of each class is what was drawn of it: 0 on average for what has nothing to do with them."""
    assert told.means is not None
    at, classes = {"method": method}, len(told.learnt)
    if classes < 3:
        why = "of two classes what is like one is unlike the other; it takes three"
        yield missing("privacy.inversion.likeness", State.TOO_FEW, why, at=at, better="lower")
        return
    own = _alike(told.learnt, told.means)
    yield bounded("privacy.inversion.likeness", mean(own, level), classes, "lower", "classes", at=at)
    if other is not None:
        change = mean(own - _alike(other.learnt, told.means), level)
        yield bounded("privacy.inversion.likeness.change", change, classes, "lower", "classes", at=at, against="reference")  # fmt: skip


def _alike(learnt: Array, means: Array) -> Array:
    """Of each class the correlation of what was drawn with the mean of its members, both less their mean over classes."""
    drawn = learnt.reshape(len(learnt), -1)
    classes = len(drawn)
    alike = np.corrcoef(drawn - drawn.mean(axis=0), means - means.mean(axis=0))[:classes, classes:]
    return np.asarray(np.nan_to_num(np.diag(alike)))


STATED: dict[str, Stated] = {"member": membership, "hidden": hidden, "copy": copied, "likeness": likeness}
"""By what a method learns."""
MAIN: dict[str, str] = {
    "member": TPR,
    "hidden": "privacy.attribute.gain",
    "copy": "privacy.extraction.agreement",
    "likeness": "privacy.inversion.likeness",
}
"""By what a method learns: the finding that is missing where it couldn't be tried."""
