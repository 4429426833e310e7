"""Two files of outputs: against scikit-learn and numpy, against a study on the same outputs, and files that don't fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss
from small_study import STUDY, make

from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Origin, State
from seatrial.errors import DataError, UnknownPart
from seatrial.flow import arrays
from seatrial.flow import study as flow
from seatrial.flow.compare import Reading, compare
from seatrial.flow.keep import PREDICTION, Keeper, read_dossier

TASK = "classification"
MARGIN = PartRef(name="drop_at_most", options={"what": "accuracy", "margin": "2 pp"})
ROWS, WIDTH = 700, 4


@pytest.fixture
def outputs() -> dict[str, Any]:
    """Labels, and logits and probabilities of two models that are alike."""
    random = np.random.default_rng(3)
    y = random.integers(0, WIDTH, ROWS)
    one = random.normal(size=(ROWS, WIDTH)) + 1.5 * np.eye(WIDTH)[y]
    other = one + random.normal(scale=0.3, size=one.shape)
    return {"y": y, "logits": (one, other), "p": (softmax(one), softmax(other))}


def softmax(logits: Any) -> Any:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def table(file: Path, **columns: Any) -> Path:
    pl.DataFrame(columns).write_parquet(file)
    return file


def wide(values: Any, start: str = "p") -> dict[str, Any]:
    return {f"{start}{index}": values[:, index] for index in range(values.shape[1])}


def pair(folder: Path, one: dict[str, Any], other: dict[str, Any]) -> tuple[Path, Path]:
    return table(folder / "ref.parquet", **one), table(folder / "cand.parquet", **other)


def value(dossier: Any, what: str, name: str = "candidate", **at: Any) -> Any:
    id_ = next(one.id for one in dossier.candidates if one.candidate.model == name)
    found = dossier.find(what, id_, **at)
    return None if found is None else found.value


# --- the numbers ------------------------------------------------------------------------------------------------------------


def test_numbers_are_those_of_sklearn_and_numpy(tmp_path: Path, outputs: dict[str, Any]) -> None:
    y, (p, q) = outputs["y"], outputs["p"]
    made = compare(*pair(tmp_path, {"y": y, **wide(p)}, wide(q)), Reading(TASK, label="y"))
    for name, given in (("reference", p), ("candidate", q)):
        assert value(made, "accuracy", name) == pytest.approx(accuracy_score(y, given.argmax(1)))
        assert value(made, "f1", name, average="macro") == pytest.approx(f1_score(y, given.argmax(1), average="macro"))
        assert value(made, "log_loss", name) == pytest.approx(log_loss(y, given))
        assert value(made, "brier", name) == pytest.approx(brier_score_loss(y, given, scale_by_half=False))
    assert value(made, "flips") == pytest.approx(np.mean(p.argmax(1) != q.argmax(1)))
    assert value(made, "accuracy.drop") == pytest.approx(np.mean(p.argmax(1) == y) - np.mean(q.argmax(1) == y))
    assert value(made, "output_difference") == pytest.approx(np.abs(p - q).max())
    assert value(made, "flips", "reference") is None


def test_logits_in_a_column_of_lists_and_in_an_archive_give_the_same(tmp_path: Path, outputs: dict[str, Any]) -> None:
    y, (one, other) = outputs["y"], outputs["logits"]
    np.savez(tmp_path / "ref.npz", raw=one, y=y)
    table(tmp_path / "cand.parquet", raw=other.tolist())
    made = compare(tmp_path / "ref.npz", tmp_path / "cand.parquet", Reading(TASK, label="y"))
    assert made.environment["read_as"] == "logits"
    assert value(made, "log_loss") == pytest.approx(log_loss(y, softmax(other)))


def test_it_says_what_a_study_on_the_same_outputs_says(tmp_path: Path) -> None:
    text = STUDY.replace("  - {runtime: onnxruntime, batch: [1, 8]}", "  - {runtime: onnxruntime, batch: 1}")
    text = text.replace("- at_least: {what: accuracy, bound: 0.5}", "- drop_at_most: {what: accuracy, margin: 2 pp}")
    run = flow.run(make(tmp_path, text))
    kept = [arrays.unpack(body)["outputs"]["logits"] for _, body in Keeper(tmp_path).all(PREDICTION, "")]
    rows, weights = np.load(tmp_path / "rows.npz"), None
    exact = [one for one in kept if np.abs(one).max() and len(one) == len(rows["x"])]
    weights = [np.linalg.lstsq(rows["x"], one, rcond=None)[1].sum() for one in exact]
    one, other = exact[int(np.argmin(weights))], exact[int(np.argmax(weights))]
    assert (one != other).any()
    for name, logits in (("ref", one), ("cand", other)):
        np.savez(tmp_path / f"{name}.npz", logits=logits, label=rows["label"])
    reading = Reading(TASK, label="label", classes=("red", "green", "blue"))
    made = compare(tmp_path / "ref.npz", tmp_path / "cand.npz", reading, [MARGIN])
    changed = next(one.id for one in run.candidates if not one.reference)
    for what in ("accuracy", "accuracy.drop", "flips", "flips.lost", "flips.gained"):
        theirs = [f for f in run.findings if f.candidate == changed and f.what == what]
        ours = [f for f in made.findings if f.what == what and str(f.candidate).startswith("candidate")]
        assert theirs
        stated = [[(f.value, f.low, f.high, f.level, f.n, f.method) for f in side] for side in (theirs, ours)]
        assert sorted(stated[0]) == sorted(stated[1])
    of = {one.candidate: one.outcome for one in run.verdict.candidates}
    assert made.verdict.outcome is of[changed]


def test_everything_from_the_files_is_imported_and_kept_in_the_folder(tmp_path: Path, outputs: dict[str, Any]) -> None:
    files = pair(tmp_path, {"y": outputs["y"], **wide(outputs["p"][0])}, wide(outputs["p"][1]))
    made = compare(*files, Reading(TASK, label="y"), [MARGIN], out=tmp_path / "kept")
    assert {one.origin for one in made.findings} == {Origin.IMPORTED}
    assert read_dossier(tmp_path / "kept" / "dossier.json") == made
    assert "imported" in (tmp_path / "kept" / "report.html").read_text()
    drops = [one.level for one in made.findings if one.what == "accuracy.drop"]
    assert drops == pytest.approx([0.95, 0.90])
    assert len({one.key for one in made.findings if one.what == "accuracy"}) == 1


def test_many_rows_are_counted_in_pieces(
    tmp_path: Path, outputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = pair(tmp_path, {"y": outputs["y"], **wide(outputs["p"][0])}, wide(outputs["p"][1]))
    whole = compare(*files, Reading(TASK, label="y"))
    monkeypatch.setattr("seatrial.flow.compare.PIECE_CELLS", 100 * WIDTH)
    monkeypatch.setattr("seatrial.flow.compare.HELD_CELLS", 10)
    pieces = compare(*files, Reading(TASK, label="y"))
    for what in ("accuracy", "flips", "log_loss", "kl"):
        assert value(pieces, what) == pytest.approx(value(whole, what))


# --- what the columns mean --------------------------------------------------------------------------------------------------


def test_predicted_classes_alone(tmp_path: Path, outputs: dict[str, Any]) -> None:
    words = np.array(["cat", "dog", "owl", "pig"])
    y, (p, q) = words[outputs["y"]], (words[side.argmax(1)] for side in outputs["p"])
    made = compare(*pair(tmp_path, {"y": y, "prediction": p}, {"prediction": q}), Reading(TASK, label="y"))
    assert value(made, "accuracy") == pytest.approx(np.mean(q == y))
    assert value(made, "flips") == pytest.approx(np.mean(p != q))
    assert value(made, "recall", **{"class": "owl"}) == pytest.approx(np.mean(q[y == "owl"] == "owl"))
    assert value(made, "mcnemar") is not None
    for what in ("log_loss", "brier", "kl", "top_k", "output_difference"):
        lost = next(one for one in made.findings if one.what == what and str(one.candidate).startswith("candidate"))
        assert (lost.value, lost.origin) == (None, Origin.MISSING)
        assert "probabilities" in lost.note or "predicted classes" in lost.note


def test_one_column_is_the_second_class(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    y, p = random.integers(0, 2, 300), random.random(300)
    files = pair(tmp_path, {"y": np.array(["no", "yes"])[y], "risk": p}, {"risk": 1 - p})
    made = compare(*files, Reading(TASK, label="y", classes=("no", "yes")))
    assert value(made, "accuracy", "reference") == pytest.approx(np.mean((p > 0.5) == y))
    assert value(made, "log_loss", "reference") == pytest.approx(log_loss(y, p))
    assert value(made, "flips") == 1


def test_classes_are_read_from_the_names_of_columns_in_any_order(tmp_path: Path, outputs: dict[str, Any]) -> None:
    names = ["owl", "cat", "pig", "dog"]
    y, (p, q) = np.array(names)[outputs["y"]], outputs["p"]
    one = {f"prob_{name}": p[:, index] for index, name in enumerate(names)}
    other = {f"prob_{name}": q[:, index] for index, name in reversed(list(enumerate(names)))}
    made = compare(*pair(tmp_path, {"y": y, **one}, other), Reading(TASK, label="y"))
    assert value(made, "accuracy") == pytest.approx(np.mean(q.argmax(1) == outputs["y"]))
    assert value(made, "recall", **{"class": "owl"}) is not None


def test_without_labels_what_needs_none_is_measured(tmp_path: Path, outputs: dict[str, Any]) -> None:
    made = compare(*pair(tmp_path, *(wide(side) for side in outputs["p"])), Reading(TASK))
    assert value(made, "flips") is not None
    assert value(made, "kl") is not None
    lost = next(one for one in made.findings if one.what == "accuracy")
    assert lost.state is State.FAILED
    assert "label" in lost.note


# --- which row is which -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [False, True])
def test_rows_are_matched_by_key(tmp_path: Path, outputs: dict[str, Any], text: bool) -> None:
    y, (p, q), shuffled = outputs["y"], outputs["p"], np.random.default_rng(1).permutation(ROWS)
    key = np.array([f"user {n}" for n in range(ROWS)]) if text else np.arange(ROWS) * 7
    straight = compare(*pair(tmp_path, {"k": key, "y": y, **wide(p)}, {"k": key, **wide(q)}), Reading(TASK, "y", "k"))
    mixed = compare(
        *pair(tmp_path, {"k": key, **wide(p)}, {"k": key[shuffled], "y": y[shuffled], **wide(q[shuffled])}),
        Reading(TASK, "y", "k"),
    )
    sides = [[(f.key, f.candidate, f.value, f.low, f.high) for f in made.findings] for made in (straight, mixed)]
    assert sides[0] == sides[1]
    assert value(mixed, "flips") < 0.5


def refused(folder: Path, one: dict[str, Any], other: dict[str, Any], **reading: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        compare(*pair(folder, one, other), Reading(TASK, **({"label": "y"} | reading)))
    assert caught.value.next_step
    assert not (folder / ".seatrial").exists()
    return caught.value


def test_files_that_do_not_fit_are_refused_with_the_next_step(tmp_path: Path, outputs: dict[str, Any]) -> None:
    y, (p, q), n = outputs["y"], outputs["p"], np.arange(ROWS)
    one, other = {"id": n, "y": y, **wide(p)}, {"id": n, "y": y, **wide(q)}
    short = {name: values[:-3] for name, values in other.items()}
    assert "--key id" in refused(tmp_path, one, short).next_step
    alone = refused(tmp_path, one, short | {"id": np.append(n[:-4], 9999)}, key="id")
    assert "4 of ref.parquet are not in cand.parquet" in alone.what
    assert "1 of cand.parquet is not in ref.parquet (such as `9999`)" in alone.what
    assert (
        "1 keys occur more than once, such as `5`"
        in refused(tmp_path, one | {"id": np.append(n[:-1], 5)}, other, key="id").what
    )
    assert "--key id" in refused(tmp_path, one, other | {"id": n[::-1]}).next_step
    disagreeing = refused(tmp_path, one, other | {"y": np.append(y[:-2], [9, 9])})
    assert f"2 of {ROWS} rows, the first is row {ROWS - 2}" in disagreeing.what
    assert "`id`" in refused(tmp_path, one, other, key="idd").next_step
    assert "`label_`" in refused(tmp_path, one | {"label_": y}, other, label="label").next_step
    assert "`p1`" in refused(tmp_path, one, other, columns=("p0", "pp1")).next_step
    broken = refused(tmp_path, one, other | {"p2": np.where(n == 17, np.nan, q[:, 2])})
    assert "1 of 700 rows" in broken.what
    assert "row 17" in broken.what
    assert "cand.parquet" in broken.where
    assert "`p2`" in broken.where


def test_columns_that_do_not_fit_are_refused_with_the_next_step(tmp_path: Path, outputs: dict[str, Any]) -> None:
    y, (p, q), (a, b) = outputs["y"], outputs["p"], outputs["logits"]
    assert "--means" in refused(tmp_path, {"y": y, **wide(p)}, wide(b)).next_step
    assert "--means" in refused(tmp_path, {"y": y, **wide(p / 2)}, wide(q / 2)).next_step
    assert "prob_3" in refused(tmp_path, {"y": y, **wide(p, "prob_")}, wide(q[:, :3], "prob_")).what
    assert "--columns" in refused(tmp_path, {"y": y, **wide(p)}, wide(q[:, :2])).next_step
    assert "--classes" in refused(tmp_path, {"y": np.array(list("abcd"))[y], **wide(p)}, wide(q)).next_step
    assert "4" in refused(tmp_path, {"y": y, **wide(p)}, wide(q), classes=("a", "b")).what
    assert "--columns" in refused(tmp_path, {"y": y, "n": y}, {"m": y}).next_step
    mixed = refused(tmp_path, {"y": y, "prediction": y}, {"prediction": q[:, 0]})
    assert "predicted classes in ref.parquet" in mixed.what
    assert "--classes" in refused(tmp_path, {"y": y * 0, "prediction": y * 0}, {"prediction": y * 0}).next_step
    assert (
        "--columns u"
        in refused(tmp_path, {"y": y, "u": a.tolist(), "v": a.tolist()}, {"u": b.tolist(), "v": b.tolist()}).next_step
    )


def test_probabilities_by_name_that_are_none_are_refused_in_words(tmp_path: Path, outputs: dict[str, Any]) -> None:
    error = refused(
        tmp_path, {"y": outputs["y"], **wide(outputs["logits"][0], "prob_")}, wide(outputs["logits"][1], "prob_")
    )
    assert "no probabilities" in error.what


def test_a_task_that_there_is_not(tmp_path: Path, outputs: dict[str, Any]) -> None:
    with pytest.raises(UnknownPart, match="clasification"):
        compare(*pair(tmp_path, wide(outputs["p"][0]), wide(outputs["p"][1])), Reading("clasification"))
