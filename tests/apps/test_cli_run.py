"""The command line on a study small enough to run: plan, run, again, gate, report, runs, clean, init, Ctrl-C, and Python."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_study import STUDY, make, on_a_terminal
from small_study import seatrial as command

import seatrial
from seatrial.contracts.dossier import Dossier


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder in which the small study was run once, and what the command printed."""
    folder = tmp_path_factory.mktemp("voyage")
    make(folder)
    return folder, command("run", "study.yaml", folder=folder)


@pytest.fixture
def folder(done: tuple[Path, Any], tmp_path: Path) -> Path:
    """A fresh copy of that folder: whoever gets it may do with it what they like."""
    shutil.copytree(done[0], tmp_path / "copy")
    return tmp_path / "copy"


def dossier_of(folder: Path) -> Path:
    return next((folder / ".seatrial" / "runs").glob("*/dossier.json"))


# --- plan ------------------------------------------------------------------------------------------------------------


def test_plan_shows_candidates_and_what_was_left_out(tmp_path: Path) -> None:
    make(tmp_path)
    shown = command("plan", "study.yaml", folder=tmp_path)
    assert shown.returncode == 0
    assert "3 candidates to measure" in shown.stdout
    assert "← reference" in shown.stdout
    assert "left out (1)" in shown.stdout
    assert "doesn't take the precision bf16" in shown.stdout
    assert not (tmp_path / ".seatrial" / "runs").exists()


def test_a_plan_says_that_nothing_is_timed_where_no_load_is(tmp_path: Path) -> None:
    make(tmp_path, STUDY.replace("loads: [offline], rounds: 2, meters: [throughput, size]", "loads: [], meters: []"))
    shown = command("plan", "study.yaml", folder=tmp_path).stdout
    assert "nothing is timed" in shown
    assert "rounds of" not in shown


def test_plan_for_machines_and_by_pattern(tmp_path: Path) -> None:
    make(tmp_path)
    plan = json.loads(command("plan", "study.yaml", "--json", "--only", "*int8*", folder=tmp_path).stdout)
    variants = {one["candidate"]["variant"]["name"]: one["reference"] for one in plan["candidates"]}
    assert variants == {"as_is": True, "int8_dynamic": False}


def test_a_part_of_ones_own_appears_in_the_plan(tmp_path: Path) -> None:
    (tmp_path / "pruned.py").write_text(
        '"""Zeroes the smallest weights."""\nACCEPTS = {"format": ("onnx",)}\nGIVES = {"format": ("onnx",)}\n'
        "def make(artefact, making, options):\n    return artefact\n"
    )
    study = STUDY.replace("variant: int8_dynamic", "variant: ./pruned.py")
    make(tmp_path, study)
    shown = command("plan", "study.yaml", folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "pruned.py" in shown.stdout


def test_a_wrong_study_is_said_with_its_place(tmp_path: Path) -> None:
    make(tmp_path, STUDY.replace("batch: [1, 8]", "btach: [1, 8]"))
    for words in (["plan", "study.yaml"], ["run", "study.yaml"], ["gate", "study.yaml"]):
        shown = command(*words, folder=tmp_path)
        assert (shown.returncode, shown.stdout) == (2, "")
        assert "study.yaml:12:28" in shown.stderr
        assert "batch" in shown.stderr


# --- run -------------------------------------------------------------------------------------------------------------


def test_run_tells_plan_table_recommendation_and_page(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, first = done
    assert first.returncode == 0, first.stderr
    assert "3 candidates to measure" in first.stderr
    assert "measuring" in first.stderr
    assert "Traceback" not in first.stderr
    assert "int8_dynamic" in first.stdout
    assert "PASS" in first.stdout
    last = first.stdout.splitlines()[-1]
    assert last.startswith("report: ")
    assert (folder / last.removeprefix("report: ")).is_file()


def test_a_second_run_measures_nothing_again(folder: Path) -> None:
    again = command("run", "study.yaml", "--json", folder=folder)
    dossier = Dossier.model_validate_json(again.stdout)
    assert (again.returncode, dossier.run.measured) == (0, 0)
    assert dossier.run.reused > 0
    quiet = command("run", "study.yaml", "--quiet", folder=folder)
    assert "Nothing had to be measured again" in quiet.stderr
    assert "candidates to measure" not in quiet.stderr
    assert len(quiet.stdout.splitlines()) == 2


def test_on_a_terminal_there_is_a_live_line_that_goes_away(folder: Path) -> None:
    code, shown = on_a_terminal("run", "study.yaml", folder=folder)
    assert code == 0
    assert "3 candidates to measure" in shown
    assert "\x1b[?25l" in shown, "the live line hides the cursor"
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "and gives it back"
    assert "PASS" in shown


def test_ctrl_c_keeps_what_is_done(folder: Path) -> None:
    words = [sys.executable, "-m", "seatrial", "run", "study.yaml", "--fresh"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("opening"):
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()
        assert process.wait() == 130
    assert "Traceback" not in said
    kept = json.loads(command("runs", "--json", folder=folder).stdout)
    assert [run["interrupted"] for run in kept] == [False, True]
    assert command("gate", "latest", folder=folder).returncode == 130


# --- gate ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "code", "outcome"), [("0.5", 0, "pass"), ("0.999", 1, "fail"), ("0.97", 3, "not enough evidence")]
)
def test_the_gate_has_three_outcomes(folder: Path, bound: str, code: int, outcome: str) -> None:
    (folder / "study.yaml").write_text(STUDY.replace("bound: 0.5", f"bound: {bound}"))
    judged = command("gate", "study.yaml", "--json", folder=folder)
    assert judged.returncode == code, judged.stdout
    said = json.loads(judged.stdout)
    assert (said["exit"], said["verdict"]["outcome"]) == (code, outcome)
    words = command("gate", "latest", folder=folder)
    assert words.returncode == code
    assert outcome.upper() in words.stdout


def test_the_gate_reads_runs_by_every_name(folder: Path) -> None:
    file = dossier_of(folder)
    for name in ("latest", file.parent.name, file.parent.name[:-1], file.parent, file):
        assert command("gate", name, folder=folder).returncode == 0
    elsewhere = command("gate", file.parent.name, "--in", folder, folder=folder.parent)
    assert elsewhere.returncode == 0


def test_nothing_found_out_is_neither_pass_nor_fail(folder: Path) -> None:
    empty = json.loads(dossier_of(folder).read_text()) | {"findings": []}
    (folder / "dossier.json").write_text(json.dumps(empty))
    assert command("gate", "dossier.json", folder=folder).returncode == 4
    (folder / "dossier.json").write_text("{}")
    broken = command("gate", "dossier.json", folder=folder)
    assert broken.returncode == 4
    assert broken.stderr.startswith("error: ")


# --- what was kept ---------------------------------------------------------------------------------------------------


def test_a_run_is_told_again_in_other_forms(folder: Path) -> None:
    page = command("report", "latest", "--as", "html", "--out", "out/page.html", folder=folder)
    assert (page.returncode, page.stdout) == (0, "")
    assert "<html" in (folder / "out" / "page.html").read_text()
    assert Dossier.model_validate_json(command("report", "--json", folder=folder).stdout).findings
    text = command("report", "study.yaml", folder=folder)
    assert "PASS" in text.stdout
    wrong = command("report", "--as", "htlm", folder=folder)
    assert wrong.returncode == 2
    assert "html" in wrong.stderr


def test_runs_are_listed_and_cleaned(folder: Path) -> None:
    command("run", "study.yaml", "--quiet", folder=folder)
    first, second = json.loads(command("runs", "--json", folder=folder).stdout)
    assert first["id"] in command("runs", "--in", folder, folder=folder.parent).stdout
    refused = command("clean", "--keep", "1", folder=folder)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    gone = json.loads(command("clean", "--keep", "1", "--yes", "--json", folder=folder).stdout)
    assert gone["runs"] == 1
    assert [run["id"] for run in json.loads(command("runs", "--json", folder=folder).stdout)] == [second["id"]]
    command("clean", "--all", "--yes", folder=folder)
    assert not (folder / ".seatrial").exists()


# --- init ------------------------------------------------------------------------------------------------------------


def test_init_writes_a_study_that_can_be_planned(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "study.yaml").unlink()
    written = command("init", "linear.onnx", "rows.npz", folder=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "next: seatrial run study.yaml" in written.stdout
    assert json.loads((tmp_path / ".seatrial" / "study.schema.json").read_text())["properties"]
    assert command("plan", "study.yaml", folder=tmp_path).returncode == 0
    refused = command("init", "linear.onnx", folder=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert command("init", "linear.onnx", "rows.npz", "--force", folder=tmp_path).returncode == 0


def test_init_names_the_lines_to_fill_in(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "sub").mkdir()
    written = command("init", "linear.onnx", "--out", "sub/new.yaml", "--json", folder=tmp_path)
    said = json.loads(written.stdout)
    lines = (tmp_path / "sub" / "new.yaml").read_text().splitlines()
    assert said["missing"]
    assert all("FILL" in lines[left["line"] - 1] for left in said["missing"])
    assert "../linear.onnx" in "\n".join(lines)


# --- Python ----------------------------------------------------------------------------------------------------------


def test_the_front_door_reads_plans_runs_and_loads(folder: Path) -> None:
    study = folder / "study.yaml"
    assert seatrial.read(study).name == "small"
    assert len(seatrial.plan(str(study), only=["*int8*"]).candidates) == 2
    dossier = seatrial.run(str(study), budget="10m")
    assert dossier.run.measured == 0
    assert seatrial.load(study) == dossier
    assert seatrial.load(folder=folder) == dossier
    with pytest.raises(seatrial.SeatrialError, match="there is no run"):
        seatrial.load("never", folder)
