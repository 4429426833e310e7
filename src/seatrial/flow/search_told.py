"""What a search tells of itself when it is over: how many it left out, of how many, and what it could not go by."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.contracts.finding import Finding, State
from seatrial.contracts.part import PartInfo
from seatrial.flow.trial import Trial, now


def is_left_out(one: Trial) -> bool:
    """Whether a search left it out; who crashed or was refused wasn't."""
    return one.failure is not None and one.failure.state is State.LEFT_OUT


def disturbed(trials: Sequence[Trial]) -> list[bool]:
    """Of each of their short blocks, whether it was disturbed."""
    blocks = (load for one in trials for body in one.probes.values() for load in body["loads"].values())
    return [bool(load["disturbance"]["reason"]) for load in blocks]


def left_out(info: PartInfo, counts: Sequence[int], racing: Sequence[Trial], notes: Sequence[str]) -> Finding:
    """How many of those that raced were left out, with what the search could not go by."""
    short = disturbed(racing)
    busy = f"the machine did other things in {sum(short)} of {len(short)} short blocks, which decided nothing"
    return Finding(
        what="search.left_out",
        value=sum(map(is_left_out, racing)),
        n=len(racing),
        unit_of_replication="candidates",
        method=f"search `{info.name}`: bounds after {', '.join(map(str, counts))} short rounds, or an assumption that is said",
        note="; ".join([*notes, *([busy] if any(short) else [])]),
        part=info.name,
        part_version=info.version,
        measured_at=now(),
    )
