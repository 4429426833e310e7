"""What runtimes share that ask a model behind a URL: one connection that is kept, and words for all that can go wrong."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from http import client
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from seatrial.errors import ModelError

MOST_ANSWER = 2**28
"""Bytes of one answer; what is longer is refused."""
_BUSY = "it takes no more queries than it does: send smaller batches or fewer a second, or raise its limits"
_GONE = (client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
_FAULTS = (
    OSError,
    client.HTTPException,
    ValueError,
)  # the last for names of hosts that can't be written, and sizes that are none


def secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with the values of the environment variables they name. Raises `ModelError`, which tells no value."""
    found = {}
    for header, variable in headers.items():
        value = os.environ.get(variable)
        if not value:
            raise ModelError(
                f"the header `{header}` is to hold the environment variable {variable}, which isn't set",
                next_step=f"export {variable}=... and run it again",
            )
        if re.search(r"[^\x20-\x7e\t]", value):
            raise ModelError(f"the environment variable {variable} holds characters that a header can't")
        found[header] = value
    return found


def content_of(answer: bytes, url: str, constant: Callable[[str], Any] | None = None) -> Any:
    """What an answer says in JSON; `constant` is asked about NaN and Infinity. Raises `ModelError` where it is no JSON."""
    try:
        return json.loads(answer, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        start = " ".join(answer[:80].decode("utf-8", "replace").split())
        raise ModelError(
            f"{url} answered with something that is no JSON: {start}", next_step="is this the right URL?"
        ) from error


class Reply(NamedTuple):
    """What an endpoint answered."""

    status: int
    reason: str
    headers: client.HTTPMessage
    body: bytes


class Endpoint:
    """A URL that is asked over one connection that is kept open. Follows no redirect and no proxy."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        parts = urlsplit(url)
        kind = client.HTTPSConnection if parts.scheme == "https" else client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"} | dict(headers)
        self._timeout, self._answered = timeout, False
        self.url, self.connections, self.server = url, 0, ""

    def post(self, body: bytes) -> bytes:
        """The body of the answer. Raises `ModelError` for silence, a lost connection, and any status but 200."""
        return self.accepted(self.ask("POST", self._target, body)).body

    def accepted(self, reply: Reply, next_step: str = "the server's own log says more") -> Reply:
        """The reply, if its status is 200. Raises `ModelError` with what the server says instead."""
        if reply.status != client.OK:
            words = " ".join(reply.body[:1000].decode("utf-8", "replace").split())[:300]
            told = f"{self.url} answered {reply.status} {reply.reason}{f': {words}' if words else ''}"
            raise ModelError(told, next_step=_BUSY if reply.status in (429, 503) else next_step)
        return reply

    def ask(self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:  # fmt: skip
        """The reply, whatever its status. Raises `ModelError` for silence, a lost connection and a redirect."""
        request = (method, target, body, self._headers | dict(headers or {}))
        try:
            return self._once(request)
        except _GONE as error:
            if not self._answered:
                raise self._lost(error) from error
        except _FAULTS as error:
            raise self._lost(error) from error
        try:  # a connection that was kept may have been closed meanwhile: a new one is tried, once, on the same clock
            self._answered = False
            return self._once(request)
        except _FAULTS as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _once(self, request: tuple[Any, ...]) -> Reply:
        try:
            if self._connection.sock is None:
                self._connection.connect()
                self.connections += 1
            self._connection.request(*request)
            response = self._connection.getresponse()
            answer = response.read(MOST_ANSWER + 1)
        except BaseException:
            self._connection.close()
            raise
        self._answered, self.server = True, response.headers.get("Server", "")
        refused = self._unwanted(response, answer)
        if refused or response.length or response.status != client.OK:
            self._connection.close()
        if refused:
            raise refused
        if response.length:
            raise client.IncompleteRead(answer, response.length)
        return Reply(response.status, response.reason, response.headers, answer)

    def _unwanted(self, response: client.HTTPResponse, answer: bytes) -> ModelError | None:
        """Why an answer isn't taken: it is too long, leads elsewhere, or is packed."""
        if len(answer) > MOST_ANSWER:
            return ModelError(
                f"{self.url} answered with more than {MOST_ANSWER} bytes", next_step="use smaller batches"
            )
        if 300 <= response.status < 400:
            there = response.headers.get("Location", "elsewhere")
            return ModelError(
                f"{self.url} sends us to {there[:200]} ({response.status}); redirects aren't followed",
                next_step="if that is where the model is, write that URL into the study",
            )
        packed = response.headers.get("Content-Encoding", "identity")
        if packed.strip().lower() not in ("identity", ""):
            return ModelError(
                f"{self.url} answered packed as {packed[:40]}, which wasn't asked for",
                next_step="tell the server, or the proxy before it, to send answers as they are",
            )
        return None

    def _lost(self, error: Exception) -> ModelError:
        if isinstance(error, TimeoutError):
            return ModelError(
                f"{self.url} gave no answer within {self._timeout:g} s",
                next_step="is it overloaded? or say `timeout: 120 s`",
            )
        words = " ".join(str(error).split()) or type(error).__name__
        when = "was lost" if self.connections else "can't be made"
        return ModelError(
            f"the connection to {self.url} {when}: {words[:200]}", next_step="is the server there, and alive?"
        )
