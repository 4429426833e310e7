"""One party's process: takes one order (JSON) on stdin, says what came of it on stdout (JSON), and ends when stdin does.

It is a process of its own because MPyC reads the command line and keeps its state in globals.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from seatrial.errors import SeatrialError
from seatrial.flow.secure import bringing
from seatrial.flow.secure.order import Order
from seatrial.flow.secure.protocol import Party


def main() -> None:
    """Carry out the order."""
    order = Order.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        party = Party(order.terms, order.role, Path(order.keys), _bring(order))
        said: dict[str, Any] = {"opened": party.run(order.wait, order.listen).model_dump(mode="json")}
    except SeatrialError as error:
        said = {"error": error.what, "next": error.next_step or error.usual_step}
    out.write(json.dumps(said) + "\n")
    out.flush()
    os._exit(0)  # lines and tasks that are left have nobody to wait for


def _bring(order: Order) -> bringing.Brought:
    if order.role == "model":
        return bringing.weights(order.terms, Path(order.brings))
    if order.role == "data":
        return bringing.rows(order.terms, Path(order.brings), order.inputs, order.label)
    return bringing.Brought()


def _leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
