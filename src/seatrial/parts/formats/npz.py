"""NumPy arrays (.npz, .npy): their headers; arrays of Python objects are pickles inside and told as dangers."""

from __future__ import annotations

from pathlib import Path

from seatrial.contracts.inspection import Bounds, Look
from seatrial.parts.formats import _arrays, _zips
from seatrial.parts.formats._reading import reading, tally

GIVES = {"suffix": (".npz", ".npy")}


def recognises(path: Path, start: bytes) -> bool:
    """An array, or an archive of nothing but arrays."""
    return start.startswith(_arrays.MAGIC) or _zips.kind(path, start) == "npz"


def look(path: Path, bounds: Bounds) -> Look:
    """Arrays by name with their shapes and types."""
    with path.open("rb") as file:
        alone = file.read(6) == _arrays.MAGIC
    if alone:
        with reading(path, "a NumPy array"), path.open("rb") as file:
            found, members, unpacked = [_arrays.header(path, file, path.stem, path.stat().st_size, bounds)], None, None
    else:
        with _zips.opened(path, bounds, "NumPy arrays") as archive:
            found = [_arrays.member(path, archive, name, bounds) for name in archive.namelist()]
            members, unpacked = len(found), sum(one.file_size for one in archive.infolist())
    precision = tally((one.dtype, _arrays.count(one)) for one in found)
    return Look(
        arrays=tuple(found),
        parameters=sum(precision.values()),
        precision=precision,
        members=members,
        unpacked=unpacked,
        dangers=tuple(_arrays.objects(one) for one in found if one.dtype == "object"),
    )
