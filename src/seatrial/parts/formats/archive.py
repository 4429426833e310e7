"""A zip archive that is of no format known here, or whose directory can't be read: its members, and the pickles among them."""

from __future__ import annotations

from pathlib import Path

from seatrial.contracts.inspection import Bounds, Look
from seatrial.parts.formats import _zips
from seatrial.parts.formats._reading import short

GIVES = {"suffix": (".zip",)}
MOST_NAMES = 40


def recognises(path: Path, start: bytes) -> bool:
    """An archive of no other kind."""
    return _zips.kind(path, start) == "other"


def look(path: Path, bounds: Bounds) -> Look:
    """Members with their sizes, and the pickles among them."""
    with _zips.opened(path, bounds, "a zip archive") as archive:
        members = archive.infolist()
        dangers = _zips.pickles(path, archive, bounds)
    return Look(
        members=len(members),
        unpacked=sum(one.file_size for one in members),
        metadata={short(one.filename, bounds): f"{one.file_size} bytes" for one in members[:MOST_NAMES]},
        dangers=tuple(dangers),
        notes=("it is of no format that is known here: what would load it, and what that runs, can't be told",),
    )
