"""How many processors a candidate keeps busy while it is timed, and how much of the machine other work takes.

A candidate that was given four threads and keeps one and a half busy wastes the rest. What others take is what makes figures noisy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.interval import tail
from seatrial.parts.meters._time import At

ACCEPTS = {"load": ("single_stream", "multi_stream", "server", "bursts", "trace", "offline")}
GIVES = {"finding": ("utilisation.processors", "utilisation.foreign"), "instances": ("many",)}
CANNOT = {
    "device": ("not yet ours", "how busy a GPU is isn't read: its counter averages over longer than a block lasts"),
}

_NOT_BEGUN = "nothing was read before the block"


class Options(PartOptions):
    """There is nothing to set."""


class Begun(NamedTuple):
    """Clocks before a block: wall, this process, and all processors; in seconds."""

    wall: float
    own: float
    machine: float | None


def begin(device: str, options: Options) -> Begun:
    """The clocks now."""
    return Begun(time.perf_counter(), time.process_time(), _busy())


def read(probe: Probe) -> Reading:
    """Processors' worth of time that this process and all others took; nothing where no clock was read before."""
    begun = probe.begun
    if not isinstance(begun, Begun):
        return {}
    wall = time.perf_counter() - begun.wall
    own = (time.process_time() - begun.own) / wall
    now = _busy()
    known = now is not None and begun.machine is not None
    return {"own": own, "foreign": max(0.0, (now - begun.machine) / wall - own) if known else None}  # type: ignore[operator]


def together(read: Sequence[Reading]) -> Reading:
    """Processors that all instances took; what is foreign to one is not where it is the work of another."""
    if not all(read):
        return {}
    own = sum(one["own"] for one in read)
    beside = [one["own"] + one["foreign"] for one in read if one["foreign"] is not None]
    return {"own": own, "foreign": max(0.0, max(beside) - own) if beside else None}


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Means over rounds, with t intervals."""
    at: At = {"load": load}
    for what, key in zip(GIVES["finding"], ("own", "foreign"), strict=True):
        values = [float(one.reading[key]) for one in rounds if one.reading.get(key) is not None]
        if values:
            yield _mean(what, values, at, level)
        else:
            yield missing(
                what,
                State.NOT_HERE,
                _NOT_BEGUN if not rounds[0].reading else "the system doesn't say",
                at=at,
                method="clocks before and after each block",
            )


def _mean(what: str, values: list[float], at: At, level: float) -> Finding:
    n, centre = len(values), sum(values) / len(values)
    spread = (sum((value - centre) ** 2 for value in values) / max(1, n - 1) / n) ** 0.5
    half = -student_quantile(tail(level), n - 1) * spread if n > 1 else None
    return Finding(
        what=what, at=at, value=centre, low=None if half is None else max(0.0, centre - half), high=None if half is None else centre + half,
        level=level, unit="processors", n=n, unit_of_replication="rounds",
        method="processor time over wall time of each block, mean over rounds, t interval",
    )  # fmt: skip


def _busy() -> float | None:
    """Seconds for which all processors were busy since the start; None where the system doesn't say."""
    try:
        numbers = [int(number) for number in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")
