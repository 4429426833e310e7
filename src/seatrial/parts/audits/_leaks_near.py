"""Rows that judge and are nearly one of training: by rounding or spelling, in a text, in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seatrial.contracts.audit import Ground, Table
from seatrial.parts.audits._near import Learnt, Signatures

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

SIMILAR, ALIKE = 0.8, 0.99
BYTES_A_ROW = 800


def near_rows(ground: Ground, table: Table, others: Sequence[Table]) -> tuple[Array, float]:
    """Which rows of the table are near one of the others and none of their copies, (rows,); and how many chance makes of independent columns.

    Label, group and order are no part of it: a near row has them anew.
    """
    near, chance = np.zeros(table.rows, bool), 0.0
    for other in others:
        aside = {table.label, table.group, table.order, *table.ignored, *other.ignored}
        names = [name for name in table.columns if name in other.columns and name not in aside]
        if not names:
            continue
        learnt = Learnt(names)
        for one in (other, table):
            for chunk in one.chunks(names):
                learnt.see(chunk)
        most = max(1, ground.memory // 4 // BYTES_A_ROW)
        theirs, mine = (_taken(one, learnt, ground, most) for one in (other, table))
        if mine.tabular and theirs.tabular:
            near |= mine.rows_near_those_of(theirs)
            chance += table.rows * -float(np.expm1(-other.rows * mine.alike()))
        for name in mine.texts:
            found = mine.texts[name].near(SIMILAR, theirs.texts[name])
            near[: len(found)] |= found
        for name in mine.images.keys() & theirs.images.keys():
            near |= mine.images[name].near(ALIKE, theirs.images[name])
    return near, chance


def _taken(table: Table, learnt: Learnt, ground: Ground, most: int) -> Signatures:
    made = Signatures(learnt, ground, most)
    for chunk in table.chunks(learnt.names):
        made.see(chunk)
    return made
