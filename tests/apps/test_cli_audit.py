"""`seatrial audit`: what it says, how it exits, and that nothing of a row comes out anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from seatrial.apps.cli.main import main
from seatrial.testing import _faulty


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
    told += "".join(one.read_text() for one in kept)
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
