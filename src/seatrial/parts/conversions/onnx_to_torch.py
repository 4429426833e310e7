"""An ONNX file as a PyTorch module that has gradients, int8 and int4 files too.

What comes out is a file of Python that can be read, a line for each operator, and its weights as safetensors; it needs
nothing but torch. Rounding passes gradients straight through, so that a quantised model has useful ones. An operator that
isn't known is refused by its name. It is used only after its answers on rows of the study were the same.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import ModelError
from seatrial.parts.conversions._torch_code import torch_type, written

NEEDS = ("torch", "safetensors", "onnx")
EXTRA = "torch"
ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("torch",)}
CANNOT = {
    "If, Loop, Scan": ("not yet ours", "a graph that decides while it runs has no straight line of operators"),
    "text, sequences": ("never", "a tensor of torch holds numbers"),
    "unsigned numbers of 16 to 64 bits": ("not yet theirs", "torch can hold them and has no arithmetic for them"),
    "8-bit floats": ("not yet ours", "QuantizeLinear to float8 is refused"),
    "exact integers in bf16": ("never", "a precision of the runtime rounds what lies between the integer products"),
}


class Options(PartOptions):
    """There is nothing to set."""


def convert(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same model as `model.py` and `weights.safetensors` under `making.folder`.

    Raises `Unsupported` naming the operators that have no counterpart, `ModelError` where the file has changed.
    """
    import safetensors.torch

    code = written(_loaded(artefact), Path(artefact.files["model"]).name)
    folder = making.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    files = {"code": folder / "model.py", "weights": folder / "weights.safetensors"}
    files["code"].write_text(code.text, encoding="utf-8")
    safetensors.torch.save_file({name: _tensor(value) for name, value in code.weights.items()}, files["weights"])
    return artefact.model_copy(
        update={
            "format": "torch",
            "files": {role: str(file) for role, file in files.items()},
            "hashes": {role: hashlib.sha256(file.read_bytes()).hexdigest() for role, file in files.items()},
            "entry": "model.py:Model",
            "lineage": Lineage(
                recipe="onnx_to_torch",
                options=options.model_dump(mode="json"),
                parent=artefact.hash,
                seed=making.seed,
                made_with={name: importlib.metadata.version(name) for name in ("torch", "onnx")},
            ),
        }
    )


def _loaded(artefact: Artefact) -> Any:
    """The very file that was described, with its external data, its functions written out."""
    import onnx

    for role, file in artefact.files.items():
        with Path(file).open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != artefact.hashes[role]:
                raise ModelError(f"{file} has changed since it was checked; nothing was made of it")
    model = onnx.load(artefact.files["model"])
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def _tensor(value: Any) -> Any:
    """An array as a tensor of its own memory; types that NumPy hasn't go by their bits."""
    import torch

    kind = torch_type(value)
    if kind == "bfloat16":
        return torch.from_numpy(np.ascontiguousarray(value).view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(np.array(value, dtype=kind, order="C"))
