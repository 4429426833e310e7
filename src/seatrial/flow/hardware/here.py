"""This machine: its devices, and what it reaches, measured in processes of their own and kept in the user's cache folder.

What is kept holds for this machine with these library versions; another processor, kernel, runtime or version measures anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from seatrial import catalog
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.hardware import Level, Measured, Peak, Reach
from seatrial.contracts.part import PartInfo
from seatrial.contracts.record import digest
from seatrial.errors import SeatrialError, StudyError, Unsupported, WorkerCrashed, WorkerHung
from seatrial.flow import environment
from seatrial.flow.trial import now

MODULE = "seatrial.flow.hardware.measured"
LIMIT_S = 600.0
VERSION = 2
"""Raise it when what is measured, or how, changes."""
FILES = ".onnx"
"""Calibration models are written in this format; runtimes that take it can be calibrated."""
DEVICE = str(Candidate.model_fields["device"].default)
PRECISION = str(Candidate.model_fields["precision"].default)
Tell = Callable[[str], None]
Kept = TypeVar("Kept", Measured, Reach)


def measured(fresh: bool = False, tell: Tell = lambda _: None) -> Measured:
    """Peaks by precision and bandwidth by working set, as kept or measured now. What fails is named in `failures`."""
    kept = _kept("machine", [one.name for one in runtimes()])
    if not fresh and (before := _taken(kept, Measured)):
        return before
    began, load, found, failures = time.monotonic(), os.getloadavg()[0], [], []
    threads = thread_counts()
    tell("measuring bandwidth")
    levels = _ask({"task": "levels", "threads": threads})["levels"]
    for info in runtimes():
        tell(f"measuring matrix products with {info.name}")
        try:
            answer = _ask({"task": "peaks", "runtime": info.name, "precisions": precisions(info), "threads": threads})
        except SeatrialError as error:
            failures.append(f"{info.name}: {error.what}")
            continue
        found += [Peak(**one) for one in answer.get("peaks", ())]
        failures += answer.get("failures", [answer["failure"]] if "failure" in answer else [])
    made = Measured(
        machine=environment.look([])["cpu"],
        key=kept.stem,
        measured_at=now(),
        seconds=time.monotonic() - began,
        peaks=_best(found),
        levels={int(count): tuple(Level(**one) for one in steps) for count, steps in levels.items()},
        load_1m=round(load, 2),
        failures=tuple(failures),
    )
    _keep(kept, made.model_dump_json(indent=1))
    return made


def reach(
    runtime: str | None, precision: str, threads: int = 1, fresh: bool = False, tell: Tell = lambda _: None
) -> Reach:
    """One runtime in one precision on so many threads, calibrated as kept or measured now.

    Raises `StudyError` where no runtime here takes that, `Unsupported` with the reason where it can't run.
    """
    info = able(runtime, precision, threads)
    kept = _kept(f"{info.name}-{precision}-t{threads}", [info.name])
    if not fresh and (found := _taken(kept, Reach)):
        return found
    levels = measured(tell=tell).levels[threads]
    tell(f"calibrating {info.name} in {precision} on some thirty small models; this takes about half a minute")
    load, steps = os.getloadavg()[0], [one.model_dump() for one in levels]
    answer = _ask({"task": "probes", "runtime": info.name, "precision": precision, "threads": threads, "levels": steps})
    if "failure" in answer:
        raise Unsupported(
            f"{info.name} can't be calibrated in {precision}: {answer['failure']}", next_step="take another precision"
        )
    made = Reach(**answer["reach"] | {"load_1m": round(load, 2), "measured_at": now()})
    _keep(kept, made.model_dump_json(indent=1))
    return made


def able(runtime: str | None, precision: str, threads: int = 1) -> PartInfo:
    """The runtime that would be calibrated, asked for or the first that can. Raises `StudyError` where there is none."""
    counts = thread_counts()
    if threads not in counts:
        raise StudyError(
            f"bandwidth is measured here with {' and '.join(map(str, counts))} threads, not with {threads}",
            next_step=f"`--threads {counts[-1]}`",
        )
    return _runtime(runtime, precision)


def thread_counts() -> list[int]:
    """With how many threads this machine is measured: one, and all that may be used."""
    return sorted({1, len(os.sched_getaffinity(0))})


def runtimes() -> list[PartInfo]:
    """Installed runtimes that take the files in which calibration models are written."""
    found = [one for one in catalog.parts("runtimes").values() if FILES[1:] in one.accepts.get("format", ())]
    return [one for one in found if not catalog.absent(one)]


def precisions(info: PartInfo) -> list[str]:
    """What a runtime accepts."""
    return list(info.accepts.get("precision", (PRECISION,)))


def accelerators() -> list[dict[str, str]]:
    """GPUs by nvidia-smi, and device files of TPUs, NPUs and other GPUs; empty where there are none. Loads no framework."""
    found = [
        {"kind": "GPU", "name": name, "note": f"{memory}, driver {driver}"}
        for name, memory, driver in environment.gpus()
    ]
    for pattern, kind in (("accel*", "TPU or NPU"), ("accel/accel*", "NPU"), ("dri/renderD*", "GPU"), ("apex_*", "Edge TPU"), ("hailo*", "Hailo")):  # fmt: skip
        found += [
            {"kind": kind, "name": str(one), "note": ""} for one in Path("/dev").glob(pattern) if not one.is_dir()
        ]
    return found


def cache() -> Path:
    """Where measurements are kept: `seatrial/hardware` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seatrial" / "hardware"


def _runtime(asked: str | None, precision: str) -> PartInfo:
    able = [one for one in runtimes() if precision in precisions(one)]
    named = [one for one in able if asked in (None, one.name)]
    if named:
        return named[0]
    others = ", ".join(f"{one.name} ({', '.join(precisions(one))})" for one in runtimes())
    there = asked is None or any(one.name == asked for one in runtimes())
    said = f"{asked or 'no runtime here'} {'does not compute' if asked else 'computes'} in {precision}"
    raise StudyError(
        said if there else f"`{asked}` is no runtime that can be calibrated here",
        next_step=f"these can be calibrated here: {others or 'none; `seatrial doctor` says what is missing'}",
    )


def _best(found: list[Peak]) -> tuple[Peak, ...]:
    """The highest of each precision and thread count."""
    best: dict[tuple[str, int], Peak] = {}
    for one in found:
        place = (one.precision, one.threads)
        if place not in best or one.flops > best[place].flops:
            best[place] = one
    return tuple(best.values())


def _kept(name: str, of: list[str]) -> Path:
    """The file of a measurement; its name changes with machine, versions and what is measured."""
    packages = [package for one in of for package in catalog.find("runtimes", one).needs]
    versions = {package: environment.version(package) for package in sorted({*packages, "numpy"})}
    return cache() / f"{name}-{digest([VERSION, environment.fingerprint(environment.look([])), versions])}.json"


def _taken(file: Path, kind: type[Kept]) -> Kept | None:
    """What was kept; None where there is nothing, or nothing that can be read."""
    try:
        return kind.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _keep(file: Path, text: str) -> None:
    """Write as a whole or not at all; a folder that can't be written is no error, it is measured again next time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as written:
            written.write(text)
        Path(written.name).replace(file)
    except OSError as error:
        print(f"what was measured can't be kept in {file.parent}: {error.strerror}", file=sys.stderr)


def _ask(task: dict[str, Any]) -> dict[str, Any]:
    """One task in a process of its own. Raises a `WorkerError` where that doesn't survive it."""
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        asked, result, log = (Path(folder) / name for name in ("task.json", "result.json", "log.txt"))
        asked.write_text(json.dumps(task), encoding="utf-8")
        command = [sys.executable, "-m", MODULE, str(asked), str(result)]
        with log.open("wb") as file:
            try:
                done = subprocess.run(command, stdout=file, stderr=file, check=False, timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                raise WorkerHung(f"measuring `{task['task']}` took more than {LIMIT_S:g} s") from None
        if done.returncode or not result.is_file():
            words = log.read_text(errors="replace").strip().splitlines() or ["no words"]
            raise WorkerCrashed(f"measuring `{task['task']}` ended with code {done.returncode}: {words[-1][:300]}")
        answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return answer
