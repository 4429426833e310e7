"""What the int8 variants share: preparing an ONNX file, finding out what became of it, keeping it whole."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seatrial.contracts.artefact import Artefact, Lineage
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import PartError, SeatrialError, Unsupported

LARGE = 1_500_000_000
"""Bytes from which tensors go to a file of their own: one ONNX file holds 2 GiB."""

PER_CHANNEL_OPSET = 13

_QUANTISED = {"QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul"}
_QUANTISED |= {"DynamicQuantizeLSTM", "QAttention", "QGemm", "QEmbedLayerNormalization", "GatherBlockQuantized"}
_HEAVY = {"Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "Attention", "EmbedLayerNormalization"}

Quantise = Callable[[Path, Path, bool], None]
"""Writes the quantised form of one file to another; the flag asks for tensors in a file of their own."""


def quantised(artefact: Artefact, making: Making, recipe: str, options: PartOptions, quantise: Quantise, rows_hash: str | None) -> Artefact:  # fmt: skip
    """The artefact that `quantise` makes, under `making.folder/recipe.onnx`. Raises `Unsupported` where there is nothing to do."""
    source = Path(artefact.files["model"])
    _check(source)
    large = sum(Path(file).stat().st_size for file in artefact.files.values()) > LARGE
    making.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=making.folder, prefix=".making-") as name, _quiet():
        work = Path(name)
        prepared, target = work / "prepared.onnx", work / "out" / f"{recipe}.onnx"
        target.parent.mkdir()
        try:
            _prepare(source, prepared, large)
            quantise(prepared, target, large)
            _try(target)
        except SeatrialError:
            raise
        except Exception as error:
            raise PartError(f"{recipe}: ONNX Runtime's quantiser failed: {type(error).__name__}: {error}") from error
        if not _QUANTISED & set(_operators(target)):
            raise Unsupported(f"{recipe}: nothing in this model can be quantised; it holds {_told(source)}")
        files = _kept(target.parent, making.folder)
    return _artefact(artefact, making, recipe, options, files, rows_hash)


def _check(source: Path) -> None:
    operators = _operators(source)
    if done := sorted(_QUANTISED & set(operators)):
        raise Unsupported(f"the model is quantised already: it holds {', '.join(done)}")
    if not _HEAVY & set(operators):
        raise Unsupported(f"there is nothing to quantise: no matrix product or convolution among {_told(source)}")


def _operators(file: Path) -> Counter[str]:
    import onnx

    return Counter(_walk(onnx.load(str(file), load_external_data=False).graph))


def _walk(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _walk(attribute.g)


def _told(file: Path) -> str:
    """What a model holds, in a few words: its commonest operators and the types of its weights."""
    import onnx

    types = {tensor.data_type for tensor in onnx.load(str(file), load_external_data=False).graph.initializer}
    names = sorted(onnx.TensorProto.DataType.Name(one).lower() for one in types)
    counts = ", ".join(f"{count} {operator}" for operator, count in _operators(file).most_common(6)) or "no operator"
    return f"{counts}, weights in {', '.join(names) or 'no type'}"


def _prepare(source: Path, target: Path, large: bool) -> None:
    """Shape inference by ONNX and ONNX Runtime's basic optimisation, so that the quantiser sees types and folded weights.

    Symbolic shape inference is left out: it needs another package, and results must not depend on what is installed.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(
        str(_raised(source, target.with_name("raised.onnx"), large)),
        str(target),
        skip_symbolic_shape=True,
        save_as_external_data=large,
        all_tensors_to_one_file=True,
        external_data_location=f"{target.name}.data" if large else None,
    )


def _raised(source: Path, target: Path, large: bool) -> Path:
    """The file, raised to opset 13 where it is older: scales per channel came with that one."""
    import onnx

    opsets = onnx.load(str(source), load_external_data=False).opset_import
    if all(one.domain not in ("", "ai.onnx") or one.version >= PER_CHANNEL_OPSET for one in opsets):
        return source
    raised = onnx.version_converter.convert_version(onnx.load(str(source)), PER_CHANNEL_OPSET)
    onnx.save(raised, str(target), save_as_external_data=large, location=f"{target.name}.data")
    return target


def _try(file: Path) -> None:
    """Load what was made: the quantiser can write files that its own runtime refuses."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _kept(made: Path, folder: Path) -> dict[str, Path]:
    """Move what was made into the folder, file by file, and say which role each has."""
    files = {}
    for file in sorted(made.iterdir()):
        target = folder / file.name
        file.replace(target)
        files["model" if file.suffix == ".onnx" else f"data:{file.name}"] = target.resolve()
    return files


def _artefact(parent: Artefact, making: Making, recipe: str, options: PartOptions, files: dict[str, Path], rows_hash: str | None) -> Artefact:  # fmt: skip
    lineage = Lineage(
        recipe=recipe,
        options=options.model_dump(mode="json"),
        parent=parent.hash,
        seed=making.seed,
        rows_hash=rows_hash,
        made_with={
            package: importlib.metadata.version(package) for package in ("onnx", "onnxruntime") if _there(package)
        },
    )
    changed = {
        "files": {role: str(file) for role, file in files.items()},
        "hashes": {role: _sha256(file) for role, file in files.items()},
        "lineage": lineage,
    }
    return parent.model_copy(update=changed)


def _there(package: str) -> bool:
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:  # a build under another name, such as onnxruntime-gpu
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice, logged and printed; its errors still come as exceptions."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
