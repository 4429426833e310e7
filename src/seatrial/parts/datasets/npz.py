"""Rows in NumPy files: an .npz archive, or a folder of .npy files, each array a column with one entry a row.

Rows are streamed from the archive, or mapped from the folder; arrays of Python objects are refused, because reading
them would run code.
"""

from __future__ import annotations

import math
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
from seatrial.parts.datasets._limits import ArrayLimits, beyond

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

GIVES = {"suffix": (".npz", ".npy")}


class Options(PartOptions):
    """Where the rows are."""

    path: str = Field(description="an .npz archive, a .npy file, or a folder of .npy files; from the study's folder")
    limits: ArrayLimits = Field(
        default=ArrayLimits(),
        description="what a file may ask for before it is refused; real rows pack 2 to 20 times, bombs 1,000 times",
    )


class _Header(NamedTuple):
    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype[Any]


_DAMAGED = "this can't be read as NumPy arrays"


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Array names with their types in words (`uint8 28x28`). Single numbers in an archive are no columns."""
    headers = _headers(_place(options, folder), options.limits)
    return {name: _columns.words(head.dtype, head.shape[1:]) for name, head in headers.items() if head.shape}


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named arrays in order, at most `rows` rows at a time. Raises `DataError` for unequal lengths and Python objects."""
    place = _place(options, folder)
    headers = _headers(place, options.limits)
    _columns.known(names, (name for name, head in headers.items() if head.shape), options.path)
    for name in names:
        _refuse_objects(name, headers[name], options.path)
    length = _columns.equally_long({name: headers[name].shape[0] for name in names}, options.path)
    _columns.some_rows(length, options.path)
    with _columns.reading(options.path, _DAMAGED), ExitStack() as stack:
        take = {name: _taker(place, name, headers[name], stack, options.limits) for name in names}
        for start, count in _columns.slices(length, rows):
            yield {name: _columns.plain(take[name](start, count)) for name in names}


def _refuse_objects(name: str, head: _Header, where: str) -> None:
    if head.dtype.hasobject:
        raise DataError(
            f"`{name}` holds Python objects; reading them would run code",
            where=where,
            next_step="where you trust the file, save the column again as numbers or text: "
            f"`column = np.load(FILE, allow_pickle=True)`, then `np.save('{name}.npy', column.astype(float))`",
        )


def _place(options: Options, folder: Path) -> Path:
    place = folder / options.path
    with _columns.reading(options.path[:200], "this path can't be followed"):
        whole_folder = place.is_dir()
    return place if whole_folder else _columns.files(options.path, folder, ".npz")[0]


def _headers(place: Path, limits: ArrayLimits) -> dict[str, _Header]:
    """The header of each array; none is read further."""
    with _columns.reading(str(place), _DAMAGED):
        if place.suffix == ".npz":
            with zipfile.ZipFile(place) as archive:
                return {name: _member(archive, name, limits) for name in _stems(archive.namelist())}
        found = _columns.inside(sorted(place.glob("*.npy")), place) if place.is_dir() else [place]
        if not found:
            raise DataError("there are no .npy files here", where=str(place))
        return {file.stem: _file(file, limits) for file in found}


def _stems(names: Sequence[str]) -> list[str]:
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def _file(file: Path, limits: ArrayLimits) -> _Header:
    with file.open("rb") as stream:
        return _header(stream, limits)


def _member(archive: zipfile.ZipFile, name: str, limits: ArrayLimits) -> _Header:
    """The header of a member, whose size must be what the header says."""
    with archive.open(f"{name}.npy") as stream:
        head = _header(stream, limits)
        expected = stream.tell() + math.prod(head.shape) * head.dtype.itemsize
    info = archive.getinfo(f"{name}.npy")
    if not head.dtype.hasobject and info.file_size != expected:
        raise ValueError(f"`{name}` has {info.file_size} bytes where its header promises {expected}")
    if info.file_size > max(limits.small, limits.growth * info.compress_size):
        what = f"`{name}` would unpack from {info.compress_size} to {info.file_size} bytes, as bombs do and rows don't"
        raise beyond(what, "growth", str(archive.filename), "save the rows without compression (`np.savez`)")
    return head


def _header(stream: IO[bytes], limits: ArrayLimits) -> _Header:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"arrays of format {version[0]}.{version[1]} (with named fields) are no columns")
    head = _Header(*readers[version](stream))
    if head.shape and not (min(head.shape) >= 0 and math.prod(head.shape[1:]) * head.dtype.itemsize <= limits.row):
        raise ValueError(
            f"its shape {head.shape} of {head.dtype} can't be true; a row has at most {limits.row} bytes (`limits: {{row: ...}}`)"
        )
    return head


def _taker(place: Path, name: str, head: _Header, stack: ExitStack, limits: ArrayLimits) -> Callable[[int, int], Array]:
    """A function that gives rows (start, count), asked in order."""
    if place.suffix != ".npz":
        file = place / f"{name}.npy" if place.is_dir() else place
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
        return lambda start, count: np.array(mapped[start : start + count])
    archive = stack.enter_context(zipfile.ZipFile(place))
    stream = stack.enter_context(archive.open(f"{name}.npy"))
    if head.columns_first and len(head.shape) > 1:
        if (size := math.prod(head.shape) * head.dtype.itemsize) > limits.whole:
            what = f"`{name}` is stored column first; {size} bytes would have to be read at once"
            raise beyond(what, "whole", place.name, "save it row first: `np.ascontiguousarray`")
        whole = np.lib.format.read_array(stream, allow_pickle=False)
        return lambda start, count: whole[start : start + count]
    _header(stream, limits)
    row = math.prod(head.shape[1:]) * head.dtype.itemsize
    return lambda _, count: _read(stream, count, row, head, f"{place.name}, `{name}`")


def _read(stream: IO[bytes], count: int, row: int, head: _Header, where: str) -> Array:
    data = stream.read(count * row)
    if len(data) != count * row:
        raise DataError("the archive ends before its last row", where=where)
    return np.frombuffer(data, head.dtype).reshape(count, *head.shape[1:])
