"""Memory of the GPU that a candidate takes: the most that torch had reserved, else what the driver says its process holds.

For a candidate that runs on a processor it is missing: its memory is `memory.peak`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence

from seatrial.contracts.candidate import NVIDIA
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round

ACCEPTS = {"load": ("",)}
GIVES = {"finding": ("memory.device",), "instances": ("many",)}
CANNOT = {
    "peak": ("not yet theirs", "the driver says what a process holds now, not the most it held; torch says both"),
    "gpu": ("not run here", "no GPU was at hand when this was written"),
}

_QUERY = ("nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")


class Options(PartOptions):
    """There is nothing to set."""


def begin(device: str, options: Options) -> str:
    """The device."""
    return device


def read(probe: Probe) -> Reading:
    """Bytes, and who said so; or under `why` the reason why there are none."""
    if not probe.device.startswith(NVIDIA):
        return {"why": f"the candidate runs on {probe.device}, which has no memory of its own"}
    torch = sys.modules.get("torch")
    if torch is not None and (reserved := torch.cuda.max_memory_reserved(probe.device.replace("tensorrt", "cuda"))):
        return {"bytes": int(reserved), "by": "the most that torch had reserved"}
    return _by_driver()


def _by_driver() -> Reading:
    """What the driver says of this process, the whole of its memory on all GPUs."""
    import os

    try:
        said = subprocess.run(_QUERY, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return {"why": f"the driver can't be asked: {error}"}
    rows = [line.split(",") for line in said.splitlines() if line.count(",") == 1]
    mine = [int(held) for pid, held in rows if pid.strip() == str(os.getpid()) and held.strip().isdigit()]
    return (
        {"bytes": sum(mine) * 2**20, "by": "what the driver said the process held"}
        if mine
        else {"why": "the driver doesn't name this process"}
    )


def together(read: Sequence[Reading]) -> Reading:
    """Instances side by side: each process holds its own, so that it adds up."""
    if missing := next((one for one in read if "why" in one), None):
        return missing
    return read[0] | {"bytes": sum(one["bytes"] for one in read)}


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """The largest of any round; missing, with the reason, where a round has none."""
    reasons = [one.reading["why"] for one in rounds if "why" in one.reading]
    if reasons:
        yield missing("memory.device", State.NOT_HERE, reasons[0], method="torch, else the driver")
        return
    held = [one.reading["bytes"] for one in rounds]
    yield Finding(
        what="memory.device", value=max(held), unit="B", better="lower", n=len(held), unit_of_replication="rounds",
        method=f"largest over rounds of {rounds[0].reading['by']}",
    )  # fmt: skip
