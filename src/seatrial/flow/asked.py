"""What is asked of a run that is over: traffic, prices and places from its study, from files, and from a command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from seatrial.contracts.money import Money, Traffic
from seatrial.errors import StudyError
from seatrial.flow import _yaml
from seatrial.flow._faults import faults

_Block = TypeVar("_Block", bound=BaseModel)
_YAML = (".yaml", ".yml", ".json")
MISSING = {
    "traffic": "say how many queries come: `--rate 200`, `--traffic FILE`, or a `money:` block in the study",
    "within": "say what the 99th percentile of latency must keep: `--p99 50ms`",
}


def money(known: Mapping[str, Any] | None, file: Path | None, traffic: Path | None, said: Mapping[str, Any]) -> Money:
    """The study's `money:` block with what a file and a command line say instead. Raises `StudyError`, with the line of a file."""
    found: dict[str, Any] = dict(known or {})
    if file is not None:
        found = _instead(found, block(file, Money, partial=True))
        found |= {} if found.get("prices") is None else {"prices": str((file.parent / found["prices"]).resolve())}
    if traffic is not None:
        found["traffic"] = block(traffic, Traffic) if traffic.suffix in _YAML else {"arrivals": str(traffic.resolve())}
    if "rate" in said and traffic is not None and traffic.suffix not in _YAML:
        raise StudyError(
            "a file of arrivals says how many queries come, and so does `--rate`", next_step="leave one out"
        )
    if "rate" in said:
        kept = {name: value for name, value in (found.get("traffic") or {}).items() if name in ("hours", "peak")}
        found["traffic"] = kept | {"rate": said["rate"]}
    found = _instead(found, {name: value for name, value in said.items() if name != "rate"})
    for name, step in MISSING.items():
        if found.get(name) is None:
            raise StudyError(
                f"nothing says the {'traffic' if name == 'traffic' else 'bound of latency'}", next_step=step
            )
    try:
        return Money.model_validate(found)
    except ValidationError as error:
        words = "; ".join(map(str, faults(error, Money, _named(error))))
        raise StudyError(words, next_step="`seatrial capacity --help` shows how it is used") from error


def _named(error: ValidationError) -> _yaml.Text:
    """What stands in no file: each thing that is wrong is found by its dotted name."""
    paths = {tuple(one["loc"][:end]) for one in error.errors() for end in range(len(one["loc"]) + 1)}
    return _yaml.Text("", places={path: ".".join(map(str, path)) for path in paths})


def _instead(known: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said goes before what is known; where there are two ways to say a thing, the other one is forgotten."""
    found = dict(known)
    for ways in (("hour", "price"), ("today", "today_a_million")):
        if any(said.get(way) is not None for way in ways):
            found |= dict.fromkeys(ways)
    return found | dict(said)


def block(file: Path, model: type[_Block], *, partial: bool = False) -> dict[str, Any]:
    """The fields of a block in a file of its own, checked; with `partial` some may be missing. Raises `StudyError` with the line."""
    try:
        with file.open("rb") as stream:
            text = _yaml.load(_yaml.text_of(stream, str(file)), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{file} can't be read: {error}") from error
    content = text.content
    if not isinstance(content, dict):
        raise StudyError("this is no block of `key: value` lines", where=str(file))
    try:
        model.model_validate(content)
    except ValidationError as error:
        wrong = [one for one in faults(error, model, text) if not (partial and "is missing" in one.what)]
        if wrong:
            raise StudyError(wrong[0].what, where=wrong[0].where, next_step=wrong[0].next_step) from error
    return content
