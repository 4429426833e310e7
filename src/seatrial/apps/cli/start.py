"""The command that starts: `init` writes a study from a model file."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import Annotated

import typer

from seatrial.apps.cli import _out
from seatrial.apps.cli.data import Limit
from seatrial.errors import StudyError

SCHEMA = "study.schema.json"


def init(
    model: Annotated[Path, typer.Argument(help="The model file, such as `model.onnx`.", exists=True, dir_okay=False)],
    data: Annotated[
        Path | None, typer.Argument(help="Rows to judge it on, such as `rows.parquet`.", exists=True)
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The study file to write.")] = Path("study.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    limit: Limit = None,
    json: Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")] = False,
) -> int:
    """Write a study from a model file, and name the lines that are left to fill in."""
    from seatrial.flow.draft import draft
    from seatrial.flow.keep import home
    from seatrial.flow.read import schema_json

    if out.exists() and not force:
        raise StudyError(
            f"{out} is there already",
            next_step=f"`seatrial init {model} --out OTHER.yaml`, or `--force` to write over it",
        )
    text, missing = draft(model, data, out.parent, _out.pairs(limit))
    schema = home(out.parent) / SCHEMA
    _out.save(schema, json_.dumps(schema_json(), indent=1))
    _out.save(out, text.rstrip("\n") + "\n")
    todo = [{"line": _line(text, what), "what": what} for what in missing]
    step = f"seatrial plan {out}" if todo else f"seatrial run {out}"
    if json:
        _out.data({"study": str(out), "schema": str(schema), "missing": todo, "next": step})
        return 0
    _out.say(f"{out} is written.")
    if todo:
        _out.say("Left to fill in:")
        for left in todo:
            _out.say(f"  {out}:{left['line']}: {left['what']}")
    _out.say(f"next: {step}")
    return 0


def _line(text: str, what: str) -> int:
    """The line of the study in which this is left to fill in."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if what in line), 1)
