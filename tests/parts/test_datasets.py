"""Data sets: the exam for each, and the faults that real files have."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.errors import DataError
from seatrial.testing.datasets import exam, sample, write_npz


@pytest.mark.parametrize("part", catalog.parts("datasets").values(), ids=lambda part: part.name)
def test_sits_its_exam(part: PartInfo) -> None:
    if gone := catalog.absent(part):
        pytest.skip(f"{', '.join(gone)} isn't installed")
    if part.name == "feast":
        pytest.skip("its exam needs a feature repository: test_feast.py")
    exam(part)


def test_the_exam_fails_a_data_set_that_loses_rows() -> None:
    part = catalog.find("datasets", "npz")
    module = catalog.load(part)
    with pytest.MonkeyPatch.context() as patch:
        chunks = module.chunks
        patch.setattr(module, "chunks", lambda *given: list(chunks(*given))[:1])
        with pytest.raises(AssertionError, match="comes back"):
            exam(part)


def read(name: str, path: str, folder: Path, names: list[str], rows: int = 100) -> dict[str, Any]:
    module = catalog.load(catalog.find("datasets", name))
    pieces = list(module.chunks(module.Options(path=path), folder, names, rows))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}


# --- parquet --------------------------------------------------------------------------------------------------------------


def test_a_folder_and_a_pattern_are_the_files_in_order_of_name(tmp_path: Path) -> None:
    for name, values in (("b", [3, 4, 5]), ("a", [1, 2])):
        pl.DataFrame({"x": values}).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "notes.txt").write_text("no rows")
    for path in (".", "*.parquet", "[ab].parquet"):
        assert read("parquet", path, tmp_path, ["x"], rows=2)["x"].tolist() == [1, 2, 3, 4, 5]


def test_fixed_arrays_and_nested_lists_are_the_same_images(tmp_path: Path) -> None:
    images = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    fixed = pl.Series("fixed", images, dtype=pl.Array(pl.UInt8, (4, 3)))
    pl.DataFrame([fixed]).with_columns(
        lists=pl.Series(images.tolist(), dtype=pl.List(pl.List(pl.UInt8)))
    ).write_parquet(tmp_path / "x.parquet")
    got = read("parquet", "x.parquet", tmp_path, ["fixed", "lists"])
    assert np.array_equal(got["fixed"], images)
    assert np.array_equal(got["lists"], images)


def test_words_of_types(tmp_path: Path) -> None:
    frame = pl.DataFrame({"t": ["a"], "l": [[1.5]], "c": pl.Series(["x"], dtype=pl.Categorical)})
    frame.with_columns(i=pl.Series(np.zeros((1, 4, 3), np.uint8))).write_parquet(tmp_path / "x.parquet")
    module = catalog.load(catalog.find("datasets", "parquet"))
    assert module.columns(module.Options(path="x.parquet"), tmp_path) == {
        "t": "text",
        "l": "list of float64",
        "c": "text",
        "i": "uint8 4x3",
    }


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([1.0, None, None], "2 values are null, the first in row 1"),
        ([[1, 2], [3, 4], [5]], "lists hold 1 to 2 values"),
        ([[1, None], [3, 4], [5, 6]], "1 values are null"),
        ([[], [], []], "lists hold 0 to 0"),
        ([{"a": 1}, {"a": 2}, {"a": 3}], "columns of struct"),
    ],
)
def test_faults_in_a_needed_column_are_said_and_others_are_not_read(
    tmp_path: Path, column: list[Any], words: str
) -> None:
    pl.DataFrame({"good": [1, 2, 3], "bad": column}).write_parquet(tmp_path / "x.parquet")
    assert read("parquet", "x.parquet", tmp_path, ["good"])["good"].tolist() == [1, 2, 3]
    with pytest.raises(DataError, match=words) as caught:
        read("parquet", "x.parquet", tmp_path, ["bad"])
    assert "bad" in caught.value.where


def test_the_row_of_a_null_counts_over_chunks(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, 2, 3, None]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="row 3"):
        read("parquet", "x.parquet", tmp_path, ["x"], rows=1)


def test_no_rows_and_no_parquet(tmp_path: Path) -> None:
    pl.DataFrame({"x": []}).write_parquet(tmp_path / "empty.parquet")
    with pytest.raises(DataError, match="no rows"):
        read("parquet", "empty.parquet", tmp_path, ["x"])
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="can't be read as Parquet"):
        read("parquet", "cut.parquet", tmp_path, ["x"])
    with pytest.raises(DataError) as caught:
        read("parquet", "emty.parquet", tmp_path, ["x"])
    assert "empty.parquet" in caught.value.next_step


# --- npz ------------------------------------------------------------------------------------------------------------------


def test_a_folder_of_arrays_and_both_orders(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(4, 3)
    np.save(tmp_path / "row_first.npy", values)
    np.save(tmp_path / "column_first.npy", np.asfortranarray(values))
    np.save(tmp_path / "other_end.npy", values.astype(">f4"))
    got = read("npz", ".", tmp_path, ["row_first", "column_first", "other_end"], rows=3)
    assert all(np.array_equal(array, values) for array in got.values())
    assert got["other_end"].dtype == np.dtype("float32")
    np.savez(tmp_path / "x.npz", f=np.asfortranarray(values))
    assert np.array_equal(read("npz", "x.npz", tmp_path, ["f"], rows=3)["f"], values)


class Bomb:
    def __reduce__(self) -> Any:
        return (open, ("/nowhere/at/all", "w"))


def test_objects_are_refused_without_being_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([Bomb(), Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", bad=np.array([Bomb()], dtype=object), good=np.arange(3))
    assert read("npz", "x.npz", tmp_path, ["good"])["good"].tolist() == [0, 1, 2]
    for path, name in (("x.npz", "bad"), ("x.npy", "x")):
        with pytest.raises(DataError, match="Python objects"):
            read("npz", path, tmp_path, [name])
    (tmp_path / "y.npz").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match="can't be read"):
        read("npz", "y.npz", tmp_path, ["x"])


def test_unequal_lengths_and_single_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.arange(4), alone=5, none=np.zeros((0, 2)))
    with pytest.raises(DataError, match="`a` 3, `b` 4"):
        read("npz", "x.npz", tmp_path, ["a", "b"])
    with pytest.raises(DataError, match="no column `alone`"):
        read("npz", "x.npz", tmp_path, ["alone"])
    with pytest.raises(DataError, match="no rows"):
        read("npz", "x.npz", tmp_path, ["none"])


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**15, 4)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", stream.getvalue() + b"\0" * 64)
    with pytest.raises(DataError, match="promises"):
        read("npz", "x.npz", tmp_path, ["x"])


def test_a_damaged_archive(tmp_path: Path) -> None:
    write_npz(tmp_path, sample())
    whole = bytearray((tmp_path / "rows.npz").read_bytes())
    at = whole.index(b"list.npy") + 160
    whole[at : at + 40] = bytes(40)
    (tmp_path / "rows.npz").write_bytes(whole)
    with pytest.raises(DataError):
        read("npz", "rows.npz", tmp_path, ["list"])
