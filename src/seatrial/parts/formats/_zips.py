"""Zip archives as many formats use them: what kind of file one is, and whether its directory can be true. Nothing is unpacked here.

A bomb is told by what the directory promises; a directory that promises less than comes out is caught while a member is read.
"""

from __future__ import annotations

import contextlib
import itertools
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from seatrial.contracts.inspection import Bounds, Danger
from seatrial.parts.formats import _pickles
from seatrial.parts.formats._reading import reading, refused, short

MAGIC = b"PK\x03\x04"
MOST_NAMES = 100_000


def kind(path: Path, start: bytes) -> str:
    """Which of the formats that are archives a file is: skops, npz, exported_program, keras, torch_archive, other; empty for no archive."""
    if not start.startswith((MAGIC, b"PK\x05\x06")):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:MOST_NAMES]
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, RecursionError):
        return "other"
    ends = {PurePosixPath(name).name for name in names}
    tops = {name.partition("/")[2] or name for name in names}
    if "schema.json" in names:
        return "skops"
    if {"config.json", "metadata.json"} <= ends and any(name.endswith(".h5") for name in names):
        return "keras"
    if (
        any(name.startswith("models/") and name.endswith(".json") for name in tops)
        or "serialized_exported_program.json" in names
    ):
        return "exported_program"
    if any(name.endswith("data.pkl") for name in names):
        return "torch_archive"
    return "npz" if names and all(name.endswith(".npy") for name in names) else "other"


@contextlib.contextmanager
def opened(path: Path, bounds: Bounds, what: str) -> Iterator[zipfile.ZipFile]:
    """An archive whose directory is within the bounds. Raises `ModelError` for bombs, names that repeat or lead out, and links."""
    with reading(path, what), zipfile.ZipFile(path) as archive:
        _check(path, archive, bounds)
        yield archive


def _check(path: Path, archive: zipfile.ZipFile, bounds: Bounds) -> None:
    members = archive.infolist()
    if len(members) > bounds.members:
        raise refused(path, f"it holds {len(members)} members, more than {bounds.members}", "members")
    if len({one.filename for one in members}) < len(members):
        raise refused(path, "names of its members repeat: readers differ in which they take")
    total = sum(one.file_size for one in members)
    if total > bounds.unpacked:
        raise refused(path, f"it would unpack to {total} bytes, more than {bounds.unpacked}", "unpacked")
    for one in members:
        _check_member(path, one, bounds)
    spans = sorted((one.header_offset, one.header_offset + one.compress_size) for one in members)
    for (_, end), (start, _) in itertools.pairwise(spans):
        if start < end:
            raise refused(path, "members lie over one another, as in bombs that unpack the same bytes again and again")


def _check_member(path: Path, one: zipfile.ZipInfo, bounds: Bounds) -> None:
    name = short(one.filename, bounds)
    parts = PurePosixPath(one.filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\x00" in one.filename:
        raise refused(path, f"its member `{name}` leads out of the folder that it is unpacked to")
    if stat.S_ISLNK(one.external_attr >> 16):
        raise refused(path, f"its member `{name}` is a symbolic link")
    if one.flag_bits & 1:
        raise refused(path, f"its member `{name}` is encrypted")
    if one.file_size > max(bounds.small, bounds.growth * max(one.compress_size, 1)):
        raise refused(
            path,
            f"its member `{name}` would unpack from {one.compress_size} to {one.file_size} bytes, as bombs do",
            "growth",
        )


def content(path: Path, archive: zipfile.ZipFile, name: str, bounds: Bounds) -> bytes:
    """A small member, whole. Raises `ModelError` where it is larger than a header may be."""
    with archive.open(name) as stream:
        text = stream.read(bounds.header + 1)
    if len(text) > bounds.header:
        raise refused(path, f"`{short(name, bounds)}` is larger than {bounds.header} bytes", "header")
    return text


def pickles(path: Path, archive: zipfile.ZipFile, bounds: Bounds) -> list[Danger]:
    """The pickles among an archive's members, whatever they are called."""
    found = []
    for name in archive.namelist():
        with archive.open(name) as stream:
            if _is_pickle(name, stream):
                with archive.open(name) as again:
                    found.append(_pickles.danger(_pickles.listed(again, bounds), short(name, bounds)))
    return found


def _is_pickle(name: str, stream: IO[bytes]) -> bool:
    with contextlib.suppress(zlib.error, zipfile.BadZipFile, EOFError):
        start = stream.read(64)
        return name.endswith((".pkl", ".pickle")) or (
            start[:1] == b"\x80" and _pickles.begins(start) and _pickles.reads(start)
        )
    return name.endswith((".pkl", ".pickle"))
