"""What steps before the model share: a session that passes inputs through a step, in points (shares of each feature's range).

The gradient goes straight through: it is the model's own at what the step made of the inputs, taken as that by the inputs. So an attacker
who knows the step attacks it (backward pass differentiable approximation with the identity; Athalye, Carlini & Wagner 2018,
"Obfuscated gradients give a false sense of security"): a step without a slope of its own hides nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.artefact import Artefact, Lineage, Step
from seatrial.contracts.attack import Space
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Loss, Making, Session, Slope
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported

Array = NDArray[Any]


def stepped(name: str, version: int, artefact: Artefact, making: Making, options: PartOptions, more: Mapping[str, Any]) -> Artefact:  # fmt: skip
    """The artefact with a step before it. `more` is what the step has to know beside its options, as JSON."""
    given = options.model_dump(mode="json")
    lineage = Lineage(
        recipe=name,
        options=given,
        parent=artefact.hash,
        seed=making.seed,
        made_with={"numpy": np.__version__},
        found={"files": "as they were; the step stands before them"},
    )
    step = Step(name=name, options=given | {"version": version} | dict(more))
    return artefact.model_copy(update={"before": (step, *artefact.before), "lineage": lineage})


def spaced(name: str, making: Making) -> Space:
    """The room that budgets are counted in. Raises `Unsupported` where there is none."""
    if making.space is None:
        raise Unsupported(
            f"{name} needs the ranges of the inputs, and was given none",
            next_step="run it in a study, or hand `Making` a `space`",
        )
    return making.space


def kept(of: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by input as lists, each axis along which nothing changes as one."""
    return {name: _small(np.asarray(one, np.float64)).tolist() for name, one in of.items()}


def _small(array: Array) -> Array:
    for axis in range(array.ndim):
        first = array.take([0], axis=axis)
        if np.array_equal(np.broadcast_to(first, array.shape), array):
            array = first
    return array


class Ranges:
    """Ranges that were kept: inputs to points and back."""

    def __init__(self, low: Mapping[str, Any], span: Mapping[str, Any]) -> None:
        self._low = {name: np.asarray(one, np.float32) for name, one in low.items()}
        self._span = {name: np.asarray(one, np.float32) for name, one in span.items()}

    def changed(self, values: Values, change: Callable[[str, Array], Array]) -> dict[str, Array]:
        """The values with each input that has a range changed as points; a feature without a span stays."""
        made = {name: np.asarray(value) for name, value in values.items()}
        for name, low in self._low.items():
            span = self._span[name]
            points = (made[name] - low) / np.where(span > 0, span, 1)
            moved = low + change(name, points.astype(np.float32)) * span
            made[name] = np.where(span > 0, moved, made[name]).astype(made[name].dtype)
        return made


class Through:
    """A session with a step before it; all else is the session's own."""

    def __init__(self, session: Session, name: str, change: Callable[[Values], Values]) -> None:
        self._session, self._name, self._change = session, name, change

    def predict(self, values: Values) -> Values:
        """Answers to what the step makes of the inputs."""
        return self._session.predict(self._change(values))

    def gradient(self, values: Values, loss: Loss) -> Slope:
        """The model's gradient at what the step makes of the inputs, passed straight through the step."""
        slope: Slope = own(self._session)(self._change(values), loss)
        return slope

    def facts(self) -> Facts:
        """The session's, and that the step is there."""
        found = self._session.facts()
        return dataclasses.replace(found, details={**found.details, "before": self._name})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def own(session: Session) -> Any:
    """The session's gradient. Raises `Unsupported` where it has none."""
    found = getattr(session, "gradient", None)
    if found is None:
        raise Unsupported("the runtime has no gradient")
    return found
