"""The chosen features are judged by a model fitted anew without the others, against scikit-learn by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding
from seatrial.contracts.selecting import Selecting
from seatrial.flow import study as flow
from seatrial.flow._feature_rows import table
from seatrial.flow.changed import drawn
from seatrial.flow.refitting import fixed

STUDY = """\
schema: 1
name: fitted anew
models:
  people:
    forms: {sklearn: {path: model.skops}}
    task: classification
    inputs: {age: {columns: age, shape: [1]}, pay: {columns: pay, shape: [1]}, town: {columns: town, kind: text, shape: [1]}}
    outputs: {probabilities: {means: probabilities, classes: ["no", "yes"]}}
data:
  train: {from: {parquet: {path: train.parquet}}, label: y, roles: train}
  rows: {from: {parquet: {path: rows.parquet}}, label: y, roles: confirm}
candidates: [{runtime: sklearn, batch: 64}]
reference: {runtime: sklearn, batch: 64, eligible: true}
measure: {loads: [offline], rounds: 2, meters: [size], metrics: [accuracy, log_loss], features: {rows: 2000, worth: 0.02}}
require: [{at_most: {what: features.refitted.rise, bound: 0.05}}]
reports: [json, html]
"""


def people(seed: int, rows: int) -> pl.DataFrame:
    """`age` tells, `pay` nearly repeats it and `town` says nothing."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=rows)
    pay = 0.9 * age + 0.45 * rng.normal(size=rows)
    label = np.where(age + 0.4 * rng.logistic(size=rows) > 0, "yes", "no")
    return pl.DataFrame(
        {
            "age": age.astype(np.float32),
            "pay": pay.astype(np.float32),
            "town": rng.choice(["Rye", "Ely"], rows),
            "y": label,
        }
    )


def unfitted() -> object:
    numbers = ("numbers", StandardScaler(), ["age", "pay"])
    return make_pipeline(ColumnTransformer([numbers, ("town", OneHotEncoder(), ["town"])]), LogisticRegression(C=0.5))


def made(folder: Path, study: str = STUDY) -> tuple[pl.DataFrame, pl.DataFrame, Path]:
    train, rows = people(0, 1200), people(1, 1000)
    train.write_parquet(folder / "train.parquet")
    rows.write_parquet(folder / "rows.parquet")
    other = people(2, 600)  # the model as it arrives was fitted to other rows
    skops.io.dump(unfitted().fit(other.drop("y"), other["y"].to_numpy()), folder / "model.skops")
    (folder / "study.yaml").write_text(study)
    return train, rows, folder / "study.yaml"


def of(dossier: Dossier, what: str) -> Finding:
    (one,) = [one for one in dossier.findings if one.what == what]
    return one


def test_the_model_fitted_anew_is_that_of_scikit_learn_without_the_dropped_features(tmp_path: Path) -> None:
    train, rows, file = made(tmp_path, STUDY.replace("worth: 0.02", "worth: 0.02, correlated: 0.99, keep: age"))
    dossier = flow.run(file)
    kept = {one.at["feature"]: one.value for one in dossier.findings if one.what == "feature.kept"}
    assert kept["age"]
    gone = sorted(name for name, one in kept.items() if not one)
    assert "town" in gone
    held = table({"age": rows["age"].to_numpy()}, drawn(rows.height, 2000, 0), Selecting(rows=2000))
    judging = rows[held.rows[held.half :].tolist()]

    def without(frame: pl.DataFrame) -> object:
        still = {"town": pl.lit("Ely").alias("town"), "pay": pl.lit(0.0, pl.Float32).alias("pay")}
        return frame.drop("y").with_columns(*(still[name] for name in gone))

    fits = (
        unfitted().fit(without(train), train["y"].to_numpy()),
        unfitted().fit(train.drop("y"), train["y"].to_numpy()),
    )
    answers = fits[0].predict_proba(without(judging)), fits[1].predict_proba(judging.drop("y"))
    right = (judging["y"] == "yes").to_numpy().astype(int)
    losses = [-np.log(one[np.arange(len(right)), right]) for one in answers]
    assert of(dossier, "features.refitted.loss").value == pytest.approx(losses[0].mean(), abs=1e-4)
    assert of(dossier, "features.refitted.rise").value == pytest.approx((losses[0] - losses[1]).mean(), abs=1e-4)
    hits = [one.argmax(axis=1) == right for one in answers]
    assert of(dossier, "features.quality.accuracy").value == pytest.approx(hits[0].mean())
    assert of(dossier, "features.quality.accuracy.drop").value == pytest.approx(hits[1].mean() - hits[0].mean())
    assert of(dossier, "features.quality.log_loss").n == 500
    assert "fitted anew with the chosen features alone" in of(dossier, "features.quality.accuracy").note
    page = next((tmp_path / ".seatrial" / "runs").glob("*/report.html")).read_text()
    assert "How well it answers with the chosen features" in page
    again = flow.run(file)
    assert again.run.measured == 0, "both fits and their answers are kept"
    assert of(again, "features.refitted.loss").value == of(dossier, "features.refitted.loss").value


def test_without_training_rows_it_says_so_and_tells_of_the_model_there_is(tmp_path: Path) -> None:
    study = STUDY.replace("  train: {from: {parquet: {path: train.parquet}}, label: y, roles: train}\n", "")
    _, _, file = made(tmp_path, study.replace("refitted.rise", "loss.rise"))
    dossier = flow.run(file)
    assert "there are no training rows" in of(dossier, "features.refitted.loss").note
    assert of(dossier, "features.quality.accuracy").value > 0.7
    assert "not fitted anew" in of(dossier, "features.quality.accuracy").note


def test_training_rows_that_judge_too_are_no_reason_to_judge_nothing(tmp_path: Path) -> None:
    train, rows, file = made(tmp_path)
    pl.concat([train, rows[:5]]).write_parquet(tmp_path / "train.parquet")
    dossier = flow.run(file)
    assert "some of them judge, too" in of(dossier, "features.refitted.loss").note
    assert of(dossier, "accuracy").value > 0.7


def test_places_hold_one_value() -> None:
    rows = np.arange(12.0).reshape(3, 2, 2)
    assert fixed(rows, {1: 9, 3: 7}).tolist() == [[[0, 9], [2, 7]], [[4, 9], [6, 7]], [[8, 9], [10, 7]]]
    assert rows[0, 0, 1] == 1
