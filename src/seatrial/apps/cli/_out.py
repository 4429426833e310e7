"""What the commands print: results on stdout, everything about them on stderr. A reader who leaves early (`| head`) is no error.

Nothing that comes from a file (names of columns, classes and files, errors) moves a terminal's cursor or changes its colours: what
can't be printed is shown as `\\x1b` (`plain`). Only what is coloured here (`styled`) passes as it is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from seatrial.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

WIDE = 120
"""Columns where there is no terminal to ask."""
SPACES = "\u00a0\u202f\u2009"
"""Spaces that count as unprintable and do no harm."""


def plain(text: object) -> str:
    """The text with everything that can't be printed, but line breaks, as visible escapes: `\\x1b[2J`."""
    return "".join(one if one.isprintable() or one in "\n\t" or one in SPACES else _escape(one) for one in str(text))


def say(text: str = "") -> None:
    """A line of the result."""
    _write(sys.stdout, plain(text) + "\n")


def note(text: str = "") -> None:
    """A line about the result: progress, hints."""
    _write(sys.stderr, plain(text) + "\n")


def styled(stream: TextIO, text: str) -> None:
    """A line with colours of our own; whatever else is in it has been made plain."""
    _write(stream, text + "\n")


def data(content: Any) -> None:
    """The result for machines: a record, or anything JSON can hold."""
    import json

    if hasattr(content, "model_dump"):
        content = content.model_dump(mode="json")
    text = json.dumps(content, indent=2, ensure_ascii=False)
    _write(sys.stdout, "".join(one if one.isprintable() or one in "\n " else _in_json(one) for one in text) + "\n")


def pairs(given: Iterable[str] | None) -> dict[str, str]:
    """`--limit NAME=VALUE`, as often as it was given. Raises `StudyError`."""
    made = {}
    for one in given or ():
        name, sign, value = one.partition("=")
        if not sign:
            raise StudyError(f"--limit: `{one}` is no NAME=VALUE", next_step="like `--limit unpacked=32GiB`")
        made[name.strip()] = value.strip()
    return made


def show(*content: RenderableType) -> None:
    """A result for people: tables and text of rich."""
    _write(sys.stdout, _rendered(sys.stdout, content))


def show_note(*content: RenderableType) -> None:
    """Tables and text about the result."""
    _write(sys.stderr, _rendered(sys.stderr, content))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> Table:
    """A plain table; the columns in `right` are set to the right. Nothing in it is read as markup."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    return grid


def heading(text: str) -> Text:
    """A line in bold."""
    from rich.text import Text

    return Text(plain(text), style="bold")


def console(stream: TextIO) -> Console:
    """A rich console that asks the terminal for its width and takes a wide page where there is none. Honours NO_COLOR.

    Brackets are brackets: `seatrial[torch]` is no markup.
    """
    from rich.console import Console

    wide = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(file=stream, width=wide, highlight=False, markup=False, emoji=False)


def save(file: Path, text: str) -> None:
    """Write a file that was asked for, with the folders on its way. Raises `StudyError` where that can't be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"{file} can't be written: {error.strerror}", next_step="name another file with `--out`"
        ) from error


def flush() -> None:
    """Writes out what is left, quietly if nobody reads any more."""
    for stream in (sys.stdout, sys.stderr):
        _write(stream, "")


def colours(stream: TextIO) -> bool:
    """Whether colours go to this stream: a terminal, and nobody objected."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _rendered(stream: TextIO, content: tuple[RenderableType, ...]) -> str:
    page = console(stream)
    with page.capture() as captured:
        for item in content:
            page.print(plain(item) if isinstance(item, str) else item)
    lines = captured.get().split("\n")
    return "\n".join(line.rstrip() for line in lines) if not stream.isatty() else captured.get()


def _escape(letter: str) -> str:
    """`\\x1b`, `\\u202e`; what is no character at all (half a surrogate pair) too."""
    return letter.encode("ascii", "backslashreplace").decode() if ord(letter) > 127 else f"\\x{ord(letter):02x}"


def _in_json(letter: str) -> str:
    """As JSON writes it; beyond 16 bits as the pair."""
    import json

    return json.dumps(letter)[1:-1] if ord(letter) > 127 else f"\\u{ord(letter):04x}"


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
