"""Commands on what was kept: `report`, `runs`, `clean`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from seatrial.apps.cli import _out
from seatrial.errors import StoreError, StudyError


def _reports() -> list[str]:
    """For the shell's completion."""
    from seatrial import catalog

    return list(catalog.parts("reports"))


Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")]
Folder = Annotated[Path, typer.Option("--in", help="The folder of the study.", file_okay=False, exists=True)]


def report(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name or the beginning of it, `latest`, its folder or `dossier.json`, or a study file."
        ),
    ] = "latest",
    form: Annotated[
        str,
        typer.Option(
            "--as",
            help="A report, such as `terminal`, `html` or `json`; `seatrial parts reports` lists them.",
            autocompletion=_reports,
        ),
    ] = "terminal",
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; stdout if left out.")] = None,
    folder: Folder = Path(),
    json: Annotated[bool, typer.Option("--json", help="The same as `--as json`.")] = False,
) -> int:
    """Tell a run again, in another form."""
    from seatrial.apps.find import dossier
    from seatrial.flow.publish import render

    name = "json" if json else form
    found = dossier(run, folder)
    options = terminal_options(found.study) if name == "terminal" and out is None else {}
    text = render(found, name, options)
    if out is None:
        ours = (
            name == "terminal" or not sys.stdout.isatty()
        )  # files keep their letters, on their way through a pipe, too
        _out.styled(sys.stdout, text.rstrip("\n") if ours else _out.plain(text.rstrip("\n")))
        return 0
    _out.save(out, text)
    _out.note(f"{out} is written.")
    return 0


def runs(folder: Folder = Path(), json: Json = False) -> int:
    """List the runs that are kept for the studies of a folder."""
    from seatrial.apps.cli._plan import duration
    from seatrial.flow import keep

    kept = keep.runs(keep.home(folder))
    if json:
        _out.data([run.model_dump(mode="json") for run in kept])
        return 0
    if not kept:
        _out.say("No run is kept here. `seatrial run STUDY` makes one; `--in FOLDER` looks beside another study.")
        return 0
    rows = [
        (
            run.id,
            Path(run.study_file).name,
            run.started[:19].replace("T", " "),
            duration(run.seconds),
            str(run.measured),
            str(run.reused),
            ", ".join(
                word
                for word, so in (
                    ("interrupted", run.interrupted),
                    ("budget spent", run.out_of_time),
                    ("informal", run.informal),
                )
                if so
            ),
        )
        for run in kept
    ]
    _out.show(
        _out.table(
            ("run", "study", "started (UTC)", "took", "measured", "reused", ""),
            rows,
            right=("took", "measured", "reused"),
        )
    )
    return 0


def clean(
    keep: Annotated[int, typer.Option("--keep", help="How many of the newest runs stay.", min=0)] = 5,
    everything: Annotated[
        bool, typer.Option("--all", help="Remove all that was kept: the next run measures everything again.")
    ] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", help="Runs and arrays that are older, whoever refers to them: `30d`, `12h`.", metavar="TIME"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    folder: Folder = Path(),
    json: Json = False,
) -> int:
    """Remove old runs, and files that nothing refers to any more."""
    from seatrial.flow import keep as kept

    before = None if older_than is None else time.time() - _seconds(older_than)
    home = kept.home(folder)
    if not home.is_dir():
        _out.data({"runs": 0, "files": 0, "bytes": 0}) if json else _out.say("Nothing is kept here.")
        return 0
    if not yes and not _agreed(home, keep, everything, older_than):
        _out.note("Nothing was removed.")
        return 0
    try:
        gone = kept.clean(home, keep=keep, everything=everything, before=before)
    except OSError as error:
        raise StoreError(
            f"{home} can't be removed: {error.strerror}", next_step="look at the folder's rights"
        ) from error
    if json:
        _out.data(gone._asdict())
    else:
        _out.say(f"Removed {gone.runs} runs, {gone.files} files, {gone.bytes / 1e6:.1f} MB.")
    return 0


BRIEF = {"rows": 30, "reasons": 8}
"""Most candidates in the table, and most reasons: some two screens, unless the study asks for more."""


def terminal_options(study: Mapping[str, Any] | None = None) -> dict[str, object]:
    """Width and colour of the terminal report, as this terminal has them, and its length where the study says nothing of it."""
    stated = next((one for one in (study or {}).get("reports", ()) if isinstance(one, dict) and one.get("name") == "terminal"), {})  # fmt: skip
    brief = {name: most for name, most in BRIEF.items() if name not in stated.get("options", {})}
    return {"width": max(40, _out.console(sys.stdout).width), "colour": _out.colours(sys.stdout), **brief}


def _seconds(written: str) -> float:
    """`30d`, `12h`, `90 min` in seconds. Raises `StudyError`."""
    from seatrial.contracts.quantity import parse

    try:
        days = written.strip().lower().removesuffix("days").removesuffix("d")
        if days != written.strip().lower():
            return parse(days.strip()).value * 86_400
        quantity = parse(written)
        if quantity.unit != "s":
            raise ValueError(f"`{written}` is not a time")
    except ValueError as error:
        raise StudyError(f"--older-than: {error}", next_step="like `--older-than 30d`") from error
    return quantity.value


def _agreed(home: Path, keep: int, everything: bool, older_than: str | None) -> bool:
    what = "everything" if everything else f"all but the newest {keep} runs"
    what += f", and all that is older than {older_than}" if older_than and not everything else ""
    if not sys.stdin.isatty():
        raise StudyError(f"removing {what} from {home} wants a yes", next_step="add `--yes`")
    return typer.confirm(f"Remove {what} from {_out.plain(home)}?", err=True)
