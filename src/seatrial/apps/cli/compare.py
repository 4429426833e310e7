"""The command on outputs made elsewhere: `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.apps.cli import _out
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.candidate import PartRef
    from seatrial.contracts.dossier import Dossier

MEANS = ("logits", "probabilities", "scores")
JUDGED = "accuracy"


def compare(
    reference: Annotated[
        Path,
        typer.Argument(
            help="The outputs of the model that was approved: a table, such as a Parquet file.", exists=True
        ),
    ],
    candidate: Annotated[Path, typer.Argument(help="The outputs of the model that is compared.", exists=True)],
    label: Annotated[
        str | None, typer.Option("--label", help="Column of the right class, in either file.", metavar="COLUMN")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", help="Column that names each row; rows are matched by it, else by order.", metavar="COLUMN"
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            help="Columns of the outputs, such as `p0,p1,p2` or `prediction`; found by their names if left out.",
            metavar="NAMES",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Classes in the order of the columns, such as `no,yes`.", metavar="NAMES"),
    ] = None,
    means: Annotated[
        str | None,
        typer.Option("--means", help="What the numbers are: logits, probabilities or scores; seen if left out."),
    ] = None,
    task: Annotated[str, typer.Option("--task", help="What the answers mean.")] = "classification",
    margin: Annotated[
        str | None,
        typer.Option(
            "--margin", help="The largest drop in accuracy that is acceptable, such as `0.5pp`; it is judged."
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option("--confidence", help="One-sided confidence of the judgement.", min=0.51, max=0.9999)
    ] = 0.95,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The folder for the reports; `.seatrial/compare/NAMES` if left out.", file_okay=False
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")] = False,
) -> int:
    """Compare two files of outputs made elsewhere, without running a model. With `--margin` it exits as `gate` does."""
    from seatrial.apps.cli.run import judged
    from seatrial.flow.compare import Reading, check, default_folder
    from seatrial.flow.compare import compare as carry_out

    if means is not None and means not in MEANS:
        raise StudyError(f"--means: `{means}` is not known", next_step=f"say one of: {', '.join(MEANS)}")
    require = _required(margin, label)
    check(require)
    reading = Reading(task, label, key, _listed(columns), _listed(classes), means)  # type: ignore[arg-type]
    folder = out or default_folder(reference, candidate)
    dossier = carry_out(reference, candidate, reading, require, confidence, folder)
    if json:
        _out.data(dossier)
    else:
        _tell(dossier, folder)
    return judged(dossier) if require else 0


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
    _out.say(render(dossier, "terminal", terminal_options()).rstrip("\n"))
    _out.say()
    page = folder / "report.html"
    _out.say(f"report: {page if page.is_file() else folder}")
