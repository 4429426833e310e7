"""How much faster a model gets by one `seatrial run`, with answers that are still good enough: against ONNX Runtime in fp32.

cnn_best_ratio          offline throughput of the candidate that the study recommends over the reference's; at least 9 on a processor with AMX
transformer_best_ratio  the same of the transformer; at least 4.5 there
slower_*                candidates whose speed-up is below 1 with its whole interval: no optimisation here
student_flops_ratio     work of the demo's network over that of a student that learns from it; at least 4, at the drop that `note` states
plan_90_candidates_s    reading and planning a study of 90 candidates; at most 1

Three studies: a ResNet-like CNN (3x64x64), a transformer encoder of 3.2 M parameters, and the demo's Fashion-MNIST. A candidate is recommended
only where it loses at most two answers of a hundred against the reference, by a one-sided bound on the same rows. `--record` keeps every candidate's
figures in `optimise_table.json`, on which the guide rests; `--only cnn` runs one study, `--only student` the students of Fashion-MNIST alone,
which are then recorded anew among the others, with a date and a machine of their own. `--keep FOLDER` keeps models and runs there; `--fresh` measures
what is kept there anew, with the models as they were made.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from _optimise_data import prepare
from _table import Figure, tell

import seatrial
from seatrial.contracts.dossier import Dossier, Entry
from seatrial.contracts.finding import Finding
from seatrial.flow.hardware.operators import read

HERE = Path(__file__).parent
TABLE = HERE / "optimise_table.json"
FASHION = HERE.parent / "examples" / "fashion"
PACKAGE = "dataset-fashion-mnist"
LEARNT = 60_000
"""Training images of Fashion-MNIST that the student sees."""

MEASURE = """
measure:
  loads: [{{offline: {{seconds: 0.4, queries: 4}}}}]
  rounds: 5
  meters: [throughput, size]
  metrics: [accuracy, drop, flips, output_difference]
  limits: {{make: 60m, predict: 30m}}
require:
  - drop_at_most: {{what: accuracy, margin: {margin}}}
prefer: {{what: speedup, at: {{load: offline}}}}
reports: [json, html]
"""
MODEL = """schema: 1
name: {name}
models:
  net:
    forms: {{onnx: {{path: {name}.onnx}}, torch: {{module: "nets.py:{name}", weights: {name}.safetensors}}}}
    task: classification
    inputs: {{x: {{columns: x{scale}}}}}
    outputs: {{logits: {{means: logits, classes: {classes}}}}}
data:
  learning: {{from: {{npz: {{path: train.npz}}}}, label: label, roles: train}}
  fitting: {{from: {{npz: {{path: calibrate.npz}}}}, label: label, roles: calibrate}}
  judging: {{from: {{npz: {{path: confirm.npz}}}}, label: label, roles: confirm}}
reference: {{runtime: onnxruntime, variant: as_is, precision: fp32}}
"""
WAYS = {
    "cnn": """candidates:
  - {runtime: onnxruntime, variant: [as_is, optimised, fp16, int8_dynamic, int8_static, int8_weights, {pruned: {share: 0.5}}], batch: 32}
  - {runtime: openvino, variant: [as_is, int8_static, int8_nncf], batch: 32}
  - {runtime: openvino, precision: bf16, batch: 32}
  - {runtime: torch, variant: int8_torch, batch: 32}
  - runtime: [onnxruntime, openvino]
    variant: [{narrowed+int8_static: {narrowed: &taught {epochs: 4, learning_rate: 0.001, precision: bf16, share: 0.5}}}]
    batch: 32
  - runtime: openvino
    variant: [{distilled: &student {epochs: 5, precision: bf16, keep: 0.5}}, {distilled+int8_nncf: {distilled: *student}}]
    batch: 32
""",
    "transformer": """candidates:
  - {runtime: onnxruntime, variant: [as_is, optimised, int8_dynamic, int8_static, int8_weights, int4_weights], batch: 32}
  - {runtime: openvino, variant: [as_is, int8_nncf], batch: 32}
  - {runtime: openvino, precision: bf16, batch: 32}
  - {runtime: torch, variant: {int8_torch: {method: dynamic}}, batch: 32}
  - runtime: [onnxruntime, openvino]
    variant: [{distilled: &student {student: "nets.py:apprentice", epochs: 8, precision: bf16, learning_rate: 0.001}}]
    batch: 32
  - runtime: onnxruntime
    variant: [{distilled+int8_dynamic: {distilled: *student}}]
    batch: 32
""",
    "fashion": """candidates:
  - runtime: onnxruntime
    variant: [as_is, optimised, fp16, int8_dynamic, int8_static, {int8_static: {method: entropy}}, int8_nncf, int8_weights, {pruned: {share: 0.5}}]
    batch: 32
  - {runtime: openvino, variant: [as_is, int8_static, int8_nncf], batch: 32}
  - {runtime: openvino, precision: bf16, batch: 32}
  - {runtime: torch, variant: [as_is, int8_torch], batch: 32}
  - {runtime: torch, precision: bf16, batch: 32}
  - runtime: onnxruntime
    variant:
      - distilled: &student {student: "nets.py:small", arguments: {width: 14}, epochs: 5, learning_rate: 0.01}
      - distilled+int8_static: {distilled: *student}
      - narrowed: {share: 0.4, epochs: 3, precision: bf16, learning_rate: 0.001}
    batch: 32
reference: {runtime: onnxruntime, variant: as_is, precision: fp32}
""",
    "student": """candidates:
  - runtime: onnxruntime
    variant:
      - as_is
      - distilled: &student {student: "nets.py:small", arguments: {width: 14}, epochs: 5, learning_rate: 0.01}
      - distilled+int8_static: {distilled: *student}
    batch: 32
reference: {runtime: onnxruntime, variant: as_is, precision: fp32}
""",
}
SCALES = {"cnn": ", scale: {divide: 1, mean: 128, std: 64}", "transformer": ", dtype: int64"}
CLASSES = {"cnn": 10, "transformer": 8}
BARS = {"cnn": 9, "transformer": 4.5}
NINETY = """candidates:
  - {runtime: [onnxruntime, openvino], variant: [as_is, int8_dynamic, int8_static], batch: [1, 2, 4, 8, 16, 32, 64], threads: [1, 2]}
  - {runtime: torch, batch: [1, 2, 4, 8, 16, 32]}
"""


def study(folder: Path, name: str) -> Path:
    """Write the study of a network beside its files."""
    classes = "[" + ", ".join(f"c{index}" for index in range(CLASSES[name])) + "]"
    text = MODEL.format(name=name, scale=SCALES[name], classes=classes) + WAYS[name] + MEASURE.format(margin="2 pp")
    file = folder / "study.yaml"
    file.write_text(text)
    return file


def fashion(folder: Path, ways: str) -> Path:
    """The demo's study with a student of a fifth of the work, and images to learn from. Takes them from the Debian package."""
    place = folder / "fashion"
    if not place.exists():
        shutil.copytree(FASHION, place, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
        (place / "nets.py").write_text((HERE / "_optimise_nets.py").read_text())
        _training_images(place)
    text = (FASHION / "study.yaml").read_text()
    learning = "data:\n  learning: {from: {parquet: {path: train.parquet}}, label: label, roles: train}\n"
    head = text[: text.index("candidates:")].replace("data:\n", learning)
    (place / "study.yaml").write_text(head + WAYS[ways] + MEASURE.format(margin="3 pp"))
    return place / "study.yaml"


def _training_images(place: Path) -> None:
    sys.path.insert(0, str(FASHION))
    import prepare as made

    source = made.SOURCE
    if not source.exists():
        source = place / "package"
        source.mkdir()
        subprocess.run(["apt-get", "download", PACKAGE], cwd=source, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["dpkg-deb", "-x", str(next(source.glob("*.deb"))), "."], cwd=source, check=True)
        source = source / str(made.SOURCE).lstrip("/")
    images, labels = made.read_split(source, "train")
    made.write_parquet(place / "train.parquet", images[:LEARNT], labels[:LEARNT])


# --- what came of it ----------------------------------------------------------------------------------------------------


def told(dossier: Dossier, entry: Entry) -> dict[str, Any]:
    """The figures of one candidate, with bounds; why it has none."""
    found = {what: dossier.find(what, entry.id) for what in ("speedup", "accuracy", "accuracy.drop", "flips", "size")}
    failed = dossier.find("run", entry.id)
    if failed is not None and failed.value is None:
        return {"failed": failed.note}
    outcome = next(one.outcome for one in dossier.verdict.candidates if one.candidate == entry.id)
    line = dossier.artefacts[entry.artefact or ""].lineage
    made = {
        "outcome": "reference" if entry.reference else outcome.value,
        "executed": getattr(dossier.find("executed.precision", entry.id), "value", None),
        "made_s": round(sum(one.seconds or 0 for one in (*line.earlier, line)), 2),
        "seed": line.seed,
        "rows_hash": [one.rows_hash for one in (*line.earlier, line)],
    }
    return made | {what: _bounds(one) for what, one in found.items() if one is not None and one.value is not None}


def _bounds(finding: Finding) -> list[float | None]:
    return [None if one is None else float(f"{one:.4g}") for one in (finding.number, finding.low, finding.high)]


def ratios(name: str, table: dict[str, Any], dossier: Dossier) -> dict[str, Figure]:
    """The best passing candidate's speed-up, and those that are slower than the reference."""
    chosen = dossier.verdict.recommended
    label = dossier.entry(chosen).label if chosen else "none passes"
    best = table[label]["speedup"] if chosen else [0.0, None, None]
    rounds = 5
    bar = f"at least {BARS[name]} on a processor with AMX; " if name in BARS else ""
    note = f"{bar}{label}, {best[1]} to {best[2]}"
    figures = {f"{name}_best_ratio": Figure(best[0], None, "x", rounds, note)}
    for way, one in table.items():
        if "speedup" in one and one["speedup"][2] is not None and one["speedup"][2] < 1:
            value, low, high = one["speedup"]
            figures[f"slower_{name}: {way}"] = Figure(value, None, "x", rounds, f"slower: {low} to {high}")
    return figures


def student(dossier: Dossier) -> dict[str, Figure]:
    """By how much less work the student answers, at which drop."""
    (pupil,) = (entry for entry in dossier.candidates if entry.candidate.variant.name == "distilled")
    work = {}
    for entry in (dossier.reference(), pupil):
        artefact = dossier.artefacts[entry.artefact or ""]
        work[entry.reference] = sum(one.flops for one in read(Path(artefact.files["model"])).operators)
    drop = told(dossier, pupil)["accuracy.drop"]
    note = f"at least 4; accuracy drop {100 * drop[0]:.2f} pp, {100 * drop[1]:.2f} to {100 * drop[2]:.2f}, on 10,000 images"
    return {"student_flops_ratio": Figure(work[True] / work[False], None, "x", 1, note)}


def planning() -> Figure:
    """Seconds to read and plan a study of 90 candidates, of five times the median."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "fashion"
        shutil.copytree(FASHION, folder, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
        text = (folder / "study.yaml").read_text()
        rest = "reference: {runtime: onnxruntime, variant: as_is, batch: 1, threads: 1}\n"
        (folder / "study.yaml").write_text(text[: text.index("candidates:")] + NINETY + rest)
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            plan = seatrial.plan(folder / "study.yaml")
            took.append(time.perf_counter() - begun)
    return Figure(
        median(took), None, "s", 5, f"at most 1; {len(plan.candidates)} candidates; the first {took[0]:.2f} s"
    )


def main() -> None:
    arguments = sys.argv[1:]
    only = arguments[arguments.index("--only") + 1] if "--only" in arguments else None
    kept = Path(arguments[arguments.index("--keep") + 1]).resolve() if "--keep" in arguments else None
    figures: dict[str, Figure] = {}
    tables: dict[str, Any] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = kept or Path(name)
        for which in ("cnn", "transformer", "fashion", "student"):
            if only != which and (only or which == "student"):
                continue
            if which in ("fashion", "student"):
                file = fashion(folder, which)
            else:
                prepare(folder, which)
                file = study(folder / which, which)
            dossier = seatrial.run(file, fresh="--fresh" in arguments)
            table = {entry.label: told(dossier, entry) for entry in dossier.candidates}
            here = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
            if which == "student":
                figures |= student(dossier)
                _among(tables["fashion"]["candidates"], table, here)
                continue
            tables[which] = here | {"candidates": table}
            figures |= ratios(which, table, dossier) | (student(dossier) if which == "fashion" else {})
    if only in (None, "plan"):
        figures["plan_90_candidates_s"] = planning()
    if "--record" in arguments:
        TABLE.write_text(json.dumps(tables, indent=1) + "\n")
    tell(figures)


def _among(known: dict[str, Any], table: dict[str, Any], here: dict[str, Any]) -> None:
    """Put students in the place of those that were recorded: each is a ratio to the reference of its own run."""
    for way in [way for way in known if "distilled" in way]:
        del known[way]
    known |= {way: one | here for way, one in table.items() if "distilled" in way}


def machine() -> dict[str, Any]:
    """What the figures hold for: processor, cores, whether it has AMX, and how busy it was."""
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else platform.processor()
    name = next((line.split(":")[1].strip() for line in cpu.splitlines() if line.startswith("model name")), cpu[:60])
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "amx": "amx_tile" in cpu,
        "load_average": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
