"""One loss a row, whatever its kind: sums over slices and the tests that fit it (0/1, paired -1/0/1, real)."""

import numpy as np
from numpy.typing import NDArray

from seatrial.numerics import slicing_confirm as tests
from seatrial.numerics.interval import Interval
from seatrial.numerics.slicing_counts import ones, pack, unpack
from seatrial.numerics.slicing_shrinkage import Floats

Bits = NDArray[np.uint64]


class Losses:
    """Losses of shape (rows,), finite, and the clusters of the rows where they have any.

    `kind` is told from the values: binary, signed or real.
    """

    def __init__(self, values: Floats, clusters: NDArray[np.intp] | None = None) -> None:
        self.values, self._clusters = values, clusters
        self._above, self._below = values == 1.0, values == -1.0
        whole = int(np.count_nonzero(self._above)) + int(np.count_nonzero(values == 0.0))
        below = int(np.count_nonzero(self._below))
        self.kind = "binary" if whole == values.size else "signed" if whole + below == values.size else "real"
        if self.kind != "real":
            self._lost, self._gained = pack(self._above), pack(self._below)

    @property
    def method(self) -> str:
        """The test that confirms, in words."""
        words = {
            "binary": "Fisher's exact test, one-sided",
            "signed": "score test and exact test of flips, one-sided",
            "real": "Welch's t corrected for skewness, one-sided",
        }[self.kind]
        return words if self._clusters is None else f"{words}, and with variance between clusters"

    def sums(self, bits: Bits) -> tuple[int, float, float]:
        """Rows, sum of losses and sum of their squares over the rows of these bits."""
        if self.kind != "real":
            lost, gained, n = self._flips(bits)
            return n, float(lost - gained), float(lost + gained)
        inside = self._of(bits)
        return inside.size, float(inside.sum()), float(np.dot(inside, inside))

    def compare(self, inside: Bits, outside: Bits, level: float) -> tuple[float, float, float, Interval]:
        """Mean loss inside and outside, one-sided p that inside is not above, and their difference with an interval.

        Both sides need a row. With clusters p is the larger of the test for independent rows and of that for clusters.
        """
        mean, rest, p, apart = self._compare(inside, outside, level)
        if self._clusters is not None:
            here, there = (unpack(bits, self.values.size) for bits in (inside, outside))
            clusters = self._clusters[here], self._clusters[there]
            p_clusters, apart = tests.clustered_above(self.values[here], self.values[there], *clusters, level)
            p = max(p, p_clusters)
        return mean, rest, p, apart

    def _compare(self, inside: Bits, outside: Bits, level: float) -> tuple[float, float, float, Interval]:
        if self.kind == "real":
            one, other = self._of(inside), self._of(outside)
            p, apart = tests.mean_above(one, other), tests.mean_difference(one, other, level)
            return float(one.mean()), float(other.mean()), p, apart
        here, there = self._flips(inside), self._flips(outside)
        if self.kind == "signed":
            p, apart = tests.signed_above(here, there), tests.signed_difference(here, there, level)
        else:
            counts = here[0], here[2], there[0], there[2]
            p, apart = tests.binary_above(*counts), tests.binary_difference(*counts, level)
        return (here[0] - here[1]) / here[2], (there[0] - there[1]) / there[2], p, apart

    def _flips(self, bits: Bits) -> tuple[int, int, int]:
        gained = 0 if self.kind == "binary" else ones(bits & self._gained)
        return ones(bits & self._lost), gained, ones(bits)

    def _of(self, bits: Bits) -> Floats:
        return self.values[unpack(bits, self.values.size)]
