"""Values offline and online, row by row: what differs is counted, with an interval, and can be required."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_study import STUDY, make

from seatrial.contracts.finding import Finding
from seatrial.errors import DataError
from seatrial.flow.read import read
from seatrial.flow.skewed import skew_findings


def found(folder: Path, offline: pl.DataFrame, online: pl.DataFrame, said: str = "") -> dict[tuple[str, str], Finding]:
    offline.write_parquet(folder / "offline.parquet")
    online.write_csv(folder / "online.csv")
    text = STUDY.replace(
        "candidates:\n",
        "  offline: {from: {parquet: {path: offline.parquet}}, roles: train}\n  online: {from: {csv: {path: online.csv}}, roles: train}\ncandidates:\n",
    ).replace("flips]", f"flips], skew: {{between: [offline, online], key: id{said}}}")
    source = read(make(folder, text))
    return {(one.what, str(one.at.get("column", ""))): one for one in skew_findings(source.study, source.folder, 0.95)}


def frame(rows: int = 400) -> pl.DataFrame:
    random = np.random.default_rng(2)
    return pl.DataFrame(
        {"id": range(rows), "balance": random.normal(100, 20, rows), "city": random.choice(["Ulm", "Kiel"], rows)}
    )


def test_what_differs_is_counted_whatever_the_order_of_rows(tmp_path):
    table = frame()
    late = table.with_columns(
        balance=pl.when(pl.col("id") % 10 == 0).then(pl.col("balance") + 5).otherwise("balance"),
        city=pl.when(pl.col("id") == 3).then(pl.lit("Bonn")).otherwise("city"),
    ).filter(pl.col("id") < 390)
    told = found(tmp_path, table, late.reverse())
    assert told["skew.rows", "balance"].value == pytest.approx(39 / 390)
    assert told["skew.rows", "balance"].low < 0.1 < told["skew.rows", "balance"].high
    assert told["skew.largest", "balance"].value == pytest.approx(5)
    assert told["skew.rows", "city"].value == pytest.approx(1 / 390)
    assert told["skew.unmatched", ""].value == 10
    assert "10 in `offline` alone" in told["skew.unmatched", ""].note
    text = "".join(one.model_dump_json() for one in told.values())
    assert "Bonn" not in text


def test_numbers_that_are_near_are_the_same_where_the_study_says_how_near(tmp_path):
    table = frame()
    near = table.with_columns(pl.col("balance") * 1.001)
    assert found(tmp_path, table, near)["skew.rows", "balance"].value == 1
    assert found(tmp_path, table, near, ", tolerance: 0.01")["skew.rows", "balance"].value == 0


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="has no column `balanc`") as refused:
        found(tmp_path, frame(), frame(), ", columns: balanc")
    assert "balance" in refused.value.next_step
    told = found(tmp_path, frame(), frame().with_columns(pl.col("id") + 1000))
    assert told["skew.rows", "balance"].value is None
