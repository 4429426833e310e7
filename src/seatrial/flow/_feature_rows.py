"""Features as columns of the drawn rows: correlated ones in groups, values lent by other rows, and rows in which some say nothing of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.selecting import Selecting
from seatrial.flow._inputs import Array
from seatrial.numerics.importance import correlations, together

MOST_WIDE = 100
"""Numbers of a column that are features of their own; of a wider one the column is the feature."""


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
                placed(made, feature, slice(repeat, None, times), values_of(values[who], feature))
        return made

    def without(self, dropped: Mapping[Feature, Feature | None]) -> dict[str, Array]:
        """The rows that judge, in which these features say what is in the middle of those that chose, or what another suggests."""
        made = {name: values[self.half :].copy() for name, values in self.columns.items()}
        for feature, other in dropped.items():
            said = self.middle(feature) if other is None else self._suggested(feature, other)
            placed(made, feature, slice(None), said)
        return made

    def middle(self, feature: Feature) -> Any:
        """What is in the middle of the rows that chose."""
        return _middle(values_of(self.columns[feature.column][: self.half], feature))

    def _suggested(self, feature: Feature, other: Feature) -> Array:
        """What the other says of this one in the rows that judge, by least squares over those that chose."""
        own, theirs = numbers_of(self.columns, feature), numbers_of(self.columns, other)
        known = np.isfinite(own[: self.half]) & np.isfinite(theirs[: self.half])
        straight = np.polynomial.Polynomial.fit(theirs[: self.half][known], own[: self.half][known], 1)
        middle = float(np.median(own[: self.half][known]))
        said = np.where(np.isfinite(theirs), straight(np.where(np.isfinite(theirs), theirs, 0.0)), middle)[self.half :]
        values = values_of(self.columns[feature.column], feature)[self.half :]
        return _as_type(said, values.dtype).reshape(values.shape)


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
    numbers = [one for one in features if is_number(mixed, one)]
    half = len(rows) // 2
    found = (
        correlations(np.stack([numbers_of(mixed, one)[:half] for one in numbers], axis=1))
        if numbers
        else np.zeros((0, 0))
    )
    groups = [tuple(numbers[at] for at in group) for group in together(found, asked.correlated)]
    groups += [(one,) for one in features if one not in numbers]
    return Table(mixed, tuple(sorted(groups, key=lambda group: features.index(group[0]))), rows[order])


def _as_type(values: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers in a column's type, within what it can hold."""
    if dtype.kind == "f":
        return values.astype(dtype)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.clip(np.rint(values), low, high).astype(dtype)


def _features(name: str, values: Array) -> list[Feature]:
    if values.ndim == 2 and 1 < values.shape[1] <= MOST_WIDE:
        return [Feature(name, at) for at in range(values.shape[1])]
    return [Feature(name)]


def values_of(values: Array, feature: Feature) -> Array:
    return values if feature.at is None else values[:, feature.at]


def is_number(columns: Mapping[str, Array], feature: Feature) -> bool:
    values = values_of(columns[feature.column], feature)
    return values.dtype.kind in "biuf" and values[0].size == 1


def numbers_of(columns: Mapping[str, Array], feature: Feature) -> NDArray[np.float64]:
    return np.asarray(values_of(columns[feature.column], feature), np.float64).reshape(-1)


def placed(made: dict[str, Array], feature: Feature, rows: slice, values: Any) -> None:
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
