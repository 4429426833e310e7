"""What a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from seatrial.contracts.plan import Plan
from seatrial.contracts.record import Record

Stage = Literal[
    "plan",
    "audit",
    "rows",
    "make",
    "forms",
    "open",
    "warm",
    "predict",
    "round",
    "attack",
    "privacy",
    "search",
    "quality",
    "decide",
    "publish",
    "note",
]


class Event(Record):
    """One step of a run: the `stage`, the candidate's label where it concerns one, `done` of `total`, and a note."""

    stage: Stage
    label: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    plan: Plan | None = None


Watch = Callable[[Event], None]


def silent(event: Event) -> None:
    """Watches nothing."""
