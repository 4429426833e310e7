"""Which attacks a study asks for, each at each budget, and how long they may take: all that a plan knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.attack import NUMBERS, Norm
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.study import Model, Study
from seatrial.contracts.values import ValueKind

ANSWER_S = 0.00025
"""Of a question or a gradient, a row, on average: half of all rows fall early and ask for no more. A small network on a common core."""


@dataclass(frozen=True)
class Step:
    """One attack by one norm at one budget; without a budget it looks for the smallest change. `lends` is whose gradient it asks for.

    What a `nested` attack leaves standing within a budget it isn't tried on within a smaller one.
    """

    ref: PartRef
    norm: Norm
    budget: float | None
    version: int
    lends: str
    nested: bool = False

    @property
    def name(self) -> str:
        """What reports call the attack."""
        return str(self.ref)

    @property
    def label(self) -> str:
        """In words, for whoever watches."""
        return f"{self.name}, {self.norm}" + ("" if self.budget is None else f" {self.budget:g}")


def planned_steps(
    study: Study, folder: Path, budgets: Mapping[Norm, tuple[float, ...]]
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Every attack that this attacker could do at each budget, large ones first; and the names of those that they couldn't."""
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
        for norm, given in budgets.items():
            if given and info.takes("norm", norm):
                made += [_step(ref, info, norm, budget) for budget in _tries(info, given)]
    return tuple(made), tuple(left_out)


def _tries(info: PartInfo, budgets: tuple[float, ...]) -> list[float | None]:
    return [None] if "smallest" in info.gives.get("budget", ()) else [*sorted(budgets, reverse=True)]


def _step(ref: PartRef, info: PartInfo, norm: Norm, budget: float | None) -> Step:
    lends = next(iter(info.gives.get("gradient", ())), "")
    return Step(ref, norm, budget, info.version, lends, "nested" in info.gives)


def estimate(study: Study, folder: Path, models: Iterable[str], opening: float) -> float:
    """Seconds that attacks may take on candidates of these models (one name a candidate), each opened in `opening`."""
    asked = study.measure.security
    if asked is None:
        return 0.0
    known: dict[str, float] = {}
    total = 0.0
    for name in models:
        if name not in known:
            steps, _ = planned_steps(study, folder, budgets_of(study, study.models[name]))
            questions = sum(_questions(step.ref, folder) for step in steps)
            known[name] = opening + asked.rows * questions * ANSWER_S if steps else 0.0
        total += known[name]
    return total


def budgets_of(study: Study, model: Model) -> dict[Norm, tuple[float, ...]]:
    """The budgets that are stated for what this model takes: fractions, text or both."""
    asked = study.measure.security
    assert asked is not None
    numbers = any(one.kind is ValueKind.DENSE and one.dtype.startswith("float") for one in model.inputs.values())
    text = any(one.kind is ValueKind.TEXT for one in model.inputs.values())
    return {norm: told for norm, told in asked.budgets.items() if (numbers if norm in NUMBERS else text)}


def _questions(ref: PartRef, folder: Path) -> float:
    """At most so many questions and gradients a row, as far as an attack's options say."""
    info = catalog.find("attacks", ref.name, folder)
    options: Any = catalog.options(info, ref.options)
    if hasattr(options, "queries"):
        return float(options.queries)
    times = getattr(options, "restarts", 1) * getattr(options, "targets", 1)
    return float(getattr(options, "steps", 1) * times + 1)
