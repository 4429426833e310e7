"""What each way to train a small CNN buys: throughput against eager fp32, all ways in the same interleaved rounds.

    bf16, channels_last, ...  rows learnt from in a second over those of eager fp32, paired by round (geometric mean); `note`: its interval
    handwritten               the same of a loop written by hand in fp32: what the shipped trainer and our clock cost
    first_step_*              seconds of the first step in a fresh worker: what compiling costs, once

The demo's classifier on random images of 28 x 28, batch 128, one thread, SGD. Ratios count, not absolutes. `--quick` takes fewer rounds.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from _table import Figure, tell

from seatrial.contracts.finding import Finding
from seatrial.contracts.progress import Event
from seatrial.flow.keep import Keeper
from seatrial.flow.plan import make_plan
from seatrial.flow.read import read
from seatrial.flow.training import measure_training
from seatrial.flow.trial import Voyage

FASHION = Path(__file__).parent.parent / "examples" / "fashion"
HAND = """\
import torch
from torch.nn import functional
from model import cnn

def fit(job):
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    module = cnn().train()
    moves = torch.optim.SGD(module.parameters(), 0.01)
    order = torch.Generator().manual_seed(job.seed)
    x, y = torch.from_numpy(job.inputs["image"].copy()), torch.from_numpy(job.labels.copy())
    yield {}
    for _ in range(job.epochs):
        for rows in job.waiting(torch.randperm(len(y), generator=order).split(job.batch)):
            moves.zero_grad()
            loss = functional.cross_entropy(module(x[rows]), y[rows])
            loss.backward()
            moves.step()
            yield {"loss": loss.item(), "rows": len(rows)}
"""
CNN = 'module: "model.py:cnn"'
WAYS = {
    "fp32": ("fp32", CNN),
    "channels_last": ("fp32", f"{CNN}, channels_last: true"),
    "bf16": ("bf16", CNN),
    "bf16_channels_last": ("bf16", f"{CNN}, channels_last: true"),
    "compiled": ("fp32", f"{CNN}, compiled: true"),
    "compiled_bf16_channels_last": ("bf16", f"{CNN}, compiled: true, channels_last: true"),
}
ELSEWHERE = {
    "bf16": 2.5,
    "bf16_channels_last": 3.7,
    "compiled": 1.3,
    "compiled_bf16_channels_last": 4.15,
}
"""What a hand-made measurement on a Xeon with matrix units for bf16 gave for another CNN: a machine without them gains less."""


def study(rounds: int) -> str:
    """A study with these ways; its one candidate is never run here."""
    ways = "\n".join(
        f"    - {{trainer: {{torch_module: {{{options}}}}}, precision: {precision}, batch: 128}}"
        for precision, options in WAYS.values()
    )
    return f"""\
name: training
models:
  cnn:
    forms: {{onnx: {{path: cnn.onnx}}}}
    task: classification
    inputs: {{image: {{columns: image}}}}
    outputs: {{logits: {{means: logits, classes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}}}}
data:
  train: {{from: {{npz: {{path: train.npz}}}}, label: label, roles: train}}
  judge: {{from: {{npz: {{path: judge.npz}}}}, label: label, roles: confirm}}
candidates: [{{runtime: onnxruntime}}]
reference: {{runtime: onnxruntime}}
training:
  model: cnn
  ways:
{ways}
    - {{trainer: ./hand.py:fit, batch: 128}}
  rounds: {rounds}
  steps: 6
"""


def write(folder: Path, rounds: int) -> Path:
    """The study, its rows, the network and the loop written by hand."""
    random = np.random.default_rng(0)
    for name, rows in (("train", 1280), ("judge", 64)):
        images = random.normal(size=(rows, 1, 28, 28)).astype(np.float32)
        np.savez(folder / f"{name}.npz", image=images, label=random.integers(0, 10, rows))
    for name in ("model.py", "cnn.onnx"):
        shutil.copy(FASHION / name, folder)
    (folder / "hand.py").write_text(HAND)
    file = folder / "study.yaml"
    file.write_text(study(rounds))
    return file


def measured(rounds: int) -> list[Finding]:
    """What is found of all ways, in rounds that they share."""
    with tempfile.TemporaryDirectory() as name:
        plan = make_plan(read(write(Path(name), rounds)))
        voyage = Voyage(plan, Keeper(Path(name)), "bench", _watch, "")
        voyage.look(["torch", "numpy"])
        measure_training(voyage)
        return voyage.findings


def _watch(event: Event) -> None:
    if event.total:
        print(f"\r{event.done} of {event.total} ", end="", file=sys.stderr)


def main() -> None:
    found = measured(3 if "--quick" in sys.argv else 12)
    names = dict(zip(dict.fromkeys(str(one.at["way"]) for one in found), [*WAYS, "handwritten"], strict=True))
    figures = {}
    for one in found:
        name = names[str(one.at["way"])]
        if one.what == "training.run":
            figures[name] = Figure(float("nan"), None, "", 0, f"{one.state}: {one.note}")
        if one.what == "training.speedup":
            note = f"95 %: {one.low:.3f} to {one.high:.3f}; {one.state}"
            beside = ELSEWHERE.get(name)
            figures[name] = Figure(
                one.number, beside, "x fp32", one.n or 0, note + ("; beside: elsewhere" if beside else "")
            )
        if one.what == "training.first_step":
            figures[f"first_step_{name}"] = Figure(one.number, None, "s", one.n or 0)
    tell(figures)


if __name__ == "__main__":
    main()
