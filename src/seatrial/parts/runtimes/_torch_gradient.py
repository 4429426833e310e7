"""Losses of a torch module's answers, and their gradient by its inputs."""

from __future__ import annotations

from typing import Any

from seatrial.contracts.protocols import Loss
from seatrial.parts.runtimes._slopes import LEAST, fits


def losses(output: Any, loss: Loss, extra: Any) -> Any:
    """The loss of each row, float32, of an output rows x ...; `extra` holds the rows' labels or cotangents."""
    import torch

    output = output.float()
    fits(tuple(output.shape), loss, extra)
    if loss.kind == "cotangent":
        return (output * extra).reshape(len(output), -1).sum(1)
    scores = torch.log(torch.clamp(output, min=LEAST)) if loss.means == "probabilities" else output
    if loss.kind == "cross_entropy":
        return torch.nn.functional.cross_entropy(scores, extra, reduction="none")
    if loss.kind == "targeted_dlr":
        return _towards(scores, extra)
    return _margins(scores, extra, loss.kind)


def _margins(scores: Any, labels: Any, kind: str) -> Any:
    """The largest other score less the label's; for `dlr` over the distance from the first to the third."""
    import torch

    own = torch.nn.functional.one_hot(labels, scores.shape[1]).bool()
    margin = scores.masked_fill(own, -torch.inf).amax(1) - scores.gather(1, labels[:, None])[:, 0]
    if kind == "margin":
        return margin
    ordered = torch.sort(scores, dim=1, descending=True).values
    return margin / torch.clamp(ordered[:, 0] - ordered[:, 2], min=LEAST)


def _towards(scores: Any, pairs: Any) -> Any:
    """The wanted class's score less the label's, over the distance from the first to the mean of the third and fourth."""
    import torch

    picked = scores.gather(1, pairs)
    ordered = torch.sort(scores, dim=1, descending=True).values
    apart = ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2
    return (picked[:, 1] - picked[:, 0]) / torch.clamp(apart, min=LEAST)
