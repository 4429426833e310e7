"""Publishing: every report that can be made is written whole; one that can't stops no other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartInfo
from seatrial.errors import PartError, UnknownPart
from seatrial.flow.publish import file_name, publish, render
from seatrial.testing.dossiers import sample_dossier

FULL = sample_dossier()


def asking(*reports: Any) -> Dossier:
    """The sample with these reports in its study."""
    return FULL.model_copy(update={"study": FULL.study | {"reports": list(reports)}})


def local(folder: Path, name: str, body: str, declared: str = 'GIVES = {"suffix": ("txt",)}') -> str:
    """A report in a local file; gives the name by which a study calls it."""
    lines = [f'"""{name}."""', declared, "def render(dossier, options):", f"    {body}"]
    (folder / f"{name}.py").write_text("\n".join(lines) + "\n")
    return f"./{name}.py"


def test_reports_are_written_under_the_names_they_declare(tmp_path: Path) -> None:
    published = publish(FULL, tmp_path / "new" / "run")
    assert published.failures == {}
    assert {name: path.name for name, path in published.paths.items()} == {
        "json": "dossier.json",
        "html": "report.html",
    }
    assert Dossier.model_validate_json(published.paths["json"].read_text(encoding="utf-8")) == FULL
    page = published.paths["html"].read_text(encoding="utf-8")
    assert page == render(FULL, "html")
    assert "10,000 images" in page  # the study's option for this report
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == ["dossier.json", "report.html"]


def test_a_report_to_look_at_is_not_written(tmp_path: Path) -> None:
    published = publish(asking("terminal"), tmp_path)
    assert published.paths == {}
    assert published.failures == {}
    assert list(tmp_path.iterdir()) == []
    assert "openvino bf16" in render(FULL, "terminal", {"width": 80})


@pytest.mark.parametrize("ref", ["json", {"json": {"indent": None}}, {"name": "json", "options": {"indent": None}}])
def test_references_are_read_as_people_and_programs_write_them(tmp_path: Path, ref: Any) -> None:
    path = publish(asking(ref), tmp_path).paths["json"]
    assert (path.read_text().count("\n") == 1) is (ref != "json")


def test_one_that_raises_stops_no_other(tmp_path: Path) -> None:
    bad = local(tmp_path, "bad", 'raise RuntimeError("no ink")')
    number = local(tmp_path, "number", "return 7")
    good = local(tmp_path, "good", "return dossier.run.id")
    published = publish(
        asking(bad, number, "papyrus", {"json": {"indnt": 2}}, good, "html"), tmp_path / "out", tmp_path
    )
    assert {name: path.name for name, path in published.paths.items()} == {good: "good.txt", "html": "report.html"}
    assert published.paths[good].read_text() == FULL.run.id
    assert published.failures[bad] == "RuntimeError: no ink"
    assert "int, not text" in published.failures[number]
    assert "no report `papyrus`" in published.failures["papyrus"]
    assert "indnt" in published.failures["json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.txt", "report.html"]


def test_two_reports_do_not_overwrite_each_other(tmp_path: Path) -> None:
    twin = local(tmp_path, "twin", 'return "twin"', 'GIVES = {"file": ("report.html",)}')
    published = publish(asking("html", twin), tmp_path / "out", tmp_path)
    assert "already written as report.html" in published.failures[twin]
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == render(asking("html"), "html")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(asking("json"), tmp_path)
    before = (tmp_path / "dossier.json").read_bytes()

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    changed = asking("json").model_copy(update={"environment": {"changed": True}})
    published = publish(changed, tmp_path)
    assert "No space left" in published.failures["json"]
    assert (tmp_path / "dossier.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["dossier.json"]


def test_options_given_come_before_those_of_the_study() -> None:
    assert "10,000 images" in render(FULL, "html")
    assert "10,000 pictures" in render(FULL, "html", {"rows": "pictures"})
    assert "10,000 rows" in render(asking("json"), "html")
    assert json.loads(render(FULL, "json"))["schema"] == 1


def test_what_is_wrong_with_a_report_is_said_with_the_next_step() -> None:
    with pytest.raises(UnknownPart, match="did you mean `html`"):
        render(FULL, "htm")
    with pytest.raises(PartError, match=r"(?s)width.*seatrial explain terminal"):
        render(FULL, "terminal", {"width": "wide"})


@pytest.mark.parametrize("declared", ["../report.html", "/etc/report", "a/b.html", ".hidden", ".."])
def test_a_part_writes_only_into_its_folder(declared: str) -> None:
    part = PartInfo(kind="reports", name="x", path="", module="", description="", gives={"file": (declared,)})
    with pytest.raises(PartError, match="no plain file name"):
        file_name(part)


def test_names_of_files() -> None:
    assert [file_name(catalog.find("reports", name)) for name in ("html", "json", "terminal")] == [
        "report.html",
        "dossier.json",
        None,
    ]
