"""What an executor starts on another machine: takes files in, starts the worker as its child and hands orders through.

`python -m seatrial.parts.executors._relay MODULE FOLDER [bytes of memory]`. Both ways go lines of JSON, some followed by a file's bytes:

| asked                                   | answered                                       |
|-----------------------------------------|------------------------------------------------|
| `{"has": [name, ...]}`                  | `{"missing": [name, ...]}`                     |
| `{"put": name, "bytes": n}` and n bytes  | `{"put": name}`; before that, now and then, `{"taken": bytes}` |
| `{"place": folder, "files": {path: name}}` | `{"place": the folder's path}`              |
| `{"get": path}`                         | `{"get": path, "bytes": n}` and n bytes         |
| `{"order": {...}}`                      | `{"answer": the worker's line}` or `{"gone": exit code}` |
| `{"beat": 1}`                           | nothing: it only says that the other side is there |

Files lie in FOLDER by names that say their content: `files/<sha256>` and `arrays/<hash>.npy`. A folder that is asked for with `"own": true` lies in
the worker's own folder, which two runs never share and which goes with it. What can't be done is answered by `{"error": in words}`. It ends,
and the worker with it, when the connection does or when nothing is heard for two minutes.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seatrial.parts.executors._own_folder import OwnFolder

SILENCE_S = 120.0
TAKEN_S = 1.0
"""How often it is said how much of a file has come: on a slow link that is all that shows that it comes."""
PIECE = 1 << 20
HEADER = 256
"""Bytes of an array file's header, which its name covers apart."""
NAME = re.compile(r"files/[0-9a-f]{64}|arrays/[0-9a-f]{64}\.npy")


class Lost(Exception):
    """The other side is gone."""


class Relay:
    """Reads what is asked and answers it, one thing after the other; the worker's lines come between."""

    def __init__(self, folder: Path, worker: list[str]) -> None:
        self._folder, self._command = folder, worker
        self._worker: subprocess.Popen[bytes] | None = None
        self._own: OwnFolder | None = None
        self._in, self._out = os.dup(0), os.dup(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.set_blocking(self._out, False)
        self._asked = self._told = b""
        self._watched = selectors.DefaultSelector()
        self._watched.register(self._in, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the other side is gone."""
        try:
            with contextlib.suppress(Lost, BrokenPipeError):
                self._say({"relay": 1, "seatrial": _version(), "python": platform.python_version(), "pid": os.getpid()})
                while True:
                    ready = self._watched.select(SILENCE_S)
                    if not ready:
                        break
                    for key, _ in ready:
                        self._hear() if key.fd == self._in else self._tell()
        finally:
            self._end()

    def _hear(self) -> None:
        self._asked += self._read()
        while b"\n" in self._asked:
            line, _, self._asked = self._asked.partition(b"\n")
            self._do(json.loads(line))

    def _do(self, asked: dict[str, Any]) -> None:
        does: dict[str, Callable[[dict[str, Any]], None]] = {
            "has": self._has,
            "put": self._put,
            "place": self._place,
            "get": self._get,
            "order": self._order,
        }
        name = next(iter(asked))
        if name not in does:
            return
        try:
            does[name](asked)
        except (OSError, ValueError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            self._say({"error": f"{getattr(error, 'strerror', None) or error} ({self._folder})"})

    def _has(self, asked: dict[str, Any]) -> None:
        self._say({"missing": [name for name in asked["has"] if not self._named(name).is_file()]})

    def _put(self, asked: dict[str, Any]) -> None:
        left, name = asked["bytes"], self._named(asked["put"])
        digest, head, lost = hashlib.sha256(), hashlib.sha256(), None
        file = None
        try:
            name.parent.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=name.parent, prefix=".partial-")
            file = os.fdopen(handle, "wb")
        except OSError as error:
            lost = error
        seen, said = 0, time.monotonic()
        while left:
            piece = self._some(min(left, PIECE))
            left -= len(piece)
            cut = max(0, HEADER - seen)
            head.update(piece[:cut])
            digest.update(piece[cut:] if name.suffix else piece)
            seen += len(piece)
            if file and not lost:
                try:
                    file.write(piece)
                except OSError as error:
                    lost = error
            if time.monotonic() - said > TAKEN_S:
                said = time.monotonic()
                self._say({"taken": seen})
        lost = _closed(file) or lost
        if file and (lost or self._wrong(name, asked["put"], digest, partial)):
            Path(partial).unlink()
            raise lost or ValueError(f"{asked['put']} did not arrive as it was sent")
        if lost:
            raise lost
        Path(partial).replace(name)
        self._say({"put": asked["put"]})

    def _wrong(self, file: Path, name: str, digest: Any, partial: str) -> bool:
        """Whether what arrived isn't what its name says."""
        if not file.suffix:
            return bool(digest.hexdigest() != name.partition("/")[2])
        with Path(partial).open("rb") as opened:
            whole = hashlib.sha256(opened.read(HEADER) + digest.digest())
        return whole.hexdigest() != file.stem

    def _place(self, asked: dict[str, Any]) -> None:
        around = Path(self._owned().path) if asked.get("own") else self._folder
        folder = self._inside(around / asked["place"])
        folder.mkdir(parents=True, exist_ok=True)
        for path, name in asked["files"].items():
            target = self._inside(folder / path)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    os.link(self._named(name), target)
        self._say({"place": str(folder)})

    def _get(self, asked: dict[str, Any]) -> None:
        path = self._inside(Path(asked["get"]))
        with path.open("rb") as file:
            self._say({"get": asked["get"], "bytes": os.fstat(file.fileno()).st_size})
            digest = hashlib.sha256()
            while piece := file.read(PIECE):
                digest.update(piece)
                self._write(piece)
        if not path.is_relative_to(self._folder):
            self._remember(path, digest.hexdigest())

    def _remember(self, path: Path, content: str) -> None:
        """Keep what was made here by its content, so that it needn't be sent back; where there is no room it will be."""
        target = self._folder / "files" / content
        with contextlib.suppress(OSError):
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
                os.close(handle)
                try:
                    shutil.copyfile(path, partial)
                    Path(partial).replace(target)
                finally:
                    Path(partial).unlink(missing_ok=True)

    def _owned(self) -> OwnFolder:
        """The worker's own folder, made when it is first needed."""
        if self._own is None:
            self._own = OwnFolder()
        return self._own

    def _order(self, asked: dict[str, Any]) -> None:
        if self._worker is None:
            self._worker = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                env=os.environ | self._owned().variables,
            )
            assert self._worker.stdout
            self._watched.register(self._worker.stdout.fileno(), selectors.EVENT_READ)
        assert self._worker.stdin
        with contextlib.suppress(BrokenPipeError):  # that it is gone is told where its end is read
            self._worker.stdin.write(json.dumps(asked["order"]).encode() + b"\n")

    def _tell(self) -> None:
        """What the worker says: each line an answer; at its end, how it ended."""
        assert self._worker
        assert self._worker.stdout
        got = os.read(self._worker.stdout.fileno(), PIECE)
        if not got:
            self._watched.unregister(self._worker.stdout.fileno())
            self._say({"gone": self._worker.wait()})
            return
        self._told += got
        while b"\n" in self._told:
            line, _, self._told = self._told.partition(b"\n")
            if line.strip():
                self._say({"answer": line.decode(errors="replace")})

    def _read(self) -> bytes:
        _await(self._in, selectors.EVENT_READ)
        got = os.read(self._in, PIECE)
        if not got:
            raise Lost
        return got

    def _some(self, most: int) -> bytes:
        if not self._asked:
            self._asked = self._read()
        got, self._asked = self._asked[:most], self._asked[most:]
        return got

    def _say(self, content: dict[str, Any]) -> None:
        self._write(json.dumps(content).encode() + b"\n")

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            _await(self._out, selectors.EVENT_WRITE)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self._out, view) :]

    def _named(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError(f"`{name}` is no name of a file by its content")
        return self._folder / name

    def _inside(self, path: Path) -> Path:
        whole = path.resolve()
        own = Path(self._own.path).resolve() if self._own is not None else self._folder
        if not whole.is_relative_to(self._folder) and not whole.is_relative_to(own):
            raise ValueError(f"{path} lies outside")
        return whole

    def _end(self) -> None:
        if self._worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._worker.pid, signal.SIGKILL)
            self._worker.wait()
        if self._own is not None:
            self._own.remove()


def main() -> None:
    """Serve one worker's connection."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: even stopped, it ends with its connection
    module, folder, *memory = sys.argv[1:]
    Relay(Path(folder).expanduser().resolve(), [sys.executable, "-m", module, *memory]).serve()


def _await(handle: int, event: int) -> None:
    """Until a pipe is ready. Raises `Lost` where nothing happens for as long as silence is borne."""
    with selectors.DefaultSelector() as selector:
        selector.register(handle, event)
        if not selector.select(SILENCE_S):
            raise Lost


def _closed(file: Any) -> OSError | None:
    try:
        if file:
            file.close()
    except OSError as error:
        return error
    return None


def _version() -> str:
    return importlib.metadata.version("seatrial")


if __name__ == "__main__":
    main()
