"""The checks that need an NVIDIA GPU: four models on all that it offers, with quality, energy and what was predicted beforehand.

python benchmarks/gpu.py [--only NAME ...] [--keep FOLDER] [--predict]

Both examples, a larger CNN and a transformer run on PyTorch (fp32, TF32, bf16, fp16; eager, compiled, as CUDA graphs), ONNX Runtime
(CUDA, TensorRT) and JAX, each beside its answers on the processor. What can't be had is named with its reason. The results, with
device, driver, versions and date, go to gpu_results.json and from there to docs/reference/gpus.md; gpu_predictions.json was written before (`--predict`, which refuses
once there are results) and is compared with them, never changed by them. `--only` runs some models and leaves what is known of the others; `--keep FOLDER` takes
models and rows from there where they are there already, and keeps them. Without a GPU it says what it would do and ends with 0.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import _gpu_page  # noqa: E402
import _gpu_studies  # noqa: E402

DEVICE = "NVIDIA H200 SXM"
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
SHOWN = ("throughput", "speedup", "latency.p99", "accuracy", "accuracy.drop", "flips", "output_difference")
SHOWN += ("executed.precision", "energy.device", "energy.device.power", "energy.row", "memory.device", "device_time.query", "forms.difference", "run")  # fmt: skip
TREES = "decision trees, whose work isn't counted"


def gpu() -> str | None:
    """The GPU's name and driver, or None."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.stdout.strip().splitlines()[0] if found.returncode == 0 and found.stdout.strip() else None


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


# --- beforehand -----------------------------------------------------------------------------------------------------------


def predicted(file: Path, batch: int) -> dict[str, Any]:
    """By precision: rows a second on the device, with the range, and what holds it up; or why that can't be said."""
    from seatrial.errors import SeatrialError
    from seatrial.flow.hardware import catalogue, forecast
    from seatrial.flow.hardware.device import of_catalogue

    row, told = catalogue.find(DEVICE), {}
    try:
        count = forecast.file_counter(file, {})
        for precision in PRECISIONS:
            made = forecast.forecast(of_catalogue(row, precision), count, batch)
            speed = made.throughput
            told[precision] = {"value": speed.value, "low": speed.low, "high": speed.high, "limit": str(made.limit)}
    except SeatrialError as error:
        return {"none": error.what}
    return told


def predict() -> None:
    """Write what the roofline says of the four models, before anything is measured. Raises `SystemExit` once something was."""
    if _gpu_page.RESULTS.exists():
        raise SystemExit(
            f"{_gpu_page.RESULTS.name} is there: what was said before a measurement isn't changed after it"
        )
    with tempfile.TemporaryDirectory() as name:
        files = {"fashion": _gpu_studies.EXAMPLES / "fashion" / "cnn.onnx"}
        files |= {one: _untrained(one, Path(name)) for one in _gpu_studies.SCALE}
        told = {one: predicted(file, _gpu_studies.BATCH[one]) for one, file in files.items()}
    told["employment"] = {"none": TREES}
    made = {"device": DEVICE, "date": today(), "batch": _gpu_studies.BATCH, "unit": "samples/s", "models": dict(sorted(told.items()))}  # fmt: skip
    _gpu_page.PREDICTIONS.write_text(json.dumps(made, indent=1) + "\n")


def _untrained(name: str, folder: Path) -> Path:
    """The network with the weights that it begins with: what it costs to run doesn't depend on them."""
    import _optimise_nets
    import torch

    example = torch.zeros(2, 3, 64, 64) if name == "cnn" else torch.zeros(2, 64, dtype=torch.int64)
    file = folder / f"{name}.onnx"
    rows = torch.export.Dim.DYNAMIC
    module = getattr(_optimise_nets, name)().eval()
    torch.onnx.export(module, (example,), file, dynamo=True, dynamic_shapes=({0: rows},), external_data=False, verbose=False)  # fmt: skip
    return file


# --- and afterwards -------------------------------------------------------------------------------------------------------


def compared(findings: list[dict[str, Any]], told: dict[str, Any], device: str) -> list[dict[str, Any]]:
    """Each measured throughput on the GPU beside what was predicted for that precision: the ratio, and whether it lay within the range."""
    rows = []
    for one in findings:
        way = str(one["candidate"] or "").split("/")
        on_gpu = any(part in ("cuda", "tensorrt") for part in way)
        precision = next((part for part in way if part in PRECISIONS), "")
        if one["what"] != "throughput" or one["value"] is None or not on_gpu or precision not in told:
            continue
        if one["at"].get("load") not in (None, "offline"):
            continue
        said = told[precision]
        within = said["low"] <= one["value"] <= said["high"]
        rows.append({"candidate": one["candidate"], "measured": one["value"], "predicted": said, "within": within, "ratio": one["value"] / said["value"]})  # fmt: skip
    if rows and not alike(device):
        for row in rows:
            row["note"] = f"the prediction is for {DEVICE}, this is another GPU"
    return rows


def alike(device: str) -> bool:
    """Whether the GPU is the one that the predictions are for."""
    return DEVICE.split()[1] in device


def run(name: str, folder: Path, told: dict[str, Any], device: str) -> dict[str, Any]:
    """One model's study, and its throughputs beside the predictions; or why there are none."""
    made: dict[str, Any] = {"device": device, "date": today()}
    try:
        file = _gpu_studies.placed(name, folder)
    except (subprocess.CalledProcessError, OSError) as error:
        return made | {"failed": str(error)}
    words = [sys.executable, "-m", "seatrial", "run", file.name, "--json"]
    done = subprocess.run(words, cwd=file.parent, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        return made | {"failed": f"seatrial run ended with {done.returncode}"}
    dossier = json.loads(done.stdout)
    kept = [one for one in dossier["findings"] if one["what"] in SHOWN and not one["slice"]]
    return made | {
        "verdict": dossier["verdict"]["sentence"],
        "left_out": dossier["dropped"],
        "findings": kept,
        "against_predictions": compared(kept, told, device),
        "environment": dossier["environment"],
    }


def would() -> None:
    """What it would do."""
    print(
        "skipped: no NVIDIA GPU here. With one, this would run four models, each beside its answers on the processor:\n"
    )
    for name, batch in _gpu_studies.BATCH.items():
        print(f"  {name}, {batch} rows a call")
    print(f"\n{_gpu_studies.grids('fashion')}")
    print(f"compare their throughput with what {_gpu_page.PREDICTIONS.name} said of an {DEVICE} beforehand,")
    print(f"and write device, driver, versions, date, speed, energy and quality of each to {_gpu_page.RESULTS.name}")
    print(f"and to {_gpu_page.PAGE.relative_to(HERE.parent)}.")


def asked() -> list[str]:
    """The models that are to run: all, or those after `--only`. Raises `SystemExit` for one that isn't known."""
    words = sys.argv[1:]
    named = [after for word, after in itertools.pairwise(words) if word == "--only"]
    if unknown := [name for name in named if name not in _gpu_studies.BATCH]:
        raise SystemExit(f"`{unknown[0]}` is none of {', '.join(_gpu_studies.BATCH)}")
    return named or list(_gpu_studies.BATCH)


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Where models, rows and runs lie: the folder after `--keep`, else one that is gone afterwards."""
    if "--keep" in sys.argv:
        folder = Path(sys.argv[sys.argv.index("--keep") + 1]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def told_of(name: str, found: dict[str, Any]) -> Iterator[str]:
    """What came of a model, in a line or two."""
    yield f"{name}: {found.get('verdict') or found['failed']}"
    ratios = [row["ratio"] for row in found.get("against_predictions", ())]
    if ratios:
        middle = math.exp(sum(map(math.log, ratios)) / len(ratios))
        inside = sum(row["within"] for row in found["against_predictions"])
        yield f"  {inside} of {len(ratios)} throughputs lie in the predicted range; measured over predicted {middle:.2f}"


def main() -> None:
    device = gpu()
    if device is None and "--predict" not in sys.argv:
        would()
        return
    if "--predict" in sys.argv:
        predict()
    else:
        measure(str(device))
    _gpu_page.PAGE.write_text(_gpu_page.written())


def measure(device: str) -> None:
    """Run what is asked for; what was measured stays, whatever comes."""
    told = json.loads(_gpu_page.PREDICTIONS.read_text())["models"]
    known = _gpu_page.RESULTS
    results: dict[str, Any] = json.loads(known.read_text()) if known.exists() else {"models": {}}
    with place() as folder:
        for name in asked():
            results["models"][name] = run(name, folder, told.get(name, {}), device)
            known.write_text(json.dumps(results, indent=1) + "\n")
            print("\n".join(told_of(name, results["models"][name])))


if __name__ == "__main__":
    main()
