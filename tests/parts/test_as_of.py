"""The join as of a moment against brute force: no later event, no later correction, no row lost; and what it refuses."""

from __future__ import annotations

import datetime
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial import catalog
from seatrial.errors import DataError
from seatrial.testing.datasets import exam

PART = catalog.find("datasets", "as_of")


def joined(
    folder: Path, events: pl.DataFrame, features: pl.DataFrame, names: list[str], rows: int = 100, **said: object
) -> dict[str, list]:
    events.write_parquet(folder / "events.parquet")
    features.write_parquet(folder / "features.parquet")
    table = {"path": "features.parquet", "time": "t", "written": "w", "columns": ["x"]} | {
        name: value
        for name, value in said.items()
        if name in ("written", "longest", "columns", "key", "time", "prefix")
    }
    options = catalog.options(PART, {"events": "events.parquet", "time": "t", "key": "k", "features": [table]} | {name: value for name, value in said.items() if name == "absent"})  # fmt: skip
    module = catalog.load(PART)
    pieces = list(module.chunks(options, folder, names, rows))
    return {name: [value for piece in pieces for value in piece[name].tolist()] for name in names}


def test_it_sits_the_exam():
    exam(PART)


TIMES = st.integers(0, 6)
EVENTS = st.lists(st.tuples(st.integers(0, 2), TIMES), min_size=1, max_size=10)
FEATURES = st.lists(st.tuples(st.integers(0, 2), TIMES, TIMES, st.integers(0, 9)), max_size=14)


def brute(events, features, longest):
    """For each event, look at every row of features."""
    for key, moment in events:
        best = None
        for row, (of, time, written, value) in enumerate(features):
            usable = of == key and time <= moment and written <= moment
            if usable and (best is None or (time, written, row) > best[:3]):
                best = (time, written, row, value)
        if best is None or (longest is not None and moment - best[0] > longest):
            yield math.nan
        else:
            yield float(best[3])


@settings(max_examples=250, deadline=None)
@given(EVENTS, FEATURES, st.none() | st.integers(1, 4), st.integers(1, 11))
def test_it_is_what_looking_at_every_row_finds(tmp_path_factory, events, features, longest, rows):
    folder = tmp_path_factory.mktemp("j")
    held = pl.DataFrame(features, schema={"k": pl.Int64, "t": pl.Int64, "w": pl.Int64, "x": pl.Int64}, orient="row")
    asked = pl.DataFrame(events, schema={"k": pl.Int64, "t": pl.Int64}, orient="row")
    found = joined(folder, asked, held, ["k", "t", "x"], rows, longest=longest)
    assert list(zip(found["k"], found["t"], strict=True)) == events, "every event keeps its row, in order"
    np.testing.assert_array_equal(found["x"], list(brute(events, features, longest)))


def test_a_correction_that_came_later_is_not_known_at_the_time(tmp_path):
    events = pl.DataFrame({"k": [1, 1, 2], "t": [10, 30, 10]})
    features = pl.DataFrame({"k": [1, 1], "t": [5, 5], "w": [5, 20], "x": [1.0, 9.0]})
    assert joined(tmp_path, events, features, ["x"])["x"][:2] == [1.0, 9.0]
    leaking = joined(tmp_path, events, features, ["x"], written=None)["x"]
    assert leaking[0] == 9.0, "without `written` nobody can know what came later"


@pytest.mark.parametrize("kind", ["date", "datetime", "zoned", "text", "csv"])
def test_times_are_read_as_they_are_written(tmp_path, kind):
    days = [datetime.date(2026, 1, day) for day in (1, 3)]
    events = pl.DataFrame({"k": ["a", "a"], "t": days})
    features = pl.DataFrame({"k": ["a"], "t": [days[1]], "w": [days[1]], "x": [4]})
    cast = {
        "datetime": lambda one: one.cast(pl.Datetime("ms")),
        "zoned": lambda one: one.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
        "text": lambda one: one.cast(pl.String),
    }.get(kind, lambda one: one)
    events, features = (
        frame.with_columns(cast(pl.col(name)) for name in ("t", "w") if name in frame.columns)
        for frame in (events, features)
    )
    if kind == "csv":
        events.write_csv(tmp_path / "e.csv")
        features.write_csv(tmp_path / "f.csv")
        table = {"path": "f.csv", "time": "t", "written": "w", "columns": "x"}
        options = catalog.options(PART, {"events": "e.csv", "time": "t", "key": "k", "features": table and [table]})
        (piece,) = catalog.load(PART).chunks(options, tmp_path, ["x"], 9)
        found = piece["x"].tolist()
    else:
        found = joined(tmp_path, events, features, ["x"], longest="30d")["x"]
    np.testing.assert_array_equal(found, [math.nan, 4.0])


def test_events_without_key_or_time_and_features_without_time_stay_and_know_nothing(tmp_path):
    events = pl.DataFrame({"k": [1, None, 1], "t": [5, 5, None], "n": [0, 1, 2]})
    features = pl.DataFrame({"k": [1, None, 1], "t": [1, 1, None], "w": [1, 1, 1], "x": [7, 8, 9]})
    found = joined(tmp_path, events, features, ["n", "x"])
    assert found["n"] == [0, 1, 2]
    np.testing.assert_array_equal(found["x"], [7.0, math.nan, math.nan])


def test_text_that_is_not_known_is_refused_unless_a_word_stands_for_it(tmp_path):
    events = pl.DataFrame({"k": [1, 2], "t": [5, 5]})
    features = pl.DataFrame({"k": [1], "t": [1], "w": [1], "x": ["red"]})
    with pytest.raises(DataError, match="isn't known for 1 events") as refused:
        joined(tmp_path, events, features, ["x"])
    assert "absent:" in refused.value.next_step
    assert joined(tmp_path, events, features, ["x"], absent="unknown")["x"] == ["red", "unknown"]


def test_what_does_not_fit_is_refused_in_words(tmp_path):
    events = pl.DataFrame({"k": [1], "t": [5], "x": [0]})
    features = pl.DataFrame({"k": ["one"], "t": [1], "w": [1], "x": [1]})
    with pytest.raises(DataError, match="two columns would be called `x`"):
        joined(tmp_path, events, features, ["x"])
    with pytest.raises(DataError, match="key `k`"):
        joined(tmp_path, events.drop("x"), features, ["x"])
    with pytest.raises(DataError, match="no column `when`"):
        joined(tmp_path, events.drop("x"), features, ["x"], time="when")
    worded = features.with_columns(k=pl.lit(1), t=pl.lit("soon"))
    with pytest.raises(DataError, match="no time"):
        joined(tmp_path, events.drop("x"), worded, ["x"])


def test_what_is_stated_of_features_is_found(tmp_path):
    table = {"path": "people.parquet", "time": "t", "columns": "x", "version": "3", "owner": "risk"}
    options = catalog.options(PART, {"events": "e.parquet", "time": "t", "key": "k", "features": [table]})
    assert catalog.load(PART).stated(options, tmp_path) == {"people": {"version": "3", "owner": "risk", "approval": ""}}
