"""Peak host memory of the candidate's own process.

The high-water mark of resident memory (VmHWM) of a fresh process that runs this candidate alone: its interpreter, runtime and
model, what loading needed included. Not `ru_maxrss`, which a child inherits from its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round

ACCEPTS = {"load": ("",)}
GIVES = {"finding": ("memory.peak",)}
CANNOT = {"device memory": ("not yet ours", "peak memory of a GPU is not read yet; host memory is")}


class Options(PartOptions):
    """There is nothing to set."""


def read(probe: Probe) -> Reading:
    """Bytes at the high-water mark, or nothing where the system doesn't say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    marks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return {"peak": marks[0]} if marks else {}


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """The largest high-water mark of any round."""
    peaks = [one.reading["peak"] for one in rounds if "peak" in one.reading]
    if peaks:
        yield Finding(
            what="memory.peak", value=max(peaks), unit="B", better="lower", n=len(peaks), unit_of_replication="rounds",
            method="largest VmHWM of the candidate's process",
        )  # fmt: skip
