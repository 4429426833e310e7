"""What our clock costs and whether it tells the truth: against a bare loop, a hand-written loop and MLPerf's LoadGen.

    loop_overhead_ns       nanoseconds a query that `single_stream` adds to a bare perf_counter_ns loop, on a no-op
    median_vs_handwritten  median latency of the demo's CNN through a worker over that of a hand-written loop
    a_against_a            the same, one worker of ours over another
    median_vs_loadgen      the same, over MLPerf's LoadGen, single stream
    server_arrival_error_p99_us  microseconds by which `server` issues queries late at 1,000 a second, 99th percentile, on a session that
                           does nothing (so that no query waits for another); beside it LoadGen's latency on the same, which counts
                           its callback too
    onnxruntime_vs_its_own_tool  mean latency of the same model over that of `onnxruntime_test`, the tool in onnxruntime's package (it tells no median)
    openvino_vs_benchmark_app  median latency of the same model on OpenVINO over that of its own tool, which leaves filling the input out

All run on one processor, in random order within each round; ratios are paired by round, and their median is told. Unverified: not
a result of MLPerf.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from _rivals import environment
from _table import Figure, tell

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Facts
from seatrial.flow import arrays
from seatrial.flow.quiet import MOST_DELAY_SHARE, Watcher, pin, quietest
from seatrial.numerics.distributions import binomial_cdf

HERE = Path(__file__).parent
FASHION = HERE.parent / "examples" / "fashion"
ROUNDS = 80
ATTEMPTS = 5
RATE, QUERIES, BLOCKS = 1000, 4000, 9
LOADGEN = [
    "mlcommons-loadgen==6.0.17",
    *(f"{name}=={importlib.metadata.version(name)}" for name in ("numpy", "onnxruntime")),
]


class NoOp:
    """A session that does nothing."""

    def predict(self, values):
        return values

    def facts(self):
        return Facts("cpu", "fp32")

    def close(self):
        pass


def overhead(rounds: int = 31, queries: int = 20_000) -> list[float]:
    """Nanoseconds a query that the load adds to a bare loop of the same length, one number a round."""
    load = catalog.load(catalog.find("loads", "single_stream"))
    options = load.Options(seconds=1e-9, queries=queries)
    session, query = NoOp(), {"x": np.zeros((1, 4), np.float32)}
    found = []
    for _ in range(rounds):
        begin = perf_counter_ns()
        for _ in range(queries):
            perf_counter_ns()
            session.predict(query)
        bare = perf_counter_ns() - begin
        begin = perf_counter_ns()
        load.drive(session, [query], 1, options)
        found.append((perf_counter_ns() - begin - bare) / queries)
    return found


def arrival_error(block: int) -> float | None:
    """99th percentile of issued less scheduled of one block, in microseconds; None when the block was disturbed.

    Where a query was due while the one before was still being answered, it counts from that answer.
    """
    load = catalog.load(catalog.find("loads", "server"))
    options = load.Options(rate=RATE, seconds=QUERIES / RATE, queries=QUERIES, round=block)
    pin(quietest(1))
    with Watcher(1, "cpu") as watcher:
        events = load.drive(NoOp(), [{"x": np.zeros((1, 4), np.float32)}], 1, options)
    free = np.concatenate([[0], events.done[:-1]])
    late = (events.issued - np.maximum(events.scheduled, free)) / 1e3
    delayed = watcher.seen(events.slept / 1e9)["delay_share"] or 0.0
    return None if delayed > MOST_DELAY_SHARE else float(np.quantile(late, 0.99))


def arrivals() -> Figure:
    """Ours and LoadGen's in turn."""
    loadgen = environment("loadgen", LOADGEN)
    allowed, ours, theirs, disturbed = os.sched_getaffinity(0), [], [], 0
    for block in range(BLOCKS):
        mine = arrival_error(block)
        pin(sorted(allowed))
        command = [loadgen, HERE / "rivals" / "loadgen_server.py", str(RATE), str(QUERIES)]
        theirs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["p99_us"])
        disturbed += mine is None
        ours += [] if mine is None else [mine]
    if not ours:
        raise SystemExit("the machine is too busy to measure on: every block was disturbed")
    note = f"at most 100; {disturbed} of {BLOCKS} blocks disturbed and left out; rival: LoadGen 6.0.17's p99 latency, unverified"
    return Figure(statistics.median(ours), statistics.median(theirs), "us", len(ours), note)


class Ours:
    """Blocks of the demo's CNN through a worker, as a study runs them."""

    def __init__(self, folder: Path, values: dict, runtime: str = "onnxruntime") -> None:
        info = catalog.find("executors", "process")
        self._link = catalog.load(info).start(folder / f"{runtime}.log", None, catalog.options(info))
        subject = catalog.find("subjects", "onnx")
        artefact = catalog.load(subject).read(catalog.options(subject, {"path": "cnn.onnx"}), FASHION)
        self._fields = {"values": values, "folder": str(folder)}
        setting = {"device": "cpu", "precision": "fp32", "threads": 1, "batch": 1}
        self._ask("open", part=PartRef(name=runtime), artefact=artefact, setting=setting)

    def median(self, core: int, which: str = "median_latency") -> float | None:
        """Median (or mean) seconds of one block on this processor; None when the block was disturbed."""
        load = PartRef(name="single_stream", options={"seconds": 0.2})
        answer = self._ask("block", part=load, meters=("latency",), settings={"cores": [core]})
        return None if answer["disturbance"]["reason"] else answer["readings"]["latency"][which]

    def close(self) -> None:
        self._link.close()

    def _ask(self, name: str, **fields) -> dict:
        return self._link.ask(Order(order=name, **self._fields, **fields), 60)


class Script:
    """Blocks of a rival: a process that reads a processor's number a line and prints a median in nanoseconds."""

    def __init__(self, python: Path | str, script: str, *arguments: str) -> None:
        command = [python, HERE / "rivals" / script, FASHION / "cnn.onnx", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def median(self, core: int) -> float | None:
        """Median seconds of one block on this processor; None when the block was disturbed."""
        self._process.stdin.write(f"{core}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["median_ns"] / 1e9 if answer["delay_share"] <= MOST_DELAY_SHARE else None

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


class Mean:
    """A contender of ours that tells the mean, where the tool beside it tells no median."""

    def __init__(self, ours: Ours) -> None:
        self._ours, self.close = ours, ours.close

    def median(self, core: int) -> float | None:
        """Mean seconds of one block on this processor; None when the block was disturbed."""
        return self._ours.median(core, "mean_latency")


class OwnTool:
    """Blocks of onnxruntime's own tool, a fresh process each; one random input, and the mean of all its calls, the first ones included.

    It has no option for threads: the model's copy says it in its metadata, which onnxruntime reads where it is told to.
    """

    TOLD = re.compile(r"avg latency: ([0-9.e-]+) ms")
    CALLS = 2000

    def __init__(self, folder: Path) -> None:
        import onnx

        model = onnx.load(FASHION / "cnn.onnx")
        onnx.helper.set_model_props(model, {"ort_config": json.dumps({"session_options": {"intra_op_num_threads": 1}})})
        onnx.save(model, folder / "one_thread.onnx")
        tool = [sys.executable, "-m", "onnxruntime.tools.onnxruntime_test"]
        self._command = [*tool, str(folder / "one_thread.onnx"), str(self.CALLS)]

    def median(self, core: int) -> float | None:
        """Mean seconds of one call on this processor; it tells no median."""
        told = _on(core, self._command, os.environ | {"ORT_LOAD_CONFIG_FROM_MODEL": "1"})
        return float(self.TOLD.search(told).group(1)) / 1e3

    def close(self) -> None:
        """Nothing is open."""


class App:
    """Blocks of OpenVINO's own tool, a fresh process each; random input, filling it left out of its clock."""

    TOLD = re.compile(r"Median: +([0-9.]+) (us|ms)")

    def __init__(self) -> None:
        named = {"m": FASHION / "cnn.onnx", "d": "CPU", "api": "sync", "hint": "none", "nireq": 1, "nstreams": 1, "nthreads": 1, "infer_precision": "f32", "b": 1, "t": 1}  # fmt: skip
        tool = Path(sys.executable).with_name("benchmark_app")
        self._command = [str(tool), *(str(word) for name, value in named.items() for word in (f"-{name}", value))]

    def median(self, core: int) -> float | None:
        """Median seconds of one block on this processor."""
        value, unit = self.TOLD.search(_on(core, self._command)).groups()
        return float(value) * {"us": 1e-6, "ms": 1e-3}[unit]

    def close(self) -> None:
        """Nothing is open."""


def _on(core: int, command: list[str], env: dict[str, str] | None = None) -> str:
    """What a command says that is run on this processor."""
    allowed = os.sched_getaffinity(0)
    pin([core])
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    finally:
        pin(sorted(allowed))


def medians(rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Median seconds a round of each contender, in rounds in which none was disturbed (or the last attempt)."""
    loadgen = environment("loadgen", LOADGEN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = np.random.default_rng(0).standard_normal((64, 1, 28, 28)).astype(np.float32)
        np.save(folder / "rows.npy", rows)
        values = {"image": arrays.save(folder, rows)}
        contenders = {
            "ours": Ours(folder, values),
            "ours again": Ours(folder, values),
            "handwritten": Script(sys.executable, "handwritten.py", str(folder / "rows.npy")),
            "loadgen": Script(loadgen, "loadgen.py", str(folder / "rows.npy")),
        }
        beside = {"openvino": Ours(folder, values, "openvino"), "benchmark_app": App()}
        own = {"our mean": Mean(Ours(folder, values)), "own tool": OwnTool(folder)}
        return _in_turn(contenders, rounds) | _in_turn(beside, rounds // 4) | _in_turn(own, rounds // 4)


def _in_turn(contenders: dict[str, Any], rounds: int) -> dict[str, list[float]]:
    """Median seconds a round of each, in random order within a round."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for index in range(rounds + 1):  # the first warms up
        order = list(contenders)
        random.Random(index).shuffle(order)
        core = quietest(1)[0]  # one for all of a round: processors differ
        one = {name: _undisturbed(contenders[name], core) for name in order}
        for name, median in one.items() if index else ():
            found[name].append(median)
    for contender in contenders.values():
        contender.close()
    return found


def _undisturbed(contender: Any, core: int) -> float:
    for _ in range(ATTEMPTS):
        median = contender.median(core)
        if median is not None:
            return median
    raise SystemExit("the machine is too busy to measure on: every block was disturbed")


def ratio(found: dict[str, list[float]], one: str, other: str, note: str) -> Figure:
    """Two contenders' latencies as a figure whose ratio is the median of the paired ratios, with a distribution-free interval.

    Other guests of a virtual machine slow single blocks by a fifth; the median of many short pairs doesn't mind.
    """
    ratios = sorted(a / b for a, b in zip(found[one], found[other], strict=True))
    below = next(
        k for k in range(len(ratios)) if binomial_cdf(k, len(ratios), 0.5) > 0.025
    )  # order statistics k, n-1-k
    middle, typical = statistics.median(ratios), statistics.median(found[other])
    bounds = f"95 % interval {ratios[below]:.4f} to {ratios[-1 - below]:.4f}"
    return Figure(middle * typical, typical, "s", len(ratios), f"{bounds}; {note}")


def main() -> None:
    cost = overhead()
    late = arrivals()
    found = medians()
    tell(
        {
            "server_arrival_error_p99_us": late,
            "loop_overhead_ns": Figure(
                statistics.median(cost), None, "ns", len(cost), "over a bare loop, on a no-op; at most 500"
            ),
            "median_vs_handwritten": ratio(found, "ours", "handwritten", "within 2 % of 1"),
            "a_against_a": ratio(found, "ours", "ours again", "two workers of ours"),
            "onnxruntime_vs_its_own_tool": ratio(
                found, "our mean", "own tool", "means; its own counts its first calls, ours were warm"
            ),
            "openvino_vs_benchmark_app": ratio(
                found, "openvino", "benchmark_app", "ours counts handing over the input, benchmark_app does not"
            ),
            "median_vs_loadgen": ratio(found, "ours", "loadgen", "within 3 % of 1; LoadGen 6.0.17, unverified"),
        }
    )


if __name__ == "__main__":
    main()
