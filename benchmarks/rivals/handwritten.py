"""What anybody would write: a loop around onnxruntime with perf_counter_ns. Reads a processor's number, prints a median."""

import json
import os
import sys
import time

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
rows = np.load(sys.argv[2])
name = session.get_inputs()[0].name
queries = [np.ascontiguousarray(rows[index : index + 1]) for index in range(len(rows))]

for line in sys.stdin:
    os.sched_setaffinity(0, {int(line)})
    took, begin, cpu = [], time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < 1.0:
        for query in queries:
            before = time.perf_counter_ns()
            session.run(None, {name: query})
            took.append(time.perf_counter_ns() - before)
    share = (time.process_time() - cpu) / (time.perf_counter() - begin)
    print(json.dumps({"median_ns": float(np.median(took)), "cpu_share": share}), flush=True)
