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
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import small_study

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.messages import Order
from seatrial.errors import StudyError, WorkerCrashed, WorkerFailed, WorkerHung, WorkerOutOfMemory
from seatrial.flow import arrays, machines
from seatrial.flow.read import read
from seatrial.flow.study import run
from seatrial.parts.executors import _own_folder, _relay, ssh
from seatrial.testing.executors import exam

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(
    SSHD is None and "CI" not in os.environ, reason="needs sshd: apt-get install openssh-server"
)
PATIENCE = 60.0
TREE = os.environ.get("PYTHONPATH")
PYTHON = f"env PYTHONPATH={TREE} {sys.executable}" if TREE else sys.executable
"""The interpreter there, which finds the same seatrial as this one."""


def python(shadow: Path | str = "", before: str = "") -> str:
    """The interpreter there, with a folder whose modules go first, and words before it."""
    paths = ":".join(filter(None, (str(shadow), TREE)))
    return " ".join(filter(None, (before, f"env PYTHONPATH={paths}" if paths else "", sys.executable)))


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


def test_a_worker_s_folder_is_held_as_long_as_it_runs_and_goes_even_after_a_kill(link):
    said = hello(link)
    around = Path(said["folder"]).parent
    assert around.name.startswith(_own_folder.PREFIX)
    os.utime(around, (0, 0))
    _own_folder._sweep(around.parent)
    assert Path(said["folder"]).is_dir(), "another run beside this one leaves it alone"
    os.kill(psutil.Process(said["pid"]).ppid(), signal.SIGKILL)
    assert gone(said["pid"])
    assert around.is_dir(), "nobody was left to remove it"
    os.utime(around, (0, 0))
    _own_folder._sweep(around.parent)
    assert not around.exists(), "the next one removes it"


def test_what_is_made_there_lies_apart_and_is_not_sent_back(link, server, tmp_path):
    """Two runs may make the same thing at once; and what came from there is there."""
    small_study.make(tmp_path)
    model = tmp_path / "linear.onnx"
    artefact = Artefact(format="onnx", files={"model": str(model)}, hashes={"model": "h"}, signature=Signature(inputs=(), outputs=()), lineage=Lineage(recipe="given"))  # fmt: skip
    other = ssh.start(tmp_path / "other.log", None, server.options())
    try:
        order = Order(order="make", base=str(tmp_path), artefact=artefact, folder=str(tmp_path / "made"))
        places = [one._outward(order)[0].folder for one in (link, other)]
    finally:
        other.close()
    assert places[0] != places[1]
    made = Path(places[0]) / "model.bin"
    made.write_bytes(b"made there")
    assert link._fetched(str(made), tmp_path / "made", "model.bin").read_bytes() == b"made there"
    back = artefact.model_copy(update={"files": {"model": str(tmp_path / "made" / "model.bin")}})
    said = link._wire.say
    asked = []
    link._wire.say = lambda content, file=None: (asked.append(content), said(content, file))
    sent, _ = link._outward(Order(order="open", base=str(tmp_path), artefact=back))
    assert Path(sent.artefact.files["model"]).read_bytes() == b"made there"
    assert not [one for one in asked if "put" in one]


def test_files_of_an_artefact_that_settings_name_lie_there_too(link, tmp_path):
    """Who lends gradients beside the session: another form of the model, and its code."""
    study, made = tmp_path / "study", tmp_path / "made"
    for folder in (study, made):
        folder.mkdir()
    (study / "net.py").write_text("X = 1\n")
    (made / "weights.pt2").write_bytes(b"weights")
    for files in ({"model": made / "weights.pt2"}, {"code": study / "net.py"}):
        lent = Artefact(
            format="f",
            files={role: str(file) for role, file in files.items()},
            hashes=dict.fromkeys(files, "h"),
            signature=Signature(inputs=(), outputs=()),
            lineage=Lineage(recipe="lent", options={"folder": str(study)}),
        )
        settings = {"lender": {"artefact": lent.model_dump(mode="json"), "runtime": {"name": "r", "options": {}}}}
        sent, _ = link._outward(Order(order="attack", base=str(study), settings=settings))
        there = Artefact.model_validate(sent.settings["lender"]["artefact"])
        assert sent.settings["lender"]["runtime"] == settings["lender"]["runtime"]
        for role, file in files.items():
            assert there.files[role] != str(file)
            assert Path(there.files[role]).read_bytes() == file.read_bytes()
        assert there.hash == lent.hash, "the same artefact, elsewhere"
        assert not there.lineage.options["folder"].startswith(str(study))


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
    bounded = server.options(folder=str(folder), python=python(before="prlimit --fsize=1000"))
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


class Link:
    """A proxy in front of the server that lets through so many bytes a second to it, or none."""

    def __init__(self, server: Server, rate: float) -> None:
        self.rate, self.server = rate, server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        key = (server.folder / "host.pub").read_text().split()
        self.known = server.folder / f"known-{self.port}"
        self.known.write_text(f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        here, _ = self._listening.accept()
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        there = socket.create_connection(("127.0.0.1", self.server.port))
        threading.Thread(target=self._pass, args=(there, here, False), daemon=True).start()
        self._pass(here, there, True)

    def _pass(self, one: socket.socket, other: socket.socket, slowly: bool) -> None:
        try:
            while got := one.recv(1 << 13):
                while slowly and not self.rate:
                    time.sleep(0.05)
                other.sendall(got)
                if slowly:
                    time.sleep(len(got) / self.rate)
        except OSError:
            pass
        finally:
            other.close()

    def options(self, **further: Any) -> ssh.Options:
        host = f"{getpass.getuser()}@127.0.0.1:{self.port}"
        return self.server.options(host=host, known_hosts=str(self.known), **further)


def test_a_slow_link_is_no_dead_one(server, tmp_path):
    """What takes longer than the bound on silence goes through as long as something arrives."""
    given = arrays.save(tmp_path / "arrays", np.random.default_rng(0).integers(0, 256, 600_000, np.uint8))
    slow = Link(server, 1e6)
    one = ssh.start(tmp_path / "log", None, slow.options(stall=4.0, folder=str(tmp_path / "there")))
    try:
        hello(one)
        slow.rate = 8e4
        began = time.monotonic()
        with pytest.raises(WorkerFailed, match="no session is open"):
            one.ask(Order(order="predict", values={"x": given}), PATIENCE)
        assert time.monotonic() - began > 4.0, "the link was slow"
        assert (tmp_path / "there" / "arrays" / f"{given.hash}.npy").is_file()
    finally:
        one.close()


def test_a_link_on_which_nothing_moves_is_given_up(server, tmp_path):
    given = arrays.save(tmp_path / "arrays", np.zeros(100_000))
    dead = Link(server, 1e6)
    one = ssh.start(tmp_path / "log", None, dead.options(stall=2.0, folder=str(tmp_path / "there")))
    dead.rate = 0.0
    with pytest.raises(WorkerHung, match=r"127\.0\.0\.1"):
        one.ask(Order(order="predict", values={"x": given}), PATIENCE)
    one.close()


def test_the_far_end_ends_itself_where_nothing_more_is_heard(monkeypatch, tmp_path):
    """In the midst of a file, too: a network that falls silent closes no connection."""
    monkeypatch.setattr(_relay, "SILENCE_S", 0.2)
    theirs, ours = os.pipe()
    with pytest.raises(_relay.Lost):
        _relay._await(theirs, 1)
    os.close(theirs)
    os.close(ours)


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


@pytest.mark.parametrize("whose", ["client", "server"])
def test_a_connection_lost_in_a_block_is_a_finding_and_the_next_run_goes_on(server, tmp_path, monkeypatch, whose):
    file = small_study.make(tmp_path)
    asked = ssh.SshLink.ask
    blocks = []

    def lossy(self, order, seconds):
        if order.order == "block" and order.part:
            blocks.append(order)
            if len(blocks) == 4:
                relay = psutil.Process(asked(self, Order(order="hello"), PATIENCE)["pid"]).parent()
                kill = {"client": self.pid, "server": relay.ppid()}[whose]
                threading.Timer(0.05, os.kill, (kill, signal.SIGKILL)).start()
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


def test_attacks_there_have_the_gradient_of_another_form_of_the_model(server, tmp_path):
    """int8 has no gradient: a form that was converted lends its own beside it, and must lie there as well."""
    attacks = "metrics: [accuracy], security: {linf: [0.1], rows: 40, attacks: [fgsm, transferred]}"
    study = small_study.STUDY.replace("metrics: [accuracy, drop, flips]", attacks)
    study = study.replace("  - {runtime: onnxruntime, precision: bf16, batch: 8}\n", "").replace("[1, 8]", "1")
    done = run(small_study.make(tmp_path, study), on=server.address())
    assert len(done.candidates) == 2
    for entry in done.candidates:
        found = {str(one.at["attack"]): one for one in done.findings if one.what == "attack.accuracy" and one.candidate == entry.id}  # fmt: skip
        assert {"fgsm", "transferred"} <= set(found)
        assert all(one.value is not None for one in found.values()), [one.note for one in found.values()]
        (flag,) = [one for one in done.findings if one.what == "attack.flag" and one.candidate == entry.id and one.at["flag"] == "no_gradient"]  # fmt: skip
        assert flag.value is False


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
        "import importlib.metadata as data\nsaid = data.version\n"
        "data.version = lambda name: '0.0.1' if name == 'numpy' else said(name)\n"
    )
    file = small_study.make(tmp_path)
    done = run(file, on=server.address(python=python(shadow)))
    told = [one for one in done.findings if one.what == "run"]
    assert len(told) == len(done.candidates)
    assert all("onnxruntime" in one.note and "isn't installed" in one.note for one in told)
    assert any("pip install" in one.method for one in told)
    (others,) = [one for one in done.findings if one.what == "environment.other_versions"]
    assert "numpy 0.0.1 (here " in others.value, "another version there is said"
    assert "python" not in others.value
    assert "own code" not in others.value


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
