"""MLPerf's LoadGen in one scenario on a session that sleeps: its summary, and the very latencies that it was made from. One process a test."""

import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import mlperf_loadgen as lg

asked = json.loads(sys.argv[1])
noise = random.Random(asked["seed"])


def issue(samples: list) -> None:
    time.sleep(asked["service"] * noise.lognormvariate(0, 0.3))
    lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0) for sample in samples])


settings = lg.TestSettings()
settings.scenario = getattr(lg.TestScenario, asked["scenario"])
settings.mode = lg.TestMode.PerformanceOnly
for name, value in asked["settings"].items():
    setattr(settings, name, value)
with tempfile.TemporaryDirectory() as folder:
    logs = lg.LogSettings()
    logs.enable_trace = True
    logs.log_output.outdir = folder
    logs.log_output.copy_summary_to_stdout = False
    sut, qsl = lg.ConstructSUT(issue, lambda: None), lg.ConstructQSL(64, 64, lambda indices: None, lambda indices: None)
    lg.StartTestWithLogSettings(sut, qsl, settings, logs, "")
    summary = (Path(folder) / "mlperf_log_summary.txt").read_text()
    trace = (Path(folder) / "mlperf_log_trace.json").read_text()


def told(words: str, pattern: str = r"([0-9.]+)") -> float | None:
    """The number after these words of the summary; None where it doesn't have them."""
    found = re.search(rf"{words}\s*:?\s*{pattern}", summary)
    return float(found.group(1)) if found else None


sample = re.compile(
    r'"name":"Sample","cat":"default","ph":"b".*?"ts":([0-9.]+).*?"query_seq":(\d+).*?"complete_ns":(\d+)'
)
print(
    json.dumps(
        {
            "queries": [[int(seq), float(at), int(took)] for at, seq, took in sample.findall(trace)],
            "percentiles": {
                p: int(took)
                for p, took in re.findall(r"^([0-9.]+) percentile latency \(ns\)\s*:\s*(\d+)", summary, re.M)
            },
            "mean": told(r"Mean latency \(ns\)"),
            "valid": "Result is : VALID" in summary,
            "duration": "Min duration satisfied : Yes" in summary,
            "early": "Early stopping satisfied: Yes" in summary,
            "constraints": "Performance constraints satisfied : NO" not in summary,
            "discards": told("Would discard"),
            "estimates": {
                p: int(t) for p, t in re.findall(r"Early stopping ([0-9.]+)th percentile estimate: (\d+)", summary)
            },
            "rows_per_second": told("Samples per second"),
        }
    )
)
