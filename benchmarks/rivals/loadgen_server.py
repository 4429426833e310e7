"""MLPerf's LoadGen, server scenario at a rate, on a session that does nothing: by how much queries are issued late. One process a test."""

import json
import re
import sys
import tempfile
from pathlib import Path

import mlperf_loadgen as lg


def issue(samples: list) -> None:
    lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0) for sample in samples])


settings = lg.TestSettings()
settings.scenario = lg.TestScenario.Server
settings.mode = lg.TestMode.PerformanceOnly
settings.server_target_qps = float(sys.argv[1])
settings.server_target_latency_ns = 10**9
settings.min_duration_ms = 0
settings.min_query_count = settings.max_query_count = int(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    logs = lg.LogSettings()
    logs.enable_trace = False
    logs.log_output.outdir = folder
    logs.log_output.copy_summary_to_stdout = False
    sut, qsl = lg.ConstructSUT(issue, lambda: None), lg.ConstructQSL(64, 64, lambda indices: None, lambda indices: None)
    lg.StartTestWithLogSettings(sut, qsl, settings, logs, "")
    summary = (Path(folder) / "mlperf_log_summary.txt").read_text()
found = {
    name: int(re.search(rf"{name}0 percentile latency \(ns\)\s*:\s*(\d+)", summary).group(1))
    for name in ("50.0", "99.0")
}
print(json.dumps({"p50_us": found["50.0"] / 1e3, "p99_us": found["99.0"] / 1e3}))
