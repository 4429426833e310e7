"""Arrays in files named by their content: written once, read in pieces, never unpickled."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from seatrial.contracts.messages import ArrayRef
from seatrial.errors import StoreError

if TYPE_CHECKING:
    from seatrial.contracts.values import Array


@contextlib.contextmanager
def written(folder: Path, suffix: str = "") -> Iterator[tuple[IO[bytes], list[Path]]]:
    """A file that appears whole or not at all: temporary, synchronised, renamed to the one path put into the list.

    Raises `StoreError` where the disk is full or the folder can't be written.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".partial-", suffix=suffix)
        target: list[Path] = []
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file, target
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(target[0])
            _synchronise(folder)
        finally:
            Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{folder} can't be written: {error.strerror or error}",
            next_step="check the disk's space and the folder's rights; what was measured is kept, and the next run goes on from there",
        ) from error


def save(folder: Path, array: Array) -> ArrayRef:
    """Keep one array; the same content is kept once."""
    return save_chunks(folder, iter([array]))


def save_chunks(folder: Path, chunks: Iterable[Array]) -> ArrayRef:
    """Keep an array that comes in pieces along its first axis, holding one piece in memory. Raises `ValueError` for none."""
    import numpy as np

    with written(folder, ".npy") as (file, target):
        digest, rows, first = hashlib.sha256(), 0, None
        for chunk in chunks:
            piece = np.ascontiguousarray(chunk)
            if first is None:
                first = piece[:0]
                file.write(_header(first.dtype, (0, *first.shape[1:])))
            elif piece.dtype != first.dtype or piece.shape[1:] != first.shape[1:]:
                raise ValueError(f"pieces differ: {first.dtype}{first.shape[1:]} and {piece.dtype}{piece.shape[1:]}")
            file.write(piece.tobytes())
            digest.update(piece.tobytes())
            rows += len(piece)
        if first is None:
            raise ValueError("there are no pieces to keep")
        shape = (rows, *first.shape[1:])
        header = _header(first.dtype, shape)
        file.seek(0)
        file.write(header)
        name = hashlib.sha256(header + digest.digest()).hexdigest()
        target.append(folder / f"{name}.npy")
    return ArrayRef(hash=name, path=str(folder / f"{name}.npy"), shape=shape, dtype=str(first.dtype))


def load(ref: ArrayRef, start: int = 0, stop: int | None = None) -> Array:
    """Rows `start` to `stop` of a kept array, read into memory (a memory map would count as the reader's own memory)."""
    import numpy as np

    stop = ref.shape[0] if stop is None else min(stop, ref.shape[0])
    row = math.prod(ref.shape[1:])
    dtype = np.dtype(ref.dtype)
    with Path(ref.path).open("rb") as file:
        offset = len(_header(dtype, ref.shape)) + start * row * dtype.itemsize
        flat = np.fromfile(file, dtype, (stop - start) * row, offset=offset)
    return flat.reshape(stop - start, *ref.shape[1:])


class Column:
    """A kept array that is read as far as it is asked for: a slice of rows, or rows by number."""

    PIECE = 1 << 20

    def __init__(self, ref: ArrayRef) -> None:
        self.ref = ref

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return self.ref.shape

    @property
    def dtype(self) -> Any:
        """As of an array."""
        import numpy as np

        return np.dtype(self.ref.dtype)

    @property
    def ndim(self) -> int:
        """As of an array."""
        return len(self.ref.shape)

    def __len__(self) -> int:
        return self.ref.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        """Rows of a slice without a step, or with these rising numbers."""
        import numpy as np

        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return load(self.ref, start, max(start, stop))
        found = []
        for start in range(0, len(self), self.PIECE):
            low, high = np.searchsorted(rows, [start, start + self.PIECE])
            if high > low:
                found.append(load(self.ref, start, start + self.PIECE)[rows[low:high] - start])
        return np.concatenate(found) if found else load(self.ref, 0, 0)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All of it."""
        whole = load(self.ref)
        return whole if dtype is None else whole.astype(dtype)

    def tolist(self) -> list[Any]:
        """All of it, as a list."""
        listed: list[Any] = load(self.ref).tolist()
        return listed


def pack(content: Any, folder: Path) -> Any:
    """JSON of nested dicts and lists in which each array is replaced by a reference to its file."""
    if isinstance(content, dict):
        return {key: pack(value, folder) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [pack(value, folder) for value in content]
    dimensions: int = getattr(content, "ndim", 0)
    if dimensions > 0:
        return {"$array": save(folder, content).model_dump()}
    return content.item() if hasattr(content, "item") else content


def unpack(content: Any) -> Any:
    """The reverse of `pack`."""
    if isinstance(content, dict):
        if "$array" in content:
            return load(ArrayRef(**content["$array"]))
        return {key: unpack(value) for key, value in content.items()}
    return [unpack(value) for value in content] if isinstance(content, list) else content


def refs(content: Any) -> Iterator[ArrayRef]:
    """The references to files in packed content."""
    if isinstance(content, dict):
        if "$array" in content:
            yield ArrayRef(**content["$array"])
        else:
            for value in content.values():
                yield from refs(value)
    elif isinstance(content, list):
        for value in content:
            yield from refs(value)


def _header(dtype: Any, shape: tuple[int, ...]) -> bytes:
    """A version 1.0 .npy header of 256 bytes, so that it can be written over when the number of rows is known."""
    text = repr({"descr": dtype.str, "fortran_order": False, "shape": shape})
    return b"\x93NUMPY\x01\x00" + (246).to_bytes(2, "little") + text.ljust(245).encode() + b"\n"


def _synchronise(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
