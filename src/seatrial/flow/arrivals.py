"""Arrivals that were recorded: moments in seconds, one a line of a text file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.values import Array


def read_arrivals(file: Path) -> Array:
    """Moments in seconds, rising, one a line. Raises `StudyError` with the line."""
    import numpy as np

    try:
        lines = [(number, line.strip()) for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)]
    except (OSError, ValueError) as error:
        raise StudyError(f"the file of arrivals can't be read: {error}", next_step="check `arrivals`") from error
    found: list[float] = []
    for number, line in ((number, line) for number, line in lines if line):
        try:
            moment = float(line)
        except ValueError:
            raise StudyError(f"`{line[:40]}` is no moment in seconds", where=f"{file}:{number}") from None
        if not np.isfinite(moment) or (found and moment < found[-1]):
            raise StudyError("moments are finite and never fall", where=f"{file}:{number}", next_step="sort the file")
        found.append(moment)
    if len(found) < 2 or found[0] == found[-1]:
        raise StudyError("two arrivals at least, not all at one moment, say how often queries come", where=str(file))
    return np.array(found)
