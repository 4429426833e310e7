"""How long answers take, as a run kept it: the times of single queries, round by round, and the mean of batches by their size.

Nothing is measured here. A load whose part says `GIVES = {"times": ("service",)}` sends one query when the last is answered, so that its
latencies are service times; one that says `batches` sends full batches, so that rows a second tell how long a batch takes.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import catalog
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.finding import Finding, Origin, State, weakest
from seatrial.contracts.money import Drawn
from seatrial.errors import PartError, StoreError

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

TIMES_OF = "latency.mean"
"""The finding that names the files of single times among its artefacts."""
ENERGY = ("energy.query", "energy.query.net", "energy.power")
NEXT = "let the study measure `latency` under `single_stream` (both are in a study that says nothing of `measure`) and run it again"
RATE = "samples/s"


@dataclass(frozen=True)
class Service:
    """Service times of one candidate in seconds: of single queries by round, and the mean of a batch by size, from 1 on."""

    candidate: str
    rounds: tuple[Array, ...]
    batches: Mapping[int, float]
    findings: tuple[Finding, ...]
    instances: int = 1
    """How many of it were measured side by side on the machine: so many replicas may share one, as fast as these are."""
    drawn: Drawn | None = None
    """What the machine drew by its energy counters; None where there were none."""
    drawn_by: tuple[Finding, ...] = ()
    """The findings that say so."""

    @property
    def origin(self) -> Origin:
        """The weakest of what it rests on."""
        return weakest(tuple(one.origin for one in self.findings))

    @property
    def state(self) -> State:
        """That of the times: not clean where the machine did other things."""
        return next((one.state for one in self.findings if one.state is not State.OK), State.OK)

    @property
    def mean(self) -> float:
        """Seconds of one query, on average."""
        return self.batches[1]

    def seconds(self, most: int) -> tuple[float, ...]:
        """The mean seconds of a batch of 1, 2, ... `most`; between sizes that were measured, on the line. Raises `StoreError`."""
        if most > max(self.batches):
            raise StoreError(
                f"batches of {most} were not measured for {self.candidate}: at most {max(self.batches)}",
                next_step=f"add a candidate that differs in `batch: {most}` alone, measured under `offline`, and run it again",
            )
        return tuple(_between(self.batches, size) for size in range(1, most + 1))


def service(findings: Sequence[Finding], candidates: Sequence[Candidate], id_: str, home: Path) -> Service:
    """A candidate's service times, from findings and the folder of what is kept (`.seatrial`). Raises `StoreError` with the next step."""
    found = [one for one in findings if one.candidate == id_ and one.what == TIMES_OF and _gives(one, "service")]
    timed = next((one for one in found if one.value is not None), None)
    if timed is None:
        why = f": {found[0].note}" if found and found[0].note else ""
        raise StoreError(f"this run has no times of single queries for {id_}{why}", next_step=NEXT)
    rounds = tuple(_load(home / file) for file in timed.artefacts.values())
    if not rounds:
        raise StoreError(f"this run kept no single times for {id_}: an older version made it", next_step="run it again")
    pooled = sum(float(one.sum()) for one in rounds) / sum(len(one) for one in rounds)
    in_batches = _batches(findings, candidates, id_)
    batches = {1: pooled} | {size: seconds for size, (seconds, _) in in_batches.items() if size > 1}
    drawn, by = _drawn(findings, timed)
    rested = (timed, *(one for _, one in in_batches.values()))
    return Service(id_, rounds, dict(sorted(batches.items())), rested, _named(candidates, id_).instances, drawn, by)


def _drawn(findings: Sequence[Finding], timed: Finding) -> tuple[Drawn | None, tuple[Finding, ...]]:
    """Watts at rest and joules a query beyond them, under the load of single queries; and the findings that say so.

    Gross and net energy of a query differ by what rest drew meanwhile, and gross energy over power is that while. Where rest wasn't
    measured the machine counts as always at work, which is too much rather than too little.
    """
    said = {
        one.what: one
        for one in findings
        if one.candidate == timed.candidate and one.at == timed.at and one.what in ENERGY and one.value is not None
    }
    gross, net, power = (said.get(what) for what in ENERGY)
    if gross is None or power is None:
        return None, ()
    if net is None:
        least, most = ((end, 0.0) for end in _ends(power))
        return Drawn(rest=power.number, least=least, most=most), (power,)
    rest = max(0.0, (gross.number - net.number) * power.number / gross.number)
    least, most = ((rest, end) for end in _ends(net))
    return Drawn(rest=rest, query=net.number, least=least, most=most), (gross, net, power)


def _ends(finding: Finding) -> tuple[float, float]:
    """Its bounds; the value where there is none."""
    low, high = finding.low, finding.high
    return finding.number if low is None else max(0.0, low), finding.number if high is None else high


def _load(file: Path) -> Any:
    import numpy as np

    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the times that this run kept can't be read: {file}",
            next_step="name the run beside its study, where `.seatrial` lies, or run it again",
        ) from error


def _gives(finding: Finding, times: str) -> bool:
    """Whether the finding is of a load with such times."""
    try:
        part = catalog.find("loads", str(finding.at.get("load", "")))
    except PartError:
        return False
    return times in part.gives.get("times", ())


def _batches(
    findings: Sequence[Finding], candidates: Sequence[Candidate], id_: str
) -> dict[int, tuple[float, Finding]]:
    """Mean seconds of a batch by size, of this candidate and those that differ from it in their batch alone.

    Rows a second are those of all instances: each takes as many times as long for a batch of its own.
    """
    beside = _named(candidates, id_).instances
    sizes = {one.id: one.batch for one in candidates if but_batch(one) == but_batch(_named(candidates, id_))}
    return {
        sizes[one.candidate]: (beside * sizes[one.candidate] / one.number, one)
        for one in findings
        if one.candidate in sizes and one.unit == RATE and one.value is not None and _gives(one, "batches")
    }


def _named(candidates: Sequence[Candidate], id_: str) -> Candidate:
    return next(one for one in candidates if one.id == id_)


def but_batch(candidate: Candidate) -> dict[str, Any]:
    return {name: value for name, value in candidate.fields().items() if name != "batch"}


def _between(known: Mapping[int, float], size: int) -> float:
    sizes = list(known)
    after = bisect.bisect_left(sizes, size)
    if sizes[after] == size:
        return known[size]
    low, high = sizes[after - 1], sizes[after]
    return known[low] + (known[high] - known[low]) * (size - low) / (high - low)
