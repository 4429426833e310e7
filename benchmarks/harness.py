"""What our clock costs and whether it tells the truth: against a bare loop, a hand-written loop and MLPerf's LoadGen.

    loop_overhead_ns       nanoseconds a query that `single_stream` adds to a bare perf_counter_ns loop, on a no-op
    median_vs_handwritten  median latency of the demo's CNN through a worker over that of a hand-written loop
    a_against_a            the same, one worker of ours over another
    median_vs_loadgen      the same, over MLPerf's LoadGen, single stream
    server_arrival_error_p99_us  microseconds by which `server` issues queries late at 1,000 a second, 99th percentile, on a session that
                           does nothing (so that no query waits for another); beside it LoadGen's latency on the same, which counts
                           its callback too

All run on one processor, in random order within each round; ratios are paired by round, and their median is told. Unverified: not
a result of MLPerf. The runtimes' own tools stand beside ours in `tools.py`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from _beside import MODEL, Ours, Told, in_turn, ratio
from _rivals import environment
from _table import Figure, tell

from seatrial import catalog
from seatrial.contracts.protocols import Facts
from seatrial.flow import arrays
from seatrial.flow.quiet import MOST_DELAY_SHARE, Watcher, pin, quietest

HERE = Path(__file__).parent
ROUNDS = 80
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


class Script:
    """Blocks of a rival: a process that reads a processor's number a line and prints a median in nanoseconds."""

    def __init__(self, python: Path | str, script: str, *arguments: str) -> None:
        command = [python, HERE / "rivals" / script, MODEL, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def block(self, core: int) -> tuple[Told, bool]:
        """Median seconds of one block on this processor."""
        self._process.stdin.write(f"{core}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return {"median": answer["median_ns"] / 1e9}, answer["delay_share"] > MOST_DELAY_SHARE

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def medians(rounds: int = ROUNDS) -> dict[str, list[Told]]:
    """What each contender told of each round, in rounds in which none was disturbed (or the last attempt)."""
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
        return in_turn(contenders, rounds)


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
            "median_vs_loadgen": ratio(found, "ours", "loadgen", "within 3 % of 1; LoadGen 6.0.17, unverified"),
        }
    )


if __name__ == "__main__":
    main()
