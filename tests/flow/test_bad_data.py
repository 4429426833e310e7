"""Bad data through a real study: each fault is said with its place, its number and the next step; good data is quiet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_study import STUDY, make

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.errors import DataError
from seatrial.flow.read import read
from seatrial.flow.rows import ModelRows, check_fit, prepare

COLUMNS = ("a", "b", "c", "d")
TABLE = STUDY.replace("columns: x", "columns: [a, b, c, d]").replace(
    "{npz: {path: rows.npz}}", "{csv: {path: rows.csv}}"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small study on a CSV file of 400 rows."""
    make(tmp_path, TABLE)
    stored = np.load(tmp_path / "rows.npz")
    names = np.array(["red", "green", "blue"])[stored["label"]]
    frame = pl.DataFrame({name: stored["x"][:, at].astype(float) for at, name in enumerate(COLUMNS)})
    frame.with_columns(label=pl.Series(names.tolist()), user=pl.lit("ann")).write_csv(tmp_path / "rows.csv")
    return tmp_path


def prepared(folder: Path, *changes: tuple[str, str]) -> ModelRows:
    """The rows of the study as it stands in its file, after changes that must each have hit."""
    file, text = folder / "study.yaml", TABLE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    source = read(file)
    made = prepare(source.study, source.folder, "linear", folder / "cache")
    subject = catalog.find("subjects", "onnx")
    artefact: Artefact = catalog.load(subject).read(catalog.options(subject, {"path": "linear.onnx"}), folder)
    check_fit(made.evaluation, artefact.signature)
    return made


def refused(folder: Path, *changes: tuple[str, str]) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(folder, *changes)
    assert caught.value.where, "an error says where"
    return caught.value


def spoil(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of the file: the first is the header."""
    file = folder / "rows.csv"
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")


def test_good_rows_are_quiet(folder: Path) -> None:
    made = prepared(folder)
    assert made.evaluation.n == 400
    assert made.problems == ()
    stored = np.load(folder / "rows.npz")
    assert made.evaluation.labels is not None
    assert np.array_equal(made.evaluation.labels, stored["label"])


def test_csv_arrow_and_parquet_of_one_table_are_the_same_rows(folder: Path) -> None:
    frame = pl.read_csv(folder / "rows.csv")
    frame.write_ipc(folder / "rows.arrow")
    frame.write_parquet(folder / "rows.parquet")
    first = prepared(folder).evaluation.rows_hash
    for part in ("arrow", "parquet"):
        change = ("{csv: {path: rows.csv}}", f"{{{part}: {{path: rows.{part}}}}}")
        assert prepared(folder, change).evaluation.rows_hash == first


@pytest.mark.parametrize(("old", "new"), [("[a, b, c, d]", "[a, b, c, dd]"), ("label: label", "label: lable")])
def test_a_missing_column_comes_with_the_nearest(folder: Path, old: str, new: str) -> None:
    error = refused(folder, (old, new))
    assert "there is no column" in error.what
    assert "data `evaluation`, rows.csv" in error.where
    assert error.next_step in ("did you mean `d`?", "did you mean `label`?")


def test_mixed_types_name_column_and_line(folder: Path) -> None:
    spoil(folder, lambda lines: [*lines[:41], lines[41].replace(lines[41].split(",")[0], "?"), *lines[42:]])
    error = refused(folder)
    assert error.where == "data `evaluation`, rows.csv, column `a`"
    assert "1 text, the first in line 42" in error.what
    assert "`nulls`" in error.next_step


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_missing_labels_are_counted(folder: Path, kind: str) -> None:
    labels: Any = np.array([0.0, 1.0, 2.0, 1.0] * 100)
    labels[[7, 30, 31]] = np.nan
    x = np.random.default_rng(0).normal(size=(400, 4))
    if kind == "csv":
        frame = pl.DataFrame({name: x[:, at] for at, name in enumerate(COLUMNS)}).with_columns(label=labels)
        frame.write_csv(folder / "rows.csv")
        error = refused(folder)
    else:
        np.savez(folder / "nan.npz", x=x, label=labels)
        columns = ("columns: [a, b, c, d]", "columns: x")
        error = refused(folder, columns, ("{csv: {path: rows.csv}}", "{npz: {path: nan.npz}}"))
    assert "3 of 400 labels are missing (not a number), the first in row 7" in error.what
    assert error.where == "data `evaluation`, column `label`"
    assert "leave those rows out" in error.next_step


def test_empty_labels_are_counted_too(folder: Path) -> None:
    empty = pl.when(pl.int_range(pl.len()) >= 390).then(None).otherwise(pl.col("label")).alias("label")
    frame = pl.read_csv(folder / "rows.csv").with_columns(empty)
    frame.write_csv(folder / "rows.csv")
    assert "10 cells are empty, the first in line 392" in refused(folder).what
    frame.write_parquet(folder / "rows.parquet")
    error = refused(folder, ("{csv: {path: rows.csv}}", "{parquet: {path: rows.parquet}}"))
    assert "10 values are null, the first in row 390 of 400" in error.what
    assert "leave those rows out" in error.next_step


def test_unknown_classes_are_named(folder: Path) -> None:
    error = refused(folder, ("classes: [red, green, blue]", "classes: [red, green, bleu]"))
    assert "labels are no class: `blue`" in error.what
    assert error.next_step == "did you mean `bleu`?"


@pytest.mark.parametrize("left", [0, 1])
def test_no_rows(folder: Path, left: int) -> None:
    spoil(folder, lambda lines: lines[:left] or [""])
    assert "there are no rows" in refused(folder).what


@pytest.mark.parametrize(("columns", "given"), [("[a, b, c]", 3), ("[a, b, c, d, a]", 5)])
def test_a_wrong_number_of_features(folder: Path, columns: str, given: int) -> None:
    error = refused(folder, ("[a, b, c, d]", columns))
    assert f"the model takes rows of 4, the study gives {given}" in error.what
    assert "exactly the features" in error.next_step


def test_a_column_of_text_is_no_input(folder: Path) -> None:
    error = refused(folder, ("[a, b, c, d]", "[a, b, c, user]"))
    assert "the column `user` holds text; a tensor takes numbers" in error.what
    assert "store it as the numbers" in error.next_step


def ranged(folder: Path, values: Any, scale: str = "") -> tuple[str, ...]:
    labels = np.arange(len(values)) % 3
    np.savez(folder / "ranged.npz", x=values, label=labels)
    return prepared(
        folder,
        ("columns: [a, b, c, d]", f"columns: x{scale}"),
        ("{csv: {path: rows.csv}}", "{npz: {path: ranged.npz}}"),
    ).problems


def test_a_wrong_range_is_named_as_the_likely_cause(folder: Path) -> None:
    random = np.random.default_rng(0)
    stored, divided = random.integers(0, 256, (60, 4), dtype=np.uint8), ", scale: {divide: 255}"
    (unscaled,) = ranged(folder, stored)
    assert "runs from 0 to 255 and no `scale` is stated" in unscaled
    assert "likely cause" in unscaled
    (twice,) = ranged(folder, stored / 255, divided)
    assert "runs from 0 to 1 before `scale` divides it by 255" in twice
    assert "likely cause" in twice
    assert ranged(folder, stored, divided) == ()
    assert ranged(folder, stored / 255) == ()
    assert ranged(folder, random.normal(size=(60, 4)), ", scale: {divide: 2}") == ()


def test_images_are_judged_by_their_folders(folder: Path) -> None:
    from PIL import Image

    for number, label in enumerate(["red", "green", "blue"] * 4):
        (folder / "pictures" / label).mkdir(parents=True, exist_ok=True)
        pixels = np.full((2, 2), 20 * number, np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / label / f"{number}.png")
    flat = "columns: image, shape: [4], scale: {divide: 255}"
    change = ("{csv: {path: rows.csv}}", "{images: {path: pictures}}")
    made = prepared(folder, ("columns: [a, b, c, d]", flat), change)
    assert made.evaluation.labels is not None
    assert made.evaluation.labels.tolist() == [2] * 4 + [1] * 4 + [0] * 4
