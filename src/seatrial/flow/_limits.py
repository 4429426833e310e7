"""Limits as somebody sets them on the command line, `NAME=VALUE`, for what looks at one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.record import Record
from seatrial.errors import StudyError

LIMITS = "limits"
Kind = TypeVar("Kind", bound=Record)


def limits(kind: type[Kind], given: Mapping[str, str]) -> Kind:
    """Those of this kind, with what was given. Raises `StudyError` with the names there are."""
    known = list(kind.model_fields)
    for name in given:
        if name not in known:
            near = catalog.nearest(name, known)
            step = f"did you mean `{near}`?" if near else f"the limits are: {', '.join(known)}"
            raise StudyError(f"there is no limit `{name}`", next_step=step)
    try:
        return kind(**given)
    except (ValidationError, ValueError, OverflowError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        words = str(first["msg"]).removeprefix("Value error, ")
        name = next(iter(known), "")
        raise StudyError(
            f"the limit `{'.'.join(map(str, first['loc']))}`: {words}", next_step=f"like `--limit {name}=32GiB`"
        ) from error


def of_part(part: PartInfo, given: Mapping[str, str]) -> dict[str, Record]:
    """What a data set's options take for limits that were given; nothing where none were. Raises `StudyError`."""
    if not given:
        return {}
    field = catalog.options_type(catalog.load(part)).model_fields.get(LIMITS)
    if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, Record):
        raise StudyError(f"the data set `{part.name}` has no limits that could be set", next_step="leave `--limit` out")
    return {LIMITS: limits(field.annotation, given)}
