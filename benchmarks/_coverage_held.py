"""How often bounds hold the truth: counts over simulated studies, by figure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartInfo
from seatrial.contracts.tally import Measure
from seatrial.numerics.interval import Interval

Key = str
Floats = NDArray[np.float64]
NAMED = ("exact", "Clopper-Pearson", "conservative")
"""Words of a method that may cover more than .97 at .95."""


class Bounds(NamedTuple):
    """One figure of some studies: values and bounds, NaN for none, shape (studies,), and whether methods are named as exact."""

    value: Floats
    low: Floats
    high: Floats
    named: NDArray[np.bool_]


class Held(NamedTuple):
    """Of one figure: studies with bounds, without, those whose bounds lie above and below the truth; and named ones."""

    bounded: int = 0
    silent: int = 0
    above: int = 0
    below: int = 0
    named: int = 0

    @property
    def covered(self) -> float:
        """The share of bounded studies that hold the truth."""
        return 1 - (self.above + self.below) / self.bounded if self.bounded else math.nan

    def add(self, other: Iterable[int]) -> Held:
        """Of more studies together."""
        return Held(*(a + b for a, b in zip(self, other, strict=True)))


def held(found: Iterable[tuple[Key, Bounds]], truths: Mapping[Key, float]) -> dict[Key, Held]:
    """How the bounds of figures lie about their truths; some rounding is let pass. Figures without any bounds are left out."""
    made: dict[Key, Held] = {}
    for key, one in found:
        truth = truths.get(key, math.nan)
        slack = 1e-9 * max(1.0, abs(truth))
        there = ~(np.isnan(one.low) & np.isnan(one.high))
        if math.isnan(truth):
            continue
        counts = (there, ~there, one.low > truth + slack, one.high < truth - slack, there & one.named)
        made[key] = made.get(key, Held()).add(int(each.sum()) for each in counts)
    return {key: one for key, one in made.items() if one.bounded}


def of_bounds(found: Iterable[tuple[Key, Interval, float]]) -> dict[Key, Held]:
    """The same of single intervals with their truths."""
    made: dict[Key, Held] = {}
    for key, one, truth in found:
        more = held([(key, _single(one.value, one.low, one.high, one.method))], {key: truth})
        made[key] = made.get(key, Held()).add(more.get(key, Held(silent=1)))
    return made


def of_measure(info: PartInfo, measure: Measure, skip: int) -> tuple[Key, Bounds]:
    """A measure of all studies, whose first cells are left out; a measure without bounds has none."""
    part = slice(skip, None)
    methods = [measure.method] * len(measure.value) if isinstance(measure.method, str) else list(measure.method)
    named = np.array([any(word in method for word in NAMED) for method in methods], bool)
    return _key(info, measure.what, measure.at), Bounds(
        *(np.asarray(one, np.float64)[part] for one in (measure.value, measure.low, measure.high)), named[part]
    )


def of_finding(info: PartInfo, one: Finding) -> tuple[Key, Bounds]:
    """A finding of one study."""
    value = math.nan if one.value is None else one.number
    return _key(info, one.what, one.at), _single(value, one.low, one.high, one.method)


def hash_of(name: str) -> int:
    """The same number for a name, always."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")


def _single(value: float, low: float | None, high: float | None, method: str) -> Bounds:
    ends = (np.array([math.nan if one is None else one]) for one in (value, low, high))
    return Bounds(*ends, np.array([any(word in method for word in NAMED)]))


def _key(info: PartInfo, what: str, at: Mapping[str, Any]) -> Key:
    """A figure's name: what, and the settings it is of; what the metric `drop` states by another method goes by its name."""
    settings = " ".join(str(value) for name, value in sorted(at.items()) if name not in ("groups", "favourable"))
    return f"{what}{' by Tango' if info.name == 'drop' else ''} {settings}".strip()
