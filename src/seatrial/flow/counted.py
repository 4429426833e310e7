"""What metrics of shared counts need, counted in one pass over the rows: every slice, and every slice's replicate groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Condition
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Partition, Slice, Tally
from seatrial.errors import SeatrialError
from seatrial.flow._sampling import Sampling
from seatrial.flow.besieged import Siege
from seatrial.flow.changed import Change
from seatrial.flow.cleaned import Doubts
from seatrial.flow.inquiry import Inquiry
from seatrial.flow.slices import Sliced
from seatrial.numerics.counting import obstacle, tally

HALVES: tuple[Slice, ...] = tuple(
    (Condition(column="half of the rows", relation="==", value=half),) for half in ("chosen on", "held back")
)


class Asked(NamedTuple):
    """A metric as the study asks for it."""

    info: PartInfo
    options: dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """The rows that judge: how they are sliced, how they were drawn, and what else is asked of a candidate on some of them.

    `weighted` are the same rows, weighted like the stated population. What was counted before is remembered.
    """

    sliced: Sliced = field(default_factory=Sliced)
    sampling: Sampling = field(default_factory=Sampling)
    labels: Any = None
    changes: tuple[Change, ...] = ()
    features: tuple[Change, ...] = ()
    siege: Siege | None = None
    inquiry: Inquiry | None = None
    halves: bool = False
    doubts: Doubts = field(default_factory=Doubts)
    weighted: Judged | None = None
    known: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def cells(self) -> tuple[Slice, ...]:
        """All rows, then every slice, then rows without those in doubt, then the halves where the study holds back."""
        slices = (cell for cells in self.sliced.cells for cell in cells)
        return ((), *slices, *self.doubts.cells, *(HALVES if self.halves else ()))

    @property
    def aside(self) -> int:
        """How many cells, the last ones, are no slices that the study names."""
        return len(self.doubts.cells) + (len(HALVES) if self.halves else 0)

    def partitions(self, start: int, stop: int) -> list[Partition]:
        """The partitions of rows `start` to `stop`; whole clusters lie in one half."""
        found = [*self.sliced.partitions(start, stop), *self.doubts.partitions(start, stop)]
        return [*found, Partition(HALVES, self.sampling.group(start, stop) % 2)] if self.halves else found

    def span(self, partition: int) -> range:
        """Where the cells of a partition stand among all cells."""
        start = 1 + sum(len(cells) for cells in self.sliced.cells[:partition])
        return range(start, start + len(self.sliced.cells[partition]))


PLACES = 2048
"""Of the bitmap in which the clusters of a cell are counted."""

Pieces = Callable[[], Iterator[tuple[int, Batch]]]
"""The rows in pieces, over and over: the number of a piece's first row, and its answers."""


@dataclass(frozen=True)
class Counted:
    """What was counted of one candidate's answers: every cell, and every cell's replicate groups where they are needed.

    `faults` says of a metric, by name, why it can't be counted; `undealt` the same of its replicate groups; `known` remembers
    what was worked out from the replicates.
    """

    whole: Tally
    dealt: Tally | None
    groups: int
    faults: dict[str, SeatrialError]
    undealt: dict[str, str]
    known: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


def count(asked: Sequence[Asked], pieces: Pieces, judged: Judged, dealt: bool) -> Counted:
    """One pass over the rows for all metrics that are computed from shared counts. Raises for answers that can't be read."""
    counting = [one.info for one in asked if one.info.counts]
    given = pieces()
    first = next(given)
    cells, groups = len(judged.cells), judged.sampling.groups
    faults = {info.name: fault for info in counting if (fault := _fault(info, first[1], cells))}
    able = [info for info in counting if info.name not in faults]
    undealt = {info.name: fault.what for info in able if (fault := _fault(info, first[1], cells * groups))}
    wanted = _union(able)
    dealing = [info for info in able if info.name not in undealt and not (judged.sampling.plain and info.paired)]
    spread_out = _union(dealing) if dealt or not judged.sampling.plain else ()
    whole: list[Tally] = []
    parts: list[Tally] = []
    for start, batch in chain([first], given):
        rows = len(next(iter(batch.answers.values())))
        weighted = replace(batch, weights=judged.sampling.weight(start, start + rows))
        partitions = judged.partitions(start, start + rows)
        whole = [_add(whole, tally(weighted, partitions, wanted))]
        if spread_out:
            group = judged.sampling.group(start, start + rows)
            split = [_split(one, group, groups) for one in [_everything(rows), *partitions]]
            parts = [_add(parts, tally(weighted, split, spread_out))]
    made = parts[0].take(range(1, 1 + cells * groups)) if parts else None
    return Counted(whole[0], made, groups, faults, undealt)


def _fault(info: PartInfo, batch: Batch, cells: int) -> SeatrialError | None:
    """Why the metric can't be counted in so many cells."""
    found = (obstacle(batch, name, cells) for name in info.counts if not name.endswith("?"))
    return next((fault for fault in found if fault is not None), None)


def _union(infos: Iterable[PartInfo]) -> tuple[str, ...]:
    """The counters of several metrics; one that somebody must have is no option for anybody."""
    names = dict.fromkeys(name for info in infos for name in info.counts)
    return tuple(name for name in names if not (name.endswith("?") and name.removesuffix("?") in names))


def _add(sums: list[Tally], more: Tally) -> Tally:
    return reduce(Tally.merge, [*sums, more])


def _everything(rows: int) -> Partition:
    return Partition(((),), np.zeros(rows, np.int64))


def _split(partition: Partition, group: NDArray[np.int64], groups: int) -> Partition:
    """Each cell into its replicate groups."""
    codes = np.where(partition.codes < 0, -1, partition.codes.astype(np.int64) * groups + group)
    return Partition(tuple(cell for cell in partition.cells for _ in range(groups)), codes)


def without_each(counted: Counted, cells: Sequence[int], counters: Iterable[str]) -> Tally:
    """Every cell's counts without each of its replicate groups, groups x cells in that order."""
    assert counted.dealt is not None
    sums = {}
    for name in {"rows", *(one.removesuffix("?") for one in counters)} & counted.dealt.sums.keys():
        array = counted.dealt.sums[name]
        shaped = array.reshape(-1, counted.groups, *array.shape[1:])[list(cells)]
        left = shaped.sum(axis=1, keepdims=True) - shaped
        sums[name] = np.swapaxes(left, 0, 1).reshape(-1, *array.shape[1:])
    names = tuple(() for _ in range(counted.groups * len(cells)))
    return Tally(names, counted.dealt.classes, sums, about=counted.dealt.about)


def put_together(counted: Counted, cells: Sequence[int]) -> Tally | None:
    """Every cell's replicate groups together, where their scores are kept in fewer bins than the whole's; None where they aren't."""
    assert counted.dealt is not None
    both = counted.whole.sums.keys() & counted.dealt.sums.keys()
    if all(counted.whole.sums[name].shape[1:] == counted.dealt.sums[name].shape[1:] for name in both):
        return None
    sums = {name: one.reshape(-1, counted.groups, *one.shape[1:]) for name, one in counted.dealt.sums.items()}
    sums = {name: one[list(cells)].sum(axis=1) for name, one in sums.items()}
    return Tally(tuple(() for _ in cells), counted.dealt.classes, sums, about=counted.dealt.about)


def filled(counted: Counted, cells: Sequence[int]) -> NDArray[np.int64]:
    """Of each cell, how many replicate groups have rows in it."""
    assert counted.dealt is not None
    rows = np.asarray(counted.dealt.sums["rows"]).reshape(-1, counted.groups)
    return np.asarray((rows[list(cells)] > 0).sum(axis=1))


def independent(judged: Judged, rows: int) -> NDArray[np.float64]:
    """Of each cell, how many independent rows (or clusters) it has: none but these are evidence of their own.

    Clusters of a cell are counted in a bitmap of 2,048 places, exact up to as many clusters and estimated beyond: linear
    counting, Whang et al. (1990), ACM Transactions on Database Systems 15, 208-229.
    """
    if "independent" not in judged.known:
        judged.known["independent"] = _independent(judged, rows)
    found: NDArray[np.float64] = judged.known["independent"]
    return found


def _independent(judged: Judged, rows: int) -> NDArray[np.float64]:
    if not judged.sampling.clusters:
        return np.full(len(judged.cells), np.inf)
    seen = np.zeros((len(judged.cells), PLACES), np.bool_)
    for start in range(0, rows, PLACES * PLACES):
        stop = min(rows, start + PLACES * PLACES)
        place = judged.sampling.member(start, stop) % PLACES
        at = 1
        for partition in judged.partitions(start, stop):
            inside = partition.codes >= 0
            seen[partition.codes[inside] + at, place[inside]] = True
            at += len(partition.cells)
    empty = np.maximum(1, PLACES - seen.sum(axis=1))
    few = judged.sampling.clusters <= PLACES
    counts = seen.sum(axis=1) if few else -PLACES * np.log(empty / PLACES)
    counts[0] = judged.sampling.clusters
    return np.asarray(np.minimum(counts, judged.sampling.clusters), np.float64)
