"""What is offered by parts that judge answers, change them after the model, or spoil inputs; and the rows they are handed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from seatrial.contracts.damage import Damage
from seatrial.contracts.finding import Finding
from seatrial.contracts.protocols import Columns
from seatrial.contracts.tally import Measure, Tally

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

State = Any
"""What a metric counted: anything that its `merge` can join and the store can keep (numbers, arrays, dicts of them)."""


# --- how good the answers are -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """Some rows: answers in the task's terms, labels, and for paired metrics the reference's answers on the same rows.

    `about` is the same for all rows: the `quantiles` that predicted numbers are, and the `centre` near which labels lie, one a
    target; their powers are summed from there, so that no digits are lost.
    """

    answers: Mapping[str, Array]
    labels: Array | None
    reference: Mapping[str, Array] | None = None
    groups: Mapping[str, Array] = field(default_factory=dict)
    weights: Array | None = None
    classes: tuple[str, ...] = ()
    about: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class Metric(Protocol):
    """`parts/metrics`: a measure of answers. `PAIRED = True` asks for the reference's answers on the same rows."""

    def count(self, batch: Batch, options: Any) -> State:
        """Everything the metric needs to know of these rows, independent of their number where that can be."""
        ...

    def merge(self, one: State, other: State) -> State:
        """The state of both sets of rows together."""
        ...

    def findings(self, state: State, level: float, options: Any) -> Iterable[Finding]:
        """The statement, with two-sided intervals at `level`. Findings come without candidate, part and date."""
        ...


class CountedMetric(Protocol):
    """`parts/metrics`: a measure computed from shared counts: it declares which, `COUNTS = ("confusion",)`, and has this alone.

    `flow` counts once for all such metrics and all slices; the counters are those of `numerics/counting.py`.
    """

    def measures(self, tally: Tally, level: float | None, options: Any) -> Iterable[Measure]:
        """The quantities, each with two-sided intervals at `level`, for all cells of the tally at once.

        With `level` None the values alone, bounds NaN, and quick: replicates of a tally have thousands of cells.
        """
        ...


class GroupMetric(Protocol):
    """`parts/metrics`: a measure between groups: it declares `ACROSS = True` beside its `COUNTS`, and has this alone."""

    def across(self, tally: Tally, level: float | None, options: Any) -> Iterable[Measure]:
        """What is stated of all groups together, arrays of shape (1,); the tally's cells are the groups.

        With `level` None the values alone, bounds NaN, and quick: each is asked for again without every replicate group.
        """
        ...


@dataclass(frozen=True)
class Figure:
    """One quantity under several weightings of the rows: `values` (weightings,), NaN where there is none.

    `rows` (rows,) bool are those that it rests on. A `share` lies in 0 to 1, and a row changes it by at most its own share.
    `exact` is a figure of these very rows that no bounds belong to. `flattering` is a share that few rows make too high.
    """

    what: str
    values: Array
    rows: Array
    better: Literal["higher", "lower"]
    at: Mapping[str, Any] = field(default_factory=dict)
    share: bool = True
    exact: bool = False
    method: str = ""
    note: str = ""
    flattering: bool = False


class WholeMetric(Protocol):
    """`parts/metrics`: a measure that needs all rows at once: it declares `WHOLE = True` and has these two.

    What rows are worth is settled before (`see`), and summed for as many weightings as `flow` needs for slices, intervals and
    paired differences: a row's weight is how many times it counts, 0 for rows that are left out.
    """

    def see(self, batch: Batch, options: Any) -> Any:
        """Everything that is needed of the rows, whatever they weigh. Raises `Unsupported` or `DataError`."""
        ...

    def figures(self, seen: Any, weights: Array, options: Any) -> Iterable[Figure]:
        """The quantities under each of the weightings, `weights` (weightings, rows); always the same ones in the same order."""
        ...


# --- what changes answers after the model ---------------------------------------------------------------------------------


class Afterward(Protocol):
    """`parts/variants`: one that changes answers and not the model: it declares `GIVES = {"step": ("after",)}` and has these instead of `make`.

    Its options name in `of` the variant whose answers it changes. With `ACCEPTS = {"rows": ("none",)}` it has nothing to fit and is given no rows.
    """

    def fit(self, batch: Batch, options: Any) -> dict[str, Any]:
        """What is fitted to the calibration rows as the candidate answers them, in plain numbers. Raises `Unsupported`."""
        ...

    def apply(
        self, fitted: Mapping[str, Any], answers: Mapping[str, Array], groups: Mapping[str, Array]
    ) -> dict[str, Array]:
        """The changed answers of some rows; `groups` are their values of the column that was fitted by."""
        ...


# --- how inputs go bad --------------------------------------------------------------------------------------------------


class Corruption(Protocol):
    """`parts/corruptions`: a way in which inputs go bad. Works on columns as stored, before layout and scale.

    `ACCEPTS = {"input": ("image",)}`, `("table",)` or `("text",)`; `GIVES = {"chance": ("yes",)}` where the seed matters.
    """

    def learn(self, sample: Columns, options: Any) -> dict[str, Any]:
        """What it needs to know of the columns (ranges, deviations), as JSON, by column; once, from some clean rows.

        The columns in it are those that go bad. Raises `DataError` where there are none, or a column doesn't fit.
        """
        ...

    def corrupt(self, columns: Columns, damage: Damage, options: Any) -> Columns:
        """All columns with as many rows, shapes and types; what is given stays as it is.

        What becomes of a row depends on the row, its index, the severity and the seed, never on how rows were cut into chunks.
        """
        ...
