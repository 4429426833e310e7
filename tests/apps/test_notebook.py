"""A dossier in a notebook: cells that are executed one after the other, and what they show."""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_study import make

from seatrial.apps.notebook import Dossier, Picture, shown
from seatrial.contracts import dossier as contract
from seatrial.testing.dossiers import samples
from seatrial.testing.reports import check_html

SAMPLES = samples()
CELLS = (
    "import seatrial",
    "dossier = seatrial.run('study.yaml', quick=True)\ndossier",
    "speeds = dossier.frame().filter(what='speedup')\nspeeds.select('candidate', 'value', 'low', 'high')",
    "dossier.plot()",
    "dossier.plot(width=600).save('picture.svg')",
    "seatrial.load() == dossier",
)


def display(value: Any) -> str:
    """What a notebook shows of a cell's last value: SVG, else HTML, else text."""
    for method in ("_repr_svg_", "_repr_html_"):
        if hasattr(value, method):
            return str(getattr(value, method)())
    return repr(value)


def execute(cells: tuple[str, ...], names: dict[str, Any]) -> list[str]:
    """Run cells as a notebook does, in one name space; returns what each shows."""
    said = []
    for cell in cells:
        body = ast.parse(cell).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
        said.append("" if value is None else display(value))
    return said


def test_a_notebook_runs_a_study_and_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    _, report, table, picture, path, again = execute(CELLS, names)
    assert "onnxruntime int8_dynamic" in report
    assert names["dossier"].verdict.sentence[:20].split("`")[0] in report
    assert "<table" in report
    assert "speedup" not in table  # it was not among the columns asked for
    assert names["speeds"].height >= 2
    assert ET.fromstring(picture).tag.endswith("svg")
    assert Path(tmp_path / "picture.svg").read_text().startswith("<svg")
    assert "picture.svg" in path
    assert again == "True"


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_dossier_shows_itself(name: str) -> None:
    dossier = shown(SAMPLES[name])
    check_html(f'<!doctype html><html lang="en"><body>{dossier._repr_html_()}</body></html>')
    picture = ET.fromstring(dossier.plot().svg)
    assert picture.get("role") == "img"
    assert picture.find("{http://www.w3.org/2000/svg}title") is not None
    assert dossier.frame().height == len(dossier.findings)


def test_the_frame_holds_what_was_found() -> None:
    dossier = shown(SAMPLES["normal"])
    frame = dossier.frame()
    row = frame.filter(what="speedup", at="load=offline", candidate="openvino bf16", level=0.95).row(0, named=True)
    found = SAMPLES["normal"].find("speedup", SAMPLES["normal"].verdict.recommended, load="offline")
    assert (row["value"], row["low"], row["high"], row["n"]) == (found.value, found.low, found.high, found.n)
    assert (row["runtime"], row["precision"], row["batch"], row["reference"]) == ("openvino", "bf16", 32, False)
    hung = frame.filter(what="run").row(0, named=True)
    assert (hung["value"], hung["state"], hung["origin"]) == (None, "hung", "missing")
    assert frame.filter(what="executed.precision")["word"].to_list().count("bf16") == 2
    assert frame.schema == shown(SAMPLES["bare"]).frame().schema
    assert frame.schema["value"] == pl.Float64


def test_it_is_the_dossier_still() -> None:
    plain = SAMPLES["normal"]
    dossier = shown(plain)
    assert isinstance(dossier, contract.Dossier)
    assert dossier == plain
    assert plain == dossier
    assert dossier != SAMPLES["open"]
    assert dossier.model_dump_json() == plain.model_dump_json()
    assert dossier.find("size", dossier.verdict.recommended) == plain.find("size", plain.verdict.recommended)
    assert type(Dossier.model_validate_json(plain.model_dump_json())) is Dossier


def test_a_picture_is_drawn_by_notebooks_of_either_kind(tmp_path: Path) -> None:
    picture = Picture("<svg/>")
    assert picture._repr_svg_() == picture._repr_html_() == "<svg/>"
    assert picture.save(tmp_path / "p.svg").read_text() == "<svg/>"


def test_nothing_heavy_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, seatrial.apps.python; print({'polars', 'numpy', 'jinja2', 'rich', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
