"""A way to train under way: the live handle of what its findings record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seatrial.contracts.finding import Finding
from seatrial.contracts.training import Way
from seatrial.flow.gang import Gang

Body = Mapping[str, Any]
"""What is kept of a round or of a whole training."""


@dataclass(eq=False)
class Trained:
    """One way to train: its keys, its workers while it has any, its rounds, whole trainings by seed, and what went wrong."""

    way: Way
    label: str = ""
    key: str = ""
    through_key: str = ""
    memory: int = 0
    gang: Gang | None = None
    begun: dict[str, Any] | None = None
    rounds: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    lost: dict[str, Finding] = field(default_factory=dict)
    failure: Finding | None = None

    def alone(self, ways: Sequence[Trained]) -> Trained | None:
        """The same way with one worker, where this one has more."""
        return self._like(ways, workers=1) if self.way.workers > 1 else None

    def other_batch(self, ways: Sequence[Trained], reference: Trained) -> Trained | None:
        """The way that differs from this one in its batch alone: the reference if that does, else the first that is listed."""
        same = [one for one in ways if one.way.model_copy(update={"batch": self.way.batch}) == self.way]
        first = reference if reference in same else same[0]
        return None if first is self else first

    def _like(self, ways: Sequence[Trained], **change: Any) -> Trained | None:
        wanted = self.way.model_copy(update=change)
        return next((one for one in ways if one.way == wanted), None)
