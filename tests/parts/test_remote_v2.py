"""The Open Inference Protocol: every datatype both ways, what the study gets wrong, and whatever a server can do wrong."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Signature, TensorSpec
from seatrial.contracts.finding import Origin, State
from seatrial.contracts.protocols import Probe, Round, Setting
from seatrial.contracts.values import ValueKind
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes import _http
from seatrial.parts.runtimes import _v2_tensors as wire
from seatrial.parts.runtimes._v2_server import stated_time
from seatrial.testing._endpoint import reply
from seatrial.testing.v2_server import TYPES, ServerV2

X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
PART = catalog.find("runtimes", "remote_v2")


def read(url: str, **options: Any) -> Artefact:
    part = catalog.find("subjects", "remote_v2")
    given = catalog.options(part, {"url": url, "timeout": 2, **options})
    return catalog.load(part).read(given, Path())  # type: ignore[no-any-return]


def asked(url: str, tensors: str = "auto", inputs: Any = None, outputs: Any = ("y",), **options: Any) -> Any:
    specs = inputs or (TensorSpec(name="x"),)
    signature = Signature(inputs=specs, outputs=tuple(TensorSpec(name=name) for name in outputs))
    artefact = read(url, **options).model_copy(update={"signature": signature})
    setting = Setting("remote", "unknown")
    return catalog.load(PART).open(artefact, setting, catalog.options(PART, {"tensors": tensors}))


@pytest.fixture
def server() -> Iterator[ServerV2]:
    made = ServerV2(lambda v: {"y": v["x"] * 2}, {"x": ("FP32", (-1, 2))}, {"y": ("FP32", (-1, 2))})
    yield made
    made.close()


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerV2]:
    made = ServerV2(lambda values: {"y": values["x"]}, {}, {})
    yield made
    made.close()


# --- tensors on the wire -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tensors", ["json", "binary"])
@pytest.mark.parametrize("datatype", [*TYPES, "BYTES", "BF16"])
def test_every_datatype_goes_out_and_comes_back(echo: ServerV2, datatype: str, tensors: str) -> None:
    dtype = np.dtype(TYPES.get(datatype, "U" if datatype == "BYTES" else np.float32))
    kind = ValueKind.TEXT if datatype == "BYTES" else ValueKind.DENSE
    given = np.array(["", "é\0 x", "long" * 99]) if datatype == "BYTES" else np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)  # fmt: skip
    if dtype.kind in "iu":
        given = np.array([np.iinfo(dtype).min, 1, np.iinfo(dtype).max], dtype)
    if dtype.kind == "f":
        given = np.array([[1.5, -2], [0, 3e-3]], dtype) if datatype != "BF16" else np.array([[1.5, -2.0]], dtype)
    echo.inputs = {"x": (datatype, (-1,) * given.ndim)}
    echo.outputs = {"y": (datatype, (-1,) * given.ndim)}
    session = asked(echo.url, tensors, (TensorSpec(name="x", kind=kind, dtype="string" if kind == ValueKind.TEXT else dtype.name),))  # fmt: skip
    if (datatype, tensors) == ("BF16", "json"):
        with pytest.raises(ModelError, match="can't be written in JSON"):
            session.predict({"x": given})
        return
    answer = session.predict({"x": given})["y"]
    assert answer.dtype == (np.dtype(object) if datatype == "BYTES" else dtype)
    assert np.array_equal(answer, given)
    head, body = echo.requests[-1]
    assert (wire.LENGTH in head) == (tensors == "binary")
    assert session.facts().details["tensors"] == tensors
    assert len(body) == int(head["Content-Length"])


@settings(max_examples=40, deadline=None)
@given(values=hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=True)))
def test_bf16_is_rounded_to_the_nearest_ties_to_even(values: Any) -> None:
    import torch

    right = torch.from_numpy(values).to(torch.bfloat16).to(torch.float32).numpy()
    packed = wire._packed(values, "BF16")
    got = wire._from_bytes(memoryview(packed), "x", "BF16", len(values), "it")
    assert np.array_equal(got, right, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=9).filter(lambda one: not one.endswith("\0")), min_size=1, max_size=9))
def test_any_text_survives(texts: list[str]) -> None:
    made = np.array(texts)
    got = wire._from_bytes(memoryview(wire._packed(made, "BYTES")), "x", "BYTES", len(texts), "it")
    assert got.tolist() == made.tolist()


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=80), length=st.none() | st.integers(-3, 90).map(str))
def test_no_answer_whatever_breaks_the_reading(body: bytes, length: str | None) -> None:
    def whole() -> Any:
        head, rest = wire.parts(body, length, "it")
        return wire.tensors(_http.content_of(head, "it"), rest, "it")

    with pytest.raises(ModelError):
        whole()


@settings(max_examples=200, deadline=None)
@given(
    name=st.just("y") | st.none(),
    datatype=st.sampled_from(["FP32", "BYTES", "BF16", "BOOL", "INT8", "FP8", None, 3]),
    shape=st.just([2]) | st.lists(st.integers(-1, 2**62), max_size=3) | st.none(),
    size=st.none() | st.integers(-1, 20) | st.just(2**70) | st.just(True) | st.just("8"),
    data=st.none() | st.lists(st.integers(-300, 300) | st.booleans() | st.floats() | st.text(max_size=2) | st.none(), max_size=4),
    rest=st.binary(max_size=12),
)  # fmt: skip
def test_outputs_that_do_not_hold_together_are_refused_and_take_no_memory(**one: Any) -> None:
    output = {"name": one["name"], "datatype": one["datatype"], "shape": one["shape"], "data": one["data"]}
    if one["size"] is not None:
        output["parameters"] = {"binary_data_size": one["size"]}
    try:
        (made,) = wire.tensors({"outputs": [output]}, memoryview(one["rest"]), "it").values()
    except ModelError:
        return
    assert made[1].shape == tuple(one["shape"])
    assert made[1].size <= 12


@pytest.mark.parametrize("tensors", ["json", "binary"])
def test_several_inputs_and_outputs_go_by_name_and_only_those_wanted_come_back(tensors: str) -> None:
    def model(values: Any) -> Any:
        return {"first": values["a"] + 1, "unwanted": values["a"], "sum": values["b"] + values["a"][:, None]}

    shapes = {"a": ("INT64", (-1,)), "b": ("FP32", (-1, 2))}
    made = ServerV2(model, shapes, {"first": ("INT64", (-1,)), "unwanted": ("INT64", (-1,)), "sum": ("FP32", (-1, 2))})
    session = asked(made.url, tensors, (TensorSpec(name="a", dtype="int64"), TensorSpec(name="b")), ("sum", "first"))
    got = session.predict({"b": X, "a": np.array([2**53 + 1, 2, 3])})
    sent = made.answer(json.loads(made.requests[0][1][: int(made.requests[0][0].get(wire.LENGTH, 0)) or None]), model({"a": np.arange(3), "b": X}))  # fmt: skip
    made.close()
    assert list(got) == ["sum", "first"]
    assert got["first"].tolist() == [2**53 + 2, 3, 4]
    assert got["sum"].dtype == np.float32
    assert b"unwanted" not in sent[0]


def test_binary_is_used_by_itself_only_where_the_server_says_that_it_takes_it(server: ServerV2) -> None:
    assert asked(server.url).facts().details["tensors"] == "binary"
    server.extensions = []
    session = asked(server.url)
    assert session.facts().details["tensors"] == "json"
    assert np.array_equal(session.predict({"x": X})["y"], X * 2)


def test_not_a_number_goes_in_bytes_and_not_in_json(server: ServerV2) -> None:
    holes = np.where(X > 4, np.nan, X).astype(np.float32)
    answer = asked(server.url, "binary").predict({"x": holes})["y"]
    assert np.array_equal(answer, holes * 2, equal_nan=True)
    with pytest.raises(ModelError, match="NaN or infinity") as refused:
        asked(server.url, "json").predict({"x": holes})
    assert "tensors: binary" in refused.value.next_step


# --- opening it --------------------------------------------------------------------------------------------------------


def test_a_version_and_a_path_before_it_belong_to_the_url(server: ServerV2) -> None:
    server.version = "7"
    session = asked(f"{server.url}/versions/7")
    session.predict({"x": X})
    assert server.asked[-1] == ("POST", "/v2/models/it/versions/7/infer")
    assert session.facts().details["model_version"] == "7"
    with pytest.raises(ModelError, match="no model `it`, or not this version"):
        asked(f"{server.url}/versions/6")
    assert read("https://gate.example/a/b/v2/models/it")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inputs": (TensorSpec(name="X"),)}, r"no input `X`[\s\S]*its inputs are: x"),
        ({"inputs": (TensorSpec(name="xx"),)}, r"no input `xx`[\s\S]*did you mean `x`"),
        ({"outputs": ("yy",)}, r"no output `yy`[\s\S]*did you mean `y`"),
        ({"inputs": (TensorSpec(name="x", dtype="int64"),)}, r"takes `x` as FP32, the study gives INT64[\s\S]*dtype: float32"),
        ({"inputs": (TensorSpec(name="x", kind=ValueKind.TEXT),)}, r"takes `x` as FP32, the study gives BYTES"),
        ({"inputs": (TensorSpec(name="x", dtype="complex64"),)}, r"no datatype for complex64"),
    ],
)  # fmt: skip
def test_what_the_study_gets_wrong_is_told_before_a_row_is_sent(server: ServerV2, change: Any, words: str) -> None:
    with pytest.raises((ModelError, Unsupported), match=words):
        asked(server.url, **change)
    assert not server.requests


def test_an_input_that_the_study_leaves_out_and_a_model_that_is_not_there_are_named(server: ServerV2) -> None:
    with pytest.raises(ModelError, match=r"no model `itt`[\s\S]*did you mean `it`"):
        asked(server.url + "t")
    server.inputs["mask"] = ("INT64", (-1,))
    with pytest.raises(ModelError, match="doesn't say what the model's input `mask` is"):
        asked(server.url)


def test_rows_that_do_not_fit_are_refused_and_a_single_number_a_row_fits_a_column(server: ServerV2) -> None:
    session = asked(server.url)
    with pytest.raises(ModelError, match=r"of shape \[-1, 2\], given is \[3, 1\]"):
        session.predict({"x": X[:, :1]})
    server.inputs["x"] = ("FP32", (1, 2))
    with pytest.raises(ModelError, match=r"\[1, 2\], given is \[3, 2\]") as refused:
        asked(server.url).predict({"x": X})
    assert "batch:" in refused.value.next_step
    server.inputs["x"] = server.outputs["y"] = ("FP32", (-1, 1))
    assert asked(server.url).predict({"x": X[:, 0].copy()})["y"].shape == (3, 1)


def test_a_server_without_tensors_in_its_metadata_is_believed(server: ServerV2, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(server, "metadata", lambda: {"name": "it", "versions": [], "inputs": [], "outputs": []})
    assert np.array_equal(asked(server.url).predict({"x": X})["y"], X * 2)
    monkeypatch.setattr(server, "metadata", lambda: {"name": "it", "inputs": [{"shape": "?"}]})
    with pytest.raises(ModelError, match="metadata lists `inputs` in a way"):
        asked(server.url)


@pytest.mark.parametrize(
    ("health", "speaks", "words"),
    [
        ({"ready": 503}, "v2", r"the server says that it isn't ready \(503"),
        ({"model": 400}, "v2", r"the server says that the model isn't ready \(400"),
        ({"ready": 401}, "v2", r"answered 401 Unauthorized[\s\S]*`headers`"),
        ({}, "v1", r"speaks the first protocol \(v1\) only[\s\S]*`http`"),
        ({}, "v9", r"nothing here speaks the Open Inference Protocol"),
    ],
)
def test_what_is_not_ready_or_speaks_otherwise_is_told(server: ServerV2, health: Any, speaks: str, words: str) -> None:
    server.health |= health
    server.speaks = speaks
    with pytest.raises(ModelError, match=words):
        asked(server.url)


@pytest.mark.parametrize(
    "url",
    ["ftp://h/v2/models/a", "http://h/v1/models/a", "http://h/v2/models/a/infer", "http://h/v2/models/a/",
     "http://h/v2/models/", "http://h/v2/models/a?b=1", "http://me:secret@h/v2/models/a", "http://h"],
)  # fmt: skip
def test_urls_that_name_no_model_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        read(url)


def test_no_processor_is_claimed_for_a_server(server: ServerV2) -> None:
    for setting in (Setting("cpu", "unknown"), Setting("remote", "fp32")):
        with pytest.raises(Unsupported):
            catalog.load(PART).open(read(server.url), setting, catalog.options(PART))


# --- whatever goes wrong -----------------------------------------------------------------------------------------------


def _says(content: Any, status: int = 200, **headers: str) -> Callable[[Any, bytes], bool]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def fault(handler: Any, given: bytes) -> bool:
        reply(handler, body, status, **{name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return fault


def _gives(data: Any, shape: Any = (3, 2), datatype: str = "FP32", **more: Any) -> Callable[[Any, bytes], bool]:
    output = {"name": "y", "datatype": datatype, "shape": list(shape), "data": data} | more
    return _says({"model_name": "it", "model_version": "1", "outputs": [output]})


def _bytes(size: int, sent: int, shape: Any = (3, 2), length: str | None = None) -> Callable[[Any, bytes], bool]:
    output = {"name": "y", "datatype": "FP32", "shape": list(shape), "parameters": {"binary_data_size": size}}
    head = json.dumps({"outputs": [output]}).encode()
    return _says(head + b"\0" * sent, **{wire.LENGTH: length or str(len(head))})


def _raw(answer: bytes) -> Callable[[Any, bytes], bool]:
    """These very bytes, and then the end of the connection."""

    def fault(handler: Any, body: bytes) -> bool:
        handler.wfile.write(answer)
        return _ended(handler, body)

    return fault


def _slow(handler: Any, body: bytes) -> bool:
    time.sleep(0.8)
    return False


def _ended(handler: Any, body: bytes) -> bool:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
    return True


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_slow, r"gave no answer within 0.3 s"),
        (_ended, r"the connection to .* was lost"),
        (_says({"error": "x must be of rank 4"}, 400), r"answered 400 Bad Request: .*rank 4.*\n.*tensors: json"),
        (_says({"error": "the device was lost"}, 500), r"answered 500 .*the device was lost"),
        (_says(b"", 307, Location="http://elsewhere.example/"), r"sends us to http://elsewhere.example/"),
        (_says(b"\x1f\x8b\x08", Content_Encoding="gzip"), r"answered packed as gzip"),
        (_says(b"<html>"), r"something that is no JSON: <html>"),
        (_says(b"[" * 100_000), r"something that is no JSON"),
        (_says([1]), r"answered with list, not with `outputs`"),
        (_says({"predictions": [1]}), r"answered with predictions, not with `outputs`"),
        (_says({"outputs": [3]}), r"not with `outputs`"),
        (_says({"outputs": []}), r"gave no output `y` but nothing"),
        (_gives([1, 2, 3, 4], (2, 2)), r"`y` of shape \(2, 2\) for 3 rows"),
        (_gives([1, 2, 3], (3, 1)), r"shape \[3, 1\], its metadata says \[-1, 2\]"),
        (_gives([1] * 6, datatype="INT64"), r"`y` as INT64, its metadata says FP32"),
        (_gives([1] * 5), r"5 elements of `y`, its shape holds 6"),
        (_gives([None] * 6), r"elements of the type NoneType"),
        (_gives(["1"] * 6), r"elements of the type str"),
        (_gives([float("nan")] * 6), r"answered with NaN, which JSON doesn't have[\s\S]*tensors: binary"),
        (_gives([1] * 6, datatype="FP8"), r"datatype FP8, which the protocol doesn't know"),
        (_gives([1] * 6, shape=(3, -2)), r"without a shape of whole numbers"),
        (_gives(None), r"without `data`"),
        (_bytes(24, 12), r"sent 12 bytes of `y` and announced 24"),
        (_bytes(12, 12), r"sent 12 bytes of `y`, its shape and FP32 need 24"),
        (_bytes(24, 30), r"sent 30 bytes after the JSON and announced 24"),
        (_bytes(-1, 8), r"a size that is none: -1"),
        (_gives([], shape=(0, 2**62)), r"`y` a shape that no array has: \(0, 4611686018427387904\)"),
        (_gives([1] * 6, shape=(3, 2, *[1] * 70)), r"`y` a shape that no array has"),
        (_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}"), r"the connection to .* was lost"),
        (_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{}"), r"the connection to .* was lost"),
        (_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"), r"the connection to .* was lost"),
        (_raw(b"HTTP/1.1 200 " + b"x" * 70_000), r"the connection to .* was lost"),
        (_raw(b"\x15\x03\x01\x00\x02\x02\x46"), r"the connection to .* was lost"),
        (_bytes(24, 24, length="99999"), r"says that 99999 bytes are JSON"),
        (_bytes(24, 24, length="-1"), r"says that -1 bytes are JSON"),
        (_bytes(24, 24, length="1" * 5000), r"says that 1{40} bytes are JSON"),
        (_bytes(4 * 10**18, 24, (10**9, 10**9)), r"sent 24 bytes of `y` and announced 4000000000000000000"),
    ],
)  # fmt: skip
def test_whatever_a_server_does_wrong_is_told_in_words(server: ServerV2, fault: Any, words: str) -> None:
    session = asked(server.url, timeout=0.3)
    server.fault = fault
    with pytest.raises(ModelError, match=words):
        session.predict({"x": X})
    server.fault = lambda handler, body: False
    assert np.array_equal(session.predict({"x": X})["y"], X * 2), "a session goes on after a refusal"


def test_answers_in_chunks_are_read_and_one_without_end_takes_bounded_memory(server: ServerV2, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    import tracemalloc

    endless = False

    def chunks(handler: Any, body: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        whole = b'{"outputs": [{"name": "y", "shape": [3, 2], "datatype": "FP32", "data": [[2, 4], [6, 8], [10, 12]]}]}'
        pieces = [whole[:20], whole[20:]] if not endless else (b" " * 50_000 for _ in range(10_000))
        try:
            for piece in pieces:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            handler.close_connection = True
        return True

    session = asked(server.url)
    server.fault = chunks
    assert np.array_equal(session.predict({"x": X})["y"], X * 2)
    monkeypatch.setattr(_http, "MOST_ANSWER", 1_000_000)
    endless = True
    tracemalloc.start()
    with pytest.raises(ModelError, match="answered with more than 1000000 bytes"):
        session.predict({"x": X})
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_connection_that_was_dropped_meanwhile_is_made_anew(server: ServerV2) -> None:
    def dropped(handler: Any, body: bytes) -> bool:
        server.infer(handler, body)
        handler.close_connection = True
        return True

    session = asked(server.url)
    server.fault = dropped
    for _ in range(3):
        assert np.array_equal(session.predict({"x": X})["y"], X * 2)
        time.sleep(0.05)
    assert session.facts().details["connections"] == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_takes_no_more_says_what_to_do(server: ServerV2, status: int) -> None:
    session = asked(server.url)
    server.fault = _says({"error": "rate limit"}, status, Retry_After="3")
    with pytest.raises(ModelError, match=f"answered {status} .*rate limit") as told:
        session.predict({"x": X})
    assert "smaller batches or fewer a second" in told.value.next_step


def test_another_version_than_before_is_another_model(server: ServerV2) -> None:
    session = asked(server.url)
    session.predict({"x": X})
    server.version = "2"
    with pytest.raises(ModelError, match="answered with version 2 of the model, before it was 1"):
        session.predict({"x": X})


def test_nobody_there_is_told_and_one_connection_does_for_all(server: ServerV2) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ModelError, match=r"can't be made: .*refused"):
            asked(f"http://127.0.0.1:{taken.getsockname()[1]}/v2/models/it")
    session = asked(server.url)
    for _ in range(5):
        session.predict({"x": X})
    assert session.facts().details["connections"] == 1
    assert (session.facts().device, session.facts().precision) == ("remote", "unknown")


def test_secrets_reach_every_question_and_nobody_else(server: ServerV2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_TOKEN", "Bearer hush-hush")
    session = asked(server.url, headers={"Authorization": "MODEL_TOKEN"})
    session.predict({"x": X})
    assert server.requests[0][0]["Authorization"] == "Bearer hush-hush"
    server.fault = _says(b"", 401)
    with pytest.raises(ModelError) as told:
        session.predict({"x": X})
    assert "hush" not in f"{told.value}{session.facts()}"


# --- the network's share -----------------------------------------------------------------------------------------------


def _spent(server: ServerV2, queries: int = 6, between: Callable[[], None] = lambda: None) -> dict[str, Any]:
    session = asked(server.url)
    session.predict({"x": X})
    session.spent()
    for _ in range(queries):
        session.predict({"x": X})
    between()
    return session.spent()  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", ["header", "statistics", "round trip"])
def test_the_network_is_what_the_server_did_not_work(server: ServerV2, way: str) -> None:
    server.states = way if way != "round trip" else ""  # type: ignore[assignment]
    model = server.model
    server.model = lambda values: time.sleep(0.02) or model(values)  # type: ignore[func-returns-value]
    spent = _spent(server)
    assert (spent["way"], spent["queries"]) == (way, 6)
    assert spent["query"] >= spent["wire"] >= 0.02
    if way == "round trip":
        assert 0 < spent["round_trip"] < spent["wire"]
    else:
        assert 0.02 <= spent["server"] <= spent["wire"], "what the server did is in it, the network isn't"
        assert spent["server"] == pytest.approx(server.worked / server.done, rel=0.2)


def test_a_slow_network_is_told_from_a_slow_server(server: ServerV2) -> None:
    """What delays the answer outside the server's own time is the network's."""
    server.states = "header"
    answer = server.infer
    server.infer = lambda handler, body: (time.sleep(0.02), answer(handler, body))[1]  # type: ignore[method-assign, func-returns-value]
    spent = _spent(server)
    assert spent["wire"] - spent["server"] >= 0.02 > spent["server"]


def test_statistics_of_others_are_an_estimate_and_silence_tells_nothing(server: ServerV2) -> None:
    server.states = "statistics"

    def other() -> None:
        asked(server.url).predict({"x": X})

    assert _spent(server, between=other)["way"] == "statistics of all"
    server.states, server.health["live"] = "", 404
    assert _spent(server) == {}
    assert _spent(server, queries=0) == {}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("total;dur=12.5", 0.0125), ("db;dur=3, total;dur=5", 0.005), ("app;desc=\"x\";dur=4", 0.004), ("Total; dur=2", 0.002),
        ("db;dur=3, app;dur=4", None), ("missed", None), ("", None), ("app;dur=-1", None), ("app;dur=1e999", None), ("a;dur=1.2.3", None),
    ],
)  # fmt: skip
def test_server_timing_is_read_where_it_is_clear(header: str, seconds: float | None) -> None:
    from email.message import Message

    message = Message()
    message["Server-Timing"] = header
    assert stated_time(message) == seconds


def _found(spent: list[dict[str, Any]]) -> dict[str, Any]:
    meter = catalog.load(catalog.find("meters", "network"))
    probes = [Probe(None, {}, read("http://h/v2/models/a"), spent=one) for one in spent]
    rounds = [Round(index, meter.read(probe)) for index, probe in enumerate(probes)]
    return {one.what: one for one in meter.findings(rounds, "offline", 0.95, meter.Options())}


def test_the_meter_states_seconds_and_share_with_their_origin() -> None:
    one = {"queries": 9, "query": 0.010, "wire": 0.008, "server": 0.006, "way": "header"}
    found = _found([one, one | {"server": 0.0055}, one])
    assert found["network.time"].value == pytest.approx((0.002 * 0.0025 * 0.002) ** (1 / 3))
    assert found["network.share"].value == pytest.approx(found["network.time"].value / 0.010)
    assert {finding.origin for finding in found.values()} == {Origin.MEASURED}
    guess = {"queries": 9, "query": 0.010, "wire": 0.008, "round_trip": 0.001, "way": "round trip"}
    assert _found([guess])["network.time"].value == pytest.approx(0.001)
    assert _found([guess | {"round_trip": 5.0}])["network.share"].value == pytest.approx(0.8), "at most the whole wire"
    for mixed in ([guess], [one, guess], [one | {"way": "statistics of all"}]):
        assert {finding.origin for finding in _found(mixed).values()} == {Origin.ESTIMATED}


def test_a_server_that_states_more_than_there_was_and_a_runtime_that_tells_nothing() -> None:
    lie = {"queries": 9, "query": 0.010, "wire": 0.008, "server": 0.009, "way": "header"}
    assert {one.state for one in _found([lie]).values()} == {State.FAILED}
    assert {one.state for one in _found([{}]).values()} == {State.UNSUPPORTED}


def test_text_that_is_cut_short_is_refused() -> None:
    cut = struct.pack("<I", 9) + b"abc"
    with pytest.raises(ModelError, match="don't hold together"):
        wire._from_bytes(memoryview(cut), "y", "BYTES", 1, "it")
