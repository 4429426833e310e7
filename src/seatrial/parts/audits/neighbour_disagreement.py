"""Rows whose nearest neighbours nearly all bear one other label: mislabelled by mistake or on purpose, or hard to tell.

Neighbours are those of the inputs themselves (pictures and numbers, along their 32 directions of most variance): what a model makes of them isn't asked.
Of classes that look alike some rows are named though their labels are right, so a share is stated and not a verdict on a row.
Source: Wilson (1972), "Asymptotic properties of nearest neighbor rules using edited data".

audit.neighbour_disagreement         how many rows are suspected, with their numbers in a file, the clearest first
audit.neighbour_disagreement.share   of the rows that were looked at
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import MOST_ROWS, Ground, Table
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.numerics.near_labels import neighbour_counts
from seatrial.numerics.two_groups import directions
from seatrial.parts.audits._represented import MOST, held
from seatrial.parts.audits._shared import Rows, grade, result

ACCEPTS = {"tables": ("all",)}
GIVES = {"way": ("model",), "when": ("named",)}
CANNOT = {
    "text": ("not yet ours", "only pictures and numbers are looked at"),
    "the model's own layers": ("not yet ours", "neighbours are those of the inputs"),
    "triggers": ("never", "a small pattern hardly changes who is near; the other two audits look for those"),
}
DIRECTIONS = 32


class Options(PartOptions):
    """How many neighbours there are, how many must agree, and when it matters."""

    neighbours: int = Field(default=10, ge=3, le=100, description="nearest rows that are asked")
    agree: float = Field(default=0.8, gt=0.5, le=1, description="the share of them that must bear one other label")
    minor: float = Field(default=0.05, ge=0, lt=1, description="share of such rows above which it is worth a look")
    serious: float = Field(default=0.1, gt=0, le=1, description="share of such rows from which it is serious")


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """What is suspected in each table that has a label."""
    for table in ground.tables.values():
        if table.label is not None:
            yield from _of_one(table, ground, options)


def _of_one(table: Table, ground: Ground, options: Options) -> Iterator[Finding]:
    got = held(table, ground)
    if isinstance(got, str):
        state = State.TOO_FEW if "few" in got else State.UNSUPPORTED
        yield missing("audit.neighbour_disagreement", state, got, at={"table": table.name})
        return
    counts = neighbour_counts(directions(got.x, DIRECTIONS), got.labels, got.classes, options.neighbours)
    own = counts[np.arange(len(counts)), got.labels]
    counts[np.arange(len(counts)), got.labels] = 0
    other = counts.max(axis=1)
    found = np.flatnonzero(other >= options.agree * options.neighbours)
    clearest = found[np.lexsort((own[found], -other[found]))]
    rows = Rows()
    rows.found = got.numbers[clearest[:MOST_ROWS]].tolist()
    severity = grade(len(found) / len(counts), options.minor, options.serious)
    note = f"{len(counts)} of {table.rows} rows were looked at" if table.rows > MOST else ""
    how = f"at least {options.agree:.0%} of {options.neighbours} nearest rows bear one other label; inputs along {DIRECTIONS} directions"
    yield from result("neighbour_disagreement", len(found), len(counts), severity, how, table, ground, rows, note=note)
