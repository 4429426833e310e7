"""How suspicious each row is, written beside the run's reports: only where the study asks for it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from seatrial.contracts.finding import Finding
from seatrial.flow import arrays
from seatrial.flow.privacy_rows import Exposure
from seatrial.flow.privacy_stated import Told
from seatrial.flow.trial import now

FILE = "memberships.csv"


class Memberships:
    """Rows by candidate and method, gathered while methods are tried."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def note(self, candidate: str, method: str, told: Told, found: Exposure) -> None:
        """Take what a method learnt: one number a row, higher for rows that seem more like ones learnt from."""
        of = zip(found.members.tolist(), found.numbers.tolist(), told.learnt.tolist(), strict=True)
        start = ",".join('"{}"'.format(name.replace('"', '""')) for name in (candidate, method))
        self._lines += [f"{start},{'train' if member else 'judges'},{row},{number:.6g}" for member, row, number in of]

    def write(self, folder: Path) -> Finding | None:
        """The file, and a finding that says where it is; None where nothing was noted."""
        if not self._lines:
            return None
        with arrays.written(folder) as (file, target):
            file.write("\n".join(["candidate,method,rows,number,suspicion", *self._lines, ""]).encode())
            target.append(folder / FILE)
        return Finding(
            what="privacy.memberships",
            value=len(self._lines),
            unit="lines",
            method="exact count",
            note=f"how suspicious each row is stands in {FILE} beside the reports, as the study asks; `number` counts the rows of that role",
            measured_at=now(),
        )
