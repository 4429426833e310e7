"""Workers as processes of this machine.

Each worker is a fresh interpreter in a session of its own, so that Ctrl-C doesn't reach it and whatever it starts can be ended
with it. Its standard input and output are the pipe of orders and answers; its own output goes to a log. It dies with its parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from seatrial.contracts.messages import WORKER, Order
from seatrial.contracts.part import PartOptions
from seatrial.errors import WorkerCrashed, WorkerError, WorkerFailed, WorkerHung, WorkerOutOfMemory

GIVES = {"machine": ("local",)}


SETTINGS = {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", "ORT_DISABLE_TELEMETRY": "1"}
"""What every worker finds in its environment: its words reach the log at once, and nothing is sent anywhere."""


class Options(PartOptions):
    """Processes of this machine need no settings."""


class ProcessLink:
    """A line to one worker process."""

    def __init__(self, log: Path, memory: int | None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        environment = os.environ | SETTINGS
        command = [sys.executable, "-m", WORKER, *([str(memory)] if memory else [])]
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                bufsize=0,
                start_new_session=True,
                env=environment,
            )
        self.pid = self._process.pid
        self._received = b""
        self._closed = False

    def ask(self, order: Order, seconds: float) -> dict[str, Any]:
        """Send an order and wait for its answer, asleep. Raises a `WorkerError` when none comes in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order.model_dump_json(exclude_defaults=True).encode() + b"\n")
        except BrokenPipeError:
            raise self._gone(order) from None
        answer: dict[str, Any] = json.loads(self._line(order, seconds))
        if answer.get("ok"):
            return answer
        raise _error(answer["error"], self.log)

    def close(self) -> None:
        """End the worker and all that it started. A second time does nothing: its number may be another's by then."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _line(self, order: Order, seconds: float) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._received:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.close()
                    raise WorkerHung(
                        f"`{order.order}` gave no answer within {seconds:g} s", next_step=f"see {self.log}"
                    )
                got = os.read(self._process.stdout.fileno(), 1 << 20)
                if not got:
                    raise self._gone(order)
                self._received += got
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _gone(self, order: Order) -> WorkerError:
        code = self._process.wait()
        self.close()
        step = f"see {self.log}"
        if code == -signal.SIGKILL:
            return WorkerOutOfMemory(f"killed during `{order.order}`, most likely for want of memory", next_step=step)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return WorkerCrashed(f"ended during `{order.order}` with {how}", next_step=step)


def start(log: Path, memory: int | None, options: Options) -> ProcessLink:
    """A fresh worker whose own output goes to `log`, limited to `memory` bytes of data where given."""
    return ProcessLink(log, memory)


def _error(error: dict[str, str], log: Path) -> WorkerError:
    kind = WorkerOutOfMemory if error["state"] == WorkerOutOfMemory.state else WorkerFailed
    failure = kind(error["message"], next_step=error.get("next_step") or f"see {log}")
    failure.state = error["state"]
    return failure
