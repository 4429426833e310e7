"""What a model file is, without loading it: the part that recognises it looks, and the hash is of the bytes that it looked at."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.inspection import Bounds, Inspection
from seatrial.contracts.part import PartInfo
from seatrial.errors import MissingPackage, ModelError

START = 4096
KIND = "formats"


def inspect(file: Path, limits: Bounds | None = None) -> Inspection:
    """What is in a file. Raises `ModelError` where it can't be read, isn't known, goes beyond the bounds, or changes meanwhile."""
    path, note = _plain(file)
    before = _hash(path)
    part = _format(path)
    catalog.require(part)
    look = catalog.load(part).look(path, limits or Bounds())
    if _hash(path) != before:
        raise ModelError(f"{path} changed while it was looked at", next_step="look again when nobody writes to it")
    told: dict[str, Any] = dict(look)
    return Inspection(
        **told | {"notes": (*look.notes, *note)},
        path=str(file),
        format=part.name,
        described=part.description,
        bytes=path.stat().st_size,
        sha256=before,
    )


def _plain(file: Path) -> tuple[Path, tuple[str, ...]]:
    """The file itself, and that a link led to it where one did."""
    try:
        kind = file.stat().st_mode
        if not stat.S_ISREG(kind):
            what = "a folder" if stat.S_ISDIR(kind) else "a pipe or a device"
            raise ModelError(f"{file} is {what}", next_step="name the model's file")
        if not file.is_symlink():
            return file, ()
        return file.resolve(), (f"{file.name} is a symbolic link: this speaks of {file.resolve()}",)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"{str(file)[:200]} can't be read: {words}", next_step="correct the path, or its rights"
        ) from error


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path} can't be read: {error.strerror}", next_step="correct the path, or its rights"
        ) from error


def _format(path: Path) -> PartInfo:
    """The part that recognises the file; of several the one that is named after its suffix, else the first."""
    with path.open("rb") as file:
        start = file.read(START)
    if not start:
        raise ModelError(f"{path} is empty", next_step="copy or export the file again")
    mine = [part for part in catalog.parts(KIND).values() if _recognises(part, path, start)]
    if not mine:
        suffixes = sorted({one for part in catalog.parts(KIND).values() for one in part.gives.get("suffix", ())})
        raise ModelError(
            f"{path} is of no format that is known here",
            next_step=f"these are: {', '.join(suffixes)}; `seatrial parts {KIND}` says more",
        )
    return min(mine, key=lambda part: path.suffix.lower() not in part.gives.get("suffix", ()))


def _recognises(part: PartInfo, path: Path, start: bytes) -> bool:
    try:
        return bool(catalog.load(part).recognises(path, start))
    except MissingPackage:
        return False
