"""Rows and trained models for `optimise.py`, made once in a folder from fixed seeds: two tasks whose answer is known, with noise.

Images [3, 64, 64] of stripes at one of ten angles, of any width, colour and phase, under noise. Rows of 64 words whose shares
follow one of eight topics. How much noise there is was chosen so that a good model errs a few times in a hundred.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
ROWS = {
    "cnn": {"train": 1200, "calibrate": 128, "confirm": 1000},
    "transformer": {"train": 6000, "calibrate": 128, "confirm": 4000},
}
"""The transformer errs so often that a student's loss can only be told on more rows."""
PASSES = {"cnn": 6, "transformer": 3}
PIECE = 32
"""Side of the pieces of images that it is trained on: stripes keep their angle, and a step costs a quarter."""


def images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes [count, 3, 64, 64] and the number of the angle."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 10, count)
    angles = np.pi * (labels + draw.normal(0, 0.15, count)) / 10
    y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    made = np.empty((count, 3, 64, 64), np.uint8)
    for row in range(count):
        along = x * np.cos(angles[row]) + y * np.sin(angles[row])
        wave = np.sin(2 * np.pi * along / draw.uniform(5, 14) + draw.uniform(0, 2 * np.pi))
        colour, ground = draw.uniform(20, 60, 3), draw.uniform(90, 160, 3)
        picture = ground[:, None, None] + colour[:, None, None] * wave + draw.normal(0, 25, (3, 64, 64))
        made[row] = np.clip(picture, 0, 255)
    return made, labels


def texts(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Words by number [count, 64] and the number of the topic."""
    topics = np.random.default_rng(99).dirichlet(np.full(64, 0.9), 8)
    topics = 0.36 * topics + 0.64 / 64
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 8, count)
    words = np.stack([draw.choice(64, 64, p=topics[label]) for label in labels])
    return words.astype(np.int64), labels


def prepare(folder: Path, only: str | None = None) -> None:
    """Write rows and models into the folder, unless they are there; of one network alone where it is named."""
    for name, make in (("cnn", images), ("transformer", texts)):
        if only not in (None, name):
            continue
        place = folder / name
        if (place / f"{name}.onnx").exists():
            continue
        place.mkdir(parents=True, exist_ok=True)
        seeds = {"train": 1, "calibrate": 2, "confirm": 3}
        rows = {role: make(count, seeds[role]) for role, count in ROWS[name].items()}
        for role in rows:
            np.savez(place / f"{role}.npz", x=rows[role][0], label=rows[role][1].astype(np.int64))
        _train(place, name, rows["train"], rows["confirm"])


def _train(place: Path, name: str, train: tuple, judge: tuple) -> None:
    import _optimise_nets
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(2)
    torch.manual_seed(0)
    module, began = getattr(_optimise_nets, name)(), time.process_time()
    if name == "cnn":
        module = module.to(memory_format=torch.channels_last)
    batch, rate = 32, 2e-3 if name == "cnn" else 5e-4
    steps = PASSES[name] * (len(train[1]) // batch)
    optimiser = torch.optim.AdamW(module.parameters(), rate, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    labels, draw = torch.from_numpy(train[1]).long(), np.random.default_rng(4)
    for _ in range(PASSES[name]):
        for chosen in torch.randperm(len(labels))[: len(labels) // batch * batch].split(batch):
            optimiser.zero_grad()
            rows = tensor(name, train[0][chosen.numpy()])
            if name == "cnn":
                top, left = draw.integers(0, 64 - PIECE, 2)
                rows = rows[:, :, top : top + PIECE, left : left + PIECE]
            with torch.autocast("cpu", torch.bfloat16):
                loss = torch.nn.functional.cross_entropy(module(rows), labels[chosen])
            loss.backward()
            optimiser.step()
            plan.step()
    module.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        told = torch.cat(
            [module(tensor(name, judge[0][start : start + 256])).argmax(1) for start in range(0, len(judge[1]), 256)]
        )
    accuracy = float((told.numpy() == judge[1]).mean())
    print(
        f"{name}: accuracy {accuracy:.4f}, {sum(one.numel() for one in module.parameters()):,} parameters, trained in {time.process_time() - began:.0f} CPU s",
        file=sys.stderr,
    )
    module = module.to(memory_format=torch.contiguous_format)
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, place / f"{name}.safetensors")
    (place / "nets.py").write_text(Path(_optimise_nets.__file__).read_text())
    example = tensor(name, train[0][:2])
    torch.onnx.export(module, (example,), str(place / f"{name}.onnx"), dynamo=True, dynamic_shapes=({0: torch.export.Dim("rows")},), input_names=["x"], output_names=["logits"], external_data=False)  # fmt: skip


def tensor(name: str, rows: np.ndarray):
    """Rows as the module takes them."""
    import torch

    given = torch.from_numpy(np.ascontiguousarray(rows))
    return (given.float() - 128) / 64 if name == "cnn" else given


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
