"""Defences side by side: what each costs in accuracy and speed, and how many answers stand.

python benchmarks/defences.py [--rows 60] [--epochs 5] [--only WORD] [--json FILE]

A small convolutional network (two layers, group normalisation) is trained here on 4,000 pictures of Fashion-MNIST, and each defence is
made of it, timed, judged on 6,000 others and attacked (FGSM, PGD of 20 steps, APGD, Square of 200 questions; Linf 0.03 and
0.1 of the way from black to white) on `--rows` of them, all as candidates of one study; `--only`: the plain network
and those whose name holds the word. Printed for each: accuracy, the share of the attacked rows that stood
against all attacks together, throughput over that of the plain network (offline load, batches of 64), epsilon or certified accuracy
where there is one, and the signs of weak attacks that were raised.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import polars as pl
import torch
from safetensors.torch import save_file

import seatrial

EXAMPLE = Path(__file__).parent.parent / "examples" / "fashion"
LEARNT, PLAIN_EPOCHS = 4000, 12
CODE = '''"""A small network for grey pictures of 28 x 28, whose layers keep rows apart."""

from torch import nn


def net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.GroupNorm(4, 16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.GroupNorm(4, 32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
    )
'''
WAYS = {
    "as it is": "as_is",
    "adversarially trained, Madry, 0.1": "{adversarially_trained: {linf: 0.1, epochs: EPOCHS}}",
    "adversarially trained, TRADES, 0.1": "{adversarially_trained: {linf: 0.1, loss: trades, epochs: EPOCHS}}",
    "preprocessing, 3 bits": "{preprocessing: {bits: 3}}",
    "preprocessing, median": "{preprocessing: {method: median}}",
    "preprocessing, JPEG": "{preprocessing: {method: jpeg}}",
    "smoothed, sigma 0.1, 8 copies": "{smoothed: {sigma: 0.1, copies: 8, chosen: 50, certified: 400}}",
    "noise trained and smoothed, the same": "{noise_trained+smoothed: {noise_trained: {sigma: 0.1, epochs: EPOCHS}, smoothed: {sigma: 0.1, copies: 8, chosen: 50, certified: 400}}}",
    "private training, epsilon 8": "{private_training: {epsilon: 8, epochs: 20}}",
}
STUDY = """\
schema: 1
name: defences
models:
  small:
    forms: {{torch: {{module: "net.py:net", weights: net.safetensors}}}}
    task: classification
    inputs: {{image: {{columns: image, layout: {{stored: HW, model: CHW}}, scale: {{divide: 255, mean: 0.286, std: 0.353}}}}}}
    outputs: {{logits: {{means: logits, classes: [{classes}]}}}}
data:
  learnt: {{from: {{parquet: {{path: learnt.parquet}}}}, label: label, roles: train}}
  judged: {{from: {{parquet: {{path: judged.parquet}}}}, label: label, roles: confirm}}
candidates: [{{runtime: torch, variant: [{ways}], batch: 64}}]
reference: {{variant: as_is}}
measure:
  loads: [{{offline: {{seconds: 0.3}}}}]
  rounds: 3
  metrics: [accuracy]
  limits: {{make: 40m, attack: 40m}}
  security: {{linf: [0.03, 0.1], l2: [0.5], rows: {rows}, attacks: [fgsm, {{pgd: {{steps: 20, restarts: 1}}}}, apgd, {{square: {{queries: 200}}}}]}}
reports: [json]
"""


def option(name: str, other: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else other


def prepared(folder: Path) -> None:
    """Rows in two files, the network's code, and its weights after a plain training."""
    rows = pl.read_parquet(EXAMPLE / "evaluation.parquet")
    rows[:LEARNT].write_parquet(folder / "learnt.parquet")
    rows[LEARNT:].write_parquet(folder / "judged.parquet")
    (folder / "net.py").write_text(CODE)
    sys.path.insert(0, str(folder))
    from net import net  # type: ignore[import-not-found]

    torch.manual_seed(0)
    images = (torch.from_numpy(rows["image"][:LEARNT].to_numpy()).float()[:, None] / 255 - 0.286) / 0.353
    labels, module = torch.from_numpy(rows["label"][:LEARNT].to_numpy()), net()
    optimiser = torch.optim.AdamW(module.parameters(), 2e-3)
    for _ in range(PLAIN_EPOCHS):
        for chosen in torch.randperm(LEARNT).split(128):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(module(images[chosen]), labels[chosen]).backward()
            optimiser.step()
    save_file(module.state_dict(), str(folder / "net.safetensors"))


def chosen_ways() -> dict[str, str]:
    """Those that were asked for, the plain network first."""
    word = option("--only", "")
    return {name: way for name, way in WAYS.items() if way == "as_is" or word in name}


def told(dossier: seatrial.Dossier) -> list[dict[str, object]]:
    """A line for each defence, in the order in which they were asked for."""
    lines = []
    for name, entry in zip(chosen_ways(), dossier.candidates, strict=True):
        mine = [one for one in dossier.findings if one.candidate == entry.id and one.value is not None]

        def value(what: str, mine: list[seatrial.Finding] = mine, **at: object) -> object:
            found = [one for one in mine if one.what == what and one.at.items() >= at.items()]
            return found[0].value if found else None

        lines.append(
            {
                "defence": name,
                "accuracy": value("accuracy"),
                "stands_0.03": value("attack.accuracy", attack="all", norm="linf", epsilon=0.03),
                "stands_0.1": value("attack.accuracy", attack="all", norm="linf", epsilon=0.1),
                "stands_l2_0.5": value("attack.accuracy", attack="all", norm="l2", epsilon=0.5),
                "throughput_ratio": value("speedup", load="offline")
                if entry.candidate.variant.name != "as_is"
                else 1.0,
                "certified_l2_0.5": value("certified.accuracy"),
                "epsilon": value("privacy.epsilon"),
                "flags": [one.at["flag"] for one in mine if one.what == "attack.flag" and one.value is True],
            }
        )
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.set_num_threads(1)
        prepared(folder)
        classes = ", ".join(f"c{number}" for number in range(10))
        ways = ", ".join(chosen_ways().values()).replace("EPOCHS", option("--epochs", "5"))
        (folder / "study.yaml").write_text(STUDY.format(classes=classes, ways=ways, rows=option("--rows", "60")))
        lines = told(seatrial.run(folder / "study.yaml"))
    for line in lines:
        print(
            "  ".join(
                f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in line.items()
            )
        )
    if "--json" in sys.argv:
        Path(option("--json", "")).write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
