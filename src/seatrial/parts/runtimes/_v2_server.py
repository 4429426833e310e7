"""What a server of the Open Inference Protocol says of itself and of a model: is it ready, what does it take, how long did it work.

Its own time is taken from where it states it: the header `Server-Timing` (W3C: the metric `total`, or the only one) of each
answer, or the statistics extension (`GET .../stats`: nanoseconds of queue and computing, added up over requests).
"""

from __future__ import annotations

import difflib
import json
import math
import re
import time
from collections.abc import Mapping
from email.message import Message
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from seatrial.errors import ModelError
from seatrial.parts.runtimes._http import Endpoint, Reply, content_of
from seatrial.parts.runtimes._v2_tensors import Tensor

ROUND_TRIPS = 5
_DURATION = re.compile(r"^\s*([^;\s]+)\s*;(?:[^,]*;)?\s*dur\s*=\s*\"?([0-9.eE+-]+)\"?\s*(?:;|$)")


class Said(NamedTuple):
    """A server's word on a model; without tensors where its metadata lists none. `extensions` are the server's."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    extensions: tuple[str, ...]
    versions: tuple[str, ...]


class Server:
    """A v2 server, asked about one model over the connection that its queries take."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.model = urlsplit(endpoint.url).path
        self.base = self.model[: self.model.rindex("/v2/models/") + len("/v2")]
        self.name = unquote(self.model[len(self.base) :].split("/")[2])

    def look(self) -> Said:
        """What the server says of the model. Raises `ModelError`: it isn't ready, hasn't the model, or speaks another protocol."""
        ready = self._ready(f"{self.base}/health/ready", "it")
        reply = self._get(self.model)
        if reply.status in (400, 404):
            self._without_model(reply, spoken=ready.status == 200)
        metadata = content_of(self.endpoint.accepted(reply).body, self.endpoint.url)
        self._ready(f"{self.model}/ready", "the model")
        own = _mapping(self._get(self.base))
        return Said(
            self._tensors(metadata, "inputs"),
            self._tensors(metadata, "outputs"),
            _words(own.get("extensions")),
            _words(metadata.get("versions")),
        )

    def worked(self) -> tuple[int, float] | None:
        """Requests so far and the seconds it says it worked on them, anybody's; None where it keeps no such statistics."""
        stats = _mapping(self._get(f"{self.model}/stats")).get("model_stats")
        try:
            done = [one["inference_stats"]["success"] for one in stats or ()]
            return (sum(int(one["count"]) for one in done), sum(int(one["ns"]) for one in done) / 1e9) if done else None
        except (KeyError, TypeError, ValueError):
            return None

    def round_trip(self) -> float | None:
        """Median seconds of asking whether it is alive, which takes it no computing; None where it doesn't say."""
        took = []
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            alive = self._get(f"{self.base}/health/live")
            took.append(time.perf_counter() - began)
            if alive.status != 200:
                return None
        return median(took)

    def _ready(self, target: str, who: str) -> Reply:
        """What it says to whether it is ready; a server without an answer to that (404) is asked on. Raises `ModelError`."""
        reply = self._get(target)
        if reply.status in (401, 403):
            self.endpoint.accepted(reply, "does it want a token? name its environment variable under `headers`")
        if reply.status not in (200, 404):
            raise ModelError(
                f"{self.endpoint.url}: the server says that {who} isn't ready ({reply.status} {reply.reason})",
                next_step="wait until it has loaded its models, and run it again; its log says more",
            )
        return reply

    def _get(self, target: str) -> Reply:
        return self.endpoint.ask("GET", target)

    def _tensors(self, metadata: Any, side: str) -> tuple[Tensor, ...]:
        listed = metadata.get(side) if isinstance(metadata, Mapping) else None
        try:
            return tuple(_tensor(one) for one in listed or ())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{self.endpoint.url}: its metadata lists `{side}` in a way that the protocol doesn't have: {str(listed)[:200]}"
            ) from error

    def _without_model(self, reply: Reply, spoken: bool) -> None:
        """Raises `ModelError`: the server has another model, or none, or doesn't speak this protocol."""
        url = self.endpoint.url
        if spoken:
            words = " ".join(reply.body[:300].decode("utf-8", "replace").split())
            raise ModelError(f"{url}: the server has no model `{self.name}`, or not this version: {words}", next_step=self._others())  # fmt: skip
        first = f"{self.base.removesuffix('/v2')}/v1/models/{self.name}"
        if self._get(first).status == 200:
            raise ModelError(
                f"{url}: the server speaks the first protocol (v1) only",
                next_step=f"use the form and the runtime `http`, with a URL that ends in {first}:predict",
            )
        raise ModelError(f"{url}: nothing here speaks the Open Inference Protocol (v2)", next_step="is this the right URL?")  # fmt: skip

    def _others(self) -> str:
        """The nearest model that the server has, where it lists them (model repository extension)."""
        try:
            listed = json.loads(self.endpoint.ask("POST", f"{self.base}/repository/index", b"{}").body)
            names = sorted({str(one["name"]) for one in listed})
        except (ValueError, TypeError, KeyError, RecursionError):
            names = []
        near = difflib.get_close_matches(self.name, names, n=1, cutoff=0.5)
        there = f"its models are: {', '.join(names[:10])}" if names else "look which models and versions it has loaded"
        return f"did you mean `{near[0]}`?" if near and near[0] != self.name else there


def stated_time(headers: Message) -> float | None:
    """Seconds that the server says it worked on this answer, by `Server-Timing`; None where it says nothing that is clear."""
    found: dict[str, float] = {}
    for one in headers.get("Server-Timing", "").split(","):
        if matched := _DURATION.match(one):
            try:
                found[matched[1].lower()] = float(matched[2]) / 1e3
            except ValueError:
                return None
    alone = next(iter(found.values())) if len(found) == 1 else None
    seconds = found.get("total", alone)
    return seconds if seconds is not None and math.isfinite(seconds) and seconds >= 0 else None


def _mapping(reply: Reply) -> Mapping[str, Any]:
    """What an optional endpoint says; nothing where there is none."""
    try:
        content = json.loads(reply.body) if reply.status == 200 else {}
    except (ValueError, RecursionError):
        content = {}
    return content if isinstance(content, Mapping) else {}


def _words(listed: Any) -> tuple[str, ...]:
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _tensor(one: Any) -> Tensor:
    shape = one.get("shape")
    return Tensor(str(one["name"]), str(one["datatype"]), tuple(map(int, shape)) if shape else None)
