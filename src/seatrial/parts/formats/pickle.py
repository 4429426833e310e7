"""A Python pickle, of any protocol and compressed or not (.pkl, .joblib, old .pt): a program, whose opcodes are listed and not run.

A pickle runs what it names when it is loaded, so every one is told as a danger. The names that it would import say what for.
"""

from __future__ import annotations

from pathlib import Path

from seatrial.contracts.inspection import Bounds, Look
from seatrial.parts.formats import _pickles
from seatrial.parts.formats._reading import reading, short

GIVES = {"suffix": (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt")}
CANNOT = {
    "hidden names": ("never", "a pickle can put a name together while it runs; only running it would tell which"),
}
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
MOST_NAMES = 40


def recognises(path: Path, start: bytes) -> bool:
    """As pickles begin; compressed, where that comes out of it."""
    if _pickles.begins(start):
        return True
    if not start.startswith(PACKED):
        return False
    try:
        with _pickles.unpacked(path, start) as stream:
            return _pickles.begins(stream.read(4096))
    except Exception:  # noqa: BLE001 - whatever a damaged stream raises, it is no pickle that can be read
        return False


def look(path: Path, bounds: Bounds) -> Look:
    """The names that it would import, with how often, and how many calls it makes."""
    with reading(path, "a pickle"):
        with path.open("rb") as file:
            start = file.read(16)
        with _pickles.unpacked(path, start) as stream:
            listing = _pickles.listed(stream, bounds)
    notes = () if listing.ending == "whole" else (f"its opcodes end early: {listing.ending}",)
    named = listing.names.most_common(MOST_NAMES)
    return Look(
        summary=f"{listing.opcodes.total()} opcodes, {listing.calls} calls",
        metadata={short(f"imports {name}", bounds): str(count) for name, count in named},
        dangers=(_pickles.danger(listing, "the whole file"),),
        notes=notes,
    )
