"""What anybody would write: a loop around onnxruntime with perf_counter_ns. Reads a processor's number, prints a median."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
rows = np.load(sys.argv[2])
name = session.get_inputs()[0].name
queries = [np.ascontiguousarray(rows[index : index + 1]) for index in range(len(rows))]


def delay() -> int:
    """Nanoseconds that this process's threads have waited for a processor."""
    return sum(int(file.read_text().split()[1]) for file in Path("/proc/self/task").glob("*/schedstat"))


for line in sys.stdin:
    os.sched_setaffinity(0, {int(line)})
    took, begin, waited = [], time.perf_counter(), delay()
    while time.perf_counter() - begin < 0.2:
        for query in queries:
            before = time.perf_counter_ns()
            session.run(None, {name: query})
            took.append(time.perf_counter_ns() - before)
    share = (delay() - waited) / 1e9 / (time.perf_counter() - begin)
    print(json.dumps({"median_ns": float(np.median(took)), "delay_share": share}), flush=True)
