"""What one reads after a run: a table of candidates, what went wrong, and the recommendation, as text."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

from pydantic import Field
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from seatrial.contracts.audited import Audited
from seatrial.contracts.changes import Changes
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports import (
    _audit,
    _batching,
    _effect,
    _money,
    _poisoning,
    _predicted,
    _privacy,
    _security,
    _sensitivity,
)
from seatrial.parts.reports._audit_text import text as audit_text
from seatrial.parts.reports._cells import Cell, Column, columns, grouped
from seatrial.parts.reports._changes_text import text
from seatrial.parts.reports._numbers import per_cent
from seatrial.parts.reports._served import brief
from seatrial.parts.reports._training import section
from seatrial.parts.reports._view import Row, View, short_ids, view
from seatrial.parts.reports._words import about, cautions, clean, meaning, words

ACCEPTS = {"record": ("dossier", "changes", "audit")}
VERSION = 1

_STYLES = {Outcome.PASS: "bold green", Outcome.FAIL: "bold red", Outcome.OPEN: "bold yellow", None: "dim"}
_FIRST_TO_GO = ("size", "memory", "p90", "flips", "p99")
_SPARED = 12
"""Candidates that a search left out of which the reason is shown."""
_NOTES = "ᵃᵇᶜᵈᵉᶠᵍʰ"


class Options(PartOptions):
    """How wide it is and whether it has colour."""

    width: int = Field(default=100, ge=40, description="columns of text")
    colour: bool = Field(default=False, description="mark with colour what words say too")
    rows: int = Field(default=60, ge=1, description="most candidates in the table; the best are shown")
    reasons: int = Field(default=15, ge=1, description="most candidates of which it says why they don't pass")


def render(dossier: Dossier, options: Options) -> str:
    """The report as text, with ANSI colours where `options.colour` is set."""
    console = _console(options)
    return _printed(console, _report(dossier, options, console))


def render_changes(changes: Changes, options: Options) -> str:
    """Two runs side by side, as text."""
    return _printed(_console(options), text(changes, options.reasons))


def render_audit(audited: Audited, options: Options) -> str:
    """What is wrong with data that was audited alone, as text."""
    title = Text(clean(words()["audit"]["page"].format(name=audited.name)), style="bold")
    return _printed(_console(options), Group(title, Text(""), audit_text(_audit.of_alone(audited))))


def _console(options: Options) -> Console:
    return Console(
        file=io.StringIO(),
        width=options.width,
        force_terminal=options.colour,
        color_system="standard" if options.colour else None,
        legacy_windows=False,
        _environ={},
    )


def show(dossier: Dossier, console: Console | None = None, **options: Any) -> None:
    """Print to a console: its width, and colour where it is a terminal that has it (`NO_COLOR` is respected)."""
    console = console or Console(highlight=False)
    console.print(_report(dossier, Options(width=max(40, console.width), **options), console), highlight=False)


def _printed(console: Console, report: RenderableType) -> str:
    console.print(report, highlight=False)
    written = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in written.splitlines()) + "\n"


def _report(dossier: Dossier, options: Options, console: Console) -> RenderableType:
    shown = view(dossier)
    blocks = [
        _candidates(shown, options, console),
        _origin_of_data(shown),
        _broken(shown),
        _spared(shown),
        _dropped(dossier),
        _why(shown, options),
        _lines_of(_sensitivity, shown),
        _served(shown),
        _lines_of(_security, shown),
        _lines_of(_privacy, shown),
        _lines_of(_poisoning, shown),
        _audited(shown),
        _lines_of(_money, shown),
        _lines_of(_batching, shown),
        _training(shown),
        _lines_of(_predicted, shown),
        _sentence(dossier),
    ]
    present = [block for block in blocks if block is not None]
    return Group(*(Padding(block, (0, 0, 0 if block is present[-1] else 1, 0)) for block in present))


# --- the table -------------------------------------------------------------------------------------------------------


def _candidates(shown: View, options: Options, console: Console) -> RenderableType:
    said = words()["terminal"]
    title = Text(_title(shown), style="bold")
    rows = shown.measured[: options.rows]
    listed = columns(shown, rows)
    if not rows:
        return Group(title, *(Text(line) for line in (said["nothing"], *cautions(shown.dossier.run))))
    notes = _notes(listed)
    table = _table(rows, listed, notes, two_lines=False)
    kept = listed
    if _width(table, console) > options.width:
        kept = _fitting(rows, listed, options.width)
        table = _table(rows, kept, notes, two_lines=True)
    return Group(title, table, *(Text(line, style="dim") for line in _legend(shown, options, listed, kept)))


def _width(table: Table, console: Console) -> int:
    """The table's width where there is room for all of it."""
    return Measurement.get(console, console.options.update(width=1000, max_width=1000), table).maximum


def _title(shown: View) -> str:
    said, name = words()["terminal"], clean(shown.dossier.study.get("name", ""))
    if shown.reference is None or len(shown.rows) == 1:
        return name
    title = said["title" if shown.ran else "title_read"]
    return str(title.format(name=name, count=len(shown.rows), reference=shown.reference.label))


def _notes(listed: list[Column]) -> dict[str, str]:
    """A small letter for everything that isn't plainly measured."""
    found = dict.fromkeys(
        mark for column in listed for cell in column.cells if cell.number is not None for mark in cell.marks
    )
    return dict(zip(found, _NOTES, strict=False))


def _fitting(rows: list[Row], listed: list[Column], width: int) -> list[Column]:
    """The columns for which there is room beside the longest word of the candidates' names."""
    longest = max((len(word) for row in rows for word in row.label.split()), default=0)
    kept, room = list(listed), width - max(14, min(24, longest)) - 13
    for key in _FIRST_TO_GO:
        if sum(_column_width(column) + 1 for column in kept) <= room:
            break
        kept = [column for column in kept if column.key != key]
    return kept


def _column_width(column: Column) -> int:
    cells = (len(text) for cell in column.cells for text in (f"{cell.value}{'x' * len(cell.marks)}", cell.bound))
    return max(len(column.name), len(column.unit), *cells)


def _table(rows: list[Row], listed: list[Column], notes: dict[str, str], two_lines: bool) -> Table:
    said = words()["terminal"]
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(said["candidate"], ratio=None, overflow="fold", min_width=14)
    for column in listed:
        unit = column.unit
        head = column.name if not unit else f"{column.name}\n{unit}" if two_lines else f"{column.name} {unit}"
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column(said["verdict"], min_width=10, max_width=10 if two_lines else None)
    for index, row in enumerate(rows):
        cells = (_cell(column.cells[index], notes, two_lines) for column in listed)
        table.add_row(_name(row, two_lines), *cells, _outcome(row))
    return table


def _name(row: Row, two_lines: bool) -> Text:
    said, text = words()["terminal"], Text(row.label, style="bold" if row.recommended else "")
    word = said["reference"] if row.entry.reference else said["recommended"] if row.recommended else ""
    if word:
        text.append("\n" if two_lines else " ")
        text.append(f"← {word}", style="dim" if row.entry.reference else "green")
    return text


def _cell(cell: Cell, notes: dict[str, str], two_lines: bool) -> Text:
    text = Text(cell.value)
    if cell.number is None:
        return text.append(
            "\n".join(("", *cell.marks)) if two_lines else "".join(f" {mark}" for mark in cell.marks), "yellow"
        )
    text.append("".join(notes.get(mark, "*") for mark in cell.marks), style="yellow")
    if cell.bound:
        text.append("\n" if two_lines else " ").append(cell.bound, style="dim")
    return text


def _outcome(row: Row) -> Text:
    return Text(words()["outcome"][row.outcome or "none"], style=_STYLES[row.outcome])


def _legend(shown: View, options: Options, listed: list[Column], kept: list[Column]) -> list[str]:
    said, lines = words()["terminal"], []
    speed = next((f for row in shown.rows for f in row.by_what.get("speedup", ())), None)
    if speed is not None:
        load = shown.setting("speedup").get("load")
        lines.append(said["speed"].format(setting=f", {load}" if load else "", level=per_cent(speed.level or 0.95)))
    if any(column.key in ("p90", "p99", "drop") for column in kept):
        lines.append(_bounds(shown))
    named = {word: meaning(key) for section in ("state", "origin") for key, word in words()[section].items()}
    lines += [f"{letter} {mark}: {named.get(mark, '')}" for mark, letter in _notes(listed).items()]
    if gone := [column.name for column in listed if column not in kept]:
        lines.append(said["hidden"].format(columns=", ".join(gone)))
    if len(shown.measured) > options.rows:
        lines.append(said["more"].format(count=len(shown.measured) - options.rows))
    return [*lines, _counts(shown)]


def _counts(shown: View) -> str:
    said, run = words()["terminal"], shown.dossier.run
    rows = next((f.n for row in shown.rows for f in row.by_what.get(shown.quality, ()) if f.n), None)
    quality = f"{said['rows'].format(n=f'{rows:,}')} " if rows else ""
    if not shown.ran:
        return f"{quality}{said['read']}"
    again = said["again"] if run.reused and not run.measured else said["counts"]
    cut = "".join(f" {one}" for one in cautions(run))
    return f"{quality}{again.format(measured=run.measured, reused=run.reused, seconds=round(run.seconds))}{cut}"


def _bounds(shown: View) -> str:
    latency, drop = _level(shown, "latency.p99") or 0.98, _level(shown, f"{shown.quality}.drop") or 0.95
    one_sided = per_cent((1 + latency) / 2)
    gate = per_cent((1 + shown.dossier.verdict.level) / 2)
    return str(words()["terminal"]["bounds"].format(level=one_sided, drop_level=per_cent(drop), gate=gate))


def _level(shown: View, what: str) -> float | None:
    return next((found.level for row in shown.rows if (found := row.find(what)) and found.level), None)


# --- what is said below ------------------------------------------------------------------------------------------------


def _origin_of_data(shown: View) -> RenderableType | None:
    """What is wrong with where the data comes from: other rows than were approved, rows that must be gone."""
    found = [one for one in shown.dossier.findings if one.what in ("data.approved", "lineage.files", "lineage.overdue")]
    wrong = [one for one in found if one.note and (one.value is False or (one.what == "lineage.overdue" and one.value))]
    pairs = [(clean(str(one.at.get("data", ""))), clean(one.note)) for one in wrong]
    return _listed(words()["terminal"]["data"], grouped(pairs)) if pairs else None


def _broken(shown: View) -> RenderableType | None:
    said = words()
    pairs = [
        (row.label, f"{said['state'][row.failure.state]}: {clean(row.failure.note)}")
        for row in shown.broken
        if row.failure is not None
    ]
    return _listed(said["terminal"]["broken"], grouped(pairs)) if pairs else None


def _spared(shown: View) -> RenderableType | None:
    """Whom the search left out, each with its reason; the first of many."""
    pairs = [(row.label, clean(row.failure.note)) for row in shown.spared if row.failure]
    said = words()["terminal"]
    title = f"{said['spared']} ({len(pairs)})"
    first = [
        *pairs[:_SPARED],
        *([("…", said["why_more"].format(count=len(pairs) - _SPARED))] if len(pairs) > _SPARED else []),
    ]
    listed = [_listed(title, grouped(first))] if pairs else []
    return Group(*listed, *([Text(shown.searched)] if shown.searched else [])) if pairs or shown.searched else None


def _dropped(dossier: Dossier) -> RenderableType | None:
    names = short_ids(dossier)
    pairs = [(names[one.id], clean(one.reason)) for one in dossier.dropped]
    title = f"{words()['terminal']['dropped']} ({len(pairs)})"
    return _listed(title, grouped(pairs)) if pairs else None


def _listed(title: str, groups: dict[str, list[str]], most: int = 3) -> RenderableType:
    others = words()["terminal"]["others"]
    lines = []
    for reason, names in groups.items():
        more = f" {others.format(count=len(names) - most)}" if len(names) > most else ""
        lines.append(_line(f"{', '.join(names[:most])}{more}", reason, ""))
    return Group(Text(title, style="bold"), *lines)


def _line(name: str, reason: str, style: str) -> RenderableType:
    return Padding(Text.assemble((name, style), ("  " if name else ""), (reason, "dim")), (0, 0, 0, 2))


def _lines_of(told_by: ModuleType, shown: View) -> RenderableType | None:
    """What a module of this folder has to say in brief, line by line; nothing where it has no section."""
    told = told_by.section(shown)
    lines = [] if told is None else [Text(line, style=style) for line, style in told_by.brief(told)]
    return Group(*lines) if lines else None


def _why(shown: View, options: Options) -> RenderableType | None:
    said = words()["terminal"]
    rows = [row for row in shown.measured if row.unmet]
    lines = [_reason(row) for row in rows[: options.reasons]]
    if len(rows) > options.reasons:
        lines.append(
            Padding(Text(said["why_more"].format(count=len(rows) - options.reasons), style="dim"), (0, 0, 0, 2))
        )
    return Group(Text(said["why"], style="bold"), *lines) if lines else None


def _reason(row: Row) -> RenderableType:
    said, first = words()["terminal"], row.unmet[0]
    reason = f"{clean(first.requirement)}: {_brief(first.reason)}"
    if first.settle and first.outcome is Outcome.OPEN:
        reason += f"; {said['settle'].format(settle=_brief(first.settle))}"
    if len(row.unmet) > 1:
        reason += f" {said['others'].format(count=len(row.unmet) - 1)}"
    return _line(row.label, reason, _STYLES[row.outcome])


def _brief(text: str) -> str:
    """A reason without the details that follow in brackets; the other reports have them."""
    return clean(text).split(" (")[0]


def _served(shown: View) -> RenderableType | None:
    lines = brief(shown)
    if not lines or shown.focus is None:
        return None
    title = words()["terminal"]["served"].format(label=shown.focus.label)
    return Group(Text(title, style="bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines))


def _audited(shown: View) -> RenderableType | None:
    told = _audit.section(shown.dossier.findings)
    if told is None:
        return None
    return Group(Text(words()["audit"]["title"], style="bold"), audit_text(told, _effect.section(shown)))


def _training(shown: View) -> RenderableType | None:
    """A line a way to train, then what follows, then what failed."""
    said, ways = words()["training"], section(shown)
    if ways is None:
        return None
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(said["way"], overflow="fold", min_width=12)
    for what, unit in ways.columns:
        name = ways.measure if what == "training.quality" else about(what)["short"]
        table.add_column(f"{name}\n{unit}" if unit else name, justify="right")
    found = dict.fromkeys(mark for line in ways.lines for cell in line.cells for mark in cell.marks)
    notes = dict(zip(found, _NOTES, strict=False))
    for line in ways.lines:
        name = f"{line.label} ← {words()['terminal']['reference']}" if line.reference else line.label
        cells = (
            f"{cell.text}{''.join(notes.get(mark, '*') for mark in cell.marks)}\n{cell.range}" for cell in line.cells
        )
        table.add_row(name, *(cell.rstrip("\n") for cell in cells))
    legend = [Text(f"{letter} {mark}", style="dim") for mark, letter in notes.items()]
    lines = [Padding(Text(text), (0, 0, 0, 2)) for text in ways.sentences]
    failed = [_line(way, why, _STYLES[Outcome.FAIL]) for way, why in ways.failed]
    broken = [Text(said["broken"], style="bold"), *failed] if failed else []
    return Group(Text(said["title"], style="bold"), *([table] if ways.lines else []), *legend, *lines, *broken)


def _sentence(dossier: Dossier) -> RenderableType:
    style = _STYLES[dossier.verdict.outcome]
    word = words()["outcome"][dossier.verdict.outcome]
    return Text.assemble((word.upper(), style), "  ", (clean(dossier.verdict.sentence), "bold"))
