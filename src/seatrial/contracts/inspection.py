"""What `inspect` says of a model file: what it is, what is in it, and what in it could run code. Nothing of the file is loaded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from seatrial.contracts.record import Record
from seatrial.contracts.study import Bytes

Executes = Literal["when loaded", "with code from elsewhere", "perhaps"]
"""Loading is enough; a library or module that isn't in the file is run; or it can't be told without running it."""


def _count(given: object) -> object:
    return int(float(given)) if isinstance(given, str) else given


class Bounds(Record):
    """How much of a file is read before it is refused. Archives and headers say how large they are; none is believed beyond these."""

    unpacked: Bytes = Field(default=16 * 2**30, description="bytes of an archive's members once unpacked, together")
    growth: Annotated[float, BeforeValidator(_count)] = Field(
        default=200.0, gt=1, description="how many times its packed size a member above `small` may have"
    )
    small: Bytes = Field(default=256 * 2**20, description="bytes of a member that may be packed as tightly as it likes")
    members: Annotated[int, BeforeValidator(_count)] = Field(default=100_000, ge=1, description="members of an archive")
    header: Bytes = Field(default=256 * 2**20, description="bytes of a header, or of a tree of nodes")
    text: Annotated[int, BeforeValidator(_count)] = Field(
        default=200, ge=20, description="characters of a text in the file that are shown"
    )
    depth: Annotated[int, BeforeValidator(_count)] = Field(default=200, ge=10, description="how deep values nest")
    steps: Annotated[int, BeforeValidator(_count)] = Field(
        default=5_000_000, ge=1000, description="opcodes of a pickle that are listed"
    )
    elements: Annotated[int, BeforeValidator(_count)] = Field(
        default=10**13, ge=1, description="numbers in one tensor; a shape that says more is taken for a lie"
    )


class Tensor(Record):
    """An input, an output or a stored array: axes without a fixed length are named, or empty."""

    name: str = Field(description="as the file calls it")
    dtype: str = Field(default="", description="its type, as NumPy calls it where NumPy has it")
    shape: tuple[int | str, ...] | None = Field(default=None, description="lengths of axes; None where none is said")


class Beside(Record):
    """A file that the model's file names: weights beside it."""

    name: str = Field(description="as the file calls it")
    bytes: int | None = Field(default=None, description="its size; None where it can't be used")
    sha256: str = Field(default="", description="its hash")
    problem: str = Field(default="", description="why it can't be used: absent, a link, outside the folder")


class Danger(Record):
    """Something in the file that runs code, or may."""

    what: str = Field(description="pickle, custom operator, compiled code, ...")
    where: str = Field(default="", description="in which part of the file")
    executes: Executes = Field(description="when it would run")
    detail: str = Field(default="", description="what it names: modules, domains, operators")


class Look(Record):
    """What a part of the kind `formats` found in a file; the path, the size and the hash are added by whoever asked."""

    summary: str = Field(default="", description="who wrote the file, as it says itself")
    parameters: int | None = Field(default=None, description="numbers that are stored; None where that can't be told")
    precision: dict[str, int] = Field(default={}, description="stored numbers by type")
    operators: dict[str, int] = Field(default={}, description="how often each operator stands in the graph")
    inputs: tuple[Tensor, ...] = Field(default=(), description="what goes in")
    outputs: tuple[Tensor, ...] = Field(default=(), description="what comes out")
    arrays: tuple[Tensor, ...] = Field(default=(), description="stored arrays by name, where the file has no graph")
    opset: dict[str, int] = Field(default={}, description="version of each set of operators")
    metadata: dict[str, str] = Field(default={}, description="what else the file says of itself, cut to `bounds.text`")
    beside: tuple[Beside, ...] = Field(default=(), description="files that it names")
    members: int | None = Field(default=None, description="members of the archive")
    unpacked: int | None = Field(default=None, description="bytes of the archive once unpacked")
    dangers: tuple[Danger, ...] = Field(default=(), description="what runs code, or may")
    notes: tuple[str, ...] = Field(default=(), description="what else is odd")


class Inspection(Look):
    """All that is known of a model file without loading it."""

    path: str = Field(description="the file, or the link that was followed")
    format: str = Field(description="which part of the kind `formats` read it")
    described: str = Field(default="", description="that format in words")
    bytes: int = Field(description="its size")
    sha256: str = Field(description="its hash")

    @property
    def runs_code(self) -> bool:
        """Whether anything in it can run code."""
        return bool(self.dangers)
