"""Where the data of a study comes from: its content against what was approved, and what its owner states of it.

data.content      {data}          the content hash, and how many rows it was made from
data.approved     {data}          whether these are the bytes that were approved
lineage.<field>   {data}          what the owner states (declared); what isn't stated is missing, and asked for
lineage.stated    {data}          how many of the fields that a data sheet must have are stated
lineage.files     {data}          whether the files that the rows were made from still have the hashes stated
lineage.overdue   {data}          days since the day after which the rows must be gone
feature.<field>   {data, feature} what is stated of the features of a feature table: version, owner, approval
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.provenance import ASKED, Provenance
from seatrial.contracts.study import Data, Study
from seatrial.errors import SeatrialError, StudyError
from seatrial.flow import _yaml
from seatrial.flow._faults import faults
from seatrial.flow.contents import Source, content
from seatrial.flow.trial import now

MOST_WORDS = 2_000
"""Characters of a statement that a finding holds."""


def read_lineage(file: Path) -> Provenance:
    """What the owner states in a YAML file. Raises `StudyError` with file, line and column."""
    try:
        with file.open("rb") as stream:
            written = _yaml.text_of(stream, str(file))
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise StudyError(
            f"the lineage {file} can't be read: {words}", next_step="`seatrial explain lineage` says what it holds"
        ) from error
    text = _yaml.load(written, str(file))
    try:
        return Provenance.model_validate(text.content)
    except ValidationError as error:
        found = faults(error, Provenance, text)
        raise StudyError(found[0].what, where=found[0].where, next_step=found[0].next_step) from error


def provenance_findings(study: Study, folder: Path) -> list[Finding]:
    """What can be said of each data set, where the study says anything of where data comes from. Raises nothing but `StudyError`."""
    asked = study.audit is not None or any(one.approved or one.lineage for one in study.data.values())
    made = [one for name, data in study.data.items() for one in _of(name, data, folder, asked)]
    return [one.model_copy(update={"measured_at": now()}) for one in made]


def _of(name: str, data: Data, folder: Path, asked: bool) -> Iterator[Finding]:
    stated = read_lineage(folder / data.lineage) if data.lineage else Provenance()
    yield from _features(name, data, folder, stated)
    if not asked:
        return
    if data.approved or data.lineage:
        yield from _content(name, data, folder)
    yield from _stated(name, stated, data.lineage)
    if data.lineage:
        yield from _files(name, stated, (folder / data.lineage).parent)
    if stated.delete_after is not None:
        days = (datetime.datetime.now(datetime.UTC).date() - stated.delete_after).days
        note = f"they had to be gone after {stated.delete_after}" if days > 0 else ""
        yield Finding(
            what="lineage.overdue",
            at={"data": name},
            value=max(0, days),
            unit="days",
            better="lower",
            method=f"days since {stated.delete_after}, as stated",
            note=note,
        )


# --- content --------------------------------------------------------------------------------------------------------------


def _content(name: str, data: Data, folder: Path) -> Iterator[Finding]:
    at, any_order = {"data": name}, data.approved is not None and data.approved.any_order
    try:
        found = content(_source(data, folder), any_order)
    except SeatrialError as error:
        words = f"{error.what}; {error.next_step}" if error.next_step else error.what
        yield missing("data.content", State.FAILED, words, at=at)
        if data.approved:
            yield missing("data.approved", State.FAILED, f"the content can't be read: {error.what}", at=at)
        return
    rows: dict[str, Any] = {"n": found.rows, "unit_of_replication": "rows"}
    how = "rows in any order" if any_order else "rows in their order"
    method = f"SHA-256 over the values of all {len(found.columns())} columns, {how}, however the rows are stored"
    yield Finding(what="data.content", at=at, value=f"sha256:{found.digest()}", method=method, **rows)
    if data.approved is None:
        return
    same = found.digest() == data.approved.sha256
    who = " ".join(
        filter(None, [data.approved.by and f"by {data.approved.by}", data.approved.on and f"on {data.approved.on}"])
    )
    note = (
        ""
        if same
        else f"these aren't the bytes that were approved{' ' + who if who else ''}: sha256:{data.approved.sha256}"
    )
    method = "content hash against the one that was approved" + (f" {who}" if who else "")
    yield Finding(what="data.approved", at=at, value=same, better="higher", method=method, note=note, **rows)


def _source(data: Data, folder: Path) -> Source:
    info = catalog.find("datasets", data.source.name, folder)
    catalog.require(info)
    return Source(catalog.load(info), catalog.options(info, data.source.options), folder, str(data.source))


# --- what the owner states -------------------------------------------------------------------------------------------------


def _stated(name: str, stated: Provenance, file: str | None) -> Iterator[Finding]:
    at = {"data": name}
    for field in Provenance.model_fields:
        if field in ("files", "delete_after", "features"):
            continue
        words = _words(getattr(stated, field))
        if words:
            yield Finding(
                what=f"lineage.{field}", at=at, value=words, origin=Origin.DECLARED, method="as its owner states"
            )
        elif field in ASKED:
            meaning = Provenance.model_fields[field].description
            step = (
                f"`{field}:` in {file}" if file else f"`lineage: lineage.yaml` in the data set, with `{field}:` in it"
            )
            yield missing(f"lineage.{field}", State.FAILED, f"nobody has said {meaning}: add {step}", at=at)
    if not (stated.files or stated.queries):
        yield missing(
            "lineage.files", State.FAILED, "nobody has said which files or queries the rows were made from", at=at
        )
    said = sum(bool(_words(getattr(stated, field))) for field in ASKED) + bool(stated.files or stated.queries)
    yield Finding(
        what="lineage.stated",
        at=at,
        value=said,
        unit="fields",
        better="higher",
        n=len(ASKED) + 1,
        unit_of_replication="fields",
        method="fields of a data sheet that its owner has filled in, exact count",
    )


def _words(value: Any) -> str:
    joined = "; ".join(value) if isinstance(value, tuple) else str(value)
    return joined if len(joined) <= MOST_WORDS else f"{joined[:MOST_WORDS]}..."


def _files(name: str, stated: Provenance, folder: Path) -> Iterator[Finding]:
    """Whether the files that the rows were made from are those that are stated, as far as they are there."""
    if not stated.files:
        return
    told, same = [], True
    for one in stated.files:
        there = _hash(folder / one.path)
        if there is None:
            told.append(f"{one.path}: not here, or no plain file, so it can't be checked")
        elif one.sha256 and there != one.sha256.lower().removeprefix("sha256:"):
            same = False
            told.append(f"{one.path}: holds something else than is stated")
        elif not one.sha256:
            told.append(f"{one.path}: no hash is stated; it has sha256:{there}")
    checked = len(stated.files) - len([one for one in told if "something else" not in one])
    if not checked:
        yield missing("lineage.files", State.FAILED, "; ".join(told), at={"data": name})
        return
    yield Finding(
        what="lineage.files",
        at={"data": name},
        value=same,
        better="higher",
        n=checked,
        unit_of_replication="files",
        method="SHA-256 of the files that the rows were made from, against what is stated",
        note="; ".join(told),
    )


def _hash(file: Path) -> str | None:
    """The SHA-256 of a plain file; None for what isn't there, or is none: a device could be read for ever."""
    try:
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


# --- features of feature tables ---------------------------------------------------------------------------------------------


def _features(name: str, data: Data, folder: Path, lineage: Provenance) -> Iterator[Finding]:
    """What is stated of features: by the data set's part of each table of them (`stated`), and column by column in the lineage."""
    for column, note in lineage.features.items():
        where = f"under `features: {{{column}: ...}}` in {data.lineage}"
        yield from _noted({"data": name, "feature": column}, note.model_dump(), "as stated in the lineage", where)
    info = catalog.find("datasets", data.source.name, folder)
    stated = getattr(catalog.load(info), "stated", None)
    if stated is None:
        return
    try:
        catalog.require(info)
        told = stated(catalog.options(info, data.source.options), folder)
    except SeatrialError as error:
        yield missing("feature.owner", State.FAILED, error.what, at={"data": name}, method=error.next_step)
        return
    for feature, said in told.items():
        yield from _noted({"data": name, "feature": feature}, said, "as stated in the study", "beside its `path`")


def _noted(at: dict[str, str], said: Mapping[str, str], how: str, where: str) -> Iterator[Finding]:
    for field, words in said.items():
        if words:
            yield Finding(what=f"feature.{field}", at=at, value=_words(words), origin=Origin.DECLARED, method=how)
        else:
            why = f"nobody has said the {field} of `{at['feature']}`: add `{field}:` {where}"
            yield missing(f"feature.{field}", State.FAILED, why, at=at)
