"""Files that are being made lie in a folder of their own, and come to their place together when all are done: nothing half-made is ever there."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from seatrial.contracts.artefact import Artefact

BEGUN = ".partial-"
"""How the names of files and folders begin that are still being made."""
ABANDONED_S = 3600.0


@contextlib.contextmanager
def unfinished(place: Path) -> Iterator[Path]:
    """A new folder beside the place. What is still in it at the end, after a failure or Ctrl-C too, is removed."""
    folder = place.parent.resolve() / f"{BEGUN}{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finished(artefact: Artefact, folder: Path, place: Path) -> Artefact:
    """The artefact with its folder moved to its place; one without files there (a step, a model as it came) as it is."""
    inside = {role: Path(file) for role, file in artefact.files.items() if Path(file).is_relative_to(folder)}
    if not inside:
        return artefact
    place = place.parent.resolve() / place.name
    try:
        folder.replace(place)
    except (
        OSError
    ):  # something lies there: of a run that was killed before it was noted, or that made the same beside this one
        shutil.rmtree(place, ignore_errors=True)
        folder.replace(place)
    moved = {role: str(place / file.relative_to(folder)) for role, file in inside.items()}
    return artefact.model_copy(update={"files": artefact.files | moved})


def abandoned(home: Path) -> Iterator[Path]:
    """What a killed run left unfinished more than an hour ago: one beside this run keeps its own."""
    for path in home.rglob(f"{BEGUN}*"):
        with contextlib.suppress(FileNotFoundError):  # it was finished this moment
            changed = max(one.stat().st_mtime for one in (path, *path.rglob("*")))
            if time.time() - changed > ABANDONED_S:
                yield path


def remove(path: Path) -> None:
    """Remove a file or a folder; one that is gone is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
