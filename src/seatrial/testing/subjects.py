"""The exam of subjects: whole files are described, faulty ones refused, identity is by content, and nothing is run.

`exam(part)` raises `AssertionError` with what is wrong. A subject of a plug-in brings what it reads:
`exam(part, bring)`, where `bring(folder)` writes a model's files, and no others, into the folder and returns the options that read it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartInfo
from seatrial.errors import ModelError
from seatrial.testing import _models

Bring = Callable[[Path], dict[str, Any]]


def exam(part: PartInfo, bring: Bring | None = None) -> None:
    """Read a model, read it elsewhere, and read what is left of it after each of its files was harmed."""
    bring = bring or _OURS.get(part.name)
    assert bring is not None, f"{part.name}: bring a model: exam(part, bring)"
    module = catalog.load(part)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir()
        given = bring(home)
        artefact = module.read(catalog.options(part, given), home)
        _check_artefact(part, artefact)
        again = module.read(catalog.options(part, given), home)
        assert again == artefact, f"{part.name}: reading the same files twice gives two descriptions"
        _check_moved(part, module, given, home, artefact)
        for file in sorted(file for file in home.rglob("*") if file.is_file()):
            _check_harmed(part, module, given, home, artefact, file)


def _check_artefact(part: PartInfo, artefact: Artefact) -> None:
    formats = part.gives.get("format", ())
    assert artefact.format in formats, f"{part.name}: gives the format {artefact.format}, declares {formats}"
    assert artefact.files.keys() == artefact.hashes.keys(), f"{part.name}: files and hashes have different roles"
    for role, file in artefact.files.items():
        assert Path(file).is_absolute(), f"{part.name}: the path of `{role}` isn't absolute: {file}"
        assert _models.sha256(file) == artefact.hashes[role], f"{part.name}: the hash of `{role}` isn't its SHA-256"
    specs = (*artefact.signature.inputs, *artefact.signature.outputs)
    assert len({spec.name for spec in specs}) == len(specs), f"{part.name}: names of inputs and outputs repeat"


def _check_moved(part: PartInfo, module: Any, given: dict[str, Any], home: Path, artefact: Artefact) -> None:
    away = home.parent / "another place"
    shutil.copytree(home, away)
    moved = module.read(catalog.options(part, given), away)
    assert moved.hash == artefact.hash, f"{part.name}: the same files elsewhere are another artefact"


def _check_harmed(part: PartInfo, module: Any, given: dict[str, Any], home: Path, artefact: Artefact, file: Path) -> None:  # fmt: skip
    """Another last byte: another artefact or a refusal. No file: a refusal with words. The file is put back."""
    whole, options, hashes = file.read_bytes(), catalog.options(part, given), []
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        refused = _models.refusal(ModelError, lambda: hashes.append(module.read(options, home).hash))
        assert refused or hashes != [artefact.hash], f"{part.name}: a change of {file.name} goes unseen"
        assert refused is None or refused.what.strip(), f"{part.name}: refuses a changed {file.name} without a word"
        file.unlink()
        gone = _models.refusal(ModelError, lambda: module.read(options, home))
        assert gone, f"{part.name}: reads a model whose {file.name} is gone"
        assert gone.what.strip(), f"{part.name}: says no word on the missing {file.name}"
        assert gone.next_step.strip(), f"{part.name}: names no next step for the missing {file.name}"
    finally:
        file.write_bytes(whole)


def _bring_onnx(folder: Path) -> dict[str, Any]:
    _models.mlp_file(folder / "model.onnx")
    return {"path": "model.onnx"}


def _bring_torch(folder: Path) -> dict[str, Any]:
    """A module whose file would stop everything if it were run."""
    from safetensors.numpy import save_file

    (folder / "module.py").write_text("raise SystemExit('this must not run while it is read')\n\ndef build(): ...\n")
    save_file(_models.mlp_weights(), folder / "weights.safetensors")
    return {"module": "module.py:build", "weights": "weights.safetensors", "arguments": {"width": 48}}


def _bring_python(folder: Path) -> dict[str, Any]:
    """A function whose file would stop everything if it were run, and a file that it loads."""
    (folder / "score.py").write_text("def predict(features): ...\n\n\nraise SystemExit('this must not run')\n")
    (folder / "weights.bin").write_bytes(b"weights")
    return {"function": "score.py:predict", "files": ["weights.bin"]}


def _bring_jax(folder: Path) -> dict[str, Any]:
    """A function whose file would stop everything if it were run."""
    from safetensors.numpy import save_file

    (folder / "apply.py").write_text("def apply(weights, features): ...\n\n\nraise SystemExit('this must not run')\n")
    save_file(_models.mlp_weights(), folder / "weights.safetensors")
    return {"function": "apply.py:apply", "weights": "weights.safetensors", "arguments": {"depth": 2}}


def _bring_litert(folder: Path) -> dict[str, Any]:
    from seatrial.testing import _litert

    _litert.mlp(folder)
    return {"path": "mlp.tflite"}


def _bring_http(folder: Path) -> dict[str, Any]:
    """A URL that nobody answers at: reading asks nobody."""
    return {"url": "http://127.0.0.1:9/v1/models/it:predict", "headers": {"Authorization": "NOT_SET"}}


def _bring_remote_v2(folder: Path) -> dict[str, Any]:
    """A server that isn't there: reading asks nobody."""
    return {"url": "http://127.0.0.1:9/v2/models/it/versions/3", "headers": {"Authorization": "NOT_SET"}}


def _bring_predictions(folder: Path) -> dict[str, Any]:
    import numpy as np

    np.savez(folder / "outputs.npz", logits=np.zeros((4, 3), np.float32))
    return {"from": {"npz": {"path": "outputs.npz"}}}


def _bring_sklearn(folder: Path) -> dict[str, Any]:
    from seatrial.testing import _skops

    _skops.skops_file(folder / "model.skops", scaled=True)
    return {"path": "model.skops"}


_OURS: dict[str, Bring] = {"onnx": _bring_onnx, "torch": _bring_torch}
_OURS |= {"python": _bring_python, "http": _bring_http, "predictions": _bring_predictions, "sklearn": _bring_sklearn}
_OURS |= {"remote_v2": _bring_remote_v2, "jax": _bring_jax, "litert": _bring_litert}
