"""The join as of a moment: to each event the newest values that were known then. No later event, no later correction, no row lost.

A row of features has the time that it speaks of and, where the table says so, the time at which it was written: a correction is a
row of the same moment that was written later. It may be used from when both have come. Of the rows that may be used the one counts that
speaks of the latest moment, of several the one written last, of several of these the last in the file.

Rows are ranked by that order once. Going through the rows of a key in the order in which they become known, the best so far is a running
maximum of ranks; an event takes the best that was known by its time. That costs a sort, not a search for each event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

ROW, AT, RANK = "\x00row", "\x00at", "\x00rank"
"""Names of columns in between; no file has such."""
TIME = "\x00time"


class Moments(NamedTuple):
    """Which columns say when: of the events, of the features, and when the latter were written; how old a value may be."""

    event: str
    feature: str
    written: str | None = None
    longest: int | None = None  # microseconds


def as_of(
    events: pl.DataFrame, features: pl.DataFrame, keys: Sequence[str], moments: Moments, names: Sequence[str]
) -> pl.DataFrame:
    """The named feature columns for each event, in the order of events; null where nothing was known, or it was too old."""
    import polars as pl

    known = _known(features, keys, moments)
    asked = events.select(*keys, pl.col(moments.event).alias(AT)).with_row_index(ROW)
    whole = asked.drop_nulls([*keys, AT]).sort(AT, maintain_order=True)
    found = whole.join_asof(known, on=AT, by=list(keys), strategy="backward", check_sortedness=False)
    ranked = _ranked(features, moments).select(RANK, TIME, *names)
    found = found.select(ROW, AT, RANK).join(ranked, on=RANK, how="left")
    if moments.longest is not None:
        fresh = (pl.col(AT) - pl.col(TIME)) <= moments.longest
        found = found.with_columns(pl.when(fresh).then(pl.col(name)).alias(name) for name in names)
    return asked.select(ROW).join(found, on=ROW, how="left", maintain_order="left").select(names)


def _ranked(features: pl.DataFrame, moments: Moments) -> pl.DataFrame:
    """The rows from the one that counts least to the one that counts most, numbered."""
    import polars as pl

    order = [moments.feature, *([moments.written] if moments.written else [])]
    return (
        features.with_row_index(ROW)
        .drop_nulls(order)
        .sort([*order, ROW])
        .with_row_index(RANK)
        .with_columns(pl.col(moments.feature).alias(TIME))
    )


def _known(features: pl.DataFrame, keys: Sequence[str], moments: Moments) -> pl.DataFrame:
    """For each key, from which time on which rank is the best that is known."""
    import polars as pl

    known_at = [moments.feature, *([moments.written] if moments.written else [])]
    rows = _ranked(features, moments).drop_nulls(list(keys)).with_columns(pl.max_horizontal(known_at).alias(AT))
    rows = rows.sort([AT, RANK]).with_columns(pl.col(RANK).cum_max().over(list(keys)))
    return rows.select(*keys, AT, RANK)
