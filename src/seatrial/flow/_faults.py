"""What pydantic found wrong, in words people understand, at the place where it stands in the file."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from seatrial import catalog
from seatrial.flow._yaml import Path, Text

SHOWN = 60
"""Letters of a wrong value that are shown."""
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "a word or text",
    "bool": "true or false",
    "dict": "a block of `key: value` lines",
    "model": "a block of `key: value` lines",
    "list": "a list",
    "tuple": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, where, and the next step; any but `what` may be empty."""

    where: str
    what: str
    next_step: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}{f'; {self.next_step}' if self.next_step else ''}"


def faults(error: ValidationError, model: type[BaseModel], text: Text, base: Path = ()) -> list[Fault]:
    """One fault for each place that `error` names; `base` is where in the file the validated block stands."""
    found: dict[str, list[Fault]] = {}
    for one in error.errors(include_url=False):
        path: Path = (*base, *one["loc"])
        where = text.where(path, key=one["type"] == "extra_forbidden" or path[-1:] == ("[key]",))
        named = text.reached(path)[len(base) :]
        found.setdefault(where, []).append(_fault(one, model, named, where))
    return [fault for group in found.values() for fault in _joined(group)]


def _joined(group: list[Fault]) -> list[Fault]:
    """Faults at one place; the alternatives of a value that may be of several types become one sentence."""
    types_ = [fault for fault in group if " is not " in fault.what and " is missing" not in fault.what]
    if len(types_) < 2:
        return group
    start = types_[0].what.split(" is not ")[0]
    wanted = dict.fromkeys(fault.what.split(" is not ", 1)[1] for fault in types_)
    return [Fault(types_[0].where, f"{start} is not {' or '.join(wanted)}"), *(f for f in group if f not in types_)]


def _fault(error: Any, model: type[BaseModel], named: Path, where: str) -> Fault:
    """In words. pydantic's own path goes into alternatives that the file doesn't show; `named` is the part that it does."""
    kind, loc, given = error["type"], error["loc"], error.get("input")
    context = error.get("ctx", {})
    if kind == "missing":
        return Fault(where, f"`{loc[-1]}` is missing{_inside(named)}", _described(model, loc))
    if kind == "extra_forbidden":
        return Fault(
            where, f"`{loc[-1]}` is not known{_inside(loc[:-1]) or ' here'}", suggest(loc[-1], known(model, loc[:-1]))
        )
    if kind in ("literal_error", "enum"):
        words = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return Fault(where, f"`{given}` is not known{_inside(named)}", suggest(str(given), words))
    if kind == "too_short":
        return Fault(where, f"{_named(named)} is empty; there must be at least {context['min_length']}")
    if kind in _BOUNDS:
        field, words_ = _BOUNDS[kind]
        return Fault(where, f"{_named(named)} is {given}; it must be {words_} {context[field]}")
    if kind == "value_error":
        return Fault(where, f"{_named(named)}: {context['error']}" if named else str(context["error"]))
    if (wanted := _TYPES.get(kind.split("_")[0])) is not None:
        return Fault(where, f"{_named(named)} is {_shown(given)}, which is not {wanted}")
    return Fault(where, f"{_named(named)}: {error['msg'][:1].lower()}{error['msg'][1:]}")


def suggest(word: str, words: list[str]) -> str:
    """The nearest right word, or all there are."""
    near = catalog.nearest(str(word), words)
    if near:
        return f"did you mean `{near}`?"
    return f"known here: {', '.join(words)}" if words else "nothing is known here"


def known(model: type[BaseModel], loc: Path) -> list[str]:
    """The keys that a block may have, as they are written in the file."""
    return [field.alias or name for type_ in _at(model, loc) for name, field in type_.model_fields.items()]


def _at(annotation: Any, loc: Path) -> Iterator[type[BaseModel]]:
    """The models to which `loc` leads, through lists, maps and alternatives. Words in `loc` that lead nowhere are passed over."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated or origin in (Union, types.UnionType):
        for argument in arguments[:1] if origin is Annotated else arguments:
            yield from _at(argument, loc)
    elif origin in (dict, list, tuple):
        yield from _at(arguments[-1] if origin is dict else arguments[0], loc[1:])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not loc:
            yield annotation
        for name, field in annotation.model_fields.items():
            if loc and loc[0] in (name, field.alias):
                yield from _at(field.annotation, loc[1:])


def _described(model: type[BaseModel], loc: Path) -> str:
    for type_ in _at(model, loc[:-1]):
        for name, field in type_.model_fields.items():
            if loc[-1] in (name, field.alias) and field.description:
                return f"it is {field.description}"
    return ""


def _named(loc: Path) -> str:
    names = [part for part in loc if isinstance(part, str) and part.isidentifier()]
    return f"`{names[-1]}`" if names else "this"


def _inside(loc: Path) -> str:
    names = [str(part) for part in loc if not isinstance(part, int)]
    return f" in `{'.'.join(names)}`" if names else ""


def _shown(given: Any) -> str:
    if given is None:
        return "empty"
    if isinstance(given, dict):
        return "a block"
    if isinstance(given, list | tuple):
        return "a list"
    text = " ".join(str(given).split())
    return f"`{text}`" if len(text) <= SHOWN else f"`{text[:SHOWN]}…`"
