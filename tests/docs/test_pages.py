"""Docs that lie fail: the tutorial's commands run as they stand, and a part is added by following CONTRIBUTING."""

import os
import re
import subprocess
import sys
from pathlib import Path

import fetched
import pytest
from recipes import carry_out
from small_study import make

from seatrial import catalog
from seatrial.errors import StudyError
from seatrial.flow import study as flow
from seatrial.flow.plan import make_plan
from seatrial.flow.read import read
from seatrial.testing import metrics

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_tutorial_runs_as_it_stands(tmp_path):
    script = "set -euo pipefail\n" + "\n".join(blocks("docs/learn/first-study.md", "sh"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"EXAMPLES": str(ROOT / "examples"), "PATH": path}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Nothing was measured again") >= 1
    assert "PASS" in done.stdout or "NOT ENOUGH EVIDENCE" in done.stdout
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_the_second_tutorial_runs_as_it_stands(tmp_path):
    fetched.employment()
    printed = carry_out("docs/learn/a-table-of-people.md", tmp_path)
    assert "Left to fill in" in printed
    assert "labels are no class" in printed
    assert "NOT ENOUGH EVIDENCE" in printed
    assert "flips" in printed
    assert "Asian" in printed
    assert (tmp_path / "summary.md").stat().st_size > 500


def test_a_part_is_added_by_following_contributing(tmp_path):
    (tmp_path / "overconfidence.py").write_text(blocks("CONTRIBUTING.md", "python")[0])
    file = make(tmp_path)
    file.write_text(file.read_text().replace("metrics: [accuracy,", "metrics: [./overconfidence.py, accuracy,"))
    assert any(ref.name == "./overconfidence.py" for ref in make_plan(read(file)).study.measure.metrics)
    metrics.exam(catalog.find("metrics", "./overconfidence.py", tmp_path))
    dossier = flow.run(file)
    found = [one for one in dossier.findings if one.what == "overconfidence"]
    assert len(found) == len([one for one in dossier.findings if one.what == "accuracy"])
    report = tmp_path / ".seatrial" / "runs" / dossier.run.id / "report.html"
    assert "overconfidence" in report.read_text()


@pytest.mark.parametrize(
    "page", sorted(str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_every_page_stands_in_the_index():
    docs = ROOT / "docs"
    named = {docs / target for target in re.findall(r"\]\(([^)#]+)", (docs / "README.md").read_text())}
    assert {*docs.glob("*/*.md")} <= named


def test_the_examples_study_can_be_read_and_planned():
    fetched.employment()
    for file in sorted(ROOT.glob("examples/*/study.yaml")):
        try:
            plan = make_plan(read(file))
        except StudyError as error:
            pytest.fail(str(error))
        assert plan.candidates
