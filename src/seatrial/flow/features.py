"""Which features the reference needs: what each is worth to it, criterion by criterion, and how well it answers with the chosen ones.

feature.importance   {model, feature}   by how much the loss rises when the value is another row's
feature.stability    {model, feature}   in which share of resamples of the rows that is more than the study asks
feature.redundancy   {model, feature}   highest rank correlation with a feature that isn't taken together with it
feature.missing      {model, feature}   share of its values that are missing
feature.association  {model, feature}   how well it tells the label all by itself
feature.cost         {model, feature}   what it costs, as stated
feature.kept         {model, feature}   whether it is kept, and by which criteria not
features.loss        {model}            the loss with all features, on rows that nothing was chosen on
features.loss.rise   {model}            by how much it rises where those that were dropped say nothing of their own

The loss of a row is the negative logarithm of the probability given to its class, where there are only scores or decisions whether it is
wrong, of numbers the absolute error. Half of the drawn rows choose, the other half judges. Here the model isn't trained anew without a
dropped feature: it is told the feature's middle value instead, or, of one that only repeats another, what the other suggests (least
squares). Where a model can be trained anew, `flow/refitting.py` does so, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.selecting import Selecting
from seatrial.errors import DataError
from seatrial.flow._feature_rows import Feature, Table, is_number, numbers_of
from seatrial.flow._inputs import Array
from seatrial.numerics.importance import (
    association,
    correlations,
    importance,
    parts,
    permutations,
    stability,
)
from seatrial.numerics.interval import Interval
from seatrial.numerics.losses import Moments, log_loss, mean_interval
from seatrial.numerics.proportions import proportion

if TYPE_CHECKING:
    from seatrial.contracts.study import Model

LENT, WHOLE, CHOSEN = "lent", "whole", "chosen"
"""What a change says under `features`: values lent by other rows, rows as they are, rows without what was dropped."""
FEATURES = "features"
ROUNDING = 1e-9
"""What sums of losses differ by when nothing has changed."""
AND = " + "


# --- what is made of the answers ------------------------------------------------------------------------------------------


def losses(answers: Mapping[str, Array], labels: Array) -> tuple[NDArray[np.float64], str]:
    """The loss of each row, (rows,), and what it is. Raises `DataError` where there is nothing to compare."""
    if "probabilities" in answers:
        return log_loss(answers["probabilities"], labels), "log-loss"
    for name in ("chosen", "scores"):
        if name in answers:
            wrong = _wrong(answers[name], labels)
            return wrong.astype(np.float64), "share that is wrong"
    if "values" in answers:
        off = np.abs(
            answers["values"].reshape(len(labels), -1) - np.asarray(labels, np.float64).reshape(len(labels), -1)
        )
        return np.asarray(off.mean(axis=1)), "absolute error"
    raise DataError("these answers can't be held against labels", where="measure.features")


def _wrong(answers: Array, labels: Array) -> NDArray[np.bool_]:
    if np.ndim(labels) == 2:
        return np.asarray((answers != labels).any(axis=1))
    return np.asarray((answers.argmax(axis=1) if answers.ndim == 2 else answers) != labels)


class Spare(NamedTuple):
    """A feature that only repeats another one, which stays: their rank correlation."""

    feature: Feature
    other: Feature
    alike: float


class Judgement(NamedTuple):
    """What was found of one group of features, and whether it is kept; of one that is, those that another one repeats are not."""

    label: str
    group: tuple[Feature, ...]
    worth: Interval
    stable: float
    redundant: float
    missing: tuple[int, int]
    tells: float | None
    cost: float
    reasons: tuple[str, ...]
    note: str
    spare: tuple[Spare, ...] = ()

    @property
    def kept(self) -> bool:
        return not self.reasons

    @property
    def dropped(self) -> dict[Feature, Feature | None]:
        """The features that go, and the one that suggests what each would say."""
        return {one.feature: one.other for one in self.spare} if self.kept else dict.fromkeys(self.group)


def judge(
    held: Table, asked: Selecting, own: Array, lent: Sequence[Array], labels: Array, classes: int, level: float
) -> list[Judgement]:
    """Each group of features by the study's criteria.

    `own` are losses of the rows that choose (rows,), `lent` of each group with values of other rows (repeats, rows).
    """
    lenders = permutations(held.half, asked.repeats, 0)
    each = np.stack([parts(own, one, lenders) for one in lent], axis=1) if lent else np.zeros((held.half, 0))
    stable = stability(each, asked.worth + ROUNDING)
    numbers = [one for group in held.groups for one in group if is_number(held.columns, one)]
    known = (
        correlations(np.stack([numbers_of(held.columns, one)[: held.half] for one in numbers], axis=1))
        if numbers
        else np.zeros((0, 0))
    )
    made = []
    for at, group in enumerate(held.groups):
        inside = [numbers.index(one) for one in group if one in numbers]
        outside = [place for place in range(len(numbers)) if place not in inside]
        redundant = float(known[np.ix_(inside, outside)].max()) if inside and outside else 0.0
        worth = importance(own, lent[at], lenders, level)
        one = _judged(held, asked, group, worth, float(stable[at]), redundant, labels, classes)
        alike = known[np.ix_(inside, inside)]
        made.append(one._replace(spare=_spare(held, asked, group, alike, labels, classes)) if one.kept else one)
    return made


def _spare(
    held: Table, asked: Selecting, group: Sequence[Feature], alike: NDArray[np.float64], labels: Array, classes: int
) -> tuple[Spare, ...]:
    """Those of a group that repeat one that stays, `alike` by rank correlation: by the study's wish, cost, gaps, what each tells by itself."""

    def order(at: int) -> tuple[Any, ...]:
        values = numbers_of(held.columns, group[at])[: held.half]
        tells = association(values, labels, classes) if np.ndim(labels) == 1 else 0.0
        return (
            not _wished(asked, group[at : at + 1]),
            _cost(asked, group[at : at + 1]),
            int(np.isnan(values).sum()),
            -tells,
            at,
        )

    stays, found = list[int](), list[Spare]()
    for at in sorted(range(len(group)), key=order) if len(group) > 1 else ():
        other = max(stays, key=lambda one: alike[at, one], default=at)
        if other == at or alike[at, other] < asked.redundant or _wished(asked, group[at : at + 1]):
            stays.append(at)
        else:
            found.append(Spare(group[at], group[other], float(alike[at, other])))
    return tuple(found)


def _wished(asked: Selecting, group: Sequence[Feature]) -> bool:
    """Whether the study keeps one of them whatever is found."""
    return bool(set(asked.keep) & _names(group))


def _cost(asked: Selecting, group: Sequence[Feature]) -> float:
    return sum(asked.cost.get(name, 0.0) for name in _names(group))


def _names(group: Sequence[Feature]) -> set[str]:
    return {str(one) for one in group} | {one.column for one in group}


def _judged(
    held: Table,
    asked: Selecting,
    group: tuple[Feature, ...],
    worth: Interval,
    stable: float,
    redundant: float,
    labels: Array,
    classes: int,
) -> Judgement:
    numbers = [numbers_of(held.columns, one)[: held.half] for one in group if is_number(held.columns, one)]
    gone = max((int(np.isnan(one).sum()) for one in numbers), default=0)
    single = np.ndim(labels) == 1
    tells = max((association(one, labels, classes) for one in numbers), default=None) if single else None
    cost = _cost(asked, group)
    reasons, note = [], ""
    high = worth.value if worth.high is None else worth.high
    low = worth.value if worth.low is None else worth.low
    if high <= asked.worth + ROUNDING:
        reasons.append(f"without it the loss rises by no more than {asked.worth:g}")
    elif low <= asked.worth + ROUNDING:
        note = "too few rows to tell whether it is worth anything; it stays"
    if stable < asked.stable:
        reasons.append(f"only in {stable:.0%} of resamples of the rows is it worth that much")
    if gone > asked.missing * held.half:
        reasons.append(f"{gone / held.half:.0%} of its values are missing")
    if tells is not None and tells >= asked.leaks:
        reasons.append("by itself it tells the label: it may not be known when an answer is wanted")
    if cost and asked.per_cost is not None and high < asked.per_cost * cost:
        reasons.append(f"the loss rises by less than {asked.per_cost:g} for each unit of its cost")
    if _wished(asked, group):
        note, reasons = ("it stays as the study says, though " + ", and ".join(reasons)) if reasons else note, []
    label = AND.join(map(str, group))
    return Judgement(label, group, worth, stable, redundant, (gone, held.half), tells, cost, tuple(reasons), note)


# --- findings ---------------------------------------------------------------------------------------------------------------


def table_findings(judged: Sequence[Judgement], model: str, what: str, currency: str) -> Iterator[Finding]:
    """Every criterion of every feature, and whether it is kept."""
    for one in judged:
        at = {"model": model, "feature": one.label}
        rows: dict[str, Any] = {"at": at, "n": one.missing[1], "unit_of_replication": "rows"}
        worth, gone = one.worth, proportion(*one.missing, one.worth.level)
        bounds = {"low": worth.low, "high": worth.high, "level": worth.level}
        yield Finding(
            what="feature.importance",
            value=worth.value,
            better="higher",
            method=f"{what}: {worth.method}",
            **bounds,
            **rows,
        )
        method = "share of 200 resamples of the rows in which its importance exceeds what the study asks"
        yield Finding(what="feature.stability", value=one.stable, better="higher", method=method, **rows)
        method = "highest absolute rank correlation with a feature outside its group"
        yield Finding(what="feature.redundancy", value=one.redundant, better="lower", method=method, **rows)
        bounds = {"low": gone.low, "high": gone.high, "level": gone.level}
        yield Finding(what="feature.missing", value=gone.value, better="lower", method=gone.method, **bounds, **rows)
        if one.tells is not None:
            method = "|2 AUC - 1| of the best class against the rest, of numbers |Spearman|, by itself"
            yield Finding(what="feature.association", value=one.tells, method=method, **rows)
        if one.cost:
            yield Finding(
                what="feature.cost",
                at=at,
                value=one.cost,
                unit=f"{currency}/1000",
                better="lower",
                origin=Origin.DECLARED,
                method="as stated in the study",
            )
        repeats = [f"`{spare.feature}` is dropped: `{spare.other}` says the same" for spare in one.spare]
        note = "; ".join(one.reasons or [*filter(None, [one.note]), *repeats])
        yield Finding(what="feature.kept", value=one.kept, method="by the study's criteria, in turn", note=note, **rows)
        for spare in one.spare:
            mine = rows | {"at": {"model": model, "feature": str(spare.feature)}}
            method = f"rank correlation with `{spare.other}`, which stays"
            yield Finding(what="feature.redundancy", value=spare.alike, better="lower", method=method, **mine)
            note = f"`{spare.other}` says the same, and costs no more"
            yield Finding(
                what="feature.kept", value=False, method="by the study's criteria, in turn", note=note, **mine
            )


def choice_findings(
    model: str, whole: Array, chosen: Array | None, judged: Sequence[Judgement], what: str, level: float
) -> Iterator[Finding]:
    """The loss with all features and what dropping costs, on rows that nothing was chosen on."""
    dropped = [str(feature) for one in judged for feature in one.dropped]
    rows: dict[str, Any] = {"at": {"model": model}, "n": len(whole), "unit_of_replication": "rows", "better": "lower"}
    yield _mean("features.loss", mean_interval(Moments.of(whole), level), what, "", rows)
    if not dropped:
        note = "every feature is kept"
        yield Finding(what="features.loss.rise", value=0.0, method="nothing is left out", note=note, **rows)
        return
    if chosen is None:
        yield missing(
            "features.loss.rise", State.FAILED, "the chosen set was not answered", at={"model": model}, better="lower"
        )
        return
    suggested = any(one.spare for one in judged)
    instead = f"its middle value instead{', or what the one that it repeats suggests' if suggested else ''}"
    note = f"without {', '.join(dropped)}; not trained anew: each says {instead}"
    yield _mean(
        "features.loss.rise", mean_interval(Moments.of(chosen - whole), level), f"{what}, paired by row", note, rows
    )


def _mean(name: str, found: Interval, what: str, note: str, rows: Mapping[str, Any]) -> Finding:
    bounds = {"low": found.low, "high": found.high, "level": found.level}
    return Finding(what=name, value=found.value, method=f"{what}: {found.method}", note=note, **bounds, **rows)


def read_by(model: Model) -> list[str]:
    """The columns that a model reads."""
    return sorted({column for one in model.inputs.values() for column in one.columns})
