"""Boxes in pictures: COCO's JSON, boxes that go along when pictures are resized, and lists of unequal length in tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from seatrial import catalog
from seatrial.errors import DataError

IMAGES = [
    {"id": 7, "file_name": "wide.png", "width": 40, "height": 20},
    {"id": 3, "file_name": "tall.png", "width": 10, "height": 30},
]
CATEGORIES = [{"id": 90, "name": "dog"}, {"id": 17, "name": "cat"}]
BOXES = [
    {"image_id": 7, "category_id": 90, "bbox": [4, 2, 10, 6], "area": 60, "iscrowd": 0},
    {"image_id": 7, "category_id": 17, "bbox": [0, 0, 40, 20], "area": 700, "iscrowd": 1},
]


def written(folder: Path, **changed: Any) -> Path:
    for one in IMAGES:
        Image.new("RGB", (one["width"], one["height"]), (9, 90, 200)).save(folder / str(one["file_name"]))
    told = {"images": IMAGES, "annotations": BOXES, "categories": CATEGORIES} | changed
    (folder / "boxes.json").write_text(json.dumps(told))
    return folder


def read(folder: Path, *names: str, **options: Any) -> dict[str, Any]:
    part = catalog.find("datasets", "coco")
    given = catalog.options(part, {"annotations": "boxes.json", "images": ".", **options})
    (chunk,) = catalog.load(part).chunks(given, folder, names, 10)
    return dict(chunk)


def test_boxes_are_scaled_with_their_picture(tmp_path: Path) -> None:
    got = read(written(tmp_path), "image", "boxes", "file", "id", "count", size=[20, 20])
    assert got["image"].shape == (2, 20, 20, 3)
    assert got["file"].tolist() == ["wide.png", "tall.png"]
    assert (got["id"].tolist(), got["count"].tolist()) == ([7, 3], [2, 0])
    assert got["boxes"][0].tolist() == [[2, 2, 5, 6, 1, 0, 30], [0, 0, 20, 20, 0, 1, 350]]
    assert (got["boxes"][1] == -1).all()


def test_classes_are_places_in_the_list_by_id_or_the_ids(tmp_path: Path) -> None:
    assert read(written(tmp_path), "boxes", size=[20, 20])["boxes"][0, :, 4].tolist() == [1, 0]
    assert read(tmp_path, "boxes", size=[20, 20], classes="id")["boxes"][0, :, 4].tolist() == [90, 17]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "different sizes"),
        ({"annotations": [{**BOXES[0], "image_id": 8}]}, "the image 8, which isn't listed"),
        ({"annotations": [{**BOXES[0], "category_id": 5}]}, "the category 5 isn't listed"),
        ({"annotations": [{**BOXES[0], "bbox": [1, 2, -3, 4]}]}, "width and height are wanted"),
        ({"annotations": [{**BOXES[0], "bbox": [1, 2, float("nan"), 4]}]}, "width and height are wanted"),
        ({"images": []}, "no rows|isn't listed"),
        ({"categories": "none"}, "can't be read as COCO"),
    ],
)
def test_what_does_not_hold_together_is_told(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(written(tmp_path, **changed), "boxes")
    assert "boxes.json" in caught.value.where


def test_boxes_and_bytes_beyond_the_limits_are_refused_and_limits_can_be_set(tmp_path: Path) -> None:
    written(tmp_path, annotations=BOXES * 3)
    assert read(tmp_path, "count", size=[20, 20], limits={"boxes": 6})["count"].tolist() == [6, 0]
    with pytest.raises(DataError, match="the image 7 has more than 5 boxes") as caught:
        read(tmp_path, "count", size=[20, 20], limits={"boxes": 5})
    assert "`limits: {boxes: ...}`" in caught.value.next_step
    size = (tmp_path / "boxes.json").stat().st_size
    assert read(tmp_path, "count", size=[20, 20], limits={"file": size})
    with pytest.raises(DataError, match=f"annotations has {size} bytes") as caught:
        read(tmp_path, "count", size=[20, 20], limits={"file": size - 1})
    assert "`limits: {file: ...}`" in caught.value.next_step


def test_a_picture_of_a_million_boxes_is_refused_before_room_is_made(tmp_path: Path) -> None:
    written(tmp_path, annotations=[BOXES[0]] * 5_001)
    with pytest.raises(DataError, match="more than 5000 boxes"):
        read(tmp_path, "boxes", size=[20, 20])


@pytest.mark.parametrize("secret", ["ingrid.solheim@example.org", "4539 1488 0343 6467", "+47 22 85 50 50"])
@pytest.mark.parametrize("at", ["bbox", "category_id", "image_id", "area"])
def test_what_a_file_holds_in_the_wrong_place_is_not_quoted(tmp_path: Path, at: str, secret: str) -> None:
    changed = {**BOXES[0], at: [secret, 1, 2, 3] if at == "bbox" else secret}
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, annotations=[changed]), "boxes", size=[20, 20])
    assert secret not in str(caught.value) + caught.value.next_step


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": [], "annotations": ' + "[" * 5_000 + "]" * 5_000])
def test_nests_without_end_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(DataError, match="can't be read as COCO"):
        read(tmp_path, "count")


def test_a_picture_of_another_size_than_its_boxes_were_drawn_in_is_refused(tmp_path: Path) -> None:
    written(tmp_path, images=[{**IMAGES[0], "width": 41}])
    with pytest.raises(DataError, match="the image is"):
        read(tmp_path, "image")
    outside = written(tmp_path, images=[{**IMAGES[0], "file_name": "../wide.png"}])
    with pytest.raises(DataError, match="out of the folder"):
        read(outside, "image")


# --- lists of unequal length ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_lists_are_filled_up_to_the_longest_of_all_rows(tmp_path: Path, name: str) -> None:
    boxes = [[[1.0, 2, 3, 4, 0]], [], [[5.0, 6, 7, 8, 1], [9.0, 9, 9, 9, 0]]]
    frame = pl.DataFrame({"boxes": boxes, "tags": [[1], [2, 3], [4]], "x": [1, 2, 3]})
    file = tmp_path / f"rows.{name}"
    (frame.write_parquet if name == "parquet" else frame.write_ipc)(file)
    part = catalog.find("datasets", name)
    options = catalog.options(part, {"path": file.name, "fill": {"boxes": -1, "tags": 0}})
    for rows in (1, 2, 3):
        pieces = list(catalog.load(part).chunks(options, tmp_path, ["boxes", "tags"], rows))
        whole = {column: np.concatenate([piece[column] for piece in pieces]) for column in ("boxes", "tags")}
        assert whole["tags"].tolist() == [[1, 0], [2, 3], [4, 0]]
        assert whole["boxes"].shape == (3, 2, 5)
        assert whole["boxes"][0].tolist() == [[1, 2, 3, 4, 0], [-1] * 5]
        assert (whole["boxes"][1] == -1).all()
        assert whole["boxes"][2].tolist() == boxes[2]


def test_without_a_filling_the_error_says_how_and_a_filling_for_what_is_no_list_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"tags": [[1], [2, 3]], "x": [1, 2]}).write_parquet(tmp_path / "rows.parquet")
    part = catalog.find("datasets", "parquet")
    for given, words in (
        ({}, "equally long"),
        ({"fill": {"x": 0}}, "no lists to fill up"),
        ({"fill": {"y": 0}}, "no column `y`"),
    ):
        options = catalog.options(part, {"path": "rows.parquet", **given})
        with pytest.raises(DataError, match=words) as caught:
            list(catalog.load(part).chunks(options, tmp_path, ["x" if given else "tags"], 10))
    assert caught.value.next_step
