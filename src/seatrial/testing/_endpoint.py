"""A small model behind a URL of this machine, for exams and tests: JSON over HTTP, with a hook for whatever can go wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Model = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Named arrays to named arrays."""


class Endpoint:
    """Answers `instances` and `inputs` until it is closed. `fault(handler, body)` may answer itself and then returns True."""

    def __init__(self, model: Model, inputs: tuple[str, ...]) -> None:
        self.model, self.inputs = model, inputs
        self.fault: Callable[[Any, bytes], bool] = lambda handler, body: False
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                endpoint.headers.append(dict(self.headers))
                endpoint.bodies.append(body)
                if not endpoint.fault(self, body):
                    reply(self, json.dumps(endpoint.answer(json.loads(body))).encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Keeps quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/models/it:predict"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the model says to a request, as the protocol has it."""
        by_row = "instances" in request
        answers = {name: np.asarray(one).tolist() for name, one in self.model(self._given(request)).items()}
        (first, *more) = answers.values()
        if not by_row:
            return {"outputs": answers if more else first}
        rows = zip(*answers.values(), strict=True)
        return {"predictions": [dict(zip(answers, row, strict=True)) for row in rows] if more else first}

    def _given(self, request: dict[str, Any]) -> dict[str, Any]:
        given = request.get("instances", request.get("inputs"))
        if isinstance(given, list) and given and isinstance(given[0], dict):
            given = {name: [row[name] for row in given] for name in given[0]}
        named = given if isinstance(given, dict) else {self.inputs[0]: given}
        return {name: np.asarray(value, np.float32) for name, value in named.items()}

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Send an answer with its length."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
