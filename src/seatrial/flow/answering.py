"""Inside the worker: somebody to answer rows for a variant that tries things out (`USES = ("runtimes", "tasks")`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Session, Setting
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.flow.opening import opened

ROWS = 64
"""Rows in one query."""


def answering(order: Order, rows: Values | None) -> Callable[[Artefact], Mapping[str, Any]] | None:
    """A function that gives a model's answers to these rows in the task's terms; None where the order names no task.

    The first installed runtime that takes the format answers, on the CPU in fp32; the function raises `Unsupported` where none does.
    """
    run = running(order)
    if rows is None or run is None:
        return None
    task, outputs = catalog.load(catalog.find("tasks", order.settings["task"], Path(order.base))), stated(order)

    def answer(artefact: Artefact) -> Mapping[str, Any]:
        answers: Mapping[str, Any] = task.answers(run(artefact, rows), outputs)
        return answers

    return answer


def running(order: Order) -> Callable[[Artefact, Values], Values] | None:
    """A function that gives a model's raw answers to any rows, like `answering`; None where the order names no task."""
    if "task" not in order.settings:
        return None

    def run(artefact: Artefact, rows: Values) -> Values:
        session = _opened(artefact, Path(order.base))
        try:
            return _all(session, rows)
        finally:
            session.close()

    return run


def stated(order: Order) -> dict[str, Output]:
    """What the study says of the model's outputs."""
    return {name: Output.model_validate(one) for name, one in order.settings.get("outputs", {}).items()}


def _opened(artefact: Artefact, base: Path) -> Session:
    setting = Setting()
    for runtime in catalog.parts("runtimes").values():
        asked = {"format": artefact.format, "device": setting.device, "precision": setting.precision}
        if all(runtime.takes(aspect, value) for aspect, value in asked.items()) and not catalog.absent(runtime):
            return opened(catalog.load(runtime), artefact, setting, catalog.options(runtime), base)
    raise Unsupported(f"no installed runtime takes the format {artefact.format}", next_step="seatrial doctor")


def _all(session: Session, rows: Values) -> dict[str, Any]:
    import numpy as np

    count = len(next(iter(rows.values())))
    pieces = [
        session.predict({name: np.ascontiguousarray(value[first : first + ROWS]) for name, value in rows.items()})
        for first in range(0, count, ROWS)
    ]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
