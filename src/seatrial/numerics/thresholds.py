"""A threshold for each group, so that groups are selected, or found, at equal rates. Fitted on rows that judge nothing.

Hardt, Price & Srebro (2016), NeurIPS 29, without randomisation: among the rates that all groups can reach, the one that gets most
rows right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Equal = Literal["opportunity", "selection"]
RATES = 200


def fit(score: ArrayLike, positive: ArrayLike, group: ArrayLike, equal: Equal) -> dict[str, float]:
    """The threshold of each group by its name: a row is selected when its score is at or above it.

    `score` (rows,) of the favourable class, `positive` (rows,) whether the row belongs to it, `group` (rows,). Equal
    `opportunity`: the same share of each group's positive rows is selected; equal `selection`: of all its rows. `ValueError`
    where a group has no rows to take the share of.
    """
    scores, hits, groups = np.asarray(score, np.float64), np.asarray(positive, bool), np.asarray(group).astype(str)
    names = np.unique(groups).tolist()
    counted = {name: np.sort(scores[(groups == name) & (hits | (equal == "selection"))]) for name in names}
    if empty := [name for name, rows in counted.items() if not len(rows)]:
        raise ValueError(f"the group `{empty[0]}` has no rows of the favourable class to set a threshold by")
    rates = np.linspace(0, 1, RATES + 1)[1:]
    cuts = {name: _cut(rows, rates) for name, rows in counted.items()}
    right = np.zeros(len(rates))
    for name in names:
        members = groups == name
        selected = scores[members][:, None] >= cuts[name]
        right += (selected == hits[members][:, None]).sum(axis=0)
    best = int(right.argmax())
    return {name: float(cuts[name][best]) for name in names}


def _cut(rows: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score that the given share of these sorted rows reaches."""
    return np.asarray(rows[len(rows) - np.maximum(1, np.round(rates * len(rows)).astype(np.int64))])


def margin(score: ArrayLike, group: ArrayLike, thresholds: Mapping[str, float]) -> NDArray[np.float64]:
    """Score minus the group's threshold, (rows,): at or above 0 the row is selected. `ValueError` for a group without a threshold."""
    scores, groups = np.asarray(score, np.float64), np.asarray(group).astype(str)
    names, inverse = np.unique(groups, return_inverse=True)
    if unknown := [name for name in names.tolist() if name not in thresholds]:
        raise ValueError(f"no threshold was fitted for the group `{unknown[0]}`")
    return np.asarray(scores - np.array([thresholds[name] for name in names.tolist()])[inverse])
