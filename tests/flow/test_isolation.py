"""Workers without a network: they reach no server, say so, and have one where they must or where the study gives it."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from small_study import STUDY, make

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.flow import study as flow
from seatrial.flow.isolation import NONE, OPEN

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
