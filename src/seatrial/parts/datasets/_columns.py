"""What data sets share: files by path, glob or folder; names of columns; rows in chunks."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.shown import shown
from seatrial.errors import DataError


def files(path: str, folder: Path, *suffixes: str) -> list[Path]:
    """The files that a path, a glob or a folder means, in order of name. Raises `DataError` where there are none."""
    whole = folder / path
    if "**" in path:
        raise DataError(f"`**` in {path} would look through all folders", where=str(whole), next_step="use `*`")
    with reading(path[:200], "this path can't be followed"):  # too long, or with characters that no path has
        found = _meant(whole, path, suffixes)
    if not found:
        odd = whole.exists() and not whole.is_dir()
        what = f"{path} is a pipe, a device or a socket" if odd else f"there is no data at {path}"
        raise DataError(what, where=str(whole), next_step=_beside(whole, suffixes))
    return found


def _meant(whole: Path, path: str, suffixes: Sequence[str]) -> list[Path]:
    if whole.is_dir():
        return inside(sorted(file for file in whole.iterdir() if file.suffix in suffixes and file.is_file()), whole)
    if any(mark in path for mark in "*?["):
        base = Path(whole.anchor)
        fixed = Path(*itertools.takewhile(lambda part: not any(mark in part for mark in "*?["), whole.parts))
        return inside(
            sorted(file for file in base.glob(str(whole.relative_to(base))) if file.is_file()),
            fixed,
        )
    return [whole] if whole.is_file() else []


def inside(found: Sequence[Path], root: Path) -> list[Path]:
    """Files that were met in a folder, not named: none of them may be a link that leads out of it. Raises `DataError`."""
    real = root.resolve()
    for file in found:
        if not file.resolve().is_relative_to(real):
            raise DataError(
                f"{file.name} is a symbolic link that leads out of the folder",
                where=str(root),
                next_step="copy the file into the folder, or name the file itself",
            )
    return list(found)


@contextlib.contextmanager
def reading(where: str, what: str) -> Iterator[None]:
    """Whatever a reader of files raises here becomes a `DataError`: a damaged or hostile file can make it raise anything."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        step = "name a file, and look at its rights" if error.errno else "copy or save the file again"
        raise DataError(f"{what}: {error.strerror or _first_line(error)}", where=where, next_step=step) from error
    except Exception as error:  # zlib, tokenize, zipfile, recursion, memory and more
        raise DataError(
            f"{what}: {_first_line(error)}", where=where, next_step="copy or save the file again"
        ) from error


_QUOTED = re.compile(r"""(['"`])(.*?)\1|\S*@\S*""")


def _first_line(error: Exception) -> str:
    """What a reader says, in which what it quotes from a row is told by its form where it may be somebody's."""
    said = next(iter(str(error).splitlines()), "") or type(error).__name__
    return _QUOTED.sub(lambda found: f"{found[1] or ''}{shown(found[2] or found[0])}{found[1] or ''}", said)[:200]


def known(names: Sequence[str], columns: Iterable[str], where: str) -> None:
    """Raises `DataError`, with the nearest name, unless all named columns are there. Nearest among the first thousand: tables can be wide."""
    there = columns if isinstance(columns, list) else list(columns)
    all_of_them = set(there) if len(names) > 1 else there
    if not names:
        step = f"its columns are: {', '.join(there[:20])}" if there else "name another file"
        raise DataError("there is no column to read", where=where, next_step=step)
    for name in names:
        if name not in all_of_them:
            near = difflib.get_close_matches(name, there[:1000], n=1, cutoff=0.5)
            step = f"did you mean `{near[0]}`?" if near else f"its columns are: {', '.join(there[:20])}"
            raise DataError(f"there is no column `{name}`", where=where, next_step=step)


def some_rows(rows: int, where: str) -> int:
    """The number of rows, which is not zero. Raises `DataError`."""
    if rows == 0:
        raise DataError("there are no rows", where=where)
    return rows


def words(dtype: np.dtype[Any], shape: Sequence[int]) -> str:
    """The type of a column in words: `uint8 28x28`, `int64`, `text`."""
    name = "text" if dtype.kind in "USOT" else "datetime" if dtype.kind in "mM" else str(dtype)
    return f"{name} {'x'.join(map(str, shape))}" if shape else name


def plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Contiguous, in this machine's byte order, and text as Python strings."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "U":
        return array.astype(object)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)


def slices(rows: int, most: int) -> Iterator[tuple[int, int]]:
    """(start, count) of each chunk of at most `most` rows."""
    for start in range(0, rows, most):
        yield start, min(most, rows - start)


def equally_long(lengths: Mapping[str, int], where: str) -> int:
    """The one length that all columns have. Raises `DataError`."""
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"`{name}` {length}" for name, length in lengths.items())
        raise DataError(f"columns have different numbers of rows: {told}", where=where)
    return next(iter(lengths.values()))


def _beside(path: Path, suffixes: Sequence[str]) -> str:
    files = path.parent.iterdir() if path.parent.is_dir() else ()
    near = difflib.get_close_matches(path.name, sorted(file.name for file in files if file.suffix in suffixes), 1, 0.5)
    kind = " or ".join(suffixes)
    return (
        f"did you mean `{near[0]}`?"
        if near
        else f"give a {kind} file, a folder of them, or a pattern like *{suffixes[0]}"
    )
