"""A small server of the Open Inference Protocol for exams, tests and recipes, with a hook for whatever can go wrong. Not for production.

`python -m seatrial.testing.v2_server model.onnx --name cnn --port 8123` serves an ONNX file on this machine alone until it is ended.
It shares no code with the runtime that asks such servers, so that the two check each other.
"""

from __future__ import annotations

import argparse
import json
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np

from seatrial.testing._endpoint import reply

Model = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Named arrays to named arrays."""
Specs = Mapping[str, tuple[str, Sequence[int]]]
"""Datatype and shape (rows first, -1 where it varies) by name."""
TYPES = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64, "INT8": np.int8,
    "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
}  # fmt: skip
ONNX = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(float16)": "FP16", "tensor(bool)": "BOOL", "tensor(string)": "BYTES"}  # fmt: skip
ONNX |= {f"tensor({kind.__name__})": name for name, kind in TYPES.items() if "INT" in name}


class ServerV2:
    """Serves one model until it is closed. `fault(handler, body)` may answer a query itself and then returns True.

    `states` says how it tells its own time: in a `header`, in its `statistics`, or not at all. `health` are the statuses that
    it gives for the paths below `/v2/health` and for `MODEL/ready`.
    """

    def __init__(self, model: Model, inputs: Specs, outputs: Specs, name: str = "it", port: int = 0, binary: bool = True) -> None:  # fmt: skip
        self.model, self.inputs, self.outputs, self.name = model, dict(inputs), dict(outputs), name
        self.fault: Callable[[Any, bytes], bool] = lambda handler, body: False
        self.states: Literal["", "header", "statistics"] = ""
        self.health = {"live": 200, "ready": 200, "model": 200}
        self.extensions = ["binary_tensor_data"] if binary else []
        self.version, self.speaks, self.asked = "1", "v2", list[tuple[str, str]]()
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.done, self.worked = 0, 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                server.asked.append(("GET", self.path))
                status, content = server.told(unquote(self.path))
                reply(self, json.dumps(content).encode(), status)

            def do_POST(self) -> None:
                server.asked.append(("POST", self.path))
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/v2/repository/index":
                    reply(self, json.dumps([{"name": server.name, "version": "1", "state": "READY"}]).encode())
                elif server.speaks != "v2" or unquote(self.path) not in [f"{path}/infer" for path in server.paths]:
                    reply(self, b'{"error": "not found"}', 404)
                else:
                    server.requests.append((dict(self.headers), body))
                    if not server.fault(self, body):
                        server.infer(self, body)

            def log_message(self, format: str, *args: Any) -> None:
                """Keeps quiet."""

        self._listening = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._listening.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._listening.server_address[1]}"
        self.url = f"{self.root}/v2/models/{name}"
        threading.Thread(target=self._listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def paths(self) -> list[str]:
        """The model's, with and without its version."""
        return [f"/v2/models/{self.name}", f"/v2/models/{self.name}/versions/{self.version}"]

    def told(self, path: str) -> tuple[int, Any]:
        """Status and content of what is asked by GET."""
        if self.speaks != "v2":
            return (200 if path == f"/{self.speaks}/models/{self.name}" else 404), {}
        known: dict[str, tuple[int, Any]] = {
            "/v2": (200, {"name": "small", "version": "1", "extensions": self.extensions}),
            "/v2/health/live": (self.health["live"], {}),
            "/v2/health/ready": (self.health["ready"], {}),
        }
        for own in self.paths:
            known |= {own: (200, self.metadata()), f"{own}/ready": (self.health["model"], {})}
            if self.states == "statistics":
                done = {"count": self.done, "ns": int(self.worked * 1e9)}
                known[f"{own}/stats"] = (200, {"model_stats": [{"name": self.name, "inference_stats": {"success": done}}]})  # fmt: skip
        return known.get(path, (404, {"error": f"Request for unknown model: {path} is not found"}))

    def metadata(self) -> dict[str, Any]:
        """What the model takes and gives."""
        sides = {
            side: [{"name": name, "datatype": kind, "shape": list(shape)} for name, (kind, shape) in specs.items()]
            for side, specs in (("inputs", self.inputs), ("outputs", self.outputs))
        }
        return {"name": self.name, "versions": [self.version], "platform": "small", **sides}

    def infer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer one query; what the model raises is the client's fault, 400."""
        began = time.perf_counter()
        length = handler.headers.get("Inference-Header-Content-Length")
        try:
            asked = json.loads(body[: int(length)] if length else body)
            answers = self.model(_given(asked, body[int(length) :] if length else b""))
        except Exception as error:  # noqa: BLE001 - it is answered
            reply(handler, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode(), 400)
            return
        own = time.perf_counter() - began
        self.done, self.worked = self.done + 1, self.worked + own
        stated = {"Server-Timing": f"total;dur={own * 1e3:.6f}"} if self.states == "header" else {}
        sent, more = self.answer(asked, answers)
        reply(handler, sent, 200, **stated, **more)

    def answer(self, asked: Mapping[str, Any], answers: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of an answer: the outputs that were asked for, each in bytes where that was asked for."""
        wanted = {one["name"]: one.get("parameters", {}) for one in asked.get("outputs", [])} or {key: {} for key in answers}  # fmt: skip
        all_binary = asked.get("parameters", {}).get("binary_data_output", False)
        outputs, pieces = [], []
        for name, parameters in wanted.items():
            kind, array = self.outputs[name][0], np.asarray(answers[name])
            one: dict[str, Any] = {"name": name, "datatype": kind, "shape": list(array.shape)}
            if parameters.get("binary_data", all_binary):
                pieces.append(_bytes(array, kind))
                one["parameters"] = {"binary_data_size": len(pieces[-1])}
            else:
                one["data"] = array.astype(object).ravel().tolist() if kind == "BYTES" else array.tolist()
            outputs.append(one)
        head = json.dumps({"model_name": self.name, "model_version": self.version, "outputs": outputs}).encode()
        return head + b"".join(pieces), {"Inference-Header-Content-Length": str(len(head))} if pieces else {}

    def close(self) -> None:
        """Stop listening."""
        self._listening.shutdown()
        self._listening.server_close()


def _given(asked: Mapping[str, Any], rest: bytes) -> dict[str, Any]:
    """The inputs of a query as arrays."""
    found = {}
    for one in asked["inputs"]:
        size = one.get("parameters", {}).get("binary_data_size")
        if size is None:
            kind = object if one["datatype"] == "BYTES" else TYPES[one["datatype"]]
            found[one["name"]] = np.array(one["data"], kind).reshape(one["shape"])
            continue
        own, rest = rest[:size], rest[size:]
        found[one["name"]] = _array(own, one["datatype"]).reshape(one["shape"])
    return found


def _array(own: bytes, kind: str) -> Any:
    if kind == "BF16":
        halves = np.frombuffer(own, np.uint16)
        return np.stack([np.zeros_like(halves), halves], axis=1).view(np.float32)[:, 0]
    if kind != "BYTES":
        return np.frombuffer(own, TYPES[kind])
    texts = []
    while own:
        (size,) = struct.unpack("<I", own[:4])
        texts.append(own[4 : 4 + size].decode())
        own = own[4 + size :]
    return np.array(texts, object)


def _bytes(array: Any, kind: str) -> bytes:
    if kind == "BF16":
        return bytes(
            np.ascontiguousarray(array.astype(np.float32)).view(np.uint16).reshape(*array.shape, 2)[..., 1].tobytes()
        )
    if kind == "BYTES":
        texts = [str(one).encode() for one in array.ravel()]
        return b"".join(struct.pack("<I", len(one)) + one for one in texts)
    return bytes(array.astype(TYPES[kind]).tobytes())


def of_onnx(file: str, name: str, port: int = 0) -> ServerV2:
    """A server of an ONNX file, run by ONNX Runtime on one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    inputs, outputs = (
        {one.name: (ONNX[one.type], [size if isinstance(size, int) else -1 for size in one.shape]) for one in side}
        for side in (session.get_inputs(), session.get_outputs())
    )
    names = list(outputs)
    return ServerV2(lambda values: dict(zip(names, session.run(names, dict(values)), strict=True)), inputs, outputs, name, port)  # fmt: skip


def main() -> None:
    """Serve a file until it is ended."""
    parser = argparse.ArgumentParser(
        description="Serve an ONNX file over the Open Inference Protocol, on this machine alone."
    )
    parser.add_argument("file")
    parser.add_argument("--name", default="model")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    served = of_onnx(given.file, given.name, given.port)
    print(f"{given.file} is at {served.url}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
