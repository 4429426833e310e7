"""What a worker's meters read off a block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.events import Events
from seatrial.contracts.messages import Order
from seatrial.contracts.protocols import Probe


def meters(order: Order, probe: Probe) -> Callable[[Events | None, Mapping[str, Any]], dict[str, Any]]:
    """Let each meter look at the state before a block; what is returned reads them after it, those that looked first.

    They look twice: what one does the first time (a second at rest) is then in nothing that another begins with.
    """
    infos = {name: catalog.find("meters", name, Path(order.base)) for name in order.meters}
    given = order.settings.get("options", {})
    parts = {name: (catalog.load(info), catalog.options(info, given.get(name))) for name, info in infos.items()}
    begun: dict[str, Any] = {}
    for _ in range(2):
        for name, (part, options) in parts.items():
            if hasattr(part, "begin"):
                begun[name] = part.begin(probe.device, options)
    first = sorted(parts, key=lambda name: name not in begun)

    def read(events: Events | None, spent: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: parts[name][0].read(
                dataclasses.replace(probe, events=events, options=parts[name][1], begun=begun.get(name), spent=spent)
            )
            for name in first
        }

    return read
