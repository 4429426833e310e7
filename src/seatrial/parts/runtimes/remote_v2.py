"""Asks a server over the Open Inference Protocol (KServe v2), tensors in JSON or binary. Times are end to end, the network's share is told apart.

`arrays -> JSON, or JSON and bytes -> POST .../infer -> arrays` over one connection that is kept open, one query at a time; writing and reading
what is sent is in the time too. When it is opened the server is asked whether it and the model are ready, and its metadata is held against the
study: names, datatypes and shapes of inputs and outputs. Each answer is held against the metadata again.

The meter `network` reads the network's share: the time from the first byte sent to the last received, less the server's own time where it
states one: in the header `Server-Timing` of each answer, or in its statistics (`GET .../stats`, queue and computing). What the server
takes to read and write HTTP is then the network's, as it is for whoever waits. A server that states nothing is asked `GET /v2/health/live` before and after each
block, outside the clock: that round trip is the network's share of a query whose tensors are small, so it is an estimate, and too low where they are large.
"""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact, TensorSpec
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.values import ValueKind, Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes import _v2_tensors as wire
from seatrial.parts.runtimes._answers import by_name, rows_of, steady
from seatrial.parts.runtimes._http import Endpoint, Reply, content_of, secrets
from seatrial.parts.runtimes._v2_server import Said, Server, stated_time
from seatrial.parts.runtimes._v2_tensors import Array

ACCEPTS = {"format": ("remote_v2",), "device": ("remote",), "precision": ("unknown",)}
GIVES = {"timing": ("end to end: the network, the server and its queue are in it",)}
CANNOT = {
    "memory.peak": ("never", "the model runs behind a URL; how much memory it takes there can't be seen from here"),
    "size": ("never", "the model's files lie behind a URL"),
    "cold_start": ("never", "the model behind the URL was running before it was asked"),
    "cold_start.import": ("never", "the model behind the URL was running before it was asked"),
    "cold_start.load": ("never", "the model behind the URL was running before it was asked"),
    "cold_start.first_answer": ("never", "the model behind the URL was running before it was asked"),
    "reuse": ("never", "nobody can see from here whether the model behind a URL has changed: every run asks it anew"),
    "concurrency": ("not yet ours", "one query at a time, over one connection"),
    "grpc": ("not yet ours", "the protocol over gRPC; its HTTP side is spoken"),
    "shared memory": ("not yet ours", "tensors go over the connection, also to a server on this machine"),
    "sequences and streams": ("not yet ours", "requests that depend on earlier ones, and answers in several pieces"),
}


class Options(PartOptions):
    """How tensors go over the wire; URL and headers belong to the model."""

    tensors: Literal["auto", "json", "binary"] = Field(
        default="auto", description="`binary` after the JSON, or in `json`; `auto` is binary where the server says that it takes it"
    )  # fmt: skip


def import_framework() -> None:
    """Nothing beyond Python is needed."""


def absent(device: str) -> str | None:
    """Why this device can't be used. Whether the server answers is found out when it is opened."""
    return None if device == "remote" else f"what a URL leads to runs on a device of its own: `remote`, not `{device}`"


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session with a model that is ready and fits the study. Raises `Unsupported` or `ModelError`."""
    if reason := absent(setting.device):
        raise Unsupported(reason)
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(f"what a server computes in isn't known: say `precision: unknown`, not {setting.precision}")
    return Session(artefact, options)


class Session:
    """A model behind a v2 server, ready to be asked."""

    def __init__(self, artefact: Artefact, options: Options) -> None:
        stated = json.loads(artefact.entry or "{}")
        self._endpoint = Endpoint(stated["url"], secrets(stated["headers"]), stated["timeout"])
        self._server, self._open = Server(self._endpoint), True
        said = self._server.look()
        self._binary = options.tensors == "binary" or (
            options.tensors == "auto" and "binary_tensor_data" in said.extensions
        )
        _check_names(artefact, said, self._endpoint.url)
        self._inputs = {one.name: one for one in said.inputs}
        self._outputs = {one.name: one for one in said.outputs}
        self._taken, self._given = artefact.signature.inputs, artefact.signature.outputs
        self._datatypes = {spec.name: _datatype(spec, self._inputs.get(spec.name)) for spec in self._taken}
        self._shapes: dict[str, tuple[Any, ...]] = {}
        self._version = ""
        self._spent = _Spent(self._server)

    def predict(self, values: Values) -> Values:
        """Answers by output name, in the server's types. Raises `ModelError` with what went wrong."""
        if not self._open:
            raise ModelError("the session is closed")
        began = time.perf_counter()
        rows = rows_of(values, [spec.name for spec in self._taken])
        sent = {spec.name: self._fitting(spec, values[spec.name]) for spec in self._taken}
        wanted = [spec.name for spec in self._given]
        body, headers = wire.request(sent, self._datatypes, wanted, self._binary)
        before = time.perf_counter()
        reply = self._endpoint.ask("POST", f"{self._server.model}/infer", body, headers)
        after = time.perf_counter()
        answers = self._answers(reply, rows)
        self._spent.count(time.perf_counter() - began, after - before, stated_time(reply.headers))
        return answers

    def spent(self) -> dict[str, float | str]:
        """Where the time of the queries went since this was last asked; see the top of this file."""
        return self._spent.told()

    def facts(self) -> Facts:
        """That it is remote, what the server calls itself, and how tensors went."""
        details = {
            "url": self._endpoint.url,
            "server": self._endpoint.server,
            "connections": self._endpoint.connections,
            "tensors": "binary" if self._binary else "json",
            "model_version": self._version,
            "datatypes": dict(self._datatypes),
            "time": GIVES["timing"][0],
        }
        return Facts("remote", "unknown", details=details)

    def close(self) -> None:
        """End the connection."""
        self._open = False
        self._endpoint.close()

    def _fitting(self, spec: TensorSpec, array: Array) -> Array:
        """The array as the server takes it. Raises `ModelError` where its shape isn't what the metadata states."""
        stated = self._inputs.get(spec.name)
        if stated is None or stated.fits(array.shape):
            return array
        if array.ndim == 1 and stated.fits((len(array), 1)):
            return array.reshape(-1, 1)
        raise ModelError(
            f"{self._endpoint.url} takes `{spec.name}` of shape {list(stated.shape or ())}, given is {list(array.shape)}",
            next_step="state `shape` or `layout`; where its first number is fixed, say `batch:` with that number",
        )

    def _answers(self, reply: Reply, rows: int) -> dict[str, Array]:
        url = self._endpoint.url
        refused = self._binary and reply.status in (400, 415, 422)
        step = "if it takes no binary tensors, say `tensors: json`" if refused else "the server's own log says more"
        head, rest = wire.parts(self._endpoint.accepted(reply, step).body, reply.headers.get(wire.LENGTH), url)
        content = content_of(head, url, lambda word: _no_constant(word, url))
        found = wire.tensors(content, rest, url)
        for name, (datatype, array) in found.items():
            self._check(name, datatype, array, rows)
        named = by_name({name: array for name, (_, array) in found.items()}, self._given, url)
        steady(named, self._shapes, url)
        self._same_version(str(content.get("model_version") or ""))
        return named

    def _check(self, name: str, datatype: str, array: Array, rows: int) -> None:
        """Raises `ModelError` where an output isn't what rows and metadata promise."""
        url, stated = self._endpoint.url, self._outputs.get(name)
        if array.ndim == 0 or len(array) != rows:
            raise ModelError(f"{url} gave `{name}` of shape {array.shape} for {rows} rows; the first axis must be the rows")  # fmt: skip
        if stated and stated.datatype != datatype:
            raise ModelError(f"{url} gave `{name}` as {datatype}, its metadata says {stated.datatype}")
        if stated and not stated.fits(array.shape):
            raise ModelError(f"{url} gave `{name}` of shape {list(array.shape)}, its metadata says {list(stated.shape or ())}")  # fmt: skip

    def _same_version(self, version: str) -> None:
        if self._version and version != self._version:
            raise ModelError(
                f"{self._endpoint.url} answered with version {version or 'unknown'} of the model, before it was {self._version}",
                next_step="name the version in the URL: .../versions/VERSION",
            )
        self._version = version


class _Spent:
    """Seconds of queries since they were last told: in all, on the wire, and what the server says of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._silent = False  # that it keeps no statistics was found out
        self._before: tuple[int, float] | None = None
        self._trip: float | None = None
        self._clear()

    def count(self, total: float, wire_: float, stated: float | None) -> None:
        self._queries += 1
        self._total += total
        self._wire += wire_
        self._stated += stated or 0.0
        self._headers += stated is not None

    def told(self) -> dict[str, float | str]:
        """Mean seconds a query: `query`, `wire`, and `server` or `round_trip` by the way named in `way`; nothing where no way is open."""
        queries = self._queries
        told: dict[str, float | str] = {}
        if queries:
            told = {"queries": queries, "query": self._total / queries, "wire": self._wire / queries}
        by_header = bool(queries) and self._headers == queries
        if by_header:
            told |= {"way": "header", "server": self._stated / queries}
        else:
            told |= self._asked(queries)
        self._clear()
        return told if "way" in told and queries else {}

    def _asked(self, queries: int) -> dict[str, float | str]:
        now = None if self._silent else self._server.worked()
        self._silent = now is None
        before, self._before = self._before, now
        if now:
            count, seconds = (now[0] - before[0], now[1] - before[1]) if before else (0, 0.0)
            way = "statistics" if count == queries else "statistics of all"
            return {"way": way, "server": seconds / count} if count > 0 else {}
        trip, self._trip = self._trip, self._server.round_trip()
        trips = [one for one in (trip, self._trip) if one is not None]
        return {"way": "round trip", "round_trip": sum(trips) / len(trips)} if trips else {}

    def _clear(self) -> None:
        self._queries, self._headers = 0, 0
        self._total = self._wire = self._stated = 0.0


def _datatype(spec: TensorSpec, stated: wire.Tensor | None) -> str:
    """In which datatype an input goes. Raises `ModelError` where the server takes another than the study gives."""
    given = wire.TEXT if spec.kind is ValueKind.TEXT or spec.dtype == "string" else wire.datatype_of(spec.dtype)
    if stated is None or stated.datatype == given:
        return given
    if (stated.datatype, given) == (wire.BF16, "FP32"):
        return wire.BF16
    step = "say `kind: text`" if stated.datatype == wire.TEXT else f"say `dtype: {_dtype(stated.datatype)}`"
    raise ModelError(f"the server takes `{spec.name}` as {stated.datatype}, the study gives {given}", next_step=step)


def _dtype(datatype: str) -> str:
    import numpy as np

    return np.dtype(wire.NUMBERS.get(datatype, "float32")).name


def _check_names(artefact: Artefact, said: Said, url: str) -> None:
    """Raises `ModelError` where study and server speak of other inputs or outputs; a server that lists none is believed."""
    given = [one.name for one in artefact.signature.inputs]
    there = [one.name for one in said.inputs]
    _known(given, there, "input", url)
    if lacking := [name for name in there if name not in given]:
        step = "state under `inputs` which columns it comes from"
        raise ModelError(f"{url}: the study doesn't say what the model's input `{lacking[0]}` is", next_step=step)
    _known([one.name for one in artefact.signature.outputs], [one.name for one in said.outputs], "output", url)


def _known(given: Sequence[str], there: Sequence[str], what: str, url: str) -> None:
    for name in given if there else ():
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
            step = f"did you mean `{near[0]}`?" if near else f"its {what}s are: {', '.join(there)}"
            raise ModelError(f"{url}: the model has no {what} `{name}`", next_step=step)


def _no_constant(word: str, url: str) -> None:
    raise ModelError(f"{url} answered with {word}, which JSON doesn't have", next_step="say `tensors: binary`")
