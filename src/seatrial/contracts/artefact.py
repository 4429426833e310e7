"""An artefact: a model's files, what they are, and where they come from."""

from __future__ import annotations

from typing import Any

from seatrial.contracts.record import Record, digest
from seatrial.contracts.values import ValueKind


class TensorSpec(Record):
    """One named input or output. `shape` without the row axis; `None` where it varies."""

    name: str
    kind: ValueKind = ValueKind.DENSE
    dtype: str = "float32"
    shape: tuple[int | None, ...] | None = None


class Signature(Record):
    """What a model takes and gives. `fixed_batch` is the row count where the file allows no other."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    fixed_batch: int | None = None


class Lineage(Record):
    """How an artefact was made: recipe, seed, the hash of the rows it used, from which artefact, in how many seconds."""

    recipe: str
    options: dict[str, Any] = {}
    parent: str | None = None
    seed: int | None = None
    rows_hash: str | None = None
    seconds: float | None = None
    made_with: dict[str, str] = {}


class Step(Record):
    """A step before or after the model that is no file of it (a recalibration, a threshold per group)."""

    name: str
    options: dict[str, Any] = {}


class Artefact(Record):
    """A model's files. `files` maps a role (`model`, `weights`) to a path; `hashes` the same role to a SHA-256.

    `entry` names what a file alone can't say (`package.module:function` of a torch module).
    """

    format: str
    files: dict[str, str]
    hashes: dict[str, str]
    signature: Signature
    lineage: Lineage
    entry: str | None = None
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()

    @property
    def hash(self) -> str:
        """Identity by content: the same files, entry and steps give the same hash wherever they lie."""
        steps = [step.model_dump() for step in (*self.before, *self.after)]
        return digest([self.format, self.hashes, self.entry, steps])
