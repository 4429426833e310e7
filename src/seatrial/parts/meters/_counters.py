"""Counters of energy: RAPL's, which the kernel shows as files, and that of NVIDIA's library. Where there is none, why.

RAPL counts microjoules and begins again from 0 at `max_energy_range_uj`; at 200 W that is after some twenty minutes, so that one
wrap between two readings can be told and two can't. Of its zones packages count, and memory beside them; the cores within a package and the
whole platform (`psys`) would be counted twice. NVML's counter is in millijoules since the driver was loaded (Volta and later);
its power reading is an average over an unsaid time and isn't used.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.protocols import Reading
from seatrial.parts.meters._time import At, over_rounds

POWERCAP = Path("/sys/class/powercap")
_NVML = "libnvidia-ml.so.1"


class Counted(NamedTuple):
    """Counters in joules by name, and from where each begins again (0: never)."""

    joules: Mapping[str, float]
    wraps: Mapping[str, float]


def rapl(home: Path) -> Counted | str:
    """The energy counters of processors and memory; or why there are none."""
    if not home.is_dir():
        return f"this machine has no energy counters of the processor: there is no {home}"
    zones = [zone for zone in sorted(home.glob("intel-rapl:*")) if _counts(zone)]
    if not zones:
        return f"this machine has no energy counters of the processor: no zone of a package lies in {home}"
    try:
        joules = {zone.name: int((zone / "energy_uj").read_text()) / 1e6 for zone in zones}
        wraps = {zone.name: int((zone / "max_energy_range_uj").read_text()) / 1e6 for zone in zones}
    except PermissionError:
        return f"the energy counters of the processor may be read by the administrator alone: `chmod a+r {zones[0] / 'energy_uj'}` lets others"
    except (OSError, ValueError) as error:
        return f"the energy counters of the processor can't be read: {error}"
    return Counted(joules, wraps)


def _counts(zone: Path) -> bool:
    """Whether a zone is a package, or the memory beside one."""
    try:
        name = (zone / "name").read_text().strip()
    except OSError:
        return False
    return name.startswith("package") or name == "dram"


def nvml(device: str, library: Any = None) -> Counted | str:
    """The energy counter of one GPU (`cuda:1`); or why there is none. `library` stands for NVIDIA's in tests.

    Processes count the GPUs that `CUDA_VISIBLE_DEVICES` shows them, NVML all of the machine's.
    """
    try:
        known = library or ctypes.CDLL(_NVML)
    except OSError:
        return "there is no NVIDIA library (NVML) on this machine"
    which = _of_the_machine(int(device.partition(":")[2] or 0), os.environ.get("CUDA_VISIBLE_DEVICES"))
    if which is None:
        return f"`CUDA_VISIBLE_DEVICES` shows no GPU that would be {device}"
    handle, energy = ctypes.c_void_p(), ctypes.c_ulonglong()
    by_name = isinstance(which, str)
    for step, failed in (
        (lambda: known.nvmlInit_v2(), "NVML doesn't start"),
        (
            lambda: (
                known.nvmlDeviceGetHandleByUUID(str(which).encode(), ctypes.byref(handle))
                if by_name
                else known.nvmlDeviceGetHandleByIndex_v2(which, ctypes.byref(handle))
            ),
            f"NVML knows no GPU {which}",
        ),
        (
            lambda: known.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy)),
            "this GPU has no energy counter",
        ),
    ):
        if code := step():
            return f"{failed} (NVML error {code})"
    return Counted({f"gpu{which}": energy.value / 1e3}, {f"gpu{which}": 0.0})


def _of_the_machine(number: int, visible: str | None) -> int | str | None:
    """Which of the machine's GPUs a process's so-manieth is: its number or its name (UUID); None where it sees none.

    Numbers are NVML's where CUDA counts in the same order: with GPUs of several kinds that takes `CUDA_DEVICE_ORDER=PCI_BUS_ID`.
    """
    if visible is None:
        return number
    listed = [one.strip() for one in visible.split(",")]
    shown = listed[: next((place for place, one in enumerate(listed) if one in ("", "-1")), len(listed))]
    if number >= len(shown):
        return None
    return int(shown[number]) if shown[number].isdigit() else shown[number]


def between(before: Counted, after: Counted) -> float:
    """Joules from one reading to the next, a counter that began again in between allowed for. ValueError for one that ran backwards."""
    total = 0.0
    for name, at in before.joules.items():
        spent = after.joules[name] - at
        if spent < 0 and before.wraps[name]:
            spent += before.wraps[name]
        if spent < 0:
            raise ValueError(f"the energy counter {name} ran backwards")
        total += spent
    return total


def side_by_side(read: Sequence[Reading]) -> Reading:
    """Instances side by side: the counters are the machine's, so those of the longest block count, once; queries add up."""
    if lacking := next((one for one in read if "why" in one), None):
        return lacking
    longest = max(read, key=lambda one: float(one["seconds"]))
    whole = [longest] if longest["shared"] else read  # where they shared the arrivals each has all queries
    return longest | {name: sum(one[name] for one in whole) for name in ("queries", "rows")}


def stated(what: str, values: Sequence[float], at: At, level: float, unit: str, method: str) -> Finding:
    """The mean over rounds with its interval; missing where a counter stood still during a block."""
    if min(values) <= 0:
        why = "a counter stood still during a block: make blocks longer"
        return missing(what, State.TOO_FEW, why, at=at, method=method)
    one = over_rounds(what, values, at, level, unit, "lower")
    return one.model_copy(update={"method": f"{method}; {one.method}"})
