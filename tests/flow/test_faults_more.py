"""Accidents from outside and from native code: what is printed, rows out of order, full and read-only disks, clocks, pipes."""

from __future__ import annotations

import collections
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_study import STUDY, make, seatrial
from test_measure import outcome, planted

from seatrial.apps.cli.main import main
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import State
from seatrial.contracts.messages import Order
from seatrial.errors import ModelError, StoreError, StudyError
from seatrial.flow import alone, keep
from seatrial.flow import study as flow
from seatrial.flow.draft import draft
from seatrial.flow.keep import Keeper
from seatrial.parts.executors import process

ONE = STUDY[: STUDY.index("candidates:")] + "candidates:\n  - {runtime: onnxruntime, batch: [1, 8]}\n"
ONE += STUDY[STUDY.index("reference:") :].replace("rounds: 2", "rounds: 1")


def compiled(folder: Path, code: str) -> Path:
    """A shared object of this C++ code."""
    source, made = folder / "native.cpp", folder / "native.so"
    source.write_text(code)
    subprocess.run(["g++", "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True)
    return made


# --- what native code prints -------------------------------------------------------------------------------------------

PRINTS = """
#include <cstdio>
#include <cstdlib>
extern "C" void noise(int lines) {
  for (int i = 0; i < lines; i++) {
    printf("{\\"ok\\": true, \\"noise\\": %d}\\n", i);
    fprintf(stderr, "stderr says %d \\x1b[2J\\n", i);
  }
  printf("no end of line");
  fflush(stdout);
}
struct Early { Early() {
  const char* lines = getenv("NOISE_AT_START");
  if (lines && getenv("PYTHONFAULTHANDLER")) for (int i = 0; i < atoi(lines); i++) printf("a library greets %d\\n", i);
  if (lines && getenv("PYTHONFAULTHANDLER")) { printf("and ends without a line's end"); fflush(stdout); }
} } early;
"""


def test_printf_from_c_reaches_the_log_and_nothing_else(tmp_path: Path) -> None:
    library = compiled(tmp_path, PRINTS)
    fault = f"self.calls == 3 and ctypes.CDLL({str(library)!r}).noise(60000); self.calls % 50 == 0 and ctypes.CDLL({str(library)!r}).noise(3)"
    dossier = flow.run(planted(tmp_path, {"chatty": fault}))
    assert outcome(dossier, "./chatty.py") is None
    assert [f for f in dossier.findings if f.what == "throughput" and "chatty" in str(f.candidate)]
    logs = "".join(log.read_text() for log in (tmp_path / ".seatrial" / "logs").rglob("*chatty*"))
    assert '"noise": 59999' in logs
    assert "stderr says 59999" in logs


def test_what_is_printed_before_the_worker_has_its_pipe_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = compiled(tmp_path, PRINTS)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("NOISE_AT_START", "40000")  # many times what a pipe holds
    link = process.start(tmp_path / "worker.log", None, process.Options())
    try:
        assert link.ask(Order(order="hello"), 60)["pid"] == link.pid
    finally:
        link.close()
    log = (tmp_path / "worker.log").read_text()
    assert "a library greets 39999" in log
    assert "without a line's end" in log


# --- rows in another order ---------------------------------------------------------------------------------------------

REORDERED = {
    "reversed": "logits = logits[::-1].copy()",
    "rolled": "logits = np.roll(logits, 1, axis=0)",
    "swapped": "logits[[0, -1]] = logits[[-1, 0]]",
    "noisy": "logits = logits[::-1] + np.random.default_rng(len(x)).normal(scale=0.01, size=logits.shape).astype(np.float32)",
}


def test_answers_in_another_order_than_their_rows_are_a_finding_that_says_so(tmp_path: Path) -> None:
    dossier = flow.run(planted(tmp_path, REORDERED | {"sound": "pass"}, "rounds: 1"))
    for name in REORDERED:
        found = outcome(dossier, f"./{name}.py")
        assert found is not None, name
        assert found.state is State.FAILED, name
        assert "another order than its rows" in found.note, name
        assert not [f for f in dossier.findings if f.what == "accuracy" and f"./{name}" in str(f.candidate) and f.value]
    assert outcome(dossier, "./sound.py") is None
    assert not [f for f in dossier.findings if f.what == "batch.difference"], "nothing changes with the batch here"


def test_answers_that_change_with_the_batch_are_told(tmp_path: Path) -> None:
    dossier = flow.run(planted(tmp_path, {"fickle": "logits[:, 0] += 0.5 * len(x)"}, "rounds: 1"))
    (found,) = [f for f in dossier.findings if f.what == "batch.difference"]
    assert "./fickle.py" in str(found.candidate)
    assert found.value == pytest.approx(0.5 * 7, rel=1e-5)
    assert "change with the batch" in found.note
    assert outcome(dossier, "./fickle.py") is None


def _checked(answers: np.ndarray, given: np.ndarray, samples: int = 16) -> dict[str, object]:
    """The check on answers of rows alone and as they were given in batches."""
    pieces = {"out": [given[start : start + samples] for start in range(0, len(given), samples)]}
    return alone.check(pieces, range(len(given)), samples, lambda row: {"out": answers[row : row + 1]})


@pytest.mark.parametrize("seed", range(20))
def test_changing_answers_are_no_wrong_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    for width in (1, 2, 10):
        answers = random.normal(size=(200, width)).astype(np.float32)
        for scale in (0, 1e-7, 0.002, 0.03):
            told = _checked(answers, answers + random.normal(scale=scale, size=answers.shape).astype(np.float32))
            assert bool(told["difference"] > 1e-5) == (scale > 1e-5)
    certain = np.eye(3, dtype=np.float32)[random.integers(3, size=200)]  # many rows with the same answer
    _checked(certain, np.where(random.random((200, 1)) < 0.1, np.abs(certain - 0.01), certain))
    chosen = random.integers(10, size=200)
    _checked(chosen, np.where(random.random(200) < 0.03, (chosen + 1) % 10, chosen))


@pytest.mark.parametrize("seed", range(20))
def test_a_shuffled_batch_is_found(seed: int) -> None:
    random = np.random.default_rng(seed)
    answers = random.normal(size=(200, 4)).astype(np.float32)
    for samples in (2, 5, 16, 128):
        order = np.concatenate(
            [start + np.roll(np.arange(min(samples, 200 - start)), 1) for start in range(0, 200, samples)]
        )
        for noise in (0, 0.001):
            given = answers[order] + random.normal(scale=noise, size=answers.shape).astype(np.float32)
            with pytest.raises(ModelError, match="another order"):
                _checked(answers, given, samples)


# --- disks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        pytest.skip(f"mounting isn't allowed here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, leave: int) -> Path:
    """A file that leaves so many bytes of the disk free."""
    filler = place / "filler"
    free = os.statvfs(place)
    with filler.open("wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - leave)))
    return filler


def kept_bodies(folder: Path) -> dict[tuple[str, str], object]:
    shelves = (keep.ROUND, keep.PREDICTION, keep.FACTS, keep.ARTEFACT)
    return {(shelf, key): body for shelf in shelves for key, body in Keeper(folder).all(shelf, "")}


def test_a_full_disk_ends_in_words_and_the_next_run_goes_on(mounted: Path) -> None:
    file = make(mounted, ONE)
    dossier = flow.run(file)
    before = kept_bodies(mounted)
    assert dossier.run.measured
    file.write_text(ONE.replace("[1, 8]", "[1, 8, 16]"))
    for leave in (0, 20_000, 60_000, 120_000):
        filler = fill(mounted, leave)
        done = seatrial("run", "study.yaml", "--quiet", folder=mounted)
        filler.unlink()
        assert "Traceback" not in done.stderr, (leave, done.stderr)
        assert "unforeseen" not in done.stderr, (leave, done.stderr)
        if done.returncode:
            assert done.returncode == 4, (leave, done.stderr)
            assert "full" in done.stderr or "No space" in done.stderr, (leave, done.stderr)
            assert "next: " in done.stderr
        else:
            assert leave, "a run succeeded on a full disk"
        assert kept_bodies(mounted).items() >= before.items(), f"something was lost with {leave} bytes left"
    again = flow.run(file)
    assert not [f for f in again.findings if f.what == "run"]
    assert again.run.reused >= dossier.run.measured
    assert kept_bodies(mounted).items() >= before.items()


@pytest.mark.parametrize("noise", [0, 4000])
def test_files_that_may_not_grow_are_a_finding_or_an_error_in_words(tmp_path: Path, noise: int) -> None:
    """A quota, as the system enforces it: a worker that may write no more says so, and is not taken for crashed.

    Not even where its log is past the quota, too.
    """
    limit = f"import sys; sys.stderr.write('x' * {noise}); sys.stderr.flush(); "
    limit += "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    dossier = flow.run(planted(tmp_path, {"quota": f"exec({limit!r}) if self.calls == 1 else None"}, "rounds: 1"))
    found = outcome(dossier, "./quota.py")
    assert found is not None
    assert found.state is State.FAILED
    assert "can't be written" in found.note


def test_a_read_only_folder_is_an_error_in_words_and_what_is_kept_can_be_told(mounted: Path, tmp_path: Path) -> None:
    make(mounted, ONE)
    dossier = _run_with({}, mounted)
    (mounted / "new").mkdir()
    make(mounted / "new", ONE)
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    for words, folder in (
        (("run", "study.yaml"), mounted),
        (("run", "study.yaml"), mounted / "new"),
        (("run", "study.yaml", "--fresh"), mounted),
        (("init", "linear.onnx", "--out", "other.yaml"), mounted),
        (("clean", "--yes"), mounted),
        (("clean", "--all", "--yes"), mounted),
    ):
        done = seatrial(*words, folder=folder)
        assert done.returncode in (2, 4), (words, done.stderr)
        assert "ead-only" in done.stderr or "readonly" in done.stderr, (words, done.stderr)
        assert "next: " in done.stderr, (words, done.stderr)
        assert "unforeseen" not in done.stderr, (words, done.stderr)
    assert seatrial("plan", "study.yaml", folder=mounted / "new").returncode == 0
    told = seatrial("gate", f".seatrial/runs/{dossier.run.id}", folder=mounted)
    assert told.returncode in (0, 1, 3), told.stderr
    copy = tmp_path / "copy"
    assert seatrial("init", "linear.onnx", "rows.npz", "--out", copy / "study.yaml", folder=mounted).returncode == 0


# --- clocks ------------------------------------------------------------------------------------------------------------

CLOCK = """
#include <cstdlib>
#include <ctime>
#include <sys/time.h>
#include <dlfcn.h>
static long calls = 0;
static double shift() {  // seconds: constant, and so many more back at each look
  const char *by = getenv("CLOCK_SHIFT"), *step = getenv("CLOCK_STEP");
  return (by ? atof(by) : 0) - (step ? atof(step) : 0) * __sync_fetch_and_add(&calls, 1);
}
extern "C" int clock_gettime(clockid_t which, struct timespec* at) {
  static auto real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(which, at);
  if (which == CLOCK_REALTIME) at->tv_sec += (long)shift();
  return done;
}
extern "C" time_t time(time_t* out) { struct timespec at; clock_gettime(CLOCK_REALTIME, &at); if (out) *out = at.tv_sec; return at.tv_sec; }
extern "C" int gettimeofday(struct timeval* at, void*) {
  struct timespec now; clock_gettime(CLOCK_REALTIME, &now); at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000; return 0;
}
"""


def _run_with(clock: dict[str, str], folder: Path) -> Dossier:
    done = seatrial("run", "study.yaml", "--json", "--quiet", folder=folder, **clock)
    assert done.returncode == 0, done.stderr
    return Dossier.model_validate(json.loads(done.stdout))


def test_a_clock_that_is_set_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    library = {"LD_PRELOAD": str(compiled(tmp_path, CLOCK))}
    file = make(tmp_path, ONE.replace("rounds: 1", "rounds: 3"))
    ahead = _run_with(library | {"CLOCK_SHIFT": "864000"}, tmp_path)  # ten days ahead
    real = _run_with({}, tmp_path)
    assert ahead.run.started > real.run.started, "the clock was not shifted"
    assert (real.run.measured, real.run.reused) == (0, ahead.run.measured + ahead.run.reused)
    assert [run.id for run in keep.runs(tmp_path / ".seatrial")] == [ahead.run.id, real.run.id], "oldest first"
    assert keep.load(tmp_path / ".seatrial").run.id == real.run.id, "the latest run is the one that ended last"

    file.write_text(file.read_text().replace("rounds: 3", "rounds: 5"))
    running_back = _run_with(library | {"CLOCK_STEP": "60"}, tmp_path)  # a minute back at each look
    assert running_back.run.started > running_back.run.finished, "the clock was not set back"
    assert running_back.run.seconds >= 0
    assert keep.load(tmp_path / ".seatrial").run.id == running_back.run.id
    kept = collections.Counter(key.split("/")[0] for key, _ in keep.Keeper(tmp_path).store.all(keep.ROUND))
    assert set(kept.values()) == {5}, "rounds of before and after the shift count together, each once"
    for finding in running_back.findings:
        if finding.what == "throughput":
            assert finding.low is None or 0 < finding.low <= finding.value


# --- what is no file ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(200)
@pytest.mark.parametrize("what", ["pipe", "folder", "device", "socket"])
def test_what_is_no_file_is_refused_in_words(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = make(tmp_path, ONE)
    whole = {name: (tmp_path / name).read_bytes() for name in ("study.yaml", "linear.onnx", "rows.npz")}
    commands = {
        "study.yaml": [("run", "study.yaml"), ("plan", "study.yaml"), ("gate", "study.yaml")],
        "linear.onnx": [("run", "study.yaml"), ("init", "linear.onnx", "--out", "new.yaml")],
        "rows.npz": [("run", "study.yaml"), ("init", "linear.onnx", "rows.npz", "--out", "new.yaml")],
    }
    for name, tried in commands.items():
        place = tmp_path / name
        place.unlink()
        _odd(place, what)
        for words in tried:
            code, said = main(list(words)), capsys.readouterr().err
            assert code in (2, 4), (what, words, said)
            assert "unforeseen" not in said, (what, words, said)
            assert "next: " in said, (what, words, said)
        place.rmdir() if place.is_dir() else place.unlink()
        place.write_bytes(whole[name])
    assert file.is_file()


def _odd(place: Path, what: str) -> None:
    import socket

    if what == "pipe":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    elif what == "device":
        place.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(place))


def test_a_pipe_that_nobody_writes_to_is_no_study(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "study.yaml")
    with pytest.raises(StudyError, match="pipe"):
        flow.run(tmp_path / "study.yaml")


# --- looking at a model ------------------------------------------------------------------------------------------------


def huge(file: Path, rows: int) -> Path:
    """A small graph that makes a matrix of rows x rows of what it is given."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Expand", ["x", "wide"], ["broad"]),
        helper.make_node("MatMul", ["up", "broad"], ["square"]),
        helper.make_node("ReduceSum", ["square", "last"], ["logits"], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "huge",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", "m", 1])],
        [
            numpy_helper.from_array(np.array([rows, 1, 1], np.int64), "wide"),
            numpy_helper.from_array(np.ones((1, 1, 1), np.float32), "up"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(file))
    return file


def test_a_model_that_swallows_memory_costs_init_only_what_it_would_have_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    monkeypatch.setattr("seatrial.flow._look.MEMORY_SHARE", 2**30 / _free())  # a gibibyte
    text, _ = draft(huge(tmp_path / "huge.onnx", 2_000_000), tmp_path / "rows.npz", tmp_path)
    assert "CHECK: the model" in text
    assert "huge.onnx" in text


def _free() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def test_a_model_that_kills_who_looks_at_it_does_not_kill_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = compiled(
        tmp_path,
        "#include <cstdlib>\n#include <cstring>\n#include <unistd.h>\n#include <sys/types.h>\n#include <dlfcn.h>\n"
        'extern "C" ssize_t read(int fd, void* to, size_t n) {\n'
        '  static auto real = (ssize_t (*)(int, void*, size_t))dlsym(RTLD_NEXT, "read");\n'
        "  ssize_t got = real(fd, to, n);\n"
        '  if (got > 0 && getenv("PYTHONFAULTHANDLER") && memmem(to, got, "KILLS WHO READS IT", 18)) abort();\n'
        "  return got;\n}\n",
    )
    make(tmp_path)
    (tmp_path / "evil.onnx").write_bytes((tmp_path / "linear.onnx").read_bytes() + b"KILLS WHO READS IT")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    with pytest.raises(ModelError, match=r"can't be looked at: ended during looking with signal SIGABRT"):
        draft(tmp_path / "evil.onnx", tmp_path / "rows.npz", tmp_path)
    draft(tmp_path / "linear.onnx", tmp_path / "rows.npz", tmp_path)


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="can't be written"):
        process.start(tmp_path / "logs" / "worker.log", None, process.Options())
