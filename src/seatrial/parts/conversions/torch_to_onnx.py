"""A PyTorch module as ONNX, so that ONNX Runtime and OpenVINO can run it, by torch's own exporter.

`dynamo` is the exporter by torch.export, `script` the older one by tracing; left open, the first that can is taken. The result takes any number
of rows where the module can be exported so. It is used only after its answers on rows of the study were the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage, TensorSpec
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.conversions._code import words
from seatrial.parts.conversions._torch_source import Source, opened

NEEDS = ("torch", "safetensors", "onnx", "onnxscript")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",)}
GIVES = {"format": ("onnx",)}
CANNOT = {
    "sizes other than rows": ("not yet ours", "all axes but the first keep the size that the study's rows have"),
    "decisions while it runs": (
        "not yet theirs",
        "a module that branches on the numbers it computes is refused by `dynamo`; `script` writes down the branch that it saw",
    ),
    "more than 2 GB": ("not yet ours", "weights are written into the file itself, which can't be larger"),
}


class Options(PartOptions):
    """Which exporter, and for which operators."""

    exporter: Literal["dynamo", "script"] | None = Field(
        default=None, description="torch's exporter; the first of both that can, if left out"
    )
    opset: int = Field(default=20, ge=17, le=21, description="version of the ONNX operators")


def convert(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same model as `model.onnx` under `making.folder`. Raises `Unsupported` with what each exporter says."""
    source = opened(artefact, making)
    inputs = [spec.name for spec in artefact.signature.inputs]
    outputs = [spec.name for spec in artefact.signature.outputs]
    how, model = _exported(source, inputs, outputs, options)
    content = _whole(model, inputs, outputs)
    folder = making.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    file.write_bytes(content)
    return artefact.model_copy(
        update={
            "format": "onnx",
            "files": {"model": str(file)},
            "hashes": {"model": hashlib.sha256(content).hexdigest()},
            "entry": None,
            "signature": _signature(artefact, model, source.fixed),
            "lineage": Lineage(
                recipe="torch_to_onnx",
                options=options.model_dump(mode="json"),
                parent=artefact.hash,
                seed=making.seed,
                made_with={name: importlib.metadata.version(name) for name in ("torch", "onnx", "onnxscript")},
                found={"exporter": how},
            ),
        }
    )


def _exported(source: Source, inputs: list[str], outputs: list[str], options: Options) -> tuple[str, Any]:
    """Which exporter did it, and the ONNX model."""
    ways: dict[str, Callable[..., Any]] = {"dynamo": _dynamo, "script": _script}
    told = []
    for name in [options.exporter] if options.exporter else list(ways):
        try:
            with warnings.catch_warnings(), _quiet():
                warnings.simplefilter("ignore")
                return name, ways[name](source, inputs, outputs, options.opset)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - exporters raise anything; the next one is tried
            told.append(f"{name}: {words(error)}")
    raise Unsupported(
        f"torch can't export this module: {'; '.join(told)}",
        next_step="run it on torch itself, or export it where it was made and name the file under `onnx`",
    )


def _dynamo(source: Source, inputs: list[str], outputs: list[str], opset: int) -> Any:
    import torch

    rows = torch.export.Dim.DYNAMIC
    shapes = None if source.fixed else (tuple({0: rows} for _ in source.examples),)
    made = torch.onnx.export(
        source.module,
        source.examples,
        dynamo=True,
        input_names=inputs,
        output_names=outputs,
        opset_version=opset,
        dynamic_shapes=shapes,
        verbose=False,
    )
    return made.model_proto


def _script(source: Source, inputs: list[str], outputs: list[str], opset: int) -> Any:
    import onnx
    import torch

    axes = {} if source.fixed else {name: {0: "rows"} for name in (*inputs, *outputs)}
    held = io.BytesIO()
    torch.onnx.export(
        source.module,
        source.examples,
        held,
        dynamo=False,
        input_names=inputs,
        output_names=outputs,
        opset_version=opset,
        dynamic_axes=axes,
    )
    return onnx.load_from_string(held.getvalue())


def _whole(model: Any, inputs: list[str], outputs: list[str]) -> bytes:
    """The model's bytes, the same every time: without what tells of the machine on which it was made."""
    import onnx

    found = [[value.name for value in side] for side in (model.graph.input, model.graph.output)]
    if found != [inputs, outputs]:
        raise Unsupported(f"the exported model has the inputs and outputs {found}, not {[inputs, outputs]}")
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _signature(artefact: Artefact, model: Any, fixed: int | None) -> Any:
    """What the file says of its inputs and outputs, which a torch module doesn't say."""
    import onnx

    def spec(value: Any) -> TensorSpec:
        tensor = value.type.tensor_type
        name = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        kind = {"float": "float32", "double": "float64"}.get(name, name)
        return TensorSpec(name=value.name, dtype=kind, shape=tuple(sizes[1:]))

    sides = {"inputs": model.graph.input, "outputs": model.graph.output}
    found = {side: tuple(spec(value) for value in values) for side, values in sides.items()}
    return artefact.signature.model_copy(update={**found, "fixed_batch": fixed})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters tell their steps on the standard output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
