"""The application: its commands, and what becomes of errors.

Exit codes: 0 done (`gate`: pass) · 1 `gate`: fail, `inspect`: it can run code, `data`: it differs, or is still there, `verify`: it isn't what was signed · 2 wrong usage or a wrong study · 3 `gate`: not enough evidence ·
4 could not be evaluated · 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from seatrial.apps.cli import (
    _out,
    audit,
    capacity,
    compare,
    data,
    hardware,
    inspect,
    kept,
    look,
    party,
    run,
    sign,
    start,
)
from seatrial.errors import SeatrialError, StudyError, UnknownPart

USAGE, NOT_EVALUATED, STOPPED = 2, 4, 130
COMPLETION = ("--install-completion", "--show-completion")
MOST_LINES, LONGEST_LINE = 20, 1_000
"""Of an error: what is beyond was in a file, and can be read there."""
_ClickError: type[Any] = typer.BadParameter.__mro__[
    2
]  # the base of usage errors, under whatever name typer carries click

app = typer.Typer(
    name="seatrial",
    help="Sea trials for machine-learning models: what each way to run one buys, and whether it is still the model that was approved.",
    epilog="Start with `seatrial init MODEL DATA`, then `seatrial run study.yaml`.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
COMMANDS = {
    "A study": (start.init, run.plan, run.run, run.gate),
    "Without a model": (compare.compare, audit.audit),
    "A file": (inspect.inspect, data.data),
    "What was kept": (kept.report, capacity.capacity, kept.runs, kept.clean, sign.sign, sign.verify),
    "What there is": (look.parts, look.explain, look.doctor, hardware.hardware),
}
GROUPS = {"Between owners": (party.app,)}
"""Commands that have commands of their own."""
for panel, groups in GROUPS.items():
    for group in groups:
        app.add_typer(group, rich_help_panel=panel)
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR=1 does the same.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        _out.say(f"seatrial {installed('seatrial')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        _out.say(context.get_help())


def main(arguments: list[str] | None = None) -> int:
    """Run a command line and answer with its exit code. Prints errors for people, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if "--no-color" in given:  # wherever it stands
        os.environ["NO_COLOR"] = "1"
    code = _carry_out(_with_shell([word for word in given if word != "--no-color"]))
    _out.flush()
    return code


def _with_shell(given: list[str]) -> list[str]:
    """A call for completion with the shell that it is for: the one that was named, else the one that this runs in, else `$SHELL`.

    Typer would overlook a named one, and end in an error where no shell is running.
    """
    place = next((at for at, word in enumerate(given) if word in COMPLETION), None)
    if place is None:
        return given
    os.environ["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"  # the one way to let it take a name
    if given[place + 1 :]:
        return given
    import shellingham

    try:
        shell = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        shell = Path(os.environ.get("SHELL", "bash")).name
    return [*given, shell]


def _carry_out(given: list[str]) -> int:
    try:
        code = typer.main.get_command(app).main(given, prog_name="seatrial", standalone_mode=False)
    except _ClickError as error:
        _usage(error)
        return USAGE
    except SeatrialError as error:
        tell(error)
        return USAGE if isinstance(error, StudyError | UnknownPart) else NOT_EVALUATED
    except (KeyboardInterrupt, typer.Abort):
        _out.note("stopped")
        return STOPPED
    except Exception as error:  # noqa: BLE001 - whatever it is, people get a line and a file instead of a traceback
        _unexpected(error, given)
        return NOT_EVALUATED
    return code if isinstance(code, int) else 0


def tell(error: SeatrialError) -> None:
    """An error as people read it: where, what, and the next step."""
    place = f"{error.where}: " if error.where else ""
    lines = [_short(line) for line in f"{place}{error.what}".split("\n")]
    more = [f"  and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    _complain("\n".join(lines[:MOST_LINES] + more), error.next_step or error.usual_step)


def _short(line: str) -> str:
    """Whatever stood in a file: an error is no place to print all of it."""
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _usage(error: Any) -> None:
    from seatrial.catalog import nearest

    context = getattr(error, "ctx", None)
    command = context.command_path if context else "seatrial"
    what = str(error.format_message()).split(" Did you mean")[0].rstrip(".")
    step = f"`{command} --help` shows how it is used"
    if what.startswith("No such command"):
        near = nearest(
            what.split("'")[1],
            [
                *(command.__name__ for those in COMMANDS.values() for command in those),
                *map(str, (one.info.name for those in GROUPS.values() for one in those)),
            ],
        )
        step = f"did you mean `seatrial {near}`? `seatrial --help` lists the commands" if near else step
    _complain(what, step)


def _unexpected(error: Exception, given: list[str]) -> None:
    try:
        file = str(_write_down(error, given))
    except OSError as unwritable:
        file = f"nowhere ({unwritable})"
    _complain(
        f"something unforeseen went wrong: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        f"the details are in {file}; please report it with them",
    )


def _write_down(error: Exception, given: list[str]) -> Path:
    """The traceback, in `.seatrial/errors/` beside the first file that was named (else here). It holds no values of variables."""
    import traceback
    from datetime import UTC, datetime

    beside = next((Path(word).parent for word in given if Path(word).is_file()), Path())
    folder = beside / ".seatrial" / "errors"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    text = f"seatrial {' '.join(given)}\n\n{''.join(traceback.format_exception(error))}"
    file.write_text(_out.plain(text), encoding="utf-8")
    return file


def _complain(what: str, step: str) -> None:
    red, bold, plain = ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") if _out.colours(sys.stderr) else ("", "", "")
    _out.styled(sys.stderr, f"{red}error:{plain} {_out.plain(what)}")
    if step:
        _out.styled(sys.stderr, f"{bold}next:{plain} {_out.plain(step)}")
