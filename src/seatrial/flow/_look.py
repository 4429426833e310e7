"""Looks at a model file and its data: reads what they say of themselves, and lets the model answer the first rows.

All of it happens in a worker with limits of time and memory, so that a file that crashes, hangs or swallows what reads it does no
harm here.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from pydantic import TypeAdapter

from seatrial import catalog, errors
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.messages import Order
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Session, Setting
from seatrial.contracts.study import Limits, Measure
from seatrial.contracts.values import Values
from seatrial.errors import DataError, ModelError, SeatrialError, WorkerError
from seatrial.flow import _found_boxes, _guess, _kinds
from seatrial.flow._guess import Array, Guess
from seatrial.flow._limits import of_part

FIRST_ROWS = 256
FEW_ROWS = 48
"""Of pictures in files."""
ROWS_A_CALL = 32
CHUNK_ROWS = 65_536
MOST_TRIES = 100
MOST_CLASSES = 10_000
LOOK_S = 60.0
MEMORY_SHARE = 0.5
"""Of the memory that is free: what a worker that looks may take."""


class Answer(NamedTuple):
    """What an output showed when the model answered: its `means`, and how many numbers it has for a row."""

    means: str
    width: int


@dataclass
class Seen:
    """What was found out of the model and the data."""

    artefact: Artefact
    columns: list[str] = field(default_factory=list)
    label: str | None = None
    kind: str = ""  # what the label column holds: a class, many labels, numbers, boxes, what it shows
    roles: str | None = None  # the column of queries and gallery
    wide: int = 1  # numbers that a row of it has
    classes: list[Any] = field(default_factory=list)
    rows: int = 0
    guesses: dict[str, Guess | None] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)  # how the data set is stated; files by their whole path
    others: list[dict[str, Any]] = field(default_factory=list)  # how it may be stated, too
    form: str = ""  # how boxes in the labels are written, where the data set says it
    boxes: dict[str, Any] = field(default_factory=dict)  # how boxes are written
    boxes_note: str = ""
    tried: bool = False  # whether the order of the classes comes from what the model answered

    __pydantic_config__ = {"ser_json_inf_nan": "constants"}


_SEEN: TypeAdapter[Seen] = TypeAdapter(Seen)


def of_rows(path: Path) -> PartInfo:
    """The data set that reads this file: one that knows its kind by what is in it, else one by its suffix."""
    for part in catalog.parts("datasets").values():
        if path.suffix in part.gives.get("known", ()) and path.is_file() and catalog.load(part).known(path):
            catalog.require(part)
            return part
    return by_suffix("datasets", path)


def by_suffix(kind: str, path: Path) -> PartInfo:
    """The part that reads files of this suffix, or a folder of such files or of folders of them."""
    suffixes = _suffixes(path)
    fitting = [
        part
        for part in catalog.parts(kind).values()
        if suffixes & {*part.gives.get("suffix", [f".{name}" for name in part.gives.get("format", ())])}
    ]
    if fitting:
        chosen = next((part for part in fitting[1:] if kind == "datasets" and _reads(part, path)), fitting[0])
        catalog.require(chosen)
        return chosen
    error = ModelError if kind == "subjects" else DataError
    step = f"`seatrial parts {kind}` lists what can be read"
    for part in catalog.parts(kind).values():
        for what, (_, reason) in part.cannot.items():
            if suffixes & set(what.split(", ")):  # what a part refuses by its suffix, and what to do instead
                raise error(f"{path} can't be used: {reason}", next_step=step)
    raise error(f"no part reads {path}", next_step=step)


def _reads(part: PartInfo, path: Path) -> bool:
    """Whether a data set can make something of these files: several may have files of the same suffix."""
    try:
        return bool(catalog.load(part).columns(catalog.options(part, {"path": path.name}), path.parent))
    except SeatrialError:
        return False


def _suffixes(path: Path) -> set[str]:
    """Of the file, of those in a folder, or, where a folder holds folders alone, of those in them."""
    if not path.is_dir():
        return {path.suffix}
    there = list(path.iterdir())
    below = [one for folder in there for one in folder.iterdir()] if all(one.is_dir() for one in there) else there
    return {one.suffix.lower() for one in below}


# --- through a worker -----------------------------------------------------------------------------------------------------


def look(
    subject: PartInfo, model: Path, table: PartInfo | None, data: Path | None, limits: Mapping[str, str] | None = None
) -> Seen:
    """What `see` finds, in a worker. `limits` are what the data may ask for. Where the model can't be run there, it is looked at without, and inputs are marked.

    Raises what reading raises (`ModelError`, `DataError`), and `ModelError` where the worker doesn't survive that either.
    """
    settings: dict[str, Any] = {"subject": subject.name, "model": str(model.absolute())}
    if table is not None and data is not None:
        settings |= {"table": table.name, "data": str(data.absolute()), "limits": dict(limits or {})}
    try:
        return _asked(settings)
    except WorkerError as error:
        told = _brief(error)
    try:
        seen = _asked(settings | {"run": ""})
    except WorkerError as error:
        step = (
            "try it with another file; a study can be written by hand, and `seatrial run` measures each candidate apart"
        )
        raise ModelError(f"{model} can't be looked at: {_brief(error)}", next_step=step) from error
    note = f"CHECK: the model could not be tried on the first rows: {told}"
    marked = {name: guess and replace(guess, note=note) for name, guess in seen.guesses.items()}
    return replace(seen, guesses=marked)


def answer(order: Order) -> dict[str, Any]:
    """In the worker: what was seen as JSON, or the refusal in its words."""
    asked = {"run": "yes"} | order.settings
    try:
        table = catalog.find("datasets", asked["table"]) if "table" in asked else None
        data = Path(asked["data"]) if table else None
        subject, limits = catalog.find("subjects", asked["subject"]), asked.get("limits", {})
        seen = see(subject, Path(asked["model"]), table, data, bool(asked["run"]), limits)
    except SeatrialError as error:
        told = {"what": error.what, "where": error.where, "next_step": error.next_step}
        return {"refused": {"kind": type(error).__name__} | told}
    return {"seen": json.dumps(_SEEN.dump_python(seen, mode="json"))}


def _asked(settings: dict[str, Any]) -> Seen:
    """One look in a worker of its own. Raises what it raised there, or a `WorkerError`."""
    reference = Measure().executor
    info = catalog.find("executors", reference.name)
    with tempfile.TemporaryDirectory() as folder:
        memory = int(MEMORY_SHARE * psutil.virtual_memory().available)
        link = catalog.load(info).start(Path(folder) / "log", memory, catalog.options(info, reference.options))
        try:
            link.ask(Order(order="hello"), Limits().open)
            told = link.ask(Order(order="look", settings=settings), LOOK_S)
        finally:
            link.close()
    if refused := told.get("refused"):
        raise getattr(errors, refused.pop("kind"))(refused.pop("what"), **refused)
    return _SEEN.validate_python(json.loads(told["seen"]))


def _brief(error: WorkerError) -> str:
    return (error.what.splitlines() or [""])[0][:80].replace("`look`", "looking")


# --- in the worker ----------------------------------------------------------------------------------------------------------


def see(
    subject: PartInfo,
    model: Path,
    table: PartInfo | None,
    data: Path | None,
    run: bool = True,
    limits: Mapping[str, str] | None = None,
) -> Seen:
    """Read the model and the first rows, and let it answer them unless told not to."""
    artefact: Artefact = catalog.load(subject).read(catalog.options(subject, {"path": model.name}), model.parent)
    seen = Seen(artefact)
    if table is None or data is None:
        return seen
    columns = _look_at_rows(seen, table, data, limits or {})
    with_guesses = {name: guess for name, guess in seen.guesses.items() if guess}
    if run and with_guesses and len(with_guesses) == len(seen.guesses):
        _let_it_answer(seen, columns, with_guesses, (table, data))
    return seen


def _look_at_rows(seen: Seen, table: PartInfo, data: Path, limits: Mapping[str, str]) -> dict[str, Array]:
    """The first rows of all columns that can be read."""
    part = catalog.load(table)
    seen.source, *seen.others = _sources(table, data, seen.artefact)
    options = catalog.options(table, seen.source | of_part(table, limits))
    pictures = bool(table.gives.get("known"))
    columns = _readable(part, options, data.parent, list(part.columns(options, data.parent)), FEW_ROWS if pictures else FIRST_ROWS)  # fmt: skip
    seen.columns = list(columns)
    specs, seen.roles = seen.artefact.signature.outputs, _kinds.roles(columns)
    rest = {name: one for name, one in columns.items() if name != seen.roles}
    seen.label = _guess.label(rest, seen.artefact.signature)
    if seen.roles or (_kinds.embeds(specs) and _plain_label(columns, seen.label)):
        seen.kind = _kinds.SAME
    elif seen.label:
        seen.kind, seen.wide = _kinds.kind(columns[seen.label]), _kinds.width(columns[seen.label])
    seen.form = next(iter(table.gives.get("boxes", ())), "")
    seen.guesses = _guess.inputs(columns, seen.artefact.signature, seen.label)
    counted = [seen.label or next(iter(columns), "")]
    classes: set[Any] = set()
    for chunk in part.chunks(options, data.parent, counted, CHUNK_ROWS):
        seen.rows += len(chunk[counted[0]])
        if seen.label and len(classes) <= MOST_CLASSES and seen.kind in _NAMED and chunk[seen.label].ndim == 1:
            classes.update(_names(chunk[seen.label].tolist(), seen.kind))
    plain = len(classes) <= MOST_CLASSES and all(isinstance(one, str | int | float) for one in classes)
    seen.classes = sorted(classes) if plain else []  # what a study can't write (bytes, dates) stays unsaid
    return columns


def _plain_label(columns: Mapping[str, Array], label: str | None) -> bool:
    """Whether the labels may say what a row shows: a word or a whole number each."""
    return label is None or _kinds.kind(columns[label]) == _kinds.CLASS


_NAMED = (_kinds.CLASS, _kinds.MANY)


def _names(labels: list[Any], kind: str) -> set[Any]:
    """The classes that labels name: of several in one text each by itself; `-` names none."""
    if kind != _kinds.MANY:
        return set(labels)
    return {name.strip() for text in labels for name in str(text).split(_kinds.APART)} - {"", "-"}


def _sources(table: PartInfo, data: Path, artefact: Artefact) -> list[dict[str, Any]]:
    """How the data set may be stated, the likeliest first; files by their whole path."""
    if not table.gives.get("known"):
        return [{"path": str(data.absolute())}]
    shapes = [one.shape or () for one in artefact.signature.inputs]
    ways = catalog.load(table).ways(data.absolute(), shapes)
    return [{name: str(one) if isinstance(one, Path) else one for name, one in way.items()} for way in ways]


def _readable(part: Any, options: Any, folder: Path, names: list[str], rows: int) -> dict[str, Array]:
    """The first rows of those columns that can be read as arrays; others feed no model and are offered nowhere.

    A few that can't be read among many are found by halving. Where nearly none can, what isn't reached in so many tries is left out.
    Raises `DataError` where none can.
    """
    found: dict[str, Array] = {}
    waiting = [names]
    refusal: DataError | None = None
    for _ in range(MOST_TRIES):
        if not waiting:
            break
        some = waiting.pop()
        try:
            first = next(iter(part.chunks(options, folder, some, rows)))
            found |= {name: first[name] for name in some}
        except DataError as error:
            refusal = refusal or error
            middle = len(some) // 2
            waiting += [half for half in (some[middle:], some[:middle]) if middle]
    if refusal is not None and not found:
        raise refusal
    return {name: found[name] for name in names if name in found}


def _let_it_answer(
    seen: Seen, columns: Mapping[str, Array], guesses: dict[str, Guess], rows: tuple[PartInfo, Path]
) -> None:
    """Run the first rows, if a runtime is here: outputs show whether they are probabilities, and bytes their scale."""
    session = _session(seen.artefact)
    if session is None:
        return
    truth = _truth(seen, columns)
    try:
        if seen.kind == _kinds.BOXES:
            guesses = _boxes(seen, columns, guesses, rows, lambda values: _predict(session, seen, values))
        guesses = _guess.scaled(guesses, columns, truth, lambda rows: _chosen(_predict(session, seen, rows)))
        seen.guesses = dict(guesses)
        answers = _predict(session, seen, _guess.values(guesses, columns))
        seen.answers = {name: Answer(_guess.means(name, one), _width(one)) for name, one in answers.items()}
        _order_classes(seen, answers, truth)
    except Exception as error:  # noqa: BLE001 - a runtime may raise anything; the draft then says less
        seen.guesses = {
            name: Guess(guess.input, f"CHECK: the model didn't take these rows: {str(error).splitlines()[0][:80]}")
            for name, guess in guesses.items()
        }
    finally:
        session.close()


def _boxes(
    seen: Seen, columns: Mapping[str, Array], guesses: dict[str, Guess], rows: tuple[PartInfo, Path], answer: Any
) -> dict[str, Guess]:
    """Find how boxes are written, and by which numbers their classes go; the guesses with the scale under which they are met."""
    said = list(_kinds.outputs(seen.kind, seen.wide, seen.artefact.signature.outputs, seen.classes))
    task = next((one for one in catalog.parts("tasks").values() if seen.kind in one.gives.get("labels", ())), None)
    if seen.label is None or task is None or not said:
        return guesses
    module, labels = catalog.load(task), columns[seen.label]
    best = _found_boxes.met(module, said, labels, columns, guesses, seen.form, answer)
    if best is None:
        return guesses
    for other in seen.others:
        again = _relabelled(rows, other, seen.label, len(labels))
        found = _found_boxes.met(module, said, again, columns, best.guesses, seen.form, answer)
        if found is not None and found.with_class > best.with_class:
            best, seen.source = found._replace(ways=best.ways), other
    seen.boxes_note = _found_boxes.note(best, len(labels))
    if best.share >= _found_boxes.ENOUGH:
        seen.boxes = best.boxes.model_dump(mode="json", exclude_defaults=True)
        return best.guesses
    return guesses


def _relabelled(rows: tuple[PartInfo, Path], source: dict[str, Any], label: str, count: int) -> Array:
    table, data = rows
    chunk = next(iter(catalog.load(table).chunks(catalog.options(table, source), data.parent, [label], count)))
    return np.asarray(chunk[label])


def _width(answers: Array) -> int:
    return int(answers.reshape(len(answers), -1).shape[1])


def _order_classes(seen: Seen, answers: Mapping[str, Array], truth: Array | None) -> None:
    """Put classes that are words into the order of the outputs that chose them, where the first rows show it."""
    if truth is None or all(isinstance(one, int) for one in seen.classes):
        return
    chosen = _chosen(answers)
    order = _guess.assigned(chosen, truth[: len(chosen)], len(seen.classes))
    if order is not None:
        seen.classes, seen.tried = [seen.classes[index] for index in order], True


def _session(artefact: Artefact) -> Session | None:
    for runtime in runtimes(artefact):
        try:
            session: Session = catalog.load(runtime).open(artefact, Setting(), catalog.options(runtime))
        except SeatrialError:
            continue
        return session
    return None


def _predict(session: Session, seen: Seen, values: Values) -> dict[str, Array]:
    """Answers to all of these rows, some at a time: a large batch of images would fill the memory."""
    count = len(next(iter(values.values())))
    step = seen.artefact.signature.fixed_batch or ROWS_A_CALL
    pieces = [
        session.predict({name: value[start : start + step] for name, value in values.items()})
        for start in range(0, count, step)
    ]
    return {name: np.concatenate([np.asarray(piece[name]) for piece in pieces]) for name in pieces[0]}


def _chosen(answers: Mapping[str, Array]) -> Array:
    """The class that answers choose, by the first output that has one number a class."""
    found = [one.reshape(len(one), -1) for one in answers.values() if one.dtype.kind == "f"]
    return np.asarray(np.argmax(found[0], axis=1))


def _truth(seen: Seen, columns: Mapping[str, Array]) -> Array | None:
    if seen.label is None or not seen.classes or seen.kind != _kinds.CLASS:
        return None
    places = {value: at for at, value in enumerate(seen.classes)}
    found = [places.get(value, -1) for value in columns[seen.label].tolist()]
    return None if -1 in found else np.array(found)  # an empty label: nothing can be told from it


def runtimes(artefact: Artefact) -> Iterator[PartInfo]:
    """What can run this format on this machine's processor."""
    for part in catalog.parts("runtimes").values():
        fits = part.takes("format", artefact.format) and part.takes("device", "cpu") and part.takes("precision", "fp32")
        if fits and not catalog.absent(part) and catalog.load(part).absent("cpu") is None:
            yield part
