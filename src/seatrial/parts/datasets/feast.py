"""Events with features from a Feast feature store, as they were known at the moment of each event; no event is lost.

    from: {feast: {repo: feature_repo, events: orders.parquet, time: ordered_at, features: ["people:balance", "people:visits"]}}

Feast's own join, told to leave out what was written later (`filter_by_created_timestamp`); events that it drops because nothing was known
yet come back with nan. `online: true` asks the online store instead, which answers as of now: to be compared with what the join gives.

A registry can hold functions (on-demand views), which Feast unpickles when it is read. Such a registry, and a store whose
configuration names classes of other modules, is refused unless `trust` is the registry's SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.contracts.record import listed
from seatrial.errors import DataError
from seatrial.parts.datasets import _columns, _events, _frames
from seatrial.parts.datasets._limits import HeldLimits

if TYPE_CHECKING:
    import polars as pl

NEEDS = ("feast", "polars")
EXTRA = "feast"
CANNOT = {
    "registries that aren't a file": (
        "not yet ours",
        "a registry in a database or on a server can't be looked at before it is loaded",
    ),
    "more rows than fit into memory": ("not yet ours", "events and features are held while they are joined"),
    "stores in a cloud": ("not run here", "tried with the file store and the SQLite online store of Feast 0.67"),
}
ROW, MOMENT = "seatrial_row", "event_timestamp"
MOST_BYTES = 2**28


class Options(PartOptions):
    """The feature repository, the events, and which features are wanted."""

    repo: str = Field(description="the folder that holds feature_store.yaml")
    events: str = Field(
        description="a Parquet, CSV or Arrow file of events with the entities' keys, a folder of them, or a pattern"
    )
    time: str = Field(description="column of the moment of an event")
    features: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        min_length=1, description="as Feast names them: `view:feature`"
    )
    online: bool = Field(default=False, description="ask the online store, which answers as of now")
    absent: str | None = Field(
        default=None, description="word that stands for text that isn't known; refused if left out"
    )
    limits: HeldLimits = Field(default=HeldLimits(), description="what a file may ask for before it is refused")
    trust: str | None = Field(
        default=None, description="SHA-256 of a registry with functions in it, as a sign that you trust it"
    )


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Columns of the events, then the features, with their types in words; features that are numbers are float64."""
    found = _frames.words(_events.scan(options.events, folder).collect_schema())
    store = _store(options, folder)
    for feature in options.features:
        view, name = _parted(feature)
        types = {one.name: one.dtype for one in _view(store, view).features}
        _columns.known([name], types, f"the view `{view}`")
        if name in found:
            raise DataError(
                f"two columns would be called `{name}`", where=options.events, next_step="rename one of them"
            )
        found[name] = "text" if str(types[name]).lower().startswith("string") else "float64"
    return found


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns of all events in order, at most `rows` at a time. Raises `DataError`."""
    _columns.known(names, columns(options, folder), options.events)
    with _columns.reading(options.repo, "the feature store can't be read"):
        events = _events.read(options.events, folder, options.limits)
        table = events
        if any(name not in events.columns for name in names):
            table = _joined(options, _store(options, folder), events)
        _columns.some_rows(len(table), options.events)
        for start, count in _columns.slices(len(table), rows):
            part = table.slice(start, count)
            yield {name: _frames.array(part[name], f"{options.events}, column `{name}`") for name in names}


def stated(options: Options, folder: Path) -> dict[str, dict[str, str]]:
    """What the registry says of each feature view: its owner, and its tags `version` and `approval`. Raises `DataError`."""
    store = _store(options, folder)
    views = {name: _view(store, name) for name in dict.fromkeys(_parted(one)[0] for one in options.features)}
    return {
        name: {"version": view.tags.get("version", ""), "owner": view.owner, "approval": view.tags.get("approval", "")}
        for name, view in views.items()
    }


def _joined(options: Options, store: Any, events: pl.DataFrame) -> pl.DataFrame:
    """The events with all features; those that Feast drops come back without values."""
    import polars as pl

    _columns.known([options.time], events.columns, options.events)
    moments = _events.micros(events[options.time], options.events).cast(pl.Datetime("us", "UTC")).alias(MOMENT)
    keys = _keys(options, store)
    _columns.known(keys, events.columns, options.events)
    asked = events.select(keys).with_columns(moments).with_row_index(ROW)
    whole = asked.drop_nulls()
    if options.online:
        told = store.get_online_features(
            features=list(options.features), entity_rows=whole.select(keys).to_dicts()
        ).to_dict()
        names = [_parted(one)[1] for one in options.features]
        found = pl.DataFrame({ROW: whole[ROW], **{name: pl.Series(told[name], strict=False) for name in names}})
    else:
        job = store.get_historical_features(
            entity_df=whole.to_pandas(), features=list(options.features), filter_by_created_timestamp=True
        )
        found = pl.from_pandas(job.to_df()[[ROW, *(_parted(one)[1] for one in options.features)]])
    if found[ROW].n_unique() < len(found):
        raise DataError("the store answered an event more than once", where=options.repo)
    made = asked.select(ROW).join(
        found.with_columns(pl.col(ROW).cast(asked.schema[ROW])), on=ROW, how="left", maintain_order="left"
    )
    filled = [_events.filled(made[_parted(one)[1]], options.absent, options.repo) for one in options.features]
    return events.with_columns(filled)


def _keys(options: Options, store: Any) -> list[str]:
    """The join keys of all entities of the views."""
    names: dict[str, None] = {}
    for feature in options.features:
        for column in _view(store, _parted(feature)[0]).entity_columns:
            names[column.name] = None
    return [name for name in names if name != "__dummy_id"]


def _view(store: Any, name: str) -> Any:
    from feast.errors import FeatureViewNotFoundException

    try:
        return store.get_feature_view(name)
    except FeatureViewNotFoundException as error:
        there = [one.name for one in store.list_feature_views()]
        step = f"its views are: {', '.join(there[:20])}"
        raise DataError(f"there is no feature view `{name}`", where="features", next_step=step) from error


def _parted(feature: str) -> tuple[str, str]:
    view, sign, name = feature.partition(":")
    if not (view and sign and name):
        raise DataError(
            f"`{feature}` is no feature as Feast names them", where="features", next_step="write `view:feature`"
        )
    return view, name


# --- before anything is loaded -----------------------------------------------------------------------------------------------


def _store(options: Options, folder: Path) -> Any:
    """The store, once its configuration and registry have been looked at. Raises `DataError`."""
    repo = folder / options.repo
    _check(repo, options)
    from feast import FeatureStore

    with _columns.reading(str(repo), "the feature store can't be opened"):
        return FeatureStore(repo_path=str(repo))


def _check(repo: Path, options: Options) -> None:
    from ruamel.yaml import YAML

    file = repo / "feature_store.yaml"
    with _columns.reading(str(file), "this is no configuration of a feature store"):
        said = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")[:MOST_BYTES])
        foreign = [word for word in _classes(said) if "." in word]
        registry = said.get("registry", "data/registry.db")
        registry = registry.get("path", "") if isinstance(registry, Mapping) else registry
        path = repo / str(registry)
        if "://" in str(registry) or not path.is_file():
            step = "`feast apply` makes one; one in a database or on a server isn't read here"
            raise DataError(f"there is no registry file {registry}", where=str(file), next_step=step)
        content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    odd = foreign + _functions(content, str(path))
    if odd and (options.trust or "").lower().removeprefix("sha256:") != digest:
        raise DataError(
            f"loading this store runs code: {', '.join(odd[:5])}; its registry's SHA-256 is {digest}",
            where=str(repo),
            next_step="leave these out; or, where you trust who made them, say so for this registry: `trust: SHA256`",
        )


def _classes(said: Any) -> list[str]:
    """Words of the configuration that Feast would import classes by."""
    if not isinstance(said, Mapping):
        raise ValueError("it holds no settings")
    inner = [one.get("type") for one in said.values() if isinstance(one, Mapping)]
    plain = [said.get(name) for name in ("provider", "offline_store", "online_store", "batch_engine")]
    return [one for one in (*inner, *plain) if isinstance(one, str)]


def _functions(content: bytes, where: str) -> list[str]:
    """Views of the registry that hold a function: Feast unpickles those."""
    from feast.protos.feast.core.Registry_pb2 import Registry

    registry = Registry()
    with _columns.reading(where, "this is no registry of Feast"):
        registry.ParseFromString(content)
    return [f"the on-demand view `{one.spec.name}`" for one in registry.on_demand_feature_views] + [
        f"the stream view `{one.spec.name}`" for one in registry.stream_feature_views
    ]
