"""How quiet the machine was during a block, and where to run so that it is.

A block is disturbed when its threads wanted to run and could not: on one thread when CPU time falls below 97 % of wall time,
on any number when the kernel's run delay exceeds 1 % of it (`/proc/self/task/*/schedstat`); when several threads and other work together
want more processors than there are (a thread that waits for one that was held up shows no delay of its own); and when a processor slowed
itself down because it was hot, where the kernel counts that. Other work, clock and temperature are noted for each block.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any, Self

from seatrial.contracts.candidate import NVIDIA
from seatrial.flow.environment import clock_mhz, gpu_processes, temperature

LEAST_CPU_SHARE = 0.97
MOST_DELAY_SHARE = 0.01
MOST_CROWD = 0.15
"""Processors by which threads and other work may want more than there are."""
LEAST_CROWD_S = 0.2
"""No shorter block is judged by that: the kernel counts what others take in hundredths of a second."""


class Watcher:
    """Watches one block: `with Watcher(threads, device) as watcher: ...` and then `watcher.seen()`."""

    def __init__(self, threads: int, device: str, beside: int = 0) -> None:
        """`beside`: threads of other copies of the same candidate, whose work is not other work."""
        self._threads, self._beside = threads, beside
        self._device = device

    def __enter__(self) -> Self:
        self._others = sum(_busy().values())
        self._delay = _run_delay()
        self._throttled = throttles()
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self._wall = time.perf_counter() - self._wall
        self._cpu = time.process_time() - self._cpu
        after = _run_delay()
        self._delay = after - self._delay if after is not None and self._delay is not None else None
        self._throttled = throttles() - self._throttled
        taken = (sum(_busy().values()) - self._others) / os.sysconf("SC_CLK_TCK") - self._cpu
        self._foreign = max(0.0, taken / max(self._wall, 1e-9) - self._beside)

    def seen(self, slept: float = 0.0) -> dict[str, Any]:
        """CPU and delay as shares of wall time, and the reason why the block counts as disturbed, empty when it doesn't.

        `slept` are seconds for which the load itself let the processor go: CPU is its share of the rest.
        """
        cpu = self._cpu / max(self._wall - slept, 1e-9)
        delay = None if self._delay is None else self._delay / 1e9 / self._wall
        reasons = []
        if self._device == "cpu" and self._threads == 1 and cpu < LEAST_CPU_SHARE:
            reasons.append(f"on the processor only {cpu:.0%} of the time")
        if delay is not None and delay > MOST_DELAY_SHARE * self._threads:
            reasons.append(f"kept waiting for a processor {delay:.1%} of the time")
        if self._throttled > 0:
            reasons.append(f"the processor throttled {self._throttled} times because it was hot")
        crowd = self._threads + self._beside + self._foreign - (os.cpu_count() or self._threads)
        if self._device == "cpu" and self._threads > 1 and crowd > MOST_CROWD and self._wall >= LEAST_CROWD_S:
            reasons.append(f"other work took {self._foreign:.2g} processors beside its {self._threads} threads")
        shares = {"seconds": self._wall, "cpu_share": cpu, "delay_share": delay, "foreign": self._foreign}
        return shares | self._conditions() | {"reason": "; ".join(reasons)}

    def _conditions(self) -> dict[str, Any]:
        """The clock and the hottest sensor now, where the system says them; processes on a GPU, where it runs on one."""
        on_gpu = {"gpu_processes": gpu_processes()} if self._device.startswith(NVIDIA) else {}
        return {"clock": clock_mhz(), "temperature": temperature()} | on_gpu


def throttles(home: Path = Path("/sys/devices/system/cpu")) -> int:
    """How often processors or their packages have slowed down because they were hot; 0 where the kernel doesn't count it."""
    cores, packages = (
        [_number(file) or 0 for file in home.glob(f"cpu[0-9]*/thermal_throttle/{which}_throttle_count")]
        for which in ("core", "package")
    )
    return sum(cores) + max(packages, default=0)  # every processor shows the count of its package


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def quietest(count: int, seconds: float = 0.05, among: list[int] | None = None) -> list[int]:
    """The `count` processors `among` these, else of those we may use, that were least busy over a short look."""
    allowed = among or sorted(os.sched_getaffinity(0))
    if count >= len(allowed):
        return allowed
    before = _busy()
    time.sleep(seconds)
    after = _busy()
    return sorted(sorted(allowed, key=lambda core: after.get(core, 0) - before.get(core, 0))[:count])


def pin(cores: list[int] | None) -> None:
    """Keep every thread of this process on these processors."""
    for task in Path("/proc/self/task").glob("*") if cores else ():
        with contextlib.suppress(ProcessLookupError):  # a thread may end meanwhile
            os.sched_setaffinity(int(task.name), cores or ())


def _run_delay() -> int | None:
    """Nanoseconds that all threads of this process have waited for a processor; None where the kernel doesn't say."""
    total = 0
    for file in Path("/proc/self/task").glob("*/schedstat"):
        try:
            total += int(file.read_text().split()[1])
        except OSError:
            continue  # a thread that has ended
    return total or None


def _busy() -> dict[int, int]:
    """Busy ticks by processor: user, nice, system, irq, softirq and steal of /proc/stat."""
    ticks = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name != "cpu":
            values = [int(number) for number in numbers[:8]]  # guests' are in the user's already
            ticks[int(name[3:])] = sum(values) - values[3] - values[4]
    return ticks
