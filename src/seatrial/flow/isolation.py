"""What a worker is held to: no network, a folder of its own, no more memory than the machine has.

**Network.** Linux gives a process a network namespace of its own: to root at once, to others together with a user namespace, unless the system's
owner has forbidden those. The worker does it before it imports anything, because threads would keep the old one. What it runs then
reaches no server, and no server's data can leave through it; files, devices and processes are as before.

**Folder.** What a library leaves lying about in the folder where it runs, or among temporary files, lands in a folder that is removed with
the worker. That is order, not a wall: a worker still reads and writes whatever its user may.

**Memory.** Without a limit in the study, a worker may take what the machine has, or the container. A model that asks for more gets a
refusal that is told, instead of a machine that stands still. Beside an NVIDIA driver only a limit of the study counts: it maps memory that
nobody uses, and this was not tried there.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
import sys
from pathlib import Path

from seatrial.contracts.messages import FOLDER, NETWORK

CONTAINER, DRIVER = Path("/sys/fs/cgroup/memory.max"), Path("/dev/nvidiactl")
NONE, OPEN = "none", "as the machine has it"
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


def settle_network() -> str:
    """Leave the network if the executor asks for that. Says what there is: `none`, or why there still is one."""
    if os.environ.get(NETWORK) != NONE:
        return OPEN
    reason = leave()
    return f"{OPEN}: {reason}" if reason else NONE


def settle_folder() -> None:
    """Go to the folder of one's own, if the executor made one."""
    if folder := os.environ.get(FOLDER):
        os.chdir(folder)


def settle_memory(limit: int | None) -> None:
    """Take no more memory for data than this many bytes, or than there is."""
    if limit is None:
        limit = None if DRIVER.exists() else _all_there_is()
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _all_there_is() -> int:
    """Bytes of memory of the machine, or of the container that this runs in, whichever is less."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = int(CONTAINER.read_text())
    except (OSError, ValueError):  # no container, or one without a limit (`max`)
        return whole
    return min(whole, allowed)


def leave() -> str:
    """Take a network namespace of this process's own. Says why not, where it can't be had; empty where it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if library.unshare(_NEW_NETWORK) != 0:
        if library.unshare(_NEW_USER | _NEW_NETWORK) != 0:
            return f"the system refuses a network namespace ({os.strerror(ctypes.get_errno())})"
        try:  # who one was, one stays
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError as error:
            return f"the network is left, but the process isn't its user any more ({error.strerror})"
    _loopback()
    return ""


def _loopback() -> None:
    """Let the process reach itself under 127.0.0.1, as libraries expect; where that is refused, they don't."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        try:
            import fcntl

            asked = fcntl.ioctl(handle, _GET_FLAGS, struct.pack("16sh14x", b"lo", 0))
            flags = struct.unpack("16sh14x", asked)[1]
            fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
        except OSError:
            return
