"""Events with the features that were known at the moment of each: joined from files, without later values and without losing rows.

    from:
      as_of:
        events: orders.parquet
        time: ordered_at
        key: customer
        features:
          - {path: customers.parquet, time: valid_from, written: written_at, columns: [balance, visits], longest: 30d,
             version: "3", owner: team-risk, approval: Ann 2026-05-01}

Each event keeps its row, once, in the order of the file. Of a table of features it gets the row of its key with the latest `time` that isn't
after the event's and that had been written by then (`written`): what was corrected afterwards, or arrived late, wasn't known. A number
that isn't there is nan; text that isn't there is what `absent` says.

Events and features are held in memory. Times are dates, datetimes (UTC where no zone is said), or numbers of seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.contracts.quantity import parse
from seatrial.contracts.record import listed
from seatrial.errors import DataError
from seatrial.parts.datasets import _columns, _events, _frames
from seatrial.parts.datasets._joined import Moments, as_of
from seatrial.parts.datasets._limits import HeldLimits

if TYPE_CHECKING:
    import polars as pl

NEEDS = ("polars",)
CANNOT = {
    "more rows than fit into memory": ("not yet ours", "events and features are held while they are joined"),
    "times without a zone": ("never", "they are taken as UTC: nothing in a file says what else they could be"),
}


def _duration(given: Any) -> Any:
    """`30d` in seconds; days are no unit of other quantities."""
    if not isinstance(given, str):
        return given
    number, day, rest = given.strip().partition("d")
    if day and not rest and number.strip().replace(".", "", 1).isdigit():
        return float(number) * 86_400
    quantity = parse(given)
    if quantity.unit not in ("s", ""):
        raise ValueError(f"`{given}` is not a time, like `30d` or `12h`")
    return quantity.value


Age = Annotated[float, BeforeValidator(_duration), Field(gt=0, le=1e9)]
Names = Annotated[tuple[str, ...], BeforeValidator(listed)]


class Features(PartOptions):
    """A table of features: where it is, when its rows speak of and were written, which columns are wanted, who answers for them."""

    path: str = Field(description="a Parquet, CSV or Arrow file, a folder of them, or a pattern")
    name: str = Field(default="", description="what it is called in findings; its file's name if left out")
    key: Names = Field(default=(), description="its columns for `key`, in that order; those of the events if left out")
    time: str = Field(description="column of the moment that a row speaks of")
    written: str | None = Field(
        default=None, description="column of the moment at which it was written; corrections come later"
    )
    columns: Names = Field(min_length=1, description="the features wanted")
    longest: Age | None = Field(default=None, description="how old a value may be, such as `30d`; no bound if left out")
    prefix: str = Field(default="", description="put before the names of its columns")
    version: str = Field(default="", description="version of the features, as their owner counts")
    owner: str = Field(default="", description="who answers for them")
    approval: str = Field(default="", description="who approved them, and when")


class Options(PartOptions):
    """The events, what names them, and the tables that features come from."""

    events: str = Field(description="a Parquet, CSV or Arrow file of events, a folder of them, or a pattern")
    time: str = Field(description="column of the moment of an event")
    key: Names = Field(min_length=1, description="columns that say whom or what an event is about")
    features: tuple[Features, ...] = Field(min_length=1, description="tables of features")
    absent: str | None = Field(
        default=None, description="word that stands for text that isn't known; refused if left out"
    )
    limits: HeldLimits = Field(default=HeldLimits(), description="what a file may ask for before it is refused")


def stated(options: Options, folder: Path) -> dict[str, dict[str, str]]:
    """What is stated of each table of features: version, owner, approval."""
    return {
        one.name or Path(one.path).stem: {"version": one.version, "owner": one.owner, "approval": one.approval}
        for one in options.features
    }


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Columns of the events, then those of each table of features, with their types in words; features that are numbers are float64."""
    found = _frames.words(_events.scan(options.events, folder).collect_schema())
    for one in options.features:
        schema = _events.scan(one.path, folder).collect_schema()
        _columns.known([*_keys(one, options), one.time, *one.columns], schema, one.path)
        for name in one.columns:
            called = f"{one.prefix}{name}"
            if called in found:
                raise DataError(f"two columns would be called `{called}`", where=one.path, next_step="set a `prefix`")
            found[called] = "float64" if schema[name].is_numeric() else _frames.words({name: schema[name]})[name]
    return found


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns of all events in order, at most `rows` at a time. Raises `DataError`, and for text that isn't known without `absent`."""
    _columns.known(names, columns(options, folder), options.events)
    with _columns.reading(options.events, "these can't be joined"):
        events = _events.read(options.events, folder, options.limits)
        table = _joined(options, folder, events, names)
        _columns.some_rows(len(table), options.events)
        for start, count in _columns.slices(len(table), rows):
            part = table.slice(start, count)
            yield {name: _frames.array(part[name], f"{options.events}, column `{name}`") for name in names}


def _joined(options: Options, folder: Path, events: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The events with the features that are among the names."""
    table = events
    for one in options.features:
        wanted = [name for name in one.columns if f"{one.prefix}{name}" in names]
        if not wanted:
            continue
        keys = _keys(one, options)
        held = _events.read(one.path, folder, options.limits).rename(
            dict(zip(keys, options.key, strict=True)) if keys != options.key else {}
        )
        moments, at, features = _moments(options, one, events, held)
        found = as_of(at, features, options.key, moments, wanted)
        table = table.with_columns(
            _events.filled(found[name], options.absent, one.path).alias(f"{one.prefix}{name}") for name in wanted
        )
    return table


def _keys(one: Features, options: Options) -> tuple[str, ...]:
    keys = one.key or options.key
    if len(keys) != len(options.key):
        raise DataError(f"{len(keys)} columns stand under `key` for {len(options.key)} of the events", where=one.path)
    return keys


def _moments(
    options: Options, one: Features, events: pl.DataFrame, held: pl.DataFrame
) -> tuple[Moments, pl.DataFrame, pl.DataFrame]:
    """Both tables with their times as microseconds since 1970, under names that no file has, and keys of one type."""
    _columns.known([*options.key, options.time], events.columns, options.events)
    _columns.known([name for name in (one.time, one.written) if name], held.columns, one.path)
    features = held.with_columns(_events.micros(held[one.time], one.path).alias("\x00f"))
    if one.written:
        features = features.with_columns(_events.micros(held[one.written], one.path).alias("\x00w"))
    for name in options.key:
        if events.schema[name] != held.schema[name]:
            features = features.with_columns(_cast(held[name], events.schema[name], one.path))
    longest = None if one.longest is None else round(one.longest * _events.MICRO)
    at = events.with_columns(_events.micros(events[options.time], options.events).alias("\x00e"))
    return Moments("\x00e", "\x00f", "\x00w" if one.written else None, longest), at, features


def _cast(keys: pl.Series, dtype: Any, where: str) -> pl.Series:
    made = keys.cast(dtype, strict=False)
    if made.null_count() > keys.null_count():
        raise DataError(f"the key `{keys.name}` is {keys.dtype} here and {dtype} in the events", where=where)
    return made
