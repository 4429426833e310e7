"""What workers are held to: no network unless it is given, a folder of their own, no more memory than there is."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_study import STUDY, make

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.flow import isolation
from seatrial.flow import study as flow
from seatrial.flow.isolation import NONE, OPEN
from seatrial.parts.executors import _own_folder
from seatrial.parts.executors._own_folder import OwnFolder

CODE = "from seatrial.flow.isolation import leave; import sys; sys.exit(bool(leave()))"
ALLOWED = subprocess.run([sys.executable, "-c", CODE], check=False).returncode == 0
allowed = pytest.mark.skipif(not ALLOWED, reason="this system refuses network namespaces")

CALLING = """
import urllib.request
import numpy as np

def predict(x):
    urllib.request.urlopen("http://127.0.0.1:%d/", timeout=5).read()
    return {"logits": np.zeros((len(x), 3), np.float32)}
"""


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A server on this machine, and who asked it."""
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running.server_port, asked
    running.shutdown()


@allowed
def test_the_process_reaches_itself_and_nobody_else(server):
    port, asked = server
    code = f"""
import socket, os
from seatrial.flow.isolation import leave
user = os.getuid()
assert leave() == ""
assert os.getuid() == user
own = socket.create_server(("127.0.0.1", 0))
socket.create_connection(own.getsockname(), timeout=5)
for address in (("127.0.0.1", {port}), ("192.0.2.1", 80)):
    try:
        socket.create_connection(address, timeout=5)
    except OSError:
        continue
    raise SystemExit(f"it reached {{address}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not asked


@pytest.mark.parametrize("network", [True, pytest.param(False, marks=allowed)])
def test_a_worker_says_what_it_can_reach(tmp_path, network):
    info = catalog.find("executors", "process")
    link = catalog.load(info).start(tmp_path / "log", None, catalog.options(info, {"network": network}))
    try:
        said = link.ask(Order(order="hello"), 60)["network"]
    finally:
        link.close()
    assert said == (OPEN if network else NONE)


@allowed
@pytest.mark.parametrize("given", [False, True])
def test_a_model_of_somebodys_calls_nobody_unless_the_study_lets_it(tmp_path, server, given):
    port, asked = server
    (tmp_path / "model.py").write_text(CALLING % port)
    executor = ", executor: {process: {network: true}}" if given else ""
    text = STUDY.replace("forms: {onnx: {path: linear.onnx}}", "forms: {python: {function: 'model.py:predict'}}")
    text = text.replace("runtime: onnxruntime, batch: [1, 8]", "runtime: python, precision: unknown, batch: 8")
    text = "\n".join(line for line in text.splitlines() if "int8" not in line and "bf16" not in line)
    text = text.replace("{runtime: onnxruntime, variant: as_is, batch: 1}", "{runtime: python}").replace(
        "flips]", f"flips]{executor}"
    )
    dossier = flow.run(make(tmp_path, text))
    assert bool(asked) is given
    failures = [one.note for one in dossier.findings if one.what == "run"]
    assert bool(failures) is not given, failures
    assert dossier.environment["network_of_workers"] == (OPEN if given else NONE)
    found = next(one for one in dossier.findings if one.what == "environment.network_of_workers")
    assert found.value == dossier.environment["network_of_workers"]


# --- folder and memory ----------------------------------------------------------------------------------------------------------


def hello(tmp_path, memory=None):
    info = catalog.find("executors", "process")
    link = catalog.load(info).start(tmp_path / "log", memory, catalog.options(info, {}))
    try:
        return link.ask(Order(order="hello"), 60)
    finally:
        link.close()


@pytest.mark.parametrize("asked", [None, 2**31])
def test_a_worker_takes_no_more_memory_than_the_study_or_the_machine_has(tmp_path, asked):
    whole = isolation.resource.RLIM_INFINITY if isolation.DRIVER.exists() else isolation._all_there_is()
    assert hello(tmp_path, asked)["memory"] == (asked or whole)
    assert 2**28 < isolation._all_there_is() <= psutil.virtual_memory().total


@pytest.mark.parametrize(("written", "container"), [("max", False), ("1048576", True), ("", False)])
def test_in_a_container_what_it_has_counts(tmp_path, monkeypatch, written, container):
    (tmp_path / "memory.max").write_text(written)
    monkeypatch.setattr(isolation, "CONTAINER", tmp_path / "memory.max")
    assert (isolation._all_there_is() == 1048576) is container


def test_a_worker_has_a_folder_of_its_own_that_goes_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = hello(tmp_path), hello(tmp_path)
    assert len({one["folder"], other["folder"], str(tmp_path)}) == 3
    assert not Path(one["folder"]).exists()


def test_a_folder_whose_maker_was_killed_goes_when_the_next_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(_own_folder.tempfile, "tempdir", None)
    make = "from seatrial.parts.executors._own_folder import OwnFolder; print(OwnFolder().path, flush=True); input()"
    killed, beside = (
        subprocess.Popen([sys.executable, "-c", make], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    left, held = (Path(one.stdout.readline().strip()).parent for one in (killed, beside))
    killed.kill()
    killed.communicate()
    stranger = tmp_path / "seatrial-worker-of-another-kind"
    stranger.mkdir()
    OwnFolder().remove()
    assert left.exists(), "a young folder may be one that is being made"
    for one in (left, held, stranger):
        os.utime(one, (0, 0))
    new = OwnFolder()
    assert set(tmp_path.iterdir()) == {held, stranger, Path(new.path).parent}
    new.remove()
    beside.communicate("")
    assert set(tmp_path.iterdir()) == {held, stranger}


LITTERING = """
import pathlib, tempfile
import numpy as np

def predict(x):
    pathlib.Path("left lying about").write_text("x")
    tempfile.mkstemp(prefix="left")
    return {"logits": np.zeros((len(x), 3), np.float32)}
"""


def test_what_a_model_leaves_lying_about_is_gone_with_its_worker(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    monkeypatch.setattr(tempfile, "tempdir", None)
    study = tmp_path / "study"
    study.mkdir()
    (study / "model.py").write_text(LITTERING)
    text = STUDY.replace("forms: {onnx: {path: linear.onnx}}", "forms: {python: {function: 'model.py:predict'}}")
    text = text.replace("runtime: onnxruntime, batch: [1, 8]", "runtime: python, precision: unknown, batch: 8")
    text = "\n".join(line for line in text.splitlines() if "int8" not in line and "bf16" not in line)
    text = text.replace("{runtime: onnxruntime, variant: as_is, batch: 1}", "{runtime: python}")
    dossier = flow.run(make(study, text))
    assert not [one.note for one in dossier.findings if one.what == "run"]
    assert list(elsewhere.iterdir()) == []
    assert not list(study.glob("left*"))
