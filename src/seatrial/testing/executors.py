"""The exam for executors: a worker answers, its failures have the right names, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.contracts.part import PartInfo
from seatrial.errors import WorkerCrashed, WorkerError, WorkerFailed, WorkerHung, WorkerOutOfMemory

PATIENCE = 60.0


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Raises `AssertionError` where the executor, with the `given` options, doesn't do what executors do.

    Workers must be processes of this machine: one that reaches others is examined with this machine as the other one.
    """
    module, options = catalog.load(part), catalog.options(part, given)
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "logs" / "worker.log"

        def start() -> tuple[Any, int]:
            link = module.start(log, None, options)
            return link, link.ask(Order(order="hello"), PATIENCE)["pid"]

        link, pid = start()
        own = Path(link.ask(Order(order="hello"), PATIENCE)["folder"])
        assert own != Path.cwd(), "a worker works in a folder of its own"
        assert list(own.iterdir()) == [], "its folder is empty when it begins"
        _expect(WorkerFailed, lambda: link.ask(Order(order="predict", values={}), PATIENCE))
        assert link.ask(Order(order="hello"), PATIENCE)["ok"], "a worker doesn't outlive an error of its part"
        link.close()
        assert not psutil.pid_exists(pid), "a closed worker is still there"
        link.close()
        _removed(own)
        for sign, error in (
            (signal.SIGSEGV, WorkerCrashed),
            (signal.SIGKILL, WorkerOutOfMemory),
            (signal.SIGSTOP, WorkerHung),
        ):
            link, pid = start()
            _signalled(link, pid, sign, error)
            assert not psutil.pid_exists(pid), f"a worker is left after {sign.name}"


def _signalled(link: Any, pid: int, sign: signal.Signals, error: type[WorkerError]) -> None:
    os.kill(pid, signal.SIGSTOP)
    sender = threading.Thread(target=lambda: (time.sleep(0.2), os.kill(pid, sign), os.kill(pid, signal.SIGCONT)))
    if sign is not signal.SIGSTOP:
        sender.start()
    _expect(error, lambda: link.ask(Order(order="hello"), 1.0 if sign is signal.SIGSTOP else PATIENCE))


def _removed(own: Path) -> None:
    """On another machine that happens a moment after the worker is gone."""
    deadline = time.monotonic() + PATIENCE
    while own.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not own.exists(), "the folder of a closed worker is still there"


def _expect(error: type[Exception], call: Any) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{error.__name__} was expected")
