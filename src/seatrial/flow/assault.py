"""Inside the worker: one attack on the open session, a look at whether attacks mean anything against it, or a search for backdoors.

Beside the deployed artefact's session stands, where one was sent along, that of a form that has a gradient to lend.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.attack import NUMBERS, Aim
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Loss, Session, Setting
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.flow import arrays
from seatrial.flow.answering import stated
from seatrial.flow.inverted import Asked
from seatrial.flow.opening import opened
from seatrial.flow.possible import Possible, Reach
from seatrial.flow.target import Answer, Given, Ground, Watched
from seatrial.flow.wording import Wording

Array = NDArray[Any]
LENT_ROWS = 64
"""Rows in one question to a lender."""
NUDGE = 1e-4
"""The small step, of the range, along which answers should change as the gradient says."""
ALIKE = (0.5, 1.5)
"""Between which ratios of the change that came to the change that was foretold a slope is real."""
FAR, FAR_STEPS = 0.1, 20
"""Steps of the look that has no budget: two whole ranges in all."""
BESIDE = 1e-4
"""By which share of the largest score an answer may change with the rows beside it, for want of exactness."""
TRIES = 3
"""How often an attack is made, at most, on rows whose hits didn't come again."""
CERTAIN = 1 - 1e-7
"""A largest probability from which on float32 has no room for doubt."""


class Assault:
    """Attacks on one session. Lenders are opened when they are first needed, and kept."""

    def __init__(self) -> None:
        self._lenders: dict[str, Session] = {}

    def answer(self, order: Order, session: Session, setting: Setting) -> dict[str, Any]:
        """What came of the attack that the order names, or of the look where it names none."""
        settings = arrays.unpack(order.settings)
        output, means = _scores_output(stated(order))
        possible = _ground({name: arrays.load(ref) for name, ref in order.values.items()}, settings)
        answer = answering(order, session, setting.batch, settings)
        lend = self._lend(order, session, setting, output, means)
        labels = np.asarray(settings["labels"])
        if order.part is None:
            plain = answering(order, session, setting.batch, settings | {"after": ()})
            return looked(possible, (answer, plain), lend, labels, Given(settings["norm"], None, order.seed))
        part = catalog.find("attacks", order.part.name, Path(order.base))
        how = {name: bool(settings[name]) for name in ("classes_only", "nested", "fickle")}
        given = Given(
            settings["norm"], settings["budget"], order.seed, known=settings["known"], beside=setting.batch, **how
        )
        target = Watched(possible, answer, lend, labels, given)
        began = time.process_time()
        for number in range(TRIES):
            aim = replace(target.aim(), seed=order.seed + number)
            catalog.load(part).attack(target, aim, catalog.options(part, order.part.options))
            if target.verified():
                break
        came = target.settle() | {"seconds": time.process_time() - began}
        if settings["examples"]:
            came["examples"] = target.shown(settings["examples"])
        return {"came": arrays.pack(came, Path(order.folder))}

    def search(self, order: Order, session: Session, setting: Setting) -> dict[str, Any]:
        """The triggers that the search which the order names found, tried on rows that it hasn't seen."""
        assert order.part is not None
        settings = arrays.unpack(order.settings)
        values = {name: arrays.load(ref) for name, ref in order.values.items()}
        possible = Possible(values, Reach(**settings["reach"]), "linf", None)
        lend = self._lend(order, session, setting, *_scores_output(stated(order)))
        asked = Asked(possible, answering(order, session, setting.batch, {}), lend, np.asarray(settings["labels"]))
        part = catalog.find("poisoning", order.part.name, Path(order.base))
        began = time.process_time()
        found = catalog.load(part).triggers(asked, asked.lineup(order.seed), catalog.options(part, order.part.options))
        came = asked.tried(found) | {"seconds": time.process_time() - began}
        return {"came": arrays.pack(came, Path(order.folder))}

    def close(self) -> None:
        """Let the lenders go."""
        for one in self._lenders.values():
            one.close()
        self._lenders.clear()

    def _lend(self, order: Order, session: Session, setting: Setting, output: str, means: str) -> Any:
        """A function that lends gradients; None where the order names nobody who could."""
        lender = order.settings.get("lender")
        if lender is None:
            return None
        from_ = session if lender == "own" else self._opened(lender, order, setting)

        def lend(values: Values, kind: str, labels: Array) -> tuple[dict[str, Array], Array]:
            pieces = []
            for first in range(0, len(labels), LENT_ROWS):
                part = {name: value[first : first + LENT_ROWS] for name, value in values.items()}
                loss = Loss(output, kind, labels[first : first + LENT_ROWS], means=means)  # type: ignore[arg-type]
                pieces.append(from_.gradient(part, loss))  # type: ignore[attr-defined]
            gradient = {
                name: np.nan_to_num(np.concatenate([one.gradient[name] for one in pieces]))
                for name in pieces[0].gradient
            }
            return gradient, np.concatenate([one.loss for one in pieces])

        return lend

    def _opened(self, lender: Mapping[str, Any], order: Order, setting: Setting) -> Session:
        artefact, ref = Artefact.model_validate(lender["artefact"]), PartRef.model_validate(lender["runtime"])
        if artefact.hash not in self._lenders:
            info = catalog.find("runtimes", ref.name, Path(order.base))
            catalog.require(info)
            part = catalog.load(info)
            part.import_framework()
            chosen = Setting(threads=setting.threads, batch=LENT_ROWS)
            given = catalog.options(info, ref.options)
            self._lenders[artefact.hash] = opened(part, artefact, chosen, given, Path(order.base))
        return self._lenders[artefact.hash]


def _ground(values: Values, settings: Mapping[str, Any]) -> Ground:
    if settings["norm"] in NUMBERS:
        return Possible(values, Reach(**settings["reach"]), settings["norm"], settings["budget"])
    return Wording(values, settings["text"], settings["norm"])


def answering(order: Order, session: Session, batch: int, settings: Mapping[str, Any]) -> Answer:
    """The deployed artefact's scores of inputs, asked in its own batches, after the steps that change its answers (`after`).

    No more questions a second (`per_second`) than allowed.
    """
    task, outputs = catalog.load(catalog.find("tasks", order.settings["task"], Path(order.base))), stated(order)
    name, means = _scores_output(outputs)
    steps = [_Step(one, Path(order.base)) for one in settings.get("after", ())]
    per_second, next_at = settings.get("per_second"), [0.0]

    def asked(values: dict[str, Array]) -> Any:
        if per_second:
            time.sleep(max(0.0, next_at[0] - time.monotonic()))
            next_at[0] = time.monotonic() + 1 / per_second
        return session.predict(values)

    def answer(values: Values, rows: Array) -> Array:
        count = len(next(iter(values.values())))
        pieces = [
            np.asarray(asked({one: np.ascontiguousarray(of[at : at + batch]) for one, of in values.items()})[name])
            for at in range(0, count, batch)
        ]
        raw = np.concatenate(pieces)
        known = np.isfinite(raw.reshape(count, -1)).all(axis=1)
        if not known.any():
            return np.full((count, max(2, raw.reshape(count, -1).shape[1])), np.nan)
        answers = task.answers({name: raw[known]}, outputs)
        logs = means == "probabilities"
        for step in steps:
            answers = step.applied(answers, np.asarray(rows)[known])
            logs = answers["scores"] is answers.get("probabilities")
        scores = np.asarray(answers["scores"], np.float64)
        made = np.full((count, scores.shape[1]), np.nan)
        made[known] = np.log(np.maximum(scores, 1e-300)) if logs else scores
        return made

    return answer


class _Step:
    """A step after the model, as it was fitted, and the attacked rows' values of the columns that it goes by."""

    def __init__(self, told: Mapping[str, Any], base: Path) -> None:
        self._part = catalog.load(catalog.find("variants", told["name"], base))
        self._options, self._columns = told["options"], told["columns"]

    def applied(self, answers: Mapping[str, Any], rows: Array) -> dict[str, Any]:
        """The answers as whoever asks gets them."""
        columns = {name: np.asarray(column)[rows] for name, column in self._columns.items()}
        made: dict[str, Any] = self._part.apply(self._options, answers, columns)
        return made


def looked(possible: Ground, answers: tuple[Answer, Answer], lend: Any, labels: Array, given: Given) -> dict[str, Any]:
    """Signs that an attack would find nothing although something is there, on the rows that are right when clean.

    `answers` are those that are attacked, and those before the steps that change them, which slopes are held against.
    """
    answer, plain = answers
    target = Watched(possible, answer, lend, labels, Given(given.norm, None, given.seed))
    aim, everything = target.aim(), np.arange(possible.rows)
    landed = possible.land(aim.points, everything)
    clean = possible.inputs(landed, everything)
    one, other = answer(clean, everything), answer(clean, everything)
    order = np.random.default_rng(given.seed).permutation(everything)
    mixed = np.empty_like(one)
    for half in (order[::2], order[1::2]):
        if len(half):
            mixed[half] = answer(possible.inputs(landed[half], half), half)
    scale = max(1.0, float(np.nanmax(np.abs(one))))
    seen: dict[str, Any] = {
        "rows": int(target.right.sum()),
        "all_rows": possible.rows,
        "random": float(np.mean(np.nanmax(np.abs(one - other), axis=1, initial=0.0) > 1e-6 * scale)),
        "beside": float(np.mean(np.nanmax(np.abs(one - mixed), axis=1, initial=0.0) > BESIDE * scale)),
        "certain": float(np.mean(_largest(one) >= CERTAIN)),
        "lent": lend is not None,
    }
    rows = np.flatnonzero(target.right)
    if lend is None or not len(rows):
        return {"seen": seen}
    try:
        seen |= _felt(target, aim, possible, plain, lend, rows)
    except Unsupported as error:
        return {"seen": seen | {"lent": False, "why": error.what}}
    return {"seen": seen}


def _felt(target: Watched, aim: Aim, possible: Ground, answer: Any, lend: Any, rows: Array) -> dict[str, Any]:
    """What becomes of a small step along the lent gradient, and of as many large ones as it takes."""
    points, labels = aim.points[rows], aim.labels[rows]
    felt = target.slope(points, rows, "margin", labels)
    way = np.sign(felt.gradient)
    foretold = NUDGE * np.abs(felt.gradient.reshape(len(rows), -1).astype(np.float64)).sum(axis=1)
    came = (_margin(_at(points + NUDGE * way, possible, answer, rows), labels) - _margin(_at(points - NUDGE * way, possible, answer, rows), labels)) / 2  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = came / foretold
    real = (ratio >= ALIKE[0]) & (ratio <= ALIKE[1])
    for _ in range(FAR_STEPS):
        points = np.clip(points + FAR * np.sign(target.slope(points, rows, "margin", labels).gradient), 0, 1)
    target.scores(points, rows)
    landed = possible.land(aim.points[rows], rows)
    plain, _ = lend(possible.inputs(landed, rows), "cross_entropy", labels)
    steep = np.abs(possible.slope(plain, landed)).reshape(len(rows), -1).max(axis=1)
    return {
        "flat": float(np.mean(~real)),
        "zero": float(np.mean(steep <= 1e-12)),
        "unbroken": float(np.mean(target.smallest[rows] == np.inf)),
    }


def _at(points: Array, possible: Ground, answer: Any, rows: Array) -> Array:
    return np.asarray(answer(possible.inputs(possible.land(points, rows), rows), rows))


def _margin(scores: Array, labels: Array) -> Array:
    """The largest other score less the label's."""
    other = np.array(scores)
    own = other[np.arange(len(other)), labels]
    other[np.arange(len(other)), labels] = -np.inf
    return np.asarray(other.max(axis=1) - own)


def _largest(scores: Array) -> Array:
    """The largest softmax probability of each row."""
    powers = np.exp(scores - np.nanmax(scores, axis=1, keepdims=True))
    return np.asarray(1 / powers.sum(axis=1))


def _scores_output(outputs: Mapping[str, Output]) -> tuple[str, str]:
    """The output that classes are chosen by, and whether it means logits or probabilities."""
    for name, output in outputs.items():
        if output.means in ("logits", "probabilities", "scores"):
            return name, "probabilities" if output.means == "probabilities" else "logits"
    raise ModelError("no output is stated as logits, probabilities or scores")
