"""How bad inputs get, and which rows: what a corruption is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Damage:
    """How bad (`severity` 1 to 5), where the rows lie (`first`: index of the first in the whole data) and what `learn` found.

    Raises `ValueError` for another severity, or a negative index.
    """

    severity: int
    seed: int = 0
    first: int = 0
    learnt: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES or self.first < 0:
            raise ValueError(f"severity is 1 to 5 and rows count from 0, not {self.severity!r} and {self.first!r}")
