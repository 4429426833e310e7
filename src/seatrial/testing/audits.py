"""The exam of audits: a planted fault is found, a clean twin is quiet, nothing of a row comes out, memory is as it is stated.

from seatrial import catalog
from seatrial.testing.audits import exam

exam(catalog.find("audits", "./my_audit.py"))

An audit that looks for something of its own hands over two sets of tables, `faulty` and `clean`; else those of `testing/_faulty.py` are taken.
It states what it holds for each row it has seen as `BYTES_A_ROW` (nothing if left out); what it holds beside is bounded.
"""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.audit import Auditing, Table
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.part import PartInfo
from seatrial.flow.audit import audit
from seatrial.testing import _faulty
from seatrial.testing._faulty import KEY, SECRETS, table

__all__ = ["SECRETS", "carry_out", "exam", "table"]

CHUNKS = (97, 700, 10_000)
FEW, MANY = 1_500, 6_000
SLACK = 1.5
ASIDE = 16 * 2**20
"""Bytes that may come on top of what is stated for each row: a sample, a chunk, tables of counts."""

Tables = Sequence[Table]


def exam(part: PartInfo, given: dict[str, Any] | None = None, faulty: Tables = (), clean: Tables = ()) -> None:
    """Try an audit on made-up tables with planted faults and on their clean twins. Raises `AssertionError`."""
    named = {"label": "y", "group": "person", "order": "day"}
    own = _faulty.own(part.name)
    clean, faulty = clean or own[0], faulty or own[1]
    whole = [_faulty.more(part.name, made, bad) for made, bad in ((_faulty.clean(), False), (_faulty.faulty(), True))]
    clean = clean or [table(whole[0], "train", "train", **named), _other()]
    faulty = faulty or [table(whole[1], "train", "train", **named), _other(leaky=True)]
    quiet, loud = carry_out(part, given, clean), carry_out(part, given, faulty)
    assert any(one.value is not None for one in quiet), f"{part.name}: finds nothing to say of a clean table"
    for one in (*quiet, *loud):
        _is_told_well(part, one)
    raised = [one.key for one in quiet if one.severity not in (None, Severity.FINE)]
    assert not raised, f"{part.name}: raises an alarm on a clean table: {raised}"
    assert any(one.severity not in (None, Severity.FINE) for one in loud), f"{part.name}: doesn't find what was planted"
    if part.takes("tables", "one"):
        _chunks_do_not_matter(part, given, faulty)
        _memory_is_stated(part, given)


def carry_out(part: PartInfo, given: dict[str, Any] | None, tables: Tables) -> list[Finding]:
    """What it finds in these tables. Raises `AssertionError` where it raises, or where something of a row comes out."""
    asked = Auditing(
        audits=(PartRef(name=part.name if part.source != "local file" else part.path, options=given or {}),),
        **_faulty.STATED.get(part.name, {}),
    )
    with tempfile.TemporaryDirectory() as folder:
        fresh = {one.name: replace(one, kept_hashes=None, kept_rows=None) for one in tables}
        found = audit(fresh, asked, Path(folder), Path(folder) / "rows", KEY)
        written = "".join(file.read_text() for file in sorted(Path(folder).rglob("*.csv")))
    mine = [one for one in found if one.what.split(".")[1] == part.name]
    failed = [f"{one.key}: {one.note}" for one in mine if one.state == "failed"]
    assert not failed, f"{part.name}: raises: {failed}"
    _nothing_comes_out(part, tables, written + "".join(one.model_dump_json() for one in mine))
    return mine


def _other(leaky: bool = False) -> Table:
    """A table of other rows, to judge on: of other people, later; leaky, of the same people in the same time."""
    columns = _faulty.clean(2000, seed=7)
    if not leaky:
        columns |= {"person": columns["person"] + 1_000_000, "day": columns["day"] + 1_000_000}
    return table(columns, "evaluation", "evaluation", label="y", group="person", order="day")


def _nothing_comes_out(part: PartInfo, tables: Tables, text: str) -> None:
    """Neither what is personal nor any other long cell stands in findings or files."""
    cells = {
        word for one in tables for chunk in one.chunks() for piece in chunk.columns.values() for word in piece.words
    }
    shown = [word for word in (*SECRETS, *cells) if len(word) > 5 and word in text]
    assert not shown, f"{part.name}: what stands in rows is in its findings or files ({len(shown)} cells)"


def _is_told_well(part: PartInfo, one: Finding) -> None:
    if one.value is None:
        assert one.note, f"{part.name}: {one.key} is missing and doesn't say why"
        return
    assert one.method, f"{part.name}: {one.key} doesn't say how it was got"
    if one.what.endswith(".share"):
        assert 0 <= one.number <= 1, f"{part.name}: {one.key} is no share"
        inside = (one.low is None or one.low <= one.number) and (one.high is None or one.number <= one.high)
        assert inside, f"{part.name}: {one.key} lies outside its interval"


def _chunks_do_not_matter(part: PartInfo, given: dict[str, Any] | None, tables: Tables) -> None:
    """However rows are cut, what is counted stays the same."""
    columns = _faulty.more(part.name, _faulty.faulty(), True)
    named = {name: getattr(tables[0], name) for name in ("label", "group", "order", "weight")}
    told = []
    for chunk in CHUNKS:
        found = carry_out(part, given, [table(columns, "train", "train", chunk, **named)])
        told.append(_counts(found))
    assert all(one == told[0] for one in told), f"{part.name}: what it counts depends on how rows are cut"


def _counts(found: Sequence[Finding]) -> Mapping[str, Any]:
    return {
        one.key: one.value for one in found if isinstance(one.value, int) and one.unit in ("rows", "cells", "columns")
    }


def _memory_is_stated(part: PartInfo, given: dict[str, Any] | None) -> None:
    """Four times as many rows take at most what is stated for each more."""
    stated = getattr(catalog.load(part), "BYTES_A_ROW", 0)
    peaks = []
    for rows in (FEW, MANY):
        columns = _faulty.more(part.name, _faulty.clean(rows), False)
        one = table(columns, "train", "train", 1000, label="y", group="person", order="day")
        tracemalloc.start()
        carry_out(part, given, [one])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    more = peaks[1] - peaks[0]
    allowed = SLACK * stated * (MANY - FEW) + 8 * (MANY - FEW) + ASIDE
    assert more < allowed, f"{part.name}: {MANY - FEW} more rows took {more} bytes more; it states {stated} a row"


def false_alarms(part: PartInfo, given: dict[str, Any] | None, make: Any, runs: int) -> int:
    """In how many of `runs` clean tables (`make(seed)`: columns) it raises an alarm."""
    count = 0
    for seed in range(runs):
        found = carry_out(part, given, [table(make(seed), "train", "train", label="y")])
        count += any(one.severity not in (None, Severity.FINE) for one in found)
    return count
