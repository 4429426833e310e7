"""The exam of ways to learn of the rows behind a model: on a made-up world of which everything is known, and on one where nothing is to be learnt.

from seatrial import catalog
from seatrial.testing.privacy import exam

exam(catalog.find("privacy", "./my_method.py"))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.privacy import Known, Learns, Shadows
from seatrial.numerics.membership import told_apart

ROWS, CLASSES, SHADOWS = 600, 4, 16


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Try a part with `given` options. Raises `AssertionError` in words."""
    learns = part.gives.get("learns", ())
    assert len(learns) == 1, f"{part.name}: say in GIVES what it `learns`, one of {', '.join(get_args(Learns))}"
    assert learns[0] in KINDS, f"{part.name}: nothing is known that `learns` {learns[0]}"
    KINDS[learns[0]](part, given)


def pried(part: PartInfo, given: dict[str, Any] | None, target: Any, known: Known) -> Any:
    """What it learns, twice the same; what it was given stays as it was."""
    module, options = catalog.load(part), catalog.options(part, given)
    before = {name: value.copy() for name, value in known.inputs.items()}
    first, again = (np.asarray(module.pry(target, known, options)) for _ in range(2))
    assert np.array_equal(first, again), f"{part.name}: the same twice isn't the same"
    assert np.isfinite(first).all(), f"{part.name}: it hands back what is no number"
    assert all(np.array_equal(value, known.inputs[name]) for name, value in before.items()), f"{part.name}: it changes the rows that it was given"  # fmt: skip
    return first


class Remembering:
    """Models that are surer by `learnt` of rows that they were trained on; how hard a row is differs from row to row."""

    def __init__(self, learnt: float = 2.0, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        hard = rng.normal(0, 2, ROWS)
        inside = np.zeros((SHADOWS + 1, ROWS), bool)
        for model in inside:
            model[rng.permutation(ROWS)[: ROWS // 2]] = True
        for pair in range(0, SHADOWS, 2):
            inside[pair + 1] = ~inside[pair]
        self.labels = rng.integers(0, CLASSES, ROWS)
        sure = hard + learnt * inside + rng.normal(0, 0.7, inside.shape)
        scores = rng.normal(0, 0.1, (*inside.shape, CLASSES))
        np.put_along_axis(scores, np.broadcast_to(self.labels[None, :, None], (*inside.shape, 1)), sure[..., None], axis=2)  # fmt: skip
        self.members = inside[-1]
        self._scores = scores[-1]
        self.known = Known(
            inputs={"x": np.arange(ROWS, dtype=np.float32)[:, None]},
            labels=self.labels,
            scores=self._scores,
            classes=CLASSES,
            own=np.zeros(ROWS, bool),
            shadows=Shadows(scores[:-1].astype(np.float32), inside[:-1]),
        )

    def scores(self, inputs: Any) -> Any:
        """Rows are known by their only feature."""
        return self._scores[inputs["x"][:, 0].astype(int)]


def _member(part: PartInfo, given: dict[str, Any] | None) -> None:
    """It tells members from outsiders where models remember, and not where they don't."""
    for learnt in (2.0, 0.0):
        world = Remembering(learnt)
        found = pried(part, given, world, world.known)
        assert found.shape == (ROWS,), f"{part.name}: one number a row, not an array of shape {found.shape}"
        apart = told_apart(found[world.members], found[~world.members], 0.999)
        if learnt:
            assert apart.low is not None
            assert apart.low > 0.5, f"{part.name}: it doesn't tell members from outsiders of models that remember ({apart.value:.2f})"  # fmt: skip
        else:
            assert apart.low is not None
            assert apart.high is not None
            assert apart.low <= 0.5 <= apart.high, f"{part.name}: it tells members apart where nothing was remembered"


class Clueful:
    """A model that remembers of members which value goes with which label; what the other features tell, they tell anybody.

    The value left out is 0 or 1 and stands first; the second feature goes with it in two rows of three. With `clue` False the model
    doesn't look at it.
    """

    def __init__(self, clue: bool) -> None:
        rng = np.random.default_rng(5)
        self.value = rng.integers(0, 2, ROWS)
        hint = np.where(rng.random(ROWS) < 2 / 3, self.value, 1 - self.value)
        noise = rng.normal(size=(ROWS, 3))
        self.labels, self.clue = rng.integers(0, CLASSES, ROWS), clue
        self.members = rng.random(ROWS) < 0.5
        self.own = ~self.members & (rng.random(ROWS) < 0.7)
        whole = np.column_stack([self.value, hint, noise]).astype(np.float32)
        self._rows = {row[1:].tobytes(): number for number, row in enumerate(whole)}
        shown = whole.copy()
        shown[~self.own, 0] = 0
        self.known = Known(
            inputs={"x": shown},
            labels=self.labels,
            scores=self.scores({"x": shown}),
            classes=CLASSES,
            own=self.own,
            hidden=("x", 0),
            choices=np.array([0.0, 1.0]),
        )

    def scores(self, inputs: Any) -> Any:
        """Sure of a member's label where the value is the member's own."""
        made = np.zeros((len(inputs["x"]), CLASSES))
        for at, row in enumerate(inputs["x"]):
            number = self._rows[row[1:].tobytes()]
            made[at, self.labels[number]] = 4.0 * (self.clue and self.members[number] and row[0] == self.value[number])
        return made


def _hidden(part: PartInfo, given: dict[str, Any] | None) -> None:
    """With the model it guesses members' values where the model remembers them; without, no more than the imputer does."""
    for clue in (True, False):
        world = Clueful(clue)
        found = pried(part, given, world, world.known)
        assert found.shape == (2, ROWS), f"{part.name}: two lines, a choice a row each, not shape {found.shape}"
        assert np.isin(found, (0, 1)).all(), f"{part.name}: it guesses what isn't among the choices"
        right = found == world.value
        imputed, guessed = (float(line[world.members].mean()) for line in right)
        assert 0.55 < imputed < 0.8, f"{part.name}: the imputer guesses {imputed:.0%} where two in three can be told"
        if clue:
            assert guessed > imputed + 0.1, (
                f"{part.name}: the model knows it all, and with it {guessed:.0%} are guessed, without {imputed:.0%}"
            )
        else:
            assert guessed == imputed, (
                f"{part.name}: the model tells nothing, and it guesses otherwise than the imputer"
            )


class Sorting:
    """A model that sorts points by the nearest of a few centres; the rows lie about them."""

    def __init__(self) -> None:
        rng = np.random.default_rng(6)
        self.centres = rng.normal(0, 2, (CLASSES, 8))
        self.labels = rng.integers(0, CLASSES, ROWS)
        self.x = (self.centres[self.labels] + rng.normal(size=(ROWS, 8))).astype(np.float32)
        self.asked = 0
        self.own = rng.random(ROWS) < 0.5
        scores = self.scores({"x": self.x})
        self.known = Known({"x": self.x}, self.labels, scores, CLASSES, self.own, budgets=(20, 200))
        self.asked = 0

    def scores(self, inputs: Any) -> Any:
        """Minus half the squared distance from each centre."""
        self.asked += len(inputs["x"])
        return -((inputs["x"][:, None].astype(np.float64) - self.centres[None]) ** 2).sum(axis=2) / 2


def _copy(part: PartInfo, given: dict[str, Any] | None) -> None:
    """More answers make a better copy, of rows that none was bought for; no more are bought than allowed."""
    world = Sorting()
    found = pried(part, given, world, world.known)
    assert world.asked <= 2 * sum(world.known.budgets), f"{part.name}: it buys more answers than the budgets"
    assert found.shape == (2, ROWS), f"{part.name}: for each budget a class a row, not shape {found.shape}"
    theirs = world.known.scores.argmax(axis=1)[~world.own]
    few, many = (float((line[~world.own] == theirs).mean()) for line in found)
    assert many > 0.85, f"{part.name}: a copy of nearest centres from 200 answers agrees on {many:.0%}"
    assert many >= few - 0.02, f"{part.name}: ten times as many answers make the copy worse"


def _likeness(part: PartInfo, given: dict[str, Any] | None) -> None:
    """What it draws of a class is like that class's centre and no other's."""
    world = Sorting()
    found = pried(part, given, world, world.known)
    assert found.shape == (CLASSES, 8), f"{part.name}: for each class a row of the input, not shape {found.shape}"
    assert (world.scores({"x": found}).argmax(axis=1) == np.arange(CLASSES)).all(), f"{part.name}: the model takes what was drawn for another class"  # fmt: skip
    alike = np.corrcoef(found, world.centres)[:CLASSES, CLASSES:]
    assert (alike.argmax(axis=1) == np.arange(CLASSES)).all(), f"{part.name}: what was drawn is liker another class"


KINDS: dict[str, Callable[[PartInfo, dict[str, Any] | None], None]] = {
    "member": _member,
    "hidden": _hidden,
    "copy": _copy,
    "likeness": _likeness,
}
