"""Conditions on columns as people write them, `age >= 60 and sex == 'F'`, and the rows where they hold.

Only comparisons of a column with a constant, joined by `and`: they are read as a syntax tree and never run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Condition
from seatrial.contracts.tally import Slice
from seatrial.errors import DataError
from seatrial.flow._inputs import Array

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
MISSING = "missing"
STEP = "write it as `age >= 60 and sex == 'F'`: comparisons of a column with a number or a quoted word, joined by `and`"


def parse(text: str) -> Slice:
    """The conditions in a text. Raises `DataError` for anything but comparisons of columns with constants."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise DataError(f"`{text}` is no condition: {error.msg}", next_step=STEP) from error
    clauses = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    return tuple(condition for clause in clauses for condition in _clause(clause, text))


def _clause(node: ast.expr, text: str) -> Iterator[Condition]:
    """One comparison, or a chain of them (`18 <= age < 65`)."""
    if not isinstance(node, ast.Compare):
        raise DataError(f"`{ast.unparse(node)}` in `{text}` is no comparison", next_step=STEP)
    sides = [node.left, *node.comparators]
    for left, sign, right in zip(sides, node.ops, sides[1:], strict=False):
        relation = _SIGNS.get(type(sign))
        if relation is None:
            raise DataError(f"`{ast.unparse(node)}` in `{text}` compares in a way that isn't known", next_step=STEP)
        if isinstance(left, ast.Name):
            yield Condition(column=left.id, relation=relation, value=_constant(right, text))
        elif isinstance(right, ast.Name) and relation in _TURNED:
            yield Condition(column=right.id, relation=_TURNED[relation], value=_constant(left, text))
        else:
            raise DataError(f"`{ast.unparse(node)}` in `{text}` names no column", next_step=STEP)


def _constant(node: ast.expr, text: str) -> Any:
    try:
        value = ast.literal_eval(node)
    except ValueError as error:
        what = f"`{ast.unparse(node)}` in `{text}` is no number and no quoted word"
        raise DataError(what, next_step=STEP) from error
    return tuple(value) if isinstance(value, list | set) else value


def holds(where: Slice, columns: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Of each row whether all conditions hold, bool (rows,). A missing value fulfils none but `is missing`. Raises `DataError`."""
    rows = len(next(iter(columns.values())))
    found = np.ones(rows, bool)
    for condition in where:
        found &= _one(condition, columns[condition.column])
    return found


def _one(condition: Condition, column: Array) -> NDArray[np.bool_]:
    empty = absent(column)
    if condition.relation == "is":
        return empty
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    _same_kind(condition, column, values)
    known = np.zeros(len(column), bool)
    present = column[~empty]
    if condition.relation == "in":
        known[~empty] = np.logical_or.reduce([_equal(present, value) for value in values])
    elif condition.relation in ("==", "!="):
        equal = _equal(present, values[0])
        known[~empty] = equal if condition.relation == "==" else ~equal
    else:
        known[~empty] = _COMPARE[condition.relation](present, values[0])
    return known


def _equal(column: Array, value: Any) -> NDArray[np.bool_]:
    return np.asarray(column.astype(str) == str(value) if column.dtype.kind in "OUT" else column == value)


def _same_kind(condition: Condition, column: Array, values: tuple[Any, ...]) -> None:
    text = column.dtype.kind in "OUT"
    ordered = condition.relation not in ("==", "!=", "in")
    if text == all(isinstance(value, str) for value in values) and not (text and ordered):
        return
    held = "words" if text else "numbers"
    step = "compare words with quoted words, by ==, != or in" if text else "compare numbers with numbers"
    raise DataError(f"the column `{condition.column}` holds {held}; `{condition}` can't be asked of it", next_step=step)


def absent(column: Array) -> NDArray[np.bool_]:
    """Rows without a value: NaN, None, or an empty date."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    if column.dtype.kind == "O":
        return np.array([value is None or value != value for value in column.tolist()], bool)
    return np.zeros(len(column), bool)
