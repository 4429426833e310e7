"""What faults of the data do to the verdict: figures without rows in doubt, and weighted figures, are those of brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.flow.publish import render

STUDY = """\
schema: 1
name: judged by doubtful rows
models:
  elsewhere:
    forms: {predictions: {from: {parquet: {path: rows.parquet}}, columns: [score]}}
    task: classification
    outputs: {score: {means: probabilities, classes: ["0", "1"]}}
data:
  rows: {from: {parquet: {path: rows.parquet}}, label: y, roles: confirm}
  train: {from: {parquet: {path: train.parquet}}, label: y, roles: train}
candidates: [{runtime: recorded}]
reference: {runtime: recorded, eligible: true}
measure: {loads: [], meters: [], metrics: [accuracy, recall]}
audit: {audits: [duplicates, leakage], population: {sex: {F: 0.5, M: 0.5}}}
require: [{at_least: {what: accuracy, bound: 0.82}}, {clean_audit: {}}]
reports: [json, html]
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, pl.DataFrame, Dossier]:
    """600 rows that judge, of which 60 are copies and 40 stand in training: the model is right on all of those, and on 70 % of the others."""
    folder, rng = tmp_path_factory.mktemp("doubtful"), np.random.default_rng(0)

    def rows(count: int, right: float) -> pl.DataFrame:
        label = rng.integers(0, 2, count)
        hit = rng.random(count) < right
        score = np.where(hit == (label == 1), rng.uniform(0.6, 1, count), rng.uniform(0, 0.4, count))
        sex = np.where(rng.random(count) < 0.8, "F", "M")
        return pl.DataFrame({"x": rng.normal(size=count), "sex": sex, "score": score, "y": label})

    train, fresh, easy = rows(400, 0.9), rows(500, 0.7), rows(60, 1.0)
    known = rows(20, 1.0)
    train = pl.concat([train, known])
    whole = pl.concat([fresh, easy[:20], known, easy[20:], easy[20:], known])
    whole.write_parquet(folder / "rows.parquet")
    train.write_parquet(folder / "train.parquet")
    (folder / "study.yaml").write_text(STUDY)
    return whole, train, seatrial.run(folder / "study.yaml")


def of(dossier: Dossier, what: str, **at: str) -> float:
    (found,) = {one.number for one in dossier.findings if one.what == what and one.at == at and one.value is not None}
    return found


def right(rows: pl.DataFrame) -> np.ndarray:
    return ((rows["score"] > 0.5) == (rows["y"] == 1)).to_numpy()


def test_figures_without_copies_and_known_rows_are_those_of_brute_force(judged) -> None:
    rows, train, dossier = judged
    seen: set[tuple] = set()
    copies = np.array([row in seen or seen.add(row) is not None for row in rows.rows()])
    known = np.array([row in set(train.rows()) for row in rows.rows()])
    hits = right(rows)
    assert of(dossier, "accuracy") == pytest.approx(hits.mean())
    for kind, doubtful in (("duplicates", copies), ("leaked", known), ("any", copies | known)):
        assert of(dossier, "cleaned.accuracy", without=kind) == pytest.approx(hits[~doubtful].mean())
        sides = [hits[(rows["y"] == y).to_numpy() & ~doubtful].mean() for y in (0, 1)]
        (recall,) = {
            one.number
            for one in dossier.findings
            if one.what == "cleaned.recall" and one.at == {"average": "macro", "without": kind}
        }
        assert recall == pytest.approx(sum(sides) / 2)
        assert (
            next(one.n for one in dossier.findings if one.key == f"cleaned.accuracy{{without={kind}}}")
            == (~doubtful).sum()
        )


def test_weighted_figures_are_those_of_brute_force(judged) -> None:
    rows, _, dossier = judged
    hits, women = right(rows), (rows["sex"] == "F").to_numpy()
    assert of(dossier, "reweighted.accuracy") == pytest.approx((hits[women].mean() + hits[~women].mean()) / 2)
    weights = np.where(women, 0.5 / women.mean(), 0.5 / (~women).mean())
    assert of(dossier, "reweighted.rows") == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    plain = next(one for one in dossier.findings if one.what == "accuracy")
    weighted = next(one for one in dossier.findings if one.what == "reweighted.accuracy")
    assert weighted.high - weighted.low > plain.high - plain.low


def test_a_clean_audit_is_demanded_and_reports_show_figures_side_by_side(judged) -> None:
    _, _, dossier = judged
    (verdict,) = dossier.verdict.candidates
    assert [one.outcome for one in verdict.judgements if one.rule == "clean_audit"] == ["fail"]
    told = {one.at["without"]: one.value for one in dossier.findings if one.what == "verdict.cleaned"}
    assert set(told.values()) == {"fail"}
    for report in ("terminal", "html", "markdown"):
        text = " ".join(render(dossier, report).split()).lower()
        assert "without copies" in text
        assert "weighted" in text


def test_the_verdict_turns_where_it_hangs_on_copies(judged, tmp_path: Path) -> None:
    rows, _, _ = judged
    fresh = rows[:500]
    easy = fresh.filter(pl.Series(right(fresh)))[:1]
    pl.concat([fresh, *[easy] * 1500]).write_parquet(tmp_path / "rows.parquet")
    study = STUDY.replace("  train: {from: {parquet: {path: train.parquet}}, label: y, roles: train}\n", "")
    study = study.replace(", {clean_audit: {}}", "").replace(", population: {sex: {F: 0.5, M: 0.5}}", "")
    (tmp_path / "study.yaml").write_text(study)
    dossier = seatrial.run(tmp_path / "study.yaml")
    assert dossier.verdict.outcome == "pass"
    (again,) = (one for one in dossier.findings if one.what == "verdict.cleaned")
    assert (again.value, again.at) == ("fail", {"without": "duplicates"})


def test_a_population_without_a_row_is_said(judged, tmp_path: Path) -> None:
    rows, _, _ = judged
    rows.write_parquet(tmp_path / "rows.parquet")
    study = STUDY.replace("  train: {from: {parquet: {path: train.parquet}}, label: y, roles: train}\n", "")
    (tmp_path / "study.yaml").write_text(study.replace("sex: {F", "town: {F"))
    with pytest.raises(seatrial.SeatrialError, match="no column `town`"):
        seatrial.run(tmp_path / "study.yaml")
