"""What conversions share that start from a torch module: loading it, and giving it one straight way in and out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.conversions._code import called, same, words

LEAST_ROWS = 2
"""Rows of an example: what is exported with one row takes one for ever."""


class Source(NamedTuple):
    """A module that takes tensors in the order of the signature and gives a tuple in its order; rows to show it; `fixed` rows, if any."""

    module: Any
    examples: tuple[Any, ...]
    fixed: int | None


def opened(artefact: Artefact, making: Making, rows: int | None = None) -> Source:
    """The module of a torch artefact, as it was checked, ready to be exported, for so many `rows` where stated. Runs the user's code.

    Raises `ModelError` where a file has changed or weights don't fit, `Unsupported` where there are no rows to show.
    """
    import torch

    if making.examples is None or not artefact.signature.outputs:
        raise Unsupported("it takes a few rows to export a module, and there are none")
    inner, fixed = _program(artefact) if artefact.entry == "export" else (_built(artefact), rows)
    names = [spec.name for spec in artefact.signature.inputs]
    if lost := [name for name in names if name not in making.examples]:
        raise Unsupported(f"there are no rows for the input {lost[0]}")
    shown = {name: torch.from_numpy(_rows(making.examples[name], fixed or LEAST_ROWS)) for name in names}
    outputs = [spec.name for spec in artefact.signature.outputs]
    return Source(_straight(inner, names, outputs).eval(), tuple(shown.values()), fixed)


def _rows(values: Any, count: int) -> Any:
    import numpy as np

    return np.ascontiguousarray(values[np.arange(count) % len(values)])


def _straight(inner: Any, names: list[str], outputs: list[str]) -> Any:
    import torch

    parameters = list(inspect.signature(inner.forward).parameters)
    by_name = set(names) <= set(parameters)

    class Straight(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *values: Any) -> Any:
            given = dict(zip(names, values, strict=True))
            answer = self.inner(**given) if by_name else self.inner(*values)
            if isinstance(answer, Mapping):
                return tuple(answer[name] for name in outputs)
            answers = tuple(answer) if isinstance(answer, tuple | list) else (answer,)
            return answers[: len(outputs)]

    return Straight()


def _built(artefact: Artefact) -> Any:
    """What the user's function returns, with the weights in it."""
    import safetensors
    import safetensors.torch
    import torch

    function, arguments = called(artefact, "code", "weights")
    module = function(**arguments)
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"`{artefact.entry}` returned a {type(module).__name__}, not a torch.nn.Module")
    try:
        safetensors.torch.load_model(module, artefact.files["weights"], strict=True)
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(f"the weights don't fit the module: {words(error)}") from error
    return module.eval()


def _program(artefact: Artefact) -> tuple[Any, int | None]:
    """An exported program, whose hash was trusted, and the number of rows that it takes where it takes no other."""
    import torch

    with Path(artefact.files["model"]).open("rb") as file:
        same(file, artefact, "model")
        program = torch.export.load(file)
    inputs = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in inputs and "val" in node.meta]
    fixed = {shape[0] for shape in shapes if shape and isinstance(shape[0], int)}
    return program.module(), next(iter(fixed), None)
