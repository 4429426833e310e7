"""Inside the worker: how many noisy copies of rows are given each class by an open session that answers by vote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.messages import Order
from seatrial.errors import Unsupported
from seatrial.flow import arrays


def votes(order: Order, session: Any, batch: int) -> dict[str, Any]:
    """Counts, rows x classes, of the copies that choose a class and of those that certify it: each with noise of its own.

    The order's settings say how many (`chosen`, `certified`). Raises `Unsupported` where the session doesn't vote.
    """
    if not hasattr(session, "votes"):
        raise Unsupported("the session doesn't answer by vote, so there is nothing to certify")
    values = {name: arrays.load(ref) for name, ref in order.values.items()}
    rows = len(next(iter(values.values())))
    found: dict[str, list[Any]] = {"chosen": [], "certified": []}
    for first in range(0, rows, batch):
        piece = {name: np.ascontiguousarray(one[first : first + batch]) for name, one in values.items()}
        for place, (name, counts) in enumerate(found.items()):
            seed = int(np.random.SeedSequence([order.seed, first, place]).generate_state(1)[0])
            counts.append(session.votes(piece, int(order.settings[name]), seed))
    counted = {name: np.concatenate(counts) for name, counts in found.items()}
    return {"counted": arrays.pack(counted, Path(order.folder))}
