"""A JAX program, or a torch model carried over to JAX, as a LiteRT file (StableHLO, then LiteRT's own converter).

With `torch_to_jax` before it, which the plan finds by itself, a torch model becomes a .tflite file; with `onnx_to_torch` an ONNX one,
too. It takes any number of rows where the converter can say so, else as many as the study's first rows. It is used
only after its answers on rows of the study were the same.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.conversions._code import called, same, words

NEEDS = ("jax", "safetensors", "litert_converter")
EXTRA = "litert-convert"
ACCEPTS = {"format": ("jax",)}
GIVES = {"format": ("tflite",)}
CANNOT = {
    "int8": (
        "not yet ours",
        "the file holds float32; quantise with LiteRT's own quantiser and name the file under `litert`",
    ),
    "in one environment with the newest pydantic": (
        "not yet theirs",
        "litert-converter asks for old typing-extensions by its package xdsl, which isn't needed here",
    ),
    "infinite": (
        "not yet theirs",
        "LiteRT 2.3 says of no number that it is infinite; of 127 operators in ONNX's own tests whose inputs have rows it answers "
        "this one wrongly and 96 rightly, 30 can't be carried so far; what differs on the study's rows is refused",
    ),
    "64-bit integers": ("never", "JAX computes in 32 bits, and so does what is made of it"),
}

SIGNATURE = "serving_default"


class Options(PartOptions):
    """How many rows the file takes."""

    rows: int | None = Field(
        default=None, ge=1, description="rows a call; any number if left out, where the converter can say so"
    )


def convert(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same model as `model.tflite` under `making.folder`. Raises `Unsupported` with what the converter says."""
    if making.examples is None or not artefact.signature.inputs:
        raise Unsupported("it takes a few rows to convert a JAX program, and there are none")
    function = _exported(artefact) if artefact.entry == "export" else _given(artefact)
    asked = options.rows or artefact.signature.fixed_batch
    rows, content = _written(function, artefact, making, asked)
    folder = making.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.tflite"
    file.write_bytes(content)
    return artefact.model_copy(
        update={
            "format": "tflite",
            "files": {"model": str(file)},
            "hashes": {"model": hashlib.sha256(content).hexdigest()},
            "entry": None,
            "signature": artefact.signature.model_copy(update={"fixed_batch": rows}),
            "lineage": Lineage(
                recipe="jax_to_litert",
                options=options.model_dump(mode="json"),
                parent=artefact.hash,
                seed=making.seed,
                made_with={name: importlib.metadata.version(name) for name in ("jax", "litert-converter")},
            ),
        }
    )


Function = Callable[..., tuple[Any, ...]]


def _exported(artefact: Artefact) -> Function:
    """The program in fp32 with its weights in it, as a function of the inputs in their order."""
    import jax
    import safetensors.flax

    held = {}
    for role in ("weights", "model"):
        with Path(artefact.files[role]).open("rb") as file:
            same(file, artefact, role)
            held[role] = file.read()
    program = jax.export.deserialize(bytearray(held["model"]))
    named = safetensors.flax.load(held["weights"])
    weights = [named[str(place)] for place in range(len(named))]
    return lambda *inputs: tuple(program.call(weights, inputs))


def _given(artefact: Artefact) -> Function:
    """The user's function with its weights in it, as one of the inputs in their order and of a tuple in the order of the outputs."""
    import safetensors.flax

    function, arguments = called(artefact, *artefact.files)
    weights = (safetensors.flax.load_file(artefact.files["weights"]),) if "weights" in artefact.files else ()
    names, outputs = ([one.name for one in side] for side in (artefact.signature.inputs, artefact.signature.outputs))

    def call(*inputs: Any) -> tuple[Any, ...]:
        answer = function(*weights, **dict(zip(names, inputs, strict=True)), **arguments)
        if isinstance(answer, dict):
            return tuple(answer[name] for name in outputs)
        return tuple(answer) if isinstance(answer, tuple | list) else (answer,)

    return call


def _written(function: Function, artefact: Artefact, making: Making, asked: int | None) -> tuple[int | None, bytes]:
    """Rows that the file takes (None: any number), and its bytes."""
    import jax

    assert making.examples is not None
    first = next(iter(making.examples.values()))
    ways = [asked] if asked else [None, len(first)]
    for rows in ways:
        size = rows or jax.export.symbolic_shape("rows")[0]
        try:
            return rows, _converted(function, artefact, making, size)
        except MemoryError:
            raise
        except Exception as error:
            if rows is ways[-1]:
                raise Unsupported(
                    f"LiteRT's converter can't convert this program: {words(error)}",
                    next_step="run it on JAX itself, or convert it where it was made and name the file under `litert`",
                ) from error
    raise AssertionError("there is always a last way")


def _converted(function: Function, artefact: Artefact, making: Making, rows: Any) -> bytes:
    import jax
    from litert_converter import converter_api_ext as converter
    from litert_converter.mlir import ir, passmanager

    assert making.examples is not None
    names = [spec.name for spec in artefact.signature.inputs]
    shown = [making.examples[name] for name in names]
    types = [
        jax.ShapeDtypeStruct((rows, *one.shape[1:]), jax.dtypes.canonicalize_dtype(one.dtype.name)) for one in shown
    ]
    with jax.default_matmul_precision("highest"):
        program = jax.export.export(jax.jit(function), platforms=("cpu",))(*types)
    context = ir.Context()
    converter.prepare_mlir_context(context)
    with context:
        module = ir.Module.parse(program.mlir_module())
        outputs = [spec.name for spec in artefact.signature.outputs]
        converter.set_signature(module.operation, SIGNATURE, names, outputs)
        settings = converter.ConvertToTFLConfig()
        converter.run_convert_to_tfl_passes(module, passmanager.PassManager(), settings)
        return bytes(converter.export_flatbuffer_to_bytes(module.operation))
