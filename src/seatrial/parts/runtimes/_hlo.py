"""What XLA compiled: the matrix products and convolutions in a program's text, and the types that they multiply."""

from __future__ import annotations

import re

_TYPES = {"f32": "fp32", "bf16": "bf16", "f16": "fp16", "f64": "fp64", "s8": "int8", "u8": "int8"}
_LINE = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = \(?(\w+)\[[^\s]*.*? ([\w\-]+)\(([^)]*)\)(.*)$")
_TARGET = re.compile(r'custom_call_target="([^"]+)"')
_MULTIPLIES = re.compile(r"(?i)gemm|matmul|conv|dot|attention|fmha")
_NAME = re.compile(r"%?([A-Za-z_][\w.\-]*)\s*(?:,|$)")


def heavy(text: str) -> list[tuple[str, str]]:
    """(operator, precision) of each matrix product and convolution of an optimised HLO program.

    The precision is that of its first operand, `unknown` where the text doesn't tell.
    """
    types: dict[str, str] = {}
    calls: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not (found := _LINE.match(line)):
            continue
        name, kind, operator, operands, rest = found.groups()
        types[name] = kind
        target = _TARGET.search(rest)
        named = target[1] if target else operator
        if operator in ("dot", "convolution") or (operator == "custom-call" and _MULTIPLIES.search(named)):
            calls.append((named, operands))
    return [(named, _TYPES.get(_first(operands, types), "unknown")) for named, operands in calls]


def _first(operands: str, types: dict[str, str]) -> str:
    """The type of the first operand: written before it, or that of the line that made it."""
    if typed := re.match(r"\s*(\w+)\[", operands):
        return typed[1]
    found = _NAME.search(operands)
    return types.get(found[1], "") if found else ""
