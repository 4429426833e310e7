"""MLPerf's LoadGen, single stream, on the same model. Reads a processor's number, prints a median. One process a test."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def test(core: int) -> None:
    import mlperf_loadgen as lg
    import numpy as np
    import onnxruntime

    os.sched_setaffinity(0, {core})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    rows = np.load(sys.argv[2])
    name = session.get_inputs()[0].name
    queries = [np.ascontiguousarray(rows[index : index + 1]) for index in range(len(rows))]
    for query in queries * 40:
        session.run(None, {name: query})

    def issue(samples: list) -> None:
        for sample in samples:
            session.run(None, {name: queries[sample.index]})
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0)])  # performance mode needs no answers

    settings = lg.TestSettings()
    settings.scenario = lg.TestScenario.SingleStream
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = 1000
    settings.min_query_count = 662
    logs = lg.LogSettings()
    logs.enable_trace = False
    logs.log_output.outdir = sys.argv[3]
    logs.log_output.copy_summary_to_stdout = False
    sut = lg.ConstructSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(len(queries), len(queries), lambda indices: None, lambda indices: None)
    waited, wall = delay(), time.perf_counter()
    lg.StartTestWithLogSettings(sut, qsl, settings, logs, "")
    print((delay() - waited) / 1e9 / (time.perf_counter() - wall), file=sys.stderr)


def delay() -> int:
    """Nanoseconds that this process's threads have waited for a processor."""
    return sum(int(file.read_text().split()[1]) for file in Path("/proc/self/task").glob("*/schedstat"))


if len(sys.argv) > 3:
    test(int(sys.argv[4]))
else:
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, *sys.argv, folder, line.strip()]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
            share = float(done.stderr.strip().splitlines()[-1])
            summary = (Path(folder) / "mlperf_log_summary.txt").read_text()
        median = int(re.search(r"50\.00 percentile latency \(ns\)\s*:\s*(\d+)", summary).group(1))
        print(json.dumps({"median_ns": median, "delay_share": share}), flush=True)
