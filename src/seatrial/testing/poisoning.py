"""The exam of poison and of what looks for it. Searches: a planted backdoor stands out and works, a clean twin shows none, the same twice
is the same. Poisons: only the rows handed over change, labels stay classes, points stay in range, a trigger leads to one class.

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
from seatrial.contracts.poisoning import Lineup, Poisoned, Pull, Triggers
from seatrial.numerics.anomaly import low_anomaly, standing_out
from seatrial.numerics.quick_net import Net
from seatrial.testing import _backdoored
from seatrial.testing._backdoored import CLASSES, TARGET

LOOKED = 96
THRESHOLD = 2.0
"""The anomaly index above which a class is suspected."""
CARRIED = 0.75
"""Of unseen rows, the share that every trigger must carry to its class."""


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Try a search on a small net with a backdoor and on its clean twin, a poison on rows, with `given` options. Raises `AssertionError`."""
    way = part.gives.get("way")
    assert way in (("search",), ("poison",)), f"{part.name}: say in GIVES which way it goes: `search` or `poison`"
    if way == ("search",):
        _searches(part, given)
    else:
        _poisons(part, given)


def _searches(part: PartInfo, given: dict[str, Any] | None) -> None:
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


def _poisons(part: PartInfo, given: dict[str, Any] | None) -> None:
    module, options, name = catalog.load(part), catalog.options(part, given), part.name
    x, labels = _backdoored.pictures(200, seed=3)
    fits = np.asarray(module.fits(labels, options))
    assert fits.shape == labels.shape, f"{name}: `fits` says of each row whether it may be drawn"
    assert fits.dtype == bool, f"{name}: `fits` says yes or no"
    assert fits.any(), f"{name}: no row may be drawn for it"
    held = x[fits], labels[fits]
    made = [module.poisoned(_rows(*held), np.random.default_rng(2), options) for _ in range(2)]
    _are_rows(name, made[0], *held)
    assert np.array_equal(made[0].labels, made[1].labels), f"{name}: the same twice isn't the same"
    changed = (made[0].points != held[0]).reshape(len(held[0]), -1).any(axis=1) | (made[0].labels != held[1])
    assert changed.all(), f"{name}: it leaves rows as they are"
    shown = module.shown(_rows(x, labels), options)
    assert (shown is not None) == ("trigger" in part.gives), f"{name}: say in GIVES whether it plants a trigger"
    if shown is not None:
        _are_rows(name, shown, x[fits], labels[fits])
        assert len(set(shown.labels.tolist())) == 1, f"{name}: a trigger leads to one class"
        assert not np.isin(labels[fits], shown.labels[:1]).any(), f"{name}: it shows rows that are of that class anyhow"


def _rows(x: Any, labels: Any) -> Poisoned:
    held = x.copy(), labels.copy()
    for one in held:
        one.flags.writeable = False
    return Poisoned(*held, CLASSES, "CHW")


def _are_rows(name: str, made: Poisoned, x: Any, labels: Any) -> None:
    assert made.points is not None, f"{name}: it gives no points back"
    assert made.points.shape == x.shape, f"{name}: points have shape {made.points.shape}, not {x.shape}"
    assert made.labels.shape == labels.shape, f"{name}: a label a row"
    assert 0 <= made.labels.min() <= made.labels.max() < CLASSES, f"{name}: it gives labels that are no classes"
    assert made.points.min() >= 0, f"{name}: points below the range"
    assert made.points.max() <= 1, f"{name}: points above the range"
