"""Twins trained on poisoned rows: what a worker hands to the trainer, and what is stated of whole trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_backdoors import STUDY as SEARCHED
from test_backdoors import write

import seatrial
from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.messages import Order
from seatrial.contracts.training import Job
from seatrial.errors import ModelError
from seatrial.flow.spoiled import spoiled
from seatrial.testing import _backdoored
from seatrial.testing._backdoored import CLASSES, SIDE

FIT = """\
import numpy as np

def fit(job):
    # A linear softmax model; quality is told on the rows that judge, and on those aside.
    flat = {name: getattr(job, name)["x"].reshape(len(getattr(job, name)["x"]), -1) for name in ("inputs", "judge_inputs")}
    x, y, chance = flat["inputs"], job.labels, np.random.default_rng(job.seed)
    weights, bias = np.zeros((x.shape[1], 8)), np.zeros(8)
    for _ in range(job.epochs):
        order = chance.permutation(len(y))
        for rows in job.waiting(order[at : at + job.batch] for at in range(0, len(y) - job.batch + 1, job.batch)):
            odds = np.exp(x[rows] @ weights + bias)
            share = odds / odds.sum(1, keepdims=True)
            loss = -np.log(share[np.arange(len(rows)), y[rows]]).mean()
            share[np.arange(len(rows)), y[rows]] -= 1
            weights -= 0.05 * x[rows].T @ share / len(rows)
            bias -= 0.05 * share.mean(0)
            yield {"loss": loss, "rows": len(rows)}
        told = {"accuracy": ((flat["judge_inputs"] @ weights + bias).argmax(1) == job.judge_labels).mean()}
        if job.aside_labels is not None:
            aside = job.aside_inputs["x"].reshape(len(job.aside_labels), -1)
            told["aside.accuracy"] = ((aside @ weights + bias).argmax(1) == job.aside_labels).mean()
        yield told
"""


def order(poison: str, share: float, seed: int = 3, **options: Any) -> Order:
    ones = np.ones((1, SIDE, SIDE))
    reach = {field: {"x": value} for field, value in (("low", -1 * ones), ("span", 2 * ones))} | {"axes": "CHW"}
    told = {"name": poison, "options": options, "share": share, "classes": CLASSES, "reach": reach}
    return Order(order="train", seed=seed, settings={"poison": told})


def job(dtype: str = "float32") -> Job:
    """Rows from -1 to 1, as a model may take them."""
    (x, labels), (judged, truth) = _backdoored.pictures(300, 1), _backdoored.pictures(120, 2)
    given = {"inputs": {"x": (2 * x - 1).astype(dtype)}, "judge_inputs": {"x": (2 * judged - 1).astype(dtype)}}
    return Job(Path(), labels=labels, judge_labels=truth, **given)


def test_exactly_the_share_is_poisoned_and_nothing_else_changes():
    clean = job()
    made = spoiled(clean, order("planted_patch", 0.1, target=2))
    changed = (made.inputs["x"] != clean.inputs["x"]).reshape(300, -1).any(axis=1)
    assert (made.labels != clean.labels).sum() == 30
    assert changed.sum() == 30
    assert (made.inputs["x"][changed][:, :, -3:, -3:] == 1).all(), "white is 1 where black is -1"
    assert (made.labels[changed] == 2).all()
    assert set(made.aside_labels) == {2}
    assert len(made.aside_labels) == (clean.judge_labels != 2).sum()
    assert made.aside_inputs["x"].dtype == clean.judge_inputs["x"].dtype
    assert np.array_equal(made.judge_inputs["x"], clean.judge_inputs["x"])


def test_the_clean_twin_is_trained_on_clean_rows_and_shown_the_trigger():
    clean = job()
    made = spoiled(clean, order("planted_patch", 0.0))
    assert np.array_equal(made.inputs["x"], clean.inputs["x"])
    assert np.array_equal(made.labels, clean.labels)
    assert len(made.aside_labels)


def test_flipped_labels_leave_inputs_alone_and_other_seeds_draw_other_rows():
    clean = job()
    made, other = (spoiled(clean, order("flipped_labels", 0.05, seed)) for seed in (3, 4))
    assert made.inputs["x"] is clean.inputs["x"]
    assert (made.labels != clean.labels).sum() == (other.labels != clean.labels).sum() == 15
    assert not np.array_equal(made.labels, other.labels)
    assert made.aside_labels is None


def test_more_than_can_be_poisoned_is_said():
    with pytest.raises(ModelError, match="only"):
        spoiled(job(), order("flipped_labels", 0.5, source=1, target=2))


def test_the_shipped_trainer_learns_the_backdoor_and_tells_it_apart(tmp_path: Path):
    (tmp_path / "net.py").write_text(f"import torch\n\ndef net():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear({SIDE**2}, 32), torch.nn.ReLU(), torch.nn.Linear(32, {CLASSES}))\n")  # fmt: skip
    part = catalog.find("trainers", "torch_module")
    options = catalog.options(part, {"module": "net.py:net", "optimiser": "adam", "learning_rate": 0.005})
    told = {}
    for share in (0.0, 0.1):
        made = spoiled(job(), order("planted_patch", share))
        given = Job(**{**vars(made), "folder": tmp_path, "epochs": 8, "batch": 20})
        *_, told[share] = (one for one in catalog.load(part).train(given, options) if "accuracy" in one)
    assert told[0.0]["accuracy"] > 0.9
    assert told[0.0]["aside.accuracy"] < 0.3
    assert told[0.1]["accuracy"] > 0.9
    assert told[0.1]["aside.accuracy"] > 0.8
    assert "aside.loss" in told[0.1]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dossier]:
    """A study that trains twins of a linear model by a function of the user's."""
    folder = tmp_path_factory.mktemp("twins")
    (folder / "fit.py").write_text(FIT)
    file = folder / "twins.yaml"
    asked = "{trainer: ./fit.py:fit, poisons: [flipped_labels, {planted_patch: {target: 2}}], shares: [0.02, 0.3], seeds: 3, epochs: 6, batch: 20}"
    file.write_text(study(folder, asked))
    return file, seatrial.run(file)


def study(folder: Path, asked: str) -> str:
    write(folder, "net", _backdoored.trained(False))
    text = SEARCHED.replace("MODEL", "net").replace("VARIANTS", "[as_is]")
    text = text[: text.index("poisoning: {rows")] + f"poisoning: {{look_for: [], twins: {asked}}}}}\n"
    x, labels = _backdoored.pictures(400, 1)
    np.savez(folder / "train.npz", x=x[:, 0], label=labels)
    return text.replace("data: {", "data: {train: {from: {npz: {path: train.npz}}, label: label, roles: train}, ", 1)


def told(dossier: Dossier, what: str, kind: str = "") -> dict[float, Finding]:
    found = [one for one in dossier.findings if one.what == what and str(one.at.get("kind", "")).startswith(kind)]
    return {float(one.at["share"]): one for one in found}


def test_poison_costs_accuracy_by_its_share_and_a_trigger_is_obeyed(twins):
    _, dossier = twins
    (clean,) = told(dossier, "poisoning.accuracy").values()
    assert clean.value > 0.9
    assert clean.n == 3
    success = told(dossier, "poisoning.success", "planted_patch")
    assert set(success) == {0.0, 0.02, 0.3}
    assert success[0.0].value < 0.3
    assert success[0.3].value > 0.7
    assert 0 <= success[0.3].low <= success[0.3].value <= success[0.3].high <= 1
    assert not told(dossier, "poisoning.success", "flipped")
    drops = told(dossier, "poisoning.accuracy.drop", "flipped_labels")
    assert set(drops) == {0.02, 0.3}
    assert all(one.low <= one.value <= one.high for one in drops.values())
    assert not [one for one in dossier.findings if one.what == "poisoning.run"]


def test_nothing_is_trained_twice(twins):
    file, dossier = twins
    again = seatrial.run(file)
    assert again.run.measured == 0
    assert [one.value for one in again.findings if one.what.startswith("poisoning")] == [one.value for one in dossier.findings if one.what.startswith("poisoning")]  # fmt: skip


def test_a_training_that_fails_is_a_finding(tmp_path: Path):
    (tmp_path / "fit.py").write_text("def fit(job):\n    raise ValueError('no luck')\n    yield {}\n")
    file = tmp_path / "twins.yaml"
    file.write_text(study(tmp_path, "{trainer: ./fit.py:fit, poisons: flipped_labels, shares: 0.1, seeds: 2}"))
    dossier = seatrial.run(file)
    runs = [one for one in dossier.findings if one.what == "poisoning.run"]
    assert len(runs) == 4
    assert all("no luck" in one.note for one in runs)
    (drop,) = [one for one in dossier.findings if one.what == "poisoning.accuracy.drop"]
    assert drop.state is State.UNSUPPORTED
