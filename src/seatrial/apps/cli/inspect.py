"""The command on a model file: `inspect` says what it is and what in it could run code, without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.apps.cli import _out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.contracts.inspection import Inspection, Tensor

RUNS_CODE = 1
MOST_ROWS = 20

File = Annotated[
    Path,
    typer.Argument(
        help="The model file: ONNX, safetensors, skops, .pt, .pt2, .tflite, OpenVINO .xml, .keras, .npz, a pickle."
    ),
]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", help="A bound on what is read, such as `unpacked=32GiB`; may be repeated.", metavar="NAME=VALUE"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")]


def inspect(file: File, limit: Limits = None, json: Json = False) -> int:
    """Tell what a model file is, without loading it: format, operators, weights, hash, and anything that could run code.

    Exits with 0 where nothing in it can run code, with 1 where something can, with 4 where it can't be read.
    """
    from seatrial.contracts.inspection import Bounds
    from seatrial.flow import inspecting
    from seatrial.flow._limits import limits

    found = inspecting.inspect(file, limits(Bounds, _out.pairs(limit)))
    if json:
        _out.data(found.model_dump(mode="json") | {"runs_code": found.runs_code})
    else:
        _tell(found)
    return RUNS_CODE if found.runs_code else 0


def _tell(found: Inspection) -> None:
    precision = ", ".join(f"{dtype} {count:,}" for dtype, count in found.precision.items())
    facts = [
        ("file", found.path),
        ("format", f"{found.format}: {found.described.rstrip('.')}"),
        ("size", f"{found.bytes:,} bytes"),
        ("SHA-256", found.sha256),
        ("written by", found.summary),
        (
            "numbers stored",
            "" if found.parameters is None else f"{found.parameters:,}" + (f"  ({precision})" if precision else ""),
        ),
        ("operator sets", ", ".join(f"{name} {version}" for name, version in found.opset.items())),
        (
            "archive",
            "" if found.members is None else f"{found.members:,} members, {found.unpacked or 0:,} bytes unpacked",
        ),
    ]
    _out.show(_out.table(("model file", ""), [fact for fact in facts if fact[1]]))
    _tensors("inputs", found.inputs)
    _tensors("outputs", found.outputs)
    _tensors("arrays", found.arrays)
    _counts("operators", found.operators)
    _counts("it says of itself", found.metadata)
    if found.beside:
        rows = [(one.name, one.problem or f"{one.bytes:,} bytes", one.sha256) for one in found.beside]
        _section(("files beside it", "", "SHA-256"), rows)
    if found.dangers:
        dangers = [(one.what, one.where, one.executes, one.detail) for one in found.dangers]
        _section(("it can run code", "where", "runs", "what"), dangers)
    for note in found.notes:
        _out.say(f"note: {note}")
    _out.say()
    _out.say(_ending(found))


def _ending(found: Inspection) -> str:
    if not found.dangers:
        return "Nothing in it was found that runs code. Whether its answers are right is what a study measures."
    if all(one.executes == "when loaded" for one in found.dangers):
        return "Loading it can run code: don't, unless you trust who made it. How to convert it: docs/do/trust-a-model-file.md"
    return (
        "It can run code, or wants code that isn't in it: trust whoever made both. More: docs/do/trust-a-model-file.md"
    )


def _tensors(title: str, tensors: tuple[Tensor, ...]) -> None:
    rows = [
        (one.name, one.dtype, "?" if one.shape is None else " x ".join(map(str, one.shape)) or "one number")
        for one in tensors
    ]
    _section((title, "type", "shape"), rows)


def _counts(title: str, counts: dict[str, int] | dict[str, str]) -> None:
    _section((title, ""), [(name, f"{value:,}" if isinstance(value, int) else value) for name, value in counts.items()])


def _section(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    _out.say()
    _out.show(_out.table(columns, rows[:MOST_ROWS]))
    if len(rows) > MOST_ROWS:
        _out.say(f"... and {len(rows) - MOST_ROWS} more (`--json` has all)")
