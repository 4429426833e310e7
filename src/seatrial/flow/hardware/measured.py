"""Measuring in a process of its own: `python -m seatrial.flow.hardware.measured TASK RESULT`, both JSON files.

Tasks: `levels` (bandwidth by working set), `peaks` (large matrix products of one runtime in each of its precisions) and `probes`
(the calibration models on one runtime, precision and thread count). What can't be run is named with its reason. Times are those
of the machine undisturbed, as far as it lets us: the lower decile of the calls of the quietest of three visits.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.hardware import Level
from seatrial.contracts.protocols import Session, Setting
from seatrial.errors import SeatrialError
from seatrial.flow import bench
from seatrial.flow.hardware import calibrated, probes

SIZES = tuple(int(2 ** (power / 2)) for power in range(34, 57))
"""Working sets in bytes: 128 KiB to 256 MiB."""
COPY_S, CALL_S, PEAK_S = 0.02, 0.08, 0.8
ROUNDS, VISITS = 5, 3
LEAST_CALLS, LEAST_COPIES = 7, 3
PEAK_WIDTH, PEAK_ROWS = 1024, 512


def levels(threads: int) -> list[Level]:
    """Bytes a second, read and written, of copies within working sets of `SIZES`, by that many threads at once.

    The best of several rounds through all sizes. What a larger working set reaches a smaller one reaches, too: where it seems not to,
    something else was running, and it takes the larger one's figure.
    """
    best = dict.fromkeys(SIZES, 0.0)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            for size in SIZES:
                best[size] = max(best[size], _copied(pool, threads, size))
    most, found = 0.0, []
    for size in reversed(SIZES):
        most = max(most, best[size])
        found.append(Level(size=size, bandwidth=most))
    return found[::-1]


def _copied(pool: ThreadPoolExecutor, threads: int, size: int) -> float:
    """Bytes a second of the fastest copy in a while."""
    pairs = [(np.ones(size // (16 * threads)), np.ones(size // (16 * threads))) for _ in range(threads)]
    repeats = max(1, 2**24 // size)

    def copy(pair: tuple[Any, Any]) -> None:
        for _ in range(repeats):
            np.copyto(pair[1], pair[0])

    moved = 2 * sum(one.nbytes for one, _ in pairs) * repeats
    return moved / _fastest(lambda: list(pool.map(copy, pairs)), COPY_S)


def peaks(runtime: str, precisions: Sequence[str], threads: Sequence[int]) -> tuple[list[dict[str, Any]], list[str]]:
    """Operations a second of large matrix products, by precision as executed and by threads; and what couldn't be run."""
    found: list[dict[str, Any]] = []
    failures: list[str] = []
    floats = probes.layers("peak", (PEAK_WIDTH,) * 4)
    asked = [(floats, precision) for precision in precisions] + [(probes.quantised(PEAK_WIDTH), precisions[0])]
    flops = 3 * 2.0 * PEAK_ROWS * PEAK_WIDTH**2
    for net, precision in asked:
        for count in threads:
            try:
                ran, seconds = _one(runtime, net, Setting(precision=precision, threads=count))
            except SeatrialError as error:
                failures.append(f"{runtime} in {precision}: {error.what}")
                break
            if not any(one["precision"] == ran and one["threads"] == count for one in found):
                found.append({"precision": ran, "threads": count, "flops": flops / seconds, "runtime": runtime})
    return found, failures


def points(runtime: str, precision: str, threads: int) -> list[dict[str, Any]]:
    """Seconds a call of every calibration model at its batch sizes. Raises `SeatrialError` where the runtime can't do that."""
    found: dict[tuple[str, int], float] = {}
    setting = Setting(precision=precision, threads=threads)
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        nets = [(make(), batches) for make, batches in probes.PROBES]
        files = [net.save(Path(folder)) for net, _ in nets]
        for _ in range(VISITS):
            for (net, batches), file in zip(nets, files, strict=True):
                session = opened(runtime, file, setting)
                for batch in batches:
                    seconds = seconds_of(session, net.feed(batch))
                    found[net.name, batch] = min(seconds, found.get((net.name, batch), seconds))
                _refuse_other(session)
                session.close()
    return [{"model": name, "batch": batch, "seconds": seconds} for (name, batch), seconds in found.items()]


def seconds_of(session: Session, values: dict[str, Any], budget: float = CALL_S) -> float:
    """The lower decile of the seconds of a call, after some that aren't counted."""
    for _ in range(3):
        session.predict(values)
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < LEAST_CALLS or time.perf_counter() < end:
        began = time.perf_counter()
        session.predict(values)
        times.append(time.perf_counter() - began)
    return float(np.quantile(times, 0.1))


def _one(runtime: str, net: probes.Net, setting: Setting) -> tuple[str, float]:
    """The precision in which it ran and the seconds of its fastest call."""
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        session = opened(runtime, net.save(Path(folder)), setting)
        values = net.feed(PEAK_ROWS)
        seconds = _fastest(lambda: session.predict(values), PEAK_S)
        ran = session.facts().precision
        session.close()
    return ran, seconds


def opened(runtime: str, file: Path, setting: Setting) -> Session:
    """A session of this runtime on a model's file. Raises `SeatrialError` where it can't be had."""
    from seatrial.flow._look import by_suffix

    info, subject = catalog.find("runtimes", runtime), by_suffix("subjects", file)
    catalog.require(info)
    artefact = catalog.load(subject).read(catalog.options(subject, {"path": file.name}), file.parent)
    part = catalog.load(info)
    part.import_framework()
    session: Session = part.open(artefact, setting, catalog.options(info))
    return session


def _refuse_other(session: Session) -> None:
    facts = session.facts()
    if facts.fell_back:
        raise SeatrialError(facts.fell_back)


def _fastest(once: Callable[[], Any], budget: float) -> float:
    """Seconds of the fastest of several times, the first not counted."""
    once()
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < LEAST_COPIES or time.perf_counter() < end:
        began = time.perf_counter()
        once()
        times.append(time.perf_counter() - began)
    return min(times)


def carry_out(task: dict[str, Any]) -> dict[str, Any]:
    """One task and its result; what the runtime refuses is a `failure`."""
    try:
        if task["task"] == "levels":
            return {"levels": {count: [one.model_dump() for one in levels(count)] for count in task["threads"]}}
        if task["task"] == "peaks":
            found, failures = peaks(task["runtime"], task["precisions"], task["threads"])
            return {"peaks": found, "failures": failures}
        named = {name: task[name] for name in ("runtime", "precision", "threads")}
        steps = [Level(**one) for one in task["levels"]]
        return {"reach": calibrated.reach(points(**named), steps, **named).model_dump(mode="json")}
    except SeatrialError as error:
        return {"failure": error.what}


def main() -> None:
    """Read the task, measure, write the result."""
    bench.settle(memory=None)
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(json.dumps(carry_out(task)), encoding="utf-8")


if __name__ == "__main__":
    main()
