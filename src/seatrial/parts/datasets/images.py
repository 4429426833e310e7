"""Rows in image files: a folder whose subfolders are the labels, or a CSV list that names a file in each row.

Columns are `image` (height x width, or height x width x 3 for colour; uint8), `file`, and `label`, the name of the
subfolder; of a list all of its columns. All images have one size unless `size` is stated. Images are taken as they are
stored: they aren't turned by what the camera noted, and transparency is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.datasets import _columns
from seatrial.parts.datasets._delimited import Form, Sheet
from seatrial.parts.datasets._limits import PictureLimits
from seatrial.parts.datasets._pictures import Picture, decoded, inside, same

NEEDS = ("PIL",)
EXTRA = "images"
GIVES = {
    "suffix": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"),
    "columns": ("images", "numbers", "text"),
}
LISTS = (".csv", ".tsv")


class Options(PartOptions):
    """Where the images are, and the one form that all of them get."""

    path: str = Field(description="a folder of images or of subfolders that are the labels, or a CSV list of files")
    file: str = Field(default="file", description="column of the list that names the file, from the list's folder")
    size: tuple[int, int] | None = Field(
        default=None, description="[height, width] to which images are resized (bilinear)"
    )
    color: Literal["grey", "rgb"] | None = Field(
        default=None, description="turn all into grey or colour; as stored if left out"
    )
    limits: PictureLimits = Field(
        default=PictureLimits(), description="what a picture or list may ask for before it is refused"
    )


def naming(options: Options, folder: Path) -> tuple[str, ...]:
    """The columns that only name a row: of a folder the file, whose place says the label. A list's may tell where a row came from."""
    return () if _list(options, folder) else ("file",)


def columns(options: Options, folder: Path) -> dict[str, str]:
    """`image` with the size of the first (`uint8 28x28`), and the other columns."""
    if sheet := _list(options, folder):
        words = sheet.words() | {options.file: "text"}
        first = next(iter(sheet.chunks([options.file], 1)))[options.file][0]
        image = Picture((folder / options.path).parent, first)
    else:
        found = _walk(options, folder)
        image = Picture(folder / options.path, found[0])
        words = {"file": "text"} | ({"label": "text"} if "/" in found[0] else {})
    return {
        "image": _columns.words(np.dtype(np.uint8), decoded(image, options.limits, options.size, options.color).shape)
    } | words


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns in order; files are opened only for `image`. Raises `DataError` for images that can't or mustn't be read."""
    sheet = _list(options, folder)
    source = _listed(sheet, options, folder, names, rows) if sheet else _found(options, folder, names, rows)
    shape: tuple[int, ...] | None = None
    for images, others in source:
        if "image" in names:
            pixels = [decoded(image, options.limits, options.size, options.color) for image in images]
            shape = shape or pixels[0].shape
            for image, one in zip(images, pixels, strict=True):
                same(one.shape, shape, image)
            others["image"] = np.stack(pixels)
        yield {name: others[name] for name in names}


# --- which files ------------------------------------------------------------------------------------------------------------

_Source = Iterator[tuple[list[Picture], dict[str, Any]]]


def _list(options: Options, folder: Path) -> Sheet | None:
    if not options.path.endswith(LISTS):
        return None
    sheet = Sheet(
        _columns.files(options.path, folder, *LISTS), options.path, Form(text=(options.file,), limits=options.limits)
    )
    if "image" in sheet.names:
        step = "rename the column; `file` says which column names the files"
        raise DataError(
            "the list has a column `image`, which is what the images are called", where=options.path, next_step=step
        )
    return sheet


def _listed(sheet: Sheet, options: Options, folder: Path, names: Sequence[str], rows: int) -> _Source:
    root = (folder / options.path).parent
    _columns.known(names, ["image", *sheet.names], options.path)
    for piece in sheet.chunks([options.file, *(name for name in names if name not in ("image", options.file))], rows):
        yield [Picture(root, file) for file in piece[options.file]], dict(piece)


def _found(options: Options, folder: Path, names: Sequence[str], rows: int) -> _Source:
    found, root = _walk(options, folder), folder / options.path
    _columns.known(names, ["image", "file", *(["label"] if "/" in found[0] else [])], options.path)
    for start, count in _columns.slices(len(found), rows):
        files = found[start : start + count]
        labels = [file.split("/")[0] for file in files]
        yield (
            [Picture(root, file) for file in files],
            {"file": np.array(files, dtype=object), "label": np.array(labels, dtype=object)},
        )


def _walk(options: Options, folder: Path) -> list[str]:
    """Image files from the folder, in order of name: all in it, or all in its subfolders."""
    root = folder / options.path
    if not root.is_dir():
        step = "give a folder of images, or a list of them that ends in .csv"
        raise DataError("there is no folder of images", where=str(root), next_step=step)
    places = [root, *sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))]
    for place in places:
        inside(root, place.relative_to(root).as_posix())
    found = [
        sorted(one.relative_to(root).as_posix() for one in place.iterdir() if one.suffix.lower() in GIVES["suffix"])
        for place in places
    ]
    here, below = found[0], [file for files in found[1:] for file in files]
    if here and below:
        step = "keep them in subfolders, whose names are the labels, or list them in a CSV file"
        raise DataError("images lie both in the folder and in its subfolders", where=str(root), next_step=step)
    _columns.some_rows(len(here + below), str(root))
    return here or below
