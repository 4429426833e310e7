"""Area under the ROC curve: the chance that a row of the class scores higher than a row of another; 0.5 is chance.

It needs no threshold and doesn't depend on how common the class is, which makes it look good beside rare classes: see `auc_pr`.
Source: DeLong, DeLong & Clarke-Pearson (1988), Newcombe (2006).
Two classes have one figure, of the second class. More have one for each against the rest, `{class: NAME}`, and their plain mean.
Scores are counted in bins; the method says by how much that could move the figure at worst.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import ranking
from seatrial.parts.metrics._curves import Curves, by_curve

ACCEPTS = {"task": ("classification", "multi_label"), "answers": ("scores",)}
GIVES = {"finding": ("auc_roc",)}
COUNTS = ("scores",)
VERSION = 1
USUAL = True

NONE = "there are no rows of the class, or none of others"

Options = Curves


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """AUC-ROC of the second of two classes, or of each class and the mean of all."""
    return by_curve("auc_roc", tally, ranking.auc_roc, level, options.of, NONE)
