"""Students and narrower modules: what is cut out is cut everywhere, and nothing else; what is learnt is the teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making, Setting, Training
from seatrial.contracts.study import Output
from seatrial.errors import ModelError, Unsupported
from seatrial.testing import _student

torch = pytest.importorskip("torch")
nn = torch.nn


class Residual(nn.Module):  # type: ignore[misc, name-defined]
    """Sums, a strided way past, a convolution a channel, pooling, and images laid out flat."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.inner = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1))
        self.down, self.apart = nn.Conv2d(8, 12, 3, 2, 1), nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.head = nn.Sequential(nn.Linear(12 * 4, 20), nn.GELU(), nn.Linear(20, 5))

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(x + self.inner(x))
        x = nn.functional.adaptive_avg_pool2d(self.apart(self.down(x)), 2)
        return self.head(x.flatten(1))


def seeded(module: Any) -> Any:
    torch.manual_seed(3)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_floating_point():
            tensor.data.copy_(torch.rand_like(tensor) + 0.1 if "var" in name else torch.randn_like(tensor))
    return module.eval()


def narrower(module: Any, cut: Any) -> Any:
    """The module at its new sizes, as the written code builds it."""
    for name, shape in cut.shapes.items():
        owner, _, leaf = name.rpartition(".")
        part = module.get_submodule(owner)
        old, new = getattr(part, leaf), torch.empty(shape)
        setattr(part, leaf, nn.Parameter(new) if isinstance(old, nn.Parameter) else new)
    for name, sizes in cut.attributes.items():
        for attribute, size in sizes.items():
            setattr(module.get_submodule(name), attribute, size)
    module.load_state_dict(cut.weights)
    return module.eval()


def test_cutting_out_dead_channels_changes_no_answer() -> None:
    from seatrial.parts.variants import _channels

    module, x = seeded(Residual()), torch.randn(4, 3, 8, 8)
    with torch.no_grad():  # a channel whose makers and shifts are all zero gives zero, and zero adds nothing
        for names, dead in ((("stem", "norm", "inner.3"), 2), (("inner.0", "inner.1"), 5), (("down", "apart"), 7)):
            for name in names:
                part = module.get_submodule(name)
                part.weight[dead], part.bias[dead] = 0, 0
        for name in ("norm", "inner.1"):
            module.get_submodule(name).running_mean.zero_()
        for dead in (11, 4):
            module.head[0].weight[dead], module.head[0].bias[dead] = 0, 0
        before = module(x)
        cut = _channels.cut(module, (x,), 0.1)
        after = narrower(Residual(), cut)(x)
    assert {name: tuple(shape) for name, shape in cut.shapes.items() if name.endswith("weight")} == {
        "stem.weight": (7, 3, 3, 3), "norm.weight": (7,), "inner.0.weight": (7, 7, 3, 3), "inner.1.weight": (7,),
        "inner.3.weight": (7, 7, 1, 1), "down.weight": (11, 7, 3, 3), "apart.weight": (11, 1, 3, 3),
        "head.0.weight": (18, 44), "head.2.weight": (5, 18),
    }  # fmt: skip
    assert float((after - before).abs().max() / before.abs().max()) < 1e-5
    with pytest.raises(Unsupported, match="less than one"):
        _channels.cut(module, (x,), 0.02)


@pytest.mark.parametrize("kind", ["concatenation", "untraceable", "output alone"])
def test_what_can_not_be_followed_keeps_its_channels(kind: str) -> None:
    from seatrial.parts.variants import _channels

    class Concatenated(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other, self.last = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(12, 3)

        def forward(self, x: Any) -> Any:
            return self.last(torch.cat([self.one(x), self.other(x)], 1))

    class Branching(nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x if x.sum() > 0 else -x

    module = {"concatenation": Concatenated, "untraceable": Branching, "output alone": lambda: nn.Linear(4, 3)}[kind]()
    with pytest.raises(Unsupported) as refused:
        _channels.cut(module, (torch.zeros(2, 4),), 0.5)
    assert "student" in refused.value.next_step


def taught(folder: Path, base: Path | None = None, wanted: str | None = None, rows: int = 600) -> tuple[Artefact, Making, Any, Any]:  # fmt: skip
    sample, labels = _student.three_classes(folder / "of")
    values = {"features": sample.values["features"][:rows]}
    making = Making(
        folder / "made",
        3,
        rows_hash="rows",
        train=Training(values, labels[:rows], {}, ("a", "b", "c")),
        run=lambda artefact, given: answers(artefact, given),
        outputs={"logits": Output(means="logits", classes=("a", "b", "c"))},
        wanted=wanted,
        base=base,
    )
    return sample.artefact, making, sample.values, labels


def answers(artefact: Artefact, values: Any) -> Any:
    part = catalog.find("runtimes", "onnxruntime" if artefact.format == "onnx" else "torch")
    session = catalog.load(part).open(artefact, Setting(), catalog.options(part))
    try:
        return session.predict(values)
    finally:
        session.close()


def made(name: str, artefact: Artefact, making: Making, **options: Any) -> Artefact:
    part = catalog.find("variants", name)
    found: Artefact = catalog.load(part).make(artefact, making, catalog.options(part, options))
    return found


@pytest.mark.parametrize("wanted", ["torch", "onnx"])
def test_a_derived_student_is_smaller_and_answers_like_its_teacher(tmp_path: Path, wanted: str) -> None:
    artefact, making, values, labels = taught(tmp_path, wanted=wanted)
    student = made("distilled", artefact, making, keep=0.5, epochs=12)
    told = answers(student, values)["logits"]
    found = student.lineage.found
    assert student.format == wanted
    assert found["parameters"] < 0.5 * found["parameters_of_teacher"]
    assert found["loss"][1] < 0.5 * found["loss"][0], "nothing was learnt"
    assert np.mean(told.argmax(axis=1) == labels) > 0.93


def test_the_teacher_is_learnt_and_not_only_the_labels(tmp_path: Path) -> None:
    artefact, making, values, labels = taught(tmp_path)
    assert making.train is not None
    wrong = replace(making.train, labels=(labels + 1) % 3)
    blind = made("distilled", artefact, replace(making, train=wrong), labels=0.0, epochs=8)
    assert np.mean(answers(blind, values)["logits"].argmax(axis=1) == labels) > 0.9


def test_a_student_of_ones_own_is_built_from_the_folder_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    file = tmp_path / "study" / "student.py"
    file.write_text("import torch\ndef small(width):\n    return torch.nn.Sequential(torch.nn.Linear(12, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))\n")  # fmt: skip
    artefact, making, values, labels = taught(tmp_path, base=tmp_path / "study")
    options = {"student": "student.py:small", "arguments": {"width": 8}, "epochs": 12, "learning_rate": 0.01}
    student = made("distilled", artefact, making, **options)
    assert student.lineage.found["parameters"] == 12 * 8 + 8 + 8 * 3 + 3
    assert np.mean(answers(student, values)["logits"].argmax(axis=1) == labels) > 0.85
    part = catalog.load(catalog.find("variants", "distilled"))
    before = part.files(part.Options(**options), tmp_path / "study")
    file.write_text(file.read_text() + "# another\n")
    assert part.files(part.Options(**options), tmp_path / "study") != before, "another file is another student"
    with pytest.raises(ModelError, match="no file"):
        part.files(part.Options(student="lost.py:small"), tmp_path / "study")


def test_what_can_not_be_distilled_is_refused_in_words(tmp_path: Path) -> None:
    artefact, making, *_ = taught(tmp_path)
    with pytest.raises(Unsupported, match="role `train`"):
        made("distilled", artefact, replace(making, train=None))
    with pytest.raises(Unsupported, match="runtime"):
        made("distilled", artefact, replace(making, run=None))
    exported = artefact.model_copy(update={"entry": "export"})
    with pytest.raises(Unsupported, match="code") as refused:
        made("distilled", exported, replace(making, run=lambda _, values: answers(artefact, values)))
    assert "student" in refused.value.next_step
    Path(artefact.files["code"]).write_text("raise SystemExit('ran what was changed')")
    with pytest.raises(ModelError, match="has changed"):
        made("narrowed", artefact, making)


def test_numbers_are_learnt_as_numbers(tmp_path: Path) -> None:
    artefact, making, values, _ = taught(tmp_path)
    numbers = replace(making, outputs={"logits": Output(means="values")})
    student = made("distilled", artefact, numbers, keep=0.5, epochs=15)
    right = answers(artefact, values)["logits"]
    assert np.sqrt(np.mean((answers(student, values)["logits"] - right) ** 2)) < 0.5 * right.std()


def test_narrowed_is_trained_again_where_there_are_rows(tmp_path: Path) -> None:
    artefact, making, values, labels = taught(tmp_path)
    bare = made("narrowed", artefact, replace(making, train=None, folder=tmp_path / "bare"), share=0.85)
    trained = made("narrowed", artefact, making, share=0.85)
    accuracy = [np.mean(answers(one, values)["logits"].argmax(axis=1) == labels) for one in (bare, trained)]
    assert accuracy[1] > accuracy[0]
    assert bare.lineage.found["parameters"] == trained.lineage.found["parameters"] < 0.2 * trained.lineage.found["parameters_of_teacher"]  # fmt: skip
