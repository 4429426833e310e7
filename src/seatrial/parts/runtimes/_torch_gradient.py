"""Losses of a torch module's answers, and their gradient by its inputs."""

from __future__ import annotations

from typing import Any

from seatrial.contracts.protocols import Loss
from seatrial.errors import ModelError, Unsupported

LEAST = 1e-12
"""Where a probability or the distance between scores is cut off, so that it can be divided by."""


def losses(output: Any, loss: Loss, extra: Any) -> Any:
    """The loss of each row, float32, of an output rows x ...; `extra` holds the rows' labels or cotangents."""
    import torch

    output = output.float()
    if loss.kind == "cotangent":
        if extra.shape != output.shape:
            raise ModelError(f"the cotangent has shape {tuple(extra.shape)}, the output {tuple(output.shape)}")
        return (output * extra).reshape(len(output), -1).sum(1)
    wide = (2,) if loss.kind == "targeted_dlr" else ()
    if output.ndim != 2 or extra.shape != (*output.shape[:1], *wide):
        raise ModelError(
            f"{loss.kind} takes scores rows x classes and {'two labels' if wide else 'a label'} a row, not {tuple(output.shape)} and {tuple(extra.shape)}"
        )
    if bool(((extra < 0) | (extra >= output.shape[1])).any()):
        raise ModelError(f"labels are 0 to {output.shape[1] - 1}")
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
    if scores.shape[1] < 3:
        raise Unsupported("`dlr` needs three classes", next_step="take `margin`")
    ordered = torch.sort(scores, dim=1, descending=True).values
    return margin / torch.clamp(ordered[:, 0] - ordered[:, 2], min=LEAST)


def _towards(scores: Any, pairs: Any) -> Any:
    """The wanted class's score less the label's, over the distance from the first to the mean of the third and fourth."""
    import torch

    if scores.shape[1] < 4:
        raise Unsupported("`targeted_dlr` needs four classes", next_step="take `margin`")
    picked = scores.gather(1, pairs)
    ordered = torch.sort(scores, dim=1, descending=True).values
    apart = ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2
    return (picked[:, 1] - picked[:, 0]) / torch.clamp(apart, min=LEAST)
