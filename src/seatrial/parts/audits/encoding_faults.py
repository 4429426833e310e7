"""Text that was read in another encoding than it was written in, and characters that don't belong into text.

`CafÃ©` is `Café`, written as UTF-8 and read as Windows-1252 (mojibake). Such text is another word to a model. Characters that replace what
could not be read, control characters, and the same letters in two forms of Unicode do the same.

audit.encoding_faults             cells with any of these; the rows to look at
audit.encoding_faults.kind        cells of one column {column, kind}: mojibake, replaced, control, two_forms
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.parts.audits._shared import Rows, by_column, grade, result

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "single-byte encodings taken for each other": ("never", "Latin-1 read as Latin-2 gives letters that could be meant")
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LEADS = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)
"""The first byte of a letter in UTF-8 and a byte that follows, as Windows-1252 shows them."""


def begin(table: Table, ground: Ground, options: object) -> _Look | None:
    """Looks at columns of text."""
    names = [name for name, words in table.columns.items() if words == "text"]
    return _Look(table, ground, names) if names else None


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, names: list[str]) -> None:
        self.table, self.ground, self.names = table, ground, names
        self.count: Counter[tuple[str, str]] = Counter()
        self.cells = self.bad = 0
        self.found = Rows()

    def see(self, chunk: Chunk) -> None:
        """Look at the different words; those in ASCII are passed over quickly."""
        anywhere = np.zeros(len(chunk), bool)
        for name in self.names:
            piece = chunk.columns[name]
            if piece.kind != "text":
                continue
            self.cells += len(chunk)
            kinds = [_fault(word) for word in piece.words]
            if not any(kinds):
                continue
            for kind in {kind for kind in kinds if kind}:
                mask = np.array([one == kind for one in kinds])[piece.values] & ~piece.holes
                self.count[name, kind] += int(mask.sum())
                self.bad += int(mask.sum())
                anywhere |= mask
        self.found.add(chunk, anywhere)

    def findings(self) -> Iterator[Finding]:
        """Cells in all, and by column and kind."""
        severity = grade(self.bad / max(1, self.cells), 0.0, 0.001)
        method = "exact count of cells"
        yield from result(
            "encoding_faults", self.bad, self.cells, severity, method, self.table, self.ground, self.found, unit="cells"
        )
        yield from by_column(
            "audit.encoding_faults.kind", "kind", self.count, self.table, self.cells, Severity.MINOR, _MEANS
        )


_MEANS = {
    "mojibake": "letters that are UTF-8 read as Windows-1252: turned back they are valid UTF-8",
    "replaced": "the character U+FFFD, which stands for bytes that could not be read",
    "control": "control characters",
    "two_forms": "letters in a form of Unicode that isn't composed (NFC): the same word in two forms is two words",
}


def _fault(word: str) -> str:
    """Which fault a word has, if any."""
    if word.isascii():
        return "control" if not word.isprintable() and _CONTROL.search(word) else ""
    if "\ufffd" in word:
        return "replaced"
    if _LEADS.search(word) and _turned(word):
        return "mojibake"
    if _CONTROL.search(word):
        return "control"
    return "two_forms" if unicodedata.normalize("NFC", word) != word else ""


def _turned(word: str) -> bool:
    """Whether some piece of it, turned back into bytes, is UTF-8 of letters beyond ASCII."""
    for encoding in ("cp1252", "latin-1"):
        for found in _RUN.finditer(word):
            try:
                back = found.group().encode(encoding).decode("utf-8")
            except UnicodeError:
                continue
            if not back.isascii() and len(back) < len(found.group()):
                return True
    return False


_RUN = re.compile("[^\x00-\x7f]{2,}")
