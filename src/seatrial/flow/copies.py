"""Several instances of one candidate side by side: what is timed is asked of all of them at once, the rest of the first.

Each has processors of its own, and all begin a block at the same moment. What meters read of each is made one reading by the meter's
`together`: rows a second add up, latencies are put beside each other, memory adds up. Meters without it can't read several instances.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Link
from seatrial.flow import arrays
from seatrial.flow.at_once import ask_all

TOGETHER = ("open", "warm", "block")
LEAD_S = 0.05
"""From when the orders are sent to when all begin."""


class Copies:
    """A line to several workers that are asked as one; `close` ends all of them."""

    def __init__(self, count: int, threads: int, start: Callable[[int], Link]) -> None:
        """Start them. Raises a `WorkerError`; none is left behind then."""
        self._links: list[Link] = []
        self._threads = threads
        try:
            for place in range(count):
                self._links.append(start(place))
        except BaseException:
            self.close()
            raise
        self.pid = self._links[0].pid

    def ask(self, order: Order, seconds: float) -> dict[str, Any]:
        """All answers as one. Raises the `WorkerError` that tells most; none works any more then."""
        if order.order not in TOGETHER:
            return self._links[0].ask(order, seconds)
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter() + LEAD_S
            orders = [self._order(order, place, begin, folder) for place in range(len(self._links))]
            return _joined(order, ask_all(self._links, orders, seconds))

    def close(self) -> None:
        """End all of them."""
        for link in self._links:
            link.close()

    def _order(self, order: Order, place: int, begin: float, folder: str) -> Order:
        """The order to one copy: on its share of the processors, at the common moment, with how many others work beside it.

        Where queries come by a schedule, the copies share them by what lies in `folder`.
        """
        cores = order.settings.get("cores") or []
        mine = cores[place * self._threads : (place + 1) * self._threads] or cores
        own: dict[str, Any] = {"cores": mine} if cores else {}
        if order.order == "block":
            own |= {"beside": self._threads * (len(self._links) - 1), "at": begin}
            own["shared"] = {"folder": folder, "place": place, "count": len(self._links)}
        return order.model_copy(update={"settings": order.settings | own})


def _joined(order: Order, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = answers[0]
    if order.order == "open":
        return first | {"memory": sum(one["memory"] for one in answers)}
    if order.order == "warm":
        slowest = max(one["slow_start"] for one in answers)
        return first | {"stable": all(one["stable"] for one in answers), "slow_start": slowest}
    return first | {
        "readings": arrays.pack(
            _readings(order, [arrays.unpack(one["readings"]) for one in answers]), Path(order.folder)
        ),
        "disturbance": _disturbance([one["disturbance"] for one in answers if one["disturbance"]]),
        "pace": fmean(known) if (known := [one["pace"] for one in answers if one.get("pace")]) else None,
        "rubbish": next((one["rubbish"] for one in answers if one.get("rubbish")), ""),
    }


def _readings(order: Order, read: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What each meter makes of the readings of all copies."""
    meters = {name: catalog.load(catalog.find("meters", name, Path(order.base))) for name in order.meters}
    return {name: meter.together([one[name] for one in read]) for name, meter in meters.items()}


def _disturbance(seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """That of the first, with the least of other work that any saw and the reasons of all."""
    if not seen:
        return {}
    reasons = list(dict.fromkeys(one["reason"] for one in seen if one["reason"]))
    return {**seen[0], "foreign": min(one["foreign"] for one in seen), "reason": "; ".join(reasons)}
