"""Ranges by entropy, optimised graphs, PyTorch's int8 and zeros that stay zero while the rest is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.protocols import Making, Setting, Training
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx
from seatrial.testing import _models, _student

ROWS = _models.rows(640, 32, seed=9)
UNSEEN = _models.rows(200, 32, seed=10)


def make(name: str, artefact: Artefact, making: Making, **options: Any) -> Artefact:
    part = catalog.find("variants", name)
    made: Artefact = catalog.load(part).make(artefact, making, catalog.options(part, options))
    return made


def session(artefact: Artefact) -> Any:
    part = catalog.find("runtimes", "onnxruntime" if artefact.format == "onnx" else "torch")
    return catalog.load(part).open(artefact, Setting(), catalog.options(part))


def answers(artefact: Artefact, **values: Any) -> Any:
    return next(iter(session(artefact).predict(values).values()))


# --- ranges by entropy ------------------------------------------------------------------------------------------------------


def cubed(file: Path) -> Artefact:
    """A product, its third power, and another product: a row three times as large is 27 times as large inside."""
    draw = np.random.default_rng(5)
    weights = {name: (draw.standard_normal((32, 32)) / 6).astype(np.float32) for name in ("one", "two")}
    nodes = [
        onnx.helper.make_node("MatMul", ["features", "one"], ["inner"]),
        onnx.helper.make_node("Mul", ["inner", "inner"], ["squared"]),
        onnx.helper.make_node("Mul", ["squared", "inner"], ["cubed"]),
        onnx.helper.make_node("MatMul", ["cubed", "two"], ["y"]),
    ]
    return _models.onnx_file(file, nodes, {"features": ("float32", ("rows", 32))}, {"y": ("float32", ("rows", 32))}, weights)  # fmt: skip


@pytest.mark.parametrize("activation", ["uint8", "int8"])
def test_entropy_forgets_an_outlier_that_minmax_can_not(tmp_path: Path, activation: str) -> None:
    parent, spoilt = cubed(tmp_path / "m.onnx"), ROWS.copy()
    spoilt[3] *= 3
    right = answers(parent, features=UNSEEN)

    def wrong(turn: str, method: str) -> tuple[float, dict[str, str]]:
        made = make("int8_static", parent, Making(tmp_path / turn, 0, {"features": spoilt}, "rows"), method=method, activation=activation)  # fmt: skip
        return float(np.median(np.abs(answers(made, features=UNSEEN) - right))), made.hashes

    (entropy, hashes), (minmax, _), (_, again) = wrong("a", "entropy"), wrong("b", "minmax"), wrong("c", "entropy")
    assert entropy < 0.6 * minmax
    assert hashes == again
    assert not list((tmp_path / "a").glob("*.json")), "ranges are left behind"


def test_entropy_keeps_the_whole_range_of_inputs(tmp_path: Path) -> None:
    """Three in four pixels are black: their spike would draw the cut-off to itself, and all pictures would go dark."""
    draw = np.random.default_rng(2)
    rows = np.where(draw.random((640, 32)) < 0.75, -0.8, draw.uniform(-0.7, 2, (640, 32))).astype(np.float32)
    made = make("int8_static", _models.mlp_file(tmp_path / "m.onnx"), Making(tmp_path / "e", 0, {"features": rows}, "rows"), method="entropy")  # fmt: skip
    bright = np.full((1, 32), 1.9, np.float32)
    right = _models.mlp_answers(bright)
    assert np.abs(answers(made, features=bright) - right).max() < 0.15 * np.abs(right).max()


def test_entropy_reaches_the_careful_variant_too(tmp_path: Path) -> None:
    parent, values = _models.mlp_file(tmp_path / "m.onnx"), {"features": ROWS}
    making = Making(tmp_path / "a", 0, values, "rows", answer=lambda one: {"scores": answers(one, **values)})
    made = make("int8_aware", parent, making, method="entropy", drop=0.05)
    plain = make("int8_static", parent, replace(making, folder=tmp_path / "s"), method="entropy")
    assert np.array_equal(answers(made, features=UNSEEN), answers(plain, features=UNSEEN))


# --- optimised graphs -------------------------------------------------------------------------------------------------------


def foldable(file: Path) -> Artefact:
    """A convolution, its normalisation, and a constant that is worked out each time."""
    draw = np.random.default_rng(3)
    constants = {
        "kernel": draw.standard_normal((4, 3, 3, 3)),
        "one": draw.standard_normal(4),
        "mean": draw.standard_normal(4),
        "var": draw.random(4) + 0.5,
        "two": np.array([2.0]),
    }
    nodes = [
        onnx.helper.make_node("Conv", ["image", "kernel"], ["maps"]),
        onnx.helper.make_node("BatchNormalization", ["maps", "one", "one", "mean", "var"], ["even"]),
        onnx.helper.make_node("Mul", ["two", "two"], ["four"]),
        onnx.helper.make_node("Mul", ["even", "four"], ["scaled"]),
        onnx.helper.make_node("Identity", ["scaled"], ["y"]),
    ]
    ends = {"image": ("float32", ("rows", 3, 8, 8))}, {"y": ("float32", ("rows", 4, 6, 6))}
    return _models.onnx_file(file, nodes, *ends, {name: one.astype(np.float32) for name, one in constants.items()})


@pytest.mark.parametrize("level", ["basic", "extended"])
def test_fewer_operators_give_the_same_answers(tmp_path: Path, level: str) -> None:
    parent, image = foldable(tmp_path / "m.onnx"), _models.rows(20, 3, 8, 8)
    made = make("optimised", parent, Making(tmp_path / "made", 0), level=level)
    assert np.abs(answers(made, image=image) - answers(parent, image=image)).max() < 1e-4
    found = made.lineage.found
    assert found["operators_before"] == 5
    assert found["operators"] == len(onnx.load(made.files["model"]).graph.node) <= 2
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(made.files["model"]).graph.node}
    assert made.lineage.rows_hash is None
    if level == "basic":
        assert {one.domain for one in onnx.load(made.files["model"]).graph.node} <= {"", "ai.onnx"}


WAYS = [("optimised", {"level": "extended"}), ("int8_static", {"method": "entropy"})]


@pytest.mark.parametrize(("name", "options"), WAYS, ids=str)
def test_models_of_every_kind(tmp_path: Path, name: str, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    near = 1e-4 if name == "optimised" else 0.2
    image = _models.rows(20, 3, 8, 8)
    for opset in (11, 13, 17, 20, 21):
        parent = _models.conv_file(tmp_path / f"{opset}.onnx", opset=opset)
        made = make(name, parent, Making(tmp_path / str(opset), 0, {"image": image}, "rows"), **options)
        right = _models.conv_answers(image)
        assert np.abs(answers(made, image=image) - right).max() < near * np.abs(right).max()
    values = models.several_values(40)
    made = make(name, models.several(tmp_path / "s.onnx"), Making(tmp_path / "several", 0, values, "rows"), **options)
    got, right = session(made).predict(values), models.several_answers(values)
    assert np.abs(got["scores"] - right["scores"]).max() < near * np.abs(right["scores"]).max()
    assert np.array_equal(got["longest"], right["longest"])
    fixed = _models.mlp_file(tmp_path / "f.onnx", batch=4)
    made = make(name, fixed, Making(tmp_path / "fixed", 0, {"features": ROWS}, "rows"), **options)
    right = _models.mlp_answers(ROWS[:6])
    assert np.abs(answers(made, features=ROWS[:6]) - right).max() < near * np.abs(right).max()
    monkeypatch.setattr(_onnx, "LARGE", 0)
    made = make(name, _models.mlp_file(tmp_path / "m.onnx"), Making(tmp_path / "large", 0, {"features": ROWS}, "rows"), **options)  # fmt: skip
    assert any(role.startswith("data:") for role in made.files)
    assert np.abs(answers(made, features=ROWS[:6]) - right).max() < near * np.abs(right).max()


# --- PyTorch's int8 ---------------------------------------------------------------------------------------------------------

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self, branching=False):
        super().__init__()
        self.branching = branching
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, bias=False), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
        self.skip, self.last = torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.Linear(8 * 9, 5)

    def forward(self, image):
        if self.branching and image.sum() > 1e9:
            return self.last(image.flatten(1)[:, :72])
        maps = self.body(image)
        return self.last((maps + torch.relu(self.skip(maps))).flatten(1))
"""


def net(folder: Path, **arguments: Any) -> Artefact:
    """A small network with a way past a convolution, its weights from a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    code, file, space = folder / "net.py", folder / "net.safetensors", {}
    code.write_text(NET)
    exec(NET, space)
    torch.manual_seed(1)
    module = space["Net"](**arguments)
    module.body[1].running_mean.normal_(), module.body[1].running_var.uniform_(0.5, 2)
    save_file(module.state_dict(), file)
    files = {"code": code, "weights": file}
    ends = (TensorSpec(name="image", shape=(3, 8, 8)),), (TensorSpec(name="scores", shape=(5,)),)
    return Artefact(
        format="torch",
        files={role: str(path) for role, path in files.items()},
        hashes={role: _models.sha256(path) for role, path in files.items()},
        signature=Signature(inputs=ends[0], outputs=ends[1]),
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry="net.py:Net" + (' {"branching": true}' if arguments else ""),
    )


def test_torch_int8_answers_nearly_the_same_and_runs_in_int8(tmp_path: Path) -> None:
    parent, image = net(tmp_path / "of"), _models.rows(300, 3, 8, 8, seed=4)
    made = make("int8_torch", parent, Making(tmp_path / "made", 0, {"image": image[:200]}, "rows"))
    opened = session(made)
    got, right = opened.predict({"image": image})["scores"], answers(parent, image=image)
    assert 0 < np.abs(got - right).max() < 0.15 * np.abs(right).max()
    facts = opened.facts()
    assert (facts.precision, facts.fell_back) == ("int8", "")
    assert made.lineage.found["int8_layers"] >= 3
    assert made.lineage.rows_hash == "rows"
    one_by_one = np.concatenate([opened.predict({"image": image[at : at + 1]})["scores"] for at in range(20)])
    assert np.array_equal(one_by_one, got[:20]), "ranges are fixed, so that rows don't depend on their neighbours"
    narrow = make("int8_torch", parent, Making(tmp_path / "narrow", 0, {"image": image[:200] / 10}, "rows"))
    assert np.abs(answers(narrow, image=image) - right).max() > 3 * np.abs(got - right).max(), "ranges aren't the rows'"


def test_torch_int8_of_what_can_not_be_followed(tmp_path: Path) -> None:
    parent, image = net(tmp_path / "of", branching=True), _models.rows(60, 3, 8, 8, seed=4)
    with pytest.raises(Unsupported, match="can't follow") as refused:
        make("int8_torch", parent, Making(tmp_path / "made", 0, {"image": image}, "rows"))
    assert "dynamic" in refused.value.next_step
    made = make("int8_torch", parent, Making(tmp_path / "dynamic", 0, {"image": image}, "rows"), method="dynamic")
    right = answers(parent, image=image)
    opened = session(made)
    assert 0 < np.abs(opened.predict({"image": image})["scores"] - right).max() < 0.1 * np.abs(right).max()
    facts = opened.facts()
    assert (facts.precision, facts.fell_back) == ("int8", ""), "kernels that narrow their floats themselves"
    assert made.lineage.rows_hash is None
    with pytest.raises(Unsupported, match="role `calibrate`"):
        make("int8_torch", net(tmp_path / "plain"), Making(tmp_path / "none", 0))


# --- zeros that stay --------------------------------------------------------------------------------------------------------


def test_thinned_stays_thin_while_it_is_trained(tmp_path: Path) -> None:
    sample, labels = _student.three_classes(tmp_path / "of")
    train = Training(sample.values, labels, {}, ("a", "b", "c"))
    options = {"share": 0.9, "epochs": 6}
    bare = make("thinned", sample.artefact, Making(tmp_path / "bare", 3), **options)
    trained = make("thinned", sample.artefact, Making(tmp_path / "trained", 3, rows_hash="rows", train=train), **options)  # fmt: skip
    right = [float(np.mean(answers(one, **sample.values).argmax(axis=1) == labels)) for one in (bare, trained)]
    assert right[1] > right[0]
    assert bare.lineage.found["zeros"] == trained.lineage.found["zeros"] >= 0.89
    thin, full = load_file(bare.files["weights"]), load_file(trained.files["weights"])
    for name in ("0.weight", "2.weight", "4.weight"):
        assert not full[name][thin[name] == 0].any(), "a weight that was zero has come back"
    assert trained.lineage.found["loss"][1] < trained.lineage.found["loss"][0]


def test_thinned_becomes_onnx_for_runtimes_that_want_it(tmp_path: Path) -> None:
    sample, _ = _student.three_classes(tmp_path / "of")
    made = make("thinned", sample.artefact, Making(tmp_path / "made", 3, wanted="onnx"), share=0.9)
    assert made.format == "onnx"
    torch_made = make("thinned", sample.artefact, Making(tmp_path / "torch", 3), share=0.9)
    assert np.abs(answers(made, **sample.values) - answers(torch_made, **sample.values)).max() < 1e-4
    with pytest.raises(Unsupported, match="leaves every weight as it is"):  # most of its weights are zero already
        make("thinned", sample.artefact, Making(tmp_path / "little", 3), share=0.1)
