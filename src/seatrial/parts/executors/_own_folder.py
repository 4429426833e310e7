"""A folder for one worker, removed with it, even if its maker was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from seatrial.contracts.messages import FOLDER

PREFIX = "seatrial-worker-"
HELD, WITHIN = "held", "work"
SETTINGS = {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", "ORT_DISABLE_TELEMETRY": "1"}
"""What every worker finds in its environment: its words reach the log at once, and nothing is sent anywhere."""
NEW_S = 60.0
"""A folder younger than this may not be held yet by whoever makes it."""


class OwnFolder:
    """A new empty folder among temporary files at `path`, held by this process until `remove()`.

    Whoever makes one removes those whose makers are gone: the system lets go of what a killed process held. What says that it is held lies
    beside `path`, in a folder around both.
    """

    def __init__(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        self._around = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._held = os.open(self._around / HELD, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        (self._around / WITHIN).mkdir()
        self.path = str(self._around / WITHIN)

    @property
    def variables(self) -> dict[str, str]:
        """What a worker in this folder finds in its environment."""
        return SETTINGS | {FOLDER: self.path, "TMPDIR": self.path}

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self._around, ignore_errors=True)
        os.close(self._held)


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # held by a run beside this one, another user's, or gone meanwhile
            if time.time() - folder.stat().st_mtime > NEW_S:
                _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    """Raises `OSError` where somebody holds it."""
    held = os.open(folder / HELD, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)
