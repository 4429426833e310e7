"""`seatrial audit`: what it says, how it exits, and that nothing of a row comes out anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from seatrial.apps.cli.main import main
from seatrial.testing import _faulty

STUDY = """\
schema: 1
name: personal
models:
  elsewhere:
    forms: {predictions: {from: {parquet: {path: rows.parquet}}, columns: [p]}}
    task: classification
    outputs: {p: {means: probabilities, classes: ["0", "1"]}}
data: {rows: {from: {parquet: {path: rows.parquet}}, label: y, group: person, roles: confirm}}
candidates: [{runtime: recorded}]
reference: {runtime: recorded, eligible: true}
measure: {loads: [], meters: [], metrics: [accuracy]}
audit: {audits: [personal_data, duplicates, near_duplicates, encoding_faults, mixed_types, label_errors, missingness]}
require: [{clean_audit: {}}]
reports: [json, html, junit, markdown]
"""


def _written(folder: Path, name: str, columns: dict[str, object]) -> Path:
    file = folder / name
    frame = pl.DataFrame({key: values.tolist() for key, values in columns.items()})  # type: ignore[attr-defined]
    frame.write_csv(file) if name.endswith("csv") else frame.write_parquet(file)
    return file


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_personal_data_is_counted_and_stands_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    columns = _faulty.faulty(1500)
    for at, secret in enumerate(_faulty.SECRETS):  # in ten columns
        columns[f"free_{at}"] = columns["note"].copy()
        columns[f"free_{at}"][at] = secret
    file, told = _written(tmp_path, name, columns), ""
    for form in ("terminal", "html", "markdown", "json"):
        assert main(["audit", str(file), "--label", "y", "--as", form, "--only", "personal_data,duplicates"]) == 1
        said = capsys.readouterr()
        told += said.out + said.err
    assert main(["audit", str(file), "--label", "nobody"]) == 4
    said = capsys.readouterr()
    told += said.out + said.err
    kept = [one for one in tmp_path.rglob("*") if one.is_file() and one != file and one.name != "audit.key"]
    assert kept, "rows to look at are written"
    told += "".join(one.read_bytes().decode("utf-8", "replace") for one in kept)
    assert "personal data" in told
    assert not [secret for secret in _faulty.SECRETS if secret in told]


def test_a_clean_table_passes_and_wrong_words_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _written(tmp_path, "clean.parquet", _faulty.clean(1500))
    audits = "duplicates,outliers,missingness,imbalance,units,personal_data"
    assert main(["audit", str(file), "--label", "y", "--only", audits, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {one["what"]: one["value"] for one in found}["audit.serious"] == 0
    assert main(["audit", str(file), "--only", "duplicatez"]) == 2
    assert "did you mean `duplicates`" in capsys.readouterr().err
    assert main(["audit", str(tmp_path / "no.csv")]) == 2
    capsys.readouterr()
    asked = ["audit", str(file), "--only", "duplicates", "--limit"]
    assert main([*asked, "group=1kB"]) == 4
    assert "limits: {group" in capsys.readouterr().err
    assert main([*asked, "group=1GiB"]) == 0
    capsys.readouterr()
    assert main([*asked, "groop=1GiB"]) == 2
    assert "did you mean `group`" in capsys.readouterr().err


def test_the_same_rows_are_not_looked_at_again_unless_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _written(tmp_path, "clean.parquet", _faulty.clean(300))
    asked = ["audit", str(file), "--only", "duplicates,outliers"]
    assert main(asked) == 0
    first = capsys.readouterr()
    assert "kept from before" not in first.err
    assert main(asked) == 0
    again = capsys.readouterr()
    assert "2 of 2 results were kept from before" in again.err
    assert again.out == first.out
    assert main([*asked, "--fresh"]) == 0
    assert "kept from before" not in capsys.readouterr().err


def test_a_folder_of_pictures_by_class_is_clean_and_copies_across_classes_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (tmp_path / "all" / kind).mkdir(parents=True)
        for at in range(70):
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(tmp_path / "all" / kind / f"{at}.png")
    asked = ["audit", str(tmp_path / "all"), "--label", "label", "--without", "label_errors", "--json"]
    assert main(asked) == 0
    capsys.readouterr()
    shutil.copy(tmp_path / "all" / "cat" / "1.png", tmp_path / "all" / "dog" / "copy.png")
    main(asked)
    found = {one["what"]: one["value"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["audit.duplicates.conflicting"] == 2


@pytest.mark.parametrize("form", ["terminal", "html", "markdown", "json"])
def test_a_column_that_changed_its_type_between_two_files_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    columns = _faulty.clean(300)
    one = _written(tmp_path, "train.parquet", columns)
    other = _written(tmp_path, "judge.parquet", columns | {"height": columns["height"].astype(str).astype(object)})
    assert main(["audit", str(one), str(other), "--only", "schema", "--as", form]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert ("height: other type" in text) or form == "json"
    assert "other type" in text


@pytest.mark.parametrize("name", ["none.parquet", "none.csv"])
def test_a_table_without_rows_is_no_clean_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    frame, file = pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}), tmp_path / name
    frame.write_csv(file) if name.endswith("csv") else frame.write_parquet(file)
    assert main(["audit", str(file)]) == 4
    assert "there are no rows" in capsys.readouterr().err


def test_a_study_tells_no_personal_data_either(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In every report, on the terminal, in the dossier, in the store and in files of rows; errors included."""
    columns = _faulty.faulty(900)
    for at, secret in enumerate(_faulty.SECRETS):  # in ten columns
        columns[f"free_{at}"] = columns["note"].copy()
        columns[f"free_{at}"][at] = secret
    columns["p"] = columns["y"] * 0.8 + 0.1
    rows = _written(tmp_path, "rows.parquet", columns)
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    assert main(["run", str(study)]) in (0, 1)
    study.write_text(STUDY.replace("label: y", "label: free_3"))  # what it can't read it doesn't quote
    assert main(["run", str(study)]) != 0
    said = capfd.readouterr()
    told = said.out + said.err
    for file in tmp_path.rglob("*"):
        if file.is_file() and file not in (rows, study) and file.name != "audit.key" and "arrays" not in file.parts:
            told += file.read_bytes().decode("utf-8", "replace")
    assert "personal data" in told.lower()
    assert not [secret for secret in _faulty.SECRETS if secret in told]
