"""Training rows that stand apart along the strongest direction of what is learnt of their class: likely to plant a backdoor.

Of each class the top singular direction of a quick network's hidden layer is taken, and rows are split along it in two (Tran et al. take a stated share
of the largest instead); the smaller part is suspected when the pixels that its rows have in common, put on rows of other classes, carry them
to the class. Source: Tran, Li & Madry (2018), "Spectral signatures in backdoor attacks".

audit.spectral_signatures         how many rows are suspected, with their numbers in a file
audit.spectral_signatures.share   of the rows that were looked at
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from seatrial.contracts.audit import Ground
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.numerics.two_groups import directions, smaller_half
from seatrial.parts.audits._represented import suspected

ACCEPTS = {"tables": ("all",)}
GIVES = {"way": ("model",), "when": ("named",)}
CANNOT = {
    "the model's own layers": ("not yet ours", "the representation is a quick network's that is fitted to the rows"),
    "tables and text": ("not yet ours", "with few features what a group has in common may be its class itself"),
    "poison that is most of a class": ("never", "the smaller part is suspected"),
    "clean labels and patterns spread over the whole input": (
        "not yet ours",
        "a pattern may cover 4 % of the pixels",
    ),
}


class Options(PartOptions):
    """When a part is suspected."""

    carries: float = Field(
        default=0.5, gt=0, le=1, description="of rows of other classes, the share that a pattern must carry over"
    )


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """What is suspected in each table that trains."""
    method = (
        "split along the top singular direction of a quick network's hidden layer, tried by what the part has in common"
    )
    yield from suspected(
        "spectral_signatures",
        ground,
        lambda hidden: smaller_half(directions(hidden, 1), ground.seed),
        options.carries,
        method,
    )
