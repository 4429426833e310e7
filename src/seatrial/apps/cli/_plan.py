"""A plan as people read it: what would be measured, what was left out and why, how long it may take."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import catalog
from seatrial.apps.cli import _out

if TYPE_CHECKING:
    from rich.console import RenderableType

    from seatrial.contracts.plan import Plan, Planned

SHOWN = 3
"""Names shown for one reason of leaving out."""
MOST, MOST_BESIDE = 60, 20
"""Lines of a table that is asked for, and of one that a run shows beside its progress."""


def show_plan(plan: Plan) -> None:
    """The plan on stderr: it is about the result, not the result."""
    _out.show_note(*described(plan, MOST_BESIDE))


def described(plan: Plan, most: int = MOST) -> list[RenderableType]:
    """The plan as tables and lines: at most so many candidates, with the reference, and as many reasons of leaving out."""
    count = len(plan.candidates)
    title = f"{plan.study.name}: {count} candidate{'s' if count != 1 else ''} to measure"
    found: list[RenderableType] = [_out.heading(title), _candidates(plan, most), *_beyond(count, most), ""]
    if plan.dropped:
        found += [_out.heading(f"left out ({len(plan.dropped)})"), *_reasons(plan, most), ""]
    return [*found, _outline(plan), *_search(plan), *_training(plan, most), *_predicted(plan), ""]


def _training(plan: Plan, most: int) -> list[str]:
    """The ways to train, where the study asks for any."""
    from seatrial.flow.training_ways import short_names, ways

    asked = plan.study.training
    if asked is None:
        return []
    names = short_names(ways(asked))
    seeds = f", then {asked.epochs} passes from each of {asked.seeds} seeds" if asked.seeds else ""
    head = f"training, {len(names)} way{'s' if len(names) != 1 else ''}: {asked.rounds} rounds of {asked.steps} steps{seeds}"
    if asked.seeds:
        count = len(names) * asked.seeds
        head += f"; these {count} trainings, of at most {duration(asked.limit)} each, are not in the time above"
    return [head, *(f"  {name}" for name in names[:most]), *_beyond(len(names), most)]


def _predicted(plan: Plan) -> list[str]:
    """Devices that aren't here, where the study asks for any."""
    asked = plan.study.measure.predict
    return [f"predicted, not measured, on {', '.join(asked.devices)}"] if asked else []


def duration(seconds: float) -> str:
    """A time as people say it: `8 s`, `3 min 20 s`, `1 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _beyond(count: int, most: int) -> list[str]:
    """How many lines a table leaves out, if it does."""
    return [f"... and {count - most} more; `seatrial plan STUDY --json` lists all"] if count > most else []


def _candidates(plan: Plan, most: int) -> RenderableType:
    several = len(plan.study.models) > 1
    columns = [
        "candidate",
        *(["model"] if several else []),
        "runtime",
        "variant",
        "form",
        "device",
        "precision",
        "threads",
        "batch",
    ]
    first = sorted(plan.candidates, key=lambda planned: not planned.reference)[:most]
    rows = [_row(planned, several) for planned in plan.candidates if planned in first]
    return _out.table(columns, rows, right=("threads", "batch"))


def _row(planned: Planned, several: bool) -> list[str]:
    fields: dict[str, Any] = planned.candidate.fields()
    name = f"{planned.label}{'  ← reference' if planned.reference else ''}"
    middle = [fields["model"]] if several else []
    tail = [fields[key] for key in ("device", "precision", "threads", "batch")]
    return [name, *middle, fields["runtime"], fields["variant"], planned.route, *map(str, tail)]


def _reasons(plan: Plan, most: int) -> list[str]:
    """One line a reason, with the first names that it concerns; at most so many lines."""
    by_reason = sorted(plan.dropped, key=lambda dropped: dropped.reason)
    lines = []
    for reason, group in groupby(by_reason, key=lambda dropped: dropped.reason):
        names = [dropped.id for dropped in group]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        lines.append(f"  {', '.join(names[:SHOWN])}{more}: {reason}")
    return [*lines[:most], *_beyond(len(lines), most)]


def _search(plan: Plan) -> list[str]:
    """How the search goes, where it leaves anything out."""
    ref = plan.study.measure.search
    info = catalog.find("searches", ref.name, Path(plan.folder))
    rungs = catalog.load(info).rungs(catalog.options(info, ref.options))
    if not rungs.counts:
        return []
    looks = ", ".join(map(str, rungs.counts))
    short = f"after {looks} short rounds ({rungs.share:.0%} of a block) it looks who can still be the answer"
    return [f"search: {ref}: {short}; only those are measured in full"]


def _outline(plan: Plan) -> str:
    least, most = plan.rounds
    rounds = f"{most} round{'s' if most != 1 else ''}" if least == most else f"{least} to {most} rounds"
    loads = ", ".join(map(str, plan.study.measure.loads))
    about = f", about {duration(plan.estimate_s)} less what is kept" if plan.estimate_s else ""
    quick = " (informal: `--quick`)" if plan.quick else ""
    return (f"{rounds}{quick} of {loads}" if loads else "nothing is timed") + about
