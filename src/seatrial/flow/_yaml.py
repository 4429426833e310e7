"""YAML 1.2 into plain data that remembers where everything stood, and back on one line. Nothing in a file can build an object."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from pydantic import Field

from seatrial.contracts.quantity import Bytes
from seatrial.contracts.record import Record
from seatrial.errors import StudyError
from seatrial.flow._limits import limits as set_to

SETTING = "SEATRIAL_YAML_LIMITS"
"""The variable of the environment that sets limits other than these: `values=200000,depth=100`. A file can't set its own."""


class Bounds(Record):
    """What a YAML file may ask for before it is refused."""

    bytes: Bytes = Field(default=4 * 2**20, description="bytes of the file")
    values: int = Field(
        default=50_000,
        ge=1,
        description="values, counted after aliases are followed, so that aliases of aliases can't fill the memory",
    )
    depth: int = Field(default=60, ge=1, le=200, description="how deep values are nested")


def bounds() -> Bounds:
    """The limits, as the environment sets them. Raises `StudyError` for some that aren't there."""
    given = [one.strip() for one in os.environ.get(SETTING, "").split(",") if one.strip()]
    pairs = {name.strip(): value.strip() for name, _, value in (one.partition("=") for one in given)}
    try:
        return set_to(Bounds, pairs)
    except StudyError as error:
        step = error.next_step if "did you mean" in error.next_step else f"like `{SETTING}=values=200000,depth=100`"
        raise StudyError(error.what, where=f"{SETTING} of the environment", next_step=step) from error


def beyond(what: str, limit: str, where: str) -> StudyError:
    """The refusal of what goes beyond a limit, with how to set it."""
    step = f"if the file is yours and right, set it in the environment: `{SETTING}={limit}=...`"
    return StudyError(what, where=where, next_step=step)


def text_of(stream: BinaryIO, file: str) -> str:
    """What a file holds, as text. Raises `StudyError` beyond the limit, `ValueError` for what is no UTF-8."""
    most = bounds().bytes
    content = stream.read(most + 1)  # some files (of /proc) don't say their size
    if len(content) > most:
        raise beyond(f"a study has at most {most} bytes", "bytes", file)
    return content.decode("utf-8-sig")


Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass
class Text:
    """What a file holds: `content`, and as `file:line:column` the place of each value and of each key, by path."""

    file: str
    content: Any = None
    places: dict[Path, str] = field(default_factory=dict)
    keys: dict[Path, str] = field(default_factory=dict)

    def where(self, path: Path, key: bool = False) -> str:
        """The place of the value at this path, or of its key; where there is none, that of the nearest one around it."""
        reached = self.reached(path)
        return self.keys[reached] if key and reached in self.keys else self.places.get(reached, self.file)

    def reached(self, path: Path) -> Path:
        """The longest beginning of this path that there is in the file."""
        return next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.places), ())


def load(text: str, file: str) -> Text:
    """Read one YAML document. Raises `StudyError` for bad syntax, a key said twice, tags, and files beyond the limits."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    most = bounds()
    if len(text) > most.bytes:
        raise beyond(f"a study has at most {most.bytes} bytes, this one {len(text)}", "bytes", file)
    reader = YAML(typ="safe", pure=True)
    reader.Composer = _bounded(file, most)
    try:
        root = reader.compose(text)
    except MarkedYAMLError as error:
        where = _place(file, error.problem_mark or error.context_mark)
        raise StudyError(f"this is no YAML: {error.problem or error.context}", where=where) from error
    except YAMLError as error:
        raise StudyError(f"this is no YAML: {error}", where=file) from error
    except RecursionError as error:
        raise beyond(f"values are nested more than {most.depth} deep", "depth", file) from error
    if root is None:
        raise StudyError("the file is empty", where=file, next_step="`seatrial init MODEL DATA` writes a study")
    found = Text(file)
    found.content = _Reader(found, most).value(root, ())
    return found


def _bounded(file: str, most: Bounds) -> Any:
    """A composer that stops at the bound while it reads: megabytes of small values would keep it busy for minutes."""
    from ruamel.yaml.composer import Composer

    class Bounded(Composer):
        seen = 0

        def compose_node(self, parent: Any, index: int) -> Any:
            self.warn_double_anchors = False  # a name given twice is allowed; the later one counts
            self.seen += 1
            if self.seen > 2 * most.values:  # keys are counted too
                mark = self.parser.peek_event().start_mark
                raise beyond(f"the file holds more than {most.values} values", "values", _place(file, mark))
            return super().compose_node(parent, index)

    return Bounded


class _Reader:
    """Turns nodes into values, noting places on the way."""

    def __init__(self, text: Text, most: Bounds) -> None:
        self.text = text
        self.most = most
        self.seen = 0
        self.depth = 0

    def value(self, node: Any, path: Path) -> Any:
        self.depth += 1  # not the length of the path: what `<<` brings in is no deeper by it
        try:
            return self._value(node, path)
        finally:
            self.depth -= 1

    def _value(self, node: Any, path: Path) -> Any:
        place = _place(self.text.file, node.start_mark)
        if node.value == "" and path in self.text.keys:  # nothing stands there: the reader marks what comes next
            place = self.text.keys[path]
        self.text.places.setdefault(path, place)
        self.seen += 1
        if self.seen > self.most.values:
            raise beyond(
                f"the file holds more than {self.most.values} values once its aliases are followed", "values", place
            )
        if self.depth > self.most.depth:
            raise beyond(f"values are nested more than {self.most.depth} deep", "depth", place)
        kind = str(node.tag).removeprefix(_TAG)
        if kind == "map":
            return self.mapping(node, path)
        if kind == "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, kind, place)

    def mapping(self, node: Any, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(self.text.file, key_node.start_mark)
            if str(key_node.tag) == f"{_TAG}merge":
                merged = self.merge(value_node, path, place) | merged
                continue
            key = self.key(key_node, place)
            if key in own:
                raise StudyError(
                    f"the key `{key}` is said twice",
                    where=place,
                    next_step=f"it was said first at {self.text.keys[*path, key]}",
                )
            self.text.keys[*path, key] = place
            self.text.places.pop((*path, key), None)  # a merged value that this one replaces
            own[key] = self.value(value_node, (*path, key))
        return merged | own

    def merge(self, node: Any, path: Path, place: str) -> dict[str, Any]:
        """What `<<:` brings in; of several mappings the first that says a key counts."""
        values = self.value(node, path)
        mappings = values if isinstance(values, list) else [values]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise StudyError("`<<` takes a mapping or a list of mappings", where=place)
        merged: dict[str, Any] = {}
        for mapping in mappings:
            merged = mapping | merged
        return merged

    def key(self, node: Any, place: str) -> str:
        if not isinstance(node.value, str):
            raise StudyError("a key is a word, not a list or a mapping", where=place)
        return _readable(node.value, place)

    def scalar(self, node: Any, kind: str, place: str) -> Any:
        if kind in ("str", "timestamp"):
            return _readable(node.value, place)
        if kind == "null":
            return None
        if kind == "bool":
            return node.value.lower() == "true"
        if kind in ("int", "float"):
            try:
                return _number(node.value, kind)
            except ValueError as error:
                raise StudyError(f"`{node.value[:40]}` can't be read as a number", where=place) from error
        raise StudyError(f"`{node.tag}` is a tag; a study has plain values only", where=place, next_step="remove it")


def _readable(text: str, place: str) -> str:
    """The text, without characters that steer a terminal, end a path early or can't be written as UTF-8."""
    if found := _UNREADABLE.search(text):
        character = found[0]
        raise StudyError(
            f"there is a character in this text that can't be shown (U+{ord(character):04X})",
            where=place,
            next_step="remove it",
        )
    return text


def _number(text: str, kind: str) -> int | float:
    """A YAML 1.2 number: decimal, 0x, 0o, exponents, .inf and .nan."""
    if kind == "int":
        prefix = text.lstrip("+-")[:2].lower()
        return int(text, {"0x": 16, "0o": 8, "0b": 2}.get(prefix, 10))
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _place(file: str, mark: Any) -> str:
    return file if mark is None else f"{file}:{mark.line + 1}:{mark.column + 1}"


def flow(content: Any) -> str:
    """YAML on one line."""
    if isinstance(content, dict):
        return "{" + ", ".join(f"{word(str(key))}: {flow(value)}" for key, value in content.items()) + "}"
    if isinstance(content, list | tuple):
        return "[" + ", ".join(map(flow, content)) + "]"
    if isinstance(content, float) and content.is_integer():
        return str(int(content))
    return word(content) if isinstance(content, str) else json.dumps(content)


def word(text: str) -> str:
    """A word as it is where YAML reads it as a word, else in quotes."""
    plain = re.fullmatch(r"[A-Za-z_][\w./ -]*(?<! )", text)
    special = text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    return text if plain and not special else json.dumps(text, ensure_ascii=False)
