"""Columns of text that hold numbers and words, several ways to write a date, or one word in several spellings.

`12`, `12 kg` and `twelve` in one column, or `Oslo`, `oslo ` and `OSLO`: what reads them makes words of numbers, or three towns of one.

audit.mixed_types                  columns with a mixture
audit.mixed_types.cells            cells that are of the rarer kind {column, kind}: number, date, other_date, word
audit.mixed_types.spellings        cells whose word has a more frequent spelling, but for case and spaces {column}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.parts.audits._shared import EMPTY, MOST_COLUMNS, Rows, result

ACCEPTS = {"tables": ("one",)}
MOST_WORDS = 20_000
"""Different words of a column up to which spellings are told apart; a column of more is free text or names."""
RARE = 0.4
"""Share of cells up to which a kind is the rarer one. From `LEAST` cells on it is a kind."""
LEAST = 2
_NUMBER = re.compile(r"[-+]?(\d{1,3}([ ,.']\d{3})*|\d+)([.,]\d+)?([eE][-+]?\d+)?\s*%?")
_DATES = {
    "year first": re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?"),
    "year last, with strokes": re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}"),
    "year last, with points": re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}"),
    "year last, with hyphens": re.compile(r"\d{1,2}-\d{1,2}-\d{4}"),
}


def begin(table: Table, ground: Ground, options: object) -> _Look | None:
    """Looks at columns of text."""
    names = [name for name, words in table.columns.items() if words == "text" and name not in table.ignored]
    return _Look(table, ground, names) if names else None


class _Look:
    """First it counts what kinds there are and which words, then, where some are mixed, it notes the rows of the rarer kinds."""

    def __init__(self, table: Table, ground: Ground, names: list[str]) -> None:
        self.table, self.ground, self.names = table, ground, names
        self.kinds: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.words: dict[str, Counter[str] | None] = {name: Counter() for name in names}
        self.odd: dict[str, set[str]] | None = None
        self.rows = 0
        self.found = Rows()

    @property
    def again(self) -> bool:
        """Where something is mixed the rows are looked at again, to note them."""
        if self.odd is None:
            self.odd = {name: odd for name, kinds in self.kinds.items() if (odd := _odd(kinds))}
            return bool(self.odd)
        return False

    def see(self, chunk: Chunk) -> None:
        """Count kinds and words; then note rows."""
        if self.odd is not None:
            self._note(chunk, self.odd)
            return
        self.rows += len(chunk)
        for name in self.names:
            piece = chunk.columns[name]
            if piece.kind != "text" or not len(piece.words):
                continue
            counts = np.bincount(piece.values[~piece.holes], minlength=len(piece.words)).tolist()
            known = self.words[name]
            for word, count in zip(piece.words, counts, strict=True):
                self.kinds[name][_kind(word)] += count
                if known is not None:
                    known[word] += count
            if known is not None and len(known) > MOST_WORDS:
                self.words[name] = None

    def _note(self, chunk: Chunk, odd: dict[str, set[str]]) -> None:
        anywhere = np.zeros(len(chunk), bool)
        for name, kinds in odd.items():
            piece = chunk.columns[name]
            if len(piece.words):
                anywhere |= np.array([_kind(word) in kinds for word in piece.words])[piece.values] & ~piece.holes
        self.found.add(chunk, anywhere)

    def findings(self) -> Iterator[Finding]:
        """Columns with a mixture; cells of the rarer kinds; spellings."""
        odd = self.odd or {}
        severity = Severity.MINOR if odd else Severity.FINE
        method = f"kinds of cells by their form; a kind is the rarer up to {RARE:.0%} of a column"
        yield from result(
            "mixed_types", len(odd), len(self.names), severity, method, self.table, self.ground, self.found, unit="columns"
        )  # fmt: skip
        for name in sorted(odd)[:MOST_COLUMNS]:
            for kind in sorted(odd[name]):
                yield self._cells("cells", self.kinds[name][kind], name, {"kind": kind.replace(" ", "_")}, method)
        spelt = {name: count for name, words in self.words.items() if words and (count := _spellings(words))}
        for name in sorted(spelt, key=lambda one: -spelt[one])[:MOST_COLUMNS]:
            yield self._cells(
                "spellings",
                spelt[name],
                name,
                {},
                "words that are equal but for case and spaces, all but the most frequent of them",
            )

    def _cells(self, what: str, count: int, name: str, at: dict[str, str], method: str) -> Finding:
        return Finding(
            what=f"audit.mixed_types.{what}",
            at={"table": self.table.name, "column": name, **at},
            value=count,
            unit="cells",
            better="lower",
            n=self.rows,
            unit_of_replication="rows",
            severity=Severity.MINOR,
            method=method,
        )


def _kind(word: str) -> str:
    """What a cell is by its form: empty, number, one of the ways to write a date, or word."""
    bare = word.strip()
    if bare.lower() in EMPTY:
        return "empty"
    if not bare[-1].isdigit() and not bare[0].isdigit():
        return "word"
    if _NUMBER.fullmatch(bare):
        return "number"
    return next((f"date {way}" for way, form in _DATES.items() if form.fullmatch(bare)), "word")


def _odd(kinds: Counter[str]) -> set[str]:
    """The rarer kinds of a column where numbers and words, or several ways to write dates, are mixed."""
    there = {kind: count for kind, count in kinds.items() if kind != "empty" and count}
    total = sum(there.values())
    rare = {kind for kind, count in there.items() if count <= RARE * total}
    main = set(there) - rare
    if not rare or not main:
        return set()
    if main == {
        "word"
    }:  # names with a number among them are words: only a clear share of numbers or dates is a mixture
        return {kind for kind in rare if there[kind] >= max(LEAST, 0.01 * total)}
    return {kind for kind in rare if there[kind] >= 1}


def _spellings(words: Counter[str]) -> int:
    """Cells whose word is, but for case and spaces, another one that is more frequent."""
    most: dict[str, int] = {}
    total: dict[str, int] = {}
    for word, count in words.items():
        bare = " ".join(word.casefold().split())
        most[bare], total[bare] = max(most.get(bare, 0), count), total.get(bare, 0) + count
    return sum(total[bare] - most[bare] for bare in most)
