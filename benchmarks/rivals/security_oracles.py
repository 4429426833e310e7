"""Attacks by ART and torchattacks on the models of `security.py`, for comparison. Run in an environment of their own.

python security_oracles.py FOLDER NAME BUDGET WHICH: reads `NAME.pt` (layers as tensors) and `rows.npz`; prints JSON: CPU
seconds, and for each row whether it still stood.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)


class Scaled(nn.Module):
    """Takes pixels from 0 to 1, as attacks do."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner((x - 0.286) / 0.353)


def load(folder: Path, name: str) -> nn.Module:
    if name == "cnn":
        from safetensors.torch import load_model

        sys.path.insert(0, str(folder))
        from model import cnn

        made = cnn()
        load_model(made, folder / "cnn.safetensors")
        return Scaled(made.eval())
    weights = np.load(folder / f"{name}.npz")
    made = nn.Sequential(nn.Flatten(), nn.Linear(*weights["w0"].shape), nn.ReLU(), nn.Linear(*weights["w1"].shape))
    for layer, at in ((1, 0), (3, 1)):
        made[layer].weight.data = torch.from_numpy(weights[f"w{at}"].T.copy())
        made[layer].bias.data = torch.from_numpy(weights[f"b{at}"].copy())
    return Scaled(made.eval())


def standing(model: nn.Module, points: np.ndarray, clean: np.ndarray, labels: np.ndarray, budget: float) -> np.ndarray:
    """Rows that are right at these points, or whose point isn't allowed."""
    with torch.no_grad():
        right = model(torch.from_numpy(points.astype(np.float32))).argmax(1).numpy() == labels
    outside = np.abs(points - clean).reshape(len(clean), -1).max(axis=1) > budget + 1e-6
    return right | outside


def art_set(model: nn.Module, x: np.ndarray, labels: np.ndarray, budget: float):
    """FGSM, PGD, Auto-PGD on both losses and Square, with the steps of our standard set."""
    from art.attacks.evasion import (
        AutoProjectedGradientDescent,
        FastGradientMethod,
        ProjectedGradientDescent,
        SquareAttack,
    )
    from art.estimators.classification import PyTorchClassifier

    given = PyTorchClassifier(model, nn.CrossEntropyLoss(), x.shape[1:], 10, clip_values=(0, 1), device_type="cpu")
    auto = {"eps": budget, "eps_step": 2 * budget, "batch_size": 64, "verbose": False, "nb_random_init": 1}
    for attack in (
        FastGradientMethod(given, eps=budget, batch_size=64),
        ProjectedGradientDescent(
            given, eps=budget, eps_step=2.5 * budget / 40, max_iter=40, num_random_init=2, batch_size=64, verbose=False
        ),
        AutoProjectedGradientDescent(given, max_iter=50, loss_type="cross_entropy", **auto),
        AutoProjectedGradientDescent(given, max_iter=90, loss_type="difference_logits_ratio", **auto),
        SquareAttack(given, eps=budget, max_iter=500, nb_restarts=1, batch_size=64, verbose=False),
    ):
        yield attack.generate(x, y=labels)


def torchattacks_set(model: nn.Module, x: np.ndarray, labels: np.ndarray, budget: float):
    """The standard AutoAttack: APGD-CE, APGD-T (9 targets), FAB-T and Square, 5,000 queries."""
    import torchattacks

    attack = torchattacks.AutoAttack(model, norm="Linf", eps=budget, version="standard", n_classes=10, seed=0)
    yield attack(torch.from_numpy(x), torch.from_numpy(labels)).numpy()


def main() -> None:
    folder, name, budget, which = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4]
    rows = np.load(folder / "attacked.npz")
    x, labels = rows["x"], rows["labels"]
    model = load(folder, name)
    began = time.process_time()
    stands = standing(model, x, x, labels, budget)
    for points in {"art": art_set, "torchattacks": torchattacks_set}[which](model, x, labels, budget):
        stands &= standing(model, points, x, labels, budget)
    print(json.dumps({"cpu_s": time.process_time() - began, "stands": stands.tolist()}))


if __name__ == "__main__":
    main()
