"""Attacks: what the standard set costs, and whether it finds what ART and torchattacks find.

python benchmarks/security.py [cost] [art] [oracles] [--models 5] [--rows 200] [--python FILE]

`standard_set_cpu_s`: CPU seconds of the whole standard set (eight attacks, Linf, three budgets) on rows of Fashion-MNIST against the
example's network in ONNX Runtime, gradients lent by its conversion; `dynamic_int8_cpu_s`: the same against its dynamic int8 form.
`art_cpu_ratio`: CPU seconds of ART's attacks of the same kinds, steps and queries at one budget on the PyTorch module, over ours
(every attack for itself, both; ours gives up squares on rows where they are hopeless); the shares that stood are told beside it. `robust_accuracy_excess_pp`: of perceptrons trained here on 5,000 pictures, by how many percentage points
more rows stand after our set than after the stronger of ART's set and torchattacks' standard AutoAttack; the worst of all models.
`--python` names an interpreter that has both rivals, torch and safetensors; else one is made under `.envs`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import polars as pl
from _rivals import environment
from _table import Figure, tell
from onnx import TensorProto, helper, numpy_helper

import seatrial
from seatrial.flow.changed import drawn
from seatrial.flow.keep import ATTACKED, Keeper

EXAMPLE = Path(__file__).parent.parent / "examples" / "fashion"
ORACLES = Path(__file__).parent / "rivals" / "security_oracles.py"
RIVALS = ["adversarial-robustness-toolbox==1.20.1", "torchattacks==3.5.1", "torch", "safetensors", "multiprocess", "statsmodels", "packaging"]  # fmt: skip
BUDGETS, MIDDLE = (0.01, 0.03, 0.1), 0.03
COMPARED = ("fgsm", "pgd", "apgd", "apgd_targeted", "square")
MODEL = """\
  {name}:
    forms: {{onnx: {{path: {name}.onnx}}}}
    task: classification
    inputs: {{image: {{columns: image, layout: {{stored: HW, model: CHW}}, scale: {{divide: 255, mean: 0.286, std: 0.353}}}}}}
    outputs: {{logits: {{means: logits, classes: [{classes}]}}}}
"""
STUDY = """\
schema: 1
name: security
models:
{models}data:
  evaluation: {{from: {{parquet: {{path: rows.parquet}}}}, label: label, roles: confirm}}
candidates: [{{runtime: onnxruntime, batch: 64, variant: [{variants}]}}]
reference: {{variant: as_is, model: {first}}}
measure: {{loads: [], meters: [], rounds: 1, security: {{{security}}}}}
reports: [json]
"""


def option(name: str, other: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else other


def sieged(
    folder: Path,
    names: list[str],
    rows: int,
    budgets: tuple[float, ...],
    attacks: tuple[str, ...] = (),
    variants: str = "as_is",
) -> tuple[seatrial.Dossier, float]:
    """The dossier of a study that attacks these models, and the CPU seconds of all attacks together that were made in this folder."""
    classes = ", ".join(f"c{number}" for number in range(10))
    models = "".join(MODEL.format(name=name, classes=classes) for name in names)
    asked = f"linf: [{', '.join(f'{budget:g}' for budget in budgets)}], rows: {rows}"
    asked += f", attacks: [{', '.join(attacks)}]" if attacks else ""
    file = folder / "study.yaml"
    file.write_text(STUDY.format(models=models, first=names[0], security=asked, variants=variants))
    dossier = seatrial.run(file)
    kept = [body["came"]["seconds"] for _, body in Keeper(folder).all(ATTACKED, "") if "came" in body]
    return dossier, sum(kept)


def rows_for(folder: Path, start: int, stop: int, rows: int) -> None:
    """The evaluation rows of the study, and those of them that are attacked, as rivals take them."""
    data = pl.read_parquet(EXAMPLE / "evaluation.parquet")[start:stop]
    data.write_parquet(folder / "rows.parquet")
    at = drawn(len(data), rows, 0)
    x = data["image"].to_numpy()[at].astype(np.float32)[:, None] / np.float32(255)
    np.savez(folder / "attacked.npz", x=x, labels=data["label"].to_numpy()[at])


def perceptron(folder: Path, name: str, seed: int) -> None:
    """784-64-10, trained on 5,000 pictures, as ONNX and as plain arrays."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    data = pl.read_parquet(EXAMPLE / "evaluation.parquet")[:5000]
    x = torch.from_numpy((data["image"].to_numpy().reshape(-1, 784) / 255 - 0.286) / 0.353).float()
    y = torch.from_numpy(data["label"].to_numpy().copy())
    model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    fit = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(4):
        for part in torch.randperm(len(x)).split(64):
            fit.zero_grad()
            nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            fit.step()
    arrays = {}
    for layer, at in ((0, 0), (2, 1)):
        arrays |= {
            f"w{at}": model[layer].weight.detach().numpy().T.copy(),
            f"b{at}": model[layer].bias.detach().numpy(),
        }
    np.savez(folder / f"{name}.npz", **arrays)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w0", "b0"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["bent"]),
        helper.make_node("Gemm", ["bent", "w1", "b1"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["rows", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 10])],
        [numpy_helper.from_array(value, key) for key, value in arrays.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / f"{name}.onnx"
    )


def oracle(python: Path, folder: Path, name: str, which: str) -> dict:
    words = [str(python), str(ORACLES), str(folder), name, str(MIDDLE), which]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def stood(dossier: seatrial.Dossier, model: str, attack: str = "all") -> float:
    """The share of rows that stood at the middle budget."""
    (found,) = [
        one
        for one in dossier.findings
        if one.what == "attack.accuracy"
        and one.candidate.startswith(f"{model}/" if "/" in model else f"{model}/as_is/")
        and one.at["attack"] == attack
        and one.at["epsilon"] == MIDDLE
    ]
    return float(found.value)


def cost(rows: int) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = example(Path(name), rows)
        dossier, seconds = sieged(folder, ["cnn"], rows, BUDGETS)
        both, total = sieged(folder, ["cnn"], rows, BUDGETS, variants="as_is, int8_dynamic")
    said = "three budgets; {:.3f} stood at " + f"{MIDDLE:g}"
    return {
        "standard_set_cpu_s": Figure(seconds, None, "s", rows, said.format(stood(dossier, "cnn"))),
        "dynamic_int8_cpu_s": Figure(total - seconds, None, "s", rows, said.format(stood(both, "cnn/int8_dynamic"))),
    }


def art(python: Path, rows: int) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = example(Path(name), rows)
        dossier, ours = sieged(folder, ["cnn"], rows, (MIDDLE,), COMPARED)
        theirs = oracle(python, folder, "cnn", "art")
    shares = f"{np.mean(theirs['stands']):.3f} and {stood(dossier, 'cnn'):.3f} stood"
    note = f"ART {theirs['cpu_s']:.1f} s, ours {ours:.1f} s; {shares}"
    return {"art_cpu_ratio": Figure(theirs["cpu_s"] / ours, None, "", rows, note)}


def example(folder: Path, rows: int) -> Path:
    """The example's network, and the rows that it is attacked on."""
    for file in ("cnn.onnx", "cnn.safetensors", "model.py"):
        shutil.copy(EXAMPLE / file, folder)
    rows_for(folder, 0, 10_000, rows)
    return folder


def oracles(python: Path, rows: int, models: int) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [f"p{number}" for number in range(models)]
        for seed, model in enumerate(names):
            perceptron(folder, model, seed)
        rows_for(folder, 5000, 10_000, rows)
        dossier, _ = sieged(folder, names, rows, (MIDDLE,))
        told = []
        for model in names:
            ours = stood(dossier, model)
            theirs = {which: float(np.mean(oracle(python, folder, model, which)["stands"])) for which in ("art", "torchattacks")}  # fmt: skip
            told.append((ours - min(theirs.values()), f"{model}: ours {ours:.3f}, ART {theirs['art']:.3f}, torchattacks {theirs['torchattacks']:.3f}"))  # fmt: skip
            print(told[-1], file=sys.stderr)
    worst = max(told)
    return {"robust_accuracy_excess_pp": Figure(100 * worst[0], None, "pp", rows, "; ".join(words for _, words in told))}  # fmt: skip


def main() -> None:
    rows, models = int(option("--rows", "200")), int(option("--models", "5"))
    asked = [word for word in sys.argv[1:] if word in ("cost", "art", "oracles")] or ["cost", "art", "oracles"]
    figures: dict[str, Figure] = {}
    if "cost" in asked:
        figures |= cost(rows)
    python = Path(option("--python", "")) if "--python" in sys.argv else None
    if python is None and asked != ["cost"]:
        python = environment("security", RIVALS)
    if "art" in asked and python:
        figures |= art(python, rows)
    if "oracles" in asked and python:
        figures |= oracles(python, rows, models)
    tell(figures)


if __name__ == "__main__":
    main()
