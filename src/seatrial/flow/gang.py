"""The workers of one training: one, or several that share every batch. They are asked together and fail together."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Link
from seatrial.contracts.training import Way
from seatrial.flow.at_once import ask_all
from seatrial.flow.trial import Voyage


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
        answers = ask_all(self._links, orders, seconds)
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
