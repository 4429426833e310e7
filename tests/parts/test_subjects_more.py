"""Functions, URLs and outputs made elsewhere: what is read without being run, and whatever can go wrong when it is."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Signature, TensorSpec
from seatrial.contracts.protocols import Setting
from seatrial.errors import DataError, ModelError, Unsupported
from seatrial.flow._look import by_suffix
from seatrial.flow.compare import Reading, compare
from seatrial.parts.runtimes import _http
from seatrial.testing import datasets
from seatrial.testing._endpoint import Endpoint, reply

ONE = Signature(inputs=(TensorSpec(name="x", shape=(2,)),), outputs=(TensorSpec(name="y", shape=(2,)),))
TWO = Signature(
    inputs=(TensorSpec(name="a"), TensorSpec(name="b", shape=(2,))),
    outputs=(TensorSpec(name="sum", shape=(2,)), TensorSpec(name="first")),
)
X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)


def read(kind: str, folder: Path, **options: Any) -> Artefact:
    part = catalog.find("subjects", kind)
    return catalog.load(part).read(catalog.options(part, options), folder)


def opened(artefact: Artefact, signature: Signature = ONE, device: str = "cpu") -> Any:
    part = catalog.find("runtimes", artefact.format)
    whole = artefact.model_copy(update={"signature": signature})
    return catalog.load(part).open(whole, Setting(device, "unknown"), catalog.options(part))


# --- a function --------------------------------------------------------------------------------------------------------


def function(folder: Path, code: str, signature: Signature = ONE, **options: Any) -> Any:
    (folder / "score.py").write_text(code)
    return opened(read("python", folder, function="score.py:predict", **options), signature)


@pytest.mark.parametrize(
    "code",
    ["predict = None", "from math import sin as predict", "class predict: pass", "if True:\n    def predict(): pass",
     "try:\n    import predict\nexcept ImportError:\n    pass", "a = (predict, c) = 1, 2", "from os import *"],
)  # fmt: skip
def test_a_name_is_found_however_it_is_bound_and_nothing_is_run(tmp_path: Path, code: str) -> None:
    (tmp_path / "score.py").write_text(f"{code}\nraise SystemExit('this must not run')\n")
    assert read("python", tmp_path, function="score.py:predict").entry == "score.py:predict"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def score(x): ...", r"there is no `predict` .*\n.*it defines `score`"),
        ("def f():\n    def predict(x): ...", r"there is no `predict`"),
        ("def predict(x:\n", r"no Python that can be read"),
        ("x = '\0'", r"no Python that can be read"),
    ],
)
def test_what_has_no_such_function_is_refused(tmp_path: Path, code: str, words: str) -> None:
    (tmp_path / "score.py").write_text(code)
    with pytest.raises(ModelError, match=words):
        read("python", tmp_path, function="score.py:predict")


def test_files_and_arguments_belong_to_a_functions_identity(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def predict(x): ...\n")
    (tmp_path / "weights").write_bytes(b"1")
    plain = read("python", tmp_path, function="score.py:predict")
    hashes = {plain.hash, read("python", tmp_path, function="score.py:predict", arguments={"k": 2}).hash}
    hashes.add(read("python", tmp_path, function="score.py:predict", files=["weights"]).hash)
    (tmp_path / "weights").write_bytes(b"2")
    hashes.add(read("python", tmp_path, function="score.py:predict", files=["weights"]).hash)
    assert len(hashes) == 4
    for wrong in ("score.py", "score.py:", ":predict", "score.py:no name"):
        with pytest.raises(ValidationError, match=r"no `file\.py:function`"):
            read("python", tmp_path, function=wrong)


def test_one_answer_needs_no_name_several_do(tmp_path: Path) -> None:
    assert np.array_equal(function(tmp_path, "def predict(x): return x * 2").predict({"x": X})["y"], X * 2)
    assert np.array_equal(
        function(tmp_path, "def predict(x, k): return x * k", arguments={"k": 3}).predict({"x": X})["y"], X * 3
    )
    given = {"a": X[:, 0].copy(), "b": X}
    session = function(tmp_path, "def predict(a, b): return {'first': a, 'sum': b + a[:, None], 'more': 1}", TWO)
    got = session.predict(given)
    assert list(got) == ["sum", "first"]
    assert np.array_equal(got["sum"], X + X[:, :1])


def test_lists_and_a_buffer_that_is_used_again_are_answers_too(tmp_path: Path) -> None:
    session = function(
        tmp_path, "import numpy as np\nB = np.zeros((3, 2))\ndef predict(x):\n    B[:] = x\n    return B"
    )
    first = session.predict({"x": X})
    session.predict({"x": X * 0})
    assert np.array_equal(first["y"], X)
    assert function(tmp_path, "def predict(x): return x.tolist()").predict({"x": X})["y"].tolist() == X.tolist()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("pass", r"`score.py:predict` gave nothing \(None\)"),
        ("return 1 / 0", r"given 3 rows, raised ZeroDivisionError in line 2: division by zero"),
        ("raise SystemExit(3)", r"raised SystemExit in line 2: 3"),
        ("return x[:2]", r"gave `y` of shape \(2, 2\) for 3 rows"),
        ("return 7", r"gave `y` of shape \(\) for 3 rows"),
        ("return {'z': x}", r"gave no output `y` but z"),
        ("return ['a', 'b', 'c']", r"gave values of the type <U1 in `y`, not numbers"),
        ("return [[1], [2, 3], [4]]", r"gave something in `y` that is no array"),
        ("return [object()] * 3", r"gave list in `y`, not numbers"),
        ("x += 1\n    return x", r"raised ValueError in line 2: .*read-only"),
        ("return predict(x)", r"raised RecursionError"),
        ("return x[:, :len(x) - 1] if len(x) < 3 else x", r"gave rows of float32\[1\] in `y`, before they were float32\[2\]"),
    ],
)  # fmt: skip
def test_whatever_a_function_does_wrong_is_told_in_words(tmp_path: Path, body: str, words: str) -> None:
    session = function(tmp_path, f"def predict(x):\n    {body}\n")
    with pytest.raises(ModelError, match=words):  # noqa: PT012 - the last goes wrong in the second call alone
        for count in (3, 2):
            session.predict({"x": X[:count]})


def test_a_function_that_changed_since_it_was_read_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def predict(x): return x\n")
    (tmp_path / "weights").write_bytes(b"1")
    artefact = read("python", tmp_path, function="score.py:predict", files=["weights"])
    (tmp_path / "weights").write_bytes(b"2")
    with pytest.raises(ModelError, match="weights has changed since the study was read"):
        opened(artefact)
    (tmp_path / "weights").write_bytes(b"1")
    (tmp_path / "score.py").write_text("raise SystemExit\n")
    with pytest.raises(ModelError, match=r"score.py has changed since the study was read"):
        opened(artefact)


def test_no_precision_is_claimed_for_a_function(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def predict(x): return x\n")
    part = catalog.find("runtimes", "python")
    artefact = read("python", tmp_path, function="score.py:predict")
    with pytest.raises(Unsupported, match="precision: unknown"):
        catalog.load(part).open(artefact, Setting("cpu", "fp32"), catalog.options(part))
    assert opened(artefact).facts().precision == "unknown"


# --- a URL -------------------------------------------------------------------------------------------------------------


def double(values: Any) -> dict[str, Any]:
    return {"y": values["x"] * 2}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint(double, ("x",))
    yield made
    made.close()


def asked(url: str, signature: Signature = ONE, **options: Any) -> Any:
    return opened(read("http", Path(), url=url, **{"timeout": 2, **options}), signature, "remote")


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {"instances": [[1, 2], [3, 4], [5, 6]]}),
        ({"protocol": "columns"}, {"inputs": [[1, 2], [3, 4], [5, 6]]}),
        ({"named": True}, {"instances": [{"x": [1, 2]}, {"x": [3, 4]}, {"x": [5, 6]}]}),
        ({"named": True, "protocol": "columns"}, {"inputs": {"x": [[1, 2], [3, 4], [5, 6]]}}),
    ],
)
def test_one_input_goes_as_the_protocol_has_it(endpoint: Endpoint, options: dict[str, Any], sent: Any) -> None:
    answer = asked(endpoint.url, **options).predict({"x": X})["y"]
    assert json.loads(endpoint.bodies[0]) == sent
    assert answer.dtype == np.float32
    assert np.array_equal(answer, X * 2)


@pytest.mark.parametrize("protocol", ["instances", "columns"])
def test_several_inputs_and_outputs_go_by_name(protocol: str) -> None:
    made = Endpoint(lambda values: {"first": values["a"], "sum": values["b"] + values["a"][:, None]}, ("a", "b"))
    got = asked(made.url, TWO, protocol=protocol).predict({"a": X[:, 0].copy(), "b": X})
    made.close()
    assert list(got) == ["sum", "first"]
    assert np.array_equal(got["sum"], X + X[:, :1])
    assert np.array_equal(got["first"], X[:, 0])


def test_the_connection_is_kept_and_made_anew_where_the_server_ended_it(endpoint: Endpoint) -> None:
    session = asked(endpoint.url)
    for _ in range(5):
        session.predict({"x": X})
    assert session.facts().details["connections"] == 1
    endpoint.fault = lambda handler, body: setattr(handler, "close_connection", True) or False
    session.predict({"x": X})
    time.sleep(0.1)
    endpoint.fault = lambda handler, body: False
    assert np.array_equal(session.predict({"x": X})["y"], X * 2)
    facts = session.facts()
    assert (facts.device, facts.precision, facts.fell_back) == ("remote", "unknown", "")
    assert "network" in facts.details["time"]


def _slow(handler: Any, body: bytes) -> bool:
    time.sleep(1.0)
    return False


def _cut(handler: Any, body: bytes) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"predictions": [[1')
    handler.close_connection = True
    return True


def _ended(handler: Any, body: bytes) -> bool:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
    return True


def _says(content: Any, status: int = 200, **headers: str) -> Callable[[Any, bytes], bool]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def fault(handler: Any, given: bytes) -> bool:
        reply(handler, body, status, **headers)
        return True

    return fault


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_slow, r"gave no answer within 0.3 s"),
        (_cut, r"the connection to .* was lost"),
        (_ended, r"the connection to .* was lost"),
        (_says({"error": "no such model"}, 404), r"answered 404 Not Found: .*no such model"),
        (_says(b"", 500), r"answered 500 Internal Server Error"),
        (_says(b"", 302, Location="http://elsewhere.example/"), r"sends us to http://elsewhere.example/ \(302\)"),
        (_says(b"", 307, Location="/v2"), r"sends us to /v2 \(307\); redirects aren't followed"),
        (_says(b"<html>login</html>"), r"something that is no JSON: <html>login"),
        (_says(b"\xff\xfe"), r"something that is no JSON"),
        (_says(b"[" * 100_000), r"something that is no JSON"),
        (_says([1, 2, 3]), r"answered with list, not with `predictions`"),
        (_says({"outputs": [[1, 2]] * 3}), r"answered with outputs, not with `predictions`.*\n.*protocol: columns"),
        (_says({"predictions": [[1, 2]] * 2}), r"gave `y` of shape \(2, 2\) for 3 rows"),
        (_says({"predictions": [[1, 2], [3], [4, 5]]}), r"that is no array"),
        (_says({"predictions": [["a", "b"]] * 3}), r"not numbers"),
        (_says({"predictions": [None] * 3}), r"not numbers"),
        (_says({"predictions": None}), r"gave nothing"),
        (_says({"predictions": [{"z": 1}] * 3}), r"gave no output `y` but z"),
    ],
)  # fmt: skip
def test_whatever_an_endpoint_does_wrong_is_told_in_words(endpoint: Endpoint, fault: Any, words: str) -> None:
    session = asked(endpoint.url, timeout=0.3)
    endpoint.fault = fault
    with pytest.raises(ModelError, match=words):
        session.predict({"x": X})
    endpoint.fault = lambda handler, body: False
    assert np.array_equal(session.predict({"x": X})["y"], X * 2), "a session goes on after a refusal"


def test_rows_of_another_shape_than_before_are_refused(endpoint: Endpoint) -> None:
    session = asked(endpoint.url)
    session.predict({"x": X})
    endpoint.fault = _says({"predictions": [[1, 2, 3]] * 3})
    with pytest.raises(ModelError, match=r"rows of shape \(3,\) in `y`, before they were \(2,\)"):
        session.predict({"x": X})


def test_nobody_there_and_an_answer_without_end(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ModelError, match=r"can't be made: .*refused"):
            asked(f"http://127.0.0.1:{taken.getsockname()[1]}/").predict({"x": X})
    monkeypatch.setattr(_http, "MOST_ANSWER", 1000)
    endpoint.fault = _says(b" " * 1001)
    with pytest.raises(ModelError, match="answered with more than 1000 bytes"):
        asked(endpoint.url).predict({"x": X})


def test_what_speaks_no_http_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            other, _ = server.accept()
            with other:
                other.recv(10_000)
                other.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(ModelError, match=r"connection to .* SSH-2.0"):
            asked(f"http://127.0.0.1:{server.getsockname()[1]}/").predict({"x": X})


def test_secrets_come_from_the_environment_and_are_told_to_nobody_else(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    artefact = read("http", Path(), url=endpoint.url, headers={"Authorization": "MODEL_TOKEN"})
    with pytest.raises(ModelError, match=r"environment variable MODEL_TOKEN, which isn't set") as refused:
        opened(artefact, ONE, "remote")
    assert "export MODEL_TOKEN" in refused.value.next_step
    monkeypatch.setenv("MODEL_TOKEN", "Bearer hush-hush")
    session = opened(artefact, ONE, "remote")
    session.predict({"x": X})
    assert endpoint.headers[0]["Authorization"] == "Bearer hush-hush"
    endpoint.fault = _says(b"", 401)
    with pytest.raises(ModelError) as told:
        session.predict({"x": X})
    assert "hush" not in f"{told.value}{session.facts()}{artefact.model_dump_json()}"
    monkeypatch.setenv("MODEL_TOKEN", "hush\r\nX-More: 1")
    with pytest.raises(ModelError, match="characters that a header can't") as wrong:
        opened(artefact, ONE, "remote")
    assert "hush" not in str(wrong.value)


def test_proxies_are_not_used(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert np.array_equal(asked(endpoint.url).predict({"x": X})["y"], X * 2)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://host/"}, {"url": "host:8501"}, {"url": "http://"}, {"url": "http://host:port/"},
        {"url": "http://me:secret@host/"}, {"url": "http://host/a b"}, {"url": "http://host/\r\nX: 1"},
        {"url": "http://host/", "headers": {"Authorization": "Bearer abc"}},
        {"url": "http://host/", "headers": {"X\r\nY": "TOKEN"}},
    ],
)  # fmt: skip
def test_urls_and_headers_that_are_none_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read("http", Path(), **options)


def test_no_processor_is_claimed_for_a_url(endpoint: Endpoint) -> None:
    part = catalog.find("runtimes", "http")
    artefact = read("http", Path(), url=endpoint.url)
    for setting in (Setting("cpu", "unknown"), Setting("remote", "fp32")):
        with pytest.raises(Unsupported):
            catalog.load(part).open(artefact, setting, catalog.options(part))


# --- outputs made elsewhere --------------------------------------------------------------------------------------------


def test_every_file_belongs_to_the_identity_of_outputs_and_so_does_how_they_are_read(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, y=np.zeros(3))
    one = read("predictions", tmp_path, **{"from": {"npz": {"path": "a.npz"}}})
    both = read("predictions", tmp_path, **{"from": {"npz": {"path": "*.npz"}}})
    keyed = read("predictions", tmp_path, **{"from": {"npz": {"path": "a.npz"}}, "key": "id"})
    assert len(both.files) == 2
    assert len({one.hash, both.hash, keyed.hash}) == 3
    for path in ("c.npz", "*.parquet"):
        with pytest.raises(ModelError, match="there"):
            read("predictions", tmp_path, **{"from": {"npz": {"path": path}}})
    with pytest.raises(ModelError, match="`path` names"):
        read("predictions", tmp_path, **{"from": {"feast": {"entity": "user"}}})
    with pytest.raises(ValidationError, match="say `key` too"):
        read("predictions", tmp_path, **{"from": {"npz": {"path": "a.npz"}}, "data_key": "id"})


# --- logs of LoadGen and trtexec ----------------------------------------------------------------------------------------

LOADGEN = """\
[
{ "seq_id" : 0, "qsl_idx" : 6, "data" : "3DC1D23E1471853F979E03BE" },
{ "seq_id" : 1, "qsl_idx" : 5, "data" : "E0753BBF8F540BBF18F2A1BE" },
{ "seq_id" : 2, "qsl_idx" : 3, "data" : "55F9A1BFEA8E1FBF6E45293D" },
{ "seq_id" : 3, "qsl_idx" : 2, "data" : "79E9A63FE673723FFE2734BF" },
{ "seq_id" : 4, "qsl_idx" : 1, "data" : "DFD5D63DA12109BFFD22B93E" },
{ "seq_id" : 5, "qsl_idx" : 4, "data" : "4ECD14C0EC0A60BE037A9FBF" },
{ "seq_id" : 6, "qsl_idx" : 0, "data" : "6CBF003E7F4607BEBDF2233F" }
]
"""
"""What LoadGen 6.0.17 wrote of seven answers, `default_rng(0).normal(size=(7, 3))` as float32, in its accuracy mode."""


def rows(kind: str, folder: Path, names: list[str], size: int = 100, **options: Any) -> dict[str, Any]:
    part = catalog.find("datasets", kind)
    pieces = list(catalog.load(part).chunks(catalog.options(part, options), folder, names, size))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}


def test_a_log_that_loadgen_wrote_gives_its_answers_back(tmp_path: Path) -> None:
    (tmp_path / "mlperf_log_accuracy.json").write_text(LOADGEN)
    got = rows("loadgen_log", tmp_path, ["qsl_idx", "output", "seq_id"], 2, path="mlperf_log_accuracy.json")
    right = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    assert got["seq_id"].tolist() == list(range(7))
    assert np.array_equal(got["output"], right[got["qsl_idx"]])
    assert got["output"].dtype == np.float32


def test_bytes_of_a_log_are_read_as_they_are_said_to_be(tmp_path: Path) -> None:
    def log(*answers: Any) -> None:
        entries = [{"seq_id": at, "qsl_idx": at, "data": one.tobytes().hex()} for at, one in enumerate(answers)]
        (tmp_path / "log.json").write_text(json.dumps(entries))

    log(np.int64([3]), np.int64([4]))
    assert rows("loadgen_log", tmp_path, ["output"], path="log.json", dtype="int64")["output"].tolist() == [3, 4]
    log(np.arange(6, dtype=np.float16))
    got = rows("loadgen_log", tmp_path, ["output"], path="log.json", dtype="float16", shape=[3, 2])["output"]
    assert got.tolist() == [[[0, 1], [2, 3], [4, 5]]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON list"),
        ("{}", "no JSON list"),
        ("[]", "there are no rows"),
        ("[1]", "entry 0 is a int"),
        ("[{}]", "no accuracy log of LoadGen"),
        ('[{"seq_id": 0, "qsl_idx": 0, "data": "zz"}]', "hexadecimal"),
        ('[{"seq_id": 0, "qsl_idx": 0, "data": 7}]', "hexadecimal"),
        ('[{"seq_id": 0, "qsl_idx": 0, "data": ""}]', "0 bytes are no numbers"),
        ('[{"seq_id": 0, "qsl_idx": 0, "data": "000000"}]', "3 bytes are no numbers of the type float32"),
        ('[{"seq_id": 0, "qsl_idx": 0, "data": "00000000"}, {"seq_id": 1, "qsl_idx": 1, "data": "0000000000000000"}]',
         "entry 1: it holds 2 numbers where one are wanted"),
        (LOADGEN[:200], "cut off"),
        (LOADGEN.rstrip()[:-1], "ends within, after 7 entries"),
        ("[" * 100_000, "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "log.json").write_text(text)
    with pytest.raises(DataError) as refused:
        rows("loadgen_log", tmp_path, ["output", "seq_id"], path="log.json")
    assert words in str(refused.value)


def test_a_log_longer_than_what_is_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seatrial.parts.datasets import _entries

    monkeypatch.setattr(_entries, "BLOCK", 7)
    (tmp_path / "log.json").write_text(LOADGEN)
    assert len(rows("loadgen_log", tmp_path, ["output"], path="log.json")["output"]) == 7


TRTEXEC = """\
[
  { "name" : "logits"
  , "dimensions" : "2x3"
  , "values" : [ 0.12573, -0.132105, 1.2e-05, -nan, inf, 3 ]
  }
, { "name" : "label"
  , "dimensions" : "2"
  , "values" : [ 2, 0 ]
  }
]
"""


def test_outputs_of_trtexec_are_read_as_it_prints_them(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text(TRTEXEC)
    got = rows("trtexec", tmp_path, ["logits", "label"], 1, path="out.json")
    assert np.array_equal(got["logits"], [[0.12573, -0.132105, 1.2e-05], [np.nan, np.inf, 3]], equal_nan=True)
    assert got["label"].tolist() == [2, 0]
    (tmp_path / "out2.json").write_text(TRTEXEC)
    assert rows("trtexec", tmp_path, ["label"], path="out*.json")["label"].tolist() == [2, 0, 2, 0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"2x3"', '"2x4"', "6 values where its dimensions 2x4"),
        ('"2x3"', '""', "has the dimensions ``"),
        (", 3 ]", ', "3a" ]', "can't be read as outputs of trtexec"),
        ('"values" : [ 2', '"numbers" : [ 2', "no output of trtexec"),
        ("[\n  {", "{\n  {", "can't be read as outputs of trtexec"),
        ('"dimensions" : "2"\n  , "values" : [ 2, 0 ]', '"dimensions" : "1"\n  , "values" : [ 2 ]', "different numbers of rows"),
    ],
)  # fmt: skip
def test_what_trtexec_never_wrote_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in TRTEXEC
    (tmp_path / "out.json").write_text(TRTEXEC.replace(old, new))
    with pytest.raises(DataError, match=words):
        rows("trtexec", tmp_path, ["logits", "label"], path="out.json")


def test_json_is_read_by_the_data_set_that_can_make_something_of_it(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(LOADGEN)
    (tmp_path / "out.json").write_text(TRTEXEC)
    assert by_suffix("datasets", tmp_path / "log.json").name == "loadgen_log"
    assert by_suffix("datasets", tmp_path / "out.json").name == "trtexec"


def test_two_logs_of_loadgen_are_compared_by_the_samples_they_speak_of(tmp_path: Path) -> None:
    columns = datasets.logged()
    other = columns | {"qsl_idx": columns["qsl_idx"][::-1], "output": columns["output"][::-1] + np.float32([0, 0, 3])}
    for name, held in (("ref", columns), ("cand", other)):
        datasets.write_loadgen_log(tmp_path, held)
        (tmp_path / "mlperf_log_accuracy.json").rename(tmp_path / f"{name}.json")
    files = tmp_path / "ref.json", tmp_path / "cand.json"
    with pytest.raises(DataError, match="another order"):
        compare(*files, Reading("classification", means="logits"))
    made = compare(*files, Reading("classification", key="qsl_idx", means="logits"))
    flips = next(finding for finding in made.findings if finding.what == "flips")
    right = columns["output"].argmax(1) != (columns["output"] + np.float32([0, 0, 3])).argmax(1)
    assert flips.value == pytest.approx(right.mean())
    assert right.any()
