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


KINDS: dict[str, Callable[[PartInfo, dict[str, Any] | None], None]] = {"member": _member}
