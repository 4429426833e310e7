"""The exam of attacks: within the budget, only what may change, the same for the same seed, and a linear model falls to it.

from seatrial import catalog
from seatrial.testing.attacks import exam

exam(catalog.find("attacks", "./my_attack.py"))
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.attack import NUMBERS, SLACK, Aim, Felt
from seatrial.contracts.part import PartInfo
from seatrial.flow.possible import Possible, Reach
from seatrial.flow.target import Given, Watched
from seatrial.flow.wording import Wording
from seatrial.numerics.edits import allowed, far
from seatrial.numerics.norms import distance

ROWS, CLASSES = 24, 5
SHAPES = {"picture": (1, 6, 6), "table": (12,)}
ENOUGH = 0.5
"""Of the rows that a change of half the budget would fool, the share that an attack must fool."""


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Try an attack on a linear model, by each norm that it accepts, with `given` options. Raises `AssertionError`."""
    module, options = catalog.load(part), catalog.options(part, given)
    assert part.accepts.get("norm"), f"{part.name}: say in ACCEPTS by which norms it measures: linf, l2"
    assert part.accepts.get("knows"), f"{part.name}: say in ACCEPTS what an attacker must know"
    kind = part.gives.get("budget")
    assert kind in (("given",), ("smallest",)), f"{part.name}: say in GIVES whether its budget is `given`, or it looks for the `smallest`"  # fmt: skip
    for norm in part.accepts["norm"]:
        if norm not in NUMBERS:
            assert kind == ("given",), f"{part.name}: attacks on text are given their budget"
            _on_text(part, module, options, norm)
            continue
        for shape in SHAPES.values():
            model = Linear(shape, norm)
            budget = None if kind == ("smallest",) else model.budget
            target = model.target(part, budget)
            watch = _Watch(part, target, budget)
            aim = _frozen(target.aim())
            module.attack(watch, replace(aim, picture="CHW" if len(shape) == 3 else ""), options)
            again = model.target(part, budget)
            module.attack(_Watch(part, again, budget), replace(aim, picture="CHW" if len(shape) == 3 else ""), options)
            assert np.array_equal(target.smallest, again.smallest), f"{part.name}: the same twice isn't the same"
            _fooled(part, model, target.settle()["smallest"], target.right)


class Linear:
    """A linear model and rows of which it is known how far each is from another answer. A few features may not change."""

    def __init__(self, shape: tuple[int, ...], norm: Any, seed: int = 4) -> None:
        rng = np.random.default_rng(seed)
        size = int(np.prod(shape))
        self.norm = norm
        self.weights = rng.normal(size=(size, CLASSES))
        self.x = rng.uniform(0.3, 0.7, (ROWS, *shape)).astype(np.float32)
        self.bias = -(self.x.reshape(ROWS, -1) @ self.weights).mean(axis=0)
        self.free = np.ones(shape, bool)
        self.free.reshape(-1)[: size // 6] = False
        self.labels = self.scores({"x": self.x}).argmax(axis=1)
        self.far = self._far()
        self.budget = float(min(0.25, 2 * np.quantile(self.far, 0.6)))

    def scores(self, values: Any, rows: Any = None) -> Any:
        """Logits, rows x classes."""
        flat = values["x"].reshape(len(values["x"]), -1).astype(np.float64)
        return flat @ self.weights + self.bias

    def lend(self, values: Any, loss: str, labels: Any) -> Any:
        """Gradient and loss of each row, by hand."""
        scores = self.scores(values)
        cotangent, lost = _loss(scores, loss, labels)
        return {"x": (cotangent @ self.weights.T).reshape(values["x"].shape)}, lost

    def target(self, part: PartInfo, budget: float | None) -> Watched:
        """What the attack is given."""
        ones = np.ones(self.x.shape[1:])
        reach = Reach({"x": 0 * ones}, {"x": ones}, {"x": self.free}, {"x": 0 * ones}, {"x": 0 * ones})
        lend = self.lend if part.gives.get("gradient") else None
        blind = "classes" in part.accepts["knows"]
        return Watched(Possible({"x": self.x}, reach, self.norm, budget), self.scores, lend, self.labels, Given(self.norm, budget, 1, blind))  # fmt: skip

    def _far(self) -> Any:
        """The exact smallest change of each row: the margin over the dual norm of what may change, to the nearest class."""
        scores, places = self.scores({"x": self.x}), np.arange(ROWS)
        apart = self.weights[None, :, :] - self.weights.T[self.labels][:, :, None]
        apart = apart * self.free.reshape(1, -1, 1)
        dual = np.abs(apart).sum(axis=1) if self.norm == "linf" else np.sqrt((apart**2).sum(axis=1))
        gap = scores[places, self.labels][:, None] - scores
        gap[places, self.labels] = np.inf
        return (gap / np.maximum(dual, 1e-12)).min(axis=1)


class Wordy:
    """A linear model of which words a text has, and texts of which it is known whether leaving out one word, or misspelling it, is enough."""

    def __init__(self, norm: Any, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        self.norm, letters = norm, list("abcdefghijklmnopqrstuvwxyz")
        vocabulary = ["".join(rng.choice(letters, 7)) for _ in range(40)]
        self.weights = dict(zip(vocabulary, rng.normal(size=(40, CLASSES)), strict=True))
        gaps = [" ", "  ", "\n"]
        self.texts = np.array(["".join(word + gaps[rng.integers(3)] for word in rng.choice(vocabulary, rng.integers(4, 12))) for _ in range(ROWS)])  # fmt: skip
        self.labels = self.scores({"text": self.texts}).argmax(axis=1)
        self.budget = 2.0 if norm in ("characters", "words") else 0.3 if norm == "word_share" else 0.06
        most = np.array([allowed(text, norm, self.budget) for text in self.texts])
        self.easy = self._falls() & (most >= 2)

    def scores(self, values: Any, rows: Any = None) -> Any:
        """Logits, rows x classes: the sum over the words that it knows."""
        return np.array([sum((self.weights.get(word, np.zeros(CLASSES)) for word in text.split()), np.zeros(CLASSES)) for text in values["text"].tolist()])  # fmt: skip

    def target(self, blind: bool) -> Watched:
        """What the attack is given."""
        wording = Wording({"text": self.texts}, "text", self.norm)
        return Watched(wording, self.scores, None, self.labels, Given(self.norm, self.budget, 1, blind))

    def _falls(self) -> Any:
        fell = np.zeros(ROWS, bool)
        for row, text in enumerate(self.texts.tolist()):
            words = text.split()
            less = np.array([" ".join(words[:at] + words[at + 1 :]) for at in range(len(words))])
            fell[row] = (self.scores({"text": less}).argmax(axis=1) != self.labels[row]).any()
        return fell


def _on_text(part: PartInfo, module: Any, options: Any, norm: Any) -> None:
    """Within its budget of edits, the same twice, and what one edit would fool falls: to most who see scores."""
    model = Wordy(norm)
    for blind in sorted({"classes" in part.accepts["knows"], False}):
        target, again = model.target(blind), model.target(blind)
        for one in (target, again):
            module.attack(_Reader(part, one, model), one.aim(), options)
        assert np.array_equal(target.smallest, again.smallest), f"{part.name}: the same twice isn't the same"
        fell = float(np.mean(target.settle()["smallest"][model.easy] <= model.budget + SLACK))
        assert blind or fell >= ENOUGH, f"{part.name}: a linear model should fall to it; it fooled {fell:.0%} of the easy texts"  # fmt: skip


class _Reader:
    """Passes questions about texts on, and holds the attack to its budget."""

    def __init__(self, part: PartInfo, target: Watched, model: Wordy) -> None:
        self._part, self._target, self._model = part, target, model

    def scores(self, points: Any, rows: Any) -> Any:
        """Checked, then asked. What is asked to learn, and not to fool, may be over the budget by one edit of a word."""
        name, clean = self._part.name, self._model.texts[rows].tolist()
        assert len(set(np.asarray(rows).tolist())) == len(rows), f"{name}: a row stands twice in one question"
        assert all(isinstance(one, str) for one in points), f"{name}: it asks about what is no text"
        scores = self._target.scores(points, rows)
        over = np.array([far(one, text, self._model.norm) for one, text in zip(clean, points, strict=True)]) > self._model.budget + SLACK  # fmt: skip
        kept = self._target.smallest[rows][over]
        assert (np.isinf(kept) | (kept <= self._model.budget + SLACK)).all(), f"{name}: a hit over its budget counted"
        return scores

    def slope(self, points: Any, rows: Any, loss: str, labels: Any) -> Felt:
        """Passed on."""
        return self._target.slope(points, rows, loss, labels)

    def left(self, rows: Any) -> Any:
        """Passed on."""
        return self._target.left(rows)


class _Watch:
    """Passes everything on, and holds the attack to what it may do."""

    def __init__(self, part: PartInfo, target: Watched, budget: float | None) -> None:
        self._part, self._target, self._budget, self._aim = part, target, budget, target.aim()

    def scores(self, points: Any, rows: Any) -> Any:
        """Checked, then asked."""
        self._check(points, rows)
        return self._target.scores(points, rows)

    def slope(self, points: Any, rows: Any, loss: str, labels: Any) -> Felt:
        """Checked, then asked."""
        self._check(points, rows)
        return self._target.slope(points, rows, loss, labels)

    def left(self, rows: Any) -> Any:
        """Passed on."""
        return self._target.left(rows)

    def _check(self, points: Any, rows: Any) -> None:
        name, clean = self._part.name, self._aim.points[rows]
        assert len(set(np.asarray(rows).tolist())) == len(rows), f"{name}: a row stands twice in one question"
        assert points.shape == clean.shape, f"{name}: points have shape {points.shape}, their rows {clean.shape}"
        assert np.isfinite(points).all(), f"{name}: it asks at points that are no numbers"
        assert points.min() >= -SLACK, f"{name}: it asks below the range"
        assert points.max() <= 1 + SLACK, f"{name}: it asks above the range"
        changed = (points != clean).reshape(len(rows), -1) & ~self._aim.free.reshape(-1)
        assert not changed.any(), f"{name}: it changes what is fixed"
        if self._budget is not None:
            far = distance(points.astype(np.float64) - clean, self._aim.norm)
            assert far.max(initial=0) <= self._budget + SLACK, f"{name}: it asks {far.max():.6g} away, over its budget of {self._budget:.6g}"  # fmt: skip


def _frozen(aim: Aim) -> Aim:
    points = aim.points.copy()
    points.flags.writeable = False
    return replace(aim, points=points)


def _fooled(part: PartInfo, model: Linear, smallest: Any, right: Any) -> None:
    """No change is smaller than the smallest there is; of the rows that should fall easily at least half do."""
    found = smallest[right]
    assert (found >= model.far[right] - 1e-4).all(), f"{part.name}: it fooled rows by less than can be"
    easy = right & (model.far <= model.budget / 2)
    fell = float(np.mean(smallest[easy] <= model.budget + SLACK))
    assert fell >= ENOUGH, f"{part.name}: a linear model should fall to it; it fooled {fell:.0%} of the easy rows"


def _loss(scores: Any, loss: str, labels: Any) -> tuple[Any, Any]:
    """Loss of each row, and its gradient by the scores."""
    rows = np.arange(len(scores))
    if loss == "cross_entropy":
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return probabilities - np.eye(CLASSES)[labels], -np.log(probabilities[rows, labels])
    own, wanted = (labels[:, 0], labels[:, 1]) if loss == "targeted_dlr" else (labels, None)
    if wanted is None:
        others = scores - 1e9 * np.eye(CLASSES)[own]
        wanted = others.argmax(axis=1)
    cotangent = np.eye(CLASSES)[wanted] - np.eye(CLASSES)[own]
    return cotangent, scores[rows, wanted] - scores[rows, own]
