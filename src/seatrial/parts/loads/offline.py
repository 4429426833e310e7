"""Full batches one after another: how many rows a second, when nobody waits for any single one.

The scenario that MLPerf's LoadGen calls Offline, sent in batches of the candidate's `batch`.
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
    "load": ("offline",),
    "times": ("batches",),
    "instances": ("many",),
    "timing": ("LoadGen-style, unverified",),
}
CANNOT = {
    "sorting": (
        "not yet ours",
        "rows are sent in their order; sorting by length, which helps text, comes with text models",
    ),
    "reading": (
        "not yet ours",
        "reading files and decoding pictures stand outside the clock; so do scaling and what is made of the answers, "
        "unless the study says `processing: inside`",
    ),
}


class Options(PartOptions):
    """How long one block lasts."""

    seconds: float = Field(default=0.5, gt=0, description="least duration of one timed block, in seconds")
    queries: int = Field(default=4, ge=1, description="least number of batches in one block")
    most: float = Field(
        default=20.0, gt=0, description="longest duration of one block, in seconds: a slow candidate sends fewer"
    )


def samples(batch: int) -> int:
    """As many rows a query as the candidate's batch."""
    return batch


def drive(session: Session, queries: Sequence[Values], samples: int, options: Options) -> Events:
    """Send the batches over and over until the time is up."""
    return back_to_back(session, queries, samples, options.seconds, options.queries, options.most)
