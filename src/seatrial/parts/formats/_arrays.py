"""Headers of NumPy arrays, of files and of members of archives; numbers are never read."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from seatrial.contracts.inspection import Bounds, Danger, Tensor
from seatrial.parts.formats._reading import numbers, refused, short

MAGIC = b"\x93NUMPY"


def header(path: Path, stream: IO[bytes], name: str, size: int, bounds: Bounds) -> Tensor:
    """What the header at the beginning of a stream of `size` bytes says. Raises `ModelError` where that isn't what is there."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"arrays of format {version[0]}.{version[1]} aren't read here")
    shape, _, dtype = readers[version](stream)
    shown = short(name, bounds)
    count = numbers(path, shape, bounds)
    if dtype.hasobject:
        return Tensor(name=shown, dtype="object", shape=tuple(shape))
    promised = stream.tell() + count * dtype.itemsize
    if size != promised:
        raise refused(path, f"`{shown}` has {size} bytes where its header promises {promised}")
    kind = {"U": "text", "S": "bytes", "V": "record"}.get(dtype.kind, str(dtype.newbyteorder("=")))
    return Tensor(name=shown, dtype=kind, shape=tuple(shape))


def member(path: Path, archive: zipfile.ZipFile, name: str, bounds: Bounds) -> Tensor:
    """The header of a member."""
    with archive.open(name) as stream:
        return header(path, stream, name.removesuffix(".npy"), archive.getinfo(name).file_size, bounds)


def count(tensor: Tensor) -> int:
    """How many numbers it holds."""
    return math.prod(int(one) for one in tensor.shape or ())


def objects(tensor: Tensor) -> Danger:
    """An array of Python objects, which is a pickle inside."""
    return Danger(
        what="pickle",
        where=tensor.name,
        executes="when loaded",
        detail="an array of Python objects: `allow_pickle` would run it",
    )
