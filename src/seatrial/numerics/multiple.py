"""Several tests at once: p values adjusted so that the chance of even one false alarm stays at the stated level."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down adjustment, shape (tests,), in the order given: reject where it is at most the level.

    Controls the family-wise error however the tests depend on each other; never weaker than Bonferroni's. Source: Holm
    (1979), Scandinavian Journal of Statistics 6, 65-70. ValueError for another shape or anything outside [0, 1].
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not np.all((p >= 0.0) & (p <= 1.0)):
        raise ValueError("one p value between 0 and 1 is needed for each test")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted
