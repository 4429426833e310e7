"""How the evaluation rows were drawn: their weights, and replicate groups into which rows, or whole clusters of rows, are dealt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.study import Study
from seatrial.errors import DataError
from seatrial.flow import arrays
from seatrial.flow._inputs import Array
from seatrial.flow._picks import Pick, chosen, data_sets, judging
from seatrial.numerics.replicates import FEWEST, GROUPS


@dataclass(frozen=True)
class Sampling:
    """Weights of the rows (mean 1) and the cluster of each, where rows have weights or come in clusters.

    `clusters` is how many clusters there are (0: rows are independent), `groups` how many replicate groups, `worth` how many
    equally weighted rows one row is worth on average: (sum of weights)^2 / (rows x sum of squares), Kish (1965).
    """

    weights: ArrayRef | None = None
    cluster: ArrayRef | None = None
    clusters: int = 0
    groups: int = GROUPS
    worth: float = 1.0

    @property
    def plain(self) -> bool:
        """Whether rows are independent and count alike, so that a metric's own interval holds."""
        return self.weights is None and not self.clusters

    def weight(self, start: int, stop: int) -> Array | None:
        """The weights of rows `start` to `stop`; None where all count alike."""
        return None if self.weights is None else arrays.load(self.weights, start, stop)

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
        """Weights and replicate groups of these rows, and how many independent rows of equal weight they are worth."""
        member = rows if self.cluster is None else np.asarray(arrays.load(self.cluster))[rows].astype(np.int64)
        weights = np.ones(len(rows)) if self.weights is None else np.asarray(arrays.load(self.weights))[rows]
        _, place = np.unique(member, return_inverse=True)
        return weights, place % self.groups, len(np.unique(member)) * self.worth

    def some(self, rows: NDArray[np.int64], cache: Path) -> Sampling:
        """The same of these rows alone, in their order; arrays are kept under `cache`."""
        if self.plain:
            return Sampling()
        weights = None if self.weights is None else np.asarray(arrays.load(self.weights))[rows]
        weights = None if weights is None else weights * (len(weights) / weights.sum())
        worth = 1.0 if weights is None else float(len(rows) / (weights**2).sum())
        kept = None if weights is None else arrays.save(cache, weights)
        if self.cluster is None:
            return Sampling(kept, worth=worth)
        known, turn = np.unique(np.asarray(arrays.load(self.cluster))[rows], return_inverse=True)
        groups = max(FEWEST, min(GROUPS, len(known)))
        return Sampling(kept, arrays.save(cache, turn.reshape(-1).astype(np.int32)), len(known), groups, worth)

    def group(self, start: int, stop: int) -> NDArray[np.int64]:
        """The replicate group of rows `start` to `stop`: clusters are dealt one after the other."""
        if self.cluster is not None:
            return self.member(start, stop) % self.groups
        return _mixed(np.arange(start, stop, dtype=np.uint64), self.groups)

    def member(self, start: int, stop: int) -> NDArray[np.int64]:
        """Which cluster each of these rows belongs to, numbered by chance from 0; each row its own where there are none."""
        if self.cluster is None:
            return np.arange(start, stop)
        return arrays.load(self.cluster, start, stop).astype(np.int64)


def prepare_sampling(study: Study, folder: Path, cache: Path) -> Sampling:
    """Weights and clusters of the evaluation rows, where every data set that judges has them. Raises `DataError`."""
    picks = judging(data_sets(study, folder))
    weights, worth = _weights(picks, cache)
    return Sampling(weights, *_clusters(picks, cache), worth=worth)


def _weights(picks: Sequence[Pick], cache: Path) -> tuple[ArrayRef | None, float]:
    named = [pick.source.data.weight for pick in picks]
    if not any(named):
        return None, 1.0
    if not all(named):
        without = next(pick.source.name for pick in picks if not pick.source.data.weight)
        raise DataError("this data set has no `weight`, others have", where=f"data `{without}`")
    raw = np.concatenate([_read(pick, str(pick.source.data.weight)) for pick in picks])
    weights = raw * (len(raw) / raw.sum())
    return arrays.save(cache, weights), float(len(raw) / (weights**2).sum())


def _read(pick: Pick, column: str) -> NDArray[np.float64]:
    where = f"data `{pick.source.name}`, column `{column}`"
    pieces = [np.asarray(chunk[column]) for chunk in chosen(pick, [column])]
    found = np.concatenate(pieces)
    if found.dtype.kind not in "biuf" or found.ndim != 1:
        raise DataError("a weight is one number a row", where=where)
    bad = ~np.isfinite(found) | (found < 0) if found.dtype.kind == "f" else found < 0
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} weights are negative or no numbers, the first in row {int(bad.argmax())}", where=where
        )
    if not found.any():
        raise DataError("all weights are 0", where=where)
    return found.astype(np.float64)


def _clusters(picks: Sequence[Pick], cache: Path) -> tuple[ArrayRef | None, int, int]:
    """Clusters numbered in the order of a hash, so that dealing them one after the other is as if by chance."""
    columns = [pick.group for pick in picks if pick.group is not None]
    if len(columns) != len(picks):
        return None, 0, GROUPS
    _, inverse = np.unique(np.concatenate([column.astype(str) for column in columns]), return_inverse=True)
    clusters = int(inverse.max()) + 1
    if clusters == len(inverse):
        return None, 0, GROUPS
    groups = max(FEWEST, min(GROUPS, clusters))
    order = np.argsort(_mixed(np.arange(clusters, dtype=np.uint64), 2**62), kind="stable")
    turn = np.empty(clusters, np.int32)
    turn[order] = np.arange(clusters)
    return arrays.save(cache, turn[inverse]), clusters, groups


def _mixed(numbers: NDArray[np.uint64], groups: int) -> NDArray[np.int64]:
    """Each number's group, as if by chance and always the same: the finaliser of SplitMix64 (Steele et al. 2014), modulo."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed % np.uint64(groups)).astype(np.int64)
