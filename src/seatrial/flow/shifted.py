"""How far two data sets of the study lie apart, column by column, and whether that is more than chance makes of as many rows.

shift.psi             {column, from, to}   population stability index of the column's bins or words
shift.jensen_shannon  {column, from, to}   Jensen-Shannon divergence of the same, in bits
shift.mean            {column, from, to}   difference of means in standard deviations, of numbers
shift.columns         {from, to, above}    how many columns have an index above that, and above what chance reaches

Two passes over both: the first learns words, moments and a sample, the second counts bins (equally many rows of both together in
each). Memory is a chunk of rows and, of each column, `SAMPLE` numbers and at most `MOST_WORDS` words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.study import Study
from seatrial.errors import DataError
from seatrial.flow._conditions import parse
from seatrial.flow._inputs import Array
from seatrial.flow._match import nearest
from seatrial.flow._picks import DataSet, Pick, chosen
from seatrial.flow.trial import now
from seatrial.numerics import shift
from seatrial.numerics.pictures import OVERALL, look

SAMPLE = 100_000
MOST_WORDS = 1_000
MOST_WIDE = 100
SOME, MUCH = 0.1, 0.25
"""Customs for the population stability index: below the first little, above the second much. No theory stands behind them."""


def shift_findings(study: Study, folder: Path, level: float) -> list[Finding]:
    """What is asked under `measure.shift`; nothing where it isn't.

    Intervals are two-sided at `level`. What is said of chance holds for all columns together: without a shift, some column exceeds
    it in at most 1 - `level` of such pairs of data sets. Raises `DataError`, with the nearest name, for a data set or a column
    that the study names and that isn't there; what else goes wrong is a finding.
    """
    if (asked := study.measure.shift) is None:
        return []
    sets = [_data_set(study, folder, name) for name in asked.between]
    at = {"from": sets[0].name, "to": sets[1].name}
    shared, found = _shared(sets, asked.columns, _read_by_models(study), at)
    try:
        try:
            unread = dict[str, str]()
            pairs, odd = _learnt(sets, shared)
        except DataError:
            shared, unread = _readable(sets, shared)
            pairs, odd = _learnt(sets, shared) if shared else ({}, {})
        odd |= unread
        found += [missing("shift.psi", State.UNSUPPORTED, why, at=at | {"column": name}) for name, why in odd.items()]
        _count(sets, shared, pairs)
        found += _stated(pairs, _thinned(sets, pairs), at, level)
    except DataError as error:
        found.append(missing("shift.columns", State.FAILED, error.what, at=at, method=error.next_step))
    return [one.model_copy(update={"measured_at": now()}) for one in found]


# --- which columns ----------------------------------------------------------------------------------------------------------


def _data_set(study: Study, folder: Path, name: str) -> DataSet:
    if name not in study.data:
        step = nearest(name, list(study.data)).replace("its columns are", "its data sets are")
        raise DataError(f"the study has no data set `{name}`", where="measure.shift.between", next_step=step)
    return DataSet(name, study.data[name], folder)


def _read_by_models(study: Study) -> tuple[str, ...]:
    """Columns that models read, and those of slices, groups and the search."""
    measure = study.measure
    named = [column for model in study.models.values() for one in model.inputs.values() for column in one.columns]
    named += [one.column for one in measure.slices if one.column]
    named += [condition.column for one in measure.slices if one.where for condition in parse(one.where)]
    named += [column for columns in measure.groups for column in columns]
    return tuple(dict.fromkeys([*named, *(measure.find.columns if measure.find else ())]))


def _shared(
    sets: Sequence[DataSet], stated: Sequence[str], usual: Sequence[str], at: Mapping[str, Any]
) -> tuple[list[str], list[Finding]]:
    """The columns that both data sets have. One that is named and lacking is refused; one that models read is noted."""
    shared, found = [], []
    there = [one.names() for one in sets]
    for name in stated or usual:
        lacking = [(one, names) for one, names in zip(sets, there, strict=True) if name not in names]
        if not lacking:
            shared.append(name)
            continue
        what, step = f"data `{lacking[0][0].name}` has no column `{name}`", nearest(name, lacking[0][1])
        if stated:
            raise DataError(what, where="measure.shift.columns", next_step=step)
        found.append(missing("shift.psi", State.FAILED, what, at={**at, "column": name}, method=step))
    if not shared:
        step = "name some under `columns`" if not stated else ""
        raise DataError("there are no columns to compare", where="measure.shift", next_step=step)
    return shared, found


# --- what is learnt of them -------------------------------------------------------------------------------------------------


@dataclass
class _Column:
    """What one data set shows of one column: words with their counts, or numbers (of too many words: their lengths)."""

    rows: int = 0
    text: bool | None = None  # None until a value is seen
    words: Counter[Any] | None = field(default_factory=Counter)
    missing: int = 0
    moments: shift.Moments = field(default_factory=shift.Moments)
    sample: Array = field(default_factory=lambda: np.empty(0))
    every: int = 1
    counts: Array | None = None

    def see(self, values: Array) -> None:
        """Take note of some rows."""
        self.rows += len(values)
        if values.dtype.kind in "OUT":
            known = Counter(values.tolist())
            self.missing += sum(known.pop(value) for value in [one for one in known if one is None or one != one])
            if self.words is not None:
                self.words.update(known)
                self.words = self.words if len(self.words) <= MOST_WORDS else None
        numbers = _numbers(values)
        numbers = numbers[~np.isnan(numbers)]
        if len(numbers):
            self.text = values.dtype.kind in "OUT"
        self.moments = self.moments.merge(shift.moments(numbers))
        self.sample = np.concatenate([self.sample, numbers[:: self.every]])
        while len(self.sample) > SAMPLE:
            self.sample, self.every = self.sample[::2], self.every * 2

    def count(self, values: Array, edges: Array) -> None:
        """Count some rows in bins."""
        counted = shift.histogram(_numbers(values), edges)
        self.counts = counted if self.counts is None else self.counts + counted


_Pair = tuple[_Column, _Column]


def _numbers(values: Array) -> Array:
    """Numbers as float64, of words how many letters they have; NaN where there is no value."""
    kind = values.dtype.kind
    if kind in "OUT":
        return np.array([math.nan if one is None or one != one else len(str(one)) for one in values.tolist()], float)
    if kind in "mM":
        return np.where(np.isnat(values), np.nan, values.astype(np.int64).astype(np.float64))
    return values.astype(np.float64)


def _series(name: str, values: Array) -> Iterator[tuple[str, Array]]:
    """The single values in a stored column: itself, each of a few numbers, of many their mean and deviation, how pictures look."""
    if values.ndim == 1:
        yield name, values
    elif values.ndim == 2 and values.shape[1] == 1:
        yield name, values[:, 0]
    elif values.ndim == 2 and values.shape[1] <= MOST_WIDE:
        yield from ((f"{name}[{at}]", values[:, at]) for at in range(values.shape[1]))
    else:
        flat = values.ndim == 2
        pictures = values[:, None, :] if flat else values
        for what, of in zip(OVERALL, ("mean", "deviation"), strict=True):
            try:
                yield f"{of if flat else what} of {name}", look(pictures, what)
            except ValueError as error:
                raise DataError(f"`{name}` can't be compared: {error}", where="measure.shift") from error


def _rows(source: DataSet, names: Sequence[str]) -> Iterator[tuple[str, Array]]:
    for chunk in chosen(Pick(source, None, None), names):
        for name in names:
            yield from _series(name, chunk[name])


def _readable(sets: Sequence[DataSet], names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The columns that come as arrays in both, and why others don't: one that can't be read keeps no other from being compared."""
    odd: dict[str, str] = {}
    for source in sets:
        for name in names:
            try:
                for _ in _rows(source, [name]):
                    pass
            except DataError as error:
                odd.setdefault(name, f"data `{source.name}`: {error.what}")
    return [name for name in names if name not in odd], odd


def _learnt(sets: Sequence[DataSet], names: Sequence[str]) -> tuple[dict[str, _Pair], dict[str, str]]:
    """Both sides of each series, and why some can't be compared."""
    seen: list[dict[str, _Column]] = [{}, {}]
    for source, columns in zip(sets, seen, strict=True):
        for name, values in _rows(source, names):
            columns.setdefault(name, _Column()).see(values)
    pairs: dict[str, _Pair] = {}
    odd: dict[str, str] = {}
    for name in dict.fromkeys([*seen[0], *seen[1]]):
        one, other = seen[0].get(name), seen[1].get(name)
        if one is None or other is None:
            odd[name] = "its rows have other shapes in the two data sets"
        elif None not in (one.text, other.text) and one.text != other.text:
            held = [f"{'words' if each.text else 'numbers'} in `{source.name}`" for each, source in zip((one, other), sets, strict=True)]  # fmt: skip
            odd[name] = f"it holds {' and '.join(held)}"
        else:
            pairs[name] = one, other
    return pairs, odd


def _worded(pair: _Pair) -> bool:
    """Whether a column's words are compared one by one: there are few enough."""
    return any(one.text for one in pair) and all(one.words is not None for one in pair)


def _count(sets: Sequence[DataSet], names: Sequence[str], pairs: Mapping[str, _Pair]) -> None:
    """Count words as seen, and numbers in ten bins of equally many rows of both sets together: bins of the first alone would
    exceed what is said of chance twice too often at 60 rows."""
    edges: dict[str, Array] = {}
    for name, (one, other) in pairs.items():
        if _worded((one, other)):
            words = [{f"={word}": count for word, count in (each.words or {}).items()} for each in (one, other)]
            one.counts, other.counts = shift.aligned(words[0] | {"": one.missing}, words[1] | {"": other.missing})
        else:
            edges[name] = shift.quantile_edges(np.append(one.sample, other.sample))
    if not edges:
        return
    for side, source in enumerate(sets):
        for name, values in _rows(source, names):
            if name in edges:
                pairs[name][side].count(values, edges[name])


# --- what is stated ---------------------------------------------------------------------------------------------------------


def _thinned(sets: Sequence[DataSet], pairs: Mapping[str, _Pair]) -> float:
    """By how much wider chance is where rows come in groups that belong together: at worst each group counts as one row."""
    if not pairs:
        return 1.0
    rows = [one.rows for one in next(iter(pairs.values()))]
    groups = [
        len(np.unique(source.small()[source.data.group].astype(str))) if source.data.group else count
        for source, count in zip(sets, rows, strict=True)
    ]
    return (1 / groups[0] + 1 / groups[1]) / (1 / rows[0] + 1 / rows[1])


def _stated(pairs: Mapping[str, _Pair], thinned: float, at: Mapping[str, Any], level: float) -> list[Finding]:
    """Three findings a column, and how many of the columns have shifted."""
    together = 1 - (1 - level) / max(1, len(pairs))
    found: list[Finding] = []
    beyond: dict[str, float] = {}
    for name, (one, other) in pairs.items():
        assert one.counts is not None
        assert other.counts is not None
        worded = _worded((one, other))
        column = name if worded or not (one.text or other.text) else f"length of {name}"
        where, n = {**at, "column": column}, one.rows + other.rows
        stability = shift.population_stability(one.counts, other.counts, together)
        found.append(_distance("shift.psi", stability, thinned, where, n, ""))
        found.append(
            _distance(
                "shift.jensen_shannon",
                shift.jensen_shannon(one.counts, other.counts, together),
                thinned,
                where,
                n,
                "bits",
            )
        )
        if not worded:
            found.append(_mean(one, other, thinned, where, level))
        if stability.value > stability.chance * thinned:
            beyond[column] = stability.value
    return [*found, *_summary(beyond, len(pairs), at, together)]


def _distance(what: str, found: shift.Distance, thinned: float, at: Mapping[str, Any], n: int, unit: str) -> Finding:
    chance = found.chance * thinned
    size = "more" if found.value > chance else "no more"
    said = f"without a shift, chance alone reaches {chance:.3g} in {1 - found.level:.3g} of such pairs: this is {size}"
    return Finding(
        what=what,
        at=dict(at),
        value=found.value,
        unit=unit,
        better="lower",
        n=n,
        unit_of_replication="rows",
        method=found.method + ("" if thinned == 1 else "; chance as if each group of rows were one"),
        note=said,
    )


def _mean(one: _Column, other: _Column, thinned: float, at: Mapping[str, Any], level: float) -> Finding:
    found = shift.standardised_difference(one.moments, other.moments, level)
    if found.low is None or found.high is None:
        why = "one side has fewer than two numbers, or none of them vary"
        return missing("shift.mean", State.TOO_FEW, why, at=dict(at))
    low, high = (found.value + (bound - found.value) * math.sqrt(thinned) for bound in (found.low, found.high))
    method = found.method + ("" if thinned == 1 else "; as if each group of rows were one")
    n = one.moments.n + other.moments.n
    return Finding(
        what="shift.mean",
        at=dict(at),
        value=found.value,
        low=low,
        high=high,
        level=level,
        n=n,
        unit_of_replication="rows",
        method=method,
    )


def _summary(beyond: Mapping[str, float], compared: int, at: Mapping[str, Any], together: float) -> Iterable[Finding]:
    """How many columns have shifted, by each of the customary sizes, with their names."""
    if not compared:
        yield missing("shift.columns", State.UNSUPPORTED, "no column could be compared", at=dict(at))
        return
    for size in (SOME, MUCH):
        names = sorted((name for name, value in beyond.items() if value > size), key=lambda name: -beyond[name])
        yield Finding(
            what="shift.columns",
            at={**at, "above": size},
            value=len(names),
            unit="columns",
            better="lower",
            n=compared,
            unit_of_replication="columns",
            method=f"population stability index above {size} (a custom, not a theorem) and above what chance reaches in "
            f"{1 - together:.2g} of pairs without a shift (Bonferroni over {compared} columns)",
            note=", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else ""),
        )
