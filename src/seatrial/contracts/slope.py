"""What an attack asks of a session: of which loss it wants the gradient, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from seatrial.contracts.values import Values

if TYPE_CHECKING:
    from seatrial.contracts.values import Array


@dataclass(frozen=True)
class Loss:
    """What a gradient is of: a number for each row, made of one output.

    `cross_entropy` is -log of the label's probability; `margin` the largest other score less the label's (Carlini & Wagner 2017: above
    0 the answer is wrong); `dlr` the margin over the distance from the first to the third score (Croce & Hein 2020), `targeted_dlr` a
    wanted class's score less the label's, over the distance from the first to between the third and fourth (ibid.); `cotangent` the
    sum of the output times `cotangent`. `labels` are int64, one a row (for `targeted_dlr` rows x 2: label and wanted class);
    `cotangent` has the output's shape. An output that `means` probabilities is taken by its logarithm first.
    """

    output: str
    kind: Literal["cross_entropy", "margin", "dlr", "targeted_dlr", "cotangent"] = "cross_entropy"
    labels: Array | None = None
    cotangent: Array | None = None
    means: Literal["logits", "probabilities"] = "logits"


@dataclass(frozen=True)
class Slope:
    """A gradient by the name of each input that is a float, in the input's shape; the loss of each row; the answers."""

    gradient: Values
    loss: Array
    answers: Values
