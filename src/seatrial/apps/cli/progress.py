"""What a run shows while it runs, on stderr: a live line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seatrial.apps.cli import _out
from seatrial.apps.cli._plan import show_plan
from seatrial.contracts.progress import Event, Watch, silent

if TYPE_CHECKING:
    from rich.progress import Progress

WORDS = {
    "plan": "planning",
    "audit": "auditing the data",
    "rows": "reading rows",
    "make": "making variants",
    "forms": "comparing the forms of a model",
    "open": "opening",
    "warm": "warming up",
    "predict": "answering the evaluation rows",
    "round": "measuring",
    "attack": "attacking",
    "privacy": "trying what it tells of its rows",
    "search": "searching for backdoors",
    "quality": "working out quality",
    "decide": "deciding",
    "publish": "writing reports",
    "note": "",
}
EVERY_S = 10.0
"""Where nobody watches live: least time between two lines of one stage."""


@contextmanager
def watching(quiet: bool = False) -> Iterator[Watch]:
    """A watch for `flow.study.run`, for as long as the block lasts."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _live() as watch:
            yield watch
    else:
        yield Lines()


def sentence(event: Event) -> str:
    """An event in a line: `measuring, 12 of 60 done: onnxruntime fp32`."""
    done = f", {event.done} of {event.total} done" if event.total else ""
    note = "" if event.stage == "publish" else event.note  # the path is said when they are written
    return ": ".join(filter(None, (f"{WORDS[event.stage]}{done}", event.label, note)))


class Lines:
    """Plain lines without flooding: each stage when it is first met, notes, and in between one every ten seconds."""

    def __init__(self) -> None:
        self._met: set[str] = set()
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        if event.plan is not None:
            show_plan(event.plan)
        elif self._worth_a_line(event):
            _out.note(sentence(event))
            self._met.add(event.stage)
            self._last = time.monotonic()

    def _worth_a_line(self, event: Event) -> bool:
        return event.stage == "note" or event.stage not in self._met or time.monotonic() - self._last >= EVERY_S


@contextmanager
def _live() -> Iterator[Watch]:
    from rich.markup import escape
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    page = _out.console(sys.stderr)
    columns = (SpinnerColumn(), TimeElapsedColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"))
    with Bar(*columns, console=page, transient=True, expand=False) as bar:
        task = bar.add_task("starting", total=None)

        def watch(event: Event) -> None:
            if event.plan is not None:
                _above(bar, event)
            elif event.stage == "note":
                bar.console.print(_out.plain(event.note or event.label), style="dim")
            else:
                bar.update(
                    task,
                    description=escape(_out.plain(sentence(event))),
                    completed=event.done,
                    total=event.total or None,
                )

        yield watch


def _above(bar: Progress, event: Event) -> None:
    """The plan above the live line."""
    bar.stop()
    if event.plan is not None:
        show_plan(event.plan)
    bar.start()
