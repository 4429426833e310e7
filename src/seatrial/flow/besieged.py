"""What is attacked and how, the same for every candidate of a model: rows, reach, and attacks at each budget, in order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.attack import NUMBERS, Norm
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.record import digest
from seatrial.contracts.study import Study
from seatrial.contracts.values import ValueKind
from seatrial.errors import Unsupported
from seatrial.flow import arrays
from seatrial.flow.changed import drawn, kept_rows
from seatrial.flow.reach import reach
from seatrial.flow.steps import Step, planned_steps

LOOK = "look"


@dataclass(frozen=True)
class Siege:
    """What every candidate of a model is put through: numbers by their `reach`, and the input `text`, where there are any.

    `blind` says that the attacker sees the class alone; `examples` how many of what fooled it are kept to be shown; `why` why nothing can be attacked, and then there is nothing else.
    """

    rows: NDArray[np.int64]
    values: Mapping[str, ArrayRef]
    labels: NDArray[np.int64]
    reach: Mapping[str, Any]
    steps: tuple[Step, ...]
    budgets: Mapping[Norm, tuple[float, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    text: str = ""
    blind: bool = False
    examples: int = 0
    why: str = ""

    def key(self, *more: Any) -> str:
        """What results rest on, beside the candidate."""
        values = {name: ref.hash for name, ref in self.values.items()}
        return digest([values, self.reach, self.text, self.blind, self.examples, self.labels.tolist(), *more])


def siege(
    study: Study, folder: Path, model_name: str, inputs: Mapping[str, ArrayRef], labels: Any, cache: Path
) -> Siege | None:
    """The siege that the study asks for; None where it asks for none. Raises `DataError` for columns that don't fit."""
    asked = study.measure.security
    if asked is None:
        return None
    rows = drawn(next(iter(inputs.values())).shape[0], asked.rows, study.measure.seed) if inputs else np.arange(0)
    nothing = Siege(rows, {}, np.zeros(0, np.int64), {}, ())
    try:
        if not inputs:
            raise Unsupported("its outputs were made elsewhere, so nobody can ask it anything")
        if labels is None or np.ndim(labels) != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise Unsupported("attacks are told as right and wrong classes, and there is no one class a row")
        found, text = _grounds(study, folder, model_name, inputs)
    except Unsupported as error:
        return Siege(nothing.rows, {}, nothing.labels, {}, (), why=error.what)
    values = {name: kept_rows(ref, rows, cache) for name, ref in inputs.items()}
    budgets = {norm: told for norm, told in asked.budgets.items() if (found if norm in NUMBERS else text)}
    steps, left_out = planned_steps(study, folder, budgets)
    own = np.asarray(labels[rows], np.int64)
    blind = asked.threat.knows == "classes"
    return Siege(rows, values, own, arrays.pack(found, cache), steps, budgets, left_out, text, blind, asked.examples)


def _grounds(study: Study, folder: Path, model_name: str, inputs: Mapping[str, ArrayRef]) -> tuple[dict[str, Any], str]:
    """What can be changed of numbers (empty: there are none), and the input that is text. Raises `Unsupported` for neither."""
    model = study.models[model_name]
    texts = [name for name, one in model.inputs.items() if one.kind is ValueKind.TEXT]
    single = [name for name in texts if math.prod(inputs[name].shape[1:]) == 1]
    text = single[0] if len(texts) == len(single) == 1 else ""
    try:
        return reach(study, folder, model, inputs), text
    except Unsupported as error:
        if text:
            return {}, text
        if texts:
            raise Unsupported(
                "it takes several texts a row, and attacks on more than one at a time are not yet ours"
            ) from error
        raise
