"""Runs your Python function, in the worker and in one process.

What the function does inside, on which device and in which precision, can't be seen from outside: the precision is `unknown`.
Its inputs can't be written to; its answers are copied, which costs a moment in every query.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes._answers import by_name, numbers, rows_of, steady
from seatrial.parts.runtimes._code import called, unchanged

ACCEPTS = {"format": ("python",), "device": ("cpu",), "precision": ("unknown",)}
CANNOT = {
    "precision": ("never", "what a function computes in can't be seen from outside"),
    "cuda": ("not yet ours", "a function that uses a GPU by itself is run, but its time there isn't told apart"),
    "threads": (
        "not yet ours",
        "the function takes as many threads as it likes; the number stated isn't imposed on it",
    ),
}


class Options(PartOptions):
    """There is nothing to set."""


def import_framework() -> None:
    """Nothing is needed before the function's own file is imported, which counts as loading."""


def absent(device: str) -> str | None:
    """Why this device can't be used."""
    return None if device == "cpu" else f"a Python function is run on the cpu, not on `{device}`"


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session. Runs the user's file. Raises `Unsupported` or `ModelError`."""
    if reason := absent(setting.device):
        raise Unsupported(reason)
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(f"what a function computes in isn't known: say `precision: unknown`, not {setting.precision}")
    return Session(artefact)


class Session:
    """A function ready to be called."""

    def __init__(self, artefact: Artefact) -> None:
        for role in artefact.files:
            unchanged(artefact, role)
        self._who = f"`{(artefact.entry or '').split(' ')[0]}`"
        self._file = artefact.files["code"]
        with _told(self._who, self._file, "being imported"):
            self._function, self._arguments = called(artefact)
        if not callable(self._function):
            raise ModelError(f"{self._who} is a {type(self._function).__name__}, not a function")
        self._signature = artefact.signature
        self._inputs = [spec.name for spec in artefact.signature.inputs]
        self._shapes: dict[str, tuple[Any, ...]] = {}
        self._open = True

    def predict(self, values: Values) -> Values:
        """Answers by output name. Raises `ModelError` for whatever the function raises or gives instead of arrays."""
        if not self._open:
            raise ModelError("the session is closed")
        rows = rows_of(values, self._inputs)
        with _told(self._who, self._file, f"given {rows} rows"):
            given = self._function(**{name: _locked(value) for name, value in values.items()}, **self._arguments)
        named = by_name(given, self._signature.outputs, self._who)
        answers = {name: numbers(one, name, rows, self._who) for name, one in named.items()}
        steady(answers, self._shapes, self._who)
        return answers

    def facts(self) -> Facts:
        """The processor, as far as we can tell; the precision is unknown."""
        return Facts("cpu", "unknown", details={"function": self._who.strip("`")})

    def close(self) -> None:
        """Let the function go."""
        self._open = False


def _locked(value: Any) -> Any:
    """The same rows, not to be written to: they are sent again."""
    view = value.view()
    view.flags.writeable = False
    return view


class _told:  # noqa: N801 - reads as words after `with`
    """Whatever the user's code raises becomes a `ModelError` with its line in the user's file."""

    def __init__(self, who: str, file: str, when: str) -> None:
        self._who, self._file, self._when = who, file, when

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, MemoryError | KeyboardInterrupt | ModelError):
            return
        lines = [step.lineno for step in traceback.extract_tb(trace) if step.filename == self._file]
        place = f" in line {lines[-1]}" if lines else ""
        words = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{self._who}, {self._when}, raised {type(error).__name__}{place}: {words}",
            next_step=f"look at {Path(self._file).name}{place}; the whole traceback is in the log",
        ) from error
