"""An ONNX file, with its external data files where it has any.

Names, types and shapes of inputs and outputs are read from the file. Nothing of it is run: the file is parsed, checked
against the ONNX standard, and its external data is read once through ONNX's own loader, which refuses paths that lead out of
the folder, symbolic links and hard links.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.part import PartOptions
from seatrial.contracts.values import ValueKind
from seatrial.errors import ModelError
from seatrial.parts.subjects._files import found, looks_pickled, sha256

NEEDS = ("onnx",)
GIVES = {"format": ("onnx",)}
CANNOT = {
    ".pkl, .pickle, .joblib": (
        "never",
        "pickles can run any code when they are loaded; where the model was made, export it to ONNX: "
        "`skl2onnx.to_onnx(model, X[:1], options={'zipmap': False})`",
    ),
    "sequences and maps": (
        "never",
        "inputs and outputs are tensors; scikit-learn classifiers export with `zipmap=False`",
    ),
    "custom operators": ("not yet ours", "libraries of custom operators are code; they are not loaded"),
}


MOST_BYTES = 2**31 - 1
"""The bound of the format underneath, protocol buffers."""


class Options(PartOptions):
    """Which file."""

    path: str = Field(description="the .onnx file, from the study file's folder")


def read(options: Options, folder: Path) -> Artefact:
    """Check the file and describe it. Raises `ModelError` where it is no sound ONNX file."""
    path = found(folder, options.path)
    model = _parsed(path)
    files = {"model": path} | {f"data:{name}": path.parent / name for name in _external(model, path)}
    _check(model, path)
    return Artefact(
        format="onnx",
        files={role: str(file) for role, file in files.items()},
        hashes={role: sha256(file) for role, file in files.items()},
        signature=_signature(model.graph, path),
        lineage=Lineage(recipe="given"),
    )


def _parsed(path: Path) -> Any:
    import onnx

    if looks_pickled(path):
        raise ModelError(
            f"{path} isn't ONNX: it looks like a Python pickle or a PyTorch checkpoint, which can run code when loaded",
            next_step=_EXPORT,
        )
    if path.stat().st_size > MOST_BYTES:
        raise ModelError(
            f"{path} is larger than an ONNX file can be ({MOST_BYTES} bytes)",
            next_step="save it with its weights beside it: `onnx.save(model, path, save_as_external_data=True)`",
        )
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise ModelError(f"{path} can't be read as ONNX: {error}", next_step=_AGAIN) from error
    if not model.graph.output:
        raise ModelError(f"{path} holds no ONNX graph: it is cut off, or something else", next_step=_AGAIN)
    return model


_EXPORT = (
    "where the model was made, export it: `torch.onnx.export(module, example, 'model.onnx', dynamo=True)`, or for "
    "scikit-learn `skl2onnx.to_onnx(model, X[:1], options={'zipmap': False})`"
)
_AGAIN = "copy or export the file again, and compare sizes: it may be cut off"


def _external(model: Any, path: Path) -> list[str]:
    """Names of external data files, each tensor read once and let go. ONNX's loader refuses what leads elsewhere."""
    from onnx import external_data_helper as external

    names: dict[str, None] = {}
    for tensor in external._get_all_tensors(model):
        if not external.uses_external_data(tensor):
            continue
        copy = type(tensor)()
        copy.CopyFrom(tensor)
        try:
            name = external.ExternalDataInfo(tensor).location
            external.load_external_data_for_tensor(copy, str(path.parent))
        except Exception as error:
            raise ModelError(
                f"{path}: the external data of `{tensor.name}` can't be used: {error}",
                next_step="put the data file beside the model, as a plain file of its own (no link, no `..`)",
            ) from error
        names[name] = None
    return sorted(names)


def _check(model: Any, path: Path) -> None:
    import onnx

    try:
        # by path where data is external, so that the checker finds it
        onnx.checker.check_model(str(path))
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path} breaks the ONNX standard: {first}", next_step="export the model again") from error


def _signature(graph: Any, path: Path) -> Signature:
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    rows = {value.name: _rows(value, path) for value in inputs}
    fixed = {count for count in rows.values() if count is not None}
    if len(fixed) > 1:
        told = ", ".join(f"{name}: {count or 'any'}" for name, count in rows.items())
        raise ModelError(
            f"{path}: inputs want different numbers of rows ({told})", next_step="export with one batch axis"
        )
    return Signature(
        inputs=tuple(_spec(value, path) for value in inputs),
        outputs=tuple(_spec(value, path) for value in graph.output),
        fixed_batch=next(iter(fixed), None),
    )


def _rows(value: Any, path: Path) -> int | None:
    """The fixed length of an input's first axis, None where it varies."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    if not tensor.shape.dim:
        raise ModelError(
            f"{path}: the input `{value.name}` is a single number without a row axis",
            next_step="export it with a row axis, or, where it is the same for all rows, as a constant of the model",
        )
    first = tensor.shape.dim[0]
    return first.dim_value if first.HasField("dim_value") and first.dim_value > 0 else None


def _spec(value: Any, path: Path) -> TensorSpec:
    import onnx

    if not value.type.HasField("tensor_type"):
        kind = value.type.WhichOneof("value")
        raise ModelError(
            f"{path}: `{value.name}` is no tensor but a {str(kind).removesuffix('_type')}",
            next_step="export with plain tensors (scikit-learn: `options={'zipmap': False}`)",
        )
    tensor = value.type.tensor_type
    if tensor.elem_type not in onnx.TensorProto.DataType.values():
        raise ModelError(f"{path}: `{value.name}` is of the type {tensor.elem_type}, which ONNX doesn't have")
    name = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    dims = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in tensor.shape.dim]
    return TensorSpec(
        name=value.name,
        kind=ValueKind.TEXT if name == "string" else ValueKind.DENSE,
        dtype={"float": "float32", "double": "float64"}.get(name, name),
        shape=tuple(dims[1:]) if tensor.HasField("shape") else None,
    )
