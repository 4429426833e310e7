"""What training minimises, by what a module's output means: one class a row, labels chosen one by one, or numbers.

A lone column of a classifier speaks of the second class, as `tasks/classification` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seatrial.contracts.protocols import Making

Loss = Callable[[Any, Mapping[str, Any]], Any]
"""Of a batch's answers and of what belongs to its rows: what is minimised."""

LEAST = 1e-12
"""Below this probability there is no logarithm."""
CLASSES = ("logits", "probabilities", "scores")


def means_of(making: Making) -> str:
    """What the model's first output means; logits where nobody says."""
    return next((one.means for one in making.outputs.values()), "logits")


def as_logits(answer: Any, means: str) -> Any:
    """Logits, rows x classes, of what a module answers: two of a lone column, the logarithm of probabilities."""
    import torch

    given = answer.float().reshape(len(answer), -1)
    if means == "probabilities":
        given = given if given.shape[1] > 1 else torch.cat([1 - given, given], 1)
        return given.clamp_min(LEAST).log()
    if given.shape[1] > 1:
        return given
    return torch.cat([-given if means == "scores" else torch.zeros_like(given), given], 1)


def label_loss(means: str) -> Loss:
    """Cross entropy of classes, of labels chosen one by one, or the mean square of numbers."""
    from torch.nn import functional

    def loss(answer: Any, given: Mapping[str, Any]) -> Any:
        labels = given["labels"]
        if not labels.is_floating_point():
            return functional.cross_entropy(as_logits(answer, means), labels)
        if means in CLASSES and labels.ndim == 2:
            return _of_each(answer.reshape(labels.shape), labels, means)
        return functional.mse_loss(answer.float().reshape(labels.shape), labels)

    return loss


def taught_loss(means: str, taught: Any, labels: Any, weight: float, heat: float) -> tuple[Loss, dict[str, Any]]:
    """What a student minimises, and the tensors that it is given: nearness to the teacher's answers, softened by `heat`, and by `weight` to
    the labels (Hinton, Vinyals and Dean 2015). Of numbers, the mean square to the teacher's."""
    import torch
    from torch.nn import functional

    targets = {"taught": torch.from_numpy(np.asarray(taught, np.float32))}
    if means not in CLASSES[:2]:
        return lambda answer, given: functional.mse_loss(
            answer.reshape(given["taught"].shape), given["taught"]
        ), targets
    several = labels is not None and labels.ndim == 2
    known = labels is not None and (several or labels.dtype.kind in "iu")
    if known and weight:
        targets["labels"] = torch.from_numpy(np.array(labels, np.float32 if several else np.int64))
    hard = label_loss(means)

    def soft(answer: Any, given: Mapping[str, Any]) -> Any:
        if several:
            aim = given["taught"] if means == "probabilities" else torch.sigmoid(given["taught"] / heat)
            if means == "probabilities":
                return _of_each(answer.reshape(aim.shape), aim.clamp(0, 1), means)
            return _of_each(answer.reshape(aim.shape) / heat, aim, means) * heat**2
        own, aim = (functional.log_softmax(as_logits(one, means) / heat, dim=1) for one in (answer, given["taught"]))
        return functional.kl_div(own, aim, reduction="batchmean", log_target=True) * heat**2

    def both(answer: Any, given: Mapping[str, Any]) -> Any:
        if "labels" not in given:
            return soft(answer, given)
        return (1 - weight) * soft(answer, given) + weight * hard(answer, given)

    return both, targets


def _of_each(answer: Any, aim: Any, means: str) -> Any:
    """Binary cross entropy of each label."""
    from torch.nn import functional

    if means == "probabilities":
        return functional.binary_cross_entropy(answer.float().clamp(1e-6, 1 - 1e-6), aim)
    return functional.binary_cross_entropy_with_logits(answer.float(), aim)
