"""Compares two files of outputs that were made elsewhere: the whole paired analysis without running a model.

A study of two candidates is put together in code, its metrics are counted over the files' rows, and the verdict and the
reports are made as for any other study. Every finding that comes from the files has the origin `imported`.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.candidate import Candidate, PartRef
from seatrial.contracts.dossier import Dossier, Entry, Run
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Levels, Plan, Planned
from seatrial.contracts.protocols import Batch
from seatrial.contracts.study import Data, Grid, Measure, Model, Output, Reference, Study
from seatrial.contracts.verdict import Verdict
from seatrial.errors import StudyError
from seatrial.flow._look import by_suffix
from seatrial.flow._match import Matched, Means, match
from seatrial.flow._meaning import meaning
from seatrial.flow.decide import decide, requirements_read
from seatrial.flow.environment import version
from seatrial.flow.keep import home
from seatrial.flow.publish import publish
from seatrial.flow.quality import PIECE, attributed, batches, distinct, tried, without
from seatrial.flow.trial import now

NAMES = ("reference", "candidate")
OUTPUT = "outputs"
ELSEWHERE, UNKNOWN = "predictions", "unknown"
DECIDED = "predicted"  # what metrics may accept: no number for each class, only the class
NOTHING_ASKED = "Nothing was required, so nothing is decided: set a margin (`--margin 0.5pp`) to have the drop judged."
PIECE_CELLS, HELD_CELLS = 2**22, 2**24


class Reading(NamedTuple):
    """How the files are to be read. What is left empty is found out, or isn't there."""

    task: str
    label: str | None = None
    key: str | None = None
    columns: Sequence[str] = ()
    classes: Sequence[str] = ()
    means: Means | None = None


def compare(
    reference: Path,
    candidate: Path,
    reading: Reading,
    require: Sequence[PartRef] = (),
    confidence: float = 0.95,
    out: Path | None = None,
) -> Dossier:
    """The dossier of a comparison, whose reports lie in `out` (default `.seatrial/compare/<names>` beside the reference).

    Raises `DataError` for files that can't be read or matched, `StudyError` and `UnknownPart` for what can't be asked.
    """
    begun, clock = now(), time.monotonic()
    task = catalog.find("tasks", reading.task)
    made = match(reference, candidate, reading.label, reading.key, reading.columns)
    output = meaning(made, task, reading.means, reading.classes)
    plan = _plan(reference, candidate, reading, output, require, confidence)
    findings = tuple(_findings(plan, made, task))
    stamp = f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    dossier = Dossier(
        run=Run(
            id=stamp,
            study_file=str(reference),
            started=begun,
            finished=now(),
            seconds=round(time.monotonic() - clock, 3),
            seatrial=version("seatrial"),
        ),
        study=plan.study.model_dump(mode="json"),
        candidates=tuple(
            Entry(**one.model_dump(include={"candidate", "label", "reference", "eligible"}), id=one.candidate.id)
            for one in plan.candidates
        ),
        findings=findings,
        verdict=_verdict(plan, findings),
        environment=_told(made, output, (reference, candidate)),
    )
    return _published(dossier, out or default_folder(reference, candidate))


def default_folder(reference: Path, candidate: Path) -> Path:
    """Where the reports of a comparison lie unless another folder is named."""
    return home(reference.parent) / "compare" / _name(reference, candidate)


def _name(reference: Path, candidate: Path) -> str:
    return "-".join(re.sub(r"[^\w.]+", "_", path.stem) for path in (reference, candidate))


def _published(dossier: Dossier, folder: Path) -> Dossier:
    """The dossier, its reports written; a report that could not be written is a finding."""
    lost = [
        missing("report", State.FAILED, why, at={"report": name})
        for name, why in publish(dossier, folder).failures.items()
    ]
    return dossier.model_copy(update={"findings": (*dossier.findings, *lost)})


def _verdict(plan: Plan, findings: Sequence[Finding]) -> Verdict:
    verdict = decide(plan, findings)
    return verdict if plan.study.require else verdict.model_copy(update={"sentence": NOTHING_ASKED})


# --- the study that this is ---------------------------------------------------------------------------------------------------


def _plan(
    reference: Path, candidate: Path, reading: Reading, output: Output, require: Sequence[PartRef], confidence: float
) -> Plan:
    """A plan of two candidates, as a study file would have asked for."""
    files = dict(zip(NAMES, (reference, candidate), strict=True))
    study = Study(
        name=f"{candidate.name} against {reference.name}",
        description="two files of outputs made elsewhere; no model was run",
        models={
            name: Model(
                forms={ELSEWHERE: {"path": str(path)}},
                task=PartRef(name=reading.task),
                inputs={},
                outputs={OUTPUT: output},
            )
            for name, path in files.items()
        },
        data={name: _data(path, reading.label) for name, path in files.items()},
        candidates=(Grid(model=NAMES, runtime=(PartRef(name=ELSEWHERE),), device=(UNKNOWN,), precision=(UNKNOWN,)),),
        reference=Reference(model=NAMES[0]),
        measure=Measure(loads=(), meters=(), metrics=tuple(PartRef(name=one.name) for one in metrics(reading.task))),
        require=tuple(require),
        confidence=confidence,
    )
    labels = [path.stem for path in files.values()]
    planned = tuple(
        Planned(
            candidate=Candidate(model=name, runtime=PartRef(name=ELSEWHERE), device=UNKNOWN, precision=UNKNOWN),
            label=label if len(set(labels)) > 1 else name,
            form=ELSEWHERE,
            reference=name == NAMES[0],
            eligible=name != NAMES[0],
        )
        for name, label in zip(NAMES, labels, strict=True)
    )
    return Plan(
        study=study,
        folder=str(reference.parent),
        file=str(reference),
        candidates=planned,
        dropped=(),
        levels=Levels(gate=1 - 2 * (1 - confidence)),
        rounds=(1, 1),
    )


def metrics(task: str) -> list[PartInfo]:
    """The metrics of a task that need no option to be given."""
    return [part for part in catalog.parts("metrics").values() if part.takes("task", task) and not _asks(part)]


def _asks(part: PartInfo) -> bool:
    return any(field.is_required() for field in catalog.options_type(catalog.load(part)).model_fields.values())


def _data(path: Path, label: str | None) -> Data:
    part = by_suffix("datasets", path)
    return Data.model_validate({"from": {part.name: {"path": str(path)}}, "label": label})


# --- what is found ------------------------------------------------------------------------------------------------------------


def _findings(plan: Plan, made: Matched, task: PartInfo) -> Iterator[Finding]:
    """All findings of both candidates; those that a requirement reads are stated at the level that decides, too."""
    read = {what for what, _ in requirements_read(plan)}
    levels = [plan.levels.describe, *([plan.levels.gate] if read else [])]
    rows = _rows(plan, made, task)
    for planned in plan.candidates:
        for ref in plan.study.measure.metrics:
            info = catalog.find("metrics", ref.name)
            if planned.reference and info.paired:
                continue
            found = _of_metric(info, made, _side(rows(), planned.reference), levels)
            for one in distinct(attributed(found, info, planned.candidate.id, plan.reference.candidate.id)):
                if one.level in (None, levels[0]) or one.what in read:
                    yield one if one.value is None else one.model_copy(update={"origin": Origin.IMPORTED})


def _of_metric(info: PartInfo, made: Matched, pieces: Iterator[Batch], levels: list[float]) -> list[Finding]:
    if made.decided and not info.takes("answers", DECIDED):
        return without(info, "the files hold predicted classes, no number for each class", State.UNSUPPORTED)
    return tried(info, {}, pieces, levels)


def _side(pieces: Iterator[Batch], reference: bool) -> Iterator[Batch]:
    """The candidate's batches, or the reference's own."""
    for batch in pieces:
        yield replace(batch, answers=batch.reference or {}, reference=None) if reference else batch


def _rows(plan: Plan, made: Matched, task: PartInfo) -> Callable[[], Iterator[Batch]]:
    """The rows in the task's terms, over and over: worked out once where they are few enough to be held."""
    part, outputs = catalog.load(task), plan.study.models[NAMES[0]].outputs
    truth = None if made.truth is None else part.labels(made.truth, outputs)
    own, other = (_taking(side, made.decided, part, outputs) for side in (made.candidate, made.reference))
    count = len(made.reference)
    width = len(outputs[OUTPUT].classes) if made.decided else made.reference[:1].size
    piece = max(1, min(PIECE, PIECE_CELLS // width))

    def pieces() -> Iterator[Batch]:
        return batches(part, outputs, count, own, other, truth, piece)

    if count * width > HELD_CELLS:
        for _ in pieces():
            pass  # outputs that the task can't read are refused here, not by each metric
        return pieces
    held = list(pieces())
    return lambda: iter(held)


def _taking(side: Any, decided: bool, task: Any, outputs: dict[str, Output]) -> Callable[[int, int], dict[str, Any]]:
    """Rows of one file as outputs of a model; a predicted class as 1 for that class and 0 for the others."""
    if not decided:
        return lambda start, stop: {OUTPUT: side[start:stop]}
    chosen, width = task.labels(side, outputs), len(outputs[OUTPUT].classes)
    return lambda start, stop: {OUTPUT: (chosen[start:stop, None] == np.arange(width)).astype(np.float32)}


def _told(made: Matched, output: Output, files: tuple[Path, Path]) -> dict[str, Any]:
    """What a reader must know of how the files were read, and their hashes."""
    told: dict[str, Any] = {
        "outputs": "made elsewhere; no model was run",
        "rows": len(made.reference),
        "rows_matched_by": made.by,
        "read_as": "predicted classes" if made.decided else output.means,
        "read_from": list(made.columns),
        "classes": [str(one) for one in output.classes],
    }
    for name, path in zip(NAMES, files, strict=True):
        told[name] = str(path)
        if path.is_file():
            with path.open("rb") as file:
                told[f"{name}_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return told


def check(require: Sequence[PartRef]) -> None:
    """Raises `StudyError` for a requirement whose options are wrong, before any file is read."""
    for ref in require:
        try:
            catalog.options(catalog.find("rules", ref.name), ref.options)
        except ValidationError as error:
            why = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
            raise StudyError(f"`{ref}` can't be required: {why}", next_step=f"`seatrial explain {ref.name}`") from error
