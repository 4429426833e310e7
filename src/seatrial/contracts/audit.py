"""Audits, what is wrong with the data: the tables they are handed, what they give back, and the `audit` block of a study.

A part in `parts/audits` declares how it works:

    ACCEPTS = {"tables": ("one",)}    looks at each table alone: it has `begin`, and shares one pass over the rows with all others
    ACCEPTS = {"tables": ("all",)}    looks at several together, or reads in ways of its own: it has `look`
    GIVES = {"way": ("model",)}       fits or asks a model, so it takes longer; left out, it only counts
    GIVES = {"when": ("named",)}      looks only where it is named; left out, wherever all audits look

It yields findings called `audit.<name>` (how many, with a severity) and what belongs to them, such as `audit.<name>.share`; `told`
makes both. What stands in a row is in no finding, error, log or file: rows are named by their numbers, columns by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from seatrial.contracts.candidate import Ref
from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.quantity import Bytes
from seatrial.contracts.record import Record, Scalar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from seatrial.contracts.values import Array

MOST_ROWS = 10_000
"""Numbers of rows to look at that one finding names at most."""

PieceKind = Literal["number", "truth", "time", "text", "tensor"]


# --- what an audit is handed ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """Some rows of one column, as stored, holes and all.

    `values`: numbers (n,) as stored; truth values (n,) bool; times (n,) int64, microseconds since 1970 UTC; of text the place of each
    cell in `words`, the different words of these rows, (n,) int32; tensors (n, ...). Where `missing` is true the value means nothing
    (of text it is 0). Numbers that aren't (NaN) are missing, too.
    """

    kind: PieceKind
    values: Array
    missing: NDArray[np.bool_] | None = None
    words: Sequence[str] = ()

    @property
    def holes(self) -> NDArray[np.bool_]:
        """Which cells are missing, (n,)."""
        import numpy as np

        return np.zeros(len(self.values), bool) if self.missing is None else self.missing

    def numbers(self) -> NDArray[np.float64]:
        """Numbers, truth values and times as float64 (n,), NaN where they are missing."""
        import numpy as np

        made = self.values.astype(np.float64)
        if self.missing is not None:
            made[self.missing] = np.nan
        return made

    def take(self, rows: Array) -> Piece:
        """Some of these rows, by a mask or by number."""
        return Piece(self.kind, self.values[rows], None if self.missing is None else self.missing[rows], self.words)


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table: `first` is the number of the first of them, counted in the table from 0."""

    first: int
    columns: Mapping[str, Piece]
    hasher: Callable[[Mapping[str, Piece]], NDArray[np.uint64]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values) if self.columns else 0

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """A keyed hash a row over all columns here, the same however rows are cut and whatever order columns have."""
        return self.hasher(self.columns)


@dataclass
class Table:
    """Rows of one role: `train`, `calibrate`, `tune`, `evaluation`; or `rows` where nothing is said of them.

    `columns` are names with types in words (`int64`, `text`, `uint8 28x28`). `reader(names, rows)` gives chunks of at most so many rows, in
    order, every time anew. `by_name` says that rows come in the order of their names, so that their order tells nothing.
    """

    name: str
    role: str
    columns: Mapping[str, str]
    reader: Callable[[Sequence[str], int | None], Iterator[Chunk]]
    label: str | None = None
    group: str | None = None
    order: str | None = None
    weight: str | None = None
    source: str = ""
    ignored: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    by_name: bool = False
    kept_hashes: NDArray[np.uint64] | None = None
    kept_rows: int | None = None

    def chunks(self, names: Sequence[str] = (), rows: int | None = None) -> Iterator[Chunk]:
        """The named columns (all if none is named), some rows at a time, sized so that a chunk takes about 16 MiB. Raises `DataError`."""
        return self.reader(list(names) or list(self.columns), rows)

    @property
    def features(self) -> list[str]:
        """Columns that may feed a model: all but label, group, order, weight, annotators' labels and those to ignore."""
        aside = {self.label, self.group, self.order, self.weight, *self.ignored, *self.annotators}
        return [name for name in self.columns if name not in aside]

    @property
    def rows(self) -> int:
        """How many rows there are. Counted once."""
        if self.kept_rows is None:
            self.kept_rows = sum(len(chunk) for chunk in self.chunks(list(self.columns)[:1]))
        return self.kept_rows

    def hashes(self) -> NDArray[np.uint64]:
        """The keyed hash of every row over all columns, (rows,): 8 bytes a row. Read once, and kept from a shared pass."""
        import numpy as np

        if self.kept_hashes is None:
            self.kept_hashes = np.concatenate([chunk.hashes for chunk in self.chunks()] or [np.empty(0, np.uint64)])
        return self.kept_hashes


@dataclass(frozen=True)
class Ground:
    """All that an audit may look at, and what is stated of it.

    `level` is the two-sided level of intervals. `alarm` is how often an audit that tests may raise a false alarm on a table that is as it
    should be, over all of its columns together. `memory` are bytes that one audit may hold beside a chunk. `keep_rows(name, table, rows)`
    writes numbers of rows with their keyed hashes and gives the file's path (an artefact); `hash_rows` is the keyed hash for columns of
    your choice. `doubt(kind, table, rows)` tells all rows, (n,) by number, that figures should be had without, too.
    """

    tables: Mapping[str, Table]
    level: float = 0.95
    alarm: float = 0.01
    memory: int = 2**30
    seed: int = 0
    sensitive: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    population: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    statistics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    keep_rows: Callable[[str, Table, Iterable[int]], str] = lambda name, table, rows: ""
    hash_rows: Callable[[Mapping[str, Piece]], NDArray[np.uint64]] = lambda columns: _no_hash()
    doubt: Callable[[str, Table, NDArray[np.int64]], None] = lambda kind, table, rows: None

    def of(self, *roles: str) -> list[Table]:
        """The tables with one of these roles, in the order of the study."""
        return [table for table in self.tables.values() if table.role in roles]


def _no_hash() -> Any:
    raise RuntimeError("whoever makes a ground without `hash_rows` hands out no hashes")


# --- what an audit offers ------------------------------------------------------------------------------------------------


class Look(Protocol):
    """What looks at one table while its rows pass. `again` true asks for another pass from the first row, after the last one."""

    again: bool

    def see(self, chunk: Chunk) -> None:
        """Take note of some rows. Chunks come in order; what is held stays within what `memory` says."""
        ...

    def findings(self) -> Iterable[Finding]:
        """What was found, after the last pass. Findings come without part and date: `flow` fills them in."""
        ...


class TableAudit(Protocol):
    """`parts/audits` with `tables: one`."""

    def begin(self, table: Table, ground: Ground, options: Any) -> Look | None:
        """What will look at this table; None where there is nothing to look at. Raises `DataError` for options that don't fit."""
        ...


class WholeAudit(Protocol):
    """`parts/audits` with `tables: all`."""

    def look(self, ground: Ground, options: Any) -> Iterable[Finding]:
        """What was found in all tables. It reads them itself, as often as it likes."""
        ...


def told(
    name: str,
    count: int,
    n: int,
    severity: Severity,
    method: str,
    *,
    bounds: tuple[float | None, float | None] = (None, None),
    level: float | None = None,
    unit: str = "rows",
    at: Mapping[str, Scalar] | None = None,
    note: str = "",
    rows: str = "",
) -> Iterator[Finding]:
    """`audit.<name>`: how many of `n`, with the severity and the file of rows to look at; and `audit.<name>.share` with its interval.

    `bounds` are of the share, two-sided at `level`; where `n` is 0 there is no share.
    """
    setting, files = dict(at or {}), {"rows": rows} if rows else {}
    common: dict[str, Any] = {
        "at": setting,
        "better": "lower",
        "n": n,
        "unit_of_replication": unit,
        "severity": severity,
    }
    yield Finding(what=f"audit.{name}", value=count, unit=unit, method=method, note=note, artefacts=files, **common)
    if n:
        low, high = bounds
        stated = None if low is None and high is None else level
        yield Finding(
            what=f"audit.{name}.share", value=count / n, low=low, high=high, level=stated, method=method, **common
        )


# --- what the study says of it -------------------------------------------------------------------------------------------


class Auditing(Record):
    """What is looked for in the data, and what is known of it."""

    audits: tuple[Ref, ...] = Field(
        default=(), description="which audits, with their options; all that there are and that apply if left out"
    )
    without: tuple[str, ...] = Field(default=(), description="audits that are left out")
    models: bool = Field(default=True, description="whether audits run that fit a model to the data: they take longer")
    sensitive: tuple[str, ...] = Field(
        default=(),
        description="columns that decisions mustn't rest on; those so named (sex, race, ...) are looked for, too",
    )
    annotators: tuple[str, ...] = Field(
        default=(), description="columns of the labels that several people gave: `[ann_1, ann_2]`"
    )
    ignore: tuple[str, ...] = Field(default=(), description="columns that don't make a row another row, such as an id")
    population: dict[str, dict[str, float]] = Field(
        default={}, description="shares in the population that the rows stand for: `{sex: {F: 0.51, M: 0.49}}`"
    )
    statistics: dict[str, dict[str, float]] = Field(
        default={}, description="what a preprocessing was fitted with, by column: `{age: {mean: 34.5, std: 22.3}}`"
    )
    level: float = Field(default=0.95, gt=0.5, lt=1, description="two-sided level of intervals")
    alarm: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="how often an audit may raise a false alarm on data that is as it should be",
    )
    memory: Bytes = Field(default=2**30, description="memory that one audit may hold beside the rows it reads")
    seed: int = Field(default=0, description="fixes every random choice")
