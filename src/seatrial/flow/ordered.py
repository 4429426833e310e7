"""The part that an order to a worker names, with its options as the order has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.messages import Order


def part(kind: str, order: Order) -> tuple[Any, Any]:
    """The part that an order names, loaded, and its options. Raises `MissingPackage`."""
    assert order.part is not None
    info = catalog.find(kind, order.part.name, Path(order.base))
    catalog.require(info)
    return catalog.load(info), catalog.options(info, order.part.options)


def load(order: Order) -> tuple[Any, Any]:
    """The load of a block, with the number of the round and, for one of several instances, what it shares with the others."""
    from pydantic import TypeAdapter

    module, options = part("loads", order)
    fields, own = type(options).model_fields, {"round": order.seed, "beside": order.settings.get("shared")}
    update = {
        name: TypeAdapter(fields[name].annotation).validate_python(one) for name, one in own.items() if name in fields
    }
    return module, options.model_copy(update=update)
