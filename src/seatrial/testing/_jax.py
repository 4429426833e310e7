"""The two small models of the exams as JAX functions, with the weights' names of the ONNX samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.testing import _models
from seatrial.testing._models import Sample

CODE = '''"""A perceptron and a convolution."""

import jax
import jax.numpy as jnp


def mlp(weights, features):
    hidden = jax.nn.relu(features @ weights["w1"].T + weights["b1"])
    return {"logits": hidden @ weights["w2"].T + weights["b2"]}


def conv(weights, image):
    maps = jax.lax.conv_general_dilated(image, weights["kernel"], (1, 1), "SAME") + weights["shift"][:, None, None]
    return jnp.maximum(maps, 0).mean((2, 3)) @ weights["w"].T + weights["b"]
'''


def mlp(folder: Path) -> Sample:
    """The perceptron: it gives a dict."""
    values = _models.rows(_models.ROWS, 32)
    artefact = _artefact(folder, "mlp", _models.mlp_weights(), "features")
    return Sample("mlp", artefact, {"features": values}, {"logits": _models.mlp_answers(values)})


def conv(folder: Path) -> Sample:
    """The convolution: it gives a lone array."""
    values = _models.rows(_models.ROWS, 3, 8, 8)
    artefact = _artefact(folder, "conv", _models.conv_weights(), "image")
    return Sample("conv", artefact, {"image": values}, {"logits": _models.conv_answers(values)})


def _artefact(folder: Path, name: str, weights: dict[str, Any], column: str) -> Artefact:
    code, file = folder / "sample_functions.py", folder / f"{name}.safetensors"
    code.write_text(CODE, encoding="utf-8")
    save_file(weights, file)
    files = {"code": code, "weights": file}
    return Artefact(
        format="jax",
        files={role: str(path) for role, path in files.items()},
        hashes={role: _models.sha256(path) for role, path in files.items()},
        signature=Signature(inputs=(TensorSpec(name=column),), outputs=(TensorSpec(name="logits", shape=(10,)),)),
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry=f"{code.name}:{name}",
    )
