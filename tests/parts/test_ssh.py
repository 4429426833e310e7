"""The ssh executor against a real sshd on loopback, started by the test with keys of its own."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import small_study

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.errors import StudyError, WorkerCrashed, WorkerFailed, WorkerHung, WorkerOutOfMemory
from seatrial.flow import arrays, machines
from seatrial.flow.read import read
from seatrial.flow.study import run
from seatrial.parts.executors import ssh
from seatrial.testing.executors import exam

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(
    SSHD is None and "CI" not in os.environ, reason="needs sshd: apt-get install openssh-server"
)
PATIENCE = 60.0
TREE = os.environ.get("PYTHONPATH")
PYTHON = f"env PYTHONPATH={TREE} {sys.executable}" if TREE else sys.executable
"""The interpreter there, which finds the same seatrial as this one."""


class Server:
    """An sshd on a free port that lets one key in."""

    def __init__(self, folder: Path) -> None:
        assert SSHD, "no sshd is installed: apt-get install openssh-server"
        self.folder = folder
        for name in ("host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        key = (folder / "host.pub").read_text().split()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n")
        (folder / "unknown").write_text("")
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
            f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        log = (folder / "sshd.log").open("wb")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
        deadline = time.monotonic() + PATIENCE
        while "listening" not in (folder / "sshd.log").read_text():
            assert self.process.poll() is None, (folder / "sshd.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def options(self, **further: Any) -> ssh.Options:
        given = {
            "host": f"{getpass.getuser()}@127.0.0.1:{self.port}",
            "python": PYTHON,
            "folder": str(self.folder / "there"),
            "identity": str(self.folder / "user"),
            "known_hosts": str(self.folder / "known"),
        }
        return ssh.Options(**given | further)

    def address(self, **further: str) -> str:
        options = self.options(**further).model_dump(exclude={"host"}, exclude_defaults=True)
        return f"ssh://{self.options().host}?" + "&".join(f"{name}={value}" for name, value in options.items())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("sshd"))
    yield one
    one.process.terminate()
    one.process.wait()


@pytest.fixture
def link(server, tmp_path):
    one = ssh.start(tmp_path / "log", None, server.options())
    yield one
    one.close()


def gone(pid: int) -> bool:
    """Whether a process ends soon."""
    deadline = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def hello(link, **settings: Any) -> dict[str, Any]:
    return link.ask(Order(order="hello", settings=settings), PATIENCE)


def sent(folder: Path) -> dict[str, int]:
    """Files by content that lie at the other end, with their inodes: a file that is sent again has another."""
    files = [*folder.glob("files/*"), *folder.glob("arrays/*.npy")]
    return {file.name: file.stat().st_ino for file in files}


# --- a worker there ------------------------------------------------------------------------------------------------------


def test_a_worker_answers_and_ends_with_its_connection(link):
    said = hello(link, packages=["numpy"])
    assert said["seatrial"]
    assert said["environment"]["packages"]["numpy"][0].isdigit()
    with pytest.raises(WorkerFailed):
        link.ask(Order(order="predict", values={}), PATIENCE)
    assert hello(link)["pid"] == said["pid"], "a worker doesn't outlive an error of its part"
    link.close()
    assert gone(said["pid"])
    link.close()


@pytest.mark.parametrize(
    ("sign", "error"), [(signal.SIGSEGV, WorkerCrashed), (signal.SIGKILL, WorkerOutOfMemory)], ids=str
)
def test_how_a_worker_ended_there_is_told(link, sign, error):
    os.kill(hello(link)["pid"], sign)
    with pytest.raises(error, match=r"127\.0\.0\.1"):
        hello(link)


def test_a_worker_that_hangs_is_ended_even_though_it_stands_still(link):
    pid = hello(link)["pid"]
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerHung):
        link.ask(Order(order="hello"), 0.5)
    assert gone(pid)


@pytest.mark.parametrize("whose", ["client", "server", "relay"])
def test_a_lost_connection_says_so_and_leaves_no_worker(link, whose):
    worker = psutil.Process(hello(link)["pid"])
    relay = worker.parent()
    killed = {"client": link.pid, "server": relay.parent().pid, "relay": relay.pid}[whose]
    if whose == "relay":
        os.kill(killed, signal.SIGSTOP)
        os.kill(link.pid, signal.SIGKILL)
    else:
        os.kill(killed, signal.SIGKILL)
    with pytest.raises(WorkerCrashed, match="lost") as caught:
        hello(link)
    assert "run it again" in caught.value.next_step
    assert gone(worker.pid)
    assert gone(relay.pid)


def test_arrays_that_settings_name_lie_there_too(link, tmp_path):
    ref = arrays.save(tmp_path, np.arange(3.0))
    sent, _ = link._outward(Order(order="hello", settings={"space": {"low": {"x": {"$array": ref.model_dump()}}}}))
    there = Path(sent.settings["space"]["low"]["x"]["$array"]["path"])
    assert there != Path(ref.path)
    assert there.read_bytes() == Path(ref.path).read_bytes()


def test_it_passes_the_exam_of_executors(server):
    exam(catalog.find("executors", "ssh"), server.options().model_dump())


def test_a_full_disk_there_says_what_to_do(server, tmp_path):
    """A bound on a file's size stands for the disk: writing fails in the midst of a file, as on a full one."""
    folder = tmp_path / "small"
    bounded = server.options(folder=str(folder), python=f"prlimit --fsize=1000 {sys.executable}")
    small = arrays.save(tmp_path / "arrays", np.zeros(10))
    large = arrays.save(tmp_path / "arrays", np.zeros(1_000_000))
    one = ssh.start(tmp_path / "log", None, bounded)
    try:
        with pytest.raises(WorkerFailed, match="could not take or give a file") as caught:
            one.ask(Order(order="predict", values={"small": small, "large": large}), PATIENCE)
        assert "folder" in caught.value.next_step
        assert not list(folder.rglob(".partial-*"))
        assert hello(one)["ok"], "what could not be sent did not spoil the connection"
    finally:
        one.close()


def test_what_arrives_changed_is_refused(link, server, tmp_path):
    given = arrays.save(tmp_path / "arrays", np.arange(1000.0))
    with Path(given.path).open("r+b") as file:
        file.seek(500)
        file.write(b"x")
    with pytest.raises(WorkerFailed, match="did not arrive as it was sent"):
        link.ask(Order(order="predict", values={"x": given}), PATIENCE)


# --- what keeps a worker from starting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "what", "step"),
    [
        ({"identity": "stranger"}, "refused the login", "ssh-copy-id"),
        ({"known_hosts": "unknown"}, "host key", "once"),
        ({"python": "/no/python"}, "there is no `/no/python`", "python:"),
        ({"python": f"{sys.executable} -S"}, "isn't installed", "pip install seatrial=="),
        ({"host": "127.0.0.1:1"}, "nothing listens", "port"),
        ({"host": "no-such-host.invalid"}, "can't be resolved|doesn't answer", "name|network"),
    ],
    ids=lambda given: " ".join(map(str, given.values())) if isinstance(given, dict) else "",
)
def test_a_refusal_has_its_reason_and_the_next_step(server, tmp_path, given, what, step):
    for name in ("identity", "known_hosts"):
        if name in given:
            given = given | {name: str(server.folder / given[name])}
    with pytest.raises(WorkerFailed, match=what) as caught:
        ssh.start(tmp_path / "log", None, server.options(**given))
    assert re.search(step, caught.value.next_step)


def test_another_version_there_is_refused_with_both_versions(server, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.1")
    with pytest.raises(WorkerFailed, match=r"has seatrial .* and this is seatrial 99\.1") as caught:
        ssh.start(tmp_path / "log", None, server.options())
    assert "pip install seatrial==99.1" in caught.value.next_step


def test_no_client_here_is_said(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkerFailed, match="no ssh client"):
        ssh.start(tmp_path / "log", None, server.options())


def test_what_is_no_host_is_refused():
    for given in ("-oProxyCommand=x", "a b", "user@", "host:port", "a@-oProxyCommand=x"):
        with pytest.raises(ValueError, match="host"):
            ssh.Options(host=given)


# --- a study there --------------------------------------------------------------------------------------------------------


def test_a_study_runs_there_and_the_second_time_measures_and_sends_nothing(server, tmp_path):
    file = small_study.make(tmp_path)
    here = run(file, budget=120)
    assert here.run.measured
    first = run(file, on=server.address())
    assert first.run.measured == here.run.measured, "what was measured here was taken for there"
    known = f"127.0.0.1:{server.port}"
    assert {entry.candidate.machine for entry in first.candidates} == {known}
    assert first.environment["host"] == known
    found = [one for one in first.findings if one.what.startswith("environment.")]
    assert found
    assert all(one.at == {"machine": known} for one in found)
    accuracy = [
        {one.candidate.split("/t1/")[0]: one.value for one in dossier.findings if one.what == "accuracy"}
        for dossier in (here, first)
    ]
    assert accuracy[0]
    assert accuracy[0] == accuracy[1]
    assert not [one for one in first.findings if one.what == "run" and one.state == "crashed"]
    files = sent(server.folder / "there")
    assert files
    again = run(file, on=server.address())
    assert again.run.measured == 0
    assert sent(server.folder / "there") == files
    assert run(file).run.measured == 0
    assert all(Path(one).exists() for made in first.artefacts.values() for one in made.files.values())


def test_a_connection_lost_in_a_block_is_a_finding_and_the_next_run_goes_on(server, tmp_path, monkeypatch):
    file = small_study.make(tmp_path)
    asked = ssh.SshLink.ask
    blocks = []

    def lossy(self, order, seconds):
        if order.order == "block" and order.part:
            blocks.append(order)
            if len(blocks) == 4:
                os.kill(self.pid, signal.SIGKILL)
        return asked(self, order, seconds)

    monkeypatch.setattr(ssh.SshLink, "ask", lossy)
    first = run(file, on=server.address())
    lost = [one for one in first.findings if one.what == "run" and one.state == "crashed"]
    assert len(lost) == 1
    assert "lost" in lost[0].note
    monkeypatch.undo()
    second = run(file, on=server.address())
    assert second.run.reused
    assert second.run.measured > 0
    assert not [one for one in second.findings if one.what == "run" and one.state == "crashed"]
    assert run(file, on=server.address()).run.measured == 0


def test_the_study_s_own_code_runs_there(server, tmp_path):
    """A model that is a Python function and imports a neighbour of it."""
    (tmp_path / "beside.py").write_text("WEIGHTS = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]\n")
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nimport beside\n\n\ndef answer(x):\n"
        "    return {'logits': x @ np.asarray(beside.WEIGHTS, np.float32)}\n"
    )
    study = (
        small_study.STUDY.replace("onnx: {path: linear.onnx}", "python: {function: 'mine.py:answer'}")
        .replace("  - {runtime: onnxruntime, variant: int8_dynamic, batch: 8}\n", "")
        .replace("  - {runtime: onnxruntime, precision: bf16, batch: 8}\n", "")
        .replace("onnxruntime", "python")
    )
    file = small_study.make(tmp_path, study)
    here, there = run(file), run(file, on=server.address())
    figures = [[one.value for one in dossier.findings if one.what == "accuracy"] for dossier in (here, there)]
    assert figures[0]
    assert figures[0] == figures[1]
    assert (server.folder / "there" / "placed").is_dir()


def test_an_address_gives_the_executor_its_options(tmp_path):
    study = read(small_study.make(tmp_path)).study
    placed = machines.on(study, "ssh://me@gpu:2200?python=/venv/bin/python", tmp_path)
    assert placed.measure.executor.options == {"host": "me@gpu:2200", "python": "/venv/bin/python"}
    assert machines.reached(placed.measure.executor, tmp_path) == "gpu:2200"
    assert machines.on(study, None, tmp_path) is study
    for wrong in ("gpu", "ssh://", "telnet://gpu", "ssh://a b", "ssh://gpu?colour=red"):
        with pytest.raises(StudyError, match="--on"):
            machines.on(study, wrong, tmp_path)


def test_the_command_line_says_what_is_wrong_with_the_machine(tmp_path):
    file = small_study.make(tmp_path)
    done = small_study.seatrial("run", file.name, "--on", "ssh://127.0.0.1:1", folder=tmp_path)
    assert done.returncode not in (0, 1, 3)
    assert "nothing listens for ssh at 127.0.0.1:1" in done.stderr
    assert "next:" in done.stderr


def test_a_package_that_is_not_there_is_a_finding_with_the_command(server, tmp_path):
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "sitecustomize.py").write_text(
        "import importlib.util as util\nfound = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'onnxruntime' else found(name, *rest)\n"
    )
    file = small_study.make(tmp_path)
    done = run(file, on=server.address(python=f"env PYTHONPATH={shadow} {sys.executable}"))
    told = [one for one in done.findings if one.what == "run"]
    assert len(told) == len(done.candidates)
    assert all("onnxruntime" in one.note and "isn't installed" in one.note for one in told)
    assert any("pip install" in one.method for one in told)


def test_training_is_measured_there_and_resumed(server, tmp_path):
    """A function of one's own and the torch trainer, with one worker and with two, which meet by a file there."""
    small = small_study.STUDY.replace(
        "data:\n", "data:\n  train: {from: {npz: {path: train.npz}}, label: label, roles: train}\n"
    )
    block = """training:
  model: linear
  ways: [{trainer: ./plain.py:fit}, {trainer: {torch_module: {module: "net.py:net"}}, batch: 16, workers: [1, 2]}]
  rounds: 2
  steps: 3
  seeds: 1
  epochs: 1
"""
    file = small_study.make(tmp_path, small + block)
    kept = np.load(tmp_path / "rows.npz")
    np.savez(tmp_path / "train.npz", x=kept["x"] + np.float32(0.01), label=kept["label"])
    (tmp_path / "net.py").write_text("import torch\n\ndef net():\n    return torch.nn.Linear(4, 3)\n")
    (tmp_path / "plain.py").write_text(
        "import numpy as np\n\ndef fit(job):\n    for _ in range(job.epochs):\n        for _ in range(4):\n"
        "            yield {'loss': float(np.abs(job.inputs['x']).sum()), 'rows': job.batch}\n        yield {'accuracy': 0.5}\n"
    )
    made = run(file, on=server.address())
    steps = [one for one in made.findings if one.what == "training.step.p50"]
    assert len(steps) == 3, [one.note for one in made.findings if one.what == "training.run"]
    assert all(one.value and one.value > 0 for one in steps)
    assert [one for one in made.findings if one.what == "training.scaling_efficiency" and one.value]
    assert run(file, on=server.address()).run.measured == 0
