"""Fairlearn's metric frame: four metrics by one column of 12 levels with a bootstrap; prints CPU seconds and peak memory as JSON."""

import json
from pathlib import Path
from time import process_time

import numpy as np
import sklearn.metrics as sk
from fairlearn.metrics import MetricFrame

ROWS, REPLICATES = 100_000, 5

rng = np.random.default_rng(0)
truth = (rng.random(ROWS) < 0.2).astype(int)
guess = (rng.standard_normal(ROWS) + 2.0 * truth - 2.0 > 0).astype(int)
column = rng.integers(0, 12, ROWS)
begin = process_time()
frame = MetricFrame(
    metrics={
        "accuracy": sk.accuracy_score,
        "precision": sk.precision_score,
        "recall": sk.recall_score,
        "f1": sk.f1_score,
    },
    y_true=truth,
    y_pred=guess,
    sensitive_features=column,
    n_boot=REPLICATES,
    ci_quantiles=[0.025, 0.975],
)
assert len(frame.by_group) == 12
cpu = process_time() - begin
status = Path("/proc/self/status").read_text(encoding="utf-8")
peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
note = f"fairlearn 0.15: 4 metrics, 1 column, {ROWS:,} rows, {REPLICATES} replicates; not extrapolated"
print(json.dumps({"cpu": cpu, "peak_mb": peak, "note": note}))
