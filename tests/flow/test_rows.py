"""Rows: roles, inputs as the model takes them, hashes that speak of content alone, and leaks that are refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.contracts.artefact import Signature, TensorSpec
from seatrial.contracts.rows import Role
from seatrial.contracts.study import Input, Study
from seatrial.errors import DataError
from seatrial.flow import _inputs, _picks, arrays
from seatrial.flow._roles import drawn
from seatrial.flow.rows import ModelRows, check_fit, prepare

N = 60
TABULAR: dict[str, Any] = {"x": {"columns": ["a", "b"]}}


def table(n: int = N, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "a": random.normal(size=n),
            "b": random.integers(0, 1000, n),
            "image": pl.Series(random.integers(0, 256, (n, 4, 3), dtype=np.uint8), dtype=pl.Array(pl.UInt8, (4, 3))),
            "user": [f"u{value}" for value in random.integers(0, 12, n)],
            "label": [("no", "yes")[value] for value in random.integers(0, 2, n)],
        }
    )


def study(inputs: dict[str, Any] | None = None, **data: Any) -> Study:
    model = {
        "forms": {"onnx": {}},
        "task": "classification",
        "inputs": inputs or TABULAR,
        "outputs": {"y": {"means": "logits", "classes": ["no", "yes"]}},
    }
    content = {"name": "try", "models": {"net": model}, "data": data, "candidates": [{"runtime": "r"}], "reference": {}}
    return Study.model_validate(content)


def data(path: str = "rows.parquet", **more: Any) -> dict[str, Any]:
    return {"from": {"parquet": {"path": path}}, "label": "label"} | more


def made(folder: Path, inputs: dict[str, Any] | None = None, **sets: Any) -> ModelRows:
    return prepare(study(inputs, **(sets or {"rows": data()})), folder, "net", folder / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table().write_parquet(tmp_path / "rows.parquet", row_group_size=7)
    return tmp_path


# --- inputs ----------------------------------------------------------------------------------------------------------------


def test_columns_become_features_labels_and_files(folder: Path) -> None:
    got = made(folder).evaluation
    frame = table()
    assert np.array_equal(arrays.load(got.inputs["x"]), frame.select("a", "b").to_numpy().astype(np.float32))
    assert got.inputs["x"].path == str(folder / "cache" / f"{got.inputs['x'].hash}.npy")
    assert got.labels is not None
    assert got.labels.tolist() == [("no", "yes").index(label) for label in frame["label"]]
    assert got.n == N
    again = made(folder).evaluation
    assert again.inputs == got.inputs
    assert len(list((folder / "cache").iterdir())) == 2, "inputs and labels are kept once each, and nothing else stays"


def test_chunks_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = data(roles={"draw": {"confirm": 0.5, "calibrate": 0.5}}, group="user")
    inputs = {"x": {"columns": ["a", "b"]}, "i": {"columns": "image", "scale": {"divide": 255}}}
    whole = made(folder, inputs, rows=draw)
    monkeypatch.setattr(_picks, "CHUNK_BYTES", 1)
    monkeypatch.setattr(_picks, "SMALL_COLUMN_ROWS", 7)
    cut = made(folder, inputs, rows=draw)
    for one, other in ((whole.evaluation, cut.evaluation), (whole.calibration, cut.calibration)):
        assert one is not None
        assert other is not None
        assert (one.inputs, one.rows_hash, one.n) == (other.inputs, other.rows_hash, other.n)
        assert np.array_equal(one.labels, other.labels)  # type: ignore[arg-type]


def ready(stored: Any, **wanted: Any) -> Any:
    return _inputs.ready(Input(columns="c", **wanted), np.asarray(stored), "x")  # type: ignore[arg-type]


def test_layouts_move_and_add_axes() -> None:
    images = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)
    turned = ready(images, layout={"stored": "HWC", "model": "CHW"})
    assert np.array_equal(turned, images.transpose(0, 3, 1, 2))
    grey = ready(images[..., 0], layout={"stored": "HW", "model": "CHW"})
    assert np.array_equal(grey, images[:, None, :, :, 0])
    assert ready(images[..., 0], layout={"stored": "HW", "model": "HWC"}).shape == (2, 4, 5, 1)
    flat = ready(images.reshape(2, -1), shape=(4, 5, 3), layout={"stored": "HWC", "model": "CHW"})
    assert np.array_equal(flat, turned)


def test_scales_are_per_channel_where_several() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 2)).astype(np.uint8)
    scale = {"divide": 255, "mean": [0.1, 0.2], "std": [0.5, 2]}
    expected = (images / 255 - [0.1, 0.2]) / [0.5, 2]
    made_ = ready(images, layout={"stored": "HWC", "model": "CHW"}, scale=scale)
    assert np.allclose(made_, expected.transpose(0, 3, 1, 2), atol=1e-7)
    assert np.allclose(ready(images, scale=scale), expected, atol=1e-7)
    assert made_.dtype == np.float32


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8), st.floats(0.1, 300), st.floats(-5, 5), st.floats(0.01, 9))
def test_scale_is_its_formula(values: list[int], divide: float, mean: float, std: float) -> None:
    got = ready(np.array(values, np.uint8), scale={"divide": divide, "mean": mean, "std": std}, dtype="float64")
    assert np.allclose(got, (np.array(values) / divide - mean) / std)


@pytest.mark.parametrize(
    ("stored", "wanted", "words"),
    [
        (np.ones((2, 6)), {"shape": (2, 2)}, "`shape` says 2x2, but a row holds 6"),
        (np.ones((2, 6)), {"layout": {"stored": "HW", "model": "CHW"}}, "names 2 stored axes .HW., but a row is 6"),
        (np.ones((2, 4, 6)), {"scale": {"mean": [1, 2, 3]}}, "gives 3 values, but a row is 4x6"),
        (np.ones((2, 4)), {"scale": {"divide": 0}}, "divides by zero"),
        (np.ones((2, 4)), {"scale": {"std": 0}}, "divides by zero"),
        (np.ones((2, 4)), {"dtype": "flaot32"}, "`flaot32` is no type"),
        (np.array([[0.5]]), {"dtype": "int64"}, "don't fit into int64"),
        (np.array([[300]]), {"dtype": "uint8"}, "don't fit into uint8"),
        (np.array([[np.nan]]), {"dtype": "int64"}, "don't fit into int64"),
        (np.ones((2, 4)), {"kind": "ragged"}, "ragged inputs can't be made"),
    ],
)
def test_what_does_not_fit_is_said(stored: Any, wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        ready(stored, **wanted)


def test_text_and_images_are_no_features(folder: Path) -> None:
    with pytest.raises(DataError, match="`user` holds text"):
        made(folder, {"x": {"columns": ["a", "user"]}})
    with pytest.raises(DataError, match="a row of `image` is 4x3"):
        made(folder, {"x": {"columns": ["a", "image"]}})
    with pytest.raises(DataError, match=r"data `rows`, rows\.parquet: there is no column `imag`") as caught:
        made(folder, {"x": {"columns": "imag"}})
    assert "image" in caught.value.next_step


# --- roles -----------------------------------------------------------------------------------------------------------------


def test_a_draw_is_the_same_everywhere() -> None:
    """These are fixed for ever: another machine, order or version must draw the same."""
    shares = {Role.CONFIRM: 0.5, Role.CALIBRATE: 0.3, Role.TUNE: 0.2}
    first = drawn(["ann", "bob", 3, "cyd", "dan", "eve", "finn", "gus"], shares, "seatrial")
    assert [role.value for role in first] == ["confirm"] * 6 + ["calibrate", "tune"]
    assert drawn(["gus", "3", "finn"], shares, "seatrial") == [first[7], first[2], first[6]]


def test_shares_come_out_as_stated_and_keys_differ() -> None:
    shares = {Role.CONFIRM: 0.7, Role.CALIBRATE: 0.3}
    counts = Counter(drawn(range(20_000), shares, "k"))
    assert abs(counts[Role.CONFIRM] / 20_000 - 0.7) < 4 * (0.7 * 0.3 / 20_000) ** 0.5
    same = sum(
        a is b for a, b in zip(drawn(range(20_000), shares, "k"), drawn(range(20_000), shares, "q"), strict=True)
    )
    assert abs(same / 20_000 - (0.49 + 0.09)) < 0.02, "another key is an independent draw"
    assert set(drawn(range(100), {Role.CONFIRM: 1.0}, "k")) == {Role.CONFIRM}


def test_a_drawn_group_is_in_one_role(folder: Path) -> None:
    got = made(folder, rows=data(roles={"draw": {"confirm": 0.5, "calibrate": 0.5}}, group="user"))
    assert got.calibration is not None
    assert got.evaluation.n + got.calibration.n == N
    judged, fitted = set(got.evaluation.groups["user"]), set(got.calibration.groups["user"])
    assert judged
    assert fitted
    assert not judged & fitted


def test_roles_by_a_column(folder: Path) -> None:
    roles = ["confirm", "calibrate", "train", "discover"] * (N // 4)
    table().with_columns(role=pl.Series(roles)).write_parquet(folder / "roles.parquet")
    got = made(folder, rows=data("roles.parquet", roles={"column": "role"}))
    assert got.calibration is not None
    assert (got.evaluation.n, got.calibration.n) == (N // 2, N // 4)
    frame = table()
    kept = [row for row in range(N) if roles[row] in ("confirm", "discover")]
    assert np.array_equal(arrays.load(got.evaluation.inputs["x"])[:, 0], frame["a"].to_numpy()[kept].astype(np.float32))


def test_a_word_that_is_no_role(folder: Path) -> None:
    table().with_columns(role=pl.lit("confrim")).write_parquet(folder / "roles.parquet")
    with pytest.raises(DataError, match="`confrim` is no role") as caught:
        made(folder, rows=data("roles.parquet", roles={"column": "role"}))
    assert caught.value.next_step == "did you mean `confirm`?"


def test_a_group_in_two_roles_is_refused(folder: Path) -> None:
    roles = ["confirm", "calibrate"] * (N // 2)
    table().with_columns(role=pl.Series(roles)).write_parquet(folder / "roles.parquet")
    with pytest.raises(DataError, match=r"\d+ groups of `user` have rows in more than one role"):
        made(folder, rows=data("roles.parquet", roles={"column": "role"}, group="user"))
    table(seed=1).write_parquet(folder / "more.parquet")
    with pytest.raises(DataError, match="groups of `user` have rows both to judge on and to calibrate with"):
        made(folder, rows=data(group="user"), more=data("more.parquet", roles="calibrate", group="user"))


def test_roles_that_leave_no_rows(folder: Path) -> None:
    table().with_columns(role=pl.lit("train")).write_parquet(folder / "roles.parquet")
    with pytest.raises(DataError, match="no rows"):
        made(folder, rows=data("roles.parquet", roles={"column": "role"}))


def test_several_data_sets_follow_each_other(folder: Path) -> None:
    table(seed=1).write_parquet(folder / "more.parquet")
    got = made(folder, one=data(), two=data("more.parquet", roles="discover"))
    both = pl.concat([table(), table(seed=1)])
    assert np.array_equal(arrays.load(got.evaluation.inputs["x"])[:, 0], both["a"].to_numpy().astype(np.float32))
    assert got.evaluation.labels is not None
    assert len(got.evaluation.labels) == 2 * N
    unlabelled = {"from": {"parquet": {"path": "more.parquet"}}}
    with pytest.raises(DataError, match="has no `label`"):
        made(folder, one=data(), two=unlabelled)
    assert made(folder, two=unlabelled).evaluation.labels is None


def test_an_unknown_label_is_told_with_its_column(folder: Path) -> None:
    table().with_columns(label=pl.lit("yess")).write_parquet(folder / "bad.parquet")
    with pytest.raises(DataError, match=r"data `rows`, column `label`: 1 labels are no class: `yess`"):
        made(folder, rows=data("bad.parquet"))


# --- what must not be in both ------------------------------------------------------------------------------------------------


def test_given_rows_in_both_roles_are_refused_with_their_number(folder: Path) -> None:
    pl.concat([table(20, seed=1), table()[:7]]).write_parquet(folder / "fit.parquet")
    with pytest.raises(DataError, match="7 of 27 calibration rows are equal to rows that judge"):
        made(folder, rows=data(), fit=data("fit.parquet", roles="calibrate"))
    table(20, seed=1).write_parquet(folder / "fit.parquet")
    got = made(folder, rows=data(), fit=data("fit.parquet", roles="calibrate"))
    assert got.calibration is not None
    assert got.problems == ()


def test_equal_rows_that_a_draw_parted_are_left_out_and_told(folder: Path) -> None:
    pl.concat([table()] * 2).write_parquet(folder / "twice.parquet")
    got = made(folder, rows=data("twice.parquet", roles={"draw": {"confirm": 0.5, "calibrate": 0.5}}))
    assert got.calibration is not None
    judged, fitted = (arrays.load(part.inputs["x"]) for part in (got.evaluation, got.calibration))
    assert not {row.tobytes() for row in judged} & {row.tobytes() for row in fitted}
    assert len(got.problems) == 1
    assert "left out of the calibration" in got.problems[0]
    assert got.calibration.labels is not None
    assert len(got.calibration.labels) == len(fitted)


# --- hashes ------------------------------------------------------------------------------------------------------------------


def test_the_hash_of_rows_speaks_of_content_alone(folder: Path) -> None:
    frame, first = table(), made(folder).evaluation.rows_hash
    frame.write_parquet(folder / "once.parquet", compression="uncompressed")
    frame[:25].write_parquet(folder / "part-1.parquet")
    frame[25:].write_parquet(folder / "part-2.parquet")
    npz = {name: frame[name].to_numpy() for name in ("a", "b")} | {"label": np.array(frame["label"].to_list())}
    np.savez(folder / "rows.npz", **npz)
    in_npz = {"from": {"npz": {"path": "rows.npz"}}, "label": "label"}
    for same in (data("once.parquet"), data("part-*.parquet"), in_npz):
        assert made(folder, rows=same).evaluation.rows_hash == first
    two = made(folder, one=data("part-1.parquet"), two=data("part-2.parquet")).evaluation.rows_hash
    assert two == first


@pytest.mark.parametrize(
    "change",
    [
        pl.col("a").reverse(),
        pl.col("b") + 1,
        pl.col("b").cast(pl.Int32),
        pl.col("label").reverse(),
        pl.col("a").replace(pl.first("a"), 0.0),
    ],
    ids=["order", "value", "type", "labels", "one row"],
)
def test_the_hash_changes_with_what_the_model_is_judged_on(folder: Path, change: pl.Expr) -> None:
    first = made(folder).evaluation.rows_hash
    table().with_columns(change).write_parquet(folder / "other.parquet")
    assert made(folder, rows=data("other.parquet")).evaluation.rows_hash != first


def test_the_hash_does_not_mind_columns_that_are_not_used(folder: Path) -> None:
    first = made(folder).evaluation.rows_hash
    table().with_columns(pl.lit("x").alias("user"), extra=pl.lit(None)).write_parquet(folder / "other.parquet")
    assert made(folder, rows=data("other.parquet")).evaluation.rows_hash == first


# --- what looks wrong --------------------------------------------------------------------------------------------------------


def test_bytes_without_a_scale_are_remarked_on(folder: Path) -> None:
    (problem,) = made(folder, {"x": {"columns": "image"}}).problems
    assert "no `scale` is stated" in problem
    for quiet in (
        {"columns": "image", "scale": {"divide": 255}},
        {"columns": "image", "dtype": "uint8"},
        {"columns": "b"},
    ):
        assert made(folder, {"x": quiet}).problems == ()


def test_numbers_that_are_none_are_counted(folder: Path) -> None:
    nan = pl.when(pl.int_range(pl.len()) < 3).then(float("nan")).otherwise(pl.col("a")).alias("a")
    table().with_columns(nan).write_parquet(folder / "nan.parquet")
    (problem,) = made(folder, rows=data("nan.parquet")).problems
    assert problem == "input `x`: 3 values in 3 rows are not finite numbers"


def test_the_fit_to_the_file_is_checked(folder: Path) -> None:
    got = made(folder).evaluation

    def fit(*inputs: TensorSpec) -> None:
        check_fit(got, Signature(inputs=inputs, outputs=()))

    fit(TensorSpec(name="x", shape=(2,)))
    fit(TensorSpec(name="x", shape=(None,)))
    fit(TensorSpec(name="x"))
    with pytest.raises(DataError, match="no input `x`") as caught:
        fit(TensorSpec(name="x1", shape=(2,)))
    assert "did you mean `x1`?" in caught.value.next_step
    with pytest.raises(DataError, match="takes rows of 3, the study gives 2"):
        fit(TensorSpec(name="x", shape=(3,)))
    with pytest.raises(DataError, match="takes rows of 1xany, the study gives 2"):
        fit(TensorSpec(name="x", shape=(1, None)))
    with pytest.raises(DataError, match="takes float64, the study gives float32"):
        fit(TensorSpec(name="x", dtype="float64"))
    with pytest.raises(DataError, match="doesn't say what the model's input `mask` is"):
        fit(TensorSpec(name="x"), TensorSpec(name="mask"))
