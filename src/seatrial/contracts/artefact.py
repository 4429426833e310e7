"""An artefact: a model's files, what they are, and where they come from."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contracts.record import Record, digest
from seatrial.contracts.values import ValueKind


class TensorSpec(Record):
    """One named input or output. `shape` without the row axis; `None` where it varies."""

    name: str = Field(description="its name in the model")
    kind: ValueKind = Field(default=ValueKind.DENSE, description="tensors, ragged lists, text or state")
    dtype: str = Field(default="float32", description="type of number")
    shape: tuple[int | None, ...] | None = Field(
        default=None, description="shape without the row axis; empty where it varies"
    )


class Signature(Record):
    """What a model takes and gives. `fixed_batch` is the row count where the file allows no other."""

    inputs: tuple[TensorSpec, ...] = Field(description="what it takes")
    outputs: tuple[TensorSpec, ...] = Field(description="what it gives")
    fixed_batch: int | None = Field(default=None, description="rows a call, where the file allows no other number")


class Lineage(Record):
    """How an artefact was made: recipe, seed, the hash of the rows it used, from which artefact, in how many seconds."""

    recipe: str = Field(description="how it was made")
    options: dict[str, Any] = Field(default={}, description="with which options")
    parent: str | None = Field(default=None, description="hash of the artefact it was made from")
    seed: int | None = Field(default=None, description="seed of random choices")
    rows_hash: str | None = Field(default=None, description="hash of the rows it was made with")
    seconds: float | None = Field(default=None, description="how long that took")
    made_with: dict[str, str] = Field(default={}, description="packages and their versions")
    earlier: tuple[Lineage, ...] = Field(
        default=(), description="of a chain: how it was made before, first things first"
    )
    found: dict[str, Any] = Field(default={}, description="what was found out while it was made, such as `sensitivity`")


class Step(Record):
    """A step before or after the model that is no file of it (a recalibration, a threshold per group)."""

    name: str = Field(description="what is done")
    options: dict[str, Any] = Field(default={}, description="with which options")


class Artefact(Record):
    """A model's files. `files` maps a role (`model`, `weights`) to a path; `hashes` the same role to a SHA-256.

    `entry` names what a file alone can't say (`package.module:function` of a torch module).
    """

    format: str = Field(description="format of the files")
    files: dict[str, str] = Field(description="path by role: `model`, `weights`")
    hashes: dict[str, str] = Field(description="SHA-256 by role")
    signature: Signature = Field(description="what it takes and gives")
    lineage: Lineage = Field(description="where it comes from")
    entry: str | None = Field(default=None, description="what a file alone can't say: `package.module:function`")
    before: tuple[Step, ...] = Field(default=(), description="steps before the model")
    after: tuple[Step, ...] = Field(default=(), description="steps after the model")

    @property
    def hash(self) -> str:
        """Identity by content: the same files, entry and steps give the same hash wherever they lie."""
        steps = [step.model_dump() for step in (*self.before, *self.after)]
        return digest([self.format, self.hashes, self.entry, steps])
