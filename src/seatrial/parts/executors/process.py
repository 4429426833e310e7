"""Workers as processes of this machine.

Each worker is a fresh interpreter in a session of its own, so that Ctrl-C doesn't reach it and whatever it starts can be ended
with it. It has no network where the system allows that (`network: true` gives it one), a folder of its own in which it works and leaves
its temporary files, and no more memory than the machine, or than the study's limit says. Its standard input and output are the pipe of
orders and answers; its own output goes to a log, and so does what others printed to the pipe before the worker took it. It dies with its
parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from pydantic import Field

from seatrial.contracts.messages import NETWORK, WORKER, Order, wants_memory
from seatrial.contracts.part import PartOptions
from seatrial.errors import StoreError, WorkerCrashed, WorkerError, WorkerFailed, WorkerHung, WorkerOutOfMemory
from seatrial.parts.executors._own_folder import OwnFolder

GIVES = {"machine": ("local",), "instances": ("many",)}
CANNOT = {
    "a limit of memory beside an NVIDIA driver": (
        "not run here",
        "there only `limits: {memory: ...}` of the study counts: the driver maps memory that nobody uses",
    ),
    "a wall around files": (
        "not yet ours",
        "a worker reads and writes what its user may: use a container for strangers",
    ),
}


LONGEST = 64 << 20
"""Bytes that may come without a line's end; more is no answer."""
LAST = 8 << 10
"""Bytes at the end of a log that are read for the reason of an abort."""


class Options(PartOptions):
    """What workers may reach."""

    network: bool = Field(
        default=False,
        description="whether workers reach the network; those of a runtime that asks a server, and those that train together, always do",
    )


class ProcessLink:
    """A line to one worker process."""

    def __init__(self, log: Path, memory: int | None, network: bool = True) -> None:
        self.log = log
        self._folder = OwnFolder()
        environment = _environment(self._folder.variables) | ({} if network else {NETWORK: "none"})
        command = [sys.executable, "-m", WORKER, *([str(memory)] if memory else [])]
        with _log(log) as file:
            self._begin = file.tell()
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
        self._reading = threading.RLock()
        self._woken, self._wake = os.pipe()

    def ask(self, order: Order, seconds: float) -> dict[str, Any]:
        """Send an order and wait for its answer, asleep. Raises a `WorkerError` when none comes in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order.model_dump_json(exclude_defaults=True).encode() + b"\n")
        except BrokenPipeError:
            raise self._gone(order) from None
        except ValueError:  # it was closed meanwhile
            raise WorkerCrashed(f"`{order.order}` was broken off") from None
        deadline = time.monotonic() + seconds
        answer = None
        while answer is None:
            answer = self._answer(self._line(order, seconds, deadline))
        if answer["ok"]:
            return answer
        raise _error(answer["error"], self.log)

    def close(self) -> None:
        """End the worker and all that it started. A second time does nothing: its number may be another's by then.

        Another thread that waits for an answer is woken first: a pipe that is closed under it would never wake it.
        """
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        os.write(self._wake, b"!")
        with self._reading:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
            os.close(self._wake)
            os.close(self._woken)
        self._folder.remove()

    def _answer(self, line: bytes) -> dict[str, Any] | None:
        """An answer; None for a line that others printed before the worker took the pipe, which goes to the log."""
        with contextlib.suppress(ValueError, RecursionError):
            answer = json.loads(line)
            if isinstance(answer, dict) and type(answer.get("ok")) is bool:
                return answer
        if line.strip():
            with _log(self.log) as file:
                file.write(line + b"\n")
        return None

    def _line(self, order: Order, seconds: float, deadline: float) -> bytes:
        assert self._process.stdout is not None
        with self._reading, selectors.DefaultSelector() as selector:
            if not self._closed:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
            while b"\n" not in self._received:
                ready = not self._closed and selector.select(max(0.0, deadline - time.monotonic()))
                if self._closed:
                    raise WorkerCrashed(f"`{order.order}` was broken off")
                if not ready:
                    self.close()
                    raise WorkerHung(
                        f"`{order.order}` gave no answer within {seconds:g} s", next_step=f"see {self.log}"
                    )
                got = os.read(self._process.stdout.fileno(), 1 << 20)
                if not got:
                    raise self._gone(order)
                self._received += got
                if len(self._received) > LONGEST:
                    self.close()
                    raise WorkerFailed(
                        f"`{order.order}` was answered by {LONGEST >> 20} MiB without a line's end",
                        next_step=f"see {self.log}",
                    )
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _last_words(self) -> str:
        """The end of what this worker has left in the log."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(self._begin, self.log.stat().st_size - LAST))
            return file.read(LAST).decode(errors="replace")
        return ""

    def _gone(self, order: Order) -> WorkerError:
        code = self._process.wait()
        self.close()
        step = f"see {self.log}"
        if code == -signal.SIGKILL:
            return WorkerOutOfMemory(f"killed during `{order.order}`, most likely for want of memory", next_step=step)
        how = f"signal {_signal(-code)}" if code < 0 else f"exit code {code}"
        if code == -signal.SIGABRT and wants_memory(self._last_words()):
            return WorkerOutOfMemory(f"ended during `{order.order}` with {how}: no memory was left", next_step=step)
        return WorkerCrashed(f"ended during `{order.order}` with {how}", next_step=step)


def start(log: Path, memory: int | None, options: Options) -> ProcessLink:
    """A fresh worker whose own output goes to `log`, limited to `memory` bytes of data where given."""
    return ProcessLink(log, memory, options.network)


def _environment(variables: dict[str, str]) -> dict[str, str]:
    """What the worker finds in its environment. Paths of modules are as seen from here: it works in another folder."""
    modules = os.environ.get("PYTHONPATH", "")
    paths = os.pathsep.join(str(Path(one).absolute()) for one in modules.split(os.pathsep)) if modules else ""
    return os.environ | variables | ({"PYTHONPATH": paths} if paths else {})


def _signal(number: int) -> str:
    """Its name; those for real time have none but their number."""
    return signal.Signals(number).name if number in set(signal.Signals) else str(number)


def _log(file: Path) -> IO[bytes]:
    """The log, to be written on. Raises `StoreError`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("ab")
    except OSError as error:
        raise StoreError(
            f"{file} can't be written: {error.strerror}", next_step="check the disk's space and the folder's rights"
        ) from error


def _error(error: dict[str, str], log: Path) -> WorkerError:
    kind = WorkerOutOfMemory if error["state"] == WorkerOutOfMemory.state else WorkerFailed
    failure = kind(error["message"], next_step=error.get("next_step") or f"see {log}")
    failure.state = error["state"]
    return failure
