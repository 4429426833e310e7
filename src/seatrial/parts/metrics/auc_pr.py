"""Area under precision and recall (average precision): how clean the list stays as more of the class is found.

A model that knows nothing has the share of the class, so it says more than `auc_roc` where the class is rare. It is the average
precision of scikit-learn: the precision at each threshold, weighted by the recall gained there.
Two classes have one figure, of the second class. More have one for each against the rest, `{class: NAME}`, and their plain mean.
Scores are counted in bins; the method says by how much that could move the figure at worst.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import ranking
from seatrial.parts.metrics._curves import Curves, by_curve

ACCEPTS = {"task": ("classification", "multi_label"), "answers": ("scores",)}
GIVES = {"finding": ("auc_pr",)}
COUNTS = ("scores",)
VERSION = 1

NONE = "there are no rows of the class"

Options = Curves


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Average precision of the second of two classes, or of each class and the mean of all."""
    return by_curve("auc_pr", tally, ranking.auc_pr, level, options.of, NONE)
