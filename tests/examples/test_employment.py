"""The employment example: fetched, trained and judged as its README says."""

import shutil

import fetched
import polars as pl
import pytest

from seatrial.contracts.dossier import Dossier
from seatrial.flow import study as flow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = fetched.employment()
    own = tmp_path_factory.mktemp("employment")
    for name in ("study.yaml", "large.onnx", "small.onnx", "rows.parquet"):
        shutil.copy(made / name, own)
    study = own / "study.yaml"
    text = study.read_text()
    quality = "measure:\n  rounds: 2\n  loads: [offline]\n  meters: [throughput, size]\n"
    changed = text.replace("measure:\n", quality).replace(
        "  - at_most: {what: latency", "  # - at_most: {what: latency"
    )
    assert changed.count("rounds: 2") == 1
    assert "# - at_most" in changed
    study.write_text(changed)
    return own


@pytest.fixture(scope="module")
def dossier(folder) -> Dossier:
    return flow.run(folder / "study.yaml", only=["large onnxruntime fp32 t1 b32", "small * b32"])


def named(dossier: Dossier, part: str) -> str:
    return next(entry.id for entry in dossier.candidates if part in entry.id)


def test_people_are_judged_who_were_not_trained_on(folder):
    rows = pl.read_parquet(folder / "rows.parquet")
    assert sorted(rows["year"].unique()) == [2016, 2017, 2018]
    assert rows["id"].n_unique() == len(rows) == 208_892
    assert not {"prediction", "predicted_probability"} & set(rows.columns)


def test_groups_stand_beside_the_rows_in_words_and_are_no_inputs(folder, dossier):
    rows = pl.read_parquet(folder / "rows.parquet")
    assert set(rows["sex"].unique()) == {"female", "male"}
    assert {"White", "Black", "Asian"} < set(rows["race"].unique())
    assert rows.group_by("age").agg(pl.col("AGEP").min()).sort("AGEP")["age"].to_list() == [
        "0-15",
        "16-24",
        "25-44",
        "45-64",
        "65+",
    ]
    columns = dossier.study["models"]["small"]["inputs"]["X"]["columns"]
    assert not {"SEX", "RAC1P", "sex", "race", "age"} & set(columns)


def test_equal_accuracy_hides_changed_answers(dossier):
    small = next(
        e.id for e in dossier.candidates if e.candidate.model == "small" and e.candidate.runtime.name == "onnxruntime"
    )
    accuracy, drop, flips = (dossier.find(what, small) for what in ("accuracy", "accuracy.drop", "flips"))
    assert accuracy.n == 208_892
    assert 0.81 < accuracy.value < 0.84
    assert drop.high < 0.0025
    assert 0.01 < flips.value < 0.03
    outcomes = {judgement.requirement: str(judgement.outcome) for judgement in dossier.verdict.of(small).judgements}
    assert len(outcomes) == 5
    assert set(outcomes.values()) == {"pass"}
    assert dossier.verdict.recommended == small


def test_what_trees_cannot_do_is_said(dossier):
    notes = {f.candidate: f.note for f in dossier.findings if f.what == "run" and f.value is None}
    told = " ".join(notes.values())
    assert len(notes) == 2
    assert "nothing to quantise" in told
    assert "OpenVINO" in told
