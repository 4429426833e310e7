"""A PyTorch module as a JAX program (torch.export, then torchax), which XLA compiles for processors, GPUs and TPUs alike.

What comes out is StableHLO as `jax.export` writes it, once in fp32 and once with weights and inputs in bf16, and the weights as
safetensors. It takes any number of rows where the module can be exported so, else as many as it was shown, and others are filled up.
It is used only after its answers on rows of the study were the same.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import warnings
from collections.abc import Callable
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.conversions._code import words
from seatrial.parts.conversions._torch_source import Source, opened
from seatrial.parts.conversions._torchax import imported, walking

NEEDS = ("torch", "safetensors", "jax", "torchax")
EXTRA = "jax"
ACCEPTS = {"format": ("torch",)}
GIVES = {"format": ("jax",)}
CANNOT = {
    "tpu": ("not run here", "the program is lowered for TPUs, too; no TPU was at hand to run it"),
    "sizes other than rows": ("not yet ours", "all axes but the first keep the size that the study's rows have"),
    "decisions while it runs": (
        "not yet theirs",
        "torch.export refuses a module that branches on the numbers it computes",
    ),
    "64-bit integers": (
        "never",
        "JAX computes in 32 bits unless told otherwise; larger numbers are refused when they come",
    ),
    "gradient": (
        "not yet theirs",
        "where JAX can't differentiate a program, it is written without; attacks then take the slopes of another form",
    ),
    "randomness": ("not yet ours", "a module that draws numbers in eval mode has no counterpart here"),
}


MOST_SIZES = 64
"""Whole numbers in a tensor that may be sizes."""


class Options(PartOptions):
    """For what the program is written."""

    rows: int | None = Field(
        default=None, ge=1, description="rows a call; any number if left out, where the module can be exported so"
    )
    platforms: tuple[str, ...] = Field(
        default=("cpu", "cuda", "tpu"), description="what it is lowered for; a program runs nowhere else"
    )


def convert(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same model as `model.stablehlo`, `model_bf16.stablehlo` and `weights.safetensors` under `making.folder`.

    Raises `Unsupported` where torch.export or torchax has no way, `ModelError` where files have changed.
    """
    import safetensors.torch

    found: dict[str, Any] = {}
    try:
        source, states, programs = _programs(artefact, making, options, options.rows)
    except Unsupported as error:
        if options.rows or making.examples is None or artefact.entry == "export":
            raise
        found["rows"] = error.what  # why it takes this number of rows and no other
        count = len(next(iter(making.examples.values())))
        source, states, programs = _programs(artefact, making, options, count)
    refused = programs.pop("bf16 refused", b"").decode()
    found |= {"bf16": refused} if refused else {}
    folder = making.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    files = {role: folder / ("model.stablehlo" if role == "model" else f"model_{role}.stablehlo") for role in programs}
    for role, file in files.items():
        file.write_bytes(programs[role])
    files["weights"] = folder / "weights.safetensors"
    safetensors.torch.save_file({str(place): one for place, one in enumerate(states)}, files["weights"])
    packages = ("torch", "jax", "torchax")
    return artefact.model_copy(
        update={
            "format": "jax",
            "files": {role: str(file) for role, file in files.items()},
            "hashes": {role: hashlib.sha256(file.read_bytes()).hexdigest() for role, file in files.items()},
            "entry": "export",
            "signature": artefact.signature.model_copy(update={"fixed_batch": source.fixed}),
            "lineage": Lineage(
                recipe="torch_to_jax",
                options=options.model_dump(mode="json"),
                parent=artefact.hash,
                seed=making.seed,
                made_with={name: importlib.metadata.version(name) for name in packages},
                found=found,
            ),
        }
    )


def _programs(
    artefact: Artefact, making: Making, options: Options, rows: int | None
) -> tuple[Source, list[Any], dict[str, bytes]]:
    """The module, the tensors it holds, and the programs by role; under `bf16 refused` why there is none in bf16."""
    source = opened(artefact, making, rows)
    states, call = _carried(source)
    programs = {"model": _written(states, call, source, options, "float32")}
    try:
        programs["bf16"] = _written(states, call, source, options, "bfloat16")
    except Unsupported as error:
        programs["bf16 refused"] = error.what.encode()
    return source, states, programs


Call = Callable[[list[Any], tuple[Any, ...]], tuple[Any, ...]]


def _carried(source: Source) -> tuple[list[Any], Call]:
    """The tensors that the module holds, and a function of JAX arrays: its answers, from those tensors and the inputs."""
    import torch

    decompositions = imported().decompositions

    rows = None if source.fixed else tuple({0: torch.export.Dim.DYNAMIC} for _ in source.examples)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(source.module, source.examples, dynamic_shapes=rows and (rows,))
            program = program.run_decompositions().run_decompositions(decompositions.DECOMPOSITIONS)
    except MemoryError:
        raise
    except Exception as error:
        raise Unsupported(
            f"torch.export can't export this module: {words(error)}",
            next_step="run it on torch itself, or give the study an ONNX file of it",
        ) from error
    held = {**program.state_dict, **program.constants}
    kinds = torch.export.graph_signature.InputKind
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind is not kinds.USER_INPUT]
    everything = [held[spec.target].detach().clone().contiguous() for spec in specs]
    states = [one for one in everything if not _sizes(one)]
    changed = len(program.graph_signature.output_specs) - len(program.graph_signature.user_outputs)
    graph = program.graph_module

    def call(tensors: list[Any], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        given = iter(tensors)
        placed = [_constant(one) if _sizes(one) else next(given) for one in everything]
        answers = walking(graph).run(*placed, *inputs, enable_io_processing=False)
        return tuple(answers[changed:])

    return states, call


def _sizes(tensor: Any) -> bool:
    """Whether it holds a few whole numbers, which may be sizes: they stay known while the program is written."""
    return not tensor.is_floating_point() and tensor.numel() <= MOST_SIZES


def _constant(tensor: Any) -> Any:
    import jax

    with jax.ensure_compile_time_eval():  # else it would be a place in the program, whose number isn't known
        return jax.numpy.asarray(tensor.numpy())


def _written(states: list[Any], call: Call, source: Source, options: Options, floats: str) -> bytes:
    """The program as bytes: `floats` is the type of weights and inputs; answers are float32."""
    import jax
    import jax.numpy as jnp
    import torch

    def described(tensor: Any, rows: Any = None) -> Any:
        kind = jax.dtypes.canonicalize_dtype(str(tensor.dtype).removeprefix("torch."))
        shape = tensor.shape if rows is None else (rows, *tensor.shape[1:])
        return jax.ShapeDtypeStruct(shape, floats if tensor.dtype == torch.float32 else kind)

    def program(tensors: list[Any], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        with jax.default_matmul_precision("highest" if floats == "float32" else "default"):
            answers = call(tensors, inputs)
        return tuple(one.astype("float32") if jnp.issubdtype(one.dtype, jnp.floating) else one for one in answers)

    rows = source.fixed or jax.export.symbolic_shape("rows")[0]
    try:
        made = jax.export.export(jax.jit(program), platforms=options.platforms)(
            [described(one) for one in states], tuple(described(one, rows) for one in source.examples)
        )
    except MemoryError:
        raise
    except Exception as error:
        raise Unsupported(
            f"torchax can't carry this module over to JAX ({floats}): {words(error)}",
            next_step="run it on torch itself",
        ) from error
    try:
        return bytes(made.serialize(vjp_order=1))  # with its gradient, which attacks ask for
    except (NotImplementedError, TypeError, ValueError):  # JAX has no reverse of it; a session says so when it is asked
        return bytes(made.serialize())
