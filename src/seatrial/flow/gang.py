"""The workers of one training: one, or several that share every batch. They are asked together and fail together."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Link
from seatrial.contracts.training import Way
from seatrial.errors import WorkerCrashed, WorkerError
from seatrial.flow.trial import Voyage

GRACE_S = 2.0
"""How long the others have to fail of themselves once one has: what they say may tell more. Then they are ended."""


class Gang:
    """Workers started for one way to train. `close` when done."""

    def __init__(self, voyage: Voyage, way: Way, label: str, handed: Mapping[str, Any], seed: int) -> None:
        """Start them. Raises a `WorkerError`; none is left behind then."""
        self._links: list[Link] = []
        folder = voyage.keeper.home / "training"
        folder.mkdir(parents=True, exist_ok=True)
        self._meeting = folder / f"meeting-{uuid.uuid4().hex}"
        given = {name: getattr(way, name) for name in ("device", "precision", "threads", "batch")}
        common = {"workers": way.workers, "meeting": f"file://{self._meeting}" if way.workers > 1 else ""}
        self._orders = [
            Order(
                order="train",
                part=way.trainer,
                base=str(voyage.folder),
                setting=given,
                settings=common | {"rank": rank},
                seed=seed,
                train=dict(handed),
            )
            for rank in range(way.workers)
        ]
        try:
            for rank in range(way.workers):
                self._links.append(voyage.start(f"training {label} {rank}", network=way.workers > 1))
        except BaseException:
            self.close()
            raise

    def ask(self, settings: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The first worker's answer, with the rows, tokens and memory of all. Raises the `WorkerError` that tells most."""
        orders = [one.model_copy(update={"settings": one.settings | dict(settings)}) for one in self._orders]
        if len(orders) == 1:
            return self._links[0].ask(orders[0], seconds)
        answers = self._together(orders, seconds)
        sums = {
            name: sum(one[name] for one in answers)
            for name in ("rows", "tokens", "padded", "memory")
            if name in answers[0]
        }
        return answers[0] | sums

    def close(self) -> None:
        """End all of them."""
        for link in self._links:
            link.close()
        self._links = []
        self._meeting.unlink(missing_ok=True)

    def _together(self, orders: list[Order], seconds: float) -> list[dict[str, Any]]:
        heard: queue.Queue[tuple[int, dict[str, Any] | Exception]] = queue.Queue()

        def ask(rank: int) -> None:
            try:
                heard.put((rank, self._links[rank].ask(orders[rank], seconds)))
            except Exception as error:  # noqa: BLE001 - it is raised in the thread that asked
                heard.put((rank, error))

        threads = [threading.Thread(target=ask, args=(rank,), daemon=True) for rank in range(len(orders))]
        for thread in threads:
            thread.start()
        answers: dict[int, dict[str, Any]] = {}
        failures: dict[int, Exception] = {}
        while len(answers) + len(failures) < len(orders):
            try:
                rank, said = heard.get(timeout=GRACE_S if failures else None)
            except queue.Empty:
                break
            if isinstance(said, Exception):
                failures[rank] = said
            else:
                answers[rank] = said
        if failures:
            self._end({rank: one for rank, one in enumerate(threads) if rank not in answers | failures})
            raise min(failures.values(), key=_tells)
        return [answers[rank] for rank in range(len(orders))]

    def _end(self, waiting: Mapping[int, threading.Thread]) -> None:
        """End those that still wait for one that is gone. Whoever asked them notices and lets them go."""
        for rank, thread in waiting.items():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._links[rank].pid, signal.SIGKILL)
            thread.join()


def _tells(error: Exception) -> int:
    """A crash tells more than an error, and that more than one that only lost sight of the others."""
    if isinstance(error, WorkerCrashed):
        return 0
    lost = isinstance(error, WorkerError) and any(word in error.what for word in ("onnection", "timed out"))
    return 2 if lost else 1
