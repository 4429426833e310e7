"""Columns that hold one value alone, or are the copy of another column.

A constant says nothing, and often means that an export went wrong. A copy counts twice in whatever is fitted to it, and splits an
importance between two names.

audit.constant_columns           columns with one value alone
audit.constant_columns.nearly    columns in which all but one cell in ten thousand are alike
audit.constant_columns.copies    columns that are equal to an earlier one, cell by cell
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.numerics.row_hash import mixed
from seatrial.parts.audits._shared import listed, result

ACCEPTS = {"tables": ("one",)}
NEARLY = 1e-4
LEAST = 100
"""Rows below which nothing is called constant."""


def begin(table: Table, ground: Ground, options: object) -> _Look | None:
    """Looks at every column but those to ignore."""
    names = [name for name in table.columns if name not in table.ignored]
    return _Look(table, ground, names) if names else None


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, names: list[str]) -> None:
        self.table, self.ground, self.names = table, ground, names
        self.first: dict[str, np.uint64] = {}
        self.other: dict[str, int] = dict.fromkeys(names, 0)
        self.sums: dict[str, np.uint64] = dict.fromkeys(names, np.uint64(0))
        self.rows = 0

    def see(self, chunk: Chunk) -> None:
        """Compare each cell with the first of its column, and add up cells tied to their rows."""
        self.rows += len(chunk)
        salts = mixed(np.arange(chunk.first, chunk.first + len(chunk), dtype=np.uint64))
        with np.errstate(over="ignore"):
            for name in self.names:
                cells = self.ground.hash_rows({"": chunk.columns[name]})
                if name not in self.first and len(cells):
                    self.first[name] = cells[0]
                self.other[name] += int((cells != self.first[name]).sum())
                self.sums[name] = self.sums[name] + mixed(cells ^ salts).sum(dtype=np.uint64)

    def findings(self) -> Iterator[Finding]:
        """The columns by name."""
        enough = self.rows >= LEAST
        constant = [name for name in self.names if not self.other[name] and enough]
        nearly = [name for name in self.names if enough and 0 < self.other[name] <= NEARLY * self.rows]
        known: dict[int, str] = {}
        copies = [(name, twin) for name in self.names if name not in constant and (twin := known.setdefault(int(self.sums[name]), name)) != name]  # fmt: skip
        severity = Severity.SERIOUS if self.table.label in constant else Severity.MINOR if constant else Severity.FINE
        yield from self._told("", constant, severity, "all cells equal, missing ones among them", listed(constant))
        severity = Severity.MINOR if nearly else Severity.FINE
        yield from self._told(
            ".nearly", nearly, severity, f"at most {NEARLY:g} of the cells differ from the first", listed(nearly)
        )
        twins = [name for name, _ in copies]
        label = any(self.table.label in pair for pair in copies)
        severity = Severity.SERIOUS if label else Severity.MINOR if copies else Severity.FINE
        told = listed([f"{name} = {twin}" for name, twin in copies])
        yield from self._told(".copies", twins, severity, "equal sums of keyed hashes of cells and their rows", told)

    def _told(self, what: str, names: list[str], severity: Severity, method: str, note: str) -> Iterator[Finding]:
        found = result(f"constant_columns{what}", len(names), len(self.names), severity, method, self.table, self.ground, unit="columns", note=note)  # fmt: skip
        yield next(found)
