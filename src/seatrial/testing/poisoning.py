"""The exam of what looks for backdoors: a planted one stands out and works, a clean twin shows none, the same twice is the same.

from seatrial import catalog
from seatrial.testing.poisoning import exam

exam(catalog.find("poisoning", "./my_search.py"))
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.poisoning import Lineup, Pull, Triggers
from seatrial.numerics.anomaly import low_anomaly, standing_out
from seatrial.testing import _backdoored
from seatrial.testing._backdoored import CLASSES, TARGET, Net

LOOKED = 96
THRESHOLD = 2.0
"""The anomaly index above which a class is suspected."""
CARRIED = 0.75
"""Of unseen rows, the share that every trigger must carry to its class."""


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Try it on a small net with a backdoor and on its clean twin, with `given` options. Raises `AssertionError`."""
    assert part.gives.get("way") == ("search",), f"{part.name}: say in GIVES which way it goes: `search`"
    loud, quiet = found(part, net(True), given), found(part, net(False), given)
    again = found(part, net(True), given)
    same = np.array_equal(loud.masks, again.masks) and np.array_equal(loud.patterns, again.patterns)
    assert same, f"{part.name}: the same twice isn't the same"
    for one, model in ((loud, net(True)), (quiet, net(False))):
        _are_triggers(part, one)
        least = min(carried(model, one))
        assert least >= CARRIED, f"{part.name}: a trigger that it found carries only {least:.0%} of unseen rows over"
    index = low_anomaly(sizes(loud))
    assert sizes(loud).argmin() == TARGET, f"{part.name}: the planted class doesn't have the smallest trigger"
    assert standing_out(sizes(loud), THRESHOLD)[TARGET], f"{part.name}: the planted class doesn't stand out: index {index[TARGET]:.2f}"  # fmt: skip
    assert not standing_out(sizes(quiet), THRESHOLD).any(), f"{part.name}: a class of a clean net stands out"


def found(part: PartInfo, model: Net, given: dict[str, Any] | None = None) -> Triggers:
    """What it finds in a net."""
    x, labels = _backdoored.pictures(LOOKED, seed=5)
    suspect = _Watch(part, model, len(x))
    return catalog.load(part).triggers(suspect, Lineup(x, labels, CLASSES, "CHW", 1), catalog.options(part, given))


@cache
def net(backdoor: bool) -> Net:
    """The net of the exam, trained once."""
    return _backdoored.trained(backdoor)


def sizes(triggers: Triggers) -> Any:
    """The share of the picture that each mask covers."""
    return triggers.masks.reshape(len(triggers.masks), -1).mean(axis=1)


def carried(model: Net, triggers: Triggers) -> list[float]:
    """By class: of unseen rows of other answers, the share that the trigger carries over."""
    x, _ = _backdoored.pictures(_backdoored.TRIED, seed=6)
    before, shares = model.scores(x).argmax(axis=1), []
    for wanted in range(CLASSES):
        mask, pattern = triggers.masks[wanted], triggers.patterns[wanted]
        after = model.scores((1 - mask) * x[before != wanted] + mask * pattern).argmax(axis=1)
        shares.append(float(np.mean(after == wanted)))
    return shares


class _Watch:
    """Answers what may be asked, and holds the search to it."""

    def __init__(self, part: PartInfo, model: Net, rows: int) -> None:
        self._part, self._model, self._rows = part, model, rows

    def pull(self, points: Any, rows: Any, wanted: Any) -> Pull:
        """Checked, then asked."""
        name = self._part.name
        assert len(points) == len(rows) == len(wanted), f"{name}: as many points as rows and wanted classes"
        assert np.isfinite(points).all(), f"{name}: it asks at points that are no numbers"
        assert points.min() >= -1e-6, f"{name}: it asks below the range"
        assert points.max() <= 1 + 1e-6, f"{name}: it asks above the range"
        assert 0 <= rows.min() <= rows.max() < self._rows, f"{name}: it asks for rows that there aren't"
        assert 0 <= wanted.min() <= wanted.max() < CLASSES, f"{name}: it asks for classes that there aren't"
        gradient, loss = self._model.slope(points, wanted)
        return Pull(gradient.astype(np.float32), loss)


def _are_triggers(part: PartInfo, triggers: Triggers) -> None:
    shape = (CLASSES, 1, _backdoored.SIDE, _backdoored.SIDE)
    for name, one in (("masks", triggers.masks), ("patterns", triggers.patterns)):
        assert one.shape == shape, f"{part.name}: {name} have shape {one.shape}, not {shape}"
        assert one.min() >= 0, f"{part.name}: {name} below 0"
        assert one.max() <= 1, f"{part.name}: {name} above 1"
