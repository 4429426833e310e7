"""Gap between groups in how often the favourable class is given, and the ratio of the lowest to the highest rate.

No labels are needed to see it, and it says nothing of who deserved what: where groups truly differ, a right model has a gap.
`label_parity` is the same gap in the labels, so that one can see how much of it was there before any model. The ratio is
what the four-fifths rule of thumb of US employment law looks at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seatrial.contracts.tally import Measure, Tally
from seatrial.parts.metrics._groups import Favoured, both, favoured, labelled, selected

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("demographic_parity", "demographic_parity.ratio", "label_parity")}
COUNTS = ("confusion",)
ACROSS = True
CANNOT = {"causes": ("never", "a gap doesn't say why it is there")}
VERSION = 1

Options = Favoured


def across(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """`demographic_parity` (gap), `demographic_parity.ratio`, and `label_parity` (gap in the labels, which no model can help)."""
    good = favoured(tally, options)
    given, rows = selected(tally, good)
    had, _ = labelled(tally, good)
    yield from both("demographic_parity", given, rows, tally, good, level, options.least)
    in_labels, _ = both("label_parity", had, rows, tally, good, level, options.least)
    yield replace(in_labels, better=None)
