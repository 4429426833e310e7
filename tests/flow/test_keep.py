"""What is kept: found by its beginning, cleaned without losing what counts, refused in words when it can't be read."""

import os
import subprocess
import sys
import time

import pytest
from small_study import STUDY, make

from seatrial.errors import StoreError
from seatrial.flow import _unfinished, keep
from seatrial.flow import study as flow


@pytest.fixture(scope="module")
def sailed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    file = make(
        folder,
        STUDY.replace("batch: [1, 8]", "batch: 1").replace(
            "  - {runtime: onnxruntime, precision: bf16, batch: 8}\n", ""
        ),
    )
    return file, [flow.run(file).run.id for _ in range(3)]


def test_runs_are_found_by_latest_and_by_their_beginning(sailed):
    file, ids = sailed
    home = keep.home(file.parent)
    assert [run.id for run in keep.runs(home)] == ids
    assert keep.load(home).run.id == ids[-1]
    assert keep.load(home, ids[0]).run.id == ids[0]
    with pytest.raises(StoreError, match="begins 3 runs"):
        keep.load(home, "20")
    with pytest.raises(StoreError, match="there is no run"):
        keep.load(home, "nothing")


def test_cleaning_keeps_what_later_runs_reuse(sailed):
    file, ids = sailed
    home = keep.home(file.parent)
    orphan = home / "arrays" / f"{'0' * 64}.npy"
    orphan.write_bytes(b"nobody refers to this")
    removed = keep.clean(home, keep=1)
    assert removed.runs == 2
    assert not orphan.exists()
    assert [run.id for run in keep.runs(home)] == ids[-1:]
    assert flow.run(file).run.measured == 0
    assert keep.clean(home, everything=True).runs == 2
    assert not home.exists()
    assert keep.runs(home) == []


def test_what_a_killed_run_left_half_written_is_swept(tmp_path):
    (tmp_path / "arrays").mkdir()
    old, new = tmp_path / "arrays" / ".partial-old", tmp_path / "arrays" / ".partial-new"
    left, busy = (tmp_path / "artefacts" / f".partial-{name}" for name in ("left", "busy"))
    for file in (old, new, left / "try" / "half.onnx", busy / "try" / "half.onnx"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    for path in (
        old,
        left / "try" / "half.onnx",
        left / "try",
        left,
        busy / "try",
        busy,
    ):  # of a long search the folder is old, its file new
        os.utime(path, (time.time() - 2 * _unfinished.ABANDONED_S,) * 2)
    keep.sweep(tmp_path)
    assert [path.exists() for path in (old, new, left, busy)] == [False, True, False, True]
    make(tmp_path)
    assert keep.clean(keep.home(tmp_path)).files == 0, "nothing was kept yet"


def test_a_lost_file_is_measured_again(tmp_path):
    file = make(tmp_path)
    first = flow.run(file)
    for array in (tmp_path / ".seatrial" / "arrays").glob("*.npy"):
        array.unlink()
    again = flow.run(file)
    accuracy = [{f.candidate: f.value for f in one.findings if f.what == "accuracy"} for one in (first, again)]
    assert accuracy[0] == accuracy[1]


def test_two_runs_at_once_do_no_harm(tmp_path):
    file = make(tmp_path)
    command = [sys.executable, "-m", "seatrial", "run", file.name, "--quiet"]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [one.communicate(timeout=300)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], errors
    assert len(keep.runs(keep.home(tmp_path))) == 2
    assert flow.run(file).run.measured == 0


def test_a_dossier_that_is_none_is_refused_in_words(tmp_path):
    for content in (b"", b"{}", b"\x80\x04."):
        (tmp_path / "dossier.json").write_bytes(content)
        with pytest.raises(StoreError, match="it is no dossier"):
            keep.read_dossier(tmp_path / "dossier.json")
    with pytest.raises(StoreError, match="No such file"):
        keep.read_dossier(tmp_path / "absent.json")


def test_a_folder_that_can_not_be_written_is_told(tmp_path):
    (tmp_path / ".seatrial").write_text("a file where the folder should be")
    with pytest.raises(StoreError):
        flow.run(make(tmp_path))
