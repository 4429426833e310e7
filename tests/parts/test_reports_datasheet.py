"""A datasheet from the dossier alone: every question is answered, counted, or said to be open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.provenance import ASKED, Provenance
from seatrial.flow.publish import render
from seatrial.parts.reports._words import words

STUDY = """\
schema: 1
name: sheet
models:
  elsewhere:
    forms: {predictions: {from: {parquet: {path: rows.parquet}}, columns: [p]}}
    task: classification
    outputs: {p: {means: probabilities, classes: ["0", "1"]}}
data: {rows: {from: {parquet: {path: rows.parquet}}, label: y, roles: confirm, lineage: lineage.yaml}}
candidates: [{runtime: recorded}]
reference: {runtime: recorded, eligible: true}
measure: {loads: [], meters: [], metrics: [accuracy]}
audit: {audits: [duplicates, imbalance, missingness]}
require: [{at_least: {what: accuracy, bound: 0.1}}]
reports: [datasheet]
"""
OWNER = {
    name: f"{name} said by its owner"
    for name in Provenance.model_fields
    if name not in ("files", "delete_after", "privacy_tests", "features")
}


def told(folder: Path, stated: dict[str, str]) -> tuple[Dossier, str]:
    rng = np.random.default_rng(0)
    rows = pl.DataFrame(
        {
            "x": rng.normal(size=90),
            "secret": ["ingrid.solheim@example.org"] * 90,
            "p": rng.random(90),
            "y": rng.integers(0, 2, 90),
        }
    )
    pl.concat([rows, rows[:10]]).write_parquet(folder / "rows.parquet")
    (folder / "lineage.yaml").write_text(
        "".join(f"{name}: {words}\n" for name, words in stated.items()) or "description: ''\n"
    )
    (folder / "study.yaml").write_text(STUDY)
    dossier = seatrial.run(folder / "study.yaml")
    return dossier, render(dossier, "datasheet")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dossier, str]:
    return told(tmp_path_factory.mktemp("full"), OWNER | {"privacy_tests": "never", "files": "[rows.parquet]"})


def test_every_field_of_the_lineage_is_asked_for_and_every_answer_stands_in_it(full: tuple[Dossier, str]) -> None:
    asked = {one["field"] for section in words()["datasheet"]["sections"] for one in section["asks"]}
    assert asked == set(Provenance.model_fields) - {"delete_after", "features"}
    assert set(ASKED) <= asked
    _, text = full
    for name in OWNER:
        assert f"{name.replace('_', chr(92) + '_')} said by its owner (stated by the owner)" in text
    assert "Nobody has said" not in text.replace("Nobody has said: <code>files:", "")


def test_what_was_counted_stands_in_it_and_no_cell_does(full: tuple[Dossier, str]) -> None:
    _, text = full
    assert "rows: 100 (4 columns)" in text
    assert "10 of 100 rows" in text
    assert "| secret | text |" in text
    assert "sha256:" in text
    assert "solheim" not in text


def test_what_nobody_says_is_asked_for_by_its_field(tmp_path: Path) -> None:
    _, text = told(tmp_path, {"owner": "harbour team"})
    assert "harbour team (stated by the owner)" in text
    for field in ("licence", "consent", "funding", "maintenance", "not\\_for"):
        assert f"Nobody has said: <code>{field}:</code>" in text
