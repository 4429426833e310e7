"""Contenders on one model, measured in turn and paired by round: ours through a worker, as a study runs it, and whoever else answers.

A contender has `block(core)`, what it tells of a block on that processor in seconds a call (`median`, `mean`), and whether other work
disturbed it; and `close()`. Disturbed blocks are run again; on a machine that is never quiet they may count (`busy`), and how many did is told.
"""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import Any, Protocol

from _table import Figure

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.messages import Order
from seatrial.flow.quiet import quietest
from seatrial.numerics.distributions import binomial_cdf

FASHION = Path(__file__).parent.parent / "examples" / "fashion"
MODEL = FASHION / "cnn.onnx"
ATTEMPTS, BUSY = 5, 2
SECONDS = 0.2
METERS = {"single_stream": "latency", "offline": "throughput"}

Told = dict[str, float]


class Contender(Protocol):
    """Whoever answers the model."""

    def block(self, core: int) -> tuple[Told, bool]:
        """Seconds a call of one block on this processor, and whether it was disturbed."""
        ...

    def close(self) -> None:
        """End what is open."""
        ...


class Ours:
    """Blocks of the demo's CNN through a worker."""

    def __init__(
        self,
        folder: Path,
        values: dict[str, Any],
        runtime: str = "onnxruntime",
        precision: str = "fp32",
        load: str = "single_stream",
        batch: int = 1,
    ) -> None:
        info = catalog.find("executors", "process")
        self._link = catalog.load(info).start(folder / f"{runtime}.log", None, catalog.options(info))
        subject = catalog.find("subjects", "onnx")
        artefact = catalog.load(subject).read(catalog.options(subject, {"path": MODEL.name}), FASHION)
        self._fields = {"values": values, "folder": str(folder)}
        self._load, self._batch = load, batch
        setting = {"device": "cpu", "precision": precision, "threads": 1, "batch": batch}
        self._ask("open", part=PartRef(name=runtime), artefact=artefact, setting=setting)

    def block(self, core: int) -> tuple[Told, bool]:
        """Median and mean of single calls; of full batches one after another the mean."""
        meter = METERS[self._load]
        load = PartRef(name=self._load, options={"seconds": SECONDS})
        answer = self._ask("block", part=load, meters=(meter,), settings={"cores": [core]})
        read, disturbed = answer["readings"][meter], bool(answer["disturbance"]["reason"])
        if meter == "throughput":
            return {"mean": self._batch / read["throughput"]}, disturbed
        return {"median": read["median_latency"], "mean": read["mean_latency"]}, disturbed

    def close(self) -> None:
        """End the worker."""
        self._link.close()

    def _ask(self, name: str, **fields: Any) -> dict[str, Any]:
        return self._link.ask(Order(order=name, **self._fields, **fields), 60)


def in_turn(contenders: dict[str, Contender], rounds: int, busy: bool = False) -> dict[str, list[Told]]:
    """What each told of every round, in random order within a round; then all are closed. With `busy` disturbed blocks count, too."""
    found: dict[str, list[Told]] = {name: [] for name in contenders}
    for index in range(rounds + 1):  # the first warms up
        order = list(contenders)
        random.Random(index).shuffle(order)
        core = quietest(1)[0]  # one for all of a round: processors differ
        one = {name: _one(contenders[name], core, busy) for name in order}
        for name, told in one.items() if index else ():
            found[name].append(told)
    for contender in contenders.values():
        contender.close()
    return found


def _one(contender: Contender, core: int, busy: bool) -> Told:
    for _ in range(BUSY if busy else ATTEMPTS):
        told, disturbed = contender.block(core)
        if not disturbed:
            return told
    if busy:
        return told | {"disturbed": 1.0}
    raise SystemExit("the machine is too busy to measure on: every block was disturbed")


def ratio(found: dict[str, list[Told]], one: str, other: str, note: str, tells: str = "median") -> Figure:
    """Two contenders' seconds a call as a figure whose ratio is the median of the paired ratios, with a distribution-free interval.

    Other guests of a virtual machine slow single blocks by a fifth; the median of many short pairs doesn't mind.
    """
    ours, theirs = ([told[tells] for told in found[name]] for name in (one, other))
    return _figure(ours, theirs, "s", note + _disturbed(found, one, other))


def rates(found: dict[str, list[Told]], one: str, other: str, rows: int, note: str) -> Figure:
    """The same of rows a second, where a call answers so many rows."""
    ours, theirs = ([rows / told["mean"] for told in found[name]] for name in (one, other))
    return _figure(ours, theirs, "rows/s", note + _disturbed(found, one, other))


def _disturbed(found: dict[str, list[Told]], *names: str) -> str:
    """How many blocks counted although other work disturbed them."""
    count = sum("disturbed" in told for name in names for told in found[name])
    return f"; {count} of {sum(len(found[name]) for name in names)} blocks disturbed by other work" if count else ""


def _figure(ours: list[float], theirs: list[float], unit: str, note: str) -> Figure:
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    middle, typical = statistics.median(ratios), statistics.median(theirs)
    return Figure(middle * typical, typical, unit, len(ratios), f"{_bounds(ratios)}; {note}")


def _bounds(ratios: list[float]) -> str:
    """Two order statistics between which the median lies in 95 of 100 samples or more; six ratios are the fewest that have them.

    The k-th smallest (from 0) lies above the median where at most k of n fall below it.
    """
    n = len(ratios)
    beyond = [k for k in range(n // 2) if binomial_cdf(k, n, 0.5) <= 0.025]
    if not beyond:
        return "no interval from so few rounds"
    return f"95 % interval {ratios[beyond[-1]]:.4f} to {ratios[n - 1 - beyond[-1]]:.4f}"
