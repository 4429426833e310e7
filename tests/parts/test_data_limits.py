"""What a data file may ask for: bombs, huge texts and absurd shapes are refused by their headers, and each limit can be set."""

from __future__ import annotations

import contextlib
import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial import catalog
from seatrial.errors import DataError
from seatrial.parts.datasets import _arrow_batches, _parquet_pages

TIGHT = 2**30
"""Bytes that the process which reads a bomb may take."""


def gone_through(part: str, folder: Path, path: str, whole: bool = True, **limits: Any) -> int:
    """Rows, after all columns were read: as pieces, or as chunks."""
    info = catalog.find("datasets", part)
    module, options = catalog.load(info), catalog.options(info, {"path": path, "limits": limits})
    names = list(module.columns(options, folder))
    read = module.pieces if whole else module.chunks
    return sum(len(next(iter(piece.values()))) if not whole else len(next(iter(piece.values())).values) for piece in read(options, folder, names, 4096))  # fmt: skip


def refused(part: str, folder: Path, path: str, limit: str, whole: bool = True, **limits: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        gone_through(part, folder, path, whole, **limits)
    assert f"limits: {{{limit}: ...}}" in caught.value.next_step, caught.value
    return caught.value


def stamp(file: Path) -> tuple[Path, int, int]:
    return file, file.stat().st_mtime_ns, file.stat().st_size


# --- groups of equal rows -----------------------------------------------------------------------------------------------------

MANY = 20_000_000


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few kilobytes that hold twenty million rows of forty numbers: 6.4 GB once unpacked."""
    file = tmp_path_factory.mktemp("bomb") / "bomb.parquet"
    zeros = pl.select(pl.repeat(0, MANY, dtype=pl.Int8).alias("n"))
    zeros.with_columns(pl.lit(0, dtype=pl.Int64).alias(f"z{at}") for at in range(40)).write_parquet(
        file, row_group_size=MANY, statistics=False
    )
    assert file.stat().st_size < 2**20
    return file


def test_a_group_of_rows_that_would_fill_the_memory_is_refused(bomb):
    told = refused("parquet", bomb.parent, bomb.name, "group")
    assert f"a group of {MANY} rows would take 64" in told.what
    assert "row_group_size" in told.next_step


def test_the_refusal_comes_before_anything_is_unpacked(bomb):
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, ({TIGHT}, {TIGHT}))
from pathlib import Path
from seatrial.errors import DataError
from seatrial.flow.contents import content, of_file
try:
    content(of_file(Path({str(bomb)!r})))
except DataError as error:
    print(error.what)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "once unpacked, more than" in done.stdout, done.stderr[-2000:]


def test_rows_of_a_bomb_can_be_read_some_at_a_time(bomb):
    info = catalog.find("datasets", "parquet")
    chunks = catalog.load(info).chunks(catalog.options(info, {"path": bomb.name}), bomb.parent, ["z0", "z1"], 1000)
    assert next(chunks)["z1"].tolist() == [0] * 1000


@pytest.mark.parametrize("part", ["parquet", "arrow"])
@pytest.mark.parametrize("limit", ["group", "block", "cell"])
def test_each_limit_refuses_what_is_beyond_it_and_lets_the_rest_through(tmp_path, part, limit):
    frame = pl.DataFrame({"a": [1.5, 2.5] * 500, "t": ["x" * 700, "y"] * 500, "l": [[1, 2, 3]] * 1000})
    write = frame.write_parquet if part == "parquet" else frame.write_ipc
    write(tmp_path / f"rows.{part}", compression="zstd")
    told = refused(part, tmp_path, f"rows.{part}", limit, **{limit: 300})
    assert "more than 300" in told.what
    assert gone_through(part, tmp_path, f"rows.{part}") == 1000
    if limit != "group":  # some rows at a time never hold a group
        refused(part, tmp_path, f"rows.{part}", limit, whole=False, **{limit: 300})


def test_tables_to_be_joined_are_held_and_so_bounded(bomb):
    info = catalog.find("datasets", "as_of")
    pl.DataFrame({"n": [0], "at": [1]}).write_parquet(bomb.parent / "events.parquet")
    table = {"path": bomb.name, "time": "z0", "columns": ["z1"]}
    given = {"events": "events.parquet", "time": "at", "key": "n", "features": [table], "limits": {"held": "1 GiB"}}
    with pytest.raises(DataError, match="once unpacked, more than") as caught:
        list(catalog.load(info).chunks(catalog.options(info, given), bomb.parent, ["z1"], 10))
    assert "limits: {held: ...}" in caught.value.next_step


# --- what headers say -----------------------------------------------------------------------------------------------------------

VALUES = st.lists(st.tuples(st.integers(-(2**40), 2**40), st.text(max_size=30)), min_size=1, max_size=60)
PACKED = ["zstd", "lz4", "uncompressed"]


@settings(max_examples=40, deadline=None)
@given(VALUES, st.integers(1, 40), st.sampled_from([*PACKED, "snappy", "gzip", "brotli"]))
def test_parquet_headers_promise_at_least_what_comes_out(tmp_path_factory, rows, group, packed):
    file = tmp_path_factory.mktemp("p") / "x.parquet"
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "t": pl.String}, orient="row").with_columns(
        l=pl.concat_list("a", "a")
    )
    frame.write_parquet(file, row_group_size=group, compression=packed)
    asked = _parquet_pages.asked(*stamp(file))
    assert sum(one.rows for one in asked) == len(rows)
    for one, start in zip(asked, np.cumsum([0, *(one.rows for one in asked)]), strict=False):
        part = frame.slice(int(start), one.rows)
        assert one.columns["a"] == 8 * one.rows
        assert one.columns["l"] == 16 * one.rows
        words = part["t"].unique().str.len_bytes().sum()
        assert one.columns["t"] >= 16 * one.rows + words


@settings(max_examples=40, deadline=None)
@given(VALUES, st.sampled_from(PACKED))
def test_arrow_headers_promise_at_least_what_comes_out(tmp_path_factory, rows, packed):
    file = tmp_path_factory.mktemp("a") / "x.arrow"
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "t": pl.String}, orient="row")
    frame.write_ipc(file, compression=packed)
    (asked,) = _arrow_batches.asked(*stamp(file))
    assert asked.rows == len(rows)
    assert asked.bytes >= 8 * len(rows) + frame["t"].str.len_bytes().filter(frame["t"].str.len_bytes() > 12).sum()
    assert asked.largest <= asked.bytes


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["parquet", "arrow"]), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), st.floats(0, 1))  # fmt: skip
def test_headers_that_are_damaged_are_refused_in_words(sound, kind, changes, cut):
    whole = bytearray(sound[kind])
    for place, value in changes:
        whole[-1 - int(place * min(len(whole) - 1, 600))] = value
    file = sound["folder"] / f"damaged.{kind}"
    file.write_bytes(bytes(whole) if cut < 0.7 else bytes(whole[: int(cut * len(whole))]))
    walk = _parquet_pages.asked if kind == "parquet" else _arrow_batches.asked
    with contextlib.suppress(
        OSError, ValueError, KeyError, TypeError, IndexError, EOFError, struct.error, AttributeError
    ):
        walk.__wrapped__(*stamp(file))
    with contextlib.suppress(DataError):  # anything else would be a crash
        gone_through(kind, sound["folder"], file.name)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sound")
    frame = pl.DataFrame({"a": range(50), "t": [f"word {at}" for at in range(50)]})
    frame.write_parquet(folder / "x.parquet", row_group_size=20)
    frame.write_ipc(folder / "x.arrow", compression="zstd")
    return {"folder": folder} | {kind: (folder / f"x.{kind}").read_bytes() for kind in ("parquet", "arrow")}


def test_an_arrow_buffer_that_says_it_unpacks_to_terabytes_is_refused(tmp_path):
    pl.DataFrame({"t": ["word" * 100] * 500}).write_ipc(tmp_path / "x.arrow", compression="zstd")
    whole = bytearray((tmp_path / "x.arrow").read_bytes())
    at = (
        whole.index(struct.pack("<q", 400)) if struct.pack("<q", 400) in whole else whole.index(struct.pack("<q", 8000))
    )
    whole[at : at + 8] = struct.pack("<q", 2**43)
    (tmp_path / "x.arrow").write_bytes(whole)
    refused("arrow", tmp_path, "x.arrow", "block")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 8 * 2**20


# --- other files ----------------------------------------------------------------------------------------------------------------


def test_limits_of_separated_values(tmp_path):
    (tmp_path / "x.csv").write_text("a\n" + "x" * 500 + "\n")
    refused("csv", tmp_path, "x.csv", "line", line=100)
    (tmp_path / "y.csv").write_text('a\n"' + "x\n" * 50 + '"\n')
    with pytest.raises(DataError, match="never closed") as caught:
        gone_through("csv", tmp_path, "y.csv", lines=10)
    assert "lines: ..." in caught.value.next_step
    assert gone_through("csv", tmp_path, "y.csv", lines=100) == 1


def test_limits_of_arrays(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((4000, 9)))
    refused("npz", tmp_path, "x.npz", "growth", whole=False, small=1000, growth=20)
    assert gone_through("npz", tmp_path, "x.npz", whole=False, small=1000, growth=1e6) == 4000
    with pytest.raises(DataError, match="a row has at most 8 bytes"):
        gone_through("npz", tmp_path, "x.npz", whole=False, row=8)


def test_limits_of_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "cats").mkdir()
    image.new("L", (40, 30)).save(tmp_path / "cats" / "0.png")
    with pytest.raises(DataError, match="more than 1000 pixels"):
        gone_through("images", tmp_path, "cats", whole=False, pixels=1000)
    before = image.MAX_IMAGE_PIXELS
    assert gone_through("images", tmp_path, "cats", whole=False, pixels=1200) == 1
    assert before == image.MAX_IMAGE_PIXELS


# --- links ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["rows", "rows/*.parquet"])
def test_a_link_that_leads_out_of_a_folder_of_rows_is_refused_unless_it_is_named(tmp_path, path):
    (tmp_path / "rows").mkdir()
    frame = pl.DataFrame({"a": [1, 2]})
    frame.write_parquet(tmp_path / "secret.parquet")
    frame.write_parquet(tmp_path / "rows" / "own.parquet")
    (tmp_path / "rows" / "again.parquet").symlink_to("own.parquet")
    assert gone_through("parquet", tmp_path, path) == 4, "a link within the folder is as good as the file"
    (tmp_path / "rows" / "other.parquet").symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(DataError, match=r"other\.parquet is a symbolic link that leads out") as caught:
        gone_through("parquet", tmp_path, path)
    assert "name the file itself" in caught.value.next_step
    assert gone_through("parquet", tmp_path, "rows/other.parquet") == 2


def test_a_link_in_a_folder_of_arrays_is_refused(tmp_path):
    np.save(tmp_path / "secret.npy", np.ones(3))
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "x.npy").symlink_to(tmp_path / "secret.npy")
    with pytest.raises(DataError, match="symbolic link"):
        gone_through("npz", tmp_path, "rows", whole=False)
