"""What metrics of single classes share: measures of each class and of averages over classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import multilabel, tables
from seatrial.numerics.interval import Intervals
from seatrial.parts.metrics._stated import of_class, stated

Average = Callable[[], Intervals]
NO_SHARE = "there are no rows of which this would be a share"


class Averaged(PartOptions):
    """Which statements to make."""

    of: tuple[Literal["class", "macro", "weighted"], ...] = Field(
        default=("class", "macro"),
        description="`class`: each class; `macro`: their plain mean, each class counting alike; `weighted`: their mean "
        "weighted by the classes' labels",
    )


class AveragedToo(Averaged):
    """Which statements to make; all rows and labels together, too."""

    of: tuple[Literal["class", "macro", "weighted", "micro"], ...] = Field(
        default=("class", "macro"),
        description="`class`: each class or label; `macro`: their plain mean, each counting alike; `weighted`: their mean weighted "
        "by the rows that have them; `micro`: all rows and labels together (of one class a row: accuracy)",
    )


def by_class(
    what: str,
    tally: Tally,
    of: tuple[str, ...],
    each: Callable[[], Intervals],
    averages: dict[str, Average],
    rows: NDArray[Any],
    **at: Any,
) -> Iterable[Measure]:
    """Measures `{class: NAME}` and `{average: macro}`. `rows` (cells, classes) are the rows that each class's rests on."""
    if "class" in of:
        found = each()
        for place, name in enumerate(tally.classes):
            there = {"class": name} | at
            yield stated(what, of_class(found, place), rows[:, place], "higher", NO_SHARE, at=there)
    for name, average in averages.items():
        if name in of:
            yield stated(what, average(), np.asarray(tally.sums["rows"]), "higher", at={"average": name} | at)


def by_label(what: multilabel.Figure, tally: Tally, of: tuple[str, ...], level: float | None) -> Iterable[Measure]:
    """The same where a row has any number of labels, from a table (cells, labels, 2, 2): `{class: NAME}` is a label."""
    table, rows = tally.sums["confusion"], np.asarray(tally.sums["rows"])
    found: Intervals = getattr(tables, what)(table, level)
    method = found.method if isinstance(found.method, str) else found.method[..., 1]
    parts = Intervals(found.value[..., 1], found.low[..., 1], found.high[..., 1], found.level, method)
    n = {"recall": tables.margins(table).labels, "precision": tables.margins(table).predictions}.get(what)
    on = rows[:, None] - table[..., 0, 0] if n is None else n[..., 1]
    if "class" in of:
        for place, name in enumerate(tally.classes):
            yield stated(what, of_class(parts, place), on[:, place], "higher", NO_SHARE, at={"class": name})
    pairs = tally.sums.get("label_pairs")
    averages: dict[str, Average] = {
        "macro": lambda: multilabel.averaged(table, pairs, what, False, level, parts),
        "weighted": lambda: multilabel.averaged(table, pairs, what, True, level, parts),
        "micro": lambda: multilabel.micro(tally.sums["label_sums"], what, level),
    }
    for name, average in averages.items():
        if name in of:
            yield stated(what, average(), rows, "higher", NO_SHARE, at={"average": name})
