"""Inside the worker: one way to learn of the rows, on the open session; and the training of shadows, in a worker of its own.

What is learnt goes back in the answer itself, not through a file: nothing that speaks of single rows is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.contracts.privacy import Known, Shadows
from seatrial.contracts.protocols import Session, Setting
from seatrial.contracts.training import Job
from seatrial.contracts.values import Values
from seatrial.errors import ModelError
from seatrial.flow import arrays
from seatrial.flow.assault import answering

Array = NDArray[Any]


class Asked:
    """The deployed artefact as a part may ask it (`contracts/privacy.py`, `Deployed`); it counts the questions."""

    def __init__(self, answer: Callable[[Values], Array]) -> None:
        self._answer = answer
        self.questions = 0

    def scores(self, inputs: Values) -> Array:
        """Rows x classes. Raises `ModelError` for answers that are no numbers."""
        found = self._answer(inputs)
        self.questions += len(found)
        if np.isnan(found).any():
            raise ModelError("it answers with what is no number, of which nothing can be learnt")
        return found


def pried(order: Order, session: Session, setting: Setting) -> dict[str, Any]:
    """What the part that the order names learnt, as a list, and how many questions it asked."""
    assert order.part is not None
    answer, settings = answering(order, session, setting.batch, {}), arrays.unpack(order.settings)
    target = Asked(lambda values: answer(values, np.zeros(0, np.int64)))  # no step after the model asks whose row it is
    inputs = {name: arrays.load(ref) for name, ref in order.values.items()}
    shadows = settings.get("shadows")
    shown = _shown(inputs, settings)
    known = Known(
        inputs=shown,
        labels=np.asarray(settings["labels"]),
        scores=target.scores(shown),
        classes=settings["classes"],
        own=np.asarray(settings["own"], bool),
        shadows=Shadows(**shadows) if shadows else None,
        hidden=tuple(settings["hidden"]) if settings.get("hidden") else None,
        choices=settings.get("choices"),
        budgets=tuple(settings.get("budgets", ())),
        seed=order.seed,
    )
    target.questions = 0
    info = catalog.find("privacy", order.part.name, Path(order.base))
    learnt = np.asarray(catalog.load(info).pry(target, known, catalog.options(info, order.part.options)))
    if not np.isfinite(learnt).all():
        raise ModelError(f"{order.part.name} handed back what is no number")
    return {"learnt": learnt.tolist(), "classes": known.scores.argmax(axis=1).tolist(), "questions": target.questions}


def _shown(inputs: dict[str, Array], settings: dict[str, Any]) -> dict[str, Array]:
    """The rows as the attacker has them: a value that was left out is 0 in rows that aren't their own."""
    if not settings.get("hidden"):
        return inputs
    name, place = settings["hidden"]
    own = np.asarray(settings["own"], bool)
    shown = np.array(inputs[name])
    flat = shown.reshape(len(shown), -1)
    flat[~own, place] = 0
    return inputs | {name: shown}


def trained(order: Order) -> dict[str, Any]:
    """Shadows trained by the trainer that the order names, and their answers to all rows, in a file."""
    assert order.part is not None
    info = catalog.find("trainers", order.part.name, Path(order.base))
    catalog.require(info)
    rows = arrays.unpack(order.train)
    job = Job(
        folder=Path(order.base),
        seed=order.seed,
        epochs=order.settings["epochs"],
        batch=order.settings["batch"],
        threads=order.settings["threads"],
        inputs=rows["inputs"],
        labels=rows["labels"].astype(np.int64),
    )
    made = catalog.load(info).several(job, catalog.options(info, order.part.options), rows["inside"])
    if made.scores.ndim != 3 or not np.isfinite(made.scores).all():
        raise ModelError("shadows must answer with finite scores of each class", next_step="a smaller learning rate may do")  # fmt: skip
    scores = arrays.save(Path(order.folder), np.asarray(made.scores, np.float32))
    return {"scores": {"$array": scores.model_dump()}, "together": made.together, "why": made.why}
