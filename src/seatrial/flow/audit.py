"""Audits the data: lets every audit look at the tables, and keeps what they find as findings, the rows to look at as files.

audit.<name> {table, ...}         how many of what an audit looks for, with a severity; `.share`, and what else belongs to it
audit.rows {table}                how many rows were looked at
audit.column {table, column}      its type
audit.unread {table}              columns that could not be read
audit.serious, audit.minor        how many of the results are that severe: a requirement on them demands a clean audit

Audits that look at one table share one pass over its rows (two or three where one asks for another). Memory is a chunk of rows, 8 bytes a
row for the keyed hashes, and what each audit says it holds. An audit that raises loses its own findings and no others; what it raised is
told by its type and place alone, because its words may hold what stands in a row.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.audit import Auditing, Ground, Look, Table
from seatrial.contracts.finding import Finding, Severity, State, missing
from seatrial.contracts.part import PartInfo
from seatrial.contracts.study import Study
from seatrial.errors import DataError, SeatrialError
from seatrial.flow import _tables
from seatrial.flow.audit_kept import Kept, Said
from seatrial.flow.audit_rows import InDoubt, Marks, RowFiles, secret
from seatrial.flow.keep import home
from seatrial.flow.trial import now
from seatrial.numerics.row_hash import row_hashes

MOST_PASSES = 8
BEGINNING = 16
"""Rows that are read first, to leave out columns of a kind that can't be read."""
JUDGING = "evaluation"
MOST_LISTED = 200
"""Columns of a table that are listed with their types."""


@dataclass(frozen=True)
class Chosen:
    """An audit that will look, with its options."""

    part: PartInfo
    module: Any
    options: Any

    def lost(self, error: Exception, **at: str) -> Finding:
        """What stands for the findings of an audit that raised."""
        return missing(f"audit.{self.part.name}", State.FAILED, reason(error), at=at, **self.stamp())

    def stamp(self) -> dict[str, Any]:
        """Which part found it, and when."""
        return {"part": self.part.name, "part_version": self.part.version, "measured_at": now()}

    def stamped(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """Findings with part and date. Raises `ValueError` for one that isn't called after the part."""
        for one in found:
            if one.what.split(".")[:2] != ["audit", self.part.name]:
                raise ValueError(f"findings of this audit are called audit.{self.part.name}")
            yield one.model_copy(update=self.stamp())


def audit_study(
    study: Study, folder: Path, run: Path, watch: Callable[[str], None], kept: Kept
) -> tuple[list[Finding], list[Marks]]:
    """What the study asks for under `audit`; nothing where it doesn't. Rows to look at lie under `run`. Raises `DataError`.

    Beside the findings come the rows in doubt of each table that judges, in the order of the study.
    """
    if (asked := study.audit) is None:
        return [], []
    key = secret(home(folder))
    tables = _tables.of_study(study, folder, asked.ignore, key)
    doubts = InDoubt()
    found = audit(tables, asked, folder, run / "rows", key, watch, doubts, kept)
    judging = [table for table in tables.values() if table.role == JUDGING]
    return found, [(table.rows, doubts.marks.get(table.name, {})) for table in judging]


def audit(
    tables: Mapping[str, Table],
    asked: Auditing,
    folder: Path,
    rows: Path,
    key: bytes,
    watch: Callable[[str], None] = lambda name: None,
    doubt: Callable[[str, Table, NDArray[np.int64]], None] = lambda kind, table, rows: None,
    kept: Kept | None = None,
) -> list[Finding]:
    """Everything that the audits find in these tables; files of rows to look at are written under `rows`, named from `folder`.

    `watch` is told the name of each audit and table as it begins, `doubt` the rows that figures should be had without, too; what is `kept`
    of an earlier audit of the same rows isn't looked for again. Raises `UnknownPart` for an audit that isn't there, and `DataError`
    where a table can't be read at all or an option names a column that no table has.
    """
    kept = kept or Kept()
    chosen, found = choose(asked, folder)
    readable = {}
    for name, table in tables.items():
        table.annotators = asked.annotators
        readable[name], unread = _readable(table)
        found += unread
    ground = Ground(
        readable,
        level=asked.level,
        alarm=asked.alarm,
        memory=asked.memory,
        seed=asked.seed,
        sensitive=asked.sensitive,
        annotators=asked.annotators,
        population=asked.population,
        statistics=asked.statistics,
        keep_rows=RowFiles(rows, folder),
        hash_rows=lambda columns: row_hashes(columns, key),
        doubt=doubt,
    )
    alone = [one for one in chosen if one.part.takes("tables", "one")]
    for name, table in list(readable.items()):
        watch(name)
        try:
            found += _one(table, ground, alone, kept)
        except DataError:  # in a row further on: which columns have it?
            readable[name], unread = _readable(table, None)
            found += [*unread, *_one(readable[name], ground, alone, kept)]
    for one in chosen:
        if not one.part.takes("tables", "one"):
            watch(one.part.name)
            found += _all(one, ground, kept)
    return [*found, *_summary(found)]


# --- which audits ----------------------------------------------------------------------------------------------------------


def choose(asked: Auditing, folder: Path) -> tuple[list[Chosen], list[Finding]]:
    """The audits that will look, and a finding for each whose packages aren't installed. Raises `UnknownPart`."""
    for name in asked.without:
        catalog.find("audits", name, folder)
    named = [(catalog.find("audits", ref.name, folder), ref.options) for ref in asked.audits]
    listed = named or [(part, {}) for part in catalog.parts("audits").values()]
    chosen, found = list[Chosen](), list[Finding]()
    for part, given in listed:
        if not named and "named" in part.gives.get("when", ()):
            continue
        if part.name in asked.without or (not asked.models and "model" in part.gives.get("way", ())):
            continue
        if gone := catalog.absent(part):
            why = f"{', '.join(gone)} isn't installed: {part.install()}"
            found.append(missing(f"audit.{part.name}", State.NOT_INSTALLED, why, part=part.name, measured_at=now()))
        else:
            chosen.append(Chosen(part, catalog.load(part), catalog.options(part, given)))
    return chosen, found


# --- letting them look -------------------------------------------------------------------------------------------------------


def _readable(table: Table, rows: int | None = BEGINNING) -> tuple[Table, list[Finding]]:
    """The table without columns of which the first so many rows (None: any row) can't be read. Raises `DataError` where none can."""
    try:
        _read(table, [], rows)
    except DataError as error:
        unread = [name for name in table.columns if not _reads(table, name, rows)]
        kept = {name: words for name, words in table.columns.items() if name not in unread}
        if not kept or not unread:
            raise
        note = f"{', '.join(unread)}: {error.what}"
        lost = Finding(
            what="audit.unread",
            at={"table": table.name},
            value=len(unread),
            unit="columns",
            n=len(table.columns),
            unit_of_replication="columns",
            severity=Severity.MINOR,
            method="exact count",
            note=note,
            measured_at=now(),
        )
        made = replace(table, columns=kept)
        for what in ("label", "group", "order", "weight"):
            if getattr(table, what) in unread:
                setattr(made, what, None)
        return made, [lost]
    return table, []


def _reads(table: Table, name: str, rows: int | None) -> bool:
    try:
        _read(table, [name], rows)
    except DataError:
        return False
    return True


def _read(table: Table, names: Sequence[str], rows: int | None) -> None:
    """Read the first so many rows, or all."""
    for _ in islice(table.chunks(names, rows), 1 if rows else None):
        pass


@dataclass(frozen=True)
class _Looking:
    """An audit that looks at a table, and what it says of rows meanwhile."""

    chosen: Chosen
    look: Look
    said: Said


def _one(table: Table, ground: Ground, chosen: Sequence[Chosen], kept: Kept) -> list[Finding]:
    """What audits find in one table, in as few passes over its rows as they ask for."""
    found, looking = list[Finding](), list[_Looking]()
    at = {"table": table.name}
    for one in chosen:
        told = kept.recall(one.part, one.options, ground, [table])
        if told is not None:
            found += told
            continue
        said = Said(ground)
        try:
            if (look := one.module.begin(table, said.noted, one.options)) is not None:
                looking.append(_Looking(one, look, said))
        except Exception as error:  # noqa: BLE001 - an audit's fault, whatever it is, must not cost the others
            found.append(one.lost(error, **at))
    found += _passes(table, looking, at)
    found += [_looked_at(table), *_columns(table)]
    for each in looking:
        told = _collected(each.chosen, each.look.findings, at)
        kept.keep(each.chosen.part, each.chosen.options, [table], each.said, told)
        found += told
    return found


def _passes(table: Table, looking: list[_Looking], at: Mapping[str, str]) -> list[Finding]:
    """Let the rows pass as often as somebody asks for; those that raise are told, and taken off the list."""
    found, active, hashes = list[Finding](), list(looking), list[Any]()
    for turn in range(MOST_PASSES):
        known = table.kept_hashes is not None
        if not active and (turn or known or not table.columns):
            break
        rows = 0
        for chunk in table.chunks():
            rows += len(chunk)
            if not known:
                hashes.append(chunk.hashes)
            active = list(_seen(active, chunk, looking, found, at))
        if not known:
            table.kept_rows, table.kept_hashes = rows, np.concatenate(hashes or [np.empty(0, np.uint64)])
        active = [one for one in active if one.look.again]
    return found


def _seen(
    active: Sequence[_Looking],
    chunk: Any,
    looking: list[_Looking],
    found: list[Finding],
    at: Mapping[str, str],
) -> Iterator[_Looking]:
    """Show a chunk to each; those that raise are told and drop out."""
    for one in active:
        try:
            one.look.see(chunk)
        except Exception as error:  # noqa: BLE001 - as above
            found.append(one.chosen.lost(error, **at))
            looking.remove(one)
        else:
            yield one


def _all(one: Chosen, ground: Ground, kept: Kept) -> list[Finding]:
    """What an audit finds in all tables together."""
    tables = list(ground.tables.values())
    told = kept.recall(one.part, one.options, ground, tables)
    if told is None:
        said = Said(ground)
        told = _collected(one, lambda: one.module.look(said.noted, one.options), {})
        kept.keep(one.part, one.options, tables, said, told)
    return told


def _collected(one: Chosen, tell: Callable[[], Iterable[Finding]], at: Mapping[str, str]) -> list[Finding]:
    found = list[Finding]()
    try:
        found.extend(one.stamped(tell()))
    except Exception as error:  # noqa: BLE001 - as above
        found.append(one.lost(error, **at))
    return found


def reason(error: Exception) -> str:
    """Why, without a word that may come from a row: our own errors in their words, others by type and place."""
    if isinstance(error, SeatrialError):
        return error.what + (f" ({error.next_step})" if error.next_step else "")
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


# --- what is told of all ------------------------------------------------------------------------------------------------------


def _looked_at(table: Table) -> Finding:
    return Finding(
        what="audit.rows",
        at={"table": table.name},
        value=table.rows,
        unit="rows",
        n=table.rows,
        unit_of_replication="rows",
        method="exact count",
        note=f"{len(table.columns)} columns",
        measured_at=now(),
    )


def _columns(table: Table) -> Iterator[Finding]:
    """What a data sheet says of a table's composition: its columns with their types; of very wide tables the first."""
    for name, words in islice(table.columns.items(), MOST_LISTED):
        yield Finding(
            what="audit.column",
            at={"table": table.name, "column": name},
            value=words,
            method="as the file has it",
            measured_at=now(),
        )


def results(found: Iterable[Finding]) -> dict[tuple[str, str], Severity]:
    """The severest fault that each audit found in each table, by audit and table."""
    order = list(Severity)
    worst: dict[tuple[str, str], Severity] = {}
    for one in found:
        if one.severity is not None:
            key = (one.what.split(".")[1], str(one.at.get("table", "")))
            worst[key] = max(worst.get(key, Severity.FINE), one.severity, key=order.index)
    return worst


def _summary(found: Sequence[Finding]) -> Iterator[Finding]:
    told = results(found)
    for severity in (Severity.SERIOUS, Severity.MINOR):
        names = [" in ".join(filter(None, key)) for key, worst in told.items() if worst is severity]
        yield Finding(
            what=f"audit.{severity}",
            value=len(names),
            unit="results",
            better="lower",
            n=len(told),
            unit_of_replication="results",
            method=f"audits whose severest fault in a table is {severity}",
            note="; ".join(names[:20]) + (f"; and {len(names) - 20} more" if len(names) > 20 else ""),
            measured_at=now(),
        )
