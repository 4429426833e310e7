"""Columns that hang together: whatever an attack asks for, no input breaks a tie, a range, a whole number or the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_possible import COLUMNS, reached, table

from seatrial.contracts.attack import SLACK
from seatrial.errors import DataError
from seatrial.flow._formulas import Formula
from seatrial.flow.possible import Possible, Reach
from seatrial.numerics.norms import within

ROWS = 40
NAMES = ("a", "b", "count", "total", "net", "gross", "price", "red", "blue")


def rows_of(rng: np.random.Generator) -> np.ndarray:
    """Rows, as stored, in which everything below holds; but in the last three total, net and price don't."""
    a, b, gross, price = (
        rng.uniform(-3, 9, ROWS),
        rng.uniform(0, 4, ROWS),
        rng.uniform(5, 50, ROWS),
        rng.uniform(1, 3, ROWS),
    )
    count, red = rng.integers(0, 12, ROWS).astype(float), rng.integers(0, 2, ROWS).astype(float)
    made = np.stack([a, b, count, a + 2 * b, gross * rng.uniform(0.3, 1, ROWS), gross, price, red, 1 - red], axis=1)
    made[:, 6] = np.maximum(made[:, 6], 0.1 * np.ceil(count) + 0.5)
    made[-3, 3] += 1
    made[-2, 4] = made[-2, 5] + 1
    made[-1, 6] = 0.2
    return made


TIES: list[dict[str, Any]] = [
    {"place": 3, "relation": "==", "formula": "a + 2 * b", "others": {"a": 0, "b": 1}},
    {"place": 4, "relation": "<=", "formula": "gross", "others": {"gross": 5}},
    {"place": 6, "relation": ">=", "formula": "0.1 * count + 0.5", "others": {"count": 2}},
    {"place": 2, "relation": "<=", "formula": "max(net, total) + 20", "others": {"net": 4, "total": 3}},
]  # fmt: skip


def possible(stored: np.ndarray, norm: Any, budget: float | None) -> tuple[Possible, np.ndarray, np.ndarray]:
    """Rows as a model takes them, scaled; their mean and deviation."""
    mean, std = stored.mean(axis=0), stored.std(axis=0)
    ready = ((stored - mean) / std).astype(np.float32)
    low, high = ready.min(axis=0).astype(float), ready.max(axis=0).astype(float)
    span = high - low
    size = 1 / std / span
    unit = np.where(np.isin(np.arange(len(NAMES)), (2, 7, 8)), size, 0.0)
    zero = (-mean / std - low) / span
    reach = Reach({"x": low}, {"x": span}, {"x": np.ones(len(NAMES), bool)}, {"x": unit}, {"x": zero}, [[7, 8]], "", {"x": size}, TIES)  # fmt: skip
    return Possible({"x": ready}, reach, norm, budget), mean, std


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    far=st.floats(0.0001, 4),
    budget=st.one_of(st.none(), st.floats(0.003, 1.2)),
    norm=st.sampled_from(["linf", "l2"]),
    direction=st.sampled_from(["any", "up", "down", "one"]),
)
def test_no_input_breaks_a_tie(seed: int, far: float, budget: float | None, norm: str, direction: str):
    rng = np.random.default_rng(seed)
    stored = rows_of(rng)
    ground, mean, std = possible(stored, norm, budget)
    drawn = rng.uniform(-1, 1, ground.clean.shape)
    change = {"any": drawn, "up": np.abs(drawn), "down": -np.abs(drawn), "one": drawn * (rng.random(drawn.shape) < 0.15)}[direction] * far  # fmt: skip
    if budget is not None:
        change = within(change.astype(np.float32), budget, norm)
    rows = rng.permutation(ROWS)[:30]
    landed = ground.land(ground.clean[rows] + change[rows], rows)
    if budget is not None and budget < 1:
        assert ground.far(landed, rows).max() <= budget + SLACK
    made = ground.inputs(landed, rows)["x"].astype(np.float64) * std + mean
    a, b, count, total, net, gross, price, red, blue = made.T
    width = stored.max(axis=0) - stored.min(axis=0)
    good = rows < ROWS - 3
    assert (np.abs(total - (a + 2 * b))[good] <= 3e-5 * width[3]).all()
    assert (net <= gross + 1e-6 * width[4])[good].all()
    assert (price >= 0.1 * np.rint(count) + 0.5 - 1e-6 * width[6])[good].all()
    assert np.abs(count - np.rint(count)).max() < 1e-4
    assert (count <= np.maximum(net, total) + 20 + 1e-4)[good].all()
    assert np.allclose(np.sort([red, blue], axis=0), np.array([[0], [1]]), atol=1e-5)
    assert (made >= stored.min(axis=0) - 1e-4).all()
    assert (made <= stored.max(axis=0) + 1e-4).all()
    broken = ~good
    assert np.array_equal(landed[broken][:, :7], ground.clean[rows[broken]][:, :7]), (
        "what is untrue already stays as it is"
    )


def test_most_changes_come_through_and_a_gradient_goes_round_by_the_sum():
    """Guarding ties by changing nothing would be no attack; and what only the sum feels moves what it is the sum of."""
    rng = np.random.default_rng(5)
    ground, _, _ = possible(rows_of(rng), "linf", 0.1)
    rows = np.arange(ROWS - 3)
    asked = ground.clean[rows] + rng.choice([-0.1, 0.1], ground.clean[rows].shape).astype(np.float32)
    moved = np.abs(ground.land(asked, rows) - ground.clean[rows])
    assert np.mean(moved.max(axis=1) > 0.05) > 0.9
    slope = {"x": np.zeros((len(rows), len(NAMES)))}
    slope["x"][:, 3] = 1.0
    felt = ground.slope(slope, ground.land(ground.clean[rows], rows))
    assert (felt[:, 0] > 0).all()
    assert (felt[:, 1] > 0).all()
    assert np.abs(felt[:, 2:]).max() == 0
    assert ground.free.tolist()[:4] == [True, True, True, False]


def test_a_study_states_ties_and_wrong_ones_are_told(tmp_path: Path):
    columns = table(60, np.random.default_rng(2))
    columns["hours"] = np.minimum(columns["hours"], columns["age"])
    _, found = reached(tmp_path, columns, "ties: [{column: hours, at_most: age}]")
    assert found.ties[0]["place"] == COLUMNS.index("hours")
    for block, said in (
        ("ties: [{column: weight, at_most: age}]", "reads no column `weight`"),
        ("ties: [{column: hours, at_most: weight}]", "reads no column `weight`"),
        ("ties: [{column: red, at_most: age}], one_hot: [[red, green, blue]]", "of a group of 0 and 1"),
        ("ties: [{column: hours, equals: age}], columns: {hours: {fixed: true}}", "can't be fixed and follow"),
        ("ties: [{column: hours, equals: 'age + height'}, {column: age, equals: hours}]", "in a circle"),
        ("ties: [{column: hours, equals: age}, {column: hours, equals: height}]", "two formulas"),
        ("ties: [{column: hours, at_most: 'age.real'}]", "has no place in a formula"),
    ):
        with pytest.raises(DataError, match=said):
            reached(tmp_path, columns, block)


def test_formulas_are_worked_out_and_nothing_else_is_read():
    columns = {"a": np.array([1.0, 2.0]), "b c": np.array([4.0, 0.0])}
    for text, wanted in (
        ("a * 2 - 1", [1, 3]),
        ("-(a + 'b c') / 2", [-2.5, -1]),
        ("max(a, 'b c', 3)", [4, 3]),
        ("abs(a - 'b c') + min(a, 1.5)", [4, 3.5]),
        ("7", [7, 7]),
    ):
        assert np.allclose(Formula(text).value(columns), wanted)
    assert Formula("a + 'b c' + a").names == ("a", "b c")
    for text in ("", "a +", "a ** b", "__import__('os')", "a if b else c", "a > b", "a.b", "a[0]", "True", "min(a)", "max(a, key=b)", "lambda: 1", "1j", "(" * 300, "+".join("a" * 600), "9" * 390, "a\x00"):  # fmt: skip
        with pytest.raises(DataError):
            Formula(text)


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab12+-*/(), .'minxs_[]=<>:", max_size=30))
def test_any_text_is_a_formula_or_told_to_be_none(text: str):
    try:
        formula = Formula(text)
    except DataError:
        return
    value = formula.value({name: np.ones(3) for name in formula.names} or {"": np.ones(3)})
    assert value.shape == (3,)
