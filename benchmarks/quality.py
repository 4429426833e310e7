"""All metrics with intervals for every slice of a million rows, from one pass: CPU seconds and peak memory beside the rivals'.

    all_metrics_1m    binary, 1,000,000 rows, 10 columns of 88 levels: all metrics with intervals, of all rows and of each level
    paired_1m_x_10    two models, 1,000,000 rows, 10 classes: all metrics of both, and the comparison

Each contender is a process of its own: the CPU time of its work without making the data (process_time), and its peak memory with
the data in it (VmHWM). Beside ours: scikit-learn's six metrics without intervals, in the same run; fairlearn's metric frame and
evidently's classification report in their own environments (`--rivals`), on fewer rows where they take minutes, which is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROWS, LEVELS = 1_000_000, (4, 6, 8, 8, 9, 9, 10, 10, 12, 12)
FAIRLEARN = ["fairlearn==0.15.0", "numpy<3", "scikit-learn"]
EVIDENTLY = ["evidently==0.7.23", "pandas<3"]
REPEATS = 3


def binary(rows: int = ROWS) -> tuple[Any, Any, list[Any]]:
    """Labels, probabilities of the second class, and ten columns of codes."""
    rng = np.random.default_rng(0)
    truth = (rng.random(rows) < 0.2).astype(np.int64)
    score = rng.standard_normal(rows)
    score += 2.0 * truth - 2.0
    np.negative(score, out=score)
    np.exp(score, out=score)
    score += 1.0
    np.reciprocal(score, out=score)
    return truth, score, [rng.integers(0, levels, rows, dtype=np.int8) for levels in LEVELS]


def all_metrics() -> dict[str, Any]:
    """Ours on the binary rows."""
    from seatrial.contracts.finding import Condition
    from seatrial.contracts.quality import Batch
    from seatrial.contracts.tally import Partition

    truth, score, columns = binary()
    both = np.empty((ROWS, 2))
    both[:, 1] = score
    np.subtract(1.0, score, out=both[:, 0])
    del score
    batch = Batch(answers={"scores": both, "probabilities": both}, labels=truth, classes=("no", "yes"))
    partitions = [
        Partition(tuple((Condition(column=f"c{at}", relation="==", value=one),) for one in range(levels)), codes)
        for at, (levels, codes) in enumerate(zip(LEVELS, columns, strict=True))
    ]
    return _stated(batch, partitions, paired=False)


def paired() -> dict[str, Any]:
    """Ours on two models' answers for ten classes."""
    from seatrial.contracts.quality import Batch

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, ROWS)
    one = rng.standard_normal((ROWS, 10))
    one[np.arange(ROWS), truth] += 2.0
    other = one + 0.2 * rng.standard_normal((ROWS, 10))
    sides = []
    for logits in (one, other):
        powers = np.exp(logits)
        powers /= powers.sum(axis=1, keepdims=True)
        sides.append({"scores": logits, "probabilities": powers})
    own, reference = sides
    first = _stated(Batch(own, truth, reference), (), paired=True)
    second = _stated(Batch(reference, truth), (), paired=False)
    return {
        "cpu": first["cpu"] + second["cpu"],
        "peak_mb": _peak(),
        "findings": first["findings"] + second["findings"],
    }


def sklearn_six() -> dict[str, Any]:
    """Six metrics of all rows by scikit-learn, no intervals, no slices."""
    import sklearn.metrics as sk

    truth, score, _ = binary()
    begin = process_time()
    guess = score > 0.5
    values = [
        one(truth, guess)
        for one in (
            sk.accuracy_score,
            sk.balanced_accuracy_score,
            sk.precision_score,
            sk.recall_score,
            sk.f1_score,
        )
    ]
    values.append(sk.roc_auc_score(truth, score))
    return {"cpu": process_time() - begin, "peak_mb": _peak(), "findings": len(values)}


def _stated(batch: Any, partitions: Any, paired: bool) -> dict[str, Any]:
    """CPU seconds to count and to state every counted metric with findings, in the way in which a study does."""
    from seatrial import catalog
    from seatrial.flow.measures import findings_of
    from seatrial.numerics.counting import tally

    given = {"cost": {"matrix": [[0, 1], [20, 0]]}} if len(batch.answers["scores"][0]) == 2 else {}
    metrics = [
        part
        for part in catalog.parts("metrics").values()
        if part.counts
        and not part.across
        and part.takes("task", "classification")
        and (paired or not part.paired)
        and (part.name != "cost" or given)
    ]
    modules = [(catalog.load(part), catalog.options(part, given.get(part.name))) for part in metrics]
    begin = process_time()
    counters = dict.fromkeys(name for part in metrics for name in part.counts)
    counts = tally(batch, partitions, tuple(counters))
    counted = process_time() - begin
    found = [
        one
        for module, options in modules
        for measure in module.measures(counts, 0.95, options)
        for one in findings_of(measure, counts.cells)
    ]
    return {"cpu": process_time() - begin, "counting": counted, "peak_mb": _peak(), "findings": len(found)}


def _peak() -> float:
    """This process' largest resident memory so far, MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


CONTENDERS: dict[str, Callable[[], dict[str, Any]]] = {
    "all_metrics": all_metrics,
    "paired": paired,
    "sklearn_six": sklearn_six,
}


def measured(python: Path | str, *arguments: str) -> dict[str, Any]:
    """The least CPU time of some runs of a contender, each in a process of its own, and its peak memory."""
    runs = []
    for _ in range(REPEATS):
        done = subprocess.run([python, *arguments], capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return min(runs, key=lambda run: run["cpu"])


def main() -> None:
    if "--child" in sys.argv:
        print(json.dumps(CONTENDERS[sys.argv[-1]]()))
        return
    from _table import Figure, tell

    ours, pair, six = (measured(sys.executable, __file__, "--child", name) for name in CONTENDERS)
    said = f"{ours['findings']} findings, counting {ours['counting']:.2f} s; beside it scikit-learn's six numbers"
    figures = {
        "all_metrics_1m": Figure(ours["cpu"], six["cpu"], "CPU s", REPEATS, f"at most 0.6; {said}"),
        "all_metrics_1m_mb": Figure(ours["peak_mb"], six["peak_mb"], "MB", REPEATS, "peak with the data; at most 200"),
        "paired_1m_x_10": Figure(pair["cpu"], None, "CPU s", REPEATS, f"at most 3; {pair['findings']} findings"),
        "paired_1m_x_10_mb": Figure(pair["peak_mb"], None, "MB", REPEATS, "peak with the data (320 MB)"),
    }
    if "--rivals" in sys.argv:
        figures |= rivals(ours)
    tell(figures)


def rivals(ours: dict[str, Any]) -> dict[str, Any]:
    """Fairlearn and evidently, in environments of their own."""
    from _rivals import environment
    from _table import Figure

    found = {}
    for name, packages, script in (
        ("fairlearn", FAIRLEARN, "quality_fairlearn.py"),
        ("evidently", EVIDENTLY, "quality_evidently.py"),
    ):
        done = subprocess.run(
            [environment(name, packages), HERE / "rivals" / script], capture_output=True, text=True, check=True
        )
        run = json.loads(done.stdout.strip().splitlines()[-1])
        found[f"all_metrics_1m_{name}"] = Figure(ours["cpu"], run["cpu"], "CPU s", 1, run["note"])
        found[f"all_metrics_1m_{name}_mb"] = Figure(ours["peak_mb"], run["peak_mb"], "MB", 1, run["note"])
    return found


if __name__ == "__main__":
    main()
