"""Samples of models that are code or a URL: the perceptron of the exams as a Python function and behind an endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.testing import _models
from seatrial.testing._endpoint import Endpoint
from seatrial.testing.v2_server import ServerV2

SIGNATURE = Signature(
    inputs=(TensorSpec(name="features", shape=(32,)),), outputs=(TensorSpec(name="logits", shape=(10,)),)
)
CODE = '''"""The perceptron of the exams."""

from pathlib import Path

import numpy as np

WEIGHTS = np.load(Path(__file__).with_name("weights.npz"))


def predict(features):
    active = np.maximum(features.astype(np.float64) @ WEIGHTS["w1"].T + WEIGHTS["b1"], 0)
    return {"logits": (active @ WEIGHTS["w2"].T + WEIGHTS["b2"]).astype(np.float32)}
'''


def python_mlp(folder: Path) -> _models.Sample:
    """The perceptron as a function that loads its weights when it is imported."""
    code, weights = folder / "sample_function.py", folder / "weights.npz"
    code.write_text(CODE, encoding="utf-8")
    np.savez(weights, **_models.mlp_weights())
    files = {"code": code, "file:weights.npz": weights}
    artefact = Artefact(
        format="python",
        files={role: str(file) for role, file in files.items()},
        hashes={role: _models.sha256(file) for role, file in files.items()},
        signature=SIGNATURE,
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry=f"{code.name}:predict",
    )
    values = _models.rows(_models.ROWS, 32)
    return _models.Sample("mlp", artefact, {"features": values}, {"logits": _models.mlp_answers(values)})


def http_mlp(folder: Path) -> _models.Sample:
    """The perceptron behind a URL of this machine, which lives as long as this process."""
    stated = {"url": _endpoint().url, "protocol": "instances", "named": False, "headers": {}, "timeout": 10.0}
    artefact = Artefact(
        format="http",
        files={},
        hashes={},
        signature=SIGNATURE,
        lineage=Lineage(recipe="given"),
        entry=json.dumps(stated),
    )
    values = _models.rows(_models.ROWS, 32)
    return _models.Sample("mlp", artefact, {"features": values}, {"logits": _models.mlp_answers(values)})


def v2_mlp(folder: Path, binary: bool = True) -> _models.Sample:
    """The perceptron behind a server of the Open Inference Protocol on this machine, which lives as long as this process."""
    artefact = http_mlp(folder).artefact
    stated = {"url": _server(binary).url, "headers": {}, "timeout": 10.0}
    artefact = artefact.model_copy(update={"format": "remote_v2", "entry": json.dumps(stated)})
    values = _models.rows(_models.ROWS, 32)
    name = "mlp" if binary else "mlp in JSON"
    return _models.Sample(name, artefact, {"features": values}, {"logits": _models.mlp_answers(values)})


def v2_mlp_in_json(folder: Path) -> _models.Sample:
    """The same behind a server that takes no binary tensors."""
    return v2_mlp(folder, binary=False)


@cache
def _endpoint() -> Endpoint:
    return Endpoint(_model, ("features",))


@cache
def _server(binary: bool) -> ServerV2:
    return ServerV2(_model, {"features": ("FP32", (-1, 32))}, {"logits": ("FP32", (-1, 10))}, binary=binary)


def _model(values: Mapping[str, Any]) -> dict[str, Any]:
    if values["features"].ndim != 2:
        raise ValueError("rows of 32 numbers are wanted")
    return {"logits": _models.mlp_answers(values["features"])}
