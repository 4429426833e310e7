"""Rows in NumPy files: an .npz archive, or a folder of .npy files, each array a column with one entry a row.

Rows are streamed from the archive, or mapped from the folder; arrays of Python objects are refused, because reading
them would run code.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.datasets import _columns

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

GIVES = {"suffix": (".npz", ".npy")}


class Options(PartOptions):
    """Where the rows are."""

    path: str = Field(description="an .npz archive, a .npy file, or a folder of .npy files; from the study's folder")


class _Header(NamedTuple):
    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype[Any]


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Array names with their types in words (`uint8 28x28`). Single numbers in an archive are no columns."""
    headers = _headers(_place(options, folder))
    return {name: _columns.words(head.dtype, head.shape[1:]) for name, head in headers.items() if head.shape}


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named arrays in order, at most `rows` rows at a time. Raises `DataError` for unequal lengths and Python objects."""
    place = _place(options, folder)
    headers = _headers(place)
    _columns.known(names, (name for name, head in headers.items() if head.shape), options.path)
    for name in names:
        if headers[name].dtype.hasobject:
            step = "save it again as numbers or text"
            raise DataError(
                f"`{name}` holds Python objects; reading them would run code", where=options.path, next_step=step
            )
    length = _columns.equally_long({name: headers[name].shape[0] for name in names}, options.path)
    _columns.some_rows(length, options.path)
    with ExitStack() as stack:
        take = {name: _taker(place, name, headers[name], stack) for name in names}
        for start, count in _columns.slices(length, rows):
            yield {name: _columns.plain(take[name](start, count)) for name in names}


def _place(options: Options, folder: Path) -> Path:
    place = folder / options.path
    return place if place.is_dir() else _columns.files(options.path, folder, ".npz")[0]


def _headers(place: Path) -> dict[str, _Header]:
    """The header of each array; none is read further."""
    try:
        if place.suffix == ".npz":
            with zipfile.ZipFile(place) as archive:
                return {name: _member(archive, name) for name in _stems(archive.namelist())}
        found = sorted(place.glob("*.npy")) if place.is_dir() else [place]
        if not found:
            raise DataError("there are no .npy files here", where=str(place))
        return {file.stem: _file(file) for file in found}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"this can't be read as a NumPy archive: {error}", where=str(place)) from error


def _stems(names: Sequence[str]) -> list[str]:
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def _file(file: Path) -> _Header:
    with file.open("rb") as stream:
        return _header(stream)


def _member(archive: zipfile.ZipFile, name: str) -> _Header:
    """The header of a member, whose size must be what the header says."""
    with archive.open(f"{name}.npy") as stream:
        head = _header(stream)
        expected = stream.tell() + int(np.prod(head.shape, dtype=object)) * head.dtype.itemsize
    size = archive.getinfo(f"{name}.npy").file_size
    if not head.dtype.hasobject and size != expected:
        raise ValueError(f"`{name}` has {size} bytes where its header promises {expected}")
    return head


def _header(stream: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return _Header(*np.lib.format.read_array_header_1_0(stream))
    if version == (2, 0):
        return _Header(*np.lib.format.read_array_header_2_0(stream))
    raise ValueError(f"arrays of format {version[0]}.{version[1]} (with named fields) are no columns")


def _taker(place: Path, name: str, head: _Header, stack: ExitStack) -> Callable[[int, int], Array]:
    """A function that gives rows (start, count), asked in order."""
    if place.suffix != ".npz":
        file = place / f"{name}.npy" if place.is_dir() else place
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
        return lambda start, count: np.array(mapped[start : start + count])
    archive = stack.enter_context(zipfile.ZipFile(place))
    stream = stack.enter_context(archive.open(f"{name}.npy"))
    if head.columns_first and len(head.shape) > 1:
        whole = np.lib.format.read_array(stream, allow_pickle=False)
        return lambda start, count: whole[start : start + count]
    _header(stream)
    row = int(np.prod(head.shape[1:])) * head.dtype.itemsize
    return lambda _, count: _read(stream, count, row, head, f"{place.name}, `{name}`")


def _read(stream: IO[bytes], count: int, row: int, head: _Header, where: str) -> Array:
    try:
        data = stream.read(count * row)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise DataError(f"the archive is damaged: {error}", where=where) from error
    if len(data) != count * row:
        raise DataError("the archive ends before its last row", where=where)
    return np.frombuffer(data, head.dtype).reshape(count, *head.shape[1:])
