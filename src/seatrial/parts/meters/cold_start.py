"""From a fresh process to the first answer: importing the runtime, loading the model, compiling it, the first answer.

What a runtime compiles before it is asked is in `load`. What it compiles, allocates and fills when it is first asked is in the first
answer; how much that is, the next answer to the same row tells: `compile` is what the first took longer. It is a part of the first answer, and not to be added
to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round

ACCEPTS = {"load": ("",)}
GIVES = {
    "finding": ("cold_start", "cold_start.import", "cold_start.load", "cold_start.first_answer", "cold_start.compile"),
    "instances": ("many",),
}
CANNOT = {
    "cold disk": (
        "never",
        "files are in the system's cache after they were hashed; a start from a cold disk takes longer",
    )
}

STAGES = ("import", "load", "first_answer")
VERSION = 2


class Options(PartOptions):
    """There is nothing to set."""


def read(probe: Probe) -> Reading:
    """Seconds of each stage of the opening of this session."""
    own = {stage: probe.opening[stage] for stage in STAGES}
    return own | {"compile": max(0.0, own["first_answer"] - probe.opening["second_answer"])}


def together(read: Sequence[Reading]) -> Reading:
    """The instance that took longest: all of them were started at once, and until then not all answer."""
    return max(read, key=lambda one: sum(one[stage] for stage in STAGES))


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Mean seconds over the times that this candidate was opened, in all and by stage."""
    stages = (*STAGES, "compile")
    openings = {tuple(one.reading[stage] for stage in stages) for one in rounds}
    n = len(openings)
    means = {stage: sum(column) / n for stage, column in zip(stages, zip(*openings, strict=True), strict=True)}
    for name, seconds in [
        ("cold_start", sum(means[stage] for stage in STAGES)),
        *((f"cold_start.{stage}", mean) for stage, mean in means.items()),
    ]:
        yield Finding(
            what=name, value=seconds, unit="s", better="lower", n=n, unit_of_replication="starts",
            method=f"mean of {n} start{'s' * (n > 1)}, files in the system's cache",
        )  # fmt: skip
