"""Which rows are asked about, the same for every candidate of a model: members, which it learnt from, and outsiders, mixed by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.confiding import Privacy
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.record import digest
from seatrial.contracts.study import Model, Study, classes_of
from seatrial.flow import arrays
from seatrial.flow.changed import drawn, kept_rows
from seatrial.flow.rows import ModelRows, Rows

MOST_CHOICES = 20


@dataclass(frozen=True)
class LeftOut:
    """A value that somebody wants to guess: the input and the place in its row, and what it may be. `why`: it can't be guessed."""

    input: str
    place: int
    choices: NDArray[np.float64]
    why: str = ""


@dataclass(frozen=True)
class Exposure:
    """Rows and labels in an order that tells nothing; which of them are members; which of them each shadow learns from.

    `own` are the attacker's own rows: half of the outsiders. `left_out` is where the value stands that somebody wants to guess, and what it may be.
    `numbers` are the rows' places among those of their role; `grouped` says that rows come in groups, which nothing here allows for.
    `rest` counts members that weren't drawn. `why` says why there is nothing to ask, and then there is nothing else.
    """

    inputs: Mapping[str, ArrayRef]
    labels: NDArray[np.int64]
    members: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    classes: int
    own: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    left_out: LeftOut | None = None
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    grouped: bool = False
    rest: int = 0
    why: str = ""

    def key(self, *more: Any) -> str:
        """What results rest on, beside the candidate."""
        known = {name: ref.hash for name, ref in self.inputs.items()}
        masks = [np.packbits(one).tobytes().hex() for one in (self.members, self.inside)]
        return digest([known, self.labels.tolist(), masks, *more])

    def budgets(self, asked: Privacy) -> tuple[int, ...]:
        """How many answers are bought, as far as there are rows to ask with."""
        return tuple(budget for budget in sorted(asked.budgets) if budget <= int(self.own.sum()))

    def right(self) -> NDArray[np.int64]:
        """Which of the choices the value is that was left out, of each row."""
        assert self.left_out is not None
        values = _column(self.inputs, self.left_out.input, self.left_out.place)
        return np.asarray(np.abs(values[:, None] - self.left_out.choices[None]).argmin(axis=1))

    def means(self) -> NDArray[np.float64]:
        """The mean of each class's members, flat: classes x the first input's row. The mean of all where a class has none."""
        rows = arrays.load(next(iter(self.inputs.values()))).reshape(len(self.labels), -1).astype(np.float64)
        of = [self.members & (self.labels == label) for label in range(self.classes)]
        return np.stack([rows[one if one.any() else self.members].mean(axis=0) for one in of])


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
    own = np.zeros(len(order), bool)
    own[np.flatnonzero(~members[order])[::2]] = True
    return Exposure(
        inputs,
        labels[order],
        members[order],
        halves(asked.shadows, len(order), seed),
        len(classes_of(model.outputs)) or int(labels.max()) + 1,
        own,
        _left_out(model, asked, inputs, own),
        np.concatenate(picks)[order],
        bool(data.evaluation.groups),
        data.train.n - len(picks[0]),
    )


def _left_out(model: Model, asked: Privacy, inputs: Mapping[str, ArrayRef], own: NDArray[np.bool_]) -> LeftOut | None:
    """Where the column stands that the study names, and which values the attacker's own rows have there."""
    if asked.attribute is None:
        return None
    for name, one in model.inputs.items():
        if asked.attribute in one.columns and inputs[name].shape[1:] == (len(one.columns),):
            place = one.columns.index(asked.attribute)
            choices = np.unique(_column(inputs, name, place)[own])
            why = "" if 2 <= len(choices) <= MOST_CHOICES else f"`{asked.attribute}` has {len(choices)} values; it must be 2 to {MOST_CHOICES}"  # fmt: skip
            return LeftOut(name, place, choices, why)
    return LeftOut(
        "", 0, np.zeros(0), f"`{asked.attribute}` is no column of the model's inputs that holds one number a row"
    )


def _column(inputs: Mapping[str, ArrayRef], name: str, place: int) -> NDArray[np.float64]:
    rows = arrays.load(inputs[name])
    return np.asarray(rows.reshape(len(rows), -1)[:, place], np.float64)


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
