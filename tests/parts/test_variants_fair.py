"""Models fitted anew so that groups are treated alike: weights, what is kept, refusals, and a study in which the gap shrinks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import seatrial
from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.finding import Finding
from seatrial.contracts.protocols import Making, Setting, Training
from seatrial.errors import DataError, ModelError, Unsupported
from seatrial.numerics.reweighing import weights

NAMES = ("reweighed", "fair_reductions")


# --- weights --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), min_size=1, max_size=60))
def test_weights_make_the_outcome_independent_of_the_group(drawn: list[tuple[bool, str]]) -> None:
    every = [(flag, name) for flag in (True, False) for name in "abc"]
    outcome, group = (np.array(column) for column in zip(*drawn, *every, strict=True))
    found = weights(outcome, group)
    assert found.min() > 0
    assert found.sum() == pytest.approx(len(outcome))
    rates = [found[(group == name) & outcome].sum() / found[group == name].sum() for name in "abc"]
    assert rates == pytest.approx([outcome.mean()] * 3)
    assert [found[group == name].sum() for name in "abc"] == pytest.approx([(group == name).sum() for name in "abc"])


def test_weights_are_those_of_the_paper() -> None:
    """Kamiran & Calders' job applications: of five men four are hired, of five women two; a hired woman weighs 1.5."""
    group = np.array(["m"] * 5 + ["f"] * 5)
    hired = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0])
    assert weights(hired, group) == pytest.approx([0.75] * 4 + [2.0] + [1.5] * 2 + [2 / 3] * 3)


def test_a_group_without_an_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="no row of the group `b` has the outcome `True`"):
        weights(np.array([True, False, False]), np.array(["a", "a", "b"]))


# --- models ---------------------------------------------------------------------------------------------------------------


def people(seed: int, rows: int) -> pl.DataFrame:
    """Two groups; `town` tells them apart and the label holds a gap between them that `skill` doesn't account for."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], rows)
    skill = rng.normal(size=rows).astype(np.float32)
    town = np.where(rng.random(rows) < 0.9, np.where(sex == "M", "Rye", "Ely"), rng.choice(["Rye", "Ely"], rows))
    hired = skill + np.where(sex == "M", 0.8, -0.8) + rng.normal(scale=0.5, size=rows) > 0
    noise = rng.normal(size=rows).astype(np.float32)
    return pl.DataFrame(
        {"skill": skill, "noise": noise, "town": town, "sex": sex, "hired": np.where(hired, "yes", "no")}
    )


def model() -> Any:
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["skill", "noise"]), ("town", OneHotEncoder(), ["town"])]
    )
    return make_pipeline(columns, LogisticRegression())


def fitted(folder: Path, made: Any = None) -> Artefact:
    frame = people(0, 1500)
    made = made or model()
    made.fit(frame.select("skill", "noise", "town"), frame["hired"].to_numpy())
    skops.io.dump(made, folder / "model.skops")
    part = catalog.find("subjects", "sklearn")
    return catalog.load(part).read(catalog.options(part, {"path": "model.skops"}), folder)


def training(frame: pl.DataFrame, **changed: Any) -> Training:
    inputs = {name: frame[name].to_numpy()[:, None] for name in ("skill", "noise")}
    inputs["town"] = frame["town"].to_numpy().astype(str)[:, None]
    labels = (frame["hired"] == "yes").to_numpy().astype(np.int32)
    stated = {"inputs": inputs, "labels": labels, "groups": {"sex": frame["sex"].to_numpy().astype(str)}}
    return Training(**(stated | {"classes": ("no", "yes")} | changed))


def make_variant(name: str, artefact: Artefact, folder: Path, train: Training | None, **options: Any) -> Artefact:
    part = catalog.find("variants", name)
    making = Making(folder, 0, rows_hash="rows", train=train)
    return catalog.load(part).make(artefact, making, catalog.options(part, {"group": "sex"} | options))


def gap(artefact: Artefact, frame: pl.DataFrame) -> tuple[float, float]:
    """Difference of the groups' shares that are hired, and accuracy, as the runtime answers."""
    part = catalog.find("runtimes", "sklearn")
    session = catalog.load(part).open(artefact, Setting(), catalog.options(part))
    yes = session.predict(training(frame).inputs)["probabilities"].argmax(axis=1) == 1
    session.close()
    men = (frame["sex"] == "M").to_numpy()
    return float(abs(yes[men].mean() - yes[~men].mean())), float((yes == (frame["hired"] == "yes").to_numpy()).mean())


@pytest.mark.parametrize(("name", "options"), [("reweighed", {}), ("fair_reductions", {"steps": 15})])
def test_the_gap_shrinks_on_other_rows(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    artefact, judged = fitted(tmp_path), people(1, 4000)
    before, right = gap(artefact, judged)
    made = make_variant(name, artefact, tmp_path / "made", training(people(0, 1500)), **options)
    after, still = gap(made, judged)
    assert before > 0.4
    assert after < before - 0.15
    assert 0.6 < still < right
    assert made.lineage.parent == artefact.hash


def test_what_was_fitted_anew_passes_the_check_of_files(tmp_path: Path) -> None:
    made = make_variant("reweighed", fitted(tmp_path), tmp_path / "made", training(people(0, 1500)))
    part = catalog.find("subjects", "sklearn")
    read = catalog.load(part).read(catalog.options(part, {"path": Path(made.files["model"]).name}), tmp_path / "made")
    assert read.signature == made.signature
    assert read.hashes == made.hashes


def test_the_favourable_class_may_be_the_first(tmp_path: Path) -> None:
    """Being refused instead of hired as the favourable class: the same weights, so the same model."""
    artefact, train = fitted(tmp_path), training(people(0, 1500))
    made = [make_variant("reweighed", artefact, tmp_path / one, train, favourable=one) for one in ("yes", "no")]
    assert made[0].hashes == made[1].hashes
    first = make_variant("fair_reductions", artefact, tmp_path / "first", train, favourable="no", steps=15)
    assert gap(first, people(1, 4000))[1] > 0.6, "classes aren't swapped"


def test_trees_without_a_seed_are_the_same_twice(tmp_path: Path) -> None:
    columns = ColumnTransformer([("numbers", "passthrough", ["skill", "noise"]), ("town", OneHotEncoder(), ["town"])])
    artefact = fitted(tmp_path, make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5)))
    made = [make_variant("reweighed", artefact, tmp_path / one, training(people(0, 1500))) for one in "ab"]
    assert made[0].hash == made[1].hash


@pytest.mark.parametrize("name", NAMES)
def test_what_cant_be_fitted_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    artefact, frame = fitted(tmp_path), people(0, 300)

    def refused(train: Training | None, **options: Any) -> str:
        with pytest.raises(Unsupported) as error:
            make_variant(name, artefact, tmp_path / "made", train, **options)
        return str(error.value)

    assert "role `train`" in refused(None)
    assert "need" in refused(training(frame, labels=None))
    assert "`maybe` is no class: no, yes" in refused(training(frame), favourable="maybe")
    assert "no row to train with" in refused(training(frame.filter(pl.col("hired") == "yes")))
    with pytest.raises(ModelError, match="has changed"):
        make_variant(
            name, artefact.model_copy(update={"hashes": {"model": "0" * 64}}), tmp_path / "made", training(frame)
        )


def test_a_group_that_lacks_an_outcome_is_told_by_name(tmp_path: Path) -> None:
    frame = people(0, 300).filter((pl.col("sex") == "M") | (pl.col("hired") == "no"))
    with pytest.raises(Unsupported, match="reweighing by `sex`: no row of the group `F`"):
        make_variant("reweighed", fitted(tmp_path), tmp_path / "made", training(frame))


def test_a_model_that_takes_no_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.utils.validation

    artefact = fitted(tmp_path, make_pipeline(model()[0], MLPClassifier((4,), max_iter=5, random_state=0)))
    monkeypatch.setattr(sklearn.utils.validation, "has_fit_parameter", lambda one, name: False)
    with pytest.raises(Unsupported, match="MLPClassifier can't be fitted with weights"):
        make_variant("reweighed", artefact, tmp_path / "made", training(people(0, 300)))


# --- studies --------------------------------------------------------------------------------------------------------------

STUDY = """\
schema: 1
name: hiring
models:
  hiring:
    forms: {{sklearn: {{path: model.skops}}}}
    task: classification
    inputs:
      skill: {{columns: skill, shape: [1]}}
      noise: {{columns: noise, shape: [1]}}
      town: {{columns: town, kind: text, shape: [1]}}
    outputs: {{probabilities: {{means: probabilities, classes: ["no", "yes"]}}}}
data:
  train: {{from: {{parquet: {{path: train.parquet}}}}, label: hired, roles: train}}
  evaluation: {{from: {{parquet: {{path: evaluation.parquet}}}}, label: hired, roles: confirm}}
candidates:
  - {{runtime: sklearn, batch: 500, variant: [as_is, {variants}]}}
reference: {{variant: as_is}}
measure:
  {{loads: [], rounds: 1, meters: [size], metrics: [accuracy, drop, demographic_parity], groups: [sex]}}
reports: [json]
"""


def study(folder: Path, variants: str, train: pl.DataFrame) -> Path:
    fitted(folder)
    train.write_parquet(folder / "train.parquet")
    people(1, 3000).write_parquet(folder / "evaluation.parquet")
    file = folder / "study.yaml"
    file.write_text(STUDY.format(variants=variants))
    return file


def of(dossier: Any, variant: str, what: str) -> Finding:
    (entry,) = [one for one in dossier.candidates if one.candidate.variant.name == variant]
    return next(one for one in dossier.findings if one.candidate == entry.id and one.what == what and not one.slice)


def test_in_a_study_the_gap_is_smaller_beyond_its_interval(tmp_path: Path) -> None:
    variants = "{reweighed: {group: sex}}, {fair_reductions: {group: sex, steps: 10}}"
    file = study(tmp_path, variants, people(0, 1500))
    dossier = seatrial.run(file)
    before = of(dossier, "as_is", "demographic_parity")
    for name in NAMES:
        after, accuracy = of(dossier, name, "demographic_parity"), of(dossier, name, "accuracy")
        assert after.high is not None
        assert before.low is not None
        assert after.high < before.low
        assert accuracy.low is not None and 0.6 < accuracy.low < accuracy.number  # noqa: PT018
        assert of(dossier, name, "accuracy.drop").low is not None
    rows = next(one for one in dossier.findings if one.what == "rows.training")
    assert rows.value == 1500
    made = next(one for one in dossier.artefacts.values() if one.lineage.recipe == "reweighed")
    assert made.lineage.rows_hash == rows.at["hash"]
    again = seatrial.run(file)
    assert again.run.measured == 0, "what was made and measured is kept"
    people(0, 1500).with_columns(sex=pl.col("sex").reverse()).write_parquet(tmp_path / "train.parquet")
    changed = seatrial.run(file)
    assert changed.run.measured > 0, "other groups in the training rows make another model"


def test_training_rows_that_judge_are_refused(tmp_path: Path) -> None:
    train = pl.concat([people(0, 500), people(1, 3000).head(20)])
    with pytest.raises(DataError, match="20 of 520 training rows are equal to rows that judge"):
        seatrial.run(study(tmp_path, "{reweighed: {group: sex}}", train))


def test_without_training_rows_the_plan_says_so(tmp_path: Path) -> None:
    file = study(tmp_path, "{reweighed: {group: sex}}", people(0, 300))
    file.write_text(file.read_text().replace("roles: train", "roles: tune"))
    dossier = seatrial.run(file)
    assert any("needs rows to train with" in one.reason for one in dossier.dropped)
