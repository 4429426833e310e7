"""How far an answer by vote over noisy copies can't be moved: randomised smoothing. Source: Cohen, Rosenfeld & Kolter (2019), "Certified
adversarial robustness via randomized smoothing", algorithm CERTIFY and theorem 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.betas import beta_quantiles
from seatrial.numerics.distributions import normal_quantile


def surest(hits: ArrayLike, copies: int, alpha: float) -> NDArray[np.float64]:
    """The lower bound of the share of copies that are given a class, by Clopper and Pearson (1934), one-sided: below it lies the true share
    with a probability of at least 1 - `alpha`. `hits` (rows,) of `copies`."""
    counts = np.asarray(hits, np.float64)
    if not ((counts >= 0) & (counts <= copies)).all():
        raise ValueError("hits must lie between 0 and the number of copies")
    some = np.maximum(counts, 1.0)
    bound = beta_quantiles(alpha, some, copies - some + 1)
    return np.asarray(np.where(counts > 0, bound, 0.0))


def radius(hits: ArrayLike, copies: int, sigma: float, alpha: float) -> NDArray[np.float64]:
    """The L2 distance within which the answer by vote stays the class that was hit, wrong with a probability of at most `alpha` a row.

    sigma x (normal quantile of the lower bound), where that bound is above a half; NaN (abstain) where it isn't. `sigma` is the noise's
    standard deviation, the distance has its unit. The class has to be chosen on other copies than those that are counted.
    """
    low = surest(hits, copies, alpha)
    found = [sigma * normal_quantile(float(one)) if one > 0.5 else np.nan for one in low.ravel()]
    return np.asarray(found, np.float64).reshape(low.shape)
