"""Workers on another machine, over ssh: files are sent once, by their content, and what is made there comes back.

The system's `ssh` client is used with its own settings (`~/.ssh/config`), never a password. Each worker has a connection of its
own and ends with it. The same version of seatrial must be installed there.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shlex
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.messages import NETWORK, RELAY, WORKER, ArrayRef, Order
from seatrial.contracts.part import PartOptions
from seatrial.contracts.record import digest
from seatrial.errors import WorkerCrashed, WorkerError, WorkerFailed, WorkerOutOfMemory
from seatrial.parts.executors._wire import Wire

GIVES = {"machine": ("another",)}
CANNOT = {
    "code elsewhere": (
        "not yet ours",
        "Python code of a model is sent from the study's folder; what lies elsewhere must be installed there",
    ),
    "instances": (
        "not yet ours",
        "several instances side by side need one clock and one pipe: they are measured on this machine alone",
    ),
    "looking at a model": ("not yet ours", "`init` looks at a model on this machine"),
}

_HOST = re.compile(r"(?:(?P<user>[^@\s/]+)@)?(?P<name>\[[0-9a-fA-F:.%]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?")
MOST_CODE = 1000
"""Python files of a study's folder that are sent at most."""


class Options(PartOptions):
    """Which machine, and what is used there."""

    host: str = Field(description="`user@host:port` or a name of ~/.ssh/config; user and port may be left out")
    python: str = Field(default="python3", description="the interpreter there in which seatrial is installed")
    folder: str = Field(default="~/.cache/seatrial", description="folder there for files that were sent or made")
    network: bool = Field(
        default=False,
        description="whether workers there reach the network; those of a runtime that asks a server, and those that train together, always do",
    )
    identity: str | None = Field(default=None, description="file of the private key, where ssh wouldn't find it")
    known_hosts: str | None = Field(default=None, description="file of known host keys, where it isn't the usual one")
    new_host: bool = Field(default=False, description="take the key of a host that isn't known yet, without asking")
    connect: float = Field(default=20.0, gt=0, description="seconds that a connection may take")
    stall: float = Field(default=60.0, gt=0, description="seconds without progress after which a transfer is given up")

    @field_validator("host")
    @classmethod
    def _a_host(cls, given: str) -> str:
        if given.startswith("-") or not _HOST.fullmatch(given):
            raise ValueError(f"`{given}` is no host; write it as `user@host`, `host:port` or `user@host:port`")
        return given

    @property
    def machine(self) -> str:
        """What the machine is called in findings: the host, and the port where it is said."""
        return self.host.rpartition("@")[2]


def start(log: Path, memory: int | None, options: Options) -> SshLink:
    """A fresh worker on the other machine, its output in `log` here. Raises a `WorkerError` with the reason and a next step."""
    return SshLink(log, memory, options)


class SshLink:
    """A line to one worker on another machine. Rewrites the paths in orders and answers and sends what they name."""

    def __init__(self, log: Path, memory: int | None, options: Options) -> None:
        self.log, self._options = log, options
        version = importlib.metadata.version("seatrial")
        name = (_HOST.fullmatch(options.host) or {"name": options.host})["name"]
        words = {"host": options.host, "name": name, "python": options.python, "version": version}
        self._wire = Wire(_command(options, memory), log, words, options.stall)
        self.pid = self._wire.pid
        self._there: set[str] = set()
        self._names: dict[Path, str] = {}
        self._folder = ""
        self._threads = 1
        try:
            said = self._wire.greeting(options.connect + options.stall)
            if said["seatrial"] != version:
                raise WorkerFailed(
                    f"{options.host} has seatrial {said['seatrial']} and this is seatrial {version}",
                    next_step=f"ssh {options.host} {options.python} -m pip install seatrial=={version}",
                )
            self._folder = self._placed("", {})
        except BaseException:
            self._wire.close()
            raise

    def ask(self, order: Order, seconds: float) -> dict[str, Any]:
        """Send the files that an order names, then the order; fetch the files that its answer names. The time limit is the
        order's alone. Raises a `WorkerError` when no answer comes in time."""
        there, folders = self._outward(order)
        self._wire.say({"order": there.model_dump(mode="json", exclude_defaults=True)})
        deadline = time.monotonic() + seconds
        while (answer := self._answer(order, deadline)) is None:
            pass
        if not answer["ok"]:
            raise _error(answer["error"], self.log)
        return dict(self._homeward(answer, folders))

    def close(self) -> None:
        """End the connection; the worker there ends with it."""
        self._wire.close()

    # --- answers ----------------------------------------------------------------------------------------------------------

    def _answer(self, order: Order, deadline: float) -> dict[str, Any] | None:
        doing = f"`{order.order}`"
        said = self._wire.hear(max(0.001, deadline - time.monotonic()), doing)
        if "gone" in said:
            self.close()
            raise _gone(said["gone"], doing, self._options.host, self.log)
        try:
            answer = json.loads(said["answer"])
        except ValueError:
            answer = None
        if isinstance(answer, dict) and type(answer.get("ok")) is bool:
            return answer
        with self.log.open("a", encoding="utf-8") as file:
            file.write(said["answer"] + "\n")
        return None

    def _homeward(self, content: Any, folders: dict[str, Path]) -> Any:
        """An answer with the paths of this machine, after the files were fetched."""
        if isinstance(content, dict):
            return {key: self._homeward(value, folders) for key, value in content.items()}
        if isinstance(content, list):
            return [self._homeward(value, folders) for value in content]
        if not isinstance(content, str):
            return content
        for there, here in folders.items():
            if content.startswith(f"{there}/"):
                return str(self._fetched(content, here, content.removeprefix(f"{there}/")))
        return content

    def _fetched(self, there: str, folder: Path, name: str) -> Path:
        """The file of this path, fetched unless it lies here already: only an array's name says its content."""
        target = (folder / name).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise WorkerFailed(f"{self._options.host} named a file outside its folder: {there}")
        if target.suffix == ".npy" and target.exists():
            return target
        self._wire.say({"get": there})
        size = self._wire.hear()["bytes"]
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
        with os.fdopen(handle, "wb") as file:
            for piece in self._wire.pieces(size):
                file.write(piece)
        Path(partial).chmod(0o644)
        Path(partial).replace(target)
        return target

    # --- orders -----------------------------------------------------------------------------------------------------------

    def _outward(self, order: Order) -> tuple[Order, dict[str, Path]]:
        """An order with the paths of the other machine, after its files were sent; folders there, and which they are here."""
        if order.order == "look":
            raise WorkerFailed("a model is looked at on this machine alone", next_step="use the executor `process`")
        if order.order == "open":
            self._threads = int(order.setting.get("threads", 1))
        base, update = Path(order.base).resolve(), dict[str, Any]()
        made = order.order in ("make", "convert")
        refs = (*order.values.values(), *_refs(order.train), *_refs(order.settings))
        self._send({f"arrays/{ref.hash}.npy": Path(ref.path) for ref in refs})
        root, place = self._shipped(order.artefact, base, _code(base) if _needs_code(order) else {})
        update["values"] = {name: self._array(ref) for name, ref in order.values.items()}
        update["train"] = self._there_too(order.train, base)
        update["base"] = place
        folders = {place: root}
        if order.artefact is not None:
            update["artefact"] = _moved(order.artefact, root, place)
        if order.folder:
            there = self._placed(digest([order.folder]) if made else "arrays", {}, own=made)
            folders[there] = Path(order.folder)
            update["folder"] = there
        update["settings"] = self._settings(order, base)
        return order.model_copy(update=update), folders

    def _shipped(self, artefact: Artefact | None, base: Path, code: dict[str, Path]) -> tuple[Path, str]:
        """Send an artefact's files and the study's code: the folder that they have in common here, and where they lie there."""
        root, files = base, dict(code)
        if artefact is not None:
            root, own = _tree(artefact, base, bool(code))
            files |= own
        elif not code:
            return base, self._folder
        names = {path: self._name(file) for path, file in files.items()}
        self._send({name: files[path] for path, name in names.items()})
        return root, self._placed(f"placed/{digest([names])}", names)

    def _settings(self, order: Order, base: Path) -> dict[str, Any]:
        """An order's settings: processors are chosen there, and workers of one training meet by a file there."""
        settings: dict[str, Any] = self._there_too(order.settings, base)
        if settings.pop("cores", None) is not None:
            settings["quietest"] = self._threads
        if meeting := settings.get("meeting"):
            settings["meeting"] = f"file://{self._folder}/{Path(meeting).name}"
        return settings

    def _array(self, ref: ArrayRef) -> ArrayRef:
        return ref.model_copy(update={"path": f"{self._folder}/arrays/{ref.hash}.npy"})

    def _there_too(self, content: Any, base: Path) -> Any:
        """Packed content whose arrays lie there, and the files of artefacts that it names (one that lends gradients) as well."""
        if isinstance(content, dict):
            if _is(content, ArrayRef):
                return self._array(ArrayRef.model_validate(content)).model_dump(mode="json")
            if _is(content, Artefact):
                artefact = Artefact.model_validate(content)
                root, place = self._shipped(artefact, base, _code(base) if "code" in artefact.files else {})
                return _moved(artefact, root, place).model_dump(mode="json")
            return {key: self._there_too(value, base) for key, value in content.items()}
        return [self._there_too(one, base) for one in content] if isinstance(content, list | tuple) else content

    def _name(self, file: Path) -> str:
        if file not in self._names:
            with file.open("rb") as opened:
                self._names[file] = f"files/{hashlib.file_digest(opened, 'sha256').hexdigest()}"
        return self._names[file]

    def _send(self, files: dict[str, Path]) -> None:
        """Send what isn't there yet."""
        asked = [name for name in files if name not in self._there]
        if not asked:
            return
        self._wire.say({"has": asked})
        for name in self._wire.hear()["missing"]:
            file = files[name]
            self._wire.say({"put": name, "bytes": file.stat().st_size}, file)
            self._wire.hear()
        self._there |= set(asked)

    def _placed(self, folder: str, names: dict[str, str], own: bool = False) -> str:
        """Where a folder lies there that holds these files; `own`: among those that only this worker has."""
        self._wire.say({"place": folder, "files": names, "own": own})
        return str(self._wire.hear()["place"])


def _command(options: Options, memory: int | None) -> list[str]:
    found = _HOST.fullmatch(options.host)
    assert found
    settings = {
        "BatchMode": "yes",
        "ConnectTimeout": str(max(1, round(options.connect))),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "StrictHostKeyChecking": "accept-new" if options.new_host else "yes",
        "ControlPath": "none",
        "ClearAllForwardings": "yes",
    }
    if options.known_hosts:
        settings["UserKnownHostsFile"] = str(Path(options.known_hosts).expanduser())
    if options.identity:
        settings["IdentitiesOnly"] = "yes"
    command = ["ssh", "-T", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    command += ["-i", str(Path(options.identity).expanduser())] if options.identity else []
    command += ["-p", found["port"]] if found["port"] else []
    command += ["-l", found["user"]] if found["user"] else []
    alone = [] if options.network else ["env", f"{NETWORK}=none"]
    words = [
        *alone,
        *shlex.split(options.python),
        "-m",
        RELAY,
        WORKER,
        options.folder,
        *([str(memory)] if memory else []),
    ]
    return [*command, "--", found["name"].strip("[]"), f"exec {' '.join(map(_quoted, words))}"]


def _quoted(word: str) -> str:
    """For the shell there, which knows what `~/` is."""
    return f"~/{shlex.quote(word[2:])}" if word.startswith("~/") else shlex.quote(word)


def _needs_code(order: Order) -> bool:
    if order.order == "train":
        return True  # a trainer's function is the user's own
    names = [*([order.part.name] if order.part else []), *order.meters]
    return any(name.endswith(".py") for name in names) or (
        order.artefact is not None and "code" in order.artefact.files
    )


def _code(base: Path) -> dict[str, Path]:
    """The Python files of a study's folder by their path in it. Raises `WorkerFailed` where they are very many."""
    found = {str(file.relative_to(base)): file for file in _python(base)}
    if len(found) > MOST_CODE:
        raise WorkerFailed(
            f"{base} has more than {MOST_CODE} Python files to send", next_step="give the study a folder of its own"
        )
    return found


def _python(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name != "__pycache__":
            yield from _python(path) if not (path / "pyvenv.cfg").exists() else ()
        elif path.suffix == ".py" and path.is_file():
            yield path


def _tree(artefact: Artefact, base: Path, code: bool) -> tuple[Path, dict[str, Path]]:
    """The folder that an artefact's files have in common, the study's where they lie in it, and they by their path in it."""
    files = [Path(file).absolute() for file in artefact.files.values()]
    if not files or code or all(file.is_relative_to(base) for file in files):
        root = base
    else:
        root = Path(os.path.commonpath([file.parent for file in files]))
    outside = next((file for file in files if not file.is_relative_to(root)), None)
    if outside is not None:
        raise WorkerFailed(
            f"{outside} lies outside the study's folder and isn't sent",
            next_step="copy it into the study's folder, or run that candidate here",
        )
    return root, {str(file.relative_to(root)): file for file in files}


def _moved(artefact: Artefact, root: Path, place: str) -> Artefact:
    """The artefact with its paths there."""
    files = {role: f"{place}/{Path(file).absolute().relative_to(root)}" for role, file in artefact.files.items()}
    lineage = artefact.lineage
    if "folder" in lineage.options:
        lineage = lineage.model_copy(update={"options": lineage.options | {"folder": place}})
    return artefact.model_copy(update={"files": files, "lineage": lineage})


def _is(content: dict[str, Any], record: type[ArrayRef | Artefact]) -> bool:
    return content.keys() == record.model_fields.keys()


def _refs(content: Any) -> Iterator[ArrayRef]:
    """The arrays that packed content names."""
    if isinstance(content, dict) and _is(content, ArrayRef):
        yield ArrayRef.model_validate(content)
    elif isinstance(content, dict | list | tuple):
        for one in content.values() if isinstance(content, dict) else content:
            yield from _refs(one)


def _gone(code: int, doing: str, host: str, log: Path) -> WorkerError:
    step = f"see {log}"
    if code == -signal.SIGKILL:
        return WorkerOutOfMemory(f"killed on {host} during {doing}, most likely for want of memory", next_step=step)
    known = -code in set(signal.Signals)
    how = f"signal {signal.Signals(-code).name if known else -code}" if code < 0 else f"exit code {code}"
    return WorkerCrashed(f"ended on {host} during {doing} with {how}", next_step=step)


def _error(error: dict[str, str], log: Path) -> WorkerError:
    kind = WorkerOutOfMemory if error["state"] == WorkerOutOfMemory.state else WorkerFailed
    failure = kind(error["message"], next_step=error.get("next_step") or f"see {log}")
    failure.state = error["state"]
    return failure
