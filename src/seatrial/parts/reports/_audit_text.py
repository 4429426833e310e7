"""What is wrong with the data, as text for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from seatrial.contracts.finding import Severity
from seatrial.parts.reports._audit import Fault, Looked, Told
from seatrial.parts.reports._effect import Effect
from seatrial.parts.reports._words import words

STYLES = {Severity.SERIOUS: "bold red", Severity.MINOR: "yellow", Severity.FINE: "dim"}


def text(told: Told, effect: Effect | None = None) -> RenderableType:
    """A sentence, then each table: its faults, the worst first, what was quiet, and what could not be looked at; then what it does."""
    blocks = [_table(one) for one in told.tables] + ([_effect(effect)] if effect else [])
    return Group(Text(told.sentence), *(Padding(block, (1, 0, 0, 0)) for block in blocks))


def _table(table: Looked) -> RenderableType:
    said = words()["audit"]
    parts: list[RenderableType] = []
    if table.name:
        parts.append(
            Text(said["table"].format(name=table.name, rows=table.rows) if table.rows else table.name, style="bold")
        )
    if table.faults:
        grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for column, wide in ((said["severity"], 7), (said["what"], 14), (said["many"], 12), (said["where"], 20)):
            grid.add_column(column, overflow="fold", min_width=wide)
        for one in table.faults:
            severity = Text(said[one.severity], style=STYLES[one.severity])
            grid.add_row(severity, Text(one.name), Text(_many(one)), Text(one.where))
        parts.append(grid)
    if folders := sorted({one.rows.rpartition("/")[0] for one in table.faults if one.rows}):
        parts.append(Text(said["folder"].format(folder=", ".join(folders)), style="dim"))
    if table.quiet:
        parts.append(Text(said["quiet"].format(names=", ".join(table.quiet)), style="dim"))
    parts += [Text(f"{said['failed']}: {name}: {why}", style="yellow") for name, why in table.failed]
    return Group(*parts)


def _effect(effect: Effect) -> RenderableType:
    """Figures of all rows beside the others, a line each."""
    said = words()["audit"]
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    grid.add_column("", overflow="fold", min_width=14)
    for head in effect.columns:
        grid.add_column(head, overflow="fold", min_width=9)
    for line in effect.lines:
        grid.add_row(line.name, *(line.cell(one) for one in line.cells))
    if effect.verdicts:
        grid.add_row(
            Text(said["verdict"], style="bold"), *(words()["outcome"][one or "none"] for one in effect.verdicts)
        )
    return Group(Text(said["effect"].format(label=effect.label), style="bold"), grid)


def _many(one: Fault) -> str:
    return f"{one.many}\n({one.share})" if one.share else one.many
