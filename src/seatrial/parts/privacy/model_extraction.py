"""How well the model can be copied from its answers: a network trained on so many of them, and how often it answers the same on other rows.

The copy is a perceptron that knows nothing of the model's make: it learns the probabilities that the model gave to the attacker's own rows. It is told by
budget, the number of answers bought. Tramèr et al. (2016), Stealing Machine Learning Models via Prediction APIs; Jagielski et al.
(2020), High Accuracy and High Fidelity Extraction of Neural Networks, for agreement (fidelity) as the measure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.privacy import Deployed, Known
from seatrial.numerics.membership import log_probabilities

NEEDS = ("torch",)
EXTRA = "torch"
GIVES = {"learns": ("copy",)}
CANNOT = {
    "chosen questions": ("not yet ours", "rows are asked in a drawn order; none is made up or chosen for what it would tell"),
    "the model's own make": ("not yet ours", "the copy is a perceptron, also where the attacker could know the architecture"),
    "text": ("not yet ours", "inputs must be numbers of one shape"),
}  # fmt: skip
VERSION = 1


class Options(PartOptions):
    """What the copy is."""

    hidden: int = Field(default=128, ge=1, description="units of its hidden layer")
    steps: int = Field(default=1000, ge=1, description="steps of its training, whatever the budget")
    learning_rate: float = Field(default=3e-3, gt=0, description="how far one step goes (AdamW)")


def pry(target: Deployed, known: Known, options: Options) -> Any:
    """For each budget the class that the copy gives to each row."""
    import torch

    torch.set_num_threads(1)
    own = np.flatnonzero(known.own)
    order = np.random.default_rng(known.seed).permutation(own)
    count = len(known.labels)
    wide = np.concatenate([value.reshape(count, -1) for value in known.inputs.values()], axis=1).astype(np.float32)
    middle, spread = wide[own].mean(axis=0), wide[own].std(axis=0)
    rows = torch.from_numpy((wide - middle) / np.where(spread > 0, spread, 1))
    made = []
    for budget in known.budgets:
        bought = order[:budget]
        answers = target.scores({name: value[bought] for name, value in known.inputs.items()})
        taught = torch.from_numpy(np.exp(log_probabilities(answers)).astype(np.float32))
        made.append(_copied(rows, rows[bought], taught, options, known.seed))
    return np.stack(made)


def _copied(rows: Any, bought: Any, taught: Any, options: Options, seed: int) -> Any:
    import torch
    from torch.nn import functional

    torch.manual_seed(seed)
    copy = torch.nn.Sequential(
        torch.nn.Linear(rows.shape[1], options.hidden), torch.nn.ReLU(), torch.nn.Linear(options.hidden, taught.shape[1])
    )  # fmt: skip
    fit = torch.optim.AdamW(copy.parameters(), options.learning_rate, weight_decay=0.01)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(options.steps):
        chosen = torch.randint(0, len(bought), (min(64, len(bought)),), generator=generator)
        fit.zero_grad()
        functional.cross_entropy(copy(bought[chosen]), taught[chosen]).backward()
        fit.step()
    with torch.no_grad():
        return copy(rows).argmax(dim=1).numpy()
