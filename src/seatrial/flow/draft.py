"""Writes a study from a model file and its data, for `seatrial init`: what can be seen is filled in, the rest is marked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, TensorSpec
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.part import PartInfo
from seatrial.contracts.study import Input
from seatrial.contracts.values import ValueKind
from seatrial.errors import StudyError
from seatrial.flow import _guess, _kinds
from seatrial.flow._limits import LIMITS, of_part
from seatrial.flow._look import Answer, Seen, by_suffix, look, of_rows, runtimes
from seatrial.flow._yaml import flow, word
from seatrial.flow.read import FILL_IN

ENOUGH_TO_DRAW = 1_000  # from here on a tenth of the rows is set apart to calibrate with
BATCH = 32
LOWER = ("bf16",)  # precisions worth a candidate of their own on a processor
SORTED = "CHECK: classes in the order of the outputs; here they are sorted"
ORDERED = "CHECK: classes in the order of the outputs, as the model's answers to the first rows suggest"


class Line(NamedTuple):
    """A line of the study, and what a person should know of it."""

    text: str
    note: str = ""


def draft(
    model: Path, data: Path | None = None, folder: Path = Path(), limits: Mapping[str, str] | None = None
) -> tuple[str, list[str]]:
    """The text of a study to be written into `folder`, and what is left to fill in, one sentence each.

    `limits` are what the data may ask for. Raises `ModelError` or `DataError` when no part reads the file, or the file can't be read,
    `StudyError` for limits that aren't there.
    """
    subject = by_suffix("subjects", model)
    table = None if data is None else of_rows(data)
    if limits and table is None:
        raise StudyError(
            "limits are of data, and no data was named", next_step="`seatrial init MODEL DATA --limit NAME=VALUE`"
        )
    if limits and table is not None:
        of_part(table, limits)
    return written(subject, model, table, data, folder, look(subject, model, table, data, limits), limits)


def written(
    subject: PartInfo,
    model: Path,
    table: PartInfo | None,
    data: Path | None,
    folder: Path,
    seen: Seen,
    limits: Mapping[str, str] | None = None,
) -> tuple[str, list[str]]:
    """The text, and what is left to fill in, of what was seen."""
    name = re.sub(r"\W+", "_", model.stem).strip("_") or "model"
    calibrated = seen.rows >= ENOUGH_TO_DRAW
    here = list(_runtimes(seen.artefact))
    inputs, outputs = [_input(one, seen) for one in seen.artefact.signature.inputs], list(_outputs(seen))
    task = _task([line.text for line in outputs], seen.kind)
    usual, more = _metrics(task)
    unasked = _variants(seen.artefact, calibrated)
    said = {
        "name": word(name),
        "forms": flow({subject.name: {"path": _relative(model, folder)}}),
        "task": word(task),
        "inputs": inputs,
        "outputs": outputs,
        "data": [_data(table, data, folder, seen, calibrated, limits or {})],
        "candidates": list(_candidates(seen.artefact, here, calibrated)),
        "reference": _reference(here),
        "more_variants": _more([one.name for one in unasked if not one.usual and one.name != _as_is()]),
        "metrics": ", ".join(usual or more),
        "more_metrics": _more(more if usual else []),
        "gate": _gate(task, usual or more),
    }
    text = _template().render(said)
    return text, re.findall(r"# FILL IN: (.*)", text)


# --- writing it down ------------------------------------------------------------------------------------------------------


def _input(spec: TensorSpec, seen: Seen) -> Line:
    guess = seen.guesses.get(spec.name)
    if guess is None:
        shape = "x".join("any" if size is None else str(size) for size in spec.shape or ()) or "one number"
        there = f"; the data has: {', '.join(seen.columns)}" if seen.columns else ""
        kind = {"dtype": spec.dtype} if spec.kind is ValueKind.DENSE else {"kind": str(spec.kind)}
        text = flow({spec.name: {"columns": FILL_IN} | kind})[1:-1]
        return Line(text, f"FILL IN: the columns of the input `{spec.name}` ({spec.dtype}, a row is {shape}){there}")
    given = guess.input.model_dump(mode="json", exclude_defaults=True)
    if len(guess.input.columns) == 1:
        given["columns"] = guess.input.columns[0]
    return Line(flow({spec.name: given})[1:-1], guess.note or _scale_note(guess.input))


def _scale_note(wanted: Input) -> str:
    return "CHECK: scale as in training, (x / divide - mean) / std" if wanted.scale else ""


def _outputs(seen: Seen) -> Iterator[Line]:
    """The one output that has a number for each class; others stay unsaid. For labels that are no classes, what `_kinds` finds."""
    if seen.kind not in ("", _kinds.CLASS):
        found = list(_kinds.outputs(seen.kind, seen.wide, seen.artefact.signature.outputs, seen.classes))
        yield from (_said(one, seen) for one in found)
        if found:
            return
    specs = [spec for spec in seen.artefact.signature.outputs if _a_number_a_class(spec)]
    named = [spec for spec in specs if "prob" in spec.name.lower()]
    spec = next(iter(named or specs), None)
    if spec is None:
        names = ", ".join(one.name for one in seen.artefact.signature.outputs)
        yield Line(
            f"{FILL_IN}: {{means: logits}}", f"FILL IN: which output holds a number for each class; there are: {names}"
        )
        return
    answer = seen.answers.get(spec.name)
    stated: dict[str, Any] = {"means": answer.means if answer else _guess.means(spec.name, None)}
    width = _width(spec, answer)
    note = "" if answer is not None else f"CHECK: {stated['means']} by the name alone"
    if (seen.classes and width in (len(seen.classes), None)) or (width == 1 and len(seen.classes) == 2):
        stated["classes"] = seen.classes
        note = note or ("" if _counted(seen.classes) else ORDERED if seen.tried else SORTED)
    elif seen.classes and not all(isinstance(one, int) and 0 <= one < (width or 0) for one in seen.classes):
        note = f"FILL IN: the {width} classes in their order; the data has {len(seen.classes)} labels"
        stated["classes"] = [FILL_IN]
    yield Line(flow({spec.name: stated})[1:-1], note)


def _said(one: _kinds.Said, seen: Seen) -> Line:
    """An output that needs classes and has none is marked; boxes say how they are written."""
    if one.stated["means"] == "boxes":
        stated = one.stated | ({"boxes": seen.boxes} if seen.boxes else {"boxes": {"labels": seen.form}} if seen.form else {})  # fmt: skip
        return Line(flow({one.name: stated})[1:-1], seen.boxes_note or one.note)
    if one.stated.get("classes") == []:
        note = f"FILL IN: the {seen.wide} labels in the order of the column `{seen.label}`; {one.note}"
        return Line(flow({one.name: one.stated | {"classes": [FILL_IN]}})[1:-1], note)
    return Line(flow({one.name: one.stated})[1:-1], one.note)


def _a_number_a_class(spec: TensorSpec) -> bool:
    """Whether a row of this output can be scores of classes: fractions along one axis; maps and boxes have more."""
    long = [size for size in spec.shape or () if size != 1]
    return spec.dtype.startswith(("float", "bfloat")) and len(long) <= 1


def _width(spec: TensorSpec, answer: Answer | None) -> int | None:
    if answer is not None:
        return answer.width
    return spec.shape[-1] if spec.shape else None


def _counted(classes: Sequence[Any]) -> bool:
    return list(classes) == list(range(len(classes)))


def _data(
    table: PartInfo | None, data: Path | None, folder: Path, seen: Seen, calibrated: bool, limits: Mapping[str, str]
) -> Line:
    if table is None or data is None:
        name, *_ = catalog.parts("datasets")
        given: dict[str, Any] = {"from": {name: {"path": FILL_IN}}, "label": FILL_IN, "roles": "confirm"}
        return Line(flow({"evaluation": given})[1:-1], "FILL IN: the file with rows to judge on, and its label column")
    given = {
        "from": {
            table.name: {name: _placed(one, folder) for name, one in seen.source.items()}
            | ({LIMITS: dict(limits)} if limits else {})
        },
        "label": seen.label or FILL_IN,
        "roles": "confirm",
    }
    if seen.roles:
        given = {"from": given["from"], "labels": [given["label"], seen.roles], "roles": given["roles"]}
    if calibrated:
        given["roles"] = {"draw": {"confirm": 0.9, "calibrate": 0.1}}
    if seen.label is None:
        return Line(flow({"evaluation": given})[1:-1], f"FILL IN: the label column, one of: {', '.join(seen.columns)}")
    return Line(flow({"evaluation": given})[1:-1])


def _placed(value: Any, folder: Path) -> Any:
    return _relative(Path(value), folder) if isinstance(value, str) and Path(value).is_absolute() else value


def _task(outputs: Sequence[str], kind: str) -> str:
    """The task that reads such outputs and labels of this kind: the first that says so."""
    for name, part in catalog.parts("tasks").items():
        read = part.gives.get("labels", ())
        if any(f"means: {means}" in text for means in part.gives.get("means", ()) for text in outputs) and (
            not kind or kind in read or not read
        ):
            return name
    return FILL_IN


def _candidates(artefact: Artefact, runtimes: Sequence[PartInfo], calibrated: bool) -> Iterator[str]:
    batch = artefact.signature.fixed_batch or BATCH
    if not runtimes:
        yield (
            flow({"runtime": FILL_IN, "batch": batch})
            + "  # FILL IN: a runtime; none that is installed takes this format"
        )
        return
    names = [part.name for part in runtimes]
    variants, as_is = [part.name for part in _variants(artefact, calibrated) if part.usual], _as_is()
    yield flow({"runtime": names, "variant": [as_is, *(name for name in variants if name != as_is)], "batch": batch})
    for part in runtimes:
        for precision in LOWER:
            if precision in part.accepts.get("precision", ()):
                yield flow({"runtime": part.name, "precision": precision, "batch": batch})


def _runtimes(artefact: Artefact) -> Iterator[PartInfo]:
    """What runs the model as it is, then the first that runs what each conversion makes of it."""
    told = list(runtimes(artefact))
    for part in catalog.parts("conversions").values():
        if part.takes("format", artefact.format) and not catalog.absent(part):
            made = (artefact.model_copy(update={"format": one}) for one in part.gives.get("format", ()))
            first = next((runtime for one in made for runtime in runtimes(one)), None)
            told += [first] if first is not None and first not in told else []
    yield from told


def _as_is() -> str:
    return str(Candidate.model_fields["variant"].default.name)


def _variants(artefact: Artefact, calibrated: bool) -> list[PartInfo]:
    """What can be done to the model with the rows that there are, one alone."""
    return [one for one in catalog.parts("variants").values() if _offered(one, artefact, calibrated)]


def _offered(variant: PartInfo, artefact: Artefact, calibrated: bool) -> bool:
    there = {"none", "calibrate"} if calibrated else {"none"}
    enough = there & set(variant.accepts.get("rows", ("none",)))
    fits = variant.takes("format", artefact.format) and not catalog.absent(variant)
    return bool(enough) and fits and not _asks(variant)


def _asks(part: PartInfo) -> bool:
    """Whether a part has options without a default."""
    return any(one.is_required() for one in catalog.options_type(catalog.load(part)).model_fields.values())


def _reference(runtimes: Sequence[PartInfo]) -> str:
    return flow({"runtime": runtimes[0].name if runtimes else FILL_IN, "variant": _as_is(), "precision": "fp32"})


def _metrics(task: str) -> tuple[list[str], list[str]]:
    """The usual ones, and what else can be asked of such answers. Those that compare groups wait for groups."""
    parts = [one for one in catalog.parts("metrics").values() if one.takes("task", task) and not one.across]
    ready = [one for one in parts if not _asks(one)]
    return [one.name for one in ready if one.usual], [one.name for one in ready if not one.usual]


def _gate(task: str, metrics: Sequence[str]) -> str:
    """What the task says that mustn't be lost against the reference, ready to be uncommented."""
    known = catalog.parts("tasks").get(task)
    said = known.gives.get("gate", ()) if known else ()
    return next(iter(said), flow({"what": next(iter(metrics), FILL_IN), "margin": "0.5 pp"}))


def _more(names: Sequence[str]) -> str:
    """The rest in a comment, so that a person knows what there is."""
    return f"  # more: {', '.join(names)} (seatrial explain NAME)" if names else ""


def _relative(path: Path, folder: Path) -> str:
    """The path as the study says it: from its folder where both lie together, else whole."""
    path, folder = path.resolve(), folder.resolve()
    relative = os.path.relpath(path, folder)
    return relative if not relative.startswith("../../") else str(path)


def _template() -> Any:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    # YAML, no HTML: what stands in it is quoted by `word`
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
    return environment.get_template("study.yaml")
