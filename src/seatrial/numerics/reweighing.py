"""Weights of rows under which an outcome is independent of the group. Kamiran & Calders (2012), Knowl. Inf. Syst. 33, section 4.3."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def weights(outcome: ArrayLike, group: ArrayLike) -> NDArray[np.float64]:
    """Of each row (rows,): rows expected with its group and outcome if they were independent, over rows that there are.

    `outcome` (rows,) bool or classes, `group` (rows,). They add up to the number of rows, in each group and for each outcome,
    too. `ValueError` where a group lacks an outcome: no weights make them independent then.
    """
    outcomes, of = np.unique(np.asarray(outcome), return_inverse=True)
    groups, within = np.unique(np.asarray(group), return_inverse=True)
    counts = np.zeros((len(groups), len(outcomes)))
    np.add.at(counts, (within, of), 1)
    if (counts == 0).any():
        where, lacks = (int(at[0]) for at in np.nonzero(counts == 0))
        raise ValueError(f"no row of the group `{groups[where]}` has the outcome `{outcomes[lacks]}`")
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()
    return np.asarray((expected / counts)[within, of])
