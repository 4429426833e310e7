"""Audits data alone, without a model: one or two files, or the data sets of a study; and tells it as a report."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.audit import Auditing, Table
from seatrial.contracts.audited import Audited
from seatrial.contracts.finding import Finding
from seatrial.errors import DataError, Unsupported
from seatrial.flow import _tables
from seatrial.flow.audit import audit, results
from seatrial.flow.audit_kept import Kept
from seatrial.flow.audit_rows import secret
from seatrial.flow.environment import version
from seatrial.flow.keep import Keeper, home
from seatrial.flow.read import read
from seatrial.flow.trial import now

RECORD = "audit"


def audit_files(
    files: Mapping[str, Path],
    columns: Mapping[str, str | None],
    asked: Auditing,
    into: Path | None = None,
    watch: Callable[[str], None] = lambda name: None,
    limits: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> Audited:
    """What is wrong with files, by the role of each: `{"rows": ...}`, or `{"train": ..., "evaluation": ...}`.

    `columns` names the `label`, `group`, `order` and `weight`. Rows to look at are written under `into`, `.seatrial/audits/NAME` beside the first
    file if left out. `limits` are what a file may ask for; `fresh` looks again at rows whose results are kept. Raises `DataError` for files that can't be read and columns that aren't there, `UnknownPart` for audits.
    """
    first = next(iter(files.values()))
    folder, name = first.parent, "-".join(path.stem or path.name for path in files.values())
    key = secret(home(folder))
    tables = {role: _tables.of_file(path, role, columns, asked.ignore, key, limits) for role, path in files.items()}
    return _audited(name, tables, asked, folder, into, key, watch, Kept(Keeper(folder), fresh))


def audit_of_study(
    file: Path,
    asked: Auditing | None = None,
    into: Path | None = None,
    watch: Callable[[str], None] = lambda name: None,
    fresh: bool = False,
) -> Audited:
    """What is wrong with the data sets of a study; no model is run. What a run of it found is kept, and the other way about. Raises what `read` raises, too."""
    source = read(file)
    asked = asked or source.study.audit or Auditing()
    key = secret(home(source.folder))
    tables = _tables.of_study(source.study, source.folder, asked.ignore, key)
    kept = Kept(Keeper(source.folder, source.study.store), fresh)
    return _audited(source.study.name, tables, asked, source.folder, into, key, watch, kept)


def _audited(
    name: str,
    tables: Mapping[str, Table],
    asked: Auditing,
    folder: Path,
    into: Path | None,
    key: bytes,
    watch: Callable[[str], None],
    kept: Kept,
) -> Audited:
    started, clock = now(), time.monotonic()
    rows = (into or home(folder) / "audits" / re.sub(r"[^\w.-]+", "_", name)) / "rows"
    for old in rows.glob("*.csv"):  # of an earlier audit of the same name
        old.unlink()
    for one in tables.values():
        if not one.rows:
            raise DataError(
                "there are no rows", where=one.source, next_step="name a file with rows: none can have no fault"
            )
    found = audit(tables, asked, folder if into is None else Path(), rows, key, watch, kept=kept)
    return Audited(
        name=name,
        tables={one.name: _described(one) for one in tables.values()},
        findings=tuple(found),
        started=started,
        seconds=round(time.monotonic() - clock, 3),
        measured=kept.measured,
        reused=kept.reused,
        seatrial=version("seatrial"),
    )


def _described(table: Table) -> dict[str, Any]:
    named = {"label": table.label, "group": table.group, "order": table.order, "weight": table.weight}
    return {
        "role": table.role,
        "source": table.source,
        "columns": dict(table.columns),
        **{what: name for what, name in named.items() if name},
    }


def tell(made: Audited, name: str, options: dict[str, Any] | None = None) -> str:
    """The audit as a report. Raises `UnknownPart`, or `Unsupported` for a report that tells of runs alone."""
    part = catalog.find("reports", name)
    if RECORD not in part.accepts.get("record", ()):
        can = [one.name for one in catalog.parts("reports").values() if RECORD in one.accepts.get("record", ())]
        raise Unsupported(f"the report `{name}` doesn't tell of an audit", next_step=f"say one of: {', '.join(can)}")
    catalog.require(part)
    return str(catalog.load(part).render_audit(made, catalog.options(part, options or {})))


def outcome(found: tuple[Finding, ...]) -> str:
    """`fail` where a fault is serious, `not enough evidence` where some audit could not look, else `pass`."""
    if "serious" in results(found).values():
        return "fail"
    return "not enough evidence" if any(one.value is None for one in found) else "pass"
