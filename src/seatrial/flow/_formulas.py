"""Formulas over columns as people write them, `price * count + 0.5`: read as a syntax tree and never run.

Numbers, columns, `+ - * /`, brackets, `min`, `max` and `abs`; a column whose name isn't one word stands in quotes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import DataError

Values = NDArray[np.float64]
STEP = "write it as `price * count + 0.5`: numbers, columns, + - * /, brackets, min, max, abs; quote names such as 'hours-per-week'"
LONGEST = 400
_JOINED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_CALLED: dict[str, Callable[[Any, Any], Any]] = {"min": np.minimum, "max": np.maximum}


class Formula:
    """What a text says of columns. Raises `DataError` for anything but a formula of numbers and columns."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise DataError(f"a formula of {len(text)} characters is too long: {LONGEST} at most", next_step=STEP)
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
            self.names = tuple(dict.fromkeys(_names(self._tree, text)))
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            raise DataError(f"`{text}` is no formula: {getattr(error, 'msg', error)}", next_step=STEP) from error

    def value(self, columns: Mapping[str, Values]) -> Values:
        """Of each row, float64 (rows,); not finite where it can't be told, as by a division by zero."""
        rows = len(next(iter(columns.values())))
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(_worked(self._tree, columns), np.float64), (rows,))


def _names(node: ast.expr, text: str) -> Iterator[str]:
    """The columns that are named, and a `DataError` for whatever is no formula."""
    match node:
        case ast.Name(id=name) | ast.Constant(value=str(name)):
            yield name
        case ast.Constant(value=bool()):
            raise _odd(node, text)
        case ast.Constant(value=int() | float() as number):
            float(number)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            yield from _names(inner, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _JOINED:
            yield from _names(left, text)
            yield from _names(right, text)
        case ast.Call(func=ast.Name(id=called), args=args, keywords=[]) if _fits(called, len(args)):
            for one in args:
                yield from _names(one, text)
        case _:
            raise _odd(node, text)


def _odd(node: ast.expr, text: str) -> DataError:
    return DataError(f"`{ast.unparse(node)}` in `{text}` has no place in a formula", next_step=STEP)


def _fits(called: str, count: int) -> bool:
    return count >= 2 if called in _CALLED else called == "abs" and count == 1


def _worked(node: ast.expr, columns: Mapping[str, Values]) -> Any:
    match node:
        case ast.Name(id=name) | ast.Constant(value=str(name)):
            return columns[name]
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.UnaryOp(op=op, operand=inner):
            return -_worked(inner, columns) if isinstance(op, ast.USub) else _worked(inner, columns)
        case ast.BinOp(left=left, op=op, right=right):
            return _JOINED[type(op)](_worked(left, columns), _worked(right, columns))
        case ast.Call(func=ast.Name(id=called), args=args):
            worked = [_worked(one, columns) for one in args]
            return np.abs(worked[0]) if called == "abs" else reduce(_CALLED[called], worked)
    raise AssertionError(f"{ast.unparse(node)} was read as a formula")
