"""Rows that stand in a table more than once, and rows that are equal in everything but their label.

Copies count twice in every average, and a copy in training and test makes a model look better than it is. Where columns have few
different values, some rows are equal by chance: how many are to be expected of independent columns is worked out and allowed for.

audit.duplicates                how many rows are copies of an earlier one; the rows to look at are those copies
audit.duplicates.different      how many different rows stand more than once
audit.duplicates.conflicting    rows that are equal in everything but the label, and have different labels
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import MOST_ROWS, Chunk, Ground, Table
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.parts.audits._shared import Rows, Sample, beyond, copies_by_chance, grade, result

ACCEPTS = {"tables": ("one",)}
BYTES_A_ROW = 64
"""Two hashes a row while it passes, and their order when it ends."""


class Options(PartOptions):
    """From where on copies matter."""

    serious: float = Field(default=0.01, gt=0, le=1, description="share of copies, beyond chance, that is serious")


def begin(table: Table, ground: Ground, options: Options) -> _Look | None:
    """Looks at all columns but those to ignore."""
    names = [name for name in table.columns if name not in table.ignored]
    return _Look(table, ground, options, names) if names else None


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, options: Options, names: list[str]) -> None:
        self.table, self.ground, self.options, self.names = table, ground, options, names
        self.whole = len(names) == len(table.columns)
        self.features = [name for name in names if name != table.label]
        self.sample = Sample(names, ground)
        self.hashes: list[np.ndarray] = []
        self.bare: list[np.ndarray] = []

    def see(self, chunk: Chunk) -> None:
        """Keep the hashes of these rows, with and without their label."""
        columns = {name: chunk.columns[name] for name in self.names}
        self.hashes.append(chunk.hashes if self.whole else self.ground.hash_rows(columns))
        if self.table.label and self.features:
            self.bare.append(self.ground.hash_rows({name: columns[name] for name in self.features}))
        self.sample.see(chunk)

    def findings(self) -> Iterator[Finding]:
        """Copies beyond chance, and labels at odds."""
        hashes = np.concatenate(self.hashes or [np.empty(0, np.uint64)])
        self.hashes.clear()
        order = np.argsort(hashes, kind="stable")
        again = np.zeros(len(hashes), bool)
        again[1:] = hashes[order][1:] == hashes[order][:-1]
        copies, rows = int(again.sum()), Rows()
        rows.found = np.sort(order[again])[:MOST_ROWS].tolist()
        self.ground.doubt("duplicates", self.table, order[again])
        starts = int((again[1:] & ~again[:-1]).sum()) if len(again) > 1 else 0
        chance = copies_by_chance(self.sample.alike(), len(hashes))
        severity = grade(beyond(copies, chance, self.ground.alarm) / max(1, len(hashes)), 0.0, self.options.serious)
        note = f"about {chance:.3g} would be equal by chance, were columns independent" if chance >= 0.5 else ""
        method = "equal keyed hashes of 64 bits over all columns"
        yield from result("duplicates", copies, len(hashes), severity, method, self.table, self.ground, rows, note=note)
        yield Finding(
            what="audit.duplicates.different",
            at={"table": self.table.name},
            value=starts,
            unit="rows",
            n=len(hashes),
            unit_of_replication="rows",
            method=method,
        )
        if self.bare:
            yield from self._conflicting(hashes)

    def _conflicting(self, hashes: np.ndarray) -> Iterator[Finding]:
        """Rows in groups that are equal but for the label and have several."""
        bare = np.concatenate(self.bare)
        self.bare.clear()
        order = np.lexsort((hashes, bare))
        same = bare[order][1:] == bare[order][:-1]
        differs = same & (hashes[order][1:] != hashes[order][:-1])
        group = np.concatenate([[0], np.cumsum(~same)])
        torn = np.zeros(int(group[-1]) + 1 if len(bare) else 1, bool)
        torn[group[1:][differs]] = True
        found, rows = order[torn[group]] if len(bare) else np.empty(0, np.int64), Rows()
        rows.found = np.sort(found)[:MOST_ROWS].tolist()
        share = len(found) / max(1, len(bare))
        expected = copies_by_chance(self.sample.alike(self.features), len(bare))
        severity = grade(share if len(found) > 2 * expected + 3 * np.sqrt(expected) else 0.0, 0.0, 0.05)
        method = "equal keyed hashes of 64 bits over all columns but the label, with different labels"
        yield from result(
            "duplicates.conflicting", len(found), len(bare), severity, method, self.table, self.ground, rows
        )
