"""The findings of a secure evaluation: shares with intervals from the opened counts, the difference from the plain model, and the cost."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.parties import TRUST, Opened, Terms
from seatrial.numerics.proportions import proportion

_ROWS = "rows"
METHOD = (
    "counts opened from a computation on secret shares (Shamir, three parties, one may be corrupt; MPyC), fixed point"
)


def told(terms: Terms, opened: Opened, candidate: str) -> tuple[Finding, ...]:
    """Everything that one party may say of it."""
    return (*_quality(terms, opened, candidate), *_cost(terms, opened, candidate), *_trust(terms, candidate))


def right(terms: Terms, opened: Opened) -> int:
    """How many rows were answered rightly."""
    counts = opened.counts
    if terms.counts == "confusion":
        return sum(line[place] for place, line in enumerate(counts))
    return sum(counts[0])


def sentence(terms: Terms, opened: Opened) -> str:
    """What came of it, in two sentences."""
    if opened.uncertain is None:
        return "It is done. The counts were opened to the two owners alone."
    many = f"{right(terms, opened):,} of {terms.rows:,} rows were answered rightly."
    return f"{many} In plain float32 at most {opened.uncertain:,} rows could be answered otherwise."


def _quality(terms: Terms, opened: Opened, candidate: str) -> Iterator[Finding]:
    if opened.uncertain is None:
        note = "counts are opened to the two owners alone"
        yield missing("secure.accuracy", State.WITHHELD, note, candidate=candidate)
        yield missing("secure.difference", State.WITHHELD, note, candidate=candidate)
        return
    yield _share("secure.accuracy", right(terms, opened), terms.rows, candidate)
    if terms.counts == "confusion":
        for place, name in enumerate(terms.classes):
            rows = sum(line[place] for line in opened.counts)
            if rows:
                yield _share("secure.recall", opened.counts[place][place], rows, candidate, name)
    if terms.counts == "correct_per_class":
        for place, name in enumerate(terms.classes):
            yield Finding(what="secure.correct", at={"class": name}, value=opened.counts[0][place], unit=_ROWS, candidate=candidate, method=METHOD)  # fmt: skip
    yield Finding(
        what="secure.difference",
        candidate=candidate,
        value=opened.uncertain / terms.rows,
        better="lower",
        n=terms.rows,
        unit_of_replication=_ROWS,
        method=f"rows whose second-best score lies within {terms.margin / 2**terms.fraction:.3g} of the best, which is twice what fixed "
        "point can move a score by (interval arithmetic over the agreed range); counted on shares. An upper bound: the others are answered alike",
    )


def _share(what: str, right: int, rows: int, candidate: str, name: str = "") -> Finding:
    found = proportion(right, rows)
    return Finding(
        what=what,
        at={"class": name} if name else {},
        candidate=candidate,
        value=found.value,
        low=found.low,
        high=found.high,
        level=found.level,
        better="higher",
        n=rows,
        unit_of_replication=_ROWS,
        method=f"{found.method}; {METHOD}",
    )


def _cost(terms: Terms, opened: Opened, candidate: str) -> Iterator[Finding]:
    said = {"candidate": candidate, "n": 1, "unit_of_replication": "evaluations", "at": {"rows": terms.rows}}
    yield Finding(what="secure.seconds", value=opened.seconds, unit="s", better="lower", method="wall clock of this party, from the last connection to the end", **said)  # fmt: skip
    yield Finding(what="secure.bytes", value=opened.sent, unit="bytes", better="lower", method="sent by this party, TLS's own not counted", **said)  # fmt: skip
    yield Finding(what="secure.rounds", value=opened.rounds, unit="messages", better="lower", method="longest chain of messages, each sent after the one before it had come", **said)  # fmt: skip


def _trust(terms: Terms, candidate: str) -> Iterator[Finding]:
    names = ", ".join(f"{card.role} {card.name}" for card in terms.parties)
    yield Finding(
        what="secure.trust",
        candidate=candidate,
        value="honest majority, semi-honest",
        origin=Origin.DECLARED,
        note=f"{TRUST} Here: {names} (names as declared).",
    )
