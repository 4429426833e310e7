"""Feast: no row lost, no later correction, what the registry states, and registries with functions in them refused."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seatrial import catalog
from seatrial.errors import DataError
from seatrial.testing.datasets import exam, known

feast = pytest.importorskip("feast")
PART = catalog.find("datasets", "feast")
CONFIGURATION = """\
project: trial
registry: registry.db
provider: local
online_store: {type: sqlite, path: online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""


def repository(folder: Path, features: pl.DataFrame, more: list | None = None) -> feast.FeatureStore:
    """A feature repository with one view, `people`, of the features `height`."""
    from feast.types import Float64

    repo = folder / "repo"
    repo.mkdir()
    (repo / "feature_store.yaml").write_text(CONFIGURATION)
    times = [pl.col(name).cast(pl.Datetime("us", "UTC")) for name in ("moment", "written")]
    features.with_columns(times).write_parquet(repo / "data.parquet")
    customer = feast.Entity(name="customer", join_keys=["customer"], value_type=feast.ValueType.INT64)
    source = feast.FileSource(
        path=str(repo / "data.parquet"), timestamp_field="moment", created_timestamp_column="written"
    )
    schema = [feast.Field(name="height", dtype=Float64)]
    tags = {"version": "3", "approval": "Ann 2026-05-01"}
    view = feast.FeatureView(
        name="people",
        entities=[customer],
        ttl=timedelta(days=3650),
        schema=schema,
        source=source,
        owner="risk",
        tags=tags,
    )
    store = feast.FeatureStore(repo_path=str(repo))
    store.apply([customer, view, *(make(view) for make in more or [])])
    return store


def options(**more: object) -> object:
    given = {"repo": "repo", "events": "events.parquet", "time": "moment", "features": ["people:height"]}
    return catalog.options(PART, given | more)


def read(folder: Path, names: list[str], **more: object) -> dict[str, list]:
    pieces = list(catalog.load(PART).chunks(options(**more), folder, names, 3))
    return {name: [value for piece in pieces for value in piece[name].tolist()] for name in names}


MICRO = 1_000_000
FEATURES = pl.DataFrame(
    {"customer": [1, 1, 1, 2], "moment": [10, 10, 40, 30], "written": [10, 20, 40, 30], "height": [1.0, 9.0, 4.0, 2.0]}
).with_columns(pl.col("moment", "written") * MICRO)
EVENTS = pl.DataFrame({"customer": [2, 1, 9, 1, None, 1], "moment": [5, 15, 15, 50, 15, 25], "n": range(6)})


def test_it_sits_the_exam(tmp_path):
    def write(folder: Path, columns):
        right = pl.DataFrame({name: columns[name] for name in ("customer", "height")}).with_columns(
            moment=pl.Series(columns["moment"]).cast(pl.Int64) * MICRO - MICRO,
            written=pl.Series(columns["moment"]).cast(pl.Int64) * MICRO - MICRO,
        )
        wrong = right.with_columns(pl.col("height") + 1, written=pl.col("moment") + 2 * MICRO)
        repository(folder, pl.concat([wrong, right]).reverse())
        pl.DataFrame({name: values for name, values in columns.items() if name != "height"}).write_parquet(
            folder / "events.parquet"
        )
        return {"repo": "repo", "events": "events.parquet", "time": "moment", "features": ["people:height"]}

    columns = known()
    from seatrial.testing import datasets

    datasets.OWN["feast"] = (write, lambda: columns)
    exam(PART)


def test_no_event_is_lost_and_no_later_correction_known(tmp_path):
    store = repository(tmp_path, FEATURES)
    EVENTS.write_parquet(tmp_path / "events.parquet")
    found = read(tmp_path, ["n", "height"])
    assert found["n"] == list(range(6))
    np.testing.assert_array_equal(found["height"], [np.nan, 1.0, np.nan, 4.0, np.nan, 9.0])
    asked = EVENTS.drop_nulls().with_columns(event_timestamp=(pl.col("moment") * MICRO).cast(pl.Datetime("us", "UTC")))
    asked = asked.drop("moment")
    plain = store.get_historical_features(entity_df=asked.to_pandas(), features=["people:height"]).to_df()
    assert len(plain) < len(asked), "its own join drops events: without our row numbers they would be gone"
    assert plain.set_index("n").loc[1, "height"] == 9.0, "by default it knows a correction before it was made"


def test_the_online_store_answers_as_of_now(tmp_path):
    import datetime

    store = repository(tmp_path, FEATURES)
    EVENTS.write_parquet(tmp_path / "events.parquet")
    store.materialize(
        datetime.datetime.fromtimestamp(0, datetime.UTC), datetime.datetime.fromtimestamp(60, datetime.UTC)
    )
    found = read(tmp_path, ["n", "height"], online=True)
    assert found["n"] == list(range(6))
    np.testing.assert_array_equal(found["height"], [2.0, 4.0, np.nan, 4.0, np.nan, 4.0])


def test_what_the_registry_states(tmp_path):
    repository(tmp_path, FEATURES)
    said = catalog.load(PART).stated(options(), tmp_path)
    assert said == {"people": {"version": "3", "owner": "risk", "approval": "Ann 2026-05-01"}}


def test_a_registry_with_functions_is_refused_unless_it_is_trusted(tmp_path):
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64

    def doubled(view):
        @on_demand_feature_view(sources=[view], schema=[feast.Field(name="twice", dtype=Float64)])
        def twice(inputs):
            return inputs[["height"]].rename(columns={"height": "twice"}) * 2

        return twice

    repository(tmp_path, FEATURES, [doubled])
    EVENTS.write_parquet(tmp_path / "events.parquet")
    with pytest.raises(DataError, match="on-demand view `twice`") as refused:
        read(tmp_path, ["height"])
    digest = hashlib.sha256((tmp_path / "repo" / "registry.db").read_bytes()).hexdigest()
    assert digest in str(refused.value)
    assert read(tmp_path, ["n"], trust=digest)["n"] == list(range(6))


def test_configurations_that_name_classes_and_stores_that_are_not_there_are_refused(tmp_path):
    repository(tmp_path, FEATURES)
    EVENTS.write_parquet(tmp_path / "events.parquet")
    file = tmp_path / "repo" / "feature_store.yaml"
    file.write_text(CONFIGURATION.replace("{type: file}", "{type: evil.module.Store}"))
    with pytest.raises(DataError, match=r"runs code: evil\.module\.Store"):
        read(tmp_path, ["height"])
    file.write_text(CONFIGURATION)
    with pytest.raises(DataError, match="no feature view `poeple`") as refused:
        read(tmp_path, ["height"], features=["poeple:height"])
    assert "people" in refused.value.next_step
    file.write_text(CONFIGURATION.replace("registry.db", "sql://nowhere"))
    with pytest.raises(DataError, match="no registry file"):
        read(tmp_path, ["height"])
