"""The terminal: nothing from a file moves its cursor, completion is light, quiet is quiet, and 200 candidates don't flood it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import STUDY, make, on_a_terminal, seatrial

from seatrial import catalog
from seatrial.apps.cli import _out
from seatrial.contracts.dossier import Dossier
from seatrial.testing.dossiers import sample_dossier

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\x08\u202e\x7f"
HARM = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")
OURS = re.compile(r"\x1b\[[0-9;]*m")
"""Colours, which only we may set: whether a text sets others is looked for without a terminal."""


# --- control characters ------------------------------------------------------------------------------------------------

FIXED = {"outcome", "state", "origin", "better", "unit", "what", "schema", "unit_of_replication", "executor", "kind"}


def planted(content: Any, key: str = "") -> Any:
    """The content with something evil in every text that may be anybody's words."""
    if isinstance(content, dict):
        return {name: planted(value, name) for name, value in content.items()}
    if isinstance(content, list):
        return [planted(value, key) for value in content]
    return f"{content[:3]}{EVIL}{content[3:]}" if isinstance(content, str) and key not in FIXED else content


@pytest.fixture(scope="module")
def evil() -> Dossier:
    """A dossier whose every name, reason and note holds control characters."""
    body = sample_dossier().model_dump(mode="json", by_alias=True)
    kept = {name: body[name] for name in ("schema", "artefacts", "environment")}
    kept["study"] = body["study"] | {"name": f"small{EVIL}"}
    return Dossier.model_validate(planted(body) | kept)


@pytest.mark.parametrize("name", catalog.parts("reports"))
def test_no_report_hands_on_control_characters(name: str, evil: Dossier) -> None:
    part = catalog.find("reports", name)
    text = catalog.load(part).render(evil, catalog.options(part, {}))
    assert "small" in text
    found = HARM.search(text)
    if name == "json":  # a file of data: JSON writes them as escapes of its own
        assert EVIL in json.loads(text)["run"]["id"]
        assert "\x1b" not in text
    else:
        assert found is None, f"{text[max(0, found.start() - 60) : found.end() + 20]!r}"


@given(st.text())
def test_plain_text_has_nothing_that_cannot_be_printed(text: str) -> None:
    shown = _out.plain(text)
    assert not HARM.search(shown)
    assert all(one.isprintable() or one in f"\n\t{_out.SPACES}" for one in shown)
    if all(one.isprintable() for one in text):
        assert shown == text


@given(st.dictionaries(st.text(), st.text()))
def test_json_for_machines_says_the_same_without_control_characters(content: dict[str, str]) -> None:
    from io import StringIO

    stream, sys.stdout = sys.stdout, StringIO()
    try:
        _out.data(content)
        text = sys.stdout.getvalue()
    finally:
        sys.stdout = stream
    assert not HARM.search(text)
    assert json.loads(text) == content


def test_names_in_files_do_not_reach_the_terminal(tmp_path: Path) -> None:
    file = make(tmp_path)
    (tmp_path / "table.csv").write_text(f"x{EVIL.strip()},y\n1,2\n")
    text = file.read_text()
    for old, new in (
        ("[red, green, blue]", json.dumps(["red", f"green{EVIL}", "blue"])),
        ("name: small", f"name: {json.dumps('small' + EVIL)}"),
        ("linear:\n", f"{json.dumps('linear' + EVIL)}:\n"),
    ):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    odd = tmp_path / f"rows{EVIL.replace(chr(13), '')}.onnx"
    odd.write_bytes(b"no model")
    for words in (
        ("run", "study.yaml", "--quick", "--only", "*b1"),
        ("run", "study.yaml", "--quick", "--only", "*b1", "--quiet"),
        ("plan", "study.yaml"),
        ("report", "latest"),
        ("report", "latest", "--as", "markdown"),
        ("report", "latest", "--as", "github"),
        ("gate", "latest"),
        ("runs",),
        ("init", odd.name, "--out", "new.yaml"),
        ("run", f"none{EVIL}.yaml"),
        ("explain", f"x{EVIL}"),
        ("init", "linear.onnx", "table.csv", "--out", "new.yaml"),
    ):
        done = seatrial(*words, folder=tmp_path)
        for told in (done.stdout, done.stderr):
            found = HARM.search(told)
            assert found is None, (words, told[max(0, found.start() - 80) : found.end() + 20])
        assert "unforeseen" not in done.stderr, (words, done.stderr)
    _, shown = on_a_terminal("report", "latest", "--as", "html", folder=tmp_path)
    assert not HARM.search(OURS.sub("", shown.replace("\r\n", "\n")))
    _, shown = on_a_terminal("run", "study.yaml", "--quick", "--only", "*b1", "--fresh", folder=tmp_path)
    assert "owned\x07" not in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


# --- completion ----------------------------------------------------------------------------------------------------------


def completed(*words: str) -> list[str]:
    """What the shell is offered for the last word."""
    asked = {"_SEATRIAL_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["seatrial", *words]), "COMP_CWORD": str(len(words))}  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "seatrial"], env=os.environ | asked, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("ru",), ["run", "runs"]),
        (("run", "--q"), ["--quick", "--quiet"]),
        (("run", "--tr"), ["--trust"]),
        (("parts", "run"), ["runtimes"]),
        (("explain", "openv"), ["openvino", "openvino_ir"]),
        (("report", "--as", "mark"), ["markdown"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_the_shell_completes(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_by_one_command(tmp_path: Path, shell: str) -> None:
    home = os.environ | {"HOME": str(tmp_path), "SHELL": f"/bin/{shell}"}
    command = [sys.executable, "-m", "seatrial", "--install-completion", shell]
    done = subprocess.run(command, env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = "".join(file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    assert "_SEATRIAL_COMPLETE" in written


@pytest.mark.parametrize("words", [("ru",), ("explain", "o"), ("report", "--as", "h")], ids=" ".join)
def test_completing_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    code = (
        "import atexit, sys, json\n"
        "atexit.register(lambda: print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr))\n"
        "from seatrial.apps.cli.main import main\nmain([])\n"
    )
    asked = {"_SEATRIAL_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["seatrial", *words]), "COMP_CWORD": str(len(words))}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False)  # fmt: skip
    loaded = set(json.loads(done.stderr))
    assert done.stdout
    assert not loaded & {
        "numpy",
        "polars",
        "torch",
        "onnxruntime",
        "onnx",
        "openvino",
        "sqlalchemy",
        "jinja2",
        "ruamel",
    }


# --- many candidates -------------------------------------------------------------------------------------------------------


def crowd(count: int = 200) -> Dossier:
    """The sample dossier with its candidates copied until there are so many."""
    full = sample_dossier()
    entries, findings, verdicts = list(full.candidates), list(full.findings), list(full.verdict.candidates)
    templates = [entry for entry in full.candidates if not entry.reference]
    while len(entries) < count:
        entry = templates[len(entries) % len(templates)]
        new = f"{entry.id}/{len(entries)}"
        entries.append(entry.model_copy(update={"id": new, "label": f"{entry.label} n{len(entries)}"}))
        findings += [f.model_copy(update={"candidate": new}) for f in full.findings if f.candidate == entry.id]
        verdicts += [
            v.model_copy(update={"candidate": new}) for v in full.verdict.candidates if v.candidate == entry.id
        ]
    verdict = full.verdict.model_copy(update={"candidates": tuple(verdicts)})
    return full.model_copy(update={"candidates": tuple(entries), "findings": tuple(findings), "verdict": verdict})


def test_two_hundred_candidates_are_two_screens(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    dossier = crowd()
    (run / "dossier.json").write_text(dossier.model_dump_json(by_alias=True))
    text = seatrial("report", "run", folder=tmp_path, COLUMNS="110").stdout
    lines = text.splitlines()
    assert len(lines) < 110
    assert max(map(len, lines)) <= 110
    assert "reference" in text
    assert re.search(r"\b1\d\d more candidates", text), "what is left out is counted"
    assert dossier.verdict.sentence[:30] in " ".join(lines[-2:]), "the verdict comes last, where one looks"
    asked = dossier.model_copy(
        update={"study": dossier.study | {"reports": [{"name": "terminal", "options": {"rows": 100}}]}}
    )
    (run / "dossier.json").write_text(asked.model_dump_json(by_alias=True))
    assert len(seatrial("report", "run", folder=tmp_path, COLUMNS="110").stdout.splitlines()) > 150


def test_a_plan_of_two_hundred_candidates_shows_the_first_and_counts_the_rest(tmp_path: Path) -> None:
    batches = f"batch: {list(range(1, 201))}"
    make(tmp_path, STUDY.replace("batch: [1, 8]", batches))
    done = seatrial("plan", "study.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) < 90
    assert any("more; `seatrial plan STUDY --json` lists all" in line for line in lines)
    assert sum("← reference" in line for line in lines) == 1
    whole = json.loads(seatrial("plan", "study.yaml", "--json", folder=tmp_path).stdout)
    assert len(whole["candidates"]) > 200


def test_a_gate_of_two_hundred_candidates_counts_what_it_leaves_out(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "dossier.json").write_text(crowd(400).model_dump_json(by_alias=True))
    done = seatrial("gate", "run", folder=tmp_path)
    assert done.returncode in (0, 1, 3)
    assert len(done.stdout.splitlines()) < 60
    assert "more; `seatrial gate" in done.stdout
    quiet = seatrial("gate", "run", "--quiet", folder=tmp_path)
    assert len(quiet.stdout.splitlines()) == 1
    assert quiet.stderr == ""


# --- trust -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose model is an exported program that nobody trusts yet."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("exported")
    text = STUDY[: STUDY.index("candidates:")] + "candidates:\n  - {runtime: torch, batch: 8}\n"
    text += STUDY[STUDY.index("reference:") :].replace("rounds: 2", "rounds: 1")
    text = text.replace("onnx: {path: linear.onnx}", "torch: {export: linear.pt2}")
    file = make(folder, text.replace("runtime: onnxruntime, variant: as_is, batch: 1", "runtime: torch, batch: 8"))
    module = torch.nn.Linear(4, 3, bias=False)
    rows = torch.export.Dim("rows", min=1, max=4096)
    program = torch.export.export(module, (torch.zeros(8, 4),), dynamic_shapes={"input": {0: rows}})
    torch.export.save(program, folder / "linear.pt2")
    return file


def test_trust_is_given_to_one_file_by_its_hash_for_one_run(exported: Path) -> None:
    from hashlib import sha256

    actual = sha256((exported.parent / "linear.pt2").read_bytes()).hexdigest()
    refused = seatrial("run", "study.yaml", "--quick", folder=exported.parent)
    assert refused.returncode == 4
    assert "nobody has said that it is to be trusted" in refused.stderr
    assert "--trust" in refused.stderr
    wrong = seatrial("run", "study.yaml", "--quick", "--trust", "0" * 64, folder=exported.parent)
    assert wrong.returncode == 4
    assert "isn't the trusted one" in wrong.stderr
    assert actual in wrong.stderr, "the hash that it has is said"
    for everything in ("*", "all", "", actual[:-1], f"{actual},{'0' * 64}"):
        done = seatrial("run", "study.yaml", "--quick", "--trust", everything, folder=exported.parent)
        assert done.returncode == 2, everything
        assert "is no SHA-256" in done.stderr, everything
    words = ("run", "study.yaml", "--quick", "--quiet", "--json", "--trust", "0" * 64, "--trust", actual.upper())
    done = seatrial(*words, folder=exported.parent)
    assert done.returncode == 0, done.stderr
    dossier = Dossier.model_validate(json.loads(done.stdout))
    assert [f for f in dossier.findings if f.what == "throughput" and f.value]
    assert actual in json.dumps(dossier.study).lower(), "the dossier says what was trusted"
    again = seatrial("run", "study.yaml", "--quick", folder=exported.parent)
    assert again.returncode == 4, "trust holds for one run"
    with (exported.parent / "linear.pt2").open("ab") as file:
        file.write(b"x")
    assert seatrial("run", "study.yaml", "--quick", "--trust", actual, folder=exported.parent).returncode == 4


def test_trust_where_nothing_asks_for_it_is_said(tmp_path: Path) -> None:
    make(tmp_path)
    done = seatrial("run", "study.yaml", "--trust", "0" * 64, folder=tmp_path)
    assert done.returncode == 2
    assert "no form of a model in this study can be let through" in done.stderr


def test_a_pickled_state_dict_is_not_let_through(tmp_path: Path) -> None:
    from hashlib import sha256

    torch = pytest.importorskip("torch")
    text = STUDY.replace("onnx: {path: linear.onnx}", "torch: {module: 'net.py:linear', weights: w.pt}")
    text = text.replace("onnxruntime", "torch").replace("variant: int8_dynamic, ", "").replace("precision: bf16, ", "")
    make(tmp_path, text)
    (tmp_path / "net.py").write_text("import torch\ndef linear():\n    return torch.nn.Linear(4, 3, bias=False)\n")
    torch.save({"weight": torch.zeros(3, 4)}, tmp_path / "w.pt")
    trusted = sha256((tmp_path / "w.pt").read_bytes()).hexdigest()
    done = seatrial("run", "study.yaml", "--quick", "--trust", trusted, folder=tmp_path)
    assert done.returncode == 4
    assert "safetensors" in done.stderr, "how to convert it is said"


# --- without a terminal ----------------------------------------------------------------------------------------------------


def test_a_run_without_a_terminal_says_where_it_is_in_few_lines(tmp_path: Path) -> None:
    make(tmp_path)
    done = seatrial("run", "study.yaml", "--quick", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "measuring" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) < 60
    quiet = seatrial("run", "study.yaml", "--quick", "--quiet", folder=tmp_path)
    assert len(quiet.stdout.splitlines()) == 2
    assert len(quiet.stderr.splitlines()) <= 1
