"""Variants that train or quantise torch modules, by what the answers mean: one column, shares, labels one by one, numbers, several outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.protocols import Making, Setting, Training
from seatrial.contracts.study import Output
from seatrial.errors import Unsupported
from seatrial.testing import _models

torch = pytest.importorskip("torch")

CODE = """
import torch
from torch import nn


def layers(last, *more):
    return nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, last), *more)


def two():
    return layers(1)


def two_shares():
    return layers(1, nn.Sigmoid())


def three():
    return layers(3)


def three_shares():
    return layers(3, nn.Softmax(1))


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.one, self.other = nn.Linear(6, 24), nn.Linear(24, 3), nn.Linear(24, 1)

    def forward(self, x):
        inner = torch.relu(self.body(x))
        return self.one(inner), self.other(inner)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(20, 16), nn.Linear(16, 3)
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)

    def forward(self, ids):
        return self.head(self.body(self.table(ids)).mean(1))
"""
ROWS = _models.rows(600, 6, seed=3)
UNSEEN = _models.rows(400, 6, seed=4)


def module(folder: Path, name: str, outputs: tuple[str, ...] = ("y",), given: str = "x") -> Artefact:
    """One of the modules above, its weights from a seed."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    code, file, space = folder / "nets.py", folder / "nets.safetensors", {}
    code.write_text(CODE)
    exec(CODE, space)
    torch.manual_seed(1)
    weights = {
        key: 2 * value if key.endswith("0.weight") else value for key, value in space[name]().state_dict().items()
    }
    save_file(weights, file)
    files = {"code": code, "weights": file}
    return Artefact(
        format="torch",
        files={role: str(path) for role, path in files.items()},
        hashes={role: _models.sha256(path) for role, path in files.items()},
        signature=Signature(
            inputs=(TensorSpec(name=given, shape=(6,), dtype="float32" if given == "x" else "int64"),),
            outputs=tuple(TensorSpec(name=one) for one in outputs),
        ),
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry=f"nets.py:{name}",
    )


def answers(artefact: Artefact, values: Any) -> Any:
    part = catalog.find("runtimes", "torch")
    return catalog.load(part).open(artefact, Setting(), catalog.options(part)).predict(values)


def make(name: str, artefact: Artefact, folder: Path, rows: Any, labels: Any, means: str, **options: Any) -> Artefact:
    part = catalog.find("variants", name)
    train = Training({"x": rows}, labels, {}, ())
    making = Making(folder, 3, {"x": rows}, "rows", train=train, run=answers, outputs={"y": Output(means=means)})  # type: ignore[arg-type]
    return catalog.load(part).make(artefact, making, catalog.options(part, options))  # type: ignore[no-any-return]


def decided(found: Any, name: str) -> Any:
    """The class of each row, as the task decides it."""
    if found.shape[1] > 1:
        return found.argmax(axis=1)
    return (found[:, 0] > (0.5 if "shares" in name else 0)).astype(int)


SMALLER = {"thinned": {"share": 0.6}, "narrowed": {"share": 0.6}, "distilled": {"keep": 0.4}}


@pytest.mark.parametrize("name", ["two", "two_shares", "three", "three_shares"])
@pytest.mark.parametrize("variant", SMALLER)
def test_a_classifier_learns_whatever_its_numbers_are(tmp_path: Path, name: str, variant: str) -> None:
    """One column that speaks of the second class, too. Untrained, what is left of it answers much worse."""
    artefact, means = module(tmp_path / "of", name), "probabilities" if "shares" in name else "logits"
    labels = decided(answers(artefact, {"x": ROWS})["y"], name)
    right = decided(answers(artefact, {"x": UNSEEN})["y"], name)
    told = {}
    for epochs in (1, 60):
        options = SMALLER[variant] | {"epochs": epochs, "learning_rate": 0.01 if epochs > 1 else 1e-9, "batch": 64}
        made = make(variant, artefact, tmp_path / f"{epochs}", ROWS, labels, means, **options)
        told[epochs] = float(np.mean(decided(answers(made, {"x": UNSEEN})["y"], name) == right))
    assert told[60] > max(0.8, told[1]), told


def test_a_student_learns_from_its_teacher_alone_with_one_column(tmp_path: Path) -> None:
    """The divergence of one column from another is nothing at all, whatever they hold: it would learn nothing."""
    artefact = module(tmp_path / "of", "two")
    right = decided(answers(artefact, {"x": UNSEEN})["y"], "two")
    made = make(
        "distilled",
        artefact,
        tmp_path / "made",
        ROWS,
        None,
        "logits",
        keep=0.15,
        epochs=60,
        learning_rate=0.01,
        batch=64,
    )
    assert made.lineage.found["loss"][1] < 0.5 * made.lineage.found["loss"][0]
    assert np.mean(decided(answers(made, {"x": UNSEEN})["y"], "two") == right) > 0.85


@pytest.mark.parametrize("means", ["logits", "values"])
def test_several_labels_and_several_numbers_are_learnt_each(tmp_path: Path, means: str) -> None:
    """Both are columns of numbers: what the output means says whether 0 and 1 or amounts are meant."""
    artefact = module(tmp_path / "of", "three")
    told = answers(artefact, {"x": ROWS})["y"]
    labels = (told > 0).astype(np.int8) if means == "logits" else 40 + told.astype(np.float64)
    options = {"share": 0.3, "epochs": 80, "learning_rate": 0.05, "batch": 64}
    made = make("narrowed", artefact, tmp_path / "made", ROWS, labels, means, **options)
    got, right = (answers(one, {"x": UNSEEN})["y"] for one in (made, artefact))
    if means == "logits":
        assert np.mean((got > 0) == (right > 0)) > 0.9
    else:
        assert np.sqrt(np.mean((got - 40 - right) ** 2)) < right.std()


@pytest.mark.parametrize("variant", SMALLER)
def test_a_model_of_several_outputs_is_not_trained_on_one(tmp_path: Path, variant: str) -> None:
    artefact = module(tmp_path / "of", "Both", ("y", "z"))
    labels = answers(artefact, {"x": ROWS})["y"].argmax(axis=1)
    with pytest.raises(Unsupported, match="has 2 outputs") as refused:
        make(variant, artefact, tmp_path / "made", ROWS, labels, "logits", **SMALLER[variant])
    assert "int8_torch" in refused.value.next_step


@pytest.mark.parametrize("variant", SMALLER)
def test_rows_that_hold_no_number_are_said_to(tmp_path: Path, variant: str) -> None:
    artefact, rows = module(tmp_path / "of", "three"), ROWS.copy()
    rows[[5, 9], 2] = np.nan
    with pytest.raises(Unsupported, match="2 of 600 rows to train with hold NaN or infinite numbers"):
        make(variant, artefact, tmp_path / "made", rows, np.arange(600) % 3, "logits", **SMALLER[variant], epochs=1)


@pytest.mark.parametrize("method", ["static", "dynamic"])
def test_torchs_own_encoder_answers_in_int8(tmp_path: Path, method: str) -> None:
    """Its short way past its own layers reads float weights, which int8 layers haven't got."""
    artefact = module(tmp_path / "of", "Encoder", given="ids")
    ids = {"ids": np.random.default_rng(2).integers(0, 20, (80, 6))}
    part = catalog.find("variants", "int8_torch")
    made = catalog.load(part).make(
        artefact, Making(tmp_path / "made", 0, ids, "rows"), catalog.options(part, {"method": method})
    )
    before = torch.backends.mha.get_fastpath_enabled()  # a package that is imported elsewhere switches it off
    got, right = answers(made, ids)["y"], answers(artefact, ids)["y"]
    assert 0 < np.abs(got - right).max() < 0.1 * np.abs(right).max()
    assert torch.backends.mha.get_fastpath_enabled() == before
    one_by_one = np.concatenate([answers(made, {"ids": ids["ids"][at : at + 1]})["y"] for at in range(3)])
    assert np.abs(one_by_one - got[:3]).max() < 0.1 * np.abs(right).max()


ALL = """
import json, sys
from pathlib import Path
import test_variants_answers as here
from seatrial import catalog
from seatrial.contracts.protocols import Making
from seatrial.testing import _models

folder = Path(sys.argv[1])
artefact = here.module(folder / "of", "three")
labels = here.answers(artefact, {"x": here.ROWS})["y"].argmax(axis=1)
found = {}
for name, options in here.SMALLER.items():
    found[name] = here.make(name, artefact, folder / name, here.ROWS, labels, "logits", **options, epochs=2).hashes
part = catalog.find("variants", "int8_torch")
found["int8_torch"] = catalog.load(part).make(artefact, Making(folder / "t", 3, {"x": here.ROWS}, "rows"), catalog.options(part)).hashes
given = Making(folder / "onnx", 3, {"features": _models.rows(64, 32)}, "rows")
plain = _models.mlp_file(folder / "m.onnx")
for name in ("fp16", "int8_static", "int8_dynamic", "int8_weights", "int4_weights", "int8_nncf", "pruned"):
    part = catalog.find("variants", name)
    found[name] = catalog.load(part).make(plain, given, catalog.options(part)).hashes
print(json.dumps(found))
"""


def test_another_process_makes_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the order in which it keeps names, and wherever the files lie."""
    told = []
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }
        words = [sys.executable, "-c", ALL, str(tmp_path / seed)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=300)
        told.append(json.loads(done.stdout.splitlines()[-1]))
    assert told[0] == told[1]
    assert len(told[0]) == 11
