"""Training rows that form a group of their own within a class and carry what others can be made to obey: likely to plant a backdoor.

What a quick network learns of each class (its hidden layer, ten directions of most variance) is split into two groups; the smaller is suspected when the
pixels that its rows have in common, put on rows of other classes, carry them to the class. Source: Chen et al. (2018), "Detecting backdoor
attacks on deep neural networks by activation clustering"; they confirm by retraining, which told poison from hard classes less well here.

audit.activation_clustering         how many rows are suspected, with their numbers in a file
audit.activation_clustering.share   of the rows that were looked at
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
    "poison that is most of a class": ("never", "the smaller group is suspected"),
    "clean labels and patterns spread over the whole input": (
        "not yet ours",
        "a pattern may cover 4 % of the pixels",
    ),
}
DIRECTIONS = 10


class Options(PartOptions):
    """When a group is suspected."""

    carries: float = Field(
        default=0.5, gt=0, le=1, description="of rows of other classes, the share that a pattern must carry over"
    )


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """What is suspected in each table that trains."""
    method = "two means of ten directions of a quick network's hidden layer, tried by what the group has in common"
    yield from suspected(
        "activation_clustering",
        ground,
        lambda hidden: smaller_half(directions(hidden, DIRECTIONS), ground.seed),
        options.carries,
        method,
    )
