"""A number with its unit as people write it: `2 ms`, `0.5 pp`, `40 MB`, `10m`; read into the base unit."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

# unit as written -> (factor, base unit of findings)
UNITS: dict[str, tuple[float, str]] = {
    "": (1.0, ""),
    "s": (1.0, "s"),
    "ms": (1e-3, "s"),
    "us": (1e-6, "s"),
    "µs": (1e-6, "s"),
    "ns": (1e-9, "s"),
    "m": (60.0, "s"),
    "min": (60.0, "s"),
    "h": (3600.0, "s"),
    "B": (1.0, "B"),
    "kB": (1e3, "B"),
    "KB": (1e3, "B"),
    "MB": (1e6, "B"),
    "GB": (1e9, "B"),
    "KiB": (2.0**10, "B"),
    "MiB": (2.0**20, "B"),
    "GiB": (2.0**30, "B"),
    "%": (1e-2, ""),
    "pp": (1e-2, ""),
    "x": (1.0, "x"),
    "samples/s": (1.0, "samples/s"),
    "/s": (1.0, "samples/s"),
}
_PATTERN = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\s\d].*?)?\s*$")


class Quantity(NamedTuple):
    """`value` in the base `unit`; an empty unit is a plain number or a share."""

    value: float
    unit: str


def parse(text: str | float) -> Quantity:
    """Read `2 ms` as Quantity(0.002, "s"). Raises `ValueError` naming the units there are."""
    match = _PATTERN.match(str(text))
    if match is None:
        raise ValueError(f"`{text}` is not a number with a unit, like `2 ms`, `0.5 pp` or `40 MB`")
    number, unit = match.group(1), match.group(2) or ""
    if unit not in UNITS:
        raise ValueError(f"`{unit}` is not a unit known here; these are: {', '.join(filter(None, UNITS))}")
    factor, base = UNITS[unit]
    value = float(number) * factor
    if not math.isfinite(value):
        raise ValueError(f"`{str(text)[:40]}` is too large a number")
    return Quantity(value, base)


def _in_seconds(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    quantity = parse(given)
    if quantity.unit not in ("s", ""):
        raise ValueError(f"`{given}` is not a time, like `90 s` or `10m`")
    return quantity.value


Seconds = Annotated[float, BeforeValidator(_in_seconds), Field(gt=0, le=1_000_000)]  # the system waits no longer


def _in_bytes(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    quantity = parse(given)
    if quantity.unit not in ("B", ""):
        raise ValueError(f"`{given}` is not a size, like `4 GiB`")
    return int(quantity.value)


Bytes = Annotated[int, BeforeValidator(_in_bytes), Field(gt=0)]
