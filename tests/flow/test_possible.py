"""What an attacker can make of rows: whatever an attack asks, inputs stay possible and changes within the budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_robust import study

from seatrial.contracts.attack import SLACK
from seatrial.errors import DataError, StudyError
from seatrial.flow import arrays
from seatrial.flow.possible import Possible, Reach
from seatrial.flow.reach import reach
from seatrial.flow.read import read
from seatrial.numerics.norms import within

COLUMNS = ("age", "hours", "red", "green", "blue", "height", "signature")


def table(rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Whole numbers, a number, a colour as three columns, and one that is the same everywhere."""
    colour = np.eye(3, dtype=np.int64)[rng.integers(0, 3, rows)]
    made = {"age": rng.integers(18, 90, rows), "hours": rng.integers(0, 99, rows), "height": rng.normal(170, 9, rows)}
    made |= {name: colour[:, at] for at, name in enumerate(("red", "green", "blue"))}
    return made | {"signature": np.full(rows, 7.0)}


def reached(folder: Path, columns: dict[str, np.ndarray], security: str) -> tuple[dict[str, np.ndarray], Reach]:
    """Model inputs of these columns, scaled, and what a study with this block makes of them."""
    file = study(folder, f"metrics: [accuracy], security: {{{security}}}")
    pl.DataFrame({**columns, "label": np.zeros(len(columns["age"]), np.int64)}).write_parquet(folder / "rows.parquet")
    text = file.read_text().replace("{columns: [a, b, c, d]}", "{columns: [age, hours, red, green, blue, height, signature], scale: {divide: 2, mean: 3, std: 0.7}}")  # fmt: skip
    file.write_text(text.replace("roles: {draw: {calibrate: 0.4, confirm: 0.6}}", "roles: confirm"))
    source = read(file)
    x = np.stack([columns[name] for name in COLUMNS], axis=1)
    ready = ((x / 2 - 3) / 0.7).astype(np.float32)
    found = reach(source.study, folder, source.study.models["linear"], {"x": arrays.save(folder / "cache", ready)})
    return {"x": ready}, Reach(**found)


@pytest.mark.parametrize(("norm", "budget"), [("linf", 0.02), ("linf", 0.3), ("linf", 1.0), ("l2", 0.1), ("l2", 1.5), ("linf", None)])  # fmt: skip
def test_constraints_can_not_be_violated(tmp_path: Path, norm: str, budget: float | None):
    """Whatever points are asked for within the budget, what the model is given could be a row, and is within it still."""
    rng = np.random.default_rng(0)
    columns = table(300, rng)
    inputs, found = reached(tmp_path, columns, "columns: {hours: {fixed: true}}, one_hot: [[red, green, blue]]")
    possible = Possible(inputs, found, norm, budget)
    rows = np.arange(300)
    for size in (0.001, 0.02, 0.3, 5.0, np.inf):
        wanted = possible.clean + rng.uniform(-1, 1, possible.clean.shape) * min(size, 1e3)
        if budget is not None:
            wanted = possible.clean + within((wanted - possible.clean).astype(np.float32), budget, norm)
        elif size == np.inf:
            wanted[::3] = np.nan
        landed = possible.land(wanted, rows)
        if budget is not None and not (norm == "l2" and budget > 1.4):
            assert possible.far(landed, rows).max() <= budget + SLACK
        made = possible.inputs(landed, rows)["x"].astype(np.float64)
        stored = (made * 0.7 + 3) * 2
        age, colour, height = stored[:, 0], stored[:, 2:5], stored[:, 5]
        assert np.abs(age - np.rint(age)).max() < 1e-4, "whole numbers stay whole"
        assert columns["age"].min() - 1e-4 <= age.min() <= age.max() <= columns["age"].max() + 1e-4
        assert np.array_equal(made[:, 1], inputs["x"][:, 1]), "what is fixed has the very number that it had"
        assert np.allclose(np.sort(colour, axis=1), [0, 0, 1], atol=1e-5), "one colour at a time"
        assert columns["height"].min() - 1e-3 <= height.min() <= height.max() <= columns["height"].max() + 1e-3
        assert np.array_equal(made[:, 6], inputs["x"][:, 6]), "a column that is the same everywhere has no range"
        if budget is not None and budget < 1:
            assert np.array_equal(made[:, 2:5], inputs["x"][:, 2:5]), "another colour is a change by the whole range"


def test_ranges_that_are_stated_count_and_unknown_columns_are_told(tmp_path: Path):
    columns = table(50, np.random.default_rng(1))
    inputs, found = reached(tmp_path, columns, "columns: {height: {range: [100, 250]}, age: {whole: false}}")
    possible = Possible(inputs, found, "linf", 0.1)
    landed = possible.land(possible.clean + 9, np.arange(50))
    stored = (possible.inputs(landed, np.arange(50))["x"].astype(np.float64) * 0.7 + 3) * 2
    assert stored[:, 5].max() == pytest.approx(250, abs=1e-3)
    assert stored[:, 0].max() == pytest.approx(columns["age"].max(), abs=1e-3)
    low, high = possible.land(possible.clean - 9, np.arange(50)), possible.land(possible.clean + 9, np.arange(50))
    assert (low <= possible.clean.reshape(50, -1) + SLACK).all()
    assert (high >= possible.clean.reshape(50, -1) - SLACK).all()
    with pytest.raises(DataError, match="reads no column `weight`"):
        reached(tmp_path, columns, "columns: {weight: {fixed: true}}")
    with pytest.raises((StudyError, ValueError)):
        reached(tmp_path, columns, "columns: {age: {range: [9, 1]}}")


def test_pictures_run_from_black_to_white_whatever_the_scale_is(tmp_path: Path):
    """Budgets are shares of 0 to 255 although the model takes standardised numbers in another order of axes."""
    rng = np.random.default_rng(2)
    pictures = rng.integers(40, 200, (30, 5, 6, 3)).astype(np.uint8)
    file = study(tmp_path, "metrics: [accuracy], security: {linf: 0.1}")
    text = file.read_text().replace("{columns: [a, b, c, d]}", "{columns: image, layout: {stored: HWC, model: CHW}, scale: {divide: 255, mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6]}}")  # fmt: skip
    file.write_text(text.replace("{parquet: {path: rows.parquet}}", "{npz: {path: rows.npz}}").replace("roles: {draw: {calibrate: 0.4, confirm: 0.6}}", "roles: confirm"))  # fmt: skip
    np.savez(tmp_path / "rows.npz", image=pictures, label=np.zeros(30, np.int64))
    source = read(file)
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])
    ready = np.moveaxis((pictures / 255 - mean) / std, -1, 1).astype(np.float32)
    model = source.study.models["linear"]
    possible = Possible({"x": ready}, Reach(**reach(source.study, tmp_path, model, {"x": arrays.save(tmp_path / "cache", ready)})), "linf", 0.1)  # fmt: skip
    assert possible.picture == "CHW"
    assert np.allclose(np.moveaxis(possible.clean, 1, -1), pictures / 255, atol=1e-6)
    landed = possible.land(possible.clean + 0.1, np.arange(30))
    made = np.moveaxis(possible.inputs(landed, np.arange(30))["x"], 1, -1) * std + mean
    assert np.allclose(made, np.minimum(1, pictures / 255 + 0.1), atol=1e-5)
    gradient = possible.slope({"x": np.ones_like(ready)}, landed)
    span = 1 / std.reshape(3, 1, 1)
    assert np.allclose(gradient, np.broadcast_to(span, gradient.shape[1:]), rtol=1e-5)
