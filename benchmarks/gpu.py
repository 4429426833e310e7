"""The checks that need an NVIDIA GPU: four models on all that it offers, with quality, energy and what was predicted beforehand.

Both examples, a larger CNN and a transformer run on PyTorch (fp32, TF32, bf16, fp16; eager, compiled, as CUDA graphs), ONNX Runtime
(CUDA, TensorRT) and JAX, each beside its answers on the processor. What can't be had is named with its reason. The results, with
device, driver, versions and date, go to gpu_results.json; gpu_predictions.json was written before (`--predict`) and is compared
with them, never changed by them. Without a GPU it says what it would do and ends with 0.
"""

from __future__ import annotations

import datetime
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import _gpu_studies  # noqa: E402

RESULTS, PREDICTIONS = HERE / "gpu_results.json", HERE / "gpu_predictions.json"
DEVICE = "NVIDIA H200 SXM"
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
SHOWN = ("throughput", "speedup", "latency.p99", "accuracy", "accuracy.drop", "flips", "output_difference")
SHOWN += ("executed.precision", "energy.sample", "energy.query", "memory.device", "device_time.query", "forms.difference", "run")  # fmt: skip


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
    """Write what the roofline says of the four models, before anything is measured."""
    with tempfile.TemporaryDirectory() as name:
        files = {"fashion": _gpu_studies.EXAMPLES / "fashion" / "cnn.onnx"}
        files |= {one: _untrained(one, Path(name)) for one in _gpu_studies.SCALE}
        files["employment"] = _gpu_studies.EXAMPLES / "employment" / "large.onnx"
        told = {
            one: predicted(file, _gpu_studies.BATCH[one]) if file.exists() else {"none": "its file is made at set-up"}
            for one, file in sorted(files.items())
        }
    made = {"device": DEVICE, "date": today(), "batch": _gpu_studies.BATCH, "unit": "samples/s", "models": told}
    PREDICTIONS.write_text(json.dumps(made, indent=1) + "\n")


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
    """One model's study, and its throughputs beside the predictions."""
    file = _gpu_studies.placed(name, folder)
    words = [sys.executable, "-m", "seatrial", "run", file.name, "--json"]
    done = subprocess.run(words, cwd=file.parent, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        return {"failed": f"seatrial run ended with {done.returncode}"}
    dossier = json.loads(done.stdout)
    kept = [one for one in dossier["findings"] if one["what"] in SHOWN]
    return {
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
    print(f"compare their throughput with what {PREDICTIONS.name} said of an {DEVICE} beforehand,")
    print(f"and write device, driver, versions, date, speed, energy and quality of each to {RESULTS.name}.")


def main() -> None:
    if "--predict" in sys.argv:
        predict()
        return
    device = gpu()
    if device is None:
        would()
        return
    told = json.loads(PREDICTIONS.read_text())["models"]
    results: dict[str, Any] = {"device": device, "date": today(), "models": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in _gpu_studies.BATCH:
            try:
                results["models"][name] = run(name, Path(folder), told.get(name, {}), device)
            except (subprocess.CalledProcessError, OSError) as error:
                results["models"][name] = {"failed": str(error)}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")  # what was measured stays, whatever comes
    for name, found in results["models"].items():
        print(f"{name}: {found.get('verdict') or found['failed']}")
        ratios = [row["ratio"] for row in found.get("against_predictions", ())]
        if ratios:
            middle = math.exp(sum(map(math.log, ratios)) / len(ratios))
            inside = sum(row["within"] for row in found["against_predictions"])
            print(
                f"  {inside} of {len(ratios)} throughputs lie in the predicted range; measured over predicted {middle:.2f}"
            )


if __name__ == "__main__":
    main()
