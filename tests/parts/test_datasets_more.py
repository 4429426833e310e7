"""CSV, Arrow and image folders: what they read, what they refuse and where they say it is, and that chunks are bounded."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from seatrial import catalog
from seatrial.errors import DataError
from seatrial.flow._look import by_suffix
from seatrial.parts.datasets import _columns, _records


def columns(part: str, folder: Path, **options: Any) -> dict[str, str]:
    info = catalog.find("datasets", part)
    return dict(catalog.load(info).columns(catalog.options(info, options), folder))


def read(part: str, folder: Path, names: list[str], rows: int = 100, **options: Any) -> dict[str, Any]:
    info = catalog.find("datasets", part)
    pieces = list(catalog.load(info).chunks(catalog.options(info, options), folder, names, rows))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}


def refused(part: str, folder: Path, names: list[str], **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(part, folder, names, **options)
    return caught.value


# --- csv --------------------------------------------------------------------------------------------------------------------


def rows_csv(folder: Path, text: str | bytes, name: str = "rows.csv") -> None:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def test_a_wide_table_is_searched_for_near_names_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setattr(
        _columns.difflib, "get_close_matches", lambda word, words, **_: looked.append(len(words)) or words[:1]
    )
    names = [f"column_{number}" for number in range(100_000)]
    for asked in (["colum_7"], ["column_9", "colum_7"]):
        with pytest.raises(DataError, match="there is no column `colum_7`") as error:
            _columns.known(asked, names, "rows.csv")
        assert "did you mean `column_0`" in str(error.value.next_step)
    assert max(looked) <= 1000
    _columns.known(["column_99999"], iter(names), "rows.csv")


def test_cells_as_people_write_them(tmp_path: Path) -> None:
    text = '\ufeffwhole;number;sure;words\r\n+1;1,5;true;"a;\nb ""c"""\r\n\r\n 2;nan;FALSE;é\r\n'
    rows_csv(tmp_path, text)
    for rows in (1, 2):
        got = read("csv", tmp_path, ["whole", "number", "sure", "words"], rows, path="rows.csv", decimal=",")
        assert got["whole"].tolist() == [1, 2]
        assert got["number"][0] == 1.5
        assert np.isnan(got["number"][1])
        assert got["sure"].tolist() == [True, False]
        assert got["words"].tolist() == ['a;\nb "c"', "é"]


def test_thousands_are_not_guessed(tmp_path: Path) -> None:
    rows_csv(tmp_path, "x;y\n1.234;1\n1,5;2\n")
    assert "mixed" in str(refused("csv", tmp_path, ["x"], path="rows.csv", decimal=","))
    assert "mixed" in str(refused("csv", tmp_path, ["x"], path="rows.csv"))


@pytest.mark.parametrize("separator", ["", '"', ",,", "a", "\n", "é"])
def test_separators_that_are_none(tmp_path: Path, separator: str) -> None:
    rows_csv(tmp_path, "x\n1\n")
    with pytest.raises(ValueError, match="separator"):
        read("csv", tmp_path, ["x"], path="rows.csv", separator=separator)


def test_the_type_of_a_column_is_that_of_all_its_cells_in_all_files(tmp_path: Path) -> None:
    rows_csv(tmp_path, "x,zip\n1,02139\n", "a.csv")
    rows_csv(tmp_path, "x,zip\n2.5,10115\n", "b.csv")
    got = read("csv", tmp_path, ["x", "zip"], rows=1, path="*.csv", text=["zip"])
    assert got["x"].tolist() == [1.0, 2.5]
    assert got["zip"].tolist() == ["02139", "10115"]
    rows_csv(tmp_path, "x,zpi\n2,3\n", "c.csv")
    assert "c.csv has other columns than a.csv" in str(refused("csv", tmp_path, ["x"], path="*.csv"))


def test_mixed_types_name_column_and_line(tmp_path: Path) -> None:
    lines = [f'{row},{"n/a" if row in (70, 90) else row / 4},"two\nlines"' for row in range(100)]
    rows_csv(tmp_path, "id,width,note\n" + "\n".join(lines) + "\n")
    error = refused("csv", tmp_path, ["width"], path="rows.csv")
    assert "`width`" in error.where
    assert "mixed" in error.what
    assert "2 text, the first in line 142" in error.what, "records of two lines, after a header"
    assert "n/a" not in str(error), "what stands in a cell stays there"
    assert read("csv", tmp_path, ["id"], path="rows.csv")["id"].tolist() == list(range(100))
    error = refused("csv", tmp_path, ["width"], path="rows.csv", nulls=["n/a"])
    assert "2 cells are empty, the first in line 142" in error.what
    assert read("csv", tmp_path, ["width"], path="rows.csv", text=["width"])["width"][70] == "n/a"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, the first line 2"),
        (b"a,b\n1,\xff\n", "line 2 is no UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1 is no UTF-8 text"),
        (b"a,b\n1,2\0\n", "line 2 holds zero bytes"),
        (b"a,b\n", "there are no rows"),
        (b"", "the file is empty"),
        (b'a,b\n1,"2\n3,4\n', "the quotation mark in line 2 is never closed"),
        (b"a\rb,c\n1,2\n", "line 1 can't be split into cells"),
        (b"a,a\n1,2\n", "the column `a` stands twice"),
        (b"a,b\n1,true\n2,3\n", "numbers and words are mixed"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, text: bytes, words: str) -> None:
    rows_csv(tmp_path, text)
    assert words in str(refused("csv", tmp_path, ["a", "b"], path="rows.csv"))


def test_without_a_header_and_with_other_separators(tmp_path: Path) -> None:
    rows_csv(tmp_path, "1\t2\n3\t4\n", "rows.tsv")
    assert columns("csv", tmp_path, path="rows.tsv", header=False) == {"column_1": "int64", "column_2": "int64"}
    assert read("csv", tmp_path, ["column_2"], path="rows.tsv", header=False)["column_2"].tolist() == [2, 4]
    assert columns("csv", tmp_path, path="rows.tsv", separator=",") == {"1\t2": "text"}


def test_blocks_are_bounded_and_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_csv(tmp_path, "a,b\n" + "".join(f"{row},w{row}\n" for row in range(500)))
    whole = read("csv", tmp_path, ["a", "b"], rows=1000, path="rows.csv")
    monkeypatch.setattr(_records, "BLOCK_BYTES", 64)
    info = catalog.find("datasets", "csv")
    pieces = list(catalog.load(info).chunks(catalog.options(info, {"path": "rows.csv"}), tmp_path, ["a", "b"], 1000))
    assert max(len(piece["a"]) for piece in pieces) < 20
    assert np.concatenate([piece["a"] for piece in pieces]).tolist() == whole["a"].tolist()
    rows_csv(tmp_path, "a\n" + "1" * 100 + "\n")
    long = refused("csv", tmp_path, ["a"], path="rows.csv", limits={"line": 64})
    assert "line 2 is longer than 64 bytes" in str(long)


def test_a_file_that_changed_is_looked_at_again(tmp_path: Path) -> None:
    rows_csv(tmp_path, "a\n1\n2\n")
    assert read("csv", tmp_path, ["a"], path="rows.csv")["a"].tolist() == [1, 2]
    rows_csv(tmp_path, "a\n1\nx\n3\n")
    assert "mixed" in str(refused("csv", tmp_path, ["a"], path="rows.csv"))


@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text("aé,;\"\n '", min_size=1)))
)
@settings(max_examples=40, deadline=None)
def test_what_polars_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    rows = [row for row in rows if row[2].strip()] or [(1, 0.5, "x")]
    folder = tmp_path_factory.mktemp("csv")
    pl.DataFrame(rows, schema={"i": pl.Int64, "f": pl.Float64, "t": pl.String}, orient="row").write_csv(
        folder / "x.csv"
    )
    got = read("csv", folder, ["i", "f", "t"], rows=3, path="x.csv")
    assert [(int(i), float(f), t) for i, f, t in zip(*got.values(), strict=True)] == rows


# --- arrow ------------------------------------------------------------------------------------------------------------------


def test_arrow_files_of_every_name_and_their_faults(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1, 2, None, None], "y": [1.0, 2.0, 3.0, 4.0]})
    for number, suffix in enumerate(("arrow", "feather", "ipc")):
        frame.write_ipc(tmp_path / f"{number}.{suffix}", compression="zstd")
    assert read("arrow", tmp_path, ["y"], rows=3, path=".")["y"].tolist() == [1, 2, 3, 4] * 3
    error = refused("arrow", tmp_path, ["x"], path="0.arrow", rows=1)
    assert "2 values are null, the first in row 2 of 4" in error.what
    (tmp_path / "cut.arrow").write_bytes((tmp_path / "0.arrow").read_bytes()[:40])
    assert "can't be read as Arrow" in str(refused("arrow", tmp_path, ["x"], path="cut.arrow"))
    pl.DataFrame({"x": []}).write_ipc(tmp_path / "none.arrow")
    assert "no rows" in str(refused("arrow", tmp_path, ["x"], path="none.arrow"))


def test_a_panic_of_the_reader_is_told_in_words(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1]}).write_ipc(tmp_path / "x.arrow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl, "scan_ipc", _panics)
        assert "its reader gave up" in str(refused("arrow", tmp_path, ["x"], path="x.arrow"))


def _panics(*_: Any, **__: Any) -> None:
    raise pl.exceptions.PanicException("called `Result::unwrap()`")


# --- images -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four grey images of 4 x 3 in two folders; the first pixel tells them apart."""
    for number, file in enumerate(("cat/a.png", "cat/b.PNG", "dog/a.png", "dog/c.png")):
        (tmp_path / "pictures" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 3), number, np.uint8)).save(tmp_path / "pictures" / file)
    (tmp_path / "pictures" / "cat" / "Thumbs.db").write_bytes(b"no image")
    return tmp_path


def test_subfolders_are_labels(pictures: Path) -> None:
    assert columns("images", pictures, path="pictures") == {"image": "uint8 4x3", "file": "text", "label": "text"}
    for rows in (1, 3, 9):
        got = read("images", pictures, ["label", "image", "file"], rows, path="pictures")
        assert got["label"].tolist() == ["cat", "cat", "dog", "dog"]
        assert got["image"][:, 0, 0].tolist() == [0, 1, 2, 3]
        assert got["file"].tolist() == ["cat/a.png", "cat/b.PNG", "dog/a.png", "dog/c.png"]
    assert by_suffix("datasets", pictures / "pictures").name == "images", "`init` finds a folder of folders"


def test_a_list_names_files_and_anything_else(pictures: Path) -> None:
    rows_csv(pictures, "file,age,kind\npictures/dog/c.png,3,dog\npictures/cat/a.png,5,cat\n", "list.csv")
    assert set(columns("images", pictures, path="list.csv")) == {"image", "file", "age", "kind"}
    got = read("images", pictures, ["image", "age", "kind"], rows=1, path="list.csv")
    assert got["image"][:, 0, 0].tolist() == [3, 0]
    assert got["age"].tolist() == [3, 5]
    assert "there is no such image" in str(refused_list(pictures, "pictures/dog/z.png"))


def refused_list(folder: Path, file: str) -> DataError:
    rows_csv(folder, f"file\n{file}\n", "bad.csv")
    return refused("images", folder, ["image"], path="bad.csv")


def test_one_size_or_a_stated_one(pictures: Path) -> None:
    Image.fromarray(np.full((8, 6), 9, np.uint8)).save(pictures / "pictures" / "dog" / "z.png")
    error = refused("images", pictures, ["image"], path="pictures", rows=2)
    assert error.where == "pictures/dog/z.png"
    assert (error.what, error.next_step) == ("the image is 8x6, the first one 4x3", "state `size: [height, width]`")
    assert read("images", pictures, ["image"], path="pictures", size=[2, 5])["image"].shape == (5, 2, 5)
    assert len(read("images", pictures, ["label"], path="pictures")["label"]) == 5, "labels open no file"


def test_colours(pictures: Path) -> None:
    colour = np.zeros((4, 3, 3), np.uint8)
    colour[..., 0] = 200
    Image.fromarray(colour).save(pictures / "pictures" / "dog" / "z.png")
    assert "color: rgb" in refused("images", pictures, ["image"], path="pictures").next_step
    got = read("images", pictures, ["image"], path="pictures", color="rgb")["image"]
    assert np.array_equal(got[4], colour)
    assert read("images", pictures, ["image"], path="pictures", color="grey")["image"].shape == (5, 4, 3)


def _cut(file: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:400])


def _bomb(file: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(file)


def _deep(file: Path) -> None:
    Image.fromarray(np.zeros((4, 3), np.uint16)).save(file)


def _no_image(file: Path) -> None:
    file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 3 4\n")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (_cut, "the image is damaged"),
        (_bomb, "decompression bomb"),
        (_deep, "are no bytes"),
        (_no_image, "no image of a"),
    ],
)
def test_images_that_are_refused(pictures: Path, write: Any, words: str) -> None:
    write(pictures / "pictures" / "cat" / "0.png")
    error = refused("images", pictures, ["image"], path="pictures")
    assert words in error.what
    assert error.where == "pictures/cat/0.png"


def test_nothing_leaves_the_folder(pictures: Path) -> None:
    outside = pictures / "secret"
    outside.mkdir()
    Image.fromarray(np.zeros((4, 3), np.uint8)).save(outside / "s.png")
    for file in ("../" * 20 + "etc/passwd", str(outside / "s.png")):
        rows_csv(pictures / "pictures", f"file\n{file}\n", "list.csv")
        assert "leads out of the folder" in str(refused("images", pictures, ["image"], path="pictures/list.csv"))
    (pictures / "pictures" / "cat" / "s.png").symlink_to(outside / "s.png")
    assert "leads out of the folder" in str(refused("images", pictures, ["image"], path="pictures"))
    (pictures / "pictures" / "cat" / "s.png").unlink()
    (pictures / "pictures" / "egg").symlink_to(outside)
    assert "leads out of the folder" in str(refused("images", pictures, ["label"], path="pictures"))


def test_what_is_no_file_is_not_waited_for(pictures: Path) -> None:
    os.mkfifo(pictures / "pictures" / "cat" / "0.png")
    assert "there is no such image" in str(refused("images", pictures, ["image"], path="pictures"))


def test_no_images_and_images_in_both_places(pictures: Path) -> None:
    (pictures / "empty").mkdir()
    assert "no rows" in str(refused("images", pictures, ["image"], path="empty"))
    Image.fromarray(np.zeros((4, 3), np.uint8)).save(pictures / "pictures" / "here.png")
    assert "both in the folder and in its subfolders" in str(refused("images", pictures, ["image"], path="pictures"))


# --- the page about data ------------------------------------------------------------------------------------------------------


def test_the_page_shows_options_that_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs/do/bring-your-data.md").read_text()
    shown = [
        YAML(typ="safe").load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    ]
    sources = [one["from"] for block in shown for one in block.get("data", {}).values()]
    for source in sources:
        ((name, options),) = source.items()
        assert catalog.options(catalog.find("datasets", name), options)
    assert {name for source in sources for name in source} == set(catalog.parts("datasets"))
