"""Whether it may be tried what a model tells of its rows: by the study's leave, and by what is stated of the rows themselves.

A statement is respected wherever it stands: in the `lineage` that the study names, and in a `lineage.yaml` that lies beside the rows, so that
a study that doesn't name it gets no further.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

from seatrial.contracts.confiding import Privacy
from seatrial.contracts.finding import Finding, Origin
from seatrial.contracts.provenance import Provenance
from seatrial.contracts.rows import EVALUATION, Role
from seatrial.contracts.study import Data, Study
from seatrial.flow._roles import offers
from seatrial.flow.provenance import read_lineage
from seatrial.flow.trial import now

LINEAGE = "lineage.yaml"


def refusal(study: Study, folder: Path, asked: Privacy) -> str:
    """Why nothing is tried; empty where it may be. Raises `StudyError` for a statement that can't be read."""
    for name, data in study.data.items():
        if any(offers(data.roles, role) for role in (Role.TRAIN, *EVALUATION)):
            for file, stated in _statements(data, folder):
                if why := _forbids(stated):
                    return f"the rows of `{name}`: {why} ({file})"
    if asked.permitted is None:
        return "the study carries no leave of whoever answers for the rows (`measure.privacy.permitted`)"
    return ""


def permission(asked: Privacy) -> Finding | None:
    """Whose leave there is, as the study states it."""
    leave = asked.permitted
    if leave is None:
        return None
    words = f"{leave.owner} allowed on {leave.dated} that it is tried: {leave.words}"
    return Finding(what="privacy.permitted", value=words, origin=Origin.DECLARED, method="as the study states it", measured_at=now())  # fmt: skip


def _statements(data: Data, folder: Path) -> Iterator[tuple[Path, Provenance]]:
    """What the study names, and what lies beside the files that rows are read from."""
    named = [folder / data.lineage] if data.lineage else []
    beside = [place / LINEAGE for place in _places(data.source.options, folder)]
    for file in dict.fromkeys(one.resolve() for one in (*named, *beside)):
        if file.is_file() or file in {one.resolve() for one in named}:
            yield file, read_lineage(file)


def _places(options: object, folder: Path) -> Iterator[Path]:
    """The folders of all that a data set's options name as a file, whether it is there yet or not."""
    if isinstance(options, dict | list | tuple):
        for value in options.values() if isinstance(options, dict) else options:
            yield from _places(value, folder)
    elif isinstance(options, str) and options:
        file = folder / options
        yield from (one for one in (file.parent, file.resolve().parent) if Path(options).suffix or file.exists())
        yield file


def _forbids(stated: Provenance) -> str:
    if stated.privacy_tests == "never":
        return "their owner says that nobody may try what a model tells of them"
    if stated.delete_after is not None and stated.delete_after < datetime.datetime.now(datetime.UTC).date():
        return f"they had to be gone after {stated.delete_after}"
    personal = stated.personal.strip().lower()
    if (
        personal
        and not personal.startswith(("none", "no "))
        and stated.privacy_tests != "allowed"
        and not stated.consent
    ):
        return "they hold personal data, and nobody has said what these people agreed to (`consent`)"
    return ""
