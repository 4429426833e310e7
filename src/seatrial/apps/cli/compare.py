"""The command on two of a kind: `compare` takes two files of outputs made elsewhere, or two runs that were kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from seatrial.apps.cli import _out
from seatrial.apps.cli.kept import _reports
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.candidate import PartRef
    from seatrial.contracts.dossier import Dossier

MEANS = ("logits", "probabilities", "scores")
JUDGED = "accuracy"
TEXT = "terminal"

First = Annotated[
    str,
    typer.Argument(
        help="The outputs of the model that was approved: a table, such as a Parquet file. Or a run: its name, folder, `dossier.json` or study file."
    ),
]
Second = Annotated[str, typer.Argument(help="The outputs of the model that is compared. Or the later run.")]
Label = Annotated[
    str | None, typer.Option("--label", help="Column of the right class, in either file.", metavar="COLUMN")
]
Key = Annotated[
    str | None,
    typer.Option("--key", help="Column that names each row; rows are matched by it, else by order.", metavar="COLUMN"),
]
ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns",
        help="Columns of the outputs, such as `p0,p1,p2` or `prediction`; found by their names if left out.",
        metavar="NAMES",
    ),
]
Classes = Annotated[
    str | None,
    typer.Option("--classes", help="Classes in the order of the columns, such as `no,yes`.", metavar="NAMES"),
]
Means = Annotated[
    str | None,
    typer.Option("--means", help="What the numbers are: logits, probabilities or scores; seen if left out."),
]
Task = Annotated[str, typer.Option("--task", help="What the answers mean.")]
Margin = Annotated[
    str | None,
    typer.Option("--margin", help="The largest drop in accuracy that is acceptable, such as `0.5pp`; it is judged."),
]
Confidence = Annotated[
    float, typer.Option("--confidence", help="One-sided confidence of the judgement.", min=0.51, max=0.9999)
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="The folder for the reports, `.seatrial/compare/NAMES` if left out; of two runs the file to write.",
    ),
]
Form = Annotated[
    str,
    typer.Option("--as", help="A report, such as `terminal`, `html` or `json`, on stdout.", autocompletion=_reports),
]
Folder = Annotated[
    Path, typer.Option("--in", help="The folder of the study whose runs are named.", file_okay=False, exists=True)
]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")]


class Asked(NamedTuple):
    """How two files are to be read and judged, as it was given on the command line."""

    label: str | None
    key: str | None
    columns: str | None
    classes: str | None
    means: str | None
    task: str
    margin: str | None
    confidence: float


def compare(
    reference: First,
    candidate: Second,
    label: Label = None,
    key: Key = None,
    columns: ColumnNames = None,
    classes: Classes = None,
    means: Means = None,
    task: Task = "classification",
    margin: Margin = None,
    confidence: Confidence = 0.95,
    out: Out = None,
    form: Form = TEXT,
    folder: Folder = Path(),
    json: Json = False,
) -> int:
    """Compare two files of outputs made elsewhere, without running a model; or two runs: what changed between them.

    With `--margin` two files are judged, and it exits as `gate` does. Of two runs nothing is judged: `gate --against` does that.
    """
    asked = Asked(label, key, columns, classes, means, task, margin, confidence)
    name = "json" if json else form
    if _are_runs(reference, candidate, folder):
        _only_files(asked)
        return _two_runs(reference, candidate, folder, name, out)
    return _two_files(_there(reference), _there(candidate), asked, name, out)


# --- two runs ----------------------------------------------------------------------------------------------------------


def _are_runs(first: str, second: str, folder: Path) -> bool:
    """Whether both name runs. Raises `StudyError` where one does and the other is a file of outputs."""
    runs = [_is_run(text, folder) for text in (first, second)]
    if runs[0] != runs[1]:
        run, other = (first, second) if runs[0] else (second, first)
        raise StudyError(
            f"`{run}` is a run and `{other}` is none",
            next_step="name two runs (`seatrial runs` lists them), or two files",
        )
    return runs[0]


def _is_run(text: str, folder: Path) -> bool:
    """A run's folder, a `dossier.json`, a study file, or the name of a run that is kept."""
    from seatrial.apps.find import is_study
    from seatrial.flow import keep

    place = Path(text)
    if place.is_dir():
        return (place / "dossier.json").is_file()
    if place.is_file():
        return is_study(text) or _is_dossier(place)
    home = keep.home(folder)
    kept = [run.id for run in keep.runs(home)] if home.is_dir() else []
    return bool(kept) and (text == "latest" or any(id_.startswith(text) for id_ in kept))


def _is_dossier(file: Path) -> bool:
    """Whether a JSON file is a dossier, by its first field: `schema`."""
    if file.suffix != ".json":
        return False
    with file.open("rb") as opened:
        return opened.read(64).lstrip(b"{ \t\r\n").startswith(b'"schema"')


def _only_files(asked: Asked) -> None:
    """Raises `StudyError` for an option that says how files are to be read."""
    given = [f"--{name}" for name in ("label", "key", "columns", "classes", "means", "margin") if getattr(asked, name)]
    if given:
        raise StudyError(
            f"{', '.join(given)}: of two runs nothing is read or judged anew",
            next_step="leave it out; `seatrial gate STUDY --against BASELINE` judges one run by another",
        )


def _two_runs(first: str, second: str, folder: Path, form: str, out: Path | None) -> int:
    from seatrial.apps.cli.kept import terminal_options
    from seatrial.apps.find import dossier
    from seatrial.flow.changes import changes, tell

    made = changes(dossier(first, folder), dossier(second, folder))
    text = tell(made, form, terminal_options() if form == TEXT and out is None else {})
    if out is None:
        _show(text, form)
        return 0
    _out.save(out, text)
    _out.note(f"{out} is written.")
    return 0


# --- two files ---------------------------------------------------------------------------------------------------------


def _there(text: str) -> Path:
    if not Path(text).exists():
        raise StudyError(
            f"`{text}` is neither a file nor a run that is kept here",
            next_step="check the path; `seatrial runs --in FOLDER` lists the runs of a study",
        )
    return Path(text)


def _two_files(reference: Path, candidate: Path, asked: Asked, form: str, out: Path | None) -> int:
    from seatrial.apps.cli.run import judged
    from seatrial.flow.compare import Reading, check, default_folder
    from seatrial.flow.compare import compare as carry_out

    if asked.means is not None and asked.means not in MEANS:
        raise StudyError(f"--means: `{asked.means}` is not known", next_step=f"say one of: {', '.join(MEANS)}")
    if out is not None and out.is_file():
        raise StudyError(f"--out: `{out}` is a file", next_step="name a folder for the reports")
    require = _required(asked.margin, asked.label)
    check(require)
    reading = Reading(asked.task, asked.label, asked.key, _listed(asked.columns), _listed(asked.classes), asked.means)  # type: ignore[arg-type]
    folder = out or default_folder(reference, candidate)
    dossier = carry_out(reference, candidate, reading, require, asked.confidence, folder)
    _told(dossier, folder, form)
    return judged(dossier) if require else 0


def _told(dossier: Dossier, folder: Path, form: str) -> None:
    from seatrial.flow.publish import render

    if form == "json":
        _out.data(dossier)
    elif form == TEXT:
        _tell(dossier, folder)
    else:
        _show(render(dossier, form), form)


def _show(text: str, form: str) -> None:
    """A report on stdout: with its colours where it is one for terminals, and plain to a terminal where it is a file's text."""
    ours = form == TEXT or not sys.stdout.isatty()
    _out.styled(sys.stdout, text.rstrip("\n") if ours else _out.plain(text.rstrip("\n")))


def _required(margin: str | None, label: str | None) -> list[PartRef]:
    """The requirement that `--margin` is."""
    from seatrial.contracts.candidate import PartRef

    if margin is None:
        return []
    if label is None:
        raise StudyError(
            "a margin of accuracy can't be judged without labels",
            next_step="name the column of the right class: `--label COLUMN`",
        )
    return [PartRef(name="drop_at_most", options={"what": JUDGED, "margin": margin})]


def _listed(names: str | None) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()] if names else []


def _tell(dossier: Dossier, folder: Path) -> None:
    from seatrial.apps.cli.kept import terminal_options
    from seatrial.flow.publish import render

    read = dossier.environment
    shown = read["read_from"][:6]
    more = f" and {len(read['read_from']) - 6} more" if len(read["read_from"]) > 6 else ""
    _out.note(
        f"read: {read['read_as']} from {', '.join(shown)}{more}; {read['rows']:,} rows matched by {read['rows_matched_by']}"
    )
    _out.styled(sys.stdout, render(dossier, "terminal", terminal_options()).rstrip("\n"))
    _out.say()
    page = folder / "report.html"
    _out.say(f"report: {page if page.is_file() else folder}")
