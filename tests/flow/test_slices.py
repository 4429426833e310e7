"""Slices that a study names: conditions as people write them, values, bins, groups and pictures, and what is wrong with them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import make

from seatrial.contracts.finding import Condition
from seatrial.errors import DataError
from seatrial.flow import slices
from seatrial.flow._conditions import holds, parse
from seatrial.flow.read import read
from seatrial.flow.slices import prepare_slices
from seatrial.numerics.pictures import look

STUDY = """\
schema: 1
name: people
models:
  linear:
    forms: {{onnx: {{path: linear.onnx}}}}
    task: classification
    inputs: {{x: {{columns: [a, b, c, d]}}}}
    outputs: {{logits: {{means: logits, classes: [red, green, blue]}}}}
data:
  evaluation: {{from: {{parquet: {{path: people.parquet}}}}, label: label, roles: {roles}}}
candidates: [{{runtime: onnxruntime}}]
reference: {{runtime: onnxruntime}}
measure: {{loads: [offline], metrics: [accuracy], {measure}}}
"""
ROWS = 600


def people(folder: Path, measure: str, roles: str = "confirm", **more: object) -> slices.Sliced:
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=ROWS).astype(np.float32) for name in "abcd"}
    table |= {
        "label": rng.integers(0, 3, ROWS),
        "sex": rng.choice(["F", "M"], ROWS),
        "age": rng.integers(18, 80, ROWS),
        "income": np.where(rng.random(ROWS) < 0.1, np.nan, rng.lognormal(10, 1, ROWS)),
        "children": rng.integers(0, 4, ROWS),
        "town": rng.choice([f"town {number}" for number in range(70)], ROWS),
    } | more
    pl.DataFrame(table).write_parquet(folder / "people.parquet")
    make(folder)
    file = folder / "people.yaml"
    file.write_text(STUDY.format(measure=measure, roles=roles))
    source = read(file)
    return prepare_slices(source.study, source.folder, folder / "arrays")


def table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "people.parquet")


def members(made: slices.Sliced, partition: int) -> dict[str, list[int]]:
    """Row numbers by the words of the cell."""
    (one,) = [made.partitions(0, ROWS)[partition]]
    return {" and ".join(map(str, cell)): np.flatnonzero(one.codes == at).tolist() for at, cell in enumerate(one.cells)}


def test_each_value_of_a_column_is_a_slice(tmp_path: Path):
    made = people(tmp_path, "slices: [sex, children]")
    assert made.names == ("sex", "children")
    rows = table(tmp_path)
    assert members(made, 0) == {
        f"sex == {value}": rows.with_row_index().filter(pl.col("sex") == value)["index"].to_list() for value in "FM"
    }
    assert list(members(made, 1)) == [f"children == {number}" for number in range(4)]


def test_conditions_bins_and_edges(tmp_path: Path):
    made = people(
        tmp_path, "slices: [\"age >= 60 and sex == 'F'\", {column: age, bins: [25, 65]}, {column: income, bins: 3}]"
    )
    rows = table(tmp_path).with_row_index()
    older = rows.filter((pl.col("age") >= 60) & (pl.col("sex") == "F"))["index"].to_list()
    assert members(made, 0) == {"age >= 60 and sex == F": older}
    binned = members(made, 1)
    assert list(binned) == ["age < 25.0", "age >= 25.0 and age < 65.0", "age >= 65.0"]
    assert binned["age >= 65.0"] == rows.filter(pl.col("age") >= 65)["index"].to_list()
    thirds = members(made, 2)
    assert list(thirds)[-1] == "income is missing"
    assert thirds["income is missing"] == rows.filter(pl.col("income").is_nan())["index"].to_list()
    sizes = [len(found) for words, found in thirds.items() if words != "income is missing"]
    assert max(sizes) - min(sizes) <= 2
    assert sum(map(len, thirds.values())) == ROWS


def test_groups_cross(tmp_path: Path):
    made = people(tmp_path, "slices: [sex], groups: [sex, [sex, children]]")
    assert made.names == ("sex", "sex x children")
    assert made.groups == (0, 1)
    crossed = members(made, 1)
    assert len(crossed) == 8
    rows = table(tmp_path).with_row_index()
    wanted = rows.filter((pl.col("sex") == "M") & (pl.col("children") == 2))["index"].to_list()
    assert crossed["sex == M and children == 2"] == wanted


def test_rare_values_of_a_long_column_are_told(tmp_path: Path):
    made = people(tmp_path, "slices: [town]")
    assert len(made.cells[0]) == slices.MOST_VALUES
    assert "70 values; 20" in made.left_out[0]


def test_a_slice_without_rows_is_told(tmp_path: Path):
    made = people(tmp_path, "slices: ['age > 200', sex]")
    assert made.left_out == ("`age > 200`: no row that judges is in it",)


def test_the_search_combines_columns_and_not_conditions(tmp_path: Path):
    made = people(tmp_path, "slices: [sex, 'age > 30'], groups: [[sex, children]], find: {}")
    assert [made.names[index] for index in made.searched] == ["sex"]
    made = people(tmp_path, "slices: [sex], find: {columns: [age, children]}")
    assert [made.names[index] for index in made.searched] == ["age", "children"]


def test_only_rows_that_judge_are_sliced(tmp_path: Path):
    made = people(tmp_path, "slices: [sex]", roles="{draw: {calibrate: 0.5, confirm: 0.5}}")
    assert made.codes is not None
    assert 200 < made.codes.shape[0] < 400


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("slices: [sexx]", "did you mean `sex`"),
        ("slices: ['agee > 3']", "did you mean `age`"),
        ("slices: [\"age > 'old'\"]", "holds numbers"),
        ("slices: ['sex > 3']", "holds words"),
        ("slices: ['age > 3 or sex > 2']", "no comparison"),
        ('slices: [\'__import__("os").system("true") > 3\']', "names no column"),
        ("slices: ['age > > 3']", "is no condition"),
        ("slices: [{column: sex, bins: 3}]", "bins are for numbers"),
        ("slices: [{image: brightness, column: a}]", "holds no pictures"),
        ("slices: [{image: brightness}]", "which holds the pictures"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, measure: str, words: str):
    with pytest.raises(DataError) as error:
        people(tmp_path, measure)
    assert words in f"{error.value}"


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.sampled_from(["x", "y", "x y"])), min_size=1, max_size=20),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.integers(-3, 3),
)
def test_conditions_are_pythons(rows: list[tuple[int, str]], sign: str, bound: int):
    columns = {"n": np.array([n for n, _ in rows]), "word": np.array([word for _, word in rows], object)}
    text = f"n {sign} {bound} and word in ['x', 'x y']"
    wanted = [eval(text, {"n": n, "word": word}) for n, word in rows]
    assert holds(parse(text), columns).tolist() == wanted


def test_chains_and_turned_comparisons():
    assert parse("18 <= age < 65") == (
        Condition(column="age", relation=">=", value=18),
        Condition(column="age", relation="<", value=65),
    )


def test_pictures_by_how_they_look():
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 255, (5, 16, 16)).astype(np.uint8)
    smooth = np.cumsum(np.cumsum(sharp, axis=1), axis=2) / 256
    assert (look(smooth, "blur") > look(sharp, "blur")).all()
    assert look(np.full((2, 4, 4, 3), 7), "brightness").tolist() == [7.0, 7.0]
    assert look(np.full((2, 3, 4, 4), 7), "contrast").tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="no pictures"):
        look(np.zeros((2, 4)), "contrast")
