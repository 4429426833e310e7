"""What is attacked and how, the same for every candidate of a model: rows, reach, and attacks at each budget, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.attack import Norm
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.record import digest
from seatrial.contracts.study import Study
from seatrial.errors import Unsupported
from seatrial.flow import arrays
from seatrial.flow.changed import drawn, kept_rows
from seatrial.flow.reach import reach

LOOK = "look"


@dataclass(frozen=True)
class Step:
    """One attack by one norm at one budget; without a budget it looks for the smallest change. `lends` is whose gradient it asks for."""

    ref: PartRef
    norm: Norm
    budget: float | None
    version: int
    lends: str
    sees: str

    @property
    def name(self) -> str:
        """What reports call the attack."""
        return str(self.ref)

    @property
    def label(self) -> str:
        """In words, for whoever watches."""
        return f"{self.name}, {self.norm}" + ("" if self.budget is None else f" {self.budget:g}")


@dataclass(frozen=True)
class Siege:
    """What every candidate of a model is put through. `why` says why it can't be, and then there is nothing else."""

    rows: NDArray[np.int64]
    values: Mapping[str, ArrayRef]
    labels: NDArray[np.int64]
    reach: Mapping[str, Any]
    steps: tuple[Step, ...]
    budgets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    why: str = ""

    def key(self, *more: Any) -> str:
        """What results rest on, beside the candidate."""
        return digest([{name: ref.hash for name, ref in self.values.items()}, self.reach, self.labels.tolist(), *more])


def siege(
    study: Study, folder: Path, model_name: str, inputs: Mapping[str, ArrayRef], labels: Any, cache: Path
) -> Siege | None:
    """The siege that the study asks for; None where it asks for none. Raises `DataError` for columns that don't fit."""
    asked, model = study.measure.security, study.models[model_name]
    if asked is None:
        return None
    rows = drawn(next(iter(inputs.values())).shape[0], asked.rows, study.measure.seed) if inputs else np.arange(0)
    nothing = Siege(rows, {}, np.zeros(0, np.int64), {}, ())
    try:
        if not inputs:
            raise Unsupported("its outputs were made elsewhere, so nobody can ask it anything")
        if labels is None or np.ndim(labels) != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise Unsupported("attacks are told as right and wrong classes, and there is no one class a row")
        found = reach(study, folder, model, inputs)
    except Unsupported as error:
        return Siege(nothing.rows, {}, nothing.labels, {}, (), why=error.what)
    values = {name: kept_rows(ref, rows, cache) for name, ref in inputs.items()}
    steps, left_out = _steps(study, folder)
    budgets = {norm: tuple(sorted(given)) for norm, given in (("linf", asked.linf), ("l2", asked.l2))}
    return Siege(rows, values, np.asarray(labels[rows], np.int64), arrays.pack(found, cache), steps, budgets, left_out)


def _steps(study: Study, folder: Path) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Every attack that this attacker could do at each budget, small ones first; and the names of those that they couldn't."""
    asked = study.measure.security
    assert asked is not None
    made: list[Step] = []
    left_out = []
    for ref in asked.attacks:
        info = catalog.find("attacks", ref.name, folder)
        catalog.require(info)
        catalog.options(info, ref.options)
        if not info.takes("knows", asked.threat.knows):
            left_out.append(str(ref))
            continue
        norms: dict[Norm, tuple[float, ...]] = {"linf": asked.linf, "l2": asked.l2}
        for norm, budgets in norms.items():
            if budgets and info.takes("norm", norm):
                made += [_step(ref, info, norm, budget) for budget in _tries(info, budgets)]
    return tuple(made), tuple(left_out)


def _tries(info: PartInfo, budgets: tuple[float, ...]) -> list[float | None]:
    return [None] if "smallest" in info.gives.get("budget", ()) else [*sorted(budgets)]


def _step(ref: PartRef, info: PartInfo, norm: Norm, budget: float | None) -> Step:
    lends = next(iter(info.gives.get("gradient", ())), "")
    sees = next(iter(info.accepts.get("knows", ())), "weights")
    return Step(ref, norm, budget, info.version, lends, sees)
