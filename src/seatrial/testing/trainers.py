"""The exam for trainers: rows are counted, seeds decide everything, losses fall, quality is told, and it goes on for as long as asked.

`exam(part)` trains a small model on rows that can be learnt; a trainer whose options name a function is given one.
"""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.training import Job

NET = """\
import torch

def net():
    return torch.nn.Linear(4, 3)
"""
FIT = """\
import numpy as np

def fit(job):
    x, y = job.inputs["x"], job.labels
    weights, random = np.zeros((4, 3)), np.random.default_rng(job.seed)
    for _ in range(job.epochs):
        order = random.permutation(len(y))
        batches = (order[start : start + job.batch] for start in range(0, len(y) - job.batch + 1, job.batch))
        for rows in job.waiting(batches):
            odds = np.exp(x[rows] @ weights)
            share = odds / odds.sum(1, keepdims=True)
            loss = -np.log(share[np.arange(len(rows)), y[rows]]).mean()
            share[np.arange(len(rows)), y[rows]] -= 1
            weights -= 0.5 * x[rows].T @ share / len(rows)
            yield {"loss": loss, "rows": len(rows)}
        yield {"accuracy": ((job.judge_inputs["x"] @ weights).argmax(1) == job.judge_labels).mean()}
"""
NEEDED = {"module": "net.py:net", "call": "fit.py:fit", "learning_rate": 0.5}
"""Options that a trainer may need."""


def exam(part: PartInfo) -> None:
    """Raises `AssertionError` where the trainer doesn't do what trainers do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "net.py").write_text(NET)
        (folder / "fit.py").write_text(FIT)
        module, options = catalog.load(part), _options(part)
        files = module.files(options, folder)
        assert all(Path(file).is_file() and len(hash_) == 64 for file, hash_ in files.items()), (
            "files have their SHA-256"
        )
        assert module.absent("cpu") is None or isinstance(module.absent("cpu"), str)
        first, again, other = (_losses(module, options, _job(folder, seed)) for seed in (0, 0, 1))
        assert first == again, f"{part.name}: the same seed gives other losses"
        assert first != other, f"{part.name}: the seed changes nothing"
        assert np.mean(first[-4:]) < np.mean(first[:4]), (
            f"{part.name}: the loss doesn't fall on rows that can be learnt"
        )
        _counts(part, module, options, folder)
        if "several" in part.gives.get("models", ()):
            _several(part, module, options, folder)


def _options(part: PartInfo) -> Any:
    known = catalog.options_type(catalog.load(part)).model_fields
    return catalog.options(part, {name: value for name, value in NEEDED.items() if name in known})


def _job(folder: Path, seed: int, epochs: int = 3) -> Job:
    random = np.random.default_rng(5)
    x, right = random.normal(size=(96, 4)).astype(np.float32), random.normal(size=(4, 3))
    label = (x @ right).argmax(1)
    judged = {"judge_inputs": {"x": x[64:]}, "judge_labels": label[64:]}
    return Job(folder, seed=seed, epochs=epochs, batch=16, inputs={"x": x[:64]}, labels=label[:64], **judged)


def _losses(module: Any, options: Any, job: Job) -> list[float]:
    return [float(said["loss"]) for said in module.train(job, options) if "rows" in said]


def _counts(part: PartInfo, module: Any, options: Any, folder: Path) -> None:
    job = _job(folder, 0)
    said = list(module.train(job, options))
    steps = [one for one in said if "rows" in one]
    told = [one for one in said if one and "rows" not in one]
    assert all(isinstance(float(value), float) for one in said for value in one.values()), "numbers by name"
    assert [one["rows"] for one in steps] == [16] * 12, f"{part.name}: three passes through 64 rows are 12 steps of 16"
    assert len(told) == 3, f"{part.name}: quality is told after each pass"
    assert all(0 <= one["accuracy"] <= 1 for one in told), f"{part.name}: an accuracy lies between 0 and 1"
    assert job.waited.take() > 0, f"{part.name}: batches are taken through `job.waiting`"
    endless = module.train(_job(folder, 0, epochs=10**9), options)
    assert sum("rows" in one for one in islice(endless, 60)) > 40, f"{part.name}: it ends before its passes do"
    endless.close()


def _several(part: PartInfo, module: Any, options: Any, folder: Path) -> None:
    """Models of one recipe, each trained on its own rows: the same for the same seed, each surer of its rows than chance."""
    job = _job(folder, 0, epochs=10)
    assert job.labels is not None
    inside = np.zeros((4, 64), bool)
    for number, one in enumerate(inside):
        one[np.random.default_rng(number).permutation(64)[:32]] = True
    first, again = (module.several(job, options, inside) for _ in range(2))
    assert first.scores.shape == (4, 64, 3), f"{part.name}: models x rows x classes, not {first.scores.shape}"
    assert np.allclose(first.scores, again.scores, atol=1e-5), f"{part.name}: the same seed gives other models"
    assert first.together or first.why, f"{part.name}: say why they weren't trained in one pass"
    right = first.scores.argmax(axis=2) == job.labels
    assert right[inside].mean() > 0.7, f"{part.name}: models don't learn their own rows"
    assert len({one.tobytes() for one in first.scores}) == 4, f"{part.name}: models on other rows are the same"
