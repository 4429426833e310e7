"""Rows that are nearly alike: numbers that differ by rounding, texts with a few words changed, pictures brightened or packed again.

Tables: rows that are equal once numbers are cut to a hundredth of a standard deviation and words are written alike. Texts: those that share four
fifths of their runs of three words (MinHash). Pictures: those whose difference hashes agree in all but three of 64 bits, and whose small
pictures are one another's at a correlation of 0.99. Exact copies are told by the audit of duplicates and aren't counted here.

audit.near_duplicates            rows that are near an earlier one {of: table}
audit.near_duplicates.text       {column}
audit.near_duplicates.image      {column}
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import MOST_ROWS, Chunk, Ground, Table
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.parts.audits._near import APART, GRID, SIDE, Learnt, Signatures
from seatrial.parts.audits._shared import Rows, beyond, copies_by_chance, grade, result

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "pictures turned, mirrored or shifted": ("not yet ours", "the difference hash changes with them"),
    "texts said in other words": ("not yet ours", "they want an embedding"),
    "tables in which one value of many was changed": ("not yet ours", "only rounding and spelling are allowed for"),
}
BYTES_A_ROW = 800
"""Of texts the signatures; of pictures 300, of tables 32."""


class Options(PartOptions):
    """How near is near."""

    similar: float = Field(
        default=0.8, gt=0.5, lt=1, description="share of runs of words that near texts have in common"
    )
    alike: float = Field(default=0.99, gt=0.8, lt=1, description="correlation of near pictures")
    serious: float = Field(default=0.01, gt=0, le=1, description="share of near rows that is serious")


def begin(table: Table, ground: Ground, options: Options) -> _Look:
    """Looks at whole rows, and at each column of texts or pictures."""
    return _Look(table, ground, options)


class _Look:
    """First it learns deviations and which texts are long; then it takes hashes and signatures."""

    def __init__(self, table: Table, ground: Ground, options: Options) -> None:
        self.table, self.ground, self.options = table, ground, options
        self.learnt = Learnt([name for name in table.columns if name not in (*table.ignored, table.label)])
        self.signatures: Signatures | None = None

    @property
    def again(self) -> bool:
        """A second pass, with what the first one learnt."""
        if self.signatures is not None:
            return False
        self.signatures = Signatures(self.learnt, self.ground, max(1, self.ground.memory // 2 // BYTES_A_ROW))
        return True

    def see(self, chunk: Chunk) -> None:
        """Learn; then take hashes."""
        (self.learnt if self.signatures is None else self.signatures).see(chunk)

    def findings(self) -> Iterator[Finding]:
        """Near rows of the table, of its texts and of its pictures."""
        taken = self.signatures
        if taken is None:
            return
        if taken.tabular:
            method = f"equal once fractions are cut to {GRID:g} standard deviations and words are in small letters, without signs"
            near = taken.rows_near()
            chance = copies_by_chance(taken.alike(), len(near))
            note = f"about {chance:.3g} would be by chance, were columns independent" if chance >= 0.5 else ""
            yield from self._told("near_duplicates", near, method, {"of": "table"}, note, chance)
        similar, alike = self.options.similar, self.options.alike
        for name, texts in taken.texts.items():
            method = f"MinHash of 128 places over runs of three words, Jaccard index from about {similar:g}"
            note = f"the first {texts.most} texts" if texts.cut else ""
            yield from self._told("near_duplicates.text", texts.near(similar), method, {"column": name}, note)
        for name, images in taken.images.items():
            method = (
                f"difference hash, at most {APART} of 64 bits apart, and a correlation of {alike:g} at {SIDE} x {SIDE}"
            )
            yield from self._told("near_duplicates.image", images.near(alike), method, {"column": name})

    def _told(
        self, what: str, near: np.ndarray, method: str, at: dict[str, str], note: str = "", chance: float = 0.0
    ) -> Iterator[Finding]:
        rows = Rows()
        rows.found = np.flatnonzero(near)[:MOST_ROWS].tolist()
        count = int(near.sum())
        severity = grade(beyond(count, chance, self.ground.alarm) / max(1, len(near)), 0.0, self.options.serious)
        yield from result(what, count, len(near), severity, method, self.table, self.ground, rows, at=at, note=note)
