"""From a fresh process to the first answer: importing the runtime, loading the model, the first answer (compilation included)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round

ACCEPTS = {"load": ("",)}
GIVES = {"finding": ("cold_start", "cold_start.import", "cold_start.load", "cold_start.first_answer")}
CANNOT = {
    "cold disk": (
        "never",
        "files are in the system's cache after they were hashed; a start from a cold disk takes longer",
    )
}

STAGES = ("import", "load", "first_answer")


class Options(PartOptions):
    """There is nothing to set."""


def read(probe: Probe) -> Reading:
    """Seconds of each stage of the opening of this session."""
    return {stage: probe.opening[stage] for stage in STAGES}


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Mean seconds over the times that this candidate was opened, in all and by stage."""
    openings = {tuple(one.reading[stage] for stage in STAGES) for one in rounds}
    n = len(openings)
    means = [sum(column) / n for column in zip(*openings, strict=True)]
    for name, seconds in [
        ("cold_start", sum(means)),
        *((f"cold_start.{s}", m) for s, m in zip(STAGES, means, strict=True)),
    ]:
        yield Finding(
            what=name, value=seconds, unit="s", better="lower", n=n, unit_of_replication="starts",
            method=f"mean of {n} start{'s' * (n > 1)}, files in the system's cache",
        )  # fmt: skip
