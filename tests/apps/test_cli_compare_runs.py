"""`seatrial compare RUN RUN`: two runs that were kept, by whatever they are called, and what is told of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_study import make

import seatrial
from seatrial.apps.cli.main import main
from seatrial.contracts.changes import Call, Changes
from seatrial.contracts.dossier import Dossier


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Dossier]]:
    """A study that was run twice, the second time with one candidate less."""
    folder = tmp_path_factory.mktemp("twice")
    study = make(folder)
    return folder, [
        seatrial.run(study, quick=True),
        seatrial.run(study, quick=True, fresh=True, only=["onnxruntime/cpu/fp32"]),
    ]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["compare", *words])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return code, shown.out, shown.err


def test_two_runs_are_told_apart(kept: tuple[Path, list[Dossier]], capsys: pytest.CaptureFixture[str]) -> None:
    folder, (first, second) = kept
    code, out, err = told(capsys, first.run.id, "latest", "--in", str(folder))
    assert (code, err) == (0, "")
    assert first.run.id in out
    assert second.run.id in out
    assert "Verdicts" in out
    assert "no longer there" in out or len(first.candidates) == len(second.candidates)


def test_runs_are_found_by_name_folder_file_and_study(
    kept: tuple[Path, list[Dossier]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, (first, second) = kept
    home = folder / ".seatrial" / "runs"
    ways = [
        (first.run.id, second.run.id),
        (str(home / first.run.id), str(home / second.run.id)),
        (str(home / first.run.id / "dossier.json"), str(folder / "study.yaml")),
        (str(home / first.run.id / "dossier.json"), "latest"),
    ]
    texts = []
    for one, other in ways:
        code, out, _ = told(capsys, one, other, "--in", str(folder), "--json")
        assert code == 0
        texts.append(out)
    made = Changes.model_validate_json(texts[0])
    assert set(texts) == {texts[0]}
    assert (made.before.run.id, made.after.run.id) == (first.run.id, second.run.id)
    sizes = [one.call for one in made.shifts if one.finding.what in ("size", "accuracy")]
    assert sizes
    assert set(sizes) == {Call.SAME}
    assert json.loads(texts[0])["schema"] == 1


def test_it_is_written_as_a_page(kept: tuple[Path, list[Dossier]], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:  # fmt: skip
    folder, (first, _) = kept
    page = tmp_path / "there" / "changes.html"
    code, out, err = told(capsys, first.run.id, "latest", "--in", str(folder), "--as", "html", "--out", str(page))
    assert (code, out) == (0, "")
    assert "is written" in err
    assert "<!doctype html>" in page.read_text()
    assert told(capsys, first.run.id, "latest", "--in", str(folder), "--as", "html")[1].startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["latest", "latest", "--label", "y"], 2, "--label: of two runs nothing is read or judged anew"),
        (["latest", "latest", "--margin", "1pp"], 2, "--margin"),
        (["latest", "rows.npz"], 2, "`latest` is a run and `rows.npz` is none"),
        (["latest", "nowhere"], 2, "`latest` is a run and `nowhere` is none"),
        (["nowhere", "anywhere"], 2, "`nowhere` is neither a file nor a run that is kept here"),
        (["latest", "latest", "--as", "junit"], 4, "tells of one run alone"),
        (["latest", "latest", "--as", "papyrus"], 2, "papyrus"),
    ],
)
def test_wrong_words_are_told_with_the_next_step(
    kept: tuple[Path, list[Dossier]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    what: str,
) -> None:
    monkeypatch.chdir(kept[0])
    given, out, err = told(capsys, *words)
    assert (given, out) == (code, "")
    assert what in err
    assert "next:" in err
