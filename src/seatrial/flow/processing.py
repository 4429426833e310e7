"""In the worker: rows made ready for the model and answers read, within the timed call, where the study says `processing: inside`.

Queries are then rows as they are stored. Each is brought into the model's shape, layout, scale and type, answered, and the answer is read as
the task reads it (scores of classes become probabilities, boxes are cut out): the same code that otherwise runs before and after. Reading files and
decoding pictures stand outside in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Session
from seatrial.contracts.study import Input, Model
from seatrial.contracts.values import Values
from seatrial.flow.answering import stated

SAID = "rows made ready and answers read within the clock"


def asked(model: Model) -> dict[str, Any]:
    """What a worker needs to know of a model to do it: settings of an order, packed for JSON."""
    return {
        "inputs": {name: one.model_dump(mode="json") for name, one in model.inputs.items()},
        "outputs": {name: one.model_dump(mode="json") for name, one in model.outputs.items()},
        "task": model.task.name,
    }


def within(session: Session, order: Order) -> Any:
    """What a load drives: the session, or where the order says so the session with what stands before and after it."""
    return Processed(session, order) if "inputs" in order.settings else session


class Processed:
    """Answers stored rows: what a load and its checks see of a session."""

    def __init__(self, session: Session, order: Order) -> None:
        from seatrial.flow import _inputs

        self._session, self._ready = session, _inputs.ready
        self._inputs = {name: Input.model_validate(one) for name, one in order.settings["inputs"].items()}
        self._task = catalog.load(catalog.find("tasks", order.settings["task"], Path(order.base)))
        self._outputs = stated(order)

    def predict(self, values: Values) -> Mapping[str, Any]:
        """The task's reading of the answers to these rows."""
        ready = {name: self._ready(self._inputs[name], rows, name) for name, rows in values.items()}
        answers: Mapping[str, Any] = self._task.answers(self._session.predict(ready), self._outputs)
        return answers
