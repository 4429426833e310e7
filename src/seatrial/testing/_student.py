"""A torch module with layers whose channels can be cut out, and rows that it sorts rightly: for the exam of variants that train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.testing import _models
from seatrial.testing._models import Sample

CODE = '''"""A small network that sorts rows by where their largest group of features lies."""

import torch


def net():
    layers = torch.nn
    return layers.Sequential(layers.Linear(12, 24), layers.ReLU(), layers.Linear(24, 24), layers.ReLU(), layers.Linear(24, 3))
'''


def three_classes(folder: Path) -> tuple[Sample, Any]:
    """A perceptron that adds up three groups of four features, and the classes of its rows: the group with the largest sum."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    code, file = folder / "sorting.py", folder / "sorting.safetensors"
    code.write_text(CODE, encoding="utf-8")
    group = np.repeat(np.eye(3), 4, axis=1)
    one = np.concatenate([group, -group] * 4) / 2
    pick = np.concatenate([np.eye(3), -np.eye(3)] * 4, axis=0)
    weights = {"0.weight": one, "0.bias": np.zeros(24), "2.weight": np.eye(24), "2.bias": np.zeros(24)}
    weights |= {"4.weight": pick.T / 2, "4.bias": np.zeros(3)}
    save_file(
        {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in weights.items()}, file
    )
    files = {"code": code, "weights": file}
    artefact = Artefact(
        format="torch",
        files={role: str(path) for role, path in files.items()},
        hashes={role: _models.sha256(path) for role, path in files.items()},
        signature=Signature(
            inputs=(TensorSpec(name="features", shape=(12,)),), outputs=(TensorSpec(name="logits", shape=(3,)),)
        ),
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry=f"{code.name}:net",
    )
    values = np.random.default_rng(4).standard_normal((600, 12)).astype(np.float32)
    sums = values @ group.T
    return Sample("sorting", artefact, {"features": values}, {"logits": sums.astype(np.float32)}), sums.argmax(axis=1)
