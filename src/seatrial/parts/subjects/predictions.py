"""Outputs that were made elsewhere, in files: nothing is run, quality is judged all the same.

`forms: {predictions: {from: {parquet: {path: outputs.parquet}}, columns: [p_cat, p_dog], key: id}}`. The rows are those of the study's
data: matched by `key`, a column that both have, or by order, and then there must be as many. What is found from them has the
origin `imported`; of speed, memory and size nothing can be said. MLPerf LoadGen's accuracy log and the outputs of trtexec are
read by their own data sets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.part import PartOptions
from seatrial.contracts.recorded import Recorded
from seatrial.errors import ModelError
from seatrial.parts.subjects._files import found, sha256

GIVES = {"format": ("predictions",)}
CANNOT = {
    "speed, memory, size": ("never", "the outputs were made elsewhere; how fast and with what isn't in them"),
    "data without files": (
        "not yet ours",
        "the data set must have a `path`: its files are the identity of the outputs",
    ),
}


class Options(Recorded, PartOptions):
    """Where the outputs are, and which row is which."""

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.data_key is not None and self.key is None:
            raise ValueError("`data_key` says what the `key` is called in the data: say `key` too")
        return self


def read(options: Options, folder: Path) -> Artefact:
    """Find the files and describe them; their rows are read when the study's rows are known. Raises `ModelError`."""
    files = _files(options.source.options, folder)
    return Artefact(
        format="predictions",
        files={f"outputs:{name}": str(file) for name, file in files.items()},
        hashes={f"outputs:{name}": sha256(file) for name, file in files.items()},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="given"),
        entry=options.model_dump_json(by_alias=True),
    )


def _files(given: dict[str, Any], folder: Path) -> dict[str, Path]:
    """By name the files that the data set's `path` means: one, those of a folder, or those that a pattern fits."""
    path = given.get("path")
    if not isinstance(path, str):
        raise ModelError(
            "the outputs must lie in files that `path` names",
            next_step="say `from: {parquet: {path: outputs.parquet}}`",
        )
    whole = folder / path
    if whole.is_dir():
        listed = sorted(file for file in whole.iterdir() if file.is_file())
    elif any(mark in path for mark in "*?["):
        base = Path(whole.anchor)
        listed = sorted(file for file in base.glob(str(whole.relative_to(base))) if file.is_file())
    else:
        return {Path(path).name: found(folder, path)}
    if not listed:
        raise ModelError(
            f"there are no files at {whole}", next_step="correct the path; it counts from the study's folder"
        )
    return {file.name: file.resolve() for file in listed}
