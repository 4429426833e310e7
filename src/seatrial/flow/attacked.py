"""What became of attacks: how often answers stay right by budget, against the reference's, and whether the attacks mean anything.

attack.accuracy        {attack, norm, epsilon}   share of the attacked rows that no try could make wrong; `all`: none of any attack
attack.accuracy.drop   {attack, norm, epsilon}   by how much less than the reference's, on the same rows, by the same attacks
attack.smallest        {norm}                    the median of the smallest change that fooled a row that was right
attack.queries         {attack, norm, epsilon}   answers asked for, a row
attack.late            {attack, norm, epsilon}   of the rows it fooled, the share that it fooled late: patience would find more
attack.threat                                    who attacks, what they want and know
attack.flag            {flag}                    a sign that the attacks, not the model, are weak
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.attack import SLACK
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.listed_threats import listed_as
from seatrial.contracts.securing import Security
from seatrial.contracts.study import Model
from seatrial.flow._bounded import bounded
from seatrial.flow._sampling import Sampling
from seatrial.flow.besieged import LOOK, Siege
from seatrial.flow.certified import certified_findings, share
from seatrial.flow.counted import Judged
from seatrial.flow.doubts import doubts
from seatrial.flow.examples import examples
from seatrial.flow.siege import identity, smallest
from seatrial.flow.steps import Step
from seatrial.flow.trial import Trial, now
from seatrial.numerics.interval import Interval
from seatrial.numerics.paired import tango
from seatrial.numerics.percentiles import median_interval
from seatrial.numerics.replicates import mean_by_group

Flags = NDArray[np.bool_]
ACCURACY, UNION = "attack.accuracy", "all"
PATIENT = 5
"""Questions a row, on average, from which on it means something that a row fell late."""
KNOWS = {
    "classes": "sees the class of each answer and no more",
    "scores": "sees the scores of each answer",
    "original": "has the float model that this one was made of, and sees scores",
    "weights": "has the deployed artefact itself",
}
TRIES = {
    "classes": ("queries",),
    "scores": ("queries",),
    "original": ("original", "queries"),
    "weights": ("weights", "original", "queries"),
}
"""What an attacker tries with what they know, by the names of `contracts/listed_threats.py`."""


class Came:
    """What came of one candidate's siege: by attack and norm, the smallest change that fooled each row."""

    def __init__(self, trial: Trial, siege: Siege) -> None:
        self.steps: dict[tuple[str, str], list[tuple[Step, Mapping[str, Any]]]] = {}
        self.failed: list[tuple[Step, Mapping[str, Any]]] = []
        self.look: Mapping[str, Any] = trial.attacked.get(LOOK, {})
        for step in siege.steps:
            body = trial.attacked.get(identity(step))
            if body is not None and "came" in body:
                self.steps.setdefault((step.name, step.norm), []).append((step, body))
            elif body is not None:
                self.failed.append((step, body))
        self._far = {
            key: np.min([smallest(body) for _, body in made], axis=0)
            for key, made in self.steps.items()
            if len(made) == sum((one.name, one.norm) == key for one in siege.steps)
        }

    def names(self, norm: str) -> list[str]:
        """The attacks that were carried through by this norm."""
        return [name for name, by in self._far if by == norm]

    def far(self, names: Iterable[str], norm: str) -> NDArray[np.float64]:
        """The smallest change that fooled each row by any of these attacks."""
        return np.asarray(np.min([self._far[name, norm] for name in names], axis=0))


def attacked_findings(
    trial: Trial, reference: Trial | None, judged: Judged, model: Model, levels: Sequence[float]
) -> list[Finding]:
    """All that is stated of a candidate's siege, at each level."""
    siege = judged.siege
    assert siege is not None
    by = {"candidate": trial.id, "measured_at": now()}
    if "refused" in trial.attacked or siege.why:
        state, why = trial.attacked.get("refused", (State.UNSUPPORTED, siege.why))
        return [missing(ACCURACY, state, why, better="higher", **by)]
    came = Came(trial, siege)
    other = Came(reference, siege) if reference is not None and reference is not trial else None
    if not came.steps and not came.failed:
        return [missing(ACCURACY, State.TOO_FEW, "the run ended before it was attacked", better="higher", **by)]
    found = [one for level in levels for one in _curves(came, other, siege, judged.sampling, level)]
    found += [
        *_efforts(came),
        *_failed(came),
        *doubts(came.steps, came.look, siege),
        *examples(came.steps, siege, model),
    ]
    found += [one for level in levels for one in certified_findings(trial, siege, judged.sampling, level)]
    against = reference.id if reference is not None else None
    return [one.model_copy(update=by | {"against": against if one.against else None}) for one in found]


def _curves(came: Came, other: Came | None, siege: Siege, sampling: Sampling, level: float) -> Iterator[Finding]:
    for norm in dict.fromkeys(step.norm for step in siege.steps):
        names = came.names(norm)
        if not names:
            continue
        union = came.far(names, norm)
        for budget in siege.budgets[norm]:
            sets = {UNION: names} | {name: [name] for name in names}
            for name, members in sets.items():
                at = {"attack": name, "norm": norm, "epsilon": budget}
                stands = came.far(members, norm) > budget + SLACK
                yield bounded(ACCURACY, share(stands, siege.rows, sampling, level), len(stands), "higher", at=at)
                both = [one for one in members if other is not None and one in other.names(norm)]
                if other is not None and both:
                    own, theirs = (side.far(both, norm) > budget + SLACK for side in (came, other))
                    note = "" if len(both) == len(members) else f"by the attacks that both were put through: {', '.join(both)}"  # fmt: skip
                    drop = _drop(theirs, own, siege, sampling, level)
                    yield bounded(f"{ACCURACY}.drop", drop, len(own), "lower", at=at, against="reference", note=note)
        yield _median(union[union > 0], norm, level, sampling.plain)


def _drop(theirs: Flags, own: Flags, siege: Siege, sampling: Sampling, level: float) -> Interval:
    lost, gained = theirs & ~own, own & ~theirs
    if sampling.plain:
        return tango(int(lost.sum()), int(gained.sum()), len(own), level)
    return mean_by_group(lost.astype(np.float64) - gained, *sampling.of(siege.rows), level, scale=1.0)


def _median(changes: NDArray[np.float64], norm: str, level: float, plain: bool) -> Finding:
    """The median smallest change over the rows that were right; rows that nothing fooled count as beyond all others."""
    at = {"norm": norm}
    common: dict[str, Any] = {"better": "higher", "unit_of_replication": "rows", "n": len(changes)}
    if len(changes) < 2 or not np.isfinite(np.median(changes)):
        why = "half of the rows or more were fooled by no change that was tried"
        return missing("attack.smallest", State.TOO_FEW, why, at=at, **common)
    interval = median_interval(changes, level)
    if not plain:
        interval = interval._replace(low=None, high=None, method="median of rows that count alike; no bounds, as rows are weighted or come in clusters")  # fmt: skip
    return bounded("attack.smallest", interval, len(changes), "higher", at=at)


def threat(security: Security, sieges: Sequence[Siege]) -> Finding:
    """Whom the attacks stand for; what they couldn't do is told beside."""
    told, left_out = security.threat, sorted({name for one in sieges for name in one.left_out})
    leave = security.authorisation
    notes = [f"left out, as they couldn't do it: {', '.join(left_out)}"] if left_out else []
    notes += [f"in public lists: {listed_as(TRIES[told.knows])}"]
    notes += [f"{leave.owner} allowed in writing on {leave.dated} that {leave.endpoint} is attacked"] if leave else []
    return Finding(
        what="attack.threat",
        value=f"{told.who}, who wants {told.wants}; {KNOWS[told.knows]}",
        note="; ".join(notes),
        origin=Origin.DECLARED,
        method="as the study states it",
        measured_at=now(),
    )


# --- how it was got -------------------------------------------------------------------------------------------------------


def _efforts(came: Came) -> Iterator[Finding]:
    """What each attack asked for, and whether it was still finding something at its end."""
    for made in came.steps.values():
        for step, body in made:
            told = body["came"]
            at = {"attack": step.name, "norm": step.norm} | ({} if step.budget is None else {"epsilon": step.budget})
            common: dict[str, Any] = {"n": told["attacked"], "unit_of_replication": "rows", "method": "exact count"}
            note = f"and {told['slopes']:.4g} gradients" if told["slopes"] else ""
            yield Finding(what="attack.queries", at=at, value=round(told["queries"], 1), unit="answers", note=note, **common)  # fmt: skip
            if told["hits"] and step.budget is not None and told["queries"] >= PATIENT:
                said = f"{told['late']} of the {told['hits']} rows that it newly fooled, after three quarters of its questions"
                yield Finding(what="attack.late", at=at, value=told["late"] / told["hits"], better="lower", note=said, **common)  # fmt: skip


def _failed(came: Came) -> Iterator[Finding]:
    for step, body in came.failed:
        at = {"attack": step.name, "norm": step.norm} | ({} if step.budget is None else {"epsilon": step.budget})
        yield missing(ACCURACY, State(body["state"]), str(body["failed"]), at=at, better="higher")
