"""Several instances that share one stream of arrivals: one queue, first come, first served, by whoever is free.

The instances are processes on one machine, and what they share lies in a folder. A free instance draws the number of the next query by
adding a byte to a file (where it ends is the number: the system adds bytes of several writers one after another), waits until the
query is due, and answers it. Before a leg all agree on the moment at which its schedule begins; after it each tells the others what it
answered, so that all know the whole. The clock is the machine's, the same in all processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, perf_counter_ns, sleep

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.errors import WorkerError

LEAD_NS = 2_000_000
"""From the start of a leg to the zero of its schedule, for one instance."""
LEAD_TOGETHER_NS = 30_000_000
"""The same for several, which learn of it by looking now and then."""
WAIT_S = 600.0
LOOK_S = 0.001

Times = Sequence[tuple[int, int, int]]
"""Place of a query in its schedule, when it was issued and when done, in nanoseconds."""


class Beside(PartOptions):
    """One of several instances that share the arrivals."""

    folder: str = Field(description="an empty folder that all of them see")
    place: int = Field(ge=0, description="which of them this one is")
    count: int = Field(ge=1, description="how many there are")


class Alone:
    """One instance: it takes all queries, one after another."""

    count = 1
    waited = 0

    def begin(self, queries: int) -> tuple[int, Iterator[int]]:
        """The zero of the schedule, in nanoseconds, and the places of the queries to answer."""
        return perf_counter_ns() + LEAD_NS, iter(range(queries))

    def end(self, times: Times) -> Times:
        """What all instances answered."""
        return times


class Together:
    """One of several: it takes the next query whenever it is free. Raises `WorkerError` where another one doesn't come."""

    def __init__(self, beside: Beside) -> None:
        self._folder, self._place, self.count = Path(beside.folder), beside.place, beside.count
        self._leg = -1
        self.waited = 0  # nanoseconds for which it slept until the others were as far

    def begin(self, queries: int) -> tuple[int, Iterator[int]]:
        """As `Alone`; all begin at the same zero."""
        self._leg += 1
        self._tell("here", np.zeros(1, np.int64))
        if self._place == 0:
            self._all("here")
            self._tell("zero", np.array([perf_counter_ns() + LEAD_TOGETHER_NS], np.int64))
        zero = int(self._told("zero", 0)[0])
        return zero, self._turns(queries)

    def end(self, times: Times) -> Times:
        """As `Alone`, by place in the schedule."""
        self._tell("times", np.array(times, np.int64).reshape(-1, 3))
        whole = np.concatenate(self._all("times"))
        return [(int(place), int(before), int(after)) for place, before, after in whole[np.argsort(whole[:, 0])]]

    def _turns(self, queries: int) -> Iterator[int]:
        file = os.open(self._folder / f"turns-{self._leg}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        try:
            while True:
                os.write(file, b".")
                turn = os.lseek(file, 0, os.SEEK_CUR) - 1
                if turn >= queries:
                    return
                yield turn
        finally:
            os.close(file)

    def _all(self, what: str) -> list[NDArray[np.int64]]:
        return [self._told(what, place) for place in range(self.count)]

    def _tell(self, what: str, numbers: NDArray[np.int64]) -> None:
        name = self._folder / f"{what}-{self._leg}-{self._place}"
        np.save(name.with_suffix(".part.npy"), numbers)
        name.with_suffix(".part.npy").rename(name)  # whole, or not there

    def _told(self, what: str, place: int) -> NDArray[np.int64]:
        name, until = self._folder / f"{what}-{self._leg}-{place}", monotonic() + WAIT_S
        while not name.exists():
            if monotonic() > until:
                raise WorkerError(f"instance {place} beside this one didn't come to leg {self._leg}")
            asleep = monotonic()
            sleep(LOOK_S)
            self.waited += int((monotonic() - asleep) * 1e9)
        numbers: NDArray[np.int64] = np.load(name)
        return numbers


def side(beside: Beside | None) -> Alone | Together:
    """How the instances, or the only one, take their queries."""
    return Together(beside) if beside is not None and beside.count > 1 else Alone()
