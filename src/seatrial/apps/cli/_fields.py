"""The fields of a record as people read them: name, type, default, meaning. For `explain` and the look-up pages."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from seatrial.contracts.candidate import PartRef
from seatrial.contracts.study import Bytes, Seconds

_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "anything",
    type(None): "nothing",
    PartRef: "part (`name` or `{name: {option: value}}`)",
}
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class Row(NamedTuple):
    """One field in words. An empty default means that the field must be given."""

    name: str
    type: str
    default: str
    meaning: str


def rows(record: type[BaseModel]) -> list[Row]:
    """The fields of a record in their order."""
    return [
        Row(field.alias or name, _type(field), _default(field), field.description or "")
        for name, field in record.model_fields.items()
    ]


def blocks(record: type[BaseModel]) -> list[type[BaseModel]]:
    """A record and all records inside it, each once, in the order in which they are met."""
    found: list[type[BaseModel]] = []

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not PartRef and kind not in found:
            found.append(kind)
            for field in kind.model_fields.values():
                visit(field.annotation)
        for inner in get_args(kind):
            visit(inner)

    visit(record)
    return found


def _type(field: FieldInfo) -> str:
    text = _special(field) or _words(field.annotation)
    if "_listed" in [getattr(getattr(item, "func", None), "__name__", "") for item in field.metadata]:
        text = f"{text.removeprefix('list of ')}, or a list of them"
    limits = [
        f"{word} {getattr(item, name):g}"
        for item in field.metadata
        for name, word in _LIMITS.items()
        if getattr(item, name, None) is not None
    ]
    return ", ".join([text, *limits])


def _special(field: FieldInfo) -> str:
    if Seconds.__metadata__[0] in field.metadata:  # type: ignore[attr-defined]
        return "time (`90 s`, `10m`)"
    if any(Bytes.__metadata__[0] in getattr(kind, "__metadata__", ()) for kind in _parts(field)):  # type: ignore[attr-defined]
        return "size (`4 GiB`)"
    return ""


def _parts(field: FieldInfo) -> list[Any]:
    return [field.annotation, *get_args(field.annotation)]


def _words(kind: Any) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(one) for one in inner if one is not type(None)))
    if origin is tuple:
        return f"list of {_words(inner[0])}"
    if origin is dict:
        key = "by name" if inner[0] is str else f"by {_words(inner[0])}"
        return f"{_words(inner[1])} {key}"
    if origin is not None and inner:
        return _words(inner[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{member.value}`" for member in kind)
    return f"block `{kind.__name__}`" if isinstance(kind, type) else str(kind)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    return "nothing" if value in (None, (), {}, "") else _written(value)


def _written(value: Any) -> str:
    """A default as one writes it in YAML."""
    if isinstance(value, PartRef | Enum):
        return str(value)
    if isinstance(value, BaseModel):
        set_here = {key: getattr(value, key) for key in type(value).model_fields if key in value.model_fields_set}
        return _written(set_here) if set_here else "its defaults"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)
