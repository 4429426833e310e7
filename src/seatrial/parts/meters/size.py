"""Bytes of the model's files as they would be deployed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round

ACCEPTS = {"load": ("",)}
GIVES = {"finding": ("size",), "instances": ("many",)}


class Options(PartOptions):
    """There is nothing to set."""


def read(probe: Probe) -> Reading:
    """Sum of the sizes of the artefact's files; the source code of a module is not counted. Nothing where there is no other."""
    sizes = [Path(file).stat().st_size for role, file in probe.artefact.files.items() if role != "code"]
    return {"size": sum(sizes)} if sizes else {}


def together(read: Sequence[Reading]) -> Reading:
    """One file, however many instances read it."""
    return read[0]


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """The size, which is a count and has no uncertainty."""
    if "size" not in rounds[-1].reading:
        yield missing("size", State.UNSUPPORTED, "no file of the model is known; a function's are named under `files`")
        return
    yield Finding(
        what="size", value=rounds[-1].reading["size"], unit="B", better="lower", method="exact count of bytes"
    )
