"""Privacy: whether LiRA picks out as many members as others do with the same shadows, and whom it names where nothing was learnt.

python benchmarks/privacy.py [--members 2000] [--outsiders 5000] [--shadows 16] [--epochs 30] [--python FILE]

A perceptron (784-128-10) learns 2,000 pictures of Fashion-MNIST by heart; another one learns 2,000 others. A study asks both about the former (members) and about 5,000
that neither saw (outsiders), with shadows trained in one pass. `lira_tpr_ratio`: members picked out at 1 % of wrong names by ours (online, and offline), over what
privacy_meter 1.0.1, the newest on PyPI, picks out from the same answers of the same shadows (its reference attack: a normal distribution of rescaled logits a
row, of shadows that didn't learn from it). `lira_authors_ratio`: the same over LiRA as its authors evaluate it, written from the paper, online over online and
offline over offline. `lira_low` is the lower bound of
our interval beside the upper one of the threshold attack; `unseen_*` are the rates of the model that never saw the members. `together_ratio`: CPU seconds of
shadows trained one after another over those in one pass. `--python` names an interpreter that has privacy_meter and scipy; else one is made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import polars as pl
from _rivals import environment
from _table import Figure, tell
from onnx import TensorProto, helper, numpy_helper

import seatrial
from seatrial import catalog
from seatrial.contracts.training import Job
from seatrial.flow import arrays, rows
from seatrial.flow.keep import SHADOWS, Keeper
from seatrial.flow.privacy_rows import exposure
from seatrial.flow.read import read

EXAMPLE = Path(__file__).parent.parent / "examples" / "fashion"
RIVAL = Path(__file__).parent / "rivals" / "membership.py"
RIVALS = ["scipy", "numpy"]
NET = """\
import torch


def net():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
"""
STUDY = """\
schema: 1
name: privacy
models:
  net: &net
    forms: {{onnx: {{path: net.onnx}}}}
    task: classification
    inputs: {{image: {{columns: image, layout: {{stored: HW, model: CHW}}, scale: {{divide: 255, mean: 0.286, std: 0.353}}}}}}
    outputs: {{logits: {{means: logits, classes: [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9]}}}}
  unseen:
    <<: *net
    forms: {{onnx: {{path: unseen.onnx}}}}
data:
  members: {{from: {{parquet: {{path: members.parquet}}}}, label: label, roles: train}}
  outsiders: {{from: {{parquet: {{path: outsiders.parquet}}}}, label: label, roles: confirm}}
candidates:
  - {{model: [net, unseen], runtime: onnxruntime, batch: 64}}
  - {{model: net, runtime: onnxruntime, variant: int8_dynamic, batch: 64}}
reference: {{model: net, variant: as_is}}
measure:
  loads: []
  meters: []
  rounds: 1
  privacy:
    permitted: {{owner: Zalando SE, dated: 2017-08-28, words: Pictures of clothes published under the MIT licence.}}
    methods: [loss_threshold, lira, {{lira: {{online: false}}}}, rmia, {{rmia: {{online: false}}}}]
    members: {members}
    outsiders: {outsiders}
    trainer: {{torch_module: {{module: "net.py:net", optimiser: adam, learning_rate: 0.001}}}}
    epochs: {epochs}
    batch: 50
    shadows: {shadows}
reports: [json]
"""


def option(name: str, other: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else other


def learnt(folder: Path, name: str, data: pl.DataFrame, epochs: int, seed: int) -> None:
    """A perceptron that learnt these pictures by heart, as ONNX."""
    import torch

    torch.manual_seed(seed)
    x = torch.from_numpy((data["image"].to_numpy().reshape(-1, 784) / 255 - 0.286) / 0.353).float()
    y = torch.from_numpy(data["label"].to_numpy().copy()).long()
    net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    fit = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(50):
            fit.zero_grad()
            torch.nn.functional.cross_entropy(net(x[part]), y[part]).backward()
            fit.step()
    kept = {}
    for at in (0, 2):
        kept |= {f"w{at}": net[at].weight.detach().numpy().T.copy(), f"b{at}": net[at].bias.detach().numpy()}
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w0", "b0"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["bent"]),
        helper.make_node("Gemm", ["bent", "w2", "b2"], ["logits"]),
    ]
    ends = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, ["rows", 1, 28, 28]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 10]),
    ]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], [numpy_helper.from_array(v, k) for k, v in kept.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / f"{name}.onnx")


def asked(folder: Path, members: int, outsiders: int, shadows: int, epochs: int) -> seatrial.Dossier:
    """The dossier of the study; its rows, models and shadows lie in the folder."""
    data = pl.read_parquet(EXAMPLE / "evaluation.parquet").unique(maintain_order=True, subset=["image"])
    data[:members].write_parquet(folder / "members.parquet")
    data[members : members + outsiders].write_parquet(folder / "outsiders.parquet")
    learnt(folder, "net", data[:members], epochs, 1001)
    learnt(folder, "unseen", data[members + outsiders :][:members], epochs, 1002)
    (folder / "net.py").write_text(NET)
    file = folder / "study.yaml"
    file.write_text(STUDY.format(members=members, outsiders=outsiders, shadows=shadows, epochs=epochs))
    return seatrial.run(file)


def known(folder: Path) -> dict[str, Any]:
    """What a rival is given: the answers of the model and of the shadows to the rows that were asked about, and who was inside."""
    source, keeper = read(folder / "study.yaml"), Keeper(folder)
    data = rows.prepare(source.study, folder, "net", keeper.arrays, True, True)
    found = exposure(source.study, "net", data, keeper.arrays)
    (body,) = dict(keeper.all(SHADOWS, "")).values()
    session = onnxruntime.InferenceSession(folder / "net.onnx")
    image = arrays.load(found.inputs["image"])
    return {
        "target": session.run(None, {"image": image})[0],
        "shadows": arrays.unpack(body["scores"]),
        "inside": found.inside,
        "labels": found.labels,
        "members": found.members,
        "image": image,
    }


def apart(folder: Path, given: dict[str, Any], epochs: int) -> tuple[float, float]:
    """CPU seconds of four shadows in one pass and one after another, a tenth of the passes."""
    from seatrial.parts.trainers import _several

    part = catalog.load(catalog.find("trainers", "torch_module"))
    options = part.Options(module="net.py:net", optimiser="adam", learning_rate=1e-3)
    job = Job(folder, epochs=max(1, epochs // 10), batch=50, inputs={"image": given["image"]}, labels=given["labels"])
    took, usual = [], _several._obstacle
    for obstacle in (usual, lambda *_: "to compare"):
        _several._obstacle = obstacle
        began = time.process_time()
        assert part.several(job, options, given["inside"]).together is (obstacle is usual)
        took.append(time.process_time() - began)
    _several._obstacle = usual
    return took[0], took[1]


def found(dossier: seatrial.Dossier, what: str, model: str, method: str, fpr: float) -> Any:
    at = {"method": method, "fpr": fpr}
    return next(one for one in dossier.findings if one.what == what and one.at == at and one.candidate.startswith(f"{model}/as_is"))  # fmt: skip


def over(ours: float, theirs: float, members: int, note: str) -> Figure:
    """Both shares; the ratio is told beside them."""
    return Figure(ours, theirs, "", members, note)


def main() -> None:
    members, outsiders = int(option("--members", "2000")), int(option("--outsiders", "5000"))
    shadows, epochs = int(option("--shadows", "16")), int(option("--epochs", "30"))
    python = Path(option("--python", "")) if "--python" in sys.argv else environment("privacy", RIVALS)
    if "--python" not in sys.argv:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "privacy_meter==1.0.1"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dossier = asked(folder, members, outsiders, shadows, epochs)
        given = known(folder)
        np.savez(folder / "known.npz", **{key: value for key, value in given.items() if key != "image"})
        done = subprocess.run([python, RIVAL, folder / "known.npz"], capture_output=True, text=True, check=True)
        theirs = json.loads(done.stdout.strip().splitlines()[-1])
        together, one_by_one = apart(folder, given, epochs)
    online = "lira"
    offline = next(one.at["method"] for one in dossier.findings if one.what == "privacy.tpr" and "online" in str(one.at.get("method")) and "lira" in str(one.at["method"]))  # fmt: skip
    ours = {at: found(dossier, "privacy.tpr", "net", at, 0.01) for at in (online, offline, "loss_threshold", "rmia")}
    changed = [one for one in dossier.findings if one.what == "privacy.tpr.change" and one.at == ours[online].at and "int8" in one.candidate]  # fmt: skip
    figures = {
        "lira_tpr_ratio": over(ours[online].value, theirs["privacy_meter"], members, "online"),
        "lira_tpr_ratio_offline": over(ours[offline].value, theirs["privacy_meter"], members, "the same knowledge"),
        "lira_authors_ratio": over(ours[online].value, theirs["authors_online"], members, "online"),
        "lira_authors_ratio_offline": over(ours[offline].value, theirs["authors_offline"], members, "offline"),
        "lira_low": Figure(
            ours[online].low,
            ours["loss_threshold"].high,
            "",
            members,
            "lower bound beside the threshold attack's upper one, at 1 %",
        ),
        "rmia_tpr": Figure(ours["rmia"].value, None, "", members, f"{ours['rmia'].low:.4f} to {ours['rmia'].high:.4f}"),
        "int8_tpr_change": Figure(
            changed[0].value, None, "", members, f"{changed[0].low:.4f} to {changed[0].high:.4f}"
        ),
        "together_ratio": Figure(
            one_by_one / together,
            None,
            "",
            shadows,
            f"{one_by_one:.1f} CPU s one after another, {together:.1f} in one pass",
        ),
    }
    for rate in (0.01, 0.001):
        for model in ("net", "unseen"):
            one = found(dossier, "privacy.tpr", model, online, rate)
            said = one.note if one.value is None else f"{one.low:.4f} to {one.high:.4f}"
            figures[f"{model}_tpr_at_{rate:g}"] = Figure(one.value or 0.0, None, "", members, said)
    tell(figures)


if __name__ == "__main__":
    main()
