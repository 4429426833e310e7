"""A few rows a query (8), the next query when the last is answered: what a device with several cameras waits.

The scenario that MLPerf's LoadGen calls MultiStream. Latency counts by query: it is that of the last of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field

from seatrial.contracts.events import Events, Kept
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Session
from seatrial.contracts.values import Values
from seatrial.parts.loads._driving import back_to_back

GIVES = {"load": ("multi_stream",), "instances": ("many",), "timing": ("LoadGen-style, unverified",)}
CANNOT = {
    "reading": (
        "not yet ours",
        "reading files and decoding pictures stand outside the clock; so do scaling and what is made of the answers, "
        "unless the study says `processing: inside`",
    ),
}


class Options(PartOptions):
    """How many rows a query has, and how long one block lasts."""

    samples: int = Field(
        default=8, ge=1, description="rows a query; a candidate of a smaller batch gets them in several calls"
    )
    seconds: float = Field(default=0.4, gt=0, description="least duration of one timed block, in seconds")
    queries: int = Field(
        default=500, ge=1, description="least number of queries in one block; a 99 % bound on p99 needs 459"
    )
    most: float = Field(
        default=20.0, gt=0, description="longest duration of one block, in seconds: a slow candidate sends fewer"
    )


def samples(batch: int) -> int:
    """Rows a call: 1, 2, 4 or 8, as many as the batch allows."""
    return max(rows for rows in (1, 2, 4, 8) if rows <= batch)


def drive(session: Session, queries: Sequence[Values], samples: int, options: Options) -> Events:
    """Send queries of `options.samples` rows (rounded up to whole calls) over and over."""
    calls = -(-options.samples // samples)
    groups: list[Any] = [
        {"calls": [queries[(first * calls + call) % len(queries)] for call in range(calls)]}
        for first in range(len(queries))
    ]
    events = back_to_back(_Group(session), groups, samples * calls, options.seconds, options.queries, options.most)
    last = [(one.query * calls + calls - 1) % len(queries) for one in events.kept]
    return replace(events, kept=tuple(Kept(query, one.answer) for query, one in zip(last, events.kept, strict=True)))


class _Group:
    """A session whose query is several calls; its answer is that of the last."""

    def __init__(self, session: Session) -> None:
        self._predict = session.predict
        self.facts, self.close = session.facts, session.close

    def predict(self, group: Any) -> Values:
        for call in group["calls"]:
            answer = self._predict(call)
        return answer
