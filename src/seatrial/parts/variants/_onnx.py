"""What variants of ONNX files share: preparing a file, writing another, keeping it whole, saying where it comes from."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from seatrial.contracts.artefact import Artefact, Lineage
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import PartError, SeatrialError

LARGE = 1_500_000_000
"""Bytes from which tensors go to a file of their own: one ONNX file holds 2 GiB."""

PER_CHANNEL_OPSET = 13

Rewrite = Callable[[Path, Path, bool], dict[str, Any] | None]
"""Writes the changed form of one prepared file to another and says what it found; the flag asks for tensors in a file of their own."""


def written(artefact: Artefact, making: Making, recipe: str, options: PartOptions, rewrite: Rewrite, rows_hash: str | None) -> Artefact:  # fmt: skip
    """The artefact that `rewrite` makes, under `making.folder/recipe.onnx`, tried once. Raises `PartError` where that fails."""
    large = sum(Path(file).stat().st_size for file in artefact.files.values()) > LARGE
    making.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=making.folder, prefix=".making-") as name, _quiet():
        work = Path(name)
        prepared, target = work / "prepared.onnx", work / "out" / f"{recipe}.onnx"
        target.parent.mkdir()
        try:
            _prepare(_whole(artefact, work / "whole.onnx", large), prepared, large)
            found = rewrite(prepared, target, large)
            _try(target)
        except SeatrialError:
            raise
        except Exception as error:
            raise PartError(f"{recipe}: ONNX Runtime failed: {type(error).__name__}: {error}") from error
        files = _kept(target.parent, making.folder)
    return _artefact(artefact, making, recipe, options, files, rows_hash, found or {})


def operators(file: Path) -> Counter[str]:
    """How often each operator stands in a file, inner graphs too."""
    import onnx

    return Counter(node.op_type for node in walk(onnx.load(str(file), load_external_data=False).graph))


def walk(graph: Any) -> Iterator[Any]:
    """All nodes of a graph and of the graphs inside it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from walk(attribute.g)


def attribute(node: Any, name: str, default: Any) -> Any:
    """The value of a node's attribute, or what the standard says where it isn't given."""
    import onnx

    return next((onnx.helper.get_attribute_value(one) for one in node.attribute if one.name == name), default)


def told(file: Path) -> str:
    """What a model holds, in a few words: its commonest operators and the types of its weights."""
    import onnx

    types = {tensor.data_type for tensor in onnx.load(str(file), load_external_data=False).graph.initializer}
    names = sorted(onnx.TensorProto.DataType.Name(one).lower() for one in types)
    counts = ", ".join(f"{count} {operator}" for operator, count in operators(file).most_common(6)) or "no operator"
    return f"{counts}, weights in {', '.join(names) or 'no type'}"


def load(file: Path) -> Any:
    """A model with all its tensors, every node with a name of its own."""
    import onnx

    model = onnx.load(str(file))
    seen: set[str] = set()
    for index, node in enumerate(walk(model.graph)):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{index}"
        seen.add(node.name)
    return model


def save(model: Any, file: Path, large: bool) -> None:
    """Write a model, without tensors that nothing reads any more."""
    import onnx

    graph = model.graph
    read = {name for node in walk(graph) for name in node.input} | {output.name for output in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    if large:
        onnx.save(model, str(file), save_as_external_data=True, location=f"{file.name}.data")
    else:
        file.write_bytes(model.SerializeToString(deterministic=True))


def session(file: Path) -> Any:
    """ONNX Runtime's session on the CPU, quiet."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def shown(model: Any, batches: Iterable[dict[str, Any]], file: Path, large: bool) -> Iterator[dict[str, Any]]:
    """Of each batch everything that the model takes, holds on the way and gives, by name; `file` is written to ask for it."""
    import onnx

    open_ = onnx.ModelProto()
    open_.CopyFrom(model)
    outside = {output.name for output in open_.graph.output}
    inner = [name for node in open_.graph.node for name in node.output if name and name not in outside]
    open_.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    save(open_, file, large)
    opened = session(file)
    names = [output.name for output in opened.get_outputs()]
    for batch in batches:
        yield dict(zip(names, opened.run(names, batch), strict=True)) | batch


def _prepare(source: Path, target: Path, large: bool) -> None:
    """Shape inference by ONNX and ONNX Runtime's basic optimisation, so that types are seen and weights folded.

    Symbolic shape inference is left out: it needs another package, and results must not depend on what is installed.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(
        str(source),
        str(target),
        skip_symbolic_shape=True,
        save_as_external_data=large,
        all_tensors_to_one_file=True,
        external_data_location=f"{target.name}.data" if large else None,
    )


def _whole(artefact: Artefact, target: Path, large: bool) -> Path:
    """The model's file as ONNX Runtime's tools take it: raised to opset 13 where it is older, since scales per channel came with that
    one, and, unless it is large, in one piece, since they look for weights beside their own copy of it."""
    import onnx

    source = Path(artefact.files["model"])
    opsets = onnx.load(str(source), load_external_data=False).opset_import
    old = any(one.domain in ("", "ai.onnx") and one.version < PER_CHANNEL_OPSET for one in opsets)
    if not old and (large or len(artefact.files) == 1):
        return source
    model = onnx.load(str(source))
    if old:
        model = onnx.version_converter.convert_version(model, PER_CHANNEL_OPSET)
    onnx.save(model, str(target), save_as_external_data=large, location=f"{target.name}.data")
    return target


def _try(file: Path) -> None:
    """Load what was made: a file can be written that its own runtime refuses."""
    session(file)


def _kept(made: Path, folder: Path) -> dict[str, Path]:
    """Move what was made into the folder, file by file, and say which role each has."""
    files = {}
    for file in sorted(made.iterdir()):
        target = folder / file.name
        file.replace(target)
        files["model" if file.suffix == ".onnx" else f"data:{file.name}"] = target.resolve()
    return files


def _artefact(parent: Artefact, making: Making, recipe: str, options: PartOptions, files: dict[str, Path], rows_hash: str | None, found: dict[str, Any]) -> Artefact:  # fmt: skip
    lineage = Lineage(
        recipe=recipe,
        options=options.model_dump(mode="json"),
        parent=parent.hash,
        seed=making.seed,
        rows_hash=rows_hash,
        made_with={
            package: importlib.metadata.version(package) for package in ("onnx", "onnxruntime") if _there(package)
        },
        found=found,
    )
    changed = {
        "files": {role: str(file) for role, file in files.items()},
        "hashes": {role: sha256(file) for role, file in files.items()},
        "lineage": lineage,
    }
    return parent.model_copy(update=changed)


def _there(package: str) -> bool:
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:  # a build under another name, such as onnxruntime-gpu
        return False


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
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
