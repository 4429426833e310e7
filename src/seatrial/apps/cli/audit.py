"""The command on data alone: `audit` says what is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.apps.cli import _out
from seatrial.apps.cli.data import Limit
from seatrial.apps.cli.kept import _reports
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.audit import Auditing
    from seatrial.contracts.audited import Audited

TEXT = "terminal"
CODES = {"pass": 0, "fail": 1, "not enough evidence": 3}

Rows = Annotated[
    Path,
    typer.Argument(
        help="A file or folder of rows, such as a Parquet or CSV file; or a study, whose data sets are looked at."
    ),
]
Test = Annotated[
    Path | None,
    typer.Argument(
        help="Rows to judge on, where the first are those a model is trained on: leaks between them are looked for."
    ),
]
Label = Annotated[str | None, typer.Option("--label", help="Column of the right answer.", metavar="COLUMN")]
Group = Annotated[
    str | None, typer.Option("--group", help="Column of the person, file or place a row belongs to.", metavar="COLUMN")
]
Order = Annotated[str | None, typer.Option("--order", help="Column of the time or sequence of rows.", metavar="COLUMN")]
Weight = Annotated[
    str | None,
    typer.Option("--weight", help="Column of how many of the population a row stands for.", metavar="COLUMN"),
]
Sensitive = Annotated[
    str | None, typer.Option("--sensitive", help="Columns that decisions mustn't rest on: `sex,race`.", metavar="NAMES")
]
Annotators = Annotated[
    str | None, typer.Option("--annotators", help="Columns of labels that several people gave.", metavar="NAMES")
]
Ignore = Annotated[
    str | None, typer.Option("--ignore", help="Columns that don't make a row another row: `id`.", metavar="NAMES")
]
Only = Annotated[str | None, typer.Option("--only", help="The audits to carry out; all if left out.", metavar="NAMES")]
Without = Annotated[str | None, typer.Option("--without", help="Audits to leave out.", metavar="NAMES")]
Models = Annotated[
    bool,
    typer.Option("--models/--no-models", help="Whether audits run that fit a model to the data: they take longer."),
]
Memory = Annotated[str, typer.Option("--memory", help="Memory that one audit may hold beside the rows it reads.")]
Form = Annotated[
    str, typer.Option("--as", help="A report: `terminal`, `html`, `markdown` or `json`.", autocompletion=_reports)
]
Out = Annotated[Path | None, typer.Option("--out", help="The file to write the report to; stdout if left out.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Look again at rows that were looked at before.")]
Json = Annotated[bool, typer.Option("--json", help="The same as `--as json`.")]


def audit(
    data: Rows,
    test: Test = None,
    label: Label = None,
    group: Group = None,
    order: Order = None,
    weight: Weight = None,
    sensitive: Sensitive = None,
    annotators: Annotators = None,
    ignore: Ignore = None,
    only: Only = None,
    without: Without = None,
    models: Models = True,
    memory: Memory = "1 GiB",
    limit: Limit = None,
    fresh: Fresh = False,
    form: Form = TEXT,
    out: Out = None,
    json: Json = False,
) -> int:
    """Say what is wrong with data: copies, gaps, faults, leaks, personal data. No row is ever shown.

    Exits as `gate` does: 0 nothing serious, 1 a serious fault, 2 wrong usage, 3 some audit could not look, 4 could not be read.
    """
    from seatrial.apps.find import is_study
    from seatrial.flow.audit_alone import audit_files, audit_of_study, outcome

    given = {"audits": _names(only), "without": _names(without), "models": models, "sensitive": _names(sensitive), "annotators": _names(annotators), "ignore": _names(ignore), "memory": memory}  # fmt: skip
    asked = _asked(given)
    columns = {"label": label, "group": group, "order": order, "weight": weight}
    for place in filter(None, (data, test)):
        if not place.exists() and not any(mark in place.name for mark in "*?["):
            raise StudyError(f"there is no file {place}", next_step="check the path")
    if is_study(str(data)):
        if test is not None or limit or any(columns.values()):
            raise StudyError(
                "a study says itself which data, columns and limits there are", next_step="leave the others out"
            )
        usual = _asked({"memory": "1 GiB"})
        made = audit_of_study(data, None if asked == usual else asked, watch=_watch, fresh=fresh)
    else:
        files = {"rows": data} if test is None else {"train": data, "evaluation": test}
        made = audit_files(files, columns, asked, watch=_watch, limits=_out.pairs(limit), fresh=fresh)
    _tell(made, "json" if json else form, out)
    if made.reused:
        _out.note(
            f"{made.reused} of {made.reused + made.measured} results were kept from before; `--fresh` looks again."
        )
    return CODES[outcome(made.findings)]


def _tell(made: Audited, form: str, out: Path | None) -> None:
    from seatrial.apps.cli.kept import terminal_options
    from seatrial.flow.audit_alone import tell

    options = (
        {name: value for name, value in terminal_options().items() if name in ("width", "colour")}
        if form == TEXT and out is None
        else {}
    )
    text = tell(made, form, options)
    if out is not None:
        _out.save(out, text)
        _out.note(f"{out} is written.")
        return
    ours = form == TEXT or not sys.stdout.isatty()
    _out.styled(sys.stdout, text.rstrip("\n") if ours else _out.plain(text.rstrip("\n")))


def _asked(given: dict[str, object]) -> Auditing:
    from pydantic import ValidationError

    from seatrial.contracts.audit import Auditing

    try:
        return Auditing.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        raise StudyError(
            f"--{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}",
            next_step="`seatrial audit --help`",
        ) from error


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _watch(name: str) -> None:
    if sys.stderr.isatty():
        _out.note(f"looking at {name}")
