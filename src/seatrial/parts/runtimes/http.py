"""Asks a model behind a URL, JSON over HTTP. Times are end to end: the network, the server and its queue are in them.

`rows -> JSON -> POST -> JSON -> arrays` over one connection that is kept open, one query at a time; writing and reading JSON is in
the time too, as it is for whoever uses the endpoint. The device is `remote`: what the model runs on, in which precision and in
how much memory can't be seen from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes._answers import by_name, numbers, rows_of
from seatrial.parts.runtimes._http import Endpoint, content_of, secrets

ACCEPTS = {"format": ("http",), "device": ("remote",), "precision": ("unknown",)}
GIVES = {"timing": ("end to end: the network, the server and its queue are in it",)}
CANNOT = {
    "memory.peak": ("never", "the model runs behind a URL; how much memory it takes there can't be seen from here"),
    "size": ("never", "the model's files lie behind a URL"),
    "cold_start": ("never", "the model behind the URL was running before it was asked"),
    "cold_start.import": ("never", "the model behind the URL was running before it was asked"),
    "cold_start.load": ("never", "the model behind the URL was running before it was asked"),
    "cold_start.compile": ("never", "the model behind the URL was running before it was asked"),
    "cold_start.first_answer": ("never", "the model behind the URL was running before it was asked"),
    "reuse": ("never", "nobody can see from here whether the model behind a URL has changed: every run asks it anew"),
    "concurrency": ("not yet ours", "one query at a time, over one connection"),
}


class Options(PartOptions):
    """There is nothing to set; URL, protocol and headers belong to the model."""


def import_framework() -> None:
    """Nothing beyond Python is needed."""


def absent(device: str) -> str | None:
    """Why this device can't be used. Whether the endpoint answers is found out when it is opened."""
    return None if device == "remote" else f"what a URL leads to runs on a device of its own: `remote`, not `{device}`"


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session, whose connection is made by the first query. Raises `Unsupported` or `ModelError`."""
    if reason := absent(setting.device):
        raise Unsupported(reason)
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(
            f"what an endpoint computes in isn't known: say `precision: unknown`, not {setting.precision}"
        )
    return Session(artefact)


class Session:
    """An endpoint ready to be asked."""

    def __init__(self, artefact: Artefact) -> None:
        stated = json.loads(artefact.entry or "{}")
        self._endpoint = Endpoint(stated["url"], secrets(stated["headers"]), stated["timeout"])
        self._by_row, self._named = stated["protocol"] == "instances", stated["named"]
        self._inputs = [spec.name for spec in artefact.signature.inputs]
        self._outputs = artefact.signature.outputs
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._open = True

    def predict(self, values: Values) -> Values:
        """Answers by output name, in the types that the artefact states. Raises `ModelError` with what went wrong."""
        if not self._open:
            raise ModelError("the session is closed")
        rows = rows_of(values, self._inputs)
        wanted = "predictions" if self._by_row else "outputs"
        content = _parsed(self._endpoint.post(self._body(values)), wanted, self._endpoint.url)
        named = by_name(_columns(content) if self._by_row else content, self._outputs, self._endpoint.url)
        return {spec.name: self._array(named[spec.name], spec.name, spec.dtype, rows) for spec in self._outputs}

    def facts(self) -> Facts:
        """That it is remote, and what the server calls itself."""
        details = {
            "url": self._endpoint.url,
            "server": self._endpoint.server,
            "connections": self._endpoint.connections,
        }
        return Facts("remote", "unknown", details=details | {"time": GIVES["timing"][0]})

    def close(self) -> None:
        """End the connection."""
        self._open = False
        self._endpoint.close()

    def _body(self, values: Values) -> bytes:
        """The request: values alone where there is one input, else by name."""
        lists = {name: values[name].tolist() for name in self._inputs}
        alone = len(lists) == 1 and not self._named
        if not self._by_row:
            return json.dumps({"inputs": lists[self._inputs[0]] if alone else lists}).encode()
        rows = zip(*lists.values(), strict=True)
        instances = lists[self._inputs[0]] if alone else [dict(zip(lists, row, strict=True)) for row in rows]
        return json.dumps({"instances": instances}).encode()

    def _array(self, given: Any, name: str, dtype: str, rows: int) -> np.ndarray[Any, Any]:
        array = numbers(given, name, rows, self._endpoint.url).astype(dtype)
        if self._shapes.setdefault(name, array.shape[1:]) != array.shape[1:]:
            raise ModelError(
                f"{self._endpoint.url} gave rows of shape {array.shape[1:]} in `{name}`, before they were {self._shapes[name]}"
            )
        return array


def _parsed(answer: bytes, wanted: str, url: str) -> Any:
    content = content_of(answer, url)
    if not isinstance(content, Mapping) or wanted not in content:
        there = ", ".join(list(content)[:5]) or "nothing" if isinstance(content, Mapping) else type(content).__name__
        other = "columns" if wanted == "predictions" else "instances"
        raise ModelError(
            f"{url} answered with {there}, not with `{wanted}`", next_step=f"does it speak `protocol: {other}`?"
        )
    return content[wanted]


def _columns(rows: Any) -> Any:
    """Rows of objects as lists by name; rows of values as they are."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        return rows
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: [row[name] for row in rows] for name in names}
