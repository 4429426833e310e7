"""Which features the reference needs: what each is worth to it, criterion by criterion, and how well it answers with the chosen ones.

feature.importance   {model, feature}   by how much the loss rises when the value is another row's
feature.stability    {model, feature}   in which share of resamples of the rows that is more than the study asks
feature.redundancy   {model, feature}   highest rank correlation with a feature that isn't taken together with it
feature.missing      {model, feature}   share of its values that are missing
feature.association  {model, feature}   how well it tells the label all by itself
feature.cost         {model, feature}   what it costs, as stated
feature.kept         {model, feature}   whether it is kept, and by which criteria not
features.loss        {model}            the loss with all features, on rows that nothing was chosen on
features.loss.rise   {model}            by how much it rises where those that were dropped say nothing

The loss of a row is the negative logarithm of the probability given to its class, where there are only scores or decisions whether it is
wrong, of numbers the absolute error. Half of the drawn rows choose, the other half judges. The model isn't trained anew without a dropped
feature: it is told the feature's middle value instead. One that is trained anew usually loses less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.selecting import Selecting
from seatrial.errors import DataError
from seatrial.flow._inputs import Array
from seatrial.numerics.importance import (
    association,
    correlations,
    importance,
    parts,
    permutations,
    stability,
    together,
)
from seatrial.numerics.interval import Interval
from seatrial.numerics.losses import Moments, log_loss, mean_interval
from seatrial.numerics.proportions import proportion

if TYPE_CHECKING:
    from seatrial.contracts.study import Model

LENT, WHOLE, CHOSEN = "lent", "whole", "chosen"
"""What a change says under `features`: values lent by other rows, rows as they are, rows without what was dropped."""
FEATURES = "features"
MOST_WIDE = 100
ROUNDING = 1e-9
"""What sums of losses differ by when nothing has changed."""
AND = " + "


class Feature(NamedTuple):
    """A column, or one number of a column that holds several."""

    column: str
    at: int | None = None

    def __str__(self) -> str:
        return self.column if self.at is None else f"{self.column}[{self.at}]"


@dataclass(frozen=True)
class Table:
    """The drawn rows as stored, and the features in groups; the first half of the rows chooses, the second judges."""

    columns: Mapping[str, Array]
    groups: tuple[tuple[Feature, ...], ...]
    rows: NDArray[np.int64]

    @property
    def half(self) -> int:
        return len(self.rows) // 2

    def lent(self, group: Sequence[Feature], lenders: NDArray[np.intp]) -> dict[str, Array]:
        """The rows that choose, each followed by itself with the group's values of other rows: (rows x (1 + repeats), ...)."""
        times = len(lenders) + 1
        made = {name: np.repeat(values[: self.half], times, axis=0) for name, values in self.columns.items()}
        for feature in group:
            values = self.columns[feature.column][: self.half]
            for repeat, who in enumerate(lenders, 1):
                _place(made, feature, slice(repeat, None, times), _values(values[who], feature))
        return made

    def without(self, dropped: Sequence[Feature]) -> dict[str, Array]:
        """The rows that judge, in which these features say what is in the middle of those that chose."""
        made = {name: values[self.half :].copy() for name, values in self.columns.items()}
        for feature in dropped:
            middle = _middle(_values(self.columns[feature.column][: self.half], feature))
            _place(made, feature, slice(None), middle)
        return made


def table(columns: Mapping[str, Array], rows: NDArray[np.int64], asked: Selecting) -> Table:
    """The features of these columns, correlated ones together. The rows are mixed, so that halves are alike."""
    order = np.random.default_rng([7, len(rows)]).permutation(len(rows))
    mixed = {name: values[order] for name, values in columns.items()}
    features = [
        one
        for name, values in mixed.items()
        if name in asked.columns or not asked.columns
        for one in _features(name, values)
    ]
    numbers = [one for one in features if _is_number(mixed, one)]
    half = len(rows) // 2
    found = (
        correlations(np.stack([_numbers(mixed, one)[:half] for one in numbers], axis=1))
        if numbers
        else np.zeros((0, 0))
    )
    groups = [tuple(numbers[at] for at in group) for group in together(found, asked.correlated)]
    groups += [(one,) for one in features if one not in numbers]
    return Table(mixed, tuple(sorted(groups, key=lambda group: features.index(group[0]))), rows[order])


def _features(name: str, values: Array) -> list[Feature]:
    if values.ndim == 2 and 1 < values.shape[1] <= MOST_WIDE:
        return [Feature(name, at) for at in range(values.shape[1])]
    return [Feature(name)]


def _values(values: Array, feature: Feature) -> Array:
    return values if feature.at is None else values[:, feature.at]


def _is_number(columns: Mapping[str, Array], feature: Feature) -> bool:
    values = _values(columns[feature.column], feature)
    return values.dtype.kind in "biuf" and values[0].size == 1


def _numbers(columns: Mapping[str, Array], feature: Feature) -> NDArray[np.float64]:
    return np.asarray(_values(columns[feature.column], feature), np.float64).reshape(-1)


def _place(made: dict[str, Array], feature: Feature, rows: slice, values: Any) -> None:
    if feature.at is None:
        made[feature.column][rows] = values
    else:
        made[feature.column][rows, feature.at] = values


def _middle(values: Array) -> Any:
    """The median of numbers (in a picture of each place); of words the one that is there most often."""
    if values.dtype.kind in "biuf":
        known = values.astype(np.float64)
        middle = np.nanmedian(known, axis=0) if np.isfinite(known).any() else np.nan
        return middle if values.dtype.kind == "f" else np.rint(middle).astype(values.dtype)
    words, counts = np.unique(values.astype(str), return_counts=True)
    return words[counts.argmax()]


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


class Judgement(NamedTuple):
    """What was found of one group of features, and whether it is kept."""

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

    @property
    def kept(self) -> bool:
        return not self.reasons


def judge(
    held: Table, asked: Selecting, own: Array, lent: Sequence[Array], labels: Array, classes: int, level: float
) -> list[Judgement]:
    """Each group of features by the study's criteria.

    `own` are losses of the rows that choose (rows,), `lent` of each group with values of other rows (repeats, rows).
    """
    lenders = permutations(held.half, asked.repeats, 0)
    each = np.stack([parts(own, one, lenders) for one in lent], axis=1) if lent else np.zeros((held.half, 0))
    stable = stability(each, asked.worth + ROUNDING)
    numbers = [one for group in held.groups for one in group if _is_number(held.columns, one)]
    known = (
        correlations(np.stack([_numbers(held.columns, one)[: held.half] for one in numbers], axis=1))
        if numbers
        else np.zeros((0, 0))
    )
    made = []
    for at, group in enumerate(held.groups):
        inside = [numbers.index(one) for one in group if one in numbers]
        outside = [place for place in range(len(numbers)) if place not in inside]
        redundant = float(known[np.ix_(inside, outside)].max()) if inside and outside else 0.0
        worth = importance(own, lent[at], lenders, level)
        made.append(_judged(held, asked, group, worth, float(stable[at]), redundant, labels, classes))
    return made


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
    numbers = [_numbers(held.columns, one)[: held.half] for one in group if _is_number(held.columns, one)]
    gone = max((int(np.isnan(one).sum()) for one in numbers), default=0)
    single = np.ndim(labels) == 1
    tells = max((association(one, labels, classes) for one in numbers), default=None) if single else None
    cost = sum(asked.cost.get(name, 0.0) for name in {str(one) for one in group} | {one.column for one in group})
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
    if set(asked.keep) & ({str(one) for one in group} | {one.column for one in group}):
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
        note = "; ".join(one.reasons) or one.note
        yield Finding(what="feature.kept", value=one.kept, method="by the study's criteria, in turn", note=note, **rows)


def choice_findings(
    model: str, whole: Array, chosen: Array | None, judged: Sequence[Judgement], what: str, level: float
) -> Iterator[Finding]:
    """The loss with all features and what dropping costs, on rows that nothing was chosen on."""
    dropped = [one.label for one in judged if not one.kept]
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
    note = f"without {', '.join(dropped)}; not trained anew: each says its middle value instead"
    yield _mean(
        "features.loss.rise", mean_interval(Moments.of(chosen - whole), level), f"{what}, paired by row", note, rows
    )


def _mean(name: str, found: Interval, what: str, note: str, rows: Mapping[str, Any]) -> Finding:
    bounds = {"low": found.low, "high": found.high, "level": found.level}
    return Finding(what=name, value=found.value, method=f"{what}: {found.method}", note=note, **bounds, **rows)


def read_by(model: Model) -> list[str]:
    """The columns that a model reads."""
    return sorted({column for one in model.inputs.values() for column in one.columns})
