"""Two runs side by side, as text for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from seatrial.contracts.changes import Call, Changes
from seatrial.parts.reports._changes import Block, blocks, counts
from seatrial.parts.reports._words import clean, words

STYLES = {Call.BETTER: "green", Call.WORSE: "bold red", Call.CHANGED: "yellow", Call.UNCLEAR: "dim", Call.SAME: "dim", Call.APPEARED: "yellow", Call.GONE: "yellow"}  # fmt: skip
REASONS = 15
"""Most lines of a list."""


def text(changes: Changes, most: int) -> RenderableType:
    """All of it: the two runs, what surrounds them, candidates, verdicts, and findings of at most so many candidates."""
    said, made = words()["changes"], blocks(changes)
    shown = [_candidate(block) for block in made[:most]]
    more = [Text(said["more"].format(count=len(made) - most), style="dim")] if len(made) > most else []
    parts = [_runs(changes), _facts(changes), _candidates(changes), _turns(changes), *shown, *more, _end(changes)]
    present = [part for part in parts if part is not None]
    return Group(*(Padding(part, (0, 0, 0 if part is present[-1] else 1, 0)) for part in present))


def _runs(changes: Changes) -> RenderableType:
    said, table = words()["changes"], Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for name, side in (("then", changes.before), ("now", changes.after)):
        outcome = words()["outcome"][side.outcome]
        takes = said["takes"].format(label=clean(side.recommended)) if side.recommended else said["takes_none"]
        started = side.run.started[:16].replace("T", " ")
        table.add_row(
            Text(said[name], style="bold"), clean(side.study), clean(side.run.id), started, f"{outcome}; {takes}"
        )
    return table


def _facts(changes: Changes) -> RenderableType | None:
    said = words()["changes"]
    lines = [f"{clean(one.what)}: {clean(one.before) or said['none']} → {clean(one.after) or said['none']}" for one in changes.facts]  # fmt: skip
    return _listed(said["facts"], [*lines[:REASONS], *_hidden(lines)], [clean(note) for note in changes.notes])


def _candidates(changes: Changes) -> RenderableType | None:
    said = words()["changes"]
    pairs = (("added", changes.added), ("removed", changes.removed))
    lines = [f"{said[key]}: {', '.join(map(clean, labels[:REASONS]))}{said['and_more'].format(count=len(labels) - REASONS) if len(labels) > REASONS else ''}" for key, labels in pairs if labels]  # fmt: skip
    return _listed(said["candidates"], lines) if lines else None


def _turns(changes: Changes) -> RenderableType | None:
    said, outcomes = words()["changes"], words()["outcome"]
    turned = [one for one in changes.turns if one.before is not one.after or one.reasons]
    lines = []
    for one in turned[:REASONS]:
        lines.append(f"{clean(one.label)}: {outcomes[one.before or 'none']} → {outcomes[one.after or 'none']}")
        lines += [f"  {clean(reason)}" for reason in one.reasons]
    return _listed(said["turns"], [*lines, *_hidden(turned)]) if changes.turns else None


def _hidden(every: object) -> list[str]:
    count = len(every) - REASONS  # type: ignore[arg-type]
    return [words()["changes"]["lines"].format(count=count)] if count > 0 else []


def _listed(title: str, lines: list[str], notes: list[str] | None = None) -> RenderableType:
    lines = lines or [words()["changes"]["nothing"]]
    said = [Padding(Text(line), (0, 0, 0, 2)) for line in lines]
    said += [Padding(Text(note, style="dim"), (0, 0, 0, 2)) for note in notes or ()]
    return Group(Text(title, style="bold"), *said)


def _candidate(block: Block) -> RenderableType:
    said = words()["changes"]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(said["what"], overflow="fold", min_width=12)
    for name in ("then", "now", "change"):
        table.add_column(said[name], justify="right", overflow="fold")
    table.add_column(said["comes_to"], overflow="fold", min_width=9)
    for one in block.told:
        change = f"{one.change} ({one.bounds})" if one.bounds else one.change
        call = Text(one.call, style=STYLES[one.shift.call])
        table.add_row(one.name, one.before, one.after, change, call.append(f": {one.why}", "dim") if one.why else call)
    rest = said["rest"].format(same=block.same, unclear=len(block.rest))
    return Group(Text(clean(block.label), style="bold"), Padding(table, (0, 0, 0, 2)), Padding(Text(rest, style="dim"), (0, 0, 0, 2)))  # fmt: skip


def _end(changes: Changes) -> RenderableType:
    said, found = words()["changes"], counts(changes)
    told = ", ".join(f"{found[call]} {said['call'][call]}" for call in Call if found[call])
    chance = (
        said["chance"].format(tested=changes.tested, by_chance=f"{changes.by_chance:.3g}") if changes.tested else ""
    )
    return Group(Text(told or said["nothing"], style="bold"), Text(f"{said['method']} {chance}".strip(), style="dim"))
