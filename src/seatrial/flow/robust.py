"""What became of changed inputs: accuracy as inputs go bad, and whether a candidate answers for the same reasons as the reference.

corrupted.accuracy        {corruption, severity}   share of the corrupted rows that are right
corrupted.accuracy.drop   {corruption, severity}   by how much less than the reference's, on the same corrupted rows
corrupted.extra_drop      {corruption}             by how much more it falls from clean rows than the reference, over severities
explanations.agreement                             rank correlation of what hiding each part of an input does to the answer
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef, Order
from seatrial.contracts.study import Model
from seatrial.errors import SeatrialError, Unsupported, WorkerError
from seatrial.flow import arrays
from seatrial.flow._bounded import bounded
from seatrial.flow._sampling import Sampling
from seatrial.flow.changed import CLEAN, HIDDEN, Change
from seatrial.flow.counted import Judged
from seatrial.flow.crew import session_order
from seatrial.flow.keep import CHANGED
from seatrial.flow.trial import Trial, Voyage, now
from seatrial.numerics.losses import Moments, mean_interval
from seatrial.numerics.paired import tango
from seatrial.numerics.proportions import proportion
from seatrial.numerics.ranks import spearman
from seatrial.numerics.replicates import mean_by_group, share_by_group
from seatrial.numerics.robustness import extra_drop, extra_drop_tally

Flags = NDArray[np.bool_]
LEAST_EXPLAINED = 10


def answer_changes(voyage: Voyage, trial: Trial, changes: Sequence[Change]) -> None:
    """Let the candidate's session answer every change it hasn't answered. What goes wrong is a finding of its own."""
    for number, change in enumerate(changes):
        if trial.link is None or change.key in trial.changed:
            continue
        voyage.tell("predict", trial.planned.label, number, len(changes), ", ".join(map(str, change.at.values())))
        rows = next(iter(change.values.values())).shape[0]
        order: Order = session_order(
            voyage, trial, "predict", rows=(0, rows), samples=trial.planned.candidate.batch
        ).model_copy(update={"values": dict(change.values)})
        try:
            answer = trial.link.ask(order, voyage.plan.study.measure.limits.predict)
        except WorkerError as error:
            trial.changed[change.key] = {"failed": error.what, "state": error.state}
            if error.state not in (State.FAILED, State.UNSUPPORTED):
                trial.close()
            continue
        body = {"outputs": {name: {"$array": ref} for name, ref in answer["outputs"].items()}, "at": now()}
        trial.changed[change.key] = body
        voyage.measured += 1
        voyage.keeper.put((CHANGED, f"{trial.kept_prediction}/{change.key}", body))


def recall_changes(voyage: Voyage, trial: Trial, changes: Sequence[Change]) -> None:
    """What is kept of a candidate's answers to changes."""
    for change in changes:
        body = voyage.keeper.get(CHANGED, f"{trial.kept_prediction}/{change.key}")
        if body is not None:
            trial.changed[change.key] = body
            voyage.reused += 1


def changed_findings(
    voyage: Voyage,
    trial: Trial,
    reference: Trial | None,
    judged: Judged,
    levels: Sequence[float],
) -> list[Finding]:
    """All that is stated of a candidate's answers to changes, at each level, with the weights and clusters of the rows."""
    changes, sampling = judged.changes, judged.sampling
    model = voyage.plan.study.models[trial.planned.candidate.model]
    other = reference if reference is not None and reference is not trial else None
    by = {"candidate": trial.id, "measured_at": now()}
    sides = [_Side(voyage, model, one, changes, judged.labels) for one in (trial, other) if one is not None]
    found: list[Finding] = []
    for what, stated in (("corrupted.accuracy", _corrupted), ("explanations.agreement", _explained)):
        try:
            found += [one for level in levels for one in stated(changes, sides, sampling, level)]
        except SeatrialError as error:
            state = State.UNSUPPORTED if isinstance(error, Unsupported) else State.FAILED
            found.append(missing(what, state, error.what))
    return [one.model_copy(update=by | {"against": other.id if one.against and other else None}) for one in found]


class _Side:
    """One candidate's answers to changes, in the task's terms."""

    def __init__(self, voyage: Voyage, model: Model, trial: Trial, changes: Sequence[Change], labels: Any) -> None:
        self._task = catalog.load(voyage.find("tasks", model.task.name))
        self._model, self._labels, self._trial = model, labels, trial
        self.failed = {
            change.key: str(trial.changed[change.key]["failed"])
            for change in changes
            if "failed" in trial.changed.get(change.key, {})
        }
        self._bodies = {key: body for key, body in trial.changed.items() if "outputs" in body}

    def scores(self, change: Change) -> NDArray[np.float64] | None:
        """Scores (rows, classes), NaN in rows without a number, or None where the change wasn't answered. Raises `DataError`."""
        return self._filled(change, ("probabilities", "scores", "values", "quantiles"))

    def _filled(self, change: Change, names: Sequence[str]) -> NDArray[np.float64] | None:
        """The first of these answers that there is, (rows, columns), NaN in rows without a number; None as `scores`."""
        body = self._bodies.get(change.key)
        if body is None:
            return None
        raw = {name: arrays.load(ArrayRef(**ref["$array"])) for name, ref in body["outputs"].items()}
        lost: Flags = np.zeros(len(next(iter(raw.values()))), np.bool_)
        for one in raw.values():
            lost = lost | ~np.asarray(np.isfinite(one.reshape(len(one), -1)).all(axis=1))
        known = {name: one[~lost] for name, one in raw.items()}
        answers = self._task.answers(known, self._model.outputs) if not lost.all() else {}
        if answers:
            rows = np.repeat(change.rows, len(lost) // len(change.rows))[~lost]
            for step in self._trial.fitted:
                answers = step.apply(answers, rows)
        if answers and not any(name in answers for name in names):
            raise Unsupported(
                "a predicted number is never just right or wrong, and this is told as a share of right rows"
            )
        found = next((answers[name].reshape(int((~lost).sum()), -1) for name in names if name in answers), None)
        width = 1 if found is None else found.shape[1]
        made = np.full((len(lost), width), np.nan)
        if found is not None:
            made[~lost] = found
        return made

    def right(self, change: Change) -> Flags | None:
        """Whether each changed row's highest-scored class is its label (or all its labels are right); one without a number is wrong.

        Raises `Unsupported` for predicted numbers.
        """
        scores = self._filled(change, ("chosen", "probabilities", "scores"))
        if scores is None or self._labels is None:
            return None
        answered: Flags = np.asarray(np.isfinite(scores).all(axis=1))
        if np.ndim(self._labels) == 2:
            return np.asarray((scores == self._labels[change.rows]).all(axis=1))
        return np.asarray(
            answered & (np.where(answered[:, None], scores, 0).argmax(axis=1) == self._labels[change.rows])
        )


# --- corruptions ----------------------------------------------------------------------------------------------------------


def _corrupted(
    changes: Sequence[Change], sides: Sequence[_Side], sampling: Sampling, level: float
) -> Iterator[Finding]:
    spoilt = [change for change in changes if "corruption" in change.at]
    hits: dict[str, list[list[Flags]]] = {}
    for change in spoilt:
        right = [side.right(change) for side in sides]
        if right[0] is None:
            why = sides[0].failed.get(change.key, "the candidate didn't answer these rows")
            yield missing("corrupted.accuracy", State.FAILED, why, at=dict(change.at), better="higher")
            continue
        known = [one for one in right if one is not None]
        hits.setdefault(str(change.at["corruption"]), []).append(known)
        yield from _at_one_severity(change, known, sampling, level)
    clean = hits.pop(CLEAN, [[]])[0]
    for name, each in hits.items():
        if len(clean) == 2 and all(len(known) == 2 for known in each):
            yield _falls_faster(name, clean, each, spoilt[0].rows, sampling, level)


def _at_one_severity(change: Change, known: list[Flags], sampling: Sampling, level: float) -> Iterator[Finding]:
    n, at = len(known[0]), change.at
    right = proportion(int(known[0].sum()), n, level)
    if not sampling.plain:
        right = share_by_group(known[0], *sampling.of(change.rows), level)
    yield bounded("corrupted.accuracy", right, n, "higher", at=at)
    if len(known) == 2:
        lost, gained = known[1] & ~known[0], known[0] & ~known[1]
        drop = tango(int(lost.sum()), int(gained.sum()), n, level)
        if not sampling.plain:
            drop = mean_by_group(lost.astype(np.float64) - gained, *sampling.of(change.rows), level, scale=1.0)
        yield bounded("corrupted.accuracy.drop", drop, n, "lower", at=at, against="reference")


def _falls_faster(
    name: str, clean: list[Flags], each: list[list[Flags]], rows: NDArray[np.int64], sampling: Sampling, level: float
) -> Finding:
    """Its fall from clean rows against the reference's, on average over the severities."""
    own, other = (np.stack([known[side] for known in each]) for side in (0, 1))
    if sampling.plain:
        interval = extra_drop(extra_drop_tally(clean[0], own, clean[1], other), level)
    else:
        falls = (clean[0] - own.mean(axis=0)) - (clean[1] - other.mean(axis=0))
        interval = mean_by_group(falls, *sampling.of(rows), level, scale=1.0)
    return bounded(
        "corrupted.extra_drop", interval, len(clean[0]), "lower", at={"corruption": name}, against="reference"
    )


# --- explanations -----------------------------------------------------------------------------------------------------------


def _explained(
    changes: Sequence[Change], sides: Sequence[_Side], sampling: Sampling, level: float
) -> Iterator[Finding]:
    """Of each explained row the rank correlation of both attributions; their mean."""
    for change in (change for change in changes if HIDDEN in change.at):
        if len(sides) < 2:
            return
        parts = int(change.at[HIDDEN])
        own, other = (side.scores(change) for side in sides)
        common: dict[str, Any] = {"better": "higher", "against": "reference", "unit_of_replication": "rows"}
        if own is None or other is None:
            why = sides[0].failed.get(change.key, "the hidden parts were not answered by both")
            yield missing("explanations.agreement", State.FAILED, why, **common)
            return
        watched = other[:: parts + 1].argmax(axis=1)
        agreement = spearman(_attributions(own, parts, watched), _attributions(other, parts, watched))
        usable = np.isfinite(agreement)
        known = agreement[usable]
        if len(known) < LEAST_EXPLAINED:
            why = f"{len(known)} rows whose answer changes when a part is hidden are too few"
            yield missing("explanations.agreement", State.TOO_FEW, why, n=len(known), **common)
            return
        interval = mean_interval(Moments.of(known), level)
        if not sampling.plain:
            interval = mean_by_group(known, *sampling.of(change.rows[usable]), level)
        method = f"mean rank correlation (Spearman) over {parts} hidden parts; {interval.method}"
        held = interval._replace(high=None if interval.high is None else min(1.0, interval.high), method=method)
        yield bounded("explanations.agreement", held, len(known), "higher", against="reference")


def _attributions(scores: NDArray[np.float64], parts: int, watched: NDArray[np.int64]) -> NDArray[np.float64]:
    """By how much hiding each part lowers the score of the reference's answer, (rows, parts)."""
    shaped = scores.reshape(len(watched), parts + 1, -1)
    of_answer = np.take_along_axis(shaped, watched[:, None, None], axis=2)[:, :, 0]
    return np.asarray(of_answer[:, :1] - of_answer[:, 1:])
