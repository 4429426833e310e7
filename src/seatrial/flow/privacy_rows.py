"""Which rows are asked about, the same for every candidate of a model: members, which it learnt from, and outsiders, mixed by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.record import digest
from seatrial.contracts.study import Study, classes_of
from seatrial.flow import arrays
from seatrial.flow.changed import drawn, kept_rows
from seatrial.flow.rows import ModelRows, Rows


@dataclass(frozen=True)
class Exposure:
    """Rows and labels in an order that tells nothing; which of them are members; which of them each shadow learns from.

    `rest` counts members that weren't drawn. `why` says why there is nothing to ask, and then there is nothing else.
    """

    inputs: Mapping[str, ArrayRef]
    labels: NDArray[np.int64]
    members: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    classes: int
    rest: int = 0
    why: str = ""

    def key(self, *more: Any) -> str:
        """What results rest on, beside the candidate."""
        known = {name: ref.hash for name, ref in self.inputs.items()}
        masks = [np.packbits(one).tobytes().hex() for one in (self.members, self.inside)]
        return digest([known, self.labels.tolist(), masks, *more])


def nothing(why: str) -> Exposure:
    """No rows, and why."""
    return Exposure({}, np.zeros(0, np.int64), np.zeros(0, bool), np.zeros((0, 0), bool), 0, why=why)


def exposure(study: Study, model_name: str, data: ModelRows, cache: Path) -> Exposure:
    """Rows of both kinds that are asked about, or why there are none."""
    asked, model = study.measure.privacy, study.models[model_name]
    assert asked is not None
    if not data.evaluation.inputs:
        return nothing("its outputs were made elsewhere, so nobody can ask it anything")
    if data.train is None:
        return nothing("no rows have the role `train`: it must be known which the model learnt from")
    sides = [data.train, data.evaluation]
    if any(one.labels is None or one.labels.ndim != 1 or one.labels.dtype.kind not in "iu" for one in sides):
        return nothing("it is told by the label's probability, and there is no one class a row")
    seed = study.measure.seed
    picks = [drawn(one.n, most, seed + at) for at, (one, most) in enumerate(zip(sides, (asked.members, asked.outsiders), strict=True))]  # fmt: skip
    if (len(picks[0]) + len(picks[1])) % 2:
        picks[1] = picks[1][:-1]
    order = np.random.default_rng([seed, 8]).permutation(len(picks[0]) + len(picks[1]))
    labels = np.concatenate([np.asarray(_labels(one)[rows], np.int64) for one, rows in zip(sides, picks, strict=True)])
    members = np.repeat([True, False], [len(picks[0]), len(picks[1])])
    inputs = {name: _mixed([one.inputs[name] for one in sides], picks, order, cache) for name in data.evaluation.inputs}
    classes = len(classes_of(model.outputs)) or int(labels.max()) + 1
    inside = halves(asked.shadows, len(order), seed)
    return Exposure(inputs, labels[order], members[order], inside, classes, data.train.n - len(picks[0]))


def halves(shadows: int, rows: int, seed: int) -> NDArray[np.bool_]:
    """Which rows each shadow learns from (shadows x rows): half of them, and every row is in half of the shadows.

    Shadows come in pairs that part the rows between them: what one learns from, the other doesn't.
    """
    rng = np.random.default_rng([seed, rows, shadows])
    made = np.zeros((shadows, rows), bool)
    for pair in range(0, shadows, 2):
        made[pair, rng.permutation(rows)[: rows // 2]] = True
        made[pair + 1] = ~made[pair]
    return made


def _labels(rows: Rows) -> arrays.Column:
    assert rows.labels is not None
    return rows.labels


def _mixed(refs: list[ArrayRef], picks: list[NDArray[np.int64]], order: NDArray[np.int64], cache: Path) -> ArrayRef:
    whole = [arrays.load(kept_rows(ref, rows, cache)) for ref, rows in zip(refs, picks, strict=True)]
    return arrays.save(cache, np.concatenate(whole)[order])
