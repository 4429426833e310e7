"""Every error a user can meet.

SeatrialError              what is wrong, where, and the next step
├── StudyError             the study file: file, line, column, the nearest right word
├── PartError              a part of the house
│   ├── UnknownPart        no part of that kind and name
│   ├── MissingPackage     a part's package isn't installed: the pip line is the next step
│   └── Unsupported        the part says that it can't do this
├── ModelError             a model file that can't or mustn't be used
├── DataError              rows that can't be read or don't fit the model
├── StoreError             the folder where findings are kept
├── PartyError             a secure evaluation ended before its end, and through whom
└── WorkerError            the other end of the pipe
    ├── WorkerCrashed      it ended without an answer (a signal, an exit code)
    ├── WorkerHung         no answer within the order's time limit
    ├── WorkerOutOfMemory  it was killed, or refused, for want of memory
    └── WorkerFailed       the part raised: its error in words, its traceback in the log
"""

from __future__ import annotations


class SeatrialError(Exception):
    """Base of all: `what` is wrong, `where` (file:line:column) and the `next_step` to take. Any may be empty but `what`;
    `usual_step` is what helps where an error names no step of its own."""

    usual_step = "`seatrial doctor` says what this machine can run"

    def __init__(self, what: str, *, where: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_step = next_step

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        step = f"\n  next: {self.next_step}" if self.next_step else ""
        return f"{place}{self.what}{step}"


class StudyError(SeatrialError):
    """The study file is wrong. `problems` holds one line a fault when there are several."""

    usual_step = "`seatrial explain study` says what a study holds; `seatrial init MODEL DATA` writes one"

    def __init__(self, what: str, *, where: str = "", next_step: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.problems = problems


class PartError(SeatrialError):
    """A part can't do its work."""

    usual_step = "`seatrial parts` lists the parts, `seatrial explain NAME` says what one takes"


class UnknownPart(PartError):
    """No part of that kind has that name."""


class MissingPackage(PartError):
    """A package that the part needs isn't installed."""


class Unsupported(PartError):
    """The part says that it can't do what is asked."""


class ModelError(SeatrialError):
    """A model file that can't, or mustn't, be used."""

    usual_step = "`seatrial inspect FILE` says what is in a file without loading it"


class DataError(SeatrialError):
    """Rows that can't be read or don't fit the model."""

    usual_step = "`seatrial explain study.data` says how rows are named, `seatrial parts datasets` what can be read"


class StoreError(SeatrialError):
    """The store can't be opened, read or written."""

    usual_step = "check the disk's space and the folder's rights; `seatrial runs` lists what is kept"


class PartyError(SeatrialError):
    """A secure evaluation ended before its end, and through whom."""

    usual_step = "ask the party that is named; when all three are ready, start all three again"


class WorkerError(SeatrialError):
    """A worker gave no good answer. `state` is the state of the finding that records it."""

    state = "failed"


class WorkerCrashed(WorkerError):
    """The worker ended without an answer."""

    state = "crashed"


class WorkerHung(WorkerError):
    """The worker gave no answer within the time limit of its order."""

    state = "hung"


class WorkerOutOfMemory(WorkerError):
    """The worker ran out of memory."""

    state = "out_of_memory"


class WorkerFailed(WorkerError):
    """What the worker ran raised an error."""
