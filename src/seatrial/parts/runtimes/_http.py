"""What runtimes share that ask a model behind a URL: one connection that is kept, and words for all that can go wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from http import client
from urllib.parse import urlsplit

from seatrial.errors import ModelError

MOST_ANSWER = 2**28
"""Bytes of one answer; what is longer is refused."""
_GONE = (client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
_FAULTS = (OSError, client.HTTPException, UnicodeError)  # the last for names of hosts that can't be written


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


class Endpoint:
    """A URL that bodies are posted to, over one connection that is kept open. Follows no redirect and no proxy."""

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
        try:
            return self._once(body)
        except _GONE as error:
            if not self._answered:
                raise self._lost(error) from error
        except _FAULTS as error:
            raise self._lost(error) from error
        try:  # a connection that was kept may have been closed meanwhile: a new one is tried, once, on the same clock
            self._answered = False
            return self._once(body)
        except _FAULTS as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _once(self, body: bytes) -> bytes:
        try:
            if self._connection.sock is None:
                self._connection.connect()
                self.connections += 1
            self._connection.request("POST", self._target, body, self._headers)
            response = self._connection.getresponse()
            answer = response.read(MOST_ANSWER + 1)
        except BaseException:
            self._connection.close()
            raise
        self._answered, self.server = True, response.headers.get("Server", "")
        if len(answer) > MOST_ANSWER:
            self._connection.close()
            raise ModelError(f"{self.url} answered with more than {MOST_ANSWER} bytes", next_step="use smaller batches")
        if response.length:
            self._connection.close()
            raise client.IncompleteRead(answer, response.length)
        if response.status != client.OK:
            self._connection.close()
            raise self._refused(response, answer)
        return answer

    def _refused(self, response: client.HTTPResponse, answer: bytes) -> ModelError:
        if 300 <= response.status < 400:
            there = response.headers.get("Location", "elsewhere")
            return ModelError(
                f"{self.url} sends us to {there[:200]} ({response.status}); redirects aren't followed",
                next_step="if that is where the model is, write that URL into the study",
            )
        words = " ".join(answer[:1000].decode("utf-8", "replace").split())[:300]
        return ModelError(
            f"{self.url} answered {response.status} {response.reason}{f': {words}' if words else ''}",
            next_step="the server's own log says more",
        )

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
