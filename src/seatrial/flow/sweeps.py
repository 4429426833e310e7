"""What batches do, where candidates differ in their batch alone: how long each takes, the knee, and traffic gathered into batches.

Throughput is measured; that a batch takes its rows over the throughput holds where the next begins when the last has ended, as loads that
send full batches do it. Dynamic batching is simulated from the times that were measured, as `seatrial capacity` does, for one instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import catalog
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.plan import Plan
from seatrial.errors import PartError, StoreError
from seatrial.flow.service import RATE, Service, but_batch, service
from seatrial.flow.trial import now

if TYPE_CHECKING:
    from seatrial.numerics.interval import Interval
    from seatrial.numerics.knee import Knee

FEWEST = 3
"""Batch sizes from which on they are a sweep."""
SHARES = (0.25, 0.5, 0.8)
"""Of the largest throughput: the traffic for which dynamic batching is simulated."""
PERCENTILE = 0.99
BUSIEST = 0.95
"""Above, a queue takes longer to show itself than is simulated."""


def sweeps(plan: Plan, measured: Sequence[Finding], home: Path) -> list[Finding]:
    """`batch.seconds` of each candidate of a sweep; of the one with the smallest batch `batch.knee` and `batch.p99` by traffic."""
    candidates = [one.candidate for one in plan.candidates]
    found: list[Finding] = []
    for load in (ref.name for ref in plan.study.measure.loads):
        if not _sends_batches(load):
            continue
        for sweep in _sweeps(candidates, measured, load, plan.levels.describe):
            beside = next(one.instances for one in candidates if one.id == next(iter(sweep.values())).candidate)
            found += [_seconds(beside * size, one) for size, one in sweep.items()]
            found += _of_sweep(sweep, load, measured, candidates, home, plan.levels.describe, beside)
    return found


def _sends_batches(load: str) -> bool:
    try:
        return "batches" in catalog.find("loads", load).gives.get("times", ())
    except PartError:
        return False


def _sweeps(candidates: Sequence[Candidate], measured: Sequence[Finding], load: str, level: float) -> Iterator[dict[int, Finding]]:  # fmt: skip
    """Throughput by batch, of each group of candidates that differ in it alone and were measured in three sizes or more."""
    known = [one for one in measured if one.unit == RATE and one.what == one.part and one.at == {"load": load} and one.value is not None]  # fmt: skip
    known.sort(
        key=lambda one: -abs((one.level or level) - level)
    )  # of several statements the one nearest to this level stays
    rates = {one.candidate: one for one in known}
    groups: dict[str, dict[int, Finding]] = {}
    for one in candidates:
        if one.id in rates:
            groups.setdefault(repr(sorted(but_batch(one).items())), {})[one.batch] = rates[one.id]
    yield from (dict(sorted(one.items())) for one in groups.values() if len(one) >= FEWEST)


def _seconds(size: int, rate: Finding) -> Finding:
    """How long a batch takes: the rows that all instances answer side by side, over the throughput."""
    low, high = (None if end is None else size / end for end in (rate.high, rate.low))
    return _derived(
        rate,
        "batch.seconds",
        size / rate.number,
        low,
        high,
        unit="s",
        better="lower",
        method="rows of a batch over the throughput",
    )


def _of_sweep(sweep: Mapping[int, Finding], load: str, measured: Sequence[Finding], candidates: Sequence[Candidate], home: Path, level: float, beside: int) -> Iterator[Finding]:  # fmt: skip
    from seatrial.numerics.knee import knee

    rates = list(sweep.values())
    smallest = rates[0]
    lows, highs = ([one.number if end is None else end for one, end in zip(rates, ends, strict=True)] for ends in ([one.low for one in rates], [one.high for one in rates]))  # fmt: skip
    at = knee(list(sweep), [one.number for one in rates], lows, highs)
    method = (
        "throughput over the seconds of a batch is largest there; the range holds the sizes that can't be told from it"
    )
    state = next((one.state for one in rates if one.state is not State.OK), State.OK)
    yield _derived(smallest, "batch.knee", at.batch, at.least, at.most, unit="rows", method=method, state=state, note=_beyond(at, list(sweep)), inputs=tuple(one.key for one in rates))  # fmt: skip
    try:
        times = service(measured, candidates, str(smallest.candidate), home)
        yield from _gathered(times, max(one.number for one in rates) / beside, max(sweep), smallest, level)
    except StoreError as error:
        yield missing("batch.p99", State.UNSUPPORTED, error.what, at={"load": load}, candidate=smallest.candidate, method=error.next_step)  # fmt: skip


def _beyond(at: Knee, sizes: Sequence[int]) -> str:
    """That the knee may lie where nothing was measured, and what to add; empty where the sweep goes past it on both sides."""
    if at.most == sizes[-1]:
        return (
            f"it may lie above {sizes[-1]}, the largest batch that was measured: add `batch: {2 * sizes[-1]}` and more"
        )
    if at.least == sizes[0] > 1:
        return f"it may lie below {sizes[0]}, the smallest batch that was measured: add `batch: {max(1, sizes[0] // 2)}` and fewer"
    return ""


def _gathered(times: Service, best: float, most: int, of: Finding, level: float) -> Iterator[Finding]:
    """p99 of queries of one row that come by chance, each share of the largest throughput, gathered and one by one."""
    for share in SHARES:
        rate = share * best
        for size in (1, most):
            took = _p99(times, rate, size, level)
            at: dict[str, Any] = {"share": share, "batch": size}
            if took is None:
                why = "more comes in than can be answered, so that the queue grows without end"
                yield missing(
                    "batch.p99", State.UNSUPPORTED, why, at={"load": of.at["load"]} | at, candidate=of.candidate
                )
                continue
            how = f"simulated: {rate:.4g} queries of one row a second by chance, one instance, "
            how += f"at most {size} answered together, none waits for others" if size > 1 else "one by one"
            yield _derived(
                of,
                "batch.p99",
                took.value,
                took.low,
                took.high,
                unit="s",
                better="lower",
                method=how,
                at=at,
                origin=Origin.PREDICTED,
            )


def _p99(times: Service, rate: float, most: int, level: float) -> Interval | None:
    """None where a server would be busy for longer than can be simulated."""
    from seatrial.numerics.queueing import Batching
    from seatrial.numerics.replicas import BRIEF, Question, at_replicas

    seconds = times.seconds(most)
    if rate * seconds[-1] / most > BUSIEST:
        return None
    batching = Batching(most, 0.0, seconds) if most > 1 else None
    return at_replicas(times.rounds, Question(rate, 0.0, PERCENTILE, level, batching=batching), 1, BRIEF)


def _derived(of: Finding, what: str, value: float, low: float | None, high: float | None, **fields: Any) -> Finding:
    """A finding of the same candidate that rests on this one."""
    given = {"at": {}, "inputs": (of.key,), "origin": of.origin, "state": of.state, "note": of.note} | fields
    given["at"] = {"load": of.at["load"]} | given["at"]
    return Finding(
        what=what, value=value, low=low, high=high, level=of.level, n=of.n, unit_of_replication=of.unit_of_replication,
        candidate=of.candidate, measured_at=now(), **given,
    )  # fmt: skip
