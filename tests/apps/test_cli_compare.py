"""`seatrial compare`: exit codes, what is printed and written, usage errors, and the page that teaches it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_study import seatrial as command

from seatrial.apps.cli.main import main
from seatrial.contracts.dossier import Dossier

PAGE = Path(__file__).parents[2] / "docs" / "do" / "compare-two-files.md"
ROWS = 2000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reference that errs on one row in ten, one that errs on other rows, too, and one much worse; the last two shuffled."""
    random = np.random.default_rng(5)
    y = random.integers(0, 3, ROWS)
    wrong = {"ref": np.arange(ROWS) % 10 == 0}
    wrong["alike"] = wrong["ref"] ^ (np.arange(ROWS) % 500 < 2)
    wrong["worse"] = wrong["ref"] | (np.arange(ROWS) % 10 < 3)
    for name, rows in wrong.items():
        order = np.arange(ROWS) if name == "ref" else random.permutation(ROWS)
        columns = {"id": order, "y": y[order], "prediction": ((y + rows) % 3)[order]}
        pl.DataFrame(columns).write_parquet(tmp_path / f"{name}.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("candidate", "margin", "code", "word"),
    [
        ("alike", ["--margin", "2pp"], 0, "PASS"),
        ("worse", ["--margin", "2pp"], 1, "FAIL"),
        ("alike", ["--margin", "0"], 3, "NOT ENOUGH EVIDENCE"),
        ("worse", [], 0, "Nothing was required"),
    ],
)
def test_exit_codes_are_those_of_a_gate(
    folder: Path, capsys: pytest.CaptureFixture[str], candidate: str, margin: list[str], code: int, word: str
) -> None:
    assert main(["compare", "ref.parquet", f"{candidate}.parquet", "--label", "y", "--key", "id", *margin]) == code
    shown = capsys.readouterr()
    assert word in shown.out
    assert "predicted classes from prediction; 2,000 rows matched by key `id`" in shown.err
    reports = folder / ".seatrial" / "compare" / f"ref-{candidate}"
    assert sorted(file.name for file in reports.iterdir()) == ["dossier.json", "report.html"]
    if margin:
        assert main(["gate", str(reports), "--quiet"]) == code


def test_for_machines_it_prints_the_dossier_and_nothing_else(folder: Path) -> None:
    words = ["compare", "ref.parquet", "worse.parquet", "--label", "y", "--key", "id", "--json", "--out", "here/it/is"]
    done = command(*words, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    made = Dossier.model_validate_json(done.stdout)
    assert (folder / "here" / "it" / "is" / "report.html").is_file()
    drop = made.find("accuracy.drop", next(one.id for one in made.candidates if not one.reference))
    assert drop is not None
    assert drop.value == pytest.approx(0.2)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["compare", "ref.parquet", "alike.parquet", *words])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return code, shown.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--label", "yy", "--key", "id"], 4, "did you mean `y`"),
        (["--label", "y"], 4, "--key id"),
        (["--label", "y", "--margin", "1 kg"], 2, "`kg` is not a unit"),
        (["--label", "y", "--margin", "-1pp"], 2, "0 is the least margin"),
        (["--margin", "1pp"], 2, "--label"),
        (["--label", "y", "--means", "odds"], 2, "logits, probabilities, scores"),
        (["--label", "y", "--key", "id", "--task", "clasification"], 2, "did you mean `classification`"),
        (["--label", "y", "--key", "id", "--classes", "0,1"], 4, "2"),
    ],
)
def test_wrong_words_are_told_with_the_next_step(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    given, text = said(capsys, *words)
    assert (given, told in text) == (code, True), text
    assert "next:" in text


def test_a_file_that_is_not_there_or_is_no_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "ref.parquet", "gone.parquet"]) == 2
    (folder / "text.parquet").write_text("no table")
    (folder / "x.weights").write_text("no table")
    for name in ("text.parquet", "x.weights"):
        assert main(["compare", "ref.parquet", name]) == 4
        assert name in capsys.readouterr().err


def test_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    blocks: dict[str, Any] = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    subprocess.run([sys.executable, "-c", blocks["python"]], cwd=tmp_path, check=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", blocks["sh"]], cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout
    made = json.loads((tmp_path / ".seatrial" / "compare" / "approved-changed" / "dossier.json").read_text())
    assert made["environment"]["classes"] == ["cat", "dog", "owl"]
