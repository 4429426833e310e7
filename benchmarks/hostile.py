"""Hostile input: thousands of broken studies, tables and model files through the program's own doors, none of which may give way.

    inputs      how many were tried; at least 2,000
    tracebacks  anything but an answer or a refusal in words (a `SeatrialError`), and workers that died; none
    hangs       no answer within ten seconds; none
    executed    planted code that ran; none

    python benchmarks/hostile.py [--quick] [--json] [--only KIND:NUMBER]

Every input is made from a sound one by a seed of its own, so a failure can be had again: `--only study:17`.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import _planted
import _planted_files
import _planted_models
import _planted_more
import _planted_tables
from _table import Figure, tell

SEED = "seatrial"
COUNTS = {"study": 1200, "table": 500, "model": 500, "csv": 400, "arrow": 250, "images": 250} | {"format": 600, "events": 250, "answers": 150, "lineage": 200, "bomb": 20}  # fmt: skip
LIMIT_S = 10.0
START_S = 60.0
MEMORY = 3 * 2**30
LINK = ("model.onnx", "w.safetensors", "net.py", "rows.npz", "rows.npy", "rows.parquet")
PARTS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".arrow": "arrow", ".feather": "arrow", "": "images"}
"""The part that reads a table, by the suffix of its file; a folder is one of images. All others are NumPy's."""


class Case(NamedTuple):
    """One hostile input: where it lies and which file it is."""

    kind: str
    number: int
    folder: Path
    file: str


class Outcome(NamedTuple):
    """What came of it: "fine", "traceback", "hang" or "executed", and the words."""

    case: str
    what: str
    words: str


# --- making them --------------------------------------------------------------------------------------------------------


def cases(chosen: list[tuple[str, int]], base: Path) -> Iterator[Case]:
    """Each hostile input in a folder of its own, which is made when it is asked for."""
    home, marks = base / "sound", base / "marks"
    home.mkdir()
    marks.mkdir()
    _planted.sound(home, marks)
    for kind, number in chosen:
        folder = base / f"{kind}-{number}"
        folder.mkdir()
        for name in LINK:
            shutil.copyfile(home / name, folder / name)
        yield Case(kind, number, folder, _plant(kind, number, home, folder, marks / f"{kind}-{number}"))


def _plant(kind: str, number: int, home: Path, folder: Path, mark: Path) -> str:
    draw = random.Random(f"{SEED}/{kind}/{number}")
    if kind == "study":
        (folder / "study.yaml").write_bytes(_planted.study(draw, mark))
        return "study.yaml"
    if kind == "table" and number % 100 == 0:
        _planted_tables.bomb(folder / "rows.npz")
        return "rows.npz"
    if make := (_planted_files.KINDS | _planted_more.KINDS).get(kind):
        return make(draw, home, folder, mark)
    make = _planted_tables.table if kind == "table" else _planted_models.model
    return make(draw, home, folder, mark)


# --- the doors, in a worker ---------------------------------------------------------------------------------------------


def knock(kind: str, folder: Path, file: str) -> None:
    """Try every door that such an input could come in by. A refusal in words is right; anything else is raised."""
    doors = ({"study": _study_doors, "model": _model_doors} | _planted_more.DOORS).get(kind, _table_doors)
    for door in doors(folder, file):
        _asked(door)


def _asked(door: Any) -> None:
    from seatrial.errors import SeatrialError

    try:
        door()
    except SeatrialError as error:
        if not str(error).strip():
            raise AssertionError("a refusal without words") from error
        str(error).encode()


def _study_doors(folder: Path, file: str) -> Iterator[Any]:
    from seatrial import catalog
    from seatrial.flow import plan, read, rows

    def all_of_it() -> None:
        source = read.read(folder / file)
        study = source.study
        forms = [pair for model in study.models.values() for pair in model.forms.items()]
        for name, options in forms:
            part = catalog.find("subjects", name, folder)
            _asked(lambda part=part, options=options: catalog.load(part).read(catalog.options(part, options), folder))
        for name in study.models:
            _asked(lambda name=name: rows.prepare(study, folder, name, folder / "cache"))
        plan.make_plan(source)

    yield all_of_it


def _table_doors(folder: Path, file: str) -> Iterator[Any]:
    from seatrial import catalog
    from seatrial.contracts.study import Study
    from seatrial.flow import rows

    part = catalog.find("datasets", PARTS.get(Path(file).suffix, "npz"))
    module, options = catalog.load(part), catalog.options(part, {"path": file})
    names: list[str] = []
    yield lambda: names.extend(module.columns(options, folder))
    step = 16 if (folder / file).is_dir() or (folder / file).stat().st_size < 100_000 else 4_096
    for name in names[:100]:
        yield lambda name=name: [None for _ in module.chunks(options, folder, [name], step)]
    study = json.loads(json.dumps(_planted.STUDY))
    study["data"]["evaluation"]["from"] = {part.name: {"path": file}}
    yield lambda: rows.prepare(Study.model_validate(study), folder, "net", folder / "cache")
    yield lambda: _drafted(folder / "model.onnx", folder / file)
    yield from _planted_more.content_doors(folder, file)
    if part.name == "images":
        for more in ({"size": [8, 8]}, {"color": "grey", "size": [8, 8]}, {"path": "list.csv"}):
            chosen = catalog.options(part, {"path": file} | more)
            yield lambda chosen=chosen: [None for _ in module.chunks(chosen, folder, ["image"], 16)]


def _model_doors(folder: Path, file: str) -> Iterator[Any]:
    from seatrial import catalog

    ways: list[tuple[str, str, dict[str, Any]]] = [
        ("subjects", "onnx", {"path": file}),
        ("subjects", "torch", {"module": "net.py:build", "weights": file}),
        ("subjects", "torch", {"export": file}),
    ]
    for kind, name, given in ways:
        part = catalog.find(kind, name)
        yield lambda part=part, given=given: catalog.load(part).read(catalog.options(part, given), folder)
    yield from _planted_more.inspect_doors(folder, file)
    yield lambda: _drafted(folder / file)
    yield lambda: _drafted(folder / file, folder / "rows.npz")
    if file.startswith("evil"):
        yield from _table_doors(folder, file)


def _drafted(model: Path, data: Path | None = None) -> None:
    """What `init` does, less its own worker: this is one already. The command lines below go the whole way."""
    from seatrial.flow import _look, draft

    subject = _look.by_suffix("subjects", model)
    table = None if data is None else _look.by_suffix("datasets", data)
    seen = _look.see(subject, model, table, data)
    handed = _look._SEEN.validate_python(json.loads(json.dumps(_look._SEEN.dump_python(seen, mode="json"))))
    draft.written(subject, model, table, data, model.parent, handed)


def work() -> None:
    """The other end of the pipe: one case a line in, one answer a line out. Whatever libraries print goes nowhere."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    answers.write("ready\n")
    for line in sys.stdin:
        kind, folder, file = json.loads(line)
        words = ""
        try:
            knock(kind, Path(folder), file)
        except BaseException as error:
            words = "".join(traceback.format_exception(error)[-6:])
        answers.write(json.dumps(words) + "\n")


# --- the pool, in the parent --------------------------------------------------------------------------------------------


class Worker:
    """A worker process, started again when it hangs or dies."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def try_(self, case: Case) -> Outcome:
        """Send one case and wait for its answer."""
        name = f"{case.kind}:{case.number} ({case.file})"
        if self.process is None:
            self.process = subprocess.Popen([sys.executable, __file__, "--worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)  # fmt: skip
            if self._line(START_S) != b"ready\n":
                raise RuntimeError("a worker doesn't start")
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([case.kind, str(case.folder), case.file]).encode() + b"\n")
        line = self._line(LIMIT_S)
        if line is None:
            self.end()
            return Outcome(name, "hang", f"no answer within {LIMIT_S:g} s")
        if not line.endswith(b"\n"):
            code = self.process.wait()
            self.end()
            return Outcome(name, "traceback", f"the worker died with {code}")
        words = json.loads(line)
        return Outcome(name, "traceback" if words else "fine", words)

    def _line(self, seconds: float) -> bytes | None:
        """A line, what there is of it when the worker is gone, or None when the time is up."""
        assert self.process is not None
        assert self.process.stdout is not None
        received, deadline = b"", time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                piece = os.read(self.process.stdout.fileno(), 1 << 16)
                if not piece:
                    return received
                received += piece
        return received

    def end(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                assert pipe is not None
                pipe.close()
            self.process = None


def tried(found: Iterator[Case], workers: int) -> list[Outcome]:
    """All cases through a few workers; the folder of a case that went well is removed."""
    lock = threading.Lock()

    def drain() -> list[Outcome]:
        worker, outcomes = Worker(), []
        try:
            while True:
                with lock:
                    case = next(found, None)
                if case is None:
                    return outcomes
                outcomes.append(worker.try_(case))
                shutil.rmtree(case.folder, ignore_errors=True)
        finally:
            worker.end()

    with ThreadPoolExecutor(workers) as pool:
        return [outcome for done in [pool.submit(drain) for _ in range(workers)] for outcome in done.result()]


# --- the command line ---------------------------------------------------------------------------------------------------


def commands(base: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """Command lines on inputs that must be refused, each in a folder of its own."""
    home, marks = base / "sound", base / "marks"
    made: list[tuple[Path, tuple[str, ...]]] = []

    def folder(study: dict[str, Any] | str = _planted.STUDY) -> Path:
        place = base / f"command-{len(made)}"
        shutil.copytree(home, place)
        (place / "study.yaml").write_text(study if isinstance(study, str) else json.dumps(study))
        return place

    studies = [
        "[" * 5000,
        "a: &a [*a]\n",
        "",
        "a: 1\na: 2\n",
        "name: !!python/name:os.system x\n",
        "\x00",
        "{}",
        "x: " + "9" * 6000,
    ]
    studies += [json.dumps(_planted.STUDY).replace(*pair) for pair in (("5 ms", "5 parsecs"), ('"offline"', '"ofline"'), ('"label"', '"la\\u0000bel"'), ("small", "\\ud800"))]  # fmt: skip
    for text in studies:
        made.append((folder(text), ("plan", "study.yaml")))
    for suffix in (".onnx", ".pkl", ".joblib", ".pt", ".pth", ".pt2", ".safetensors"):
        place = folder()
        (place / f"evil{suffix}").write_bytes(
            _planted.pickled(marks / f"command{suffix}", "zip" if suffix.startswith(".pt") else "4")
        )
        made.append((place, ("init", f"evil{suffix}", "--out", "new.yaml")))
    whole = json.dumps(_planted.STUDY)
    for name in ("model.onnx", "rows.npz", "rows.parquet"):
        for cut in (0, 9, 300):
            place = folder(whole.replace('{"npz": {"path": "rows.npz"}}', '{"parquet": {"path": "rows.parquet"}}') if name == "rows.parquet" else whole)  # fmt: skip
            (place / name).write_bytes((place / name).read_bytes()[:cut])
            made.append((place, ("run", "study.yaml", "--quick", "--only", "onnxruntime")))
    for name in ("huge.csv", "bomb.png", "damaged.arrow"):
        place = folder()
        made.append((place, ("init", "model.onnx", _planted_files.command(place, name), "--out", "new.yaml")))
    for name, word in (("rows.npy", "--out"), ("rows.npz", "--out")):
        place = folder()
        (place / name).write_bytes(_planted.pickled(marks / f"command{name}", "4"))
        made.append((place, ("init", "model.onnx", name, word, "new.yaml")))
    return made


def commanded(base: Path) -> list[Outcome]:
    """Each command line must end with exit code 2 or 4, in words."""
    found = []
    for place, words in commands(base):
        name = f"{place.name}: seatrial {' '.join(words)}"
        try:
            ended = subprocess.run([sys.executable, "-m", "seatrial", *words], cwd=place, capture_output=True, text=True, errors="replace", timeout=60, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            found.append(Outcome(name, "hang", "no end within 60 s"))
            continue
        bad = ended.returncode not in (2, 4) or "Traceback" in ended.stderr or "unforeseen" in ended.stderr
        found.append(Outcome(name, "traceback" if bad else "fine", f"exit {ended.returncode}\n{ended.stderr}" if bad else ""))  # fmt: skip
    return found


# --- the figures --------------------------------------------------------------------------------------------------------


def measure(
    counts: dict[str, int], command_line: bool = True, workers: int = 2
) -> tuple[dict[str, Figure], list[Outcome]]:
    """The figures, and every outcome that isn't fine."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        rows = itertools.zip_longest(*([(kind, number) for number in range(count)] for kind, count in counts.items()))
        outcomes = tried(cases([one for row in rows for one in row if one], base), workers)
        outcomes += commanded(base) if command_line else []
        outcomes += [Outcome(mark.name, "executed", "planted code ran") for mark in (base / "marks").iterdir()]
    bad = [outcome for outcome in outcomes if outcome.what != "fine"]
    told = {"tracebacks": "traceback", "hangs": "hang", "executed": "executed"}
    n = sum(outcome.what != "executed" for outcome in outcomes)
    figures = {"inputs": Figure(n, None, "", 1, "at least 2,000: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))}  # fmt: skip
    for figure, what in told.items():
        figures[figure] = Figure(sum(outcome.what == what for outcome in bad), None, "", n, "at most 0")
    return figures, bad


def main() -> int:
    """Print the figures, and on stderr what gave way."""
    words = sys.argv[1:]
    if "--worker" in words:
        work()
        return 0
    if "--only" in words:
        kind, _, number = words[words.index("--only") + 1].partition(":")
        return _again(kind, int(number))
    quick = "--quick" in words
    counts = {kind: count // 15 for kind, count in COUNTS.items()} if quick else COUNTS
    figures, bad = measure(counts, command_line=not quick)
    for outcome in bad:
        print(f"{outcome.what}: {outcome.case}\n  {outcome.words}", file=sys.stderr)
    tell(figures)
    return 1 if bad else 0


def _again(kind: str, number: int) -> int:
    """One case, here and now, with its whole traceback; its folder stays."""
    case = next(cases([(kind, number)], Path(tempfile.mkdtemp())))
    print(case.folder / case.file)
    knock(case.kind, case.folder, case.file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
