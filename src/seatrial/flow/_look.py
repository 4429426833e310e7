"""Looks at a model file and its data: reads what they say of themselves, and lets the model answer the first rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Session, Setting
from seatrial.contracts.values import Values
from seatrial.errors import DataError, ModelError, SeatrialError
from seatrial.flow import _guess
from seatrial.flow._guess import Array, Guess

FIRST_ROWS = 256
CHUNK_ROWS = 65_536
MOST_CLASSES = 10_000


@dataclass
class Seen:
    """What was found out of the model and the data."""

    artefact: Artefact
    columns: dict[str, Array] = field(default_factory=dict)
    label: str | None = None
    classes: list[Any] = field(default_factory=list)
    rows: int = 0
    guesses: dict[str, Guess | None] = field(default_factory=dict)
    answers: dict[str, Array] = field(default_factory=dict)
    tried: bool = False  # whether the order of the classes comes from what the model answered


def by_suffix(kind: str, path: Path) -> PartInfo:
    """The part that reads files of this suffix, or a folder of such files or of folders of them."""
    suffixes = _suffixes(path)
    for part in catalog.parts(kind).values():
        formats = [f".{name}" for name in part.gives.get("format", ())]
        if suffixes & {*part.gives.get("suffix", formats)}:
            catalog.require(part)
            return part
    error = ModelError if kind == "subjects" else DataError
    step = f"`seatrial parts {kind}` lists what can be read"
    for part in catalog.parts(kind).values():
        for what, (_, reason) in part.cannot.items():
            if suffixes & set(what.split(", ")):  # what a part refuses by its suffix, and what to do instead
                raise error(f"{path} can't be used: {reason}", next_step=step)
    raise error(f"no part reads {path}", next_step=step)


def _suffixes(path: Path) -> set[str]:
    """Of the file, of those in a folder, or, where a folder holds folders alone, of those in them."""
    if not path.is_dir():
        return {path.suffix}
    there = list(path.iterdir())
    below = [one for folder in there for one in folder.iterdir()] if all(one.is_dir() for one in there) else there
    return {one.suffix.lower() for one in below}


def see(subject: PartInfo, model: Path, table: PartInfo | None, data: Path | None) -> Seen:
    artefact: Artefact = catalog.load(subject).read(catalog.options(subject, {"path": model.name}), model.parent)
    seen = Seen(artefact)
    if table is not None and data is not None:
        _look_at_rows(seen, table, data)
    with_guesses = {name: guess for name, guess in seen.guesses.items() if guess}
    if with_guesses and len(with_guesses) == len(seen.guesses):
        _let_it_answer(seen, with_guesses)
    return seen


def _look_at_rows(seen: Seen, table: PartInfo, data: Path) -> None:
    part, options = catalog.load(table), catalog.options(table, {"path": data.name})
    for name in part.columns(options, data.parent):
        try:
            seen.columns[name] = next(iter(part.chunks(options, data.parent, [name], FIRST_ROWS)))[name]
        except DataError:
            continue  # a column that can't be read as an array feeds no model; it is offered nowhere
    seen.label = _guess.label(seen.columns, seen.artefact.signature)
    seen.guesses = _guess.inputs(seen.columns, seen.artefact.signature, seen.label)
    counted = [seen.label or next(iter(seen.columns), "")]
    classes: set[Any] = set()
    for chunk in part.chunks(options, data.parent, counted, CHUNK_ROWS):
        seen.rows += len(chunk[counted[0]])
        if seen.label and len(classes) <= MOST_CLASSES:
            classes.update(chunk[seen.label].tolist())
    seen.classes = sorted(classes) if len(classes) <= MOST_CLASSES else []


def _let_it_answer(seen: Seen, guesses: dict[str, Guess]) -> None:
    """Run the first rows, if a runtime is here: outputs show whether they are probabilities, and bytes their scale."""
    session = _session(seen.artefact)
    if session is None:
        return
    try:
        guesses = _guess.scaled(
            guesses, seen.columns, _truth(seen), lambda rows: _chosen(_predict(session, seen, rows))
        )
        seen.guesses = dict(guesses)
        seen.answers = _predict(session, seen, _guess.values(guesses, seen.columns))
        _order_classes(seen)
    except Exception as error:  # noqa: BLE001 - a runtime may raise anything; the draft then says less
        seen.guesses = {
            name: Guess(guess.input, f"CHECK: the model didn't take these rows: {str(error).splitlines()[0][:80]}")
            for name, guess in guesses.items()
        }
    finally:
        session.close()


def _order_classes(seen: Seen) -> None:
    """Put classes that are words into the order of the outputs that chose them, where the first rows show it."""
    truth = _truth(seen)
    if truth is None or all(isinstance(one, int) for one in seen.classes):
        return
    chosen = _chosen(seen.answers)
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
    """Answers to all of these rows, in calls of as many rows as the file takes."""
    count = len(next(iter(values.values())))
    step = seen.artefact.signature.fixed_batch or count
    pieces = [
        session.predict({name: value[start : start + step] for name, value in values.items()})
        for start in range(0, count - step + 1, step)
    ]
    return {name: np.concatenate([np.asarray(piece[name]) for piece in pieces]) for name in pieces[0]}


def _chosen(answers: Mapping[str, Array]) -> Array:
    """The class that answers choose, by the first output that has one number a class."""
    found = [one.reshape(len(one), -1) for one in answers.values() if one.dtype.kind == "f"]
    return np.asarray(np.argmax(found[0], axis=1))


def _truth(seen: Seen) -> Array | None:
    if seen.label is None or not seen.classes:
        return None
    return np.array([seen.classes.index(value) for value in seen.columns[seen.label].tolist()])


def runtimes(artefact: Artefact) -> Iterator[PartInfo]:
    """What can run this format on this machine's processor."""
    for part in catalog.parts("runtimes").values():
        fits = part.takes("format", artefact.format) and part.takes("device", "cpu") and part.takes("precision", "fp32")
        if fits and not catalog.absent(part) and catalog.load(part).absent("cpu") is None:
            yield part
