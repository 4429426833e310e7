"""The checks that need a GPU: the demo's model on the GPU beside the CPU, with quality. Writes benchmarks/gpu_results.json.

Without a GPU it says what it would do and ends with 0.
"""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FASHION = HERE.parent / "examples" / "fashion"
GRIDS = """\
candidates:
  - {runtime: onnxruntime, batch: 256}
  - {runtime: [torch, {torch: {compiled: true}}], device: cuda, precision: [fp32, bf16, fp16], batch: 256}
  - {runtime: onnxruntime, device: cuda, batch: 256}

"""


def study() -> str:
    """The demo's study with candidates on the GPU in place of its own."""
    text = (FASHION / "study.yaml").read_text()
    before, after = text.index("candidates:"), text.index("reference:")
    return text[:before] + GRIDS + text[after:]


def gpu() -> str | None:
    """The GPU's name and driver, or None."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.stdout.strip().splitlines()[0] if found.returncode == 0 and found.stdout.strip() else None


def main() -> None:
    device = gpu()
    if device is None:
        print("skipped: no NVIDIA GPU here. With one, this would run the demo's model with these candidates:\n")
        print(GRIDS)
        print("and write device, driver, versions, date, speed and quality of each to benchmarks/gpu_results.json.")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "fashion"
        shutil.copytree(FASHION, folder, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
        (folder / "study.yaml").write_text(study())
        done = subprocess.run(
            [sys.executable, "-m", "seatrial", "run", "study.yaml", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            check=True,
        )
    dossier = json.loads(done.stdout)
    shown = ("throughput", "speedup", "latency.p99", "accuracy", "accuracy.drop", "flips", "executed.precision", "run")
    kept = [one for one in dossier["findings"] if one["what"] in shown]
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    results = {"device": device, "date": date, "environment": dossier["environment"], "findings": kept}
    (HERE / "gpu_results.json").write_text(json.dumps(results, indent=1))
    print(f"{device}: {dossier['verdict']['sentence']}")


if __name__ == "__main__":
    main()
