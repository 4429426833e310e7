"""The gate without the model, and against a baseline: what is worse fails, chance doesn't, what can't be compared is said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from small_study import STUDY, make
from small_study import seatrial as command

from seatrial.apps.cli import main
from seatrial.apps.cli import run as run_command
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.verdict import Outcome
from seatrial.flow.baseline import TOLERANCE, Comparison, compare
from seatrial.testing.dossiers import sample_dossier

MACHINE = {"cpu": "Xeon", "cpu_features": ["avx2"], "cores": 2, "kernel": "6.1", "python": "3.11.9"}


def here(dossier: Dossier) -> Dossier:
    """The same, measured on a machine that is known and on rows with the names that runs give them."""
    return dossier.model_copy(update={"environment": dossier.environment | MACHINE})


OLD = here(sample_dossier())
BEST = OLD.verdict.recommended
REFERENCE = OLD.reference().id


def changed(dossier: Dossier, what: str, candidate: str | None = BEST, **fields: Any) -> Dossier:
    """The dossier with other fields in every statement of one finding."""

    def new(finding: Finding) -> Finding:
        same = finding.what == what and finding.candidate == candidate
        return finding.model_copy(update=fields) if same else finding

    return dossier.model_copy(update={"findings": tuple(map(new, dossier.findings))})


def judged(dossier: Dossier, outcome: Outcome, candidate: str | None = BEST, first: int = 1) -> Dossier:
    """The dossier with another outcome of a candidate's first requirements."""
    each = tuple(
        one.model_copy(
            update={
                "judgements": tuple(
                    j.model_copy(update={"outcome": outcome, "reason": "because"}) if index < first else j
                    for index, j in enumerate(one.judgements)
                )
            }
        )
        if one.candidate == candidate
        else one
        for one in dossier.verdict.candidates
    )
    return dossier.model_copy(update={"verdict": dossier.verdict.model_copy(update={"candidates": each})})


def against(new: Dossier, old: Dossier = OLD) -> Comparison:
    return compare(new, old)


# --- what is worse -----------------------------------------------------------------------------------------------------------


def test_nothing_changed_is_a_pass() -> None:
    same = against(OLD)
    assert same.outcome is Outcome.PASS
    assert (same.worse, same.left_out, same.notes) == ((), (), ())
    assert same.compared > 10


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("accuracy", {"value": 0.80, "low": 0.79, "high": 0.81}),
        ("accuracy.drop", {"value": 0.10, "low": 0.09, "high": 0.11}),
        ("speedup", {"value": 1.5, "low": 1.4, "high": 1.6}),
        ("size", {"value": 430_112 * (1 + 2 * TOLERANCE)}),
        ("memory.peak", {"value": 400e6, "low": 390e6, "high": 410e6}),
    ],
)
def test_a_figure_beyond_its_interval_fails_and_better_ones_do_not(what: str, fields: dict[str, float]) -> None:
    loss = changed(OLD, what, **fields)
    told = against(loss)
    assert told.outcome is Outcome.FAIL
    assert all(line.startswith("openvino bf16: ") and what in line for line in told.worse)
    assert against(OLD, loss).outcome is Outcome.PASS, "the other way round it is a gain"


def test_what_chance_may_do_is_no_loss() -> None:
    before = next(f for f in OLD.findings if f.what == "accuracy" and f.candidate == BEST and f.level == 0.99)
    assert before.low is not None
    assert before.high is not None
    width = before.high - before.low
    close = {"value": before.number - width * 0.9, "low": before.low - width * 0.9, "high": before.high - width * 0.9}
    far = {"value": before.number - width * 1.1, "low": before.low - width * 1.1, "high": before.high - width * 1.1}
    assert against(changed(OLD, "accuracy", **close)).outcome is Outcome.PASS
    assert against(changed(OLD, "accuracy", **far)).outcome is Outcome.FAIL
    assert against(changed(OLD, "size", value=430_112 * (1 + TOLERANCE / 2))).outcome is Outcome.PASS


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.OPEN])
def test_a_requirement_that_passed_and_passes_no_longer_fails(outcome: Outcome) -> None:
    told = against(judged(OLD, outcome))
    assert told.worse == (f"openvino bf16: accuracy drop at most 0.5 pp: pass in the baseline, now {outcome}: because",)
    assert against(OLD, judged(OLD, outcome)).worse == ()
    assert against(judged(OLD, outcome, REFERENCE)).outcome is Outcome.FAIL, "the reference is watched, too"
    other = next(entry.id for entry in OLD.candidates if entry.id not in (BEST, REFERENCE))
    assert against(judged(OLD, outcome, other)).outcome is Outcome.PASS, "candidates that nobody took are not"


def test_a_candidate_that_crashes_now_is_worse() -> None:
    gone = tuple(f for f in OLD.findings if f.candidate != BEST)
    crash = missing("run", State.CRASHED, "signal 11", candidate=BEST)
    crashed = OLD.model_copy(update={"findings": (*gone, crash)})
    assert against(judged(crashed, Outcome.OPEN, first=3)).outcome is Outcome.FAIL


# --- what can't be compared ----------------------------------------------------------------------------------------------------


def slower_and_wrong(dossier: Dossier) -> Dossier:
    slow = changed(dossier, "speedup", value=1.5, low=1.4, high=1.6)
    return changed(slow, "accuracy", value=0.80, low=0.79, high=0.81)


def test_on_another_machine_quality_is_compared_and_speed_is_not() -> None:
    elsewhere = slower_and_wrong(OLD).model_copy(update={"environment": OLD.environment | {"cpu": "EPYC"}})
    told = against(elsewhere)
    assert [line.split(" ")[2] for line in told.worse] == ["accuracy"]
    assert told.left_out == (
        "speed and memory: the baseline was measured on another machine (Xeon, 2 cores, 6.1; this is EPYC, 2 cores, 6.1)",
    )


def test_on_other_rows_speed_is_compared_and_quality_is_not() -> None:
    other = slower_and_wrong(changed(OLD, "rows.evaluation", None, at={"hash": "00" * 32, "model": "cnn"}))
    told = against(other)
    assert told.worse
    assert all("speedup" in line for line in told.worse)
    assert any("other rows" in line for line in told.left_out)


def test_where_nothing_can_be_compared_there_is_not_enough_evidence() -> None:
    renamed = tuple(e.model_copy(update={"id": f"other/{e.id}", "reference": False}) for e in OLD.candidates)
    verdict = OLD.verdict.model_copy(update={"recommended": None})
    told = against(OLD.model_copy(update={"candidates": renamed, "verdict": verdict}))
    assert (told.outcome, told.compared) == (Outcome.OPEN, 0)
    assert told.left_out


def test_on_another_machine_with_other_rows_an_equal_size_proves_nothing() -> None:
    other = changed(OLD, "rows.evaluation", None, at={"hash": "00" * 32, "model": "cnn"})
    told = against(other.model_copy(update={"environment": OLD.environment | {"cpu": "EPYC"}}))
    assert (told.outcome, told.compared) == (Outcome.OPEN, 0)
    assert len(told.left_out) == 3, "the machine once, the rows of the two candidates"
    grown = changed(other, "size", value=900_000).model_copy(update={"environment": {}})
    assert against(grown).outcome is Outcome.FAIL


def test_an_unsteady_figure_is_left_out() -> None:
    told = against(changed(OLD, "accuracy", value=0.8, low=0.79, high=0.81, state=State.UNSTABLE))
    assert told.worse == ()
    assert any("unstable" in line for line in told.left_out)


def test_a_requirement_that_was_dropped_is_said() -> None:
    each = tuple(v.model_copy(update={"judgements": v.judgements[1:]}) for v in OLD.verdict.candidates)
    dropped = OLD.model_copy(update={"verdict": OLD.verdict.model_copy(update={"candidates": each})})
    assert any("required in the baseline only" in line for line in against(dropped).left_out)


def test_another_reference_is_another_yardstick() -> None:
    told = against(changed(OLD, "accuracy.drop", against="cnn/other", value=0.2, low=0.19, high=0.21))
    assert told.worse == ()
    assert any("another reference" in line for line in told.left_out)


def test_another_recommendation_is_said() -> None:
    other = next(e for e in OLD.candidates if e.label == "openvino int8_dynamic fp32")
    verdict = OLD.verdict.model_copy(update={"recommended": other.id})
    told = against(OLD.model_copy(update={"verdict": verdict}))
    assert told.notes == ("the baseline recommends openvino bf16; this run recommends openvino int8_dynamic fp32",)
    assert told.outcome is Outcome.PASS


# --- the command -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dossier that lies alone: the study, the model, the rows and the store are gone."""
    folder = tmp_path_factory.mktemp("study")
    done = command("run", make(folder), "--quiet", folder=folder)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob(".seatrial/runs/*/dossier.json")
    alone = tmp_path_factory.mktemp("alone") / "dossier.json"
    alone.write_bytes(file.read_bytes())
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return alone


def gate(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    code = main.main(["gate", *map(str, words)])
    return code, capsys.readouterr().out


def altered(run: Path, file: Path, **verdict: Any) -> Path:
    """A copy of the dossier whose verdict says something else."""
    content = json.loads(run.read_text())
    content["verdict"] |= verdict
    file.write_text(json.dumps(content))
    return file


def test_the_gate_needs_neither_model_nor_rows(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (run, run.parent):
        code, out = gate(capsys, name)
        assert code == 0
        assert "PASS  Take" in out
    assert [file.name for file in run.parent.iterdir()] == ["dossier.json"]


@pytest.mark.parametrize(("outcome", "code"), [("fail", 1), ("not enough evidence", 3)])
def test_the_gate_tells_a_kept_verdict_by_its_code(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], outcome: str, code: int
) -> None:
    assert gate(capsys, altered(run, tmp_path / "dossier.json", outcome=outcome))[0] == code


def test_reports_for_pipelines_are_made_from_a_kept_run(run: Path, tmp_path: Path) -> None:
    for name, begins in (("junit", "<?xml"), ("markdown", "## small: pass"), ("github", "::notice file=")):
        made = command("report", run, "--as", name, folder=tmp_path)
        assert made.returncode == 0, made.stderr
        assert made.stdout.startswith(begins)


def test_a_small_file_is_baseline_enough(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = tmp_path / "baseline.json"
    assert main.main(["report", str(run), "--as", "json", "--out", str(baseline)]) == 0
    code, out = gate(capsys, run, "--against", baseline)
    assert code == 0
    assert out.splitlines()[-1].startswith("PASS  ")
    assert "none came out worse" in out
    said = json.loads(gate(capsys, run, "--against", baseline, "--json")[1])
    assert (said["exit"], said["baseline"]["outcome"], said["baseline"]["worse"]) == (0, "pass", [])


def test_a_loss_since_the_baseline_fails_the_gate(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = json.loads(run.read_text())
    for finding in baseline["findings"]:
        if finding["what"] == "size":
            finding["value"] /= 2
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))
    code, out = gate(capsys, run, "--against", tmp_path / "baseline.json")
    assert code == 1
    assert "worse: " in out
    assert "PASS  Take" in out, "the verdict itself stands"
    assert out.splitlines()[-1].startswith("FAIL  ")
    quiet = gate(capsys, run, "--against", tmp_path / "baseline.json", "--quiet")[1]
    assert "worse: " in quiet


def test_a_baseline_of_something_else_is_not_enough_evidence(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.json").write_text(OLD.model_dump_json(by_alias=True))
    code, out = gate(capsys, run, "--against", tmp_path / "other.json")
    assert code == 3
    assert "nothing can be compared" in out


def test_a_baseline_that_is_none(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(capsys, run, "--against", tmp_path / "nowhere.json")[0] == 2
    (tmp_path / "broken.json").write_text("{}")
    assert gate(capsys, run, "--against", tmp_path / "broken.json")[0] == 4


# --- the page that tells how -------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "do" / "gate-in-a-pipeline.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def bash(lines: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a job's lines as CI systems do; packages are there already."""
    script = "\n".join(line for line in lines if not line.startswith("pip install"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    words = ["bash", "-eo", "pipefail", "-c", script]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which the page's commands for a baseline were run."""
    folder = tmp_path_factory.mktemp("repository")
    make(folder)
    done = bash(["git init -q", *blocks("sh")[0].splitlines()], folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_workflow_for_github_runs_as_it_stands(repository: Path) -> None:
    workflow = YAML(typ="safe").load(blocks("yaml")[0])
    lines = [step["run"] for step in workflow["jobs"]["gate"]["steps"] if "run" in step]
    done = bash(lines, repository)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "::notice file=study.yaml,title=Seatrial%3A small%3A pass::" in done.stdout
    assert (repository / "summary").read_text().startswith("## small: pass")
    assert "<html" in (repository / "report.html").read_text()


@pytest.mark.parametrize(("bound", "code"), [("0.5", 0), ("0.999", 1)])
def test_the_workflow_for_gitlab_runs_as_it_stands(repository: Path, bound: str, code: int) -> None:
    job = YAML(typ="safe").load(blocks("yaml")[1])["seatrial"]
    (repository / "study.yaml").write_text(STUDY.replace("bound: 0.5", f"bound: {bound}"))
    done = bash(job["script"], repository)
    assert done.returncode == code, done.stderr + done.stdout
    for name in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (repository / name).stat().st_size > 0
    assert job["allow_failure"]["exit_codes"] == [run_command.OPEN]


def test_the_page_names_every_exit_code() -> None:
    said = re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    ours = (run_command.PASS, run_command.FAIL, main.USAGE, run_command.OPEN, main.NOT_EVALUATED, main.STOPPED)
    assert [int(code) for code in said] == list(ours)
