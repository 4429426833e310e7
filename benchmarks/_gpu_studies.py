"""The studies that `gpu.py` runs: each model beside its answers on the processor, on everything that an NVIDIA GPU offers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
BATCH = {"fashion": 256, "employment": 1024, "cnn": 1024, "transformer": 1024}
GRIDS = """\
candidates:
  - {{runtime: onnxruntime, batch: {batch}}}
  - {{runtime: [torch, {{torch: {{compiled: true}}}}, {{torch: {{cuda_graphs: true}}}}], device: cuda, precision: [fp32, tf32, bf16, fp16], batch: {batch}}}
  - {{runtime: onnxruntime, device: [cuda, tensorrt], precision: [fp32, tf32], batch: {batch}}}
  - {{runtime: onnxruntime, device: cuda, variant: fp16, batch: {batch}}}
  - {{runtime: jax, device: cuda, precision: [fp32, bf16], batch: {batch}}}

reference: {{runtime: onnxruntime, device: cpu, variant: as_is}}

measure:
  loads: [single_stream, offline]
  rounds: 5
  meters: [latency, throughput, device_memory, energy, device_energy, device_time]
  metrics: [accuracy, drop, flips, output_difference]

require:
  - drop_at_most: {{what: accuracy, margin: 0.5 pp}}

prefer: {{what: speedup, at: {{load: offline}}}}
reports: [json]
"""
OWN = """\
schema: 1
name: {name}
models:
  {name}:
    forms:
      onnx: {{path: {name}.onnx}}
      torch: {{module: "nets.py:{name}", weights: {name}.safetensors}}
    task: classification
    inputs: {{x: {{columns: x{scale}}}}}
    outputs: {{logits: {{means: logits}}}}
data:
  confirm: {{from: {{npz: {{path: confirm.npz}}}}, label: label, roles: confirm}}
"""
SCALE = {"cnn": ", scale: {divide: 1, mean: 128, std: 64}", "transformer": ""}


def grids(name: str) -> str:
    """The candidates of a model, and how they are measured."""
    return GRIDS.format(batch=BATCH[name])


def study(name: str) -> str:
    """The whole study of a model."""
    if name in SCALE:
        return OWN.format(name=name, scale=SCALE[name]) + "\n" + grids(name)
    text = (EXAMPLES / name / "study.yaml").read_text()
    models = text[: text.index("candidates:")]
    asked = grids(name).replace("reference: {runtime", "reference: {model: large, runtime") if name == "employment" else grids(name)  # fmt: skip
    return models + asked


def placed(name: str, folder: Path) -> Path:
    """The study's file in a folder with all that it names. Raises `CalledProcessError` where data can't be fetched."""
    place = folder / name
    if name in SCALE:
        import _optimise_data

        _optimise_data.prepare(folder)
    else:
        ignored = shutil.ignore_patterns(".seatrial", "__pycache__")
        shutil.copytree(EXAMPLES / name, place, ignore=ignored, dirs_exist_ok=True)
        if name == "employment" and not (place / "rows.parquet").exists():
            subprocess.run([sys.executable, "prepare.py"], cwd=place, check=True)
    (place / "study.yaml").write_text(study(name))
    return place / "study.yaml"
