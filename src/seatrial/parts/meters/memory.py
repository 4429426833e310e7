"""Peak host memory of the candidate's own process, and by how much that grows from round to round.

The high-water mark of resident memory (VmHWM) of a fresh process that runs this candidate alone: its interpreter, runtime and
model, what loading needed included, and not what answering all evaluation rows at once took. Not `ru_maxrss`, which a child inherits from its parent. Growth is told of rounds in one and the
same process, the first step of each process left out, because memory is still being set up there: what keeps growing is a leak, or a cache
without a bound.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.numerics.distributions import student_quantile

ACCEPTS = {"load": ("",)}
GIVES = {"finding": ("memory.peak", "memory.growth"), "instances": ("many",)}
CANNOT = {
    "device memory": ("never", "memory of a GPU is what `device_memory` reads"),
    "other processes": ("not yet ours", "memory of processes that a model starts of its own isn't added"),
}
VERSION = 3

LEAST_STEPS = 2
"""Steps from round to round without which nothing is said of growth."""
LEAK = 0.005
"""Growth in a round, as a share of the peak, from which it is called a leak where it is more than chance."""


class Options(PartOptions):
    """There is nothing to set."""


def read(probe: Probe) -> Reading:
    """Bytes at the high-water mark and now, and which process that is; nothing where the system doesn't say."""
    status = Path("/proc/self/status")
    lines = [line.split() for line in status.read_text().splitlines()] if status.exists() else []
    said = {line[0]: int(line[1]) * 1024 for line in lines if line and line[0] in ("VmHWM:", "VmRSS:")}
    if len(said) < 2:
        return {}
    peak = max(said["VmHWM:"], int(probe.opening.get("peak", 0)))  # the mark is set back between the two
    return {"peak": peak, "now": said["VmRSS:"], "process": os.getpid()}


def together(read: Sequence[Reading]) -> Reading:
    """Memory of instances side by side adds up; a round in which one of them was another process begins anew."""
    if not all(read):
        return {}
    return {
        "peak": sum(one["peak"] for one in read),
        "now": sum(one["now"] for one in read),
        "process": read[0]["process"],
    }


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """The largest high-water mark of any round, and the mean growth from one round to the next."""
    known = [one.reading for one in rounds if "peak" in one.reading]
    if not known:
        return
    peak = max(one["peak"] for one in known)
    yield Finding(
        what="memory.peak", value=peak, unit="B", better="lower", n=len(known), unit_of_replication="rounds",
        method="largest VmHWM of the candidate's process, from its loading and its timed blocks",
    )  # fmt: skip
    yield _growth(list(_steps(known)), peak, level)


def _steps(known: Sequence[Reading]) -> Iterator[float]:
    """By how much memory grew in each round but the first two of a process."""
    for _, group in itertools.groupby(known, key=lambda one: one["process"]):
        held = [one["now"] for one in group]
        yield from (after - before for before, after in itertools.pairwise(held[1:]))


def _growth(steps: Sequence[float], peak: float, level: float) -> Finding:
    method = "mean growth of resident memory from round to round in one process, t interval"
    if len(steps) < LEAST_STEPS:
        why = f"{len(steps)} step{'' if len(steps) == 1 else 's'} from round to round in one process: at least {LEAST_STEPS} are needed, so measure more rounds"
        return missing("memory.growth", State.TOO_FEW, why, unit="B", better="lower", method=method)
    value = fmean(steps)
    half = student_quantile((1 + level) / 2, len(steps) - 1) * stdev(steps) / len(steps) ** 0.5
    leaks = value - half > 0 and value > LEAK * peak
    return Finding(
        what="memory.growth", value=value, low=value - half, high=value + half, level=level, unit="B", better="lower",
        n=len(steps), unit_of_replication="rounds", method=method,
        note=f"it grows by {value / 2**20:.3g} MiB with every round: a leak, or a cache without a bound" if leaks else "",
    )  # fmt: skip
