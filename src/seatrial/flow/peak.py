"""The high-water mark of a process's resident memory (VmHWM), which the kernel sets back when it is asked to.

Answering all evaluation rows takes memory for their answers: as much as there are rows, and nothing that the candidate needs where it
serves. So a worker notes the mark when it was opened, and sets it back after such an order.
"""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def mark() -> int:
    """Bytes; 0 where the system doesn't say."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def set_back() -> bool:
    """Give back what was freed and let the mark begin again from what is held now; False where the system doesn't let us."""
    with contextlib.suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True
