"""Adversarial training: the worst input is the one that algebra says, within the budget, and what may not change doesn't."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.attack import Space
from seatrial.contracts.protocols import Making, Training
from seatrial.errors import Unsupported
from seatrial.parts.variants import _losses
from seatrial.testing import _student, variants

torch = pytest.importorskip("torch")
LABELS = _losses.label_loss("logits")


def linear(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Linear(12, 3)


def space(free: Any = None) -> Space:
    rng = np.random.default_rng(1)
    span = rng.uniform(2, 4, 12)
    return Space({"features": -3 * span}, {"features": 6 * span}, {"features": np.ones(12, bool) if free is None else free})  # fmt: skip


def worst(module: Any, room: Space, norm: str, budget: float, folder: Path, steps: int = 10) -> tuple[Any, Any, Any]:
    """What it finds near rows well inside their ranges, the rows, and the labels."""
    from seatrial.parts.variants import _hardened

    sample, labels = _student.three_classes(folder)
    rows = (torch.from_numpy(sample.values["features"][:40]),)
    targets = torch.from_numpy(labels[:40])
    points = _hardened.Points(sample.artefact, room, rows)
    search = _hardened.Worst(module, points, norm, budget, steps, contextlib.nullcontext)  # type: ignore[arg-type]

    def loss(answer: Any) -> Any:
        return torch.nn.functional.cross_entropy(answer, targets, reduction="none")

    return search.near(rows, loss, search.drawn(rows))[0], rows[0], targets


def two_classes(module: Any) -> Any:
    """Only two of the three classes can win: then the loss of a linear model has one steepest way everywhere."""
    with torch.no_grad():
        module.weight[2], module.bias[2] = 0, -1e4
    return module


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_a_linear_model_the_worst_input_is_along_the_difference_of_the_weights(norm: str, tmp_path: Path) -> None:
    module, room = two_classes(linear()), space()
    found, rows, labels = worst(module, room, norm, 0.05, tmp_path)
    way = (module.weight[1] - module.weight[0]).detach() * torch.as_tensor(room.span["features"]).float()
    way = way.sign() if norm == "linf" else way / way.norm()
    sign = torch.where(labels == 0, 1.0, -1.0)[:, None]
    change = (found - rows) / torch.as_tensor(room.span["features"]).float()
    told = labels < 2
    if norm == "linf":
        assert torch.allclose(change[told], (0.05 * sign * way)[told], atol=1e-5)
    else:  # of the length of the budget, and no farther from the way than ten steps from a random start leave it
        assert ((change * sign * way).sum(dim=1)[told] >= 0.97 * 0.05).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_budget_the_range_and_fixed_features_are_kept(norm: str, tmp_path: Path) -> None:
    free = np.arange(12) % 3 > 0
    low, span = np.full(12, -0.5), np.full(12, 1.0)  # most rows lie outside: no farther out than they are
    room = Space({"features": low}, {"features": span}, {"features": free})
    found, rows, _ = worst(linear(), room, norm, 0.2, tmp_path)
    change = (found - rows).numpy()
    assert np.all(change[:, ~free] == 0)
    size = np.abs(change).max(axis=1) if norm == "linf" else np.sqrt((change**2).sum(axis=1))
    assert size.max() <= 0.2 + 1e-6
    assert size.max() > 0.19
    assert np.all(found.numpy() <= np.maximum(rows.numpy(), 0.5) + 1e-6)
    assert np.all(found.numpy() >= np.minimum(rows.numpy(), -0.5) - 1e-6)


def test_the_search_leaves_the_module_as_it_was(tmp_path: Path) -> None:
    module = linear().train()
    before = {name: one.clone() for name, one in module.state_dict().items()}
    worst(module, space(), "linf", 0.1, tmp_path)
    assert module.training
    assert all(torch.equal(before[name], one) for name, one in module.state_dict().items())
    assert all(one.grad is None for one in module.parameters())


def test_trades_weighs_what_the_paper_says() -> None:
    """CE(f(x), y) + beta KL(f(x) || f(x')), by scipy's relative entropy."""
    from scipy.stats import entropy

    part = catalog.find("variants", "adversarially_trained")
    module = catalog.load(part)
    options = catalog.options(part, {"loss": "trades", "beta": 2.5})
    _, loss = module._trades(None, None, lambda answer: answer, options)
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(14, 4)), rng.integers(0, 4, 7)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = -np.log(p[np.arange(7), labels]).mean() + 2.5 * entropy(p[:7], p[7:], axis=1).mean()
    assert float(loss(torch.from_numpy(logits), {"labels": torch.from_numpy(labels)})) == pytest.approx(right)


def making(folder: Path, values: Any, labels: Any) -> Making:
    train = Training({"features": values}, labels)
    return Making(folder, 0, rows_hash="rows", train=train, space=variants.space_of({"features": values}))


def made(folder: Path, given: Any = None, **options: Any) -> Artefact:
    sample, labels = _student.three_classes(folder / "of")
    part = catalog.find("variants", "adversarially_trained")
    given = given or (lambda one: one)
    asked = given(making(folder / "made", sample.values["features"], labels))
    return catalog.load(part).make(sample.artefact, asked, catalog.options(part, options))


@pytest.mark.parametrize("options", [{"loss": "trades", "epochs": 1}, {"l2": 0.2, "start": "anew", "epochs": 2, "steps": 2}])  # fmt: skip
def test_other_ways_to_learn_are_noted_and_become_onnx_too(options: dict[str, Any], tmp_path: Path) -> None:
    artefact = made(tmp_path, lambda one: replace(one, wanted="onnx"), **options)
    assert artefact.format == "onnx"
    assert artefact.lineage.found["norm"] == ("l2" if "l2" in options else "linf")
    assert artefact.lineage.found["budget"] == options.get("l2", 0.03)


def test_what_lacks_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="ranges"):
        made(tmp_path, lambda one: replace(one, space=None))
    with pytest.raises(Unsupported, match="one class each"):
        made(tmp_path, lambda one: replace(one, train=replace(one.train, labels=None)))
    with pytest.raises(Unsupported, match="one class each"):
        made(tmp_path, lambda one: replace(one, train=replace(one.train, labels=np.zeros(600, np.float32))))
    with pytest.raises(ValueError, match="not both"):
        made(tmp_path, linf=0.1, l2=0.1)


def test_noise_is_as_large_as_it_says_and_only_where_something_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from seatrial.parts.variants import _student as students

    seen: dict[str, Any] = {}

    def learn(module: Any, lesson: Any, loss: Any, options: Any, seed: int, change: Any) -> tuple[float, float]:
        seen.update(rows=lesson.inputs[0], noisy=change(lesson.inputs, lesson.targets)[0])
        return 1.0, 1.0

    monkeypatch.setattr(students, "learn", learn)
    sample, labels = _student.three_classes(tmp_path / "of")
    free = np.arange(12) != 4
    room = space(free)
    part = catalog.find("variants", "noise_trained")
    asked = replace(making(tmp_path / "made", sample.values["features"], labels), space=room)
    catalog.load(part).make(sample.artefact, asked, catalog.options(part, {"sigma": 0.2}))
    noise = (seen["noisy"] - seen["rows"]).numpy() / room.span["features"]
    assert np.all(noise[:, 4] == 0)
    assert np.allclose(noise[:, free].std(axis=0), 0.2, rtol=0.12)
    assert abs(noise[:, free].mean()) < 0.01


# --- training that hides its rows -------------------------------------------------------------------------------------------


def private(**options: Any) -> tuple[Any, Any]:
    pytest.importorskip("opacus")
    part = catalog.find("variants", "private_training")
    return catalog.load(part), catalog.options(part, options)


def test_each_rows_part_is_cut_and_the_noise_is_as_large_as_it_says() -> None:
    """One step without a learning rate's other doings: the gradient that reaches the optimiser is (clipped sum + noise) / expected rows."""
    from opacus.optimizers import DPOptimizer

    module, options = private(clip=0.5, batch=50, epochs=1)
    found: list[Any] = []
    honest = DPOptimizer.pre_step

    def seen(self: Any, closure: Any = None) -> Any:
        done = honest(self, closure)
        found.append((self.params[0].summed_grad.clone(), self.params[0].grad.clone()))
        return done

    rows = 200
    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(rows, 4000)).astype(np.float32)) * 100
    from seatrial.parts.variants._student import Lesson

    lesson = Lesson((inputs,), {"labels": torch.zeros(rows, dtype=torch.int64)})
    net = torch.nn.Linear(4000, 3, bias=False)
    promised = {"steps": 4, "share": 0.25, "noise": 2.0, "clip": 0.5}
    DPOptimizer.pre_step = seen
    try:
        module.learn(net, lesson, promised, options, torch.Generator().manual_seed(1), LABELS)
    finally:
        DPOptimizer.pre_step = honest
    assert len(found) == 4
    sizes = []
    for summed, given in found:
        noise = given * 50 - summed
        sizes.append(float(noise.std()))
        assert float(summed.norm()) <= 0.5 * 100, "no row's part is longer than `clip`"
    assert np.allclose(sizes, 2.0 * 0.5, rtol=0.05)


def test_a_step_that_draws_nobody_adds_noise_all_the_same() -> None:
    from seatrial.parts.variants._student import Lesson

    module, options = private()
    lesson = Lesson((torch.zeros(30, 4),), {"labels": torch.zeros(30, dtype=torch.int64)})
    net = torch.nn.Linear(4, 2)
    before = net.weight.detach().clone()
    promised = {"steps": 12, "share": 0.02, "noise": 1.0, "clip": 1.0}
    module.learn(net, lesson, promised, options, torch.Generator().manual_seed(0), LABELS)
    assert not torch.equal(before, net.weight)


def test_the_promise_is_kept_by_both_accountants() -> None:
    from opacus.accountants import RDPAccountant

    module, options = private(epsilon=2.0, batch=64, epochs=4)
    told = module.accounted(800, options)
    assert told["epsilon"] <= 2.0
    assert told["epsilon"] > 1.5
    assert told["delta"] == pytest.approx(1 / 8000)
    other = RDPAccountant()
    other.history = [(told["noise"], told["share"], told["steps"])]
    assert told["epsilon"] <= other.get_epsilon(told["delta"]) <= told["checked"] * 1.001


def test_what_mixes_rows_is_refused() -> None:
    from seatrial.parts.variants._student import Lesson

    module, options = private()
    lesson = Lesson((torch.zeros(30, 4),), {"labels": torch.zeros(30, dtype=torch.int64)})
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    with pytest.raises(Unsupported, match="BatchNorm"):
        module.learn(
            net, lesson, {"steps": 1, "share": 0.5, "noise": 1.0, "clip": 1.0}, options, torch.Generator(), LABELS
        )
