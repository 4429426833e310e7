"""Personal data: e-mail addresses, telephone, card, account and national numbers, IP addresses. Counted, never shown.

Patterns find what looks like one; check digits (Luhn, modulus 97 and others) sort out what only looks so. Digits alone pass a check digit by chance
one time in ten: a column of bare digits counts only where many more of them pass than chance makes, or its name says what it holds.

audit.personal_data              cells that hold some
audit.personal_data.kind         cells of one column {column, kind}: email, phone, card, iban, ip, us_ssn, uk_nhs, nl_bsn ...
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from seatrial.contracts.audit import Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.numerics.checksums import NATIONAL, card, codice_fiscale, digits, dni, iban, nir
from seatrial.numerics.distributions import binomial_cdf
from seatrial.parts.audits._shared import Rows, by_column, result

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "names and addresses of people": (
        "not yet ours",
        "patterns don't know them: the audit `personal_names` does, with a language model",
    ),
    "pictures of people, and text in pictures": ("not yet ours", "they want a detector of faces and of letters"),
    "national numbers of other countries": ("not yet ours", "those of eleven countries are known"),
}
LONGEST = 20_000
"""Letters of a cell that are looked at."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,9}(?![A-Za-z0-9])")
_PHONE = re.compile(r"(?<![\w.+])(?:\+\d{1,3}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?|\(\d{2,5}\)[ .-]?|0\d{1,4}[ /.-])\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w.])|(?<![\w.+-])\d{3}[ .-]\d{3}[ .-]\d{4}(?![\w-])")  # fmt: skip
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
_IP4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IP6 = re.compile(r"(?<![\w:])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_CODICE = re.compile(
    r"(?<!\w)[A-Z]{6}[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z](?!\w)", re.IGNORECASE
)
_DNI = re.compile(r"(?<!\w)(?:\d{8}|[XYZ]\d{7})-?[A-Z](?!\w)", re.IGNORECASE)
_NIR = re.compile(r"(?<!\d)[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\d)")
_DATE = re.compile(r"\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}(?:[ T]\d.*)?|\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}.*")
_TRIGGER = re.compile(r"@|\d.*?\d.*?\d.*?\d|:.*:")
_BARE = re.compile(r"\d[\d .-]{7,22}\d")
_PHONES = re.compile(r"phone|mobile|telefon|tel(_|$)|(^|_)tel|fax|handy|cell(_|$)", re.IGNORECASE)


def begin(table: Table, ground: Ground, options: object) -> _Look | None:
    """Looks at columns of text and of whole numbers."""
    names = [
        name for name, words in table.columns.items() if words == "text" or words in ("int64", "uint64", "float64")
    ]
    return _Look(table, ground, names) if names else None


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, names: list[str]) -> None:
        self.table, self.ground, self.names = table, ground, names
        self.count: Counter[tuple[str, str]] = Counter()
        self.bare: Counter[tuple[str, str]] = Counter()  # of bare digits: cells that pass a check
        self.like: Counter[tuple[str, int]] = Counter()  # and all with so many digits
        self.cells = 0
        self.hits: Counter[str] = Counter()
        self.found = Rows()

    def see(self, chunk: Chunk) -> None:
        """Look at the different words of each column, and at whole numbers long enough."""
        anywhere = np.zeros(len(chunk), bool)
        for name in self.names:
            piece = chunk.columns[name]
            self.cells += len(chunk)
            words, weights, places = _words(piece)
            hit = np.zeros(len(words) + 1, bool)
            for at, (word, weight) in enumerate(zip(words, weights, strict=True)):
                kinds = self._kinds(name, word, weight, piece.kind == "text")
                hit[at] = bool(kinds)
                self.hits[name] += weight if kinds else 0
                for kind in kinds:
                    self.count[name, kind] += weight
            if hit.any():
                anywhere |= hit[places] & ~piece.holes
        self.found.add(chunk, anywhere)

    def _kinds(self, name: str, word: str, weight: int, text: bool) -> set[str]:
        word = word[:LONGEST]
        if not weight or not _TRIGGER.search(word):
            return set()
        found = set(_patterns(word)) if text else set()
        bare = word.strip()
        if (found <= {"phone"} or not text) and _BARE.fullmatch(bare):
            plain = digits(bare)
            self.like[name, len(plain)] += weight
            for kind, passes in _checks(plain):
                if passes:
                    self.bare[name, kind] += weight
            if _PHONES.search(name) and 8 <= len(plain) <= 15:
                found.add("phone")
        return found

    def findings(self) -> Iterator[Finding]:
        """Cells in all, and by column and kind. Nothing that stands in a cell."""
        for (name, kind), passed in self.bare.items():
            length, chance = _CHANCE[kind]
            tried = sum(count for (column, long), count in self.like.items() if column == name and long in length)
            if (
                (name, kind) not in self.count
                and passed >= 5
                and passed > 0.5 * tried
                and _more(passed, tried, chance, self.ground.alarm / len(_CHANCE))
            ):
                self.count[name, kind] = passed
                self.hits[name] = max(self.hits[name], passed)
        cells = sum(self.hits.values())
        severity = Severity.SERIOUS if cells else Severity.FINE
        method = "patterns and check digits; counted, never kept"
        yield from result(
            "personal_data",
            cells,
            self.cells,
            severity,
            method,
            self.table,
            self.ground,
            self.found,
            unit="cells",
        )
        yield from by_column(
            "audit.personal_data.kind",
            "kind",
            self.count,
            self.table,
            self.cells,
            Severity.SERIOUS,
            {kind: method for _, kind in self.count},
        )


_CHANCE: dict[str, tuple[tuple[int, ...], float]] = {kind: ((length,), chance) for kind, (_, length, chance) in NATIONAL.items()} | {"card": (tuple(range(13, 20)), 0.06)}  # fmt: skip
"""How many digits a number of bare digits has, and which share of any such digits would pass its check."""


def _words(piece: Piece) -> tuple[list[str], list[int], np.ndarray]:
    """Different cells as words, how often each stands, and which of them each cell is; numbers of fewer than nine digits are left out."""
    if piece.kind == "text":
        places = piece.values
        counts = np.bincount(places[~piece.holes], minlength=len(piece.words)).tolist()
        return list(piece.words), counts, places
    values = piece.values
    with np.errstate(invalid="ignore"):
        whole = np.isfinite(values) & (values >= 1e8) & (values < 1e19) & (values == np.floor(values)) & ~piece.holes
    if not whole.any():
        return [], [], np.zeros(len(values), np.int64)
    different, inverse, counts = np.unique(values[whole], return_inverse=True, return_counts=True)
    places = np.full(len(values), len(different), np.int64)
    places[whole] = inverse
    return [str(int(one)) for one in different], counts.tolist(), places


def _patterns(word: str) -> Iterator[str]:
    """The kinds of personal data in a text."""
    if "@" in word and _EMAIL.search(word):
        yield "email"
    if any(iban(found.group()) for found in _IBAN.finditer(word)):
        yield "iban"
    cards = [found.span() for found in _CARD.finditer(word) if card(digits(found.group()))]
    if cards and not _bare(word):
        yield "card"
    if any(_is_ip(found.group()) for form in (_IP4, _IP6) for found in form.finditer(word)):
        yield "ip"
    if _SSN.search(word):
        yield "us_ssn"
    for kind, form, check in (
        ("it_codice_fiscale", _CODICE, codice_fiscale),
        ("es_dni", _DNI, dni),
        ("fr_nir", _NIR, nir),
    ):
        if any(check(found.group()) for found in form.finditer(word)):
            yield kind
    if any(
        _is_phone(found.group()) and not _inside(found.span(), cards) and not iban(word)
        for found in _PHONE.finditer(word)
    ):
        yield "phone"


def _is_phone(text: str) -> bool:
    """Eight to fifteen digits that are no date."""
    return 8 <= sum(one.isdigit() for one in text) <= 15 and not _DATE.fullmatch(text.strip())


def _inside(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(low <= span[0] and span[1] <= high for low, high in others)


def _bare(word: str) -> bool:
    """Whether a cell is digits alone."""
    return word.strip().isdigit()


def _is_ip(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.version == 4 or text.count(":") >= 3 or "::" in text.strip(":")


def _checks(plain: str) -> Iterator[tuple[str, bool]]:
    for kind, (check, length, _) in NATIONAL.items():
        if len(plain) == length:
            yield kind, check(plain)
    if 13 <= len(plain) <= 19:
        yield "card", card(plain)


def _more(passed: int, tried: int, chance: float, alarm: float) -> bool:
    """Whether more pass than chance would make of as many."""
    return passed > tried * chance and 1 - binomial_cdf(passed - 1, tried, chance) < alarm
