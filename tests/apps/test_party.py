"""The commands of secure evaluation: each party its own, on this machine and across network namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from secure_parties import HERE, MLP, plain, ports, table

from seatrial.apps.cli.main import app, main
from seatrial.contracts.parties import ROLES

SEATRIAL = [sys.executable, "-m", "seatrial", "party"]


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["party", *words])
    return code, *capsys.readouterr()


def written(folder: Path, capsys: pytest.CaptureFixture[str], hosts: Sequence[str] = (HERE, HERE)) -> list[str]:
    """Keys of three parties and the terms, by the commands; returns what `terms` was told."""
    (folder / "made").mkdir()
    table(folder / "made", MLP, rows=5)
    for role in ROLES:
        assert called(capsys, "keys", str(folder / role), "--name", f"{role} Ltd")[0] == 0
    found = ports(2)
    words = ["terms", str(folder / "made" / "model.onnx"), "--rows", "5", "--range", "0,1", "--open", "confusion"]
    for option, role in (("--model-owner", "model"), ("--data-owner", "data"), ("--helper", "helper")):
        words += [option, str(folder / role / "party.crt")]
    words += ["--data-at", f"{hosts[0]}:{found[0]}", "--helper-at", f"{hosts[1]}:{found[1]}"]
    return [*words, "--classes", "a,b,c", "--digits", "12", "--out", str(folder / "terms.json")]


def commands(folder: Path) -> dict[str, list[str]]:
    brings = {"model": ["model.onnx"], "data": ["rows.npz"], "helper": []}

    def own(role: str) -> list[str]:
        return ["--keys", str(folder / role), "--in", str(folder / role), "--wait", "30", "--json"]

    return {
        role: [
            *SEATRIAL,
            role,
            str(folder / "terms.json"),
            *(str(folder / "made" / one) for one in brings[role]),
            *own(role),
        ]
        for role in ROLES
    }


def outcomes(started: dict[str, list[str]]) -> dict[str, Any]:
    running = {role: subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for role, words in started.items()}
    told = {role: process.communicate(timeout=100)[0] for role, process in running.items()}
    assert all(process.returncode == 0 for process in running.values())
    return {role: json.loads(text) for role, text in told.items()}


def test_every_command_speaks_json_and_is_found_when_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    group: Any = typer.main.get_command(app)
    commands = group.commands["party"].commands
    assert set(commands) == {"keys", "terms", "show", *ROLES}
    assert all("--json" in [opt for param in one.params for opt in param.opts] for one in commands.values())
    assert main(["prty"]) == 2
    assert "did you mean `seatrial party`?" in capsys.readouterr().err


def test_each_party_plays_its_part_by_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, *written(tmp_path, capsys))
    assert code == 0
    assert "called (as declared)" in out
    assert "data Ltd" in out
    assert "honest majority, semi-honest" in out
    assert "nothing else" in out
    shown = json.loads(called(capsys, "show", str(tmp_path / "terms.json"), "--json")[1])
    assert shown["hash"] in out
    told = outcomes(commands(tmp_path))
    _, counts = plain(table_of(tmp_path))
    assert told["model"]["opened"]["counts"] == told["data"]["opened"]["counts"] == counts.tolist()
    assert told["helper"]["opened"]["counts"] == []
    run = told["data"]["run"]
    assert main(["report", run, "--as", "html", "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "What was counted without showing" in page
    assert "two who put together what they hold" in page


def table_of(folder: Path) -> Any:
    from secure_parties import Table

    from seatrial.flow.secure import terms

    made = folder / "made"
    return Table(made, terms.read(folder / "terms.json"), made / "model.onnx", made / "rows.npz")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--range", "0;1"), "LOW,HIGH"),
        (("--range", "1,0"), "the range of inputs is empty"),
        (("--classes", "a,b"), "3 scores, and 2 classes"),
        (("--data-at", "nowhere"), "HOST:PORT"),
        (("--open", "everything"), "counts"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_terms_that_cannot_be_are_refused(
    change: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = written(tmp_path, capsys)
    words[words.index(change[0]) + 1] = change[1]
    code, _, err = called(capsys, *words)
    assert code == 2
    assert said in err
    assert "next: " in err


def test_a_file_that_holds_no_terms_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "terms.json"
    file.write_text("schema: 1")
    code, _, said = called(capsys, "show", str(file))
    assert code == 2
    assert f"{file}: Invalid JSON" in said


def test_a_key_of_somebody_else_is_a_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, *written(tmp_path, capsys))[0] == 0
    code, _, err = called(capsys, "helper", str(tmp_path / "terms.json"), "--keys", str(tmp_path / "data"))
    assert code == 2
    assert "isn't the one that the terms name" in err


def test_one_certificate_for_two_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = written(tmp_path, capsys)
    words[words.index("--helper") + 1] = str(tmp_path / "data" / "party.crt")
    code, _, err = called(capsys, *words)
    assert code == 2
    assert "two parties have one certificate" in err


# --- across network namespaces -------------------------------------------------------------------------------------------


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def namespaces() -> Iterator[dict[str, str]]:
    """A network of its own for each party, and a bridge between them in a fourth; the machine's own network isn't touched."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the command `ip`")
    mark = f"st{os.getpid() % 100_000}"
    names = {role: f"{mark}{role[0]}" for role in (*ROLES, "bridge")}
    made: list[str] = []
    try:
        for name in names.values():
            _ip("netns", "add", name)
            made.append(name)
        _ip("-n", names["bridge"], "link", "add", "br0", "type", "bridge")
        _ip("-n", names["bridge"], "link", "set", "br0", "up")
        for place, role in enumerate(ROLES):
            _ip("-n", names["bridge"], "link", "add", f"to{place}", "type", "veth", "peer", "name", "eth0", "netns", names[role])  # fmt: skip
            _ip("-n", names["bridge"], "link", "set", f"to{place}", "master", "br0", "up")
            _ip("-n", names[role], "addr", "add", f"10.77.0.{place + 1}/24", "dev", "eth0")
            _ip("-n", names[role], "link", "set", "eth0", "up")
    except subprocess.CalledProcessError as error:
        _remove(made)
        pytest.skip(f"network namespaces can't be made here: {error.stderr.strip()[:100]}")
    yield names
    _remove(made)


def _remove(names: Sequence[str]) -> None:
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def test_it_works_across_network_namespaces(
    namespaces: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(capsys, *written(tmp_path, capsys, ("10.77.0.2", "10.77.0.3")))[0] == 0
    within = {role: ["ip", "netns", "exec", namespaces[role], *words] for role, words in commands(tmp_path).items()}
    told = outcomes(within)
    _, counts = plain(table_of(tmp_path))
    assert np.array(told["data"]["opened"]["counts"]).tolist() == counts.tolist()
