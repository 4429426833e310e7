"""A connection to another machine: one `ssh` client, whose pipes carry lines of JSON and files. Every wait has an end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.errors import StoreError, WorkerCrashed, WorkerError, WorkerFailed, WorkerHung

PIECE = 1 << 20
BEAT_S = 30.0
LONGEST = 64 << 20
ENDING_S = 5.0
UNASKED = {"SSH_ASKPASS_REQUIRE": "never"}
"""No window asks for a password, not even a jump host's: nobody may be there to answer."""

SIGNS = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "{host} shows another host key than it used to", "find out why; if the machine was set up anew: `ssh-keygen -R {name}`, then `ssh {host}` once"),
    ("Host key verification failed", "the host key of {host} isn't known here", "check it and take it by `ssh {host}` once"),
    ("Permission denied", "{host} refused the login", "`ssh {host} true` must work without a password: `ssh-copy-id {host}` puts a key there, `identity` names another"),
    ("Could not resolve hostname", "there is no machine {host}: its name can't be resolved", "correct the name, or give it in ~/.ssh/config"),
    ("Connection refused", "nothing listens for ssh at {host}", "check the port, and that the ssh server runs there"),
    ("timed out", "{host} doesn't answer", "check the network, and that the machine is on"),
    ("No route to host", "there is no way to {host}", "check the network, and that the machine is on"),
    ("No module named", "seatrial or a package that it needs isn't installed for `{python}` on {host}", "ssh {host} {python} -m pip install seatrial=={version}; `python` names another interpreter"),
    ("not found", "there is no `{python}` on {host}", "say where Python with seatrial is: `python: /path/to/venv/bin/python`"),
    ("No such file or directory", "there is no `{python}` on {host}", "say where Python with seatrial is: `python: /path/to/venv/bin/python`"),
)  # fmt: skip
"""What ssh and shells print when it doesn't come about, what that means, and the next step."""


class Wire:
    """Pipes of one `ssh` client. `words` fill the errors: host, name, python, version."""

    def __init__(self, command: list[str], log: Path, words: dict[str, str], stall: float) -> None:
        self._words, self._stall, self.log = words, stall, log
        self._received = b""
        self._closed = False
        self._sending = threading.Lock()
        self._over = threading.Event()
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                self._begun = file.tell()
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, bufsize=0, start_new_session=True, env=os.environ | UNASKED
                )  # fmt: skip
        except FileNotFoundError:
            raise WorkerFailed("there is no ssh client here", next_step="install OpenSSH's client") from None
        except OSError as error:
            raise StoreError(f"{log} can't be written: {error.strerror}", next_step="check the disk's space") from error
        self.pid = self._process.pid
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdout.fileno(), self._process.stdin.fileno()
        os.set_blocking(self._out, False)
        threading.Thread(target=self._beat, daemon=True).start()

    def greeting(self, seconds: float) -> dict[str, Any]:
        """The relay's first words; what a login prints before goes to the log. Raises a `WorkerError` in ssh's stead."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._line(deadline, "connecting")
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict) and "relay" in said:
                    return said
            with self.log.open("ab") as file:
                file.write(line + b"\n")

    def say(self, content: dict[str, Any], file: Path | None = None) -> None:
        """Send a line, and a file's bytes after it."""
        with self._sending:
            self._write(json.dumps(content).encode() + b"\n")
            if file is not None:
                left = content["bytes"]
                with file.open("rb") as opened:
                    while left and (piece := opened.read(min(left, PIECE))):
                        self._write(piece)
                        left -= len(piece)
                if left:
                    self.close()
                    raise WorkerFailed(f"{file} became shorter while it was sent", next_step="run it again")

    def hear(self, seconds: float | None = None, doing: str = "sending files") -> dict[str, Any]:
        """The next line, within the given time; that some more of a file has arrived is none. Raises what it says went wrong."""
        said: dict[str, Any] = {"taken": 0}
        while "taken" in said:
            said = json.loads(self._line(time.monotonic() + (seconds or self._stall), doing))
        if "error" in said:
            raise WorkerFailed(
                f"{self._words['host']} could not take or give a file: {said['error']}",
                next_step="free some space there, or name another `folder`",
            )
        return said

    def pieces(self, size: int) -> Iterator[bytes]:
        """The bytes that follow a line."""
        while size:
            if not self._received:
                self._receive(time.monotonic() + self._stall, "fetching files")
            piece, self._received = self._received[:size], self._received[size:]
            size -= len(piece)
            yield piece

    def close(self) -> None:
        """End the connection, and with it everything there; by force if it doesn't end. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        self._over.set()
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            with contextlib.suppress(WorkerError, OSError, ValueError):  # whoever waits for an answer finds out
                self.say({"beat": 1})

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            with selectors.DefaultSelector() as selector:
                selector.register(self._out, selectors.EVENT_WRITE)
                if not selector.select(self._stall):
                    self.close()
                    raise WorkerHung(f"{self._words['host']} took nothing for {self._stall:g} s", next_step=self._see())
            try:
                view = view[os.write(self._out, view) :]
            except BrokenPipeError:
                raise self._lost("sending") from None

    def _line(self, deadline: float, doing: str) -> bytes:
        while b"\n" not in self._received:
            self._receive(deadline, doing)
            if len(self._received) > LONGEST:
                self.close()
                raise WorkerFailed(f"{doing}: {LONGEST >> 20} MiB without a line's end", next_step=self._see())
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _receive(self, deadline: float, doing: str) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                self.close()
                raise WorkerHung(f"{self._words['host']} gave no answer in time ({doing})", next_step=self._see())
        got = os.read(self._in, PIECE)
        if not got:
            raise self._lost(doing)
        self._received += got

    def _lost(self, doing: str) -> WorkerError:
        """Why the connection ended: what ssh printed, if it never came about; else that it was lost."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING_S)
        self.close()
        host = self._words["host"]
        if doing == "connecting":
            told = self._told()
            for sign, what, step in SIGNS:
                if sign in told:
                    return WorkerFailed(what.format(**self._words), next_step=step.format(**self._words))
            last = (told.strip().splitlines() or [f"exit code {self._process.returncode}"])[-1]
            return WorkerFailed(f"no connection to {host}: {last}", next_step=self._see())
        return WorkerCrashed(
            f"the connection to {host} was lost during {doing}",
            next_step=f"run it again: what was measured is kept, and it goes on from there; {self._see()}",
        )

    def _told(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._begun)
            return file.read(1 << 16).decode(errors="replace")

    def _see(self) -> str:
        return f"see {self.log}"
