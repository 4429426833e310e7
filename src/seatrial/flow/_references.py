"""Where a study names parts, and of which kind: read off the types, so that a new field of the study needs no entry here."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from seatrial.contracts.candidate import PartRef
from seatrial.contracts.part import KINDS
from seatrial.contracts.study import Study

_KIND_OF = {
    "from": "datasets",
    "require": "rules",
    "search": "searches",
    "look_for": "poisoning",
    "methods": "privacy",
    "poisons": "poisoning",
}
"""Fields that aren't called after the kind of part they name."""


class Place(NamedTuple):
    """A field that names one part or several: its path in the file (`*`: every key or index), the type it is in, the kind."""

    path: tuple[str, ...]
    owner: str
    field: str
    kind: str


def references(model: type[BaseModel] = Study, path: tuple[str, ...] = ()) -> Iterator[Place]:
    """Every field of the study that names parts. Two more places name them by key: `models.*.forms` and `prefer`."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        for steps, type_ in _models(field.annotation):
            if type_ is PartRef:
                yield Place((*path, key), model.__name__, key, _kind(key))
            else:
                yield from references(type_, (*path, key, *steps))


def _models(annotation: Any) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    """The models in an annotation, and the steps from the field to them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _models(arguments[0])
    elif origin in (Union, types.UnionType):
        for one in arguments:
            yield from _models(one)
    elif origin in (dict, list, tuple):
        for steps, type_ in _models(arguments[1] if origin is dict else arguments[0]):
            yield ("*", *steps), type_
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield (), annotation


def _kind(key: str) -> str:
    kind = _KIND_OF.get(key, key if key.endswith("s") else f"{key}s")
    assert kind in KINDS, f"`{key}` names no kind of part"
    return kind
