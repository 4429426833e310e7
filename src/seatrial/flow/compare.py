"""Compares two files of outputs that were made elsewhere: the whole paired analysis without running a model.

What people don't say of the files is found out, and a study of two candidates is put together in code, which could as well be run: its
models are outputs made elsewhere, as `flow.elsewhere` reads them. Its metrics are counted over the rows that are held already, and
the verdict and the reports are made as for any other study. Every finding that comes from the files has the origin `imported`.
"""

from __future__ import annotations

import datetime
import hashlib
import os
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
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Levels, Plan, Planned
from seatrial.contracts.quality import Batch
from seatrial.contracts.recorded import Recorded, made_elsewhere
from seatrial.contracts.study import Data, Grid, Measure, Model, Output, Reference, Study, classes_of
from seatrial.contracts.verdict import Verdict
from seatrial.errors import StudyError
from seatrial.flow._look import by_suffix
from seatrial.flow._match import Matched, Means, Table, match
from seatrial.flow._meaning import meaning
from seatrial.flow.counted import Asked, Judged, Pieces, count
from seatrial.flow.decide import decide, requirements_read
from seatrial.flow.elsewhere import DECIDED, PLAIN_CLASSES, as_imported
from seatrial.flow.environment import version
from seatrial.flow.keep import home
from seatrial.flow.publish import publish
from seatrial.flow.quality import PIECE, Answers, about, attributed, batches, distinct
from seatrial.flow.stated import state, without
from seatrial.flow.trial import now
from seatrial.flow.whole import state as state_whole

NAMES = ("reference", "candidate")
OUTPUT = "outputs"
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
    plan = _plan(reference, candidate, reading, made, output, require, confidence)
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


class _StandIn(NamedTuple):
    """What stands for outputs made elsewhere: the form in which they arrive and the runtime that takes it and runs nothing."""

    form: PartInfo
    runtime: PartInfo

    def candidate(self, model: str) -> Candidate:
        """A candidate of that model, on whatever device and in whatever precision it was."""
        known = {aspect: self.runtime.only(aspect) for aspect in ("device", "precision")}
        stated = {aspect: value for aspect, value in known.items() if value}
        return Candidate(model=model, runtime=PartRef(name=self.runtime.name), **stated)


def _stand_in() -> _StandIn:
    runtime = next(part for part in catalog.parts("runtimes").values() if made_elsewhere(part))
    for form in catalog.parts("subjects").values():
        if any(runtime.takes("format", given) for given in form.gives.get("format", (form.name,))):
            return _StandIn(form, runtime)
    raise StudyError(f"no subject gives what {runtime.name} takes")


def _plan(
    reference: Path,
    candidate: Path,
    reading: Reading,
    made: Matched,
    output: Output,
    require: Sequence[PartRef],
    confidence: float,
) -> Plan:
    """A plan of two candidates, as a study file beside the reference would have asked for."""
    files = dict(zip(NAMES, (reference, candidate), strict=True))
    folder, stand_in = reference.parent, _stand_in()
    labelled = next((path for path in files.values() if reading.label in Table(path).names), reference)
    candidates = {name: stand_in.candidate(name) for name in NAMES}
    study = Study(
        name=f"{candidate.name} against {reference.name}",
        description="two files of outputs made elsewhere; no model was run",
        models={
            name: Model(
                forms={stand_in.form.name: _recorded(path, folder, reading, made)},
                task=PartRef(name=reading.task),
                inputs={},
                outputs={OUTPUT: output},
            )
            for name, path in files.items()
        },
        data={"rows": Data.model_validate({"from": _source(labelled, folder), "label": reading.label})},
        candidates=(
            Grid(
                model=NAMES,
                runtime=(PartRef(name=stand_in.runtime.name),),
                device=tuple({one.device for one in candidates.values()}),
                precision=tuple({one.precision for one in candidates.values()}),
            ),
        ),
        reference=Reference(model=NAMES[0]),
        measure=Measure(loads=(), meters=(), metrics=tuple(PartRef(name=one.name) for one in metrics(reading.task))),
        require=tuple(require),
        confidence=confidence,
    )
    labels = [path.stem for path in files.values()]
    planned = tuple(
        Planned(
            candidate=candidates[name],
            label=label if len(set(labels)) > 1 else name,
            form=stand_in.form.name,
            reference=name == NAMES[0],
            eligible=name != NAMES[0],
        )
        for name, label in zip(NAMES, labels, strict=True)
    )
    return Plan(
        study=study,
        folder=str(folder),
        file=str(reference),
        candidates=planned,
        dropped=(),
        levels=Levels(gate=1 - 2 * (1 - confidence)),
        rounds=(1, 1),
    )


def _recorded(path: Path, folder: Path, reading: Reading, made: Matched) -> dict[str, Any]:
    """One file as a study would name it."""
    source = Recorded.model_validate(
        {"from": _source(path, folder), "columns": made.columns, "key": reading.key, "decided": made.decided}
    )
    return source.model_dump(mode="json", exclude_defaults=True)


def _source(path: Path, folder: Path) -> dict[str, Any]:
    """The data set that reads a file, its path told from the study's folder."""
    return {by_suffix("datasets", path).name: {"path": os.path.relpath(path, folder)}}


def metrics(task: str) -> list[PartInfo]:
    """The metrics of a task that need no option to be given."""
    return [part for part in catalog.parts("metrics").values() if part.takes("task", task) and not _asks(part)]


def _asks(part: PartInfo) -> bool:
    return any(field.is_required() for field in catalog.options_type(catalog.load(part)).model_fields.values())


# --- what is found ------------------------------------------------------------------------------------------------------------


def _findings(plan: Plan, made: Matched, task: PartInfo) -> Iterator[Finding]:
    """All findings of both candidates; those that a requirement reads are stated at the level that decides, too."""
    read = {what for what, _ in requirements_read(plan)}
    levels = [plan.levels.describe, *([plan.levels.gate] if read else [])]
    rows, judged = _rows(plan, made, task), Judged()
    metrics = [Asked(catalog.find("metrics", ref.name), ref.options) for ref in plan.study.measure.metrics]
    readable = [one for one in metrics if not made.decided or one.info.takes("answers", DECIDED)]
    at_once = [one for one in readable if one.info.whole]
    counting = [one for one in readable if not one.info.whole]
    alone = [one for one in counting if not one.info.paired]
    reference = count(alone, _side(rows, True), judged, dealt=True)
    for planned in plan.candidates:
        asked, pieces = (alone if planned.reference else counting), _side(rows, planned.reference)
        own = reference if planned.reference else count(asked, pieces, judged, dealt=True)
        stated = list(state(asked, pieces, judged, own, None if planned.reference else reference, levels))
        able = [one for one in at_once if not (planned.reference and one.info.paired)]
        theirs = None if planned.reference else _side(rows, True)
        stated += state_whole(able, pieces, theirs, judged, levels, "reference")
        for info in (
            one.info for one in metrics if one not in readable and not (planned.reference and one.info.paired)
        ):
            stated += [(info, one) for one in without(info, PLAIN_CLASSES, State.UNSUPPORTED)]
        found = [
            one
            for info, each in stated
            for one in attributed([each], info, planned.candidate.id, plan.reference.candidate.id)
        ]
        for one in distinct(found):
            if one.level in (None, levels[0]) or one.what in read:
                yield from as_imported([one])


def _side(rows: Callable[[], Iterator[Batch]], reference: bool) -> Pieces:
    """The candidate's pieces, or the reference's own."""

    def pieces() -> Iterator[tuple[int, Batch]]:
        start = 0
        for batch in rows():
            yield start, replace(batch, answers=batch.reference or {}, reference=None) if reference else batch
            start += len(next(iter(batch.answers.values())))

    return pieces


def _rows(plan: Plan, made: Matched, task: PartInfo) -> Callable[[], Iterator[Batch]]:
    """The rows in the task's terms, over and over: worked out once where they are few enough to be held."""
    part, outputs = catalog.load(task), plan.study.models[NAMES[0]].outputs
    truth = None if made.truth is None else part.labels(made.truth, outputs)
    own, other = (_taking(side, made.decided, part, outputs) for side in (made.candidate, made.reference))
    total = len(made.reference)
    width = len(outputs[OUTPUT].classes) if made.decided else made.reference[:1].size
    piece = max(1, min(PIECE, PIECE_CELLS // width))

    def pieces() -> Iterator[Batch]:
        return batches(total, own, other, truth, classes_of(outputs), piece, about(outputs, truth))

    if total * width > HELD_CELLS:
        for _ in pieces():
            pass  # outputs that the task can't read are refused here, not by each metric
        return pieces
    held = list(pieces())
    return lambda: iter(held)


def _taking(side: Any, decided: bool, task: Any, outputs: dict[str, Output]) -> Answers:
    """Answers of rows of one file; a predicted class as 1 for that class and 0 for the others."""
    if not decided:
        return lambda start, stop: task.answers({OUTPUT: side[start:stop]}, outputs)
    chosen, order = task.labels(side, outputs), np.arange(len(outputs[OUTPUT].classes))
    return lambda start, stop: task.answers({OUTPUT: (chosen[start:stop, None] == order).astype(np.float32)}, outputs)


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
