"""Several workers that are asked at once. Where one fails, those that wait for it are ended, and who tells most is heard.

Workers of one training wait for each other at every batch, instances that share arrivals at every leg: whoever loses one would wait until
its time is up, and the loss would look like a hang.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Link
from seatrial.errors import WorkerCrashed, WorkerError

GRACE_S = 2.0
"""How long the others have to fail of themselves once one has: what they say may tell more. Then they are ended."""


def ask_all(links: Sequence[Link], orders: Sequence[Order], seconds: float) -> list[dict[str, Any]]:
    """Each link's answer to its order, in their order. Raises the `WorkerError` that tells most; none waits any more then."""
    heard: queue.Queue[tuple[int, dict[str, Any] | Exception]] = queue.Queue()

    def ask(place: int) -> None:
        try:
            heard.put((place, links[place].ask(orders[place], seconds)))
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that asked
            heard.put((place, error))

    threads = [threading.Thread(target=ask, args=(place,), daemon=True) for place in range(len(orders))]
    for thread in threads:
        thread.start()
    answers: dict[int, dict[str, Any]] = {}
    failures: dict[int, Exception] = {}
    while len(answers) + len(failures) < len(orders):
        try:
            place, said = heard.get(timeout=GRACE_S if failures else None)
        except queue.Empty:
            break
        if isinstance(said, Exception):
            failures[place] = said
        else:
            answers[place] = said
    if failures:
        _end(links, {place: one for place, one in enumerate(threads) if place not in answers | failures})
        raise min(failures.values(), key=_tells)
    return [answers[place] for place in range(len(orders))]


def _end(links: Sequence[Link], waiting: Mapping[int, threading.Thread]) -> None:
    """End those that still wait for one that is gone. Whoever asked them notices and lets them go."""
    for place, thread in waiting.items():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(links[place].pid, signal.SIGKILL)
        thread.join()


def _tells(error: Exception) -> int:
    """A crash tells more than an error, and that more than one that only lost sight of the others."""
    if isinstance(error, WorkerCrashed):
        return 0
    lost = isinstance(error, WorkerError) and any(word in error.what for word in ("onnection", "timed out"))
    return 2 if lost else 1
