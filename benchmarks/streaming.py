"""Quality of a hundred million predictions, streamed from Parquet: CPU seconds and peak memory, and how both grow.

    python benchmarks/streaming.py [--rows 100000000] [--keep FOLDER]

Writes predictions of a binary model (a probability, a label, three columns to slice by) as Parquet, then runs a study of them in a
process of its own: twice, at a tenth of the rows and at all. Figures: `rows_100m_cpu_s` (at most 120), `rows_100m_peak_mb` (at most
1,000), and `linear` (CPU a row at all rows over that at a tenth).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

FILE_ROWS = 5_000_000
STUDY = """\
schema: 1
name: streamed
models:
  elsewhere:
    forms: {{predictions: {{from: {{parquet: {{path: "{folder}/*.parquet"}}}}, columns: [score]}}}}
    task: classification
    outputs: {{score: {{means: probabilities, classes: [no, yes]}}}}
data:
  evaluation: {{from: {{parquet: {{path: "{folder}/*.parquet"}}}}, label: label, roles: confirm}}
candidates: [{{runtime: recorded}}]
reference: {{runtime: recorded, eligible: true}}
measure:
  loads: []
  meters: []
  metrics: [accuracy, precision, recall, f1, mcc, log_loss, brier, auc_roc, ece, calibration_error]
  slices: [region, product, month]
require: [{{at_least: {{what: accuracy, bound: 0.5}}}}]
reports: [json]
"""
CHILD = """\
import resource, sys
from pathlib import Path
import seatrial
dossier = seatrial.run(sys.argv[1])
status = Path("/proc/self/status").read_text()
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
used = resource.getrusage(resource.RUSAGE_SELF)
rows = next(one.n for one in dossier.findings if one.what == "accuracy" and not one.slice)
print("figures", used.ru_utime + used.ru_stime, peak / 1024, rows, sum(1 for one in dossier.findings if one.value is not None))
"""


def write(folder: Path, rows: int) -> None:
    """Predictions of a model with an AUC of some .85, in files of at most five million rows."""
    import numpy as np
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, rows, FILE_ROWS)):
        random = np.random.default_rng(number)
        count = min(FILE_ROWS, rows - start)
        label = random.random(count, np.float32) < 0.2
        logit = random.normal(size=count).astype(np.float32) * 1.3 + 2 * label - 1.8
        table = {
            "score": 1 / (1 + np.exp(-logit)),
            "label": label.astype(np.int8),
            "region": random.integers(0, 20, count, np.int8),
            "product": random.integers(0, 8, count, np.int8),
            "month": random.integers(1, 13, count, np.int8),
        }
        pl.DataFrame(table).write_parquet(folder / f"{number:03}.parquet")


def measure(folder: Path, rows: int) -> tuple[float, float]:
    """CPU seconds and peak MiB of a run over so many rows."""
    data = folder / f"rows_{rows}"
    write(data, rows)
    study = folder / f"study_{rows}.yaml"
    study.write_text(STUDY.format(folder=data.name))
    answer = subprocess.run([sys.executable, "-c", CHILD, str(study)], capture_output=True, text=True, check=False)
    lines = [line for line in answer.stdout.splitlines() if line.startswith("figures")]
    if not lines:
        raise SystemExit(f"the run failed:\n{answer.stderr[-2000:]}")
    cpu, peak, counted, findings = (float(word) for word in lines[-1].split()[1:])
    assert counted == rows, f"{counted:.0f} rows were counted, not {rows}"
    print(f"{rows:>12,} rows: {cpu:7.1f} CPU s, {peak:6.0f} MiB at the peak, {findings:.0f} findings with a value")
    return cpu, peak


def main() -> None:
    """Write, run, print."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=100_000_000)
    options.add_argument("--keep", type=Path)
    given = options.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as made:
        folder = given.keep or Path(made)
        small, _ = measure(folder, given.rows // 10)
        large, peak = measure(folder, given.rows)
    name = f"rows_{given.rows // 1_000_000}m"
    print(f"{name}_cpu_s {large:.1f}")
    print(f"{name}_peak_mb {peak * 1.048576:.0f}")
    print(f"linear {large / given.rows / (small / (given.rows // 10)):.2f}")


if __name__ == "__main__":
    main()
