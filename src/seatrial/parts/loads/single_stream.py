"""One row a query, the next when the last is answered: what one caller waits.

The scenario that MLPerf's LoadGen calls SingleStream. Runs for at least `seconds` and at least `queries` queries, whichever is more.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from seatrial.contracts.events import Events
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Session
from seatrial.contracts.values import Values
from seatrial.parts.loads._driving import back_to_back

GIVES = {
    "load": ("single_stream",),
    "times": ("service",),
    "instances": ("many",),
    "timing": ("LoadGen-style, unverified",),
}
CANNOT = {
    "tokens": ("not yet ours", "an answer counts when it is whole; time to the first token comes with text generation"),
    "reading": (
        "not yet ours",
        "reading files and decoding pictures stand outside the clock; so do scaling and what is made of the answers, "
        "unless the study says `processing: inside`",
    ),
}


class Options(PartOptions):
    """How long one block lasts."""

    seconds: float = Field(default=0.4, gt=0, description="least duration of one timed block, in seconds")
    queries: int = Field(
        default=500, ge=1, description="least number of queries in one block; a 99 % bound on p99 needs 459"
    )
    most: float = Field(
        default=20.0, gt=0, description="longest duration of one block, in seconds: a slow candidate sends fewer"
    )


def samples(batch: int) -> int:
    """One row a query, whatever the batch."""
    return 1


def drive(session: Session, queries: Sequence[Values], samples: int, options: Options) -> Events:
    """Send the queries over and over. Nothing but the call, the clock and a few steps of bookkeeping happens between two queries."""
    return back_to_back(session, queries, samples, options.seconds, options.queries, options.most)
