"""Pictures with boxes around things, as COCO writes them down: one JSON file, and a folder of images.

`from: {coco: {annotations: instances.json, images: pictures, size: [320, 320]}}`. A row is a picture, in the order of the file. Columns are
`image` (height x width x 3, uint8), `file`, `id`, `count`, and `boxes` (boxes x 7, float32): corner, width and height in pixels of the
image as it is given out, class, whether it is a crowd, area; rows with fewer boxes than the fullest are filled up with -1. In a
study of detection, say `boxes: {labels: xywh}` of the output.

Classes are places in the list of categories by their ids, as most detectors number them, or the ids themselves (`classes: id`).
https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.datasets import _columns
from seatrial.parts.datasets._limits import BoxLimits, beyond
from seatrial.parts.datasets._pictures import Picture, decoded, same

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

NEEDS = ("PIL",)
EXTRA = "images"
GIVES = {"known": (".json",), "boxes": ("xywh",)}
CANNOT = {
    "segments, key points, captions": ("not yet ours", "boxes alone are read"),
    "pictures turned by the camera": ("never", "boxes are written for the picture as it is stored"),
}
COLUMNS = {"image": "", "file": "text", "id": "int64", "count": "int64", "boxes": ""}
WIDTH, NONE = 7, -1.0
_PIECE = 1 << 20


class Options(PartOptions):
    """Where they are, and the one size that all pictures get."""

    annotations: str = Field(description="the JSON file, from the study's folder")
    images: str = Field(description="the folder that `file_name` counts from")
    size: tuple[int, int] | None = Field(
        default=None,
        description="[height, width] to which pictures are resized, their boxes with them; needed where sizes differ",
    )
    classes: Literal["place", "id"] = Field(
        default="place", description="classes as places in the list of categories by id, or as their ids"
    )
    limits: BoxLimits = Field(
        default=BoxLimits(), description="what the file, a picture and its boxes may ask for before they are refused"
    )


class _Row(NamedTuple):
    """A picture as the file describes it, and its boxes (boxes x 7) in its own pixels."""

    id: int
    file: str
    size: tuple[int, int]
    boxes: Array


def known(path: Path) -> bool:
    """Whether this JSON file is COCO's, by the three words that each has. Reads it in pieces and parses nothing."""
    wanted, last = {b'"images"', b'"annotations"', b'"categories"'}, b""
    with path.open("rb") as file:
        while wanted and (piece := file.read(_PIECE)):
            wanted -= {word for word in wanted if word in last + piece}
            last = piece[-20:]
    return not wanted


def ways(path: Path, shapes: Sequence[Sequence[int | None]]) -> list[dict[str, Any]]:
    """Options that read the file, then others worth a try, for a model whose inputs have these shapes a row.

    Pictures are looked for beside the file and beside its folder; they get the size that the model takes. Raises `DataError` where
    they aren't there.
    """
    with _columns.reading(str(path), "this can't be read as COCO's JSON"):
        images = [
            (str(one["file_name"]), (int(one["height"]), int(one["width"])))
            for one in json.loads(path.read_bytes())["images"]
        ]
    _columns.some_rows(len(images), str(path))
    names = (".", "images", path.stem, path.stem.removeprefix("instances_"))
    folders = [(base / name).resolve() for base in (path.parent, path.parent.parent) for name in names]
    root = next((one for one in folders if (one / images[0][0]).is_file()), None)
    if root is None:
        raise DataError(
            f"the picture {images[0][0]} isn't there",
            where=str(path),
            next_step=f"put the pictures beside the file, in one of the folders: {', '.join(names)}",
        )
    given: dict[str, Any] = {"annotations": path, "images": root}
    asked = next((size for shape in shapes if (size := _size(shape))), None)
    if asked and {size for _, size in images} != {asked}:
        given["size"] = asked
    return [given, given | {"classes": "id"}]


def _size(shape: Sequence[int | None]) -> tuple[int, int] | None:
    """[height, width] of an input of one colour picture; None where it takes any size, or isn't one."""
    if len(shape) != 3 or 3 not in (shape[0], shape[2]):
        return None
    height, width = shape[1:] if shape[0] == 3 else shape[:2]
    return (height, width) if height and width else None


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Column names with their types; the sizes are those of the first picture and of the fullest."""
    rows = _rows(options, folder)
    height, width = options.size or rows[0].size
    return COLUMNS | {"image": f"uint8 {height}x{width}x3", "boxes": f"float32 {_most(rows)}x{WIDTH}"}


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns in order; pictures are opened only for `image`. Raises `DataError`."""
    _columns.known(names, COLUMNS, options.annotations)
    found = _rows(options, folder)
    most, root = _most(found), folder / options.images
    for start, count in _columns.slices(len(found), rows):
        part = found[start : start + count]
        yield {name: _column(name, part, most, root, options) for name in names}


def _column(name: str, rows: Sequence[_Row], most: int, root: Path, options: Options) -> Any:
    if name == "image":
        return np.stack([_pixels(row, root, options) for row in rows])
    if name == "boxes":
        return np.stack([_placed(row, most, options) for row in rows])
    if name == "file":
        return np.array([row.file for row in rows], dtype=object)
    return np.array([row.id if name == "id" else len(row.boxes) for row in rows])


def _pixels(row: _Row, root: Path, options: Options) -> Any:
    picture = Picture(root, row.file)
    stored = decoded(picture, options.limits, options.size, "rgb")
    if options.size is None:
        same(stored.shape[:2], row.size, picture)  # boxes of another picture would lie wherever
    return stored


def _placed(row: _Row, most: int, options: Options) -> Any:
    """The boxes in pixels of the image that is given out, filled up with -1."""
    height, width = (wanted / own for wanted, own in zip(options.size or row.size, row.size, strict=True))
    made = np.full((most, WIDTH), NONE, np.float32)
    made[: len(row.boxes)] = row.boxes * np.array([width, height, width, height, 1, 1, width * height])
    return made


def _most(rows: Sequence[_Row]) -> int:
    """Boxes of the fullest picture; one where there are none at all, so that there is a column."""
    return max(1, *(len(row.boxes) for row in rows))


def _rows(options: Options, folder: Path) -> list[_Row]:
    file = folder / options.annotations
    if not file.is_file():
        step = "name the JSON file with `images`, `annotations` and `categories`"
        raise DataError("there is no such file of annotations", where=str(file), next_step=step)
    stat = file.stat()
    if stat.st_size > options.limits.file:
        raise beyond(f"the file of annotations has {stat.st_size} bytes", "file", str(file))
    return _read(file, options, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=4)
def _read(file: Path, options: Options, state: tuple[int, int]) -> list[_Row]:
    """Every picture with its boxes; kept while the file stays as it is (`state`)."""
    with _columns.reading(str(file), "this can't be read as COCO's JSON"):
        told = json.loads(file.read_bytes())
        ids = sorted(int(one["id"]) for one in told["categories"])
        number = {one: float(one if options.classes == "id" else place) for place, one in enumerate(ids)}
        boxes: dict[int, list[list[float]]] = defaultdict(list)
        for one in told["annotations"]:
            mine = boxes[int(one["image_id"])]
            if len(mine) == options.limits.boxes:
                what = f"the image {one['image_id']} has more than {options.limits.boxes} boxes"
                raise beyond(what, "boxes", str(file))
            mine.append(_box(one, number, str(file)))
        found = [_row(one, boxes) for one in told["images"]]
    _columns.some_rows(len(found), str(file))
    if lost := set(boxes) - {row.id for row in found}:
        raise DataError(f"boxes name the image {min(lost)}, which isn't listed", where=str(file))
    if options.size is None and len(sizes := {row.size for row in found}) > 1:
        (one, other), step = sorted(sizes)[:2], "state `size: [height, width]`"
        raise DataError(f"pictures have different sizes ({one} and {other})", where=str(file), next_step=step)
    return found


def _row(one: dict[str, Any], boxes: dict[int, list[list[float]]]) -> _Row:
    number = int(one["id"])
    held = np.array(boxes.get(number, []), np.float64).reshape(-1, WIDTH)
    return _Row(number, str(one["file_name"]), (int(one["height"]), int(one["width"])), held)


def _box(one: dict[str, Any], number: dict[int, float], where: str) -> list[float]:
    """Corner, size, class, crowd and area of one annotation."""
    corner = [float(value) for value in one["bbox"]]
    if len(corner) != 4 or not np.isfinite(corner).all() or min(corner[2:]) < 0:
        raise DataError(f"the box {corner} is none: x, y, width and height are wanted", where=where)
    kind = int(one["category_id"])
    if kind not in number:
        raise DataError(f"the category {kind} isn't listed", where=where, next_step="add it to `categories`")
    area = float(one.get("area", corner[2] * corner[3]))
    return [*corner, number[kind], float(bool(one.get("iscrowd", 0))), area]
