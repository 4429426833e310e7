"""Columns that tables of one study don't share: missing, new, of another type or another shape than where the model is taught.

A model that is served by column names fails on a table that lacks one, and reads nonsense from one that changed its type without a word.
The first table with the role `train` is what others are held against; without one there is nothing to hold them against.

audit.schema                 columns that differ from those of the table that teaches
audit.schema.column          how, of one {column}: missing, new, other type, other numbers, other shape
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seatrial.contracts.audit import Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.part import PartOptions
from seatrial.parts.audits._shared import MOST_COLUMNS, listed

ACCEPTS = {"tables": ("all",)}
CANNOT = {
    "a schema stated apart from the data": (
        "not yet ours",
        "tables are held against one another; `audit` of a table with the role `train` is the statement",
    ),
}
MISSING, NEW, TYPE, NUMBERS, SHAPE = "missing", "new", "other type", "other numbers", "other shape"
GRAVE = (MISSING, TYPE, SHAPE)
"""Because of these a model can't answer, or reads something else; of the others it may not notice."""


_NUMBERS = re.compile(r"(u?int|b?float)\d+")


class Options(PartOptions):
    """There is nothing to set."""


def look(ground: Ground, options: Options) -> Iterator[Finding]:
    """Every other table, held against the first that teaches."""
    first = next(iter(ground.of("train")), None)
    for table in ground.tables.values():
        if first is not None and table is not first:
            yield from _held(first, table)


def _held(first: Table, table: Table) -> Iterator[Finding]:
    """What differs from the first table's columns. Those that feed no model (the label, a weight, ...) may be lacking."""
    differs = dict(_differences(first, table))
    graded = {name: Severity.SERIOUS if why in GRAVE else Severity.MINOR for name, why in differs.items()}
    graded |= {name: Severity.FINE for name, why in differs.items() if why == MISSING and name not in first.features}
    order = list(Severity)
    n = len({**first.columns, **table.columns})
    common = {"better": "lower", "n": n, "unit_of_replication": "columns"}
    yield Finding(
        what="audit.schema",
        at={"table": table.name},
        value=len(differs),
        unit="columns",
        severity=max(graded.values(), key=order.index, default=Severity.FINE),
        method=f"columns and their types, against those of {first.name}",
        note=listed(list(differs)) if differs else "",
        **common,
    )
    for name in list(differs)[:MOST_COLUMNS]:
        types = [one.columns.get(name, "") for one in (first, table)]
        yield Finding(
            what="audit.schema.column",
            at={"table": table.name, "column": name},
            value=differs[name],
            severity=graded[name],
            method=f"type as the file has it, against that of {first.name}",
            note=" became ".join(types) if all(types) else "",
            **common,
        )


def _differences(first: Table, table: Table) -> Iterator[tuple[str, str]]:
    for name, words in first.columns.items():
        if name not in table.columns:
            yield name, MISSING
        elif why := _apart(words, table.columns[name]):
            yield name, why
    for name in table.columns:
        if name not in first.columns:
            yield name, NEW


def _apart(one: str, other: str) -> str:
    """How two types in words differ: `int32` and `float64` are other numbers, `uint8 28x28` and `uint8 32x32` another shape."""
    (kind, _, shape), (other_kind, _, other_shape) = one.partition(" "), other.partition(" ")
    if kind != other_kind:
        return NUMBERS if _NUMBERS.fullmatch(kind) and _NUMBERS.fullmatch(other_kind) and shape == other_shape else TYPE
    return "" if shape == other_shape else SHAPE
