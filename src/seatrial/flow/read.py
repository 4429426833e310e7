"""Step 1: read the study file. Everything that is wrong with it is said at once, with file, line and column."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.rows import EVALUATION
from seatrial.contracts.study import Study
from seatrial.contracts.training import trainer_as_written
from seatrial.errors import PartError, StudyError
from seatrial.flow import _yaml
from seatrial.flow._faults import Fault, faults, suggest
from seatrial.flow._references import references
from seatrial.flow._roles import offers
from seatrial.flow._schema import schema_json
from seatrial.flow.arrivals import read_arrivals
from seatrial.flow.decide import orders
from seatrial.flow.hardware import catalogue
from seatrial.flow.prices import stated
from seatrial.flow.provenance import read_lineage
from seatrial.flow.training_ways import wrong

__all__ = ["Source", "read", "schema_json"]


FILL_IN = "FILL_IN"
"""What a draft writes where only the owner knows."""
FILL_STEP = "the comment in that line says what belongs there"


@dataclass(frozen=True)
class Source:
    """A study as it was read: the `folder` its paths start from, and the place `file:line:column` of each value by path."""

    study: Study
    folder: Path
    file: Path
    places: Mapping[_yaml.Path, str] = field(default_factory=dict, repr=False)

    def where(self, *path: str | int) -> str:
        """The place of the value at this path, or of the nearest one around it."""
        return _yaml.Text(str(self.file), places=dict(self.places)).where(path)


def read(file: Path) -> Source:
    """Read and check a study. Raises `StudyError`, whose `problems` hold one line a fault."""
    text = _yaml.load(_content(file), str(file))
    folder = file.resolve().parent
    if unfilled := list(_unfilled(text.content, text)):
        _refuse(unfilled, text.file)
    study, found = _typed(text)
    found += [fault for part in _named_parts(text.content) for fault in _part_faults(part, text, folder)]
    if study is not None:
        found += _cross_checks(study, text, folder)
    if found:
        _refuse(found, text.file)
    assert study is not None
    return Source(study, folder, file, text.places)


def _content(file: Path) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe that nobody writes to would wait for ever
            raise StudyError(
                f"{file} is no file that could be read: a folder, a pipe or a device", next_step="name a study file"
            )
        with file.open("rb") as stream:
            content = _yaml.text_of(stream, str(file))
        return content.replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError as error:
        beside = [path.name for pattern in ("*.yaml", "*.yml") for path in sorted(file.parent.glob(pattern))]
        near = catalog.nearest(file.name, beside)
        step = f"did you mean `{file.parent / near}`?" if near else "`seatrial init MODEL DATA` writes a study"
        raise StudyError(f"there is no study {file}", next_step=step) from error
    except (OSError, ValueError) as error:
        raise StudyError(f"the study can't be read: {error}", where=str(file)) from error


def _unfilled(content: Any, text: _yaml.Text, path: _yaml.Path = ()) -> Iterator[Fault]:
    """Places that a drafted study leaves to its owner."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            if key == FILL_IN:
                yield Fault(
                    text.where((*path, key), key=True), f"`{FILL_IN}` stands where a name is missing", FILL_STEP
                )
            yield from _unfilled(value, text, (*path, key))
    elif content == FILL_IN:
        yield Fault(text.where(path), f"`{FILL_IN}` stands where something is missing", FILL_STEP)


def _typed(text: _yaml.Text) -> tuple[Study | None, list[Fault]]:
    try:
        return Study.model_validate(text.content), []
    except ValidationError as error:
        return None, faults(error, Study, text)


def _refuse(found: list[Fault], file: str) -> None:
    found = sorted(dict.fromkeys(found), key=lambda fault: _in_order(fault.where))
    lines = tuple(map(str, found))
    if len(found) == 1:
        raise StudyError(found[0].what, where=found[0].where, next_step=found[0].next_step, problems=lines)
    raise StudyError(f"{len(found)} things are wrong\n  " + "\n  ".join(lines), where=file, problems=lines)


def _in_order(where: str) -> tuple[int, ...]:
    return tuple(int(number) for number in where.split(":")[-2:] if number.isdigit())


# --- parts --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Named:
    """A part as the file names it: where its name stands, and its options and where they stand."""

    kind: str
    name: str
    path: _yaml.Path
    options: Any
    options_path: _yaml.Path
    by_key: bool = False
    of: tuple[str, ...] = ()
    """The chain that it doesn't belong to, though options are given for it."""


def _named_parts(content: Any) -> Iterator[_Named]:
    for place in references():
        for path, value in _matches(content, place.path):
            several = [((*path, index), one) for index, one in enumerate(value)] if isinstance(value, list) else []
            for at, one in several or [(path, value)]:
                yield from _named(place.kind, at, one)
    for path, forms in _matches(content, ("models", "*", "forms")):
        if isinstance(forms, dict):
            for name, options in forms.items():
                yield _Named("subjects", name, (*path, name), options, (*path, name), by_key=True)
    if isinstance(content, dict) and isinstance(content.get("prefer"), dict):
        name, options = orders(content["prefer"])
        yield _Named("rules", name, ("prefer",), options, ("prefer",), by_key=True)


def _matches(content: Any, pattern: tuple[str, ...], path: _yaml.Path = ()) -> Iterator[tuple[_yaml.Path, Any]]:
    if not pattern:
        yield path, content
    elif pattern[0] == "*" and isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from _matches(value, pattern[1:], (*path, key))
    elif isinstance(content, dict) and content.get(pattern[0]) is not None:
        yield from _matches(content[pattern[0]], pattern[1:], (*path, pattern[0]))


def _named(kind: str, path: _yaml.Path, given: Any) -> Iterator[_Named]:
    """`name`, `{name: {options}}` or `{name: NAME, options: {}}`; anything else is no reference, which the types say."""
    given = trainer_as_written(given) if kind == "trainers" else given
    if kind == "variants" and (links := _chain(path, given)):
        yield from links
        return
    if isinstance(given, str):
        yield _Named(kind, given, path, {}, path)
    elif isinstance(given, dict) and isinstance(given.get("name"), str):
        yield _Named(kind, given["name"], (*path, "name"), given.get("options"), (*path, "options"))
    elif isinstance(given, dict) and len(given) == 1:
        (name, options), *_ = given.items()
        yield _Named(kind, name, (*path, name), options, (*path, name), by_key=True)


def _chain(path: _yaml.Path, given: Any) -> list[_Named]:
    """The links of a chain of variants as it is written: `one+other`, or `{one+other: {other: {options}}}`; else nothing."""
    name: Any = given
    options: Any = {}
    at = path
    if isinstance(given, dict) and len(given) == 1:
        ((name, options),) = given.items()
        at = (*path, name)
    if not isinstance(name, str) or "+" not in name:
        return []
    links = name.split("+")
    if not isinstance(options, dict | None):
        return [_Named("variants", links[0], at, options, at, by_key=at != path)]
    unknown = [key for key in options or {} if key not in links]
    known = [_Named("variants", one, at, (options or {}).get(one), (*at, one), by_key=at != path) for one in links]
    return known + [_Named("variants", key, (*at, key), {}, at, by_key=True, of=tuple(links)) for key in unknown]


def _part_faults(named: _Named, text: _yaml.Text, folder: Path) -> list[Fault]:
    where = text.where(named.path, key=named.by_key)
    if named.of:
        told = f"`{named.name}` isn't in the chain {'+'.join(named.of)}: options stand under the name of a link"
        return [Fault(where, told, suggest(named.name, list(named.of)))]
    if not isinstance(named.options, dict | None):
        return [
            Fault(text.where(named.options_path), f"the options of `{named.name}` are a block of `key: value` lines")
        ]
    try:
        part = catalog.find(named.kind, named.name, folder)
        options = catalog.options_type(catalog.load(part))
    except PartError as error:
        return [Fault(where, error.what, error.next_step)]
    except Exception as error:  # noqa: BLE001 - a part's file may be the user's own and raise anything
        return [Fault(where, f"`{named.name}` can't be imported: {type(error).__name__}: {error}")]
    try:
        options.model_validate(named.options or {})
    except ValidationError as error:
        return [_of_part(fault, part) for fault in faults(error, options, text, named.options_path)]
    return []


def _of_part(fault: Fault, part: PartInfo) -> Fault:
    return Fault(fault.where, f"{fault.what} (an option of `{part.name}`)", fault.next_step)


# --- what must fit together -----------------------------------------------------------------------------------------------


def _cross_checks(study: Study, text: _yaml.Text, folder: Path) -> list[Fault]:
    return [
        *_unknown_models(study, text),
        *_too_small(study, text),
        *_unjudged(study, text),
        *_unfit_metrics(study, text, folder),
        *_layouts(study, text),
        *_classes(study, text),
        *_thresholds(study, text, folder),
        *_money(study, text, folder),
        *_lineages(study, text, folder),
        *(Fault(text.where(path), what, step) for path, what, step in wrong(study)),
        *_devices(study, text),
    ]


def _money(study: Study, text: _yaml.Text, folder: Path) -> Iterator[Fault]:
    """A price that isn't in the table, and a file of arrivals that can't be read."""
    if study.money is None:
        return
    try:
        stated(study.money, folder)
    except StudyError as error:
        yield Fault(error.where or text.where(("money", "price")), error.what, error.next_step)
    if study.money.traffic.arrivals is not None:
        try:
            read_arrivals(folder / study.money.traffic.arrivals)
        except StudyError as error:
            yield Fault(error.where or text.where(("money", "traffic", "arrivals")), error.what, error.next_step)


def _devices(study: Study, text: _yaml.Text) -> Iterator[Fault]:
    """A device that isn't in the catalogue, or of which too little is known there."""
    asked = study.measure.predict
    for place, what, step in catalogue.wrong(asked.devices, asked.precision) if asked else ():
        yield Fault(text.where(("measure", "predict", "devices", place)), what, step)


def _lineages(study: Study, text: _yaml.Text, folder: Path) -> Iterator[Fault]:
    """A statement of the owner's that can't be read."""
    for name, data in study.data.items():
        try:
            if data.lineage:
                read_lineage(folder / data.lineage)
        except StudyError as error:
            yield Fault(error.where or text.where(("data", name, "lineage")), error.what, error.next_step)


def _unknown_models(study: Study, text: _yaml.Text) -> Iterator[Fault]:
    named: list[tuple[_yaml.Path, str]] = [
        (("candidates", index, "model", position), model)
        for index, grid in enumerate(study.candidates)
        for position, model in enumerate(grid.model)
    ]
    if study.reference.model is not None:
        named.append((("reference", "model"), study.reference.model))
    for path, model in named:
        if model not in study.models:
            yield Fault(
                text.where(path), f"there is no model `{model}` in this study", suggest(model, list(study.models))
            )


def _too_small(study: Study, text: _yaml.Text) -> Iterator[Fault]:
    for index, grid in enumerate(study.candidates):
        for name in ("threads", "batch", "instances"):
            for position, number in enumerate(getattr(grid, name)):
                if number < 1:
                    where = text.where(("candidates", index, name, position))
                    yield Fault(where, f"`{name}` is {number}; it must be at least 1")


def _unjudged(study: Study, text: _yaml.Text) -> Iterator[Fault]:
    if not any(offers(data.roles, role) for data in study.data.values() for role in EVALUATION):
        step = "give one of them `roles: confirm`, or draw some rows for it"
        yield Fault(text.where(("data",), key=True), "no data set has rows to judge on", step)


def _unfit_metrics(study: Study, text: _yaml.Text, folder: Path) -> Iterator[Fault]:
    for index, reference in enumerate(study.measure.metrics):
        try:
            part = catalog.find("metrics", reference.name, folder)
        except PartError:
            continue  # said where the part is looked up
        for name, model in study.models.items():
            if not part.takes("task", model.task.name):
                tasks = ", ".join(part.accepts["task"])
                where = text.where(("measure", "metrics", index))
                yield Fault(where, f"`{part.name}` is a metric of {tasks}; the task of `{name}` is {model.task.name}")


def _layouts(study: Study, text: _yaml.Text) -> Iterator[Fault]:
    for model_name, model in study.models.items():
        for name, wanted in model.inputs.items():
            layout, path = wanted.layout, ("models", model_name, "inputs", name, "layout")
            if layout is None:
                continue
            if any(len(set(axes)) < len(axes) for axes in (layout.stored, layout.model)):
                yield Fault(text.where(path), "an axis stands twice in a layout")
            elif lost := "".join(axis for axis in layout.stored if axis not in layout.model):
                yield Fault(
                    text.where(path), f"the stored axes {lost} don't stand in `model`; new axes may, none may go"
                )


def _thresholds(study: Study, text: _yaml.Text, folder: Path) -> Iterator[Fault]:
    for name, model in study.models.items():
        stated = [output for output, one in model.outputs.items() if one.threshold is not None]
        try:
            part = catalog.find("tasks", model.task.name, folder)
        except PartError:
            continue  # said where the part is looked up
        if stated and not part.takes("setting", "threshold"):
            where = text.where(("models", name, "outputs", stated[0], "threshold"), key=True)
            yield Fault(
                where, f"answers of the task {part.name} have no threshold", "leave it out, or name another task"
            )


def _classes(study: Study, text: _yaml.Text) -> Iterator[Fault]:
    for model_name, model in study.models.items():
        for name, output in model.outputs.items():
            names = [str(one) for one in output.classes]
            for twice in sorted({one for one in names if names.count(one) > 1}):
                path = ("models", model_name, "outputs", name, "classes")
                yield Fault(text.where(path), f"the class `{twice}` stands twice in `classes`")
