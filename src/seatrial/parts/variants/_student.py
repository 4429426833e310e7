"""What the variants that train share: modules from the study's code, training with a teacher, and keeping what was made."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making, Training
from seatrial.errors import ModelError, PartError, Unsupported
from seatrial.parts.variants._channels import Cut

_ENTRY = re.compile(r"(?P<place>.+):(?P<function>\w+)(?: (?P<arguments>\{.*\}))?", re.DOTALL)
_WARM_UP = 0.05
"""Share of the steps in which the step size rises."""
BUILDER = "seatrial_smaller"

_SMALLER = '''

def {builder}():
    """The same module with fewer channels. Written by seatrial."""
    import torch

    module = {function}(**{arguments})
    shapes = {shapes}
    sizes = {sizes}
    for name, shape in shapes.items():
        owner, _, leaf = name.rpartition(".")
        owner = module.get_submodule(owner)
        old = getattr(owner, leaf)
        new = torch.empty(shape, dtype=old.dtype)
        setattr(owner, leaf, torch.nn.Parameter(new) if isinstance(old, torch.nn.Parameter) else new)
    for name, attributes in sizes.items():
        for attribute, size in attributes.items():
            setattr(module.get_submodule(name), attribute, size)
    return module
'''


class LearningOptions(PartOptions):
    """How it is trained."""

    epochs: int = Field(default=10, ge=1, description="passes through the rows to train with")
    batch: int = Field(default=128, ge=2, description="rows in one step")
    learning_rate: float = Field(
        default=2e-3, gt=0, description="largest step of AdamW; it rises first and falls by a cosine"
    )
    weight_decay: float = Field(default=0.01, ge=0, description="pull of weights towards 0")
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="bf16: autocast, weights stay in fp32")
    threads: int = Field(
        default=1, ge=1, description="processor threads; with another number the result differs a little"
    )


class Code(NamedTuple):
    """The code that builds a module: its file, the function, the keyword arguments, and the folder it may import from."""

    file: Path
    function: str
    arguments: dict[str, Any]
    folder: str


def of_teacher(artefact: Artefact) -> Code:
    """The code of a torch artefact. Raises `Unsupported` where it has none (an exported program, another format)."""
    found = _ENTRY.fullmatch(artefact.entry or "")
    if artefact.format != "torch" or found is None or "code" not in artefact.files:
        raise Unsupported(
            f"a student can be derived from a torch module's code alone, and this model is {artefact.format}",
            next_step="give the model's torch form (`module` and `weights`), or name a `student` of your own",
        )
    file = Path(artefact.files["code"])
    if hashlib.sha256(file.read_bytes()).hexdigest() != artefact.hashes["code"]:
        raise ModelError(f"{file} has changed since the study was read", next_step="run it again")
    return Code(file, found["function"], json.loads(found["arguments"] or "{}"), _folder(artefact))


def _folder(artefact: Artefact) -> str:
    line = artefact.lineage
    return str(line.options.get("folder") or line.found.get("folder") or "")


def built(code: Code) -> Any:
    """The module that the code builds, in the folder's company. Runs the user's code."""
    import torch

    for folder in (str(code.file.parent), code.folder):
        if folder and folder not in sys.path:
            sys.path.insert(0, folder)
    name = f"seatrial_student_{hashlib.sha256(code.file.read_bytes()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, code.file)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses and pickles of the user's code look there
    spec.loader.exec_module(loaded)
    function = getattr(loaded, code.function, None)
    if function is None:
        raise ModelError(f"{code.file.name} has no `{code.function}`")
    module = function(**code.arguments)
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"`{code.function}` returned a {type(module).__name__}, not a torch.nn.Module")
    return module


def with_weights(module: Any, artefact: Artefact) -> Any:
    """The module with the weights of a torch artefact."""
    import safetensors.torch

    safetensors.torch.load_model(module, artefact.files["weights"], strict=True)
    return module.eval()


def smaller(code: Code, made: Cut, file: Path) -> Code:
    """Write code that builds the module with fewer channels: the given code, and a function after it."""
    added = _SMALLER.format(
        builder=BUILDER,
        function=code.function,
        arguments=repr(code.arguments),
        shapes=repr(made.shapes),
        sizes=repr(made.attributes),
    )
    file.write_text(code.file.read_text(encoding="utf-8") + added, encoding="utf-8")
    return Code(file, BUILDER, {}, code.folder)


def training(name: str, making: Making) -> Training:
    """The rows to train with. Raises `Unsupported` where there are none."""
    if making.train is None:
        raise Unsupported(
            f"{name} needs rows with the role `train`, and the study has none",
            next_step="add a data set with `roles: train`, or draw a share: `roles: {draw: {train: 0.7, confirm: 0.3}}`",
        )
    return making.train


class Lesson(NamedTuple):
    """What there is to learn from: inputs in the order of the module's, and tensors by name that the loss is given, row by row."""

    inputs: tuple[Any, ...]
    targets: dict[str, Any]


def one_output(name: str, artefact: Artefact) -> None:
    """Raises `Unsupported` for a model of several outputs: it would be trained on the first, and the others would go astray."""
    if len(artefact.signature.outputs) > 1:
        raise Unsupported(
            f"{name}: the model has {len(artefact.signature.outputs)} outputs, and one that learns from the first alone would get the others wrong",
            next_step="take a variant that trains nothing, such as `int8_static` or `int8_torch`",
        )


def labelled(inputs: tuple[Any, ...], labels: Any) -> Lesson:
    """What there is to learn from labels: classes, labels chosen one by one, or numbers."""
    import torch

    whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    return Lesson(inputs, {"labels": torch.from_numpy(np.array(labels, np.int64 if whole else np.float32))})


def learn(
    module: Any,
    lesson: Lesson,
    loss: Callable[[Any, Mapping[str, Any]], Any],
    options: LearningOptions,
    seed: int,
    after: Callable[[], None] = lambda: None,
    change: Callable[[tuple[Any, ...], Mapping[str, Any]], tuple[Any, ...]] = lambda inputs, targets: inputs,
) -> tuple[float, float]:
    """Train in place; mean loss of the first and of the last pass. The same seed and threads give the same weights.

    `after` is called after each step, so that what shall not change can be set back; `change` makes of a step's inputs those that are learnt.
    """
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(seed)
    rows = len(lesson.inputs[0])
    steps = -(-rows // options.batch) * options.epochs
    optimiser = torch.optim.AdamW(module.parameters(), options.learning_rate, weight_decay=options.weight_decay)
    plan = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: height(step, steps))
    order, losses = torch.Generator().manual_seed(seed), []
    module.train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(options.epochs):
            summed = 0.0
            for chosen in _batches(torch.randperm(rows, generator=order), options.batch):
                targets = {name: one[chosen] for name, one in lesson.targets.items()}
                inputs = change(tuple(one[chosen] for one in lesson.inputs), targets)
                optimiser.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
                    answer = first(module(*inputs))
                found = loss(answer.float(), targets)
                found.backward()
                optimiser.step()
                plan.step()
                after()
                summed += float(found.detach()) * len(chosen)
            losses.append(summed / rows)
    module.eval()
    if not np.isfinite(losses[-1]):
        _check_numbers(lesson)
        raise PartError("the loss is no number any more", next_step="take a smaller `learning_rate`")
    return losses[0], losses[-1]


def _check_numbers(lesson: Lesson) -> None:
    """Raises `Unsupported` where rows to learn from hold what is no number."""
    import torch

    floats = [one for one in (*lesson.inputs, *lesson.targets.values()) if one.is_floating_point()]
    good = [torch.isfinite(one.reshape(len(one), -1)).all(dim=1) for one in floats]
    wrong = int((~torch.stack(good).all(dim=0)).sum()) if good else 0
    if wrong:
        raise Unsupported(
            f"{wrong} of {len(floats[0])} rows to train with hold NaN or infinite numbers: nothing can be learnt from them",
            next_step="leave them out of the role `train`, or fill them in as they are filled in before the model is asked",
        )


def height(step: int, steps: int) -> float:
    """Of the step size: a short rise, then half a cosine down."""
    rise = max(1, round(_WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + float(np.cos(np.pi * (step - rise) / max(1, steps - rise))))


def _batches(order: Any, size: int) -> Iterator[Any]:
    """Pieces of an order; a last one of a single row is left out, for one row has no spread to normalise by."""
    for start in range(0, len(order), size):
        piece = order[start : start + size]
        if len(piece) > 1 or len(order) == 1:
            yield piece


def first(answer: Any) -> Any:
    """The first output of a module, whether it gives one, several or a mapping."""
    if isinstance(answer, Mapping):
        answer = next(iter(answer.values()))
    return answer[0] if isinstance(answer, tuple | list) else answer


def tensors(artefact: Artefact, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Inputs as tensors in the order of the signature."""
    import torch

    names = [spec.name for spec in artefact.signature.inputs] or list(values)
    return tuple(torch.from_numpy(np.ascontiguousarray(values[name]).copy()) for name in names)


def guessed(artefact: Artefact) -> tuple[Any, ...]:
    """Inputs of two rows of zeros by the signature. Raises `Unsupported` where it leaves a shape open."""
    import torch

    specs = artefact.signature.inputs
    if any(spec.shape is None or None in spec.shape for spec in specs):
        raise Unsupported(
            "without rows to train with, the shape of an input isn't known",
            next_step="add a data set with `roles: train`, or draw a share of one",
        )
    types = {"float32": torch.float32, "int64": torch.int64, "int32": torch.int32}
    return tuple(torch.zeros(2, *(spec.shape or ()), dtype=types.get(spec.dtype, torch.float32)) for spec in specs)


def parameters(module: Any) -> int:
    """How many numbers are learnt in a module."""
    return sum(one.numel() for one in module.parameters())


# --- keeping what was made -----------------------------------------------------------------------------------------------


def kept(name: str, module: Any, code: Code, artefact: Artefact, making: Making, options: PartOptions, found: dict[str, Any], examples: tuple[Any, ...]) -> Artefact:  # fmt: skip
    """The artefact of a module, in the format that is wanted: torch (code and safetensors), or ONNX."""
    making.folder.mkdir(parents=True, exist_ok=True)
    wanted = making.wanted or artefact.format
    packages = ["torch", "safetensors"]
    if wanted == "onnx":
        files, entry, packages = (
            _exported(name, module, artefact, making, examples),
            None,
            ["torch", "onnx", "onnxscript"],
        )
    else:
        files, entry = _saved(name, module, code, making), f"{name}.py:{code.function}{_words(code.arguments)}"
    hashes = {role: hashlib.sha256(file.read_bytes()).hexdigest() for role, file in files.items()}
    lineage = Lineage(
        recipe=name,
        options=options.model_dump(mode="json"),
        parent=artefact.hash,
        seed=making.seed,
        rows_hash=making.rows_hash,
        made_with={one: importlib.metadata.version(one) for one in packages},
        found=found | ({"folder": code.folder} if entry else {}),
    )
    signature: Signature = artefact.signature
    return Artefact(
        format=wanted,
        files={role: str(file.resolve()) for role, file in files.items()},
        hashes=hashes,
        signature=signature,
        lineage=lineage,
        entry=entry,
        after=artefact.after,
    )


def _words(arguments: Mapping[str, Any]) -> str:
    return f" {json.dumps(arguments, sort_keys=True)}" if arguments else ""


def _saved(name: str, module: Any, code: Code, making: Making) -> dict[str, Path]:
    import safetensors.torch

    copied, weights = making.folder / f"{name}.py", making.folder / f"{name}.safetensors"
    if code.file.resolve() != copied.resolve():
        copied.write_bytes(code.file.read_bytes())
    safetensors.torch.save_model(module, str(weights))
    return {"code": copied, "weights": weights}


def _exported(name: str, module: Any, artefact: Artefact, making: Making, examples: tuple[Any, ...]) -> dict[str, Path]:
    """The module as ONNX by torch's exporter, the number of rows left open unless the model's is fixed."""
    import logging

    import torch

    for left in (making.folder / f"{name}.py",):
        left.unlink(missing_ok=True)
    file = making.folder / f"{name}.onnx"
    fixed = artefact.signature.fixed_batch
    rows = fixed or 2
    given = tuple(one[:1].expand(rows, *one.shape[1:]).contiguous() for one in examples)
    shapes = None if fixed else tuple({0: torch.export.Dim("rows")} for _ in given)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module.eval(),
                given,
                str(file),
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=[spec.name for spec in artefact.signature.inputs],
                output_names=[spec.name for spec in artefact.signature.outputs],
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        first_line = str(error).strip().split("\n")[0]
        raise PartError(f"{name}: torch can't export it to ONNX: {type(error).__name__}: {first_line}") from error
    finally:
        logging.disable(before)
    _plain(file)
    return {"model": file}


def _plain(file: Path) -> None:
    """Without what names this machine and this day: stack traces of the exporter."""
    import onnx

    model = onnx.load(str(file))
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    file.write_bytes(model.SerializeToString(deterministic=True))
