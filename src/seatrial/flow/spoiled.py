"""Inside the worker: some of the rows of a training are poisoned before the trainer gets them, and rows that judge get the trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.contracts.poisoning import Poisoned
from seatrial.contracts.training import Job
from seatrial.contracts.values import Values
from seatrial.errors import ModelError
from seatrial.flow import arrays

Array = NDArray[Any]


def spoiled(job: Job, order: Order) -> Job:
    """The job as whoever poisons leaves it: `share` of its rows changed, drawn by the seed. Raises `Unsupported`, `ModelError`."""
    asked = arrays.unpack(order.settings["poison"])
    info = catalog.find("poisoning", asked["name"], Path(order.base))
    part, options = catalog.load(info), catalog.options(info, asked["options"])
    if job.labels is None or job.judge_labels is None:
        raise ModelError("there are no labels to poison, or none to judge by")
    pictures = _Pictures(asked.get("reach"))
    labels = np.array(job.labels, np.int64)
    chance = np.random.default_rng([order.seed, 11])
    drawn = _drawn(part.fits(labels, options), asked["share"], chance)
    inputs = dict(job.inputs)
    if len(drawn):
        rows = pictures.rows(job.inputs, drawn, labels[drawn], asked["classes"])
        made = part.poisoned(rows, chance, options)
        labels[drawn] = made.labels
        inputs = pictures.put(job.inputs, drawn, made.points, rows.points)
    aside = _aside(part, job, pictures, asked["classes"], options)
    return replace(job, inputs=inputs, labels=labels, **aside)


def _drawn(fitting: Array, share: float, chance: np.random.Generator) -> Array:
    """Rows by chance: a share of all rows. Raises `ModelError` where fewer than that fit."""
    count, able = round(share * len(fitting)), np.flatnonzero(fitting)
    if count > len(able):
        raise ModelError(f"of {len(fitting)} rows only {len(able)} can be poisoned in this way, not {count}")
    return np.sort(chance.choice(able, count, replace=False))


def _aside(part: Any, job: Job, pictures: _Pictures, classes: int, options: Any) -> dict[str, Any]:
    everything = np.arange(len(np.asarray(job.judge_labels)))
    rows = pictures.rows(job.judge_inputs, everything, np.asarray(job.judge_labels, np.int64), classes)
    made = part.shown(rows, options)
    if made is None:
        return {}
    name, other = pictures.name, part.fits(rows.labels, options)
    return {
        "aside_inputs": {name: pictures.valued(made.points).astype(job.judge_inputs[name].dtype)}
        | {key: value[other] for key, value in job.judge_inputs.items() if key != name},
        "aside_labels": made.labels,
    }


class _Pictures:
    """Between inputs and points, where the model takes pictures; without a reach there are no points."""

    def __init__(self, reach: Mapping[str, Any] | None) -> None:
        self.name = next(iter(reach["low"])) if reach else ""
        self._axes = reach["axes"] if reach else ""
        if reach:
            self._low, self._span = (np.asarray(reach[field][self.name], np.float64) for field in ("low", "span"))

    def rows(self, inputs: Values, chosen: Array, labels: Array, classes: int) -> Poisoned:
        """These rows as points."""
        if not self._axes:
            return Poisoned(None, labels, classes)
        wide = np.where(self._span > 0, self._span, 1.0)
        points = ((np.asarray(inputs[self.name])[chosen] - self._low) / wide).astype(np.float32)
        return Poisoned(points, labels, classes, self._axes)

    def valued(self, points: Array | None) -> Array:
        """Points as what the model takes."""
        assert points is not None
        return np.asarray(self._low + points.astype(np.float64) * self._span)

    def put(self, inputs: Values, chosen: Array, points: Array | None, before: Array | None) -> dict[str, Array]:
        """The inputs with these rows changed; what a poison left alone keeps the very numbers that it had."""
        made = dict(inputs)
        if points is not None and before is not None and not np.array_equal(points, before):
            whole = np.array(inputs[self.name])
            whole[chosen] = np.where(points != before, self.valued(points), whole[chosen]).astype(whole.dtype)
            made[self.name] = whole
        return made
