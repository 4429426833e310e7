"""Commands that carry out a study: `plan`, `run`, `gate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.apps.cli import _out
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.dossier import Dossier
    from seatrial.flow.baseline import Comparison

PASS, FAIL, OPEN, NOT_EVALUATED, STOPPED = 0, 1, 3, 4, 130
MOST_LINES = 50
"""Lines that `gate` says on what doesn't hold."""

StudyFile = Annotated[Path, typer.Argument(help="The study file.", metavar="STUDY")]
Quick = Annotated[bool, typer.Option("--quick", help="An informal first look: three rounds.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", help="Only candidates whose name matches, such as `*openvino*`; may be repeated.", metavar="PATTERN"
    ),
]
Budget = Annotated[
    str | None, typer.Option("--budget", help="Stop measuring after this time, such as `10m`.", metavar="TIME")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure everything again.")]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        help="The SHA-256 of a file that is refused otherwise, to let this one through this once; may be repeated.",
        metavar="SHA256",
    ),
]
On = Annotated[
    str | None,
    typer.Option("--on", help="Run it on another machine, such as `ssh://me@host:22`.", metavar="MACHINE"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No plan and no progress; only the verdict.")]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout, progress on stderr.")]


def plan(study: StudyFile, only: Only = None, quick: Quick = False, on: On = None, json: Json = False) -> int:
    """Show what would run: candidates, what was left out and why, how long it may take. Measures nothing."""
    from dataclasses import replace

    from seatrial.flow.machines import on as placed
    from seatrial.flow.plan import make_plan
    from seatrial.flow.read import read

    source = read(study)
    source = replace(source, study=placed(source.study, on, source.folder))
    made = make_plan(source, only=tuple(only or ()), quick=quick)
    if json:
        _out.data(made)
        return 0
    from seatrial.apps.cli._plan import described

    _out.show(*described(made))
    _out.say(f"next: seatrial run {study}")
    return 0


def run(
    study: StudyFile,
    quick: Quick = False,
    only: Only = None,
    budget: Budget = None,
    fresh: Fresh = False,
    trust: Trust = None,
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Carry out a study: measure, decide, report. What was measured before is not measured again."""
    dossier = _carried_out(study, quick, only, budget, fresh, trust, on, quiet)
    if json:
        _out.data(dossier)
    else:
        _tell(dossier, study, quiet)
    if dossier.run.interrupted:
        return STOPPED
    return 0 if evaluated(dossier) else NOT_EVALUATED


def gate(
    what: Annotated[
        str,
        typer.Argument(
            help="A study file, which is run; or a run's name, `latest`, its folder or `dossier.json`, which is read.",
            metavar="STUDY|RUN",
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--in", help="The folder of the study, for a run's name.", file_okay=False, exists=True)
    ] = Path(),
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            help="A dossier.json that was kept: what has become worse since then fails, too.",
            metavar="BASELINE",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    quick: Quick = False,
    only: Only = None,
    budget: Budget = None,
    fresh: Fresh = False,
    trust: Trust = None,
    on: On = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Judge, for a pipeline: exit 0 pass, 1 fail, 2 usage, 3 not enough evidence, 4 could not be evaluated."""
    from seatrial.apps.find import dossier as kept
    from seatrial.apps.find import is_study

    baseline = None if against is None else kept(str(against), folder)
    is_one = is_study(what)
    dossier = _carried_out(Path(what), quick, only, budget, fresh, trust, on, quiet) if is_one else kept(what, folder)
    compared = None if baseline is None else _compared(dossier, baseline)
    code = judged(dossier, compared)
    if json:
        since = {} if compared is None else {"baseline": {"outcome": compared.outcome, **compared._asdict()}}
        _out.data({"exit": code, "run": dossier.run.id, "verdict": dossier.verdict.model_dump(mode="json"), **since})
        return code
    if not quiet:
        lines = _judgements(dossier)
        for line in lines[:MOST_LINES]:
            _out.say(line)
        if len(lines) > MOST_LINES:
            _out.say(f"... and {len(lines) - MOST_LINES} more; `seatrial gate {what} --json` has all")
    _out.say(f"{dossier.verdict.outcome.upper()}  {dossier.verdict.sentence}")
    for line in _since(compared, quiet) if compared else ():
        _out.say(line)
    if is_study(what):
        _out.say(_page(dossier, Path(what)))
    return code


def evaluated(dossier: Dossier) -> bool:
    """Whether anything at all was found out about a candidate."""
    return any(finding.candidate and finding.value is not None for finding in dossier.findings)


def judged(dossier: Dossier, compared: Comparison | None = None) -> int:
    """The exit code of a gate: of the verdict and, if there is one, the comparison with a baseline, the worse."""
    if dossier.run.interrupted:
        return STOPPED
    if not evaluated(dossier):
        return NOT_EVALUATED
    outcomes = [dossier.verdict.outcome.value, *([compared.outcome.value] if compared else [])]
    return FAIL if "fail" in outcomes else PASS if set(outcomes) == {"pass"} else OPEN


def seconds(budget: str | None) -> float | None:
    """A budget in seconds. Raises `StudyError` where it is no time."""
    from seatrial.contracts.quantity import parse

    if budget is None:
        return None
    try:
        quantity = parse(budget)
    except ValueError as error:
        raise StudyError(
            f"--budget: {error}", next_step="say a time, such as `--budget 10m` or `--budget 90s`"
        ) from error
    if quantity.unit not in ("s", "") or quantity.value <= 0:
        raise StudyError(
            f"--budget: `{budget}` is no time", next_step="say a time, such as `--budget 10m` or `--budget 90s`"
        )
    return quantity.value


def _carried_out(
    study: Path,
    quick: bool,
    only: list[str] | None,
    budget: str | None,
    fresh: bool,
    trust: list[str] | None,
    on: str | None,
    quiet: bool,
) -> Dossier:
    limit = seconds(budget)
    from seatrial.apps.cli.progress import watching
    from seatrial.flow.study import run as carry_out

    chosen = {"only": tuple(only or ()), "trust": tuple(trust or ())}
    with watching(quiet) as watch:
        return carry_out(study, quick=quick, budget=limit, fresh=fresh, on=on, watch=watch, **chosen)


def _tell(dossier: Dossier, study: Path, quiet: bool) -> None:
    from seatrial.apps.cli.kept import terminal_options
    from seatrial.flow.publish import render

    if quiet:
        _out.say(f"{dossier.verdict.outcome.upper()}  {dossier.verdict.sentence}")
        _out.note(_effort(dossier))
    else:
        _out.styled(sys.stdout, render(dossier, "terminal", terminal_options(dossier.study)).rstrip("\n"))
        _out.say()
    _out.say(_page(dossier, study))


def _page(dossier: Dossier, study: Path) -> str:
    """Where the report to look at lies, or the folder of all reports where there is none."""
    from seatrial.flow.keep import home, run_folder

    folder = run_folder(home(study.parent), dossier.run.id)
    page = folder / "report.html"
    return f"report: {page if page.is_file() else folder}"


def _effort(dossier: Dossier) -> str:
    """How much was measured; the terminal report says it in its own words."""
    run = dossier.run
    if run.interrupted:
        return "Stopped. What was measured is kept: the next run goes on from there."
    if run.out_of_time:
        return f"The budget was spent after {run.measured} measurements: the next run goes on from there."
    if run.measured == 0 and run.reused:
        return f"Nothing had to be measured again: all {run.reused} measurements were kept from before."
    return f"Measured: {run.measured}; kept from before: {run.reused}."


def _compared(dossier: Dossier, baseline: Dossier) -> Comparison:
    from seatrial.flow.baseline import compare

    return compare(dossier, baseline)


def _since(compared: Comparison, quiet: bool) -> list[str]:
    """What has become worse since the baseline, what could not be compared, and how it stands in all."""
    lines = [f"worse: {line}" for line in compared.worse]
    if not quiet:
        lines += [f"not compared: {line}" for line in compared.left_out] + [f"note: {line}" for line in compared.notes]
    count = len(compared.worse)
    told = f"of {compared.compared} comparisons with the baseline {count or 'none'} came out worse"
    return [
        *lines,
        f"{compared.outcome.upper()}  {told if compared.compared else 'nothing can be compared with the baseline'}",
    ]


def _judgements(dossier: Dossier) -> list[str]:
    """What doesn't hold, a line each: candidate, requirement, reason, what would settle it."""
    labels = {entry.id: entry.label for entry in dossier.candidates}
    return [
        f"{judgement.outcome}: {labels.get(verdict.candidate, verdict.candidate)}: {judgement.requirement}: {judgement.reason}"
        + (f" ({judgement.settle})" if judgement.settle else "")
        for verdict in dossier.verdict.candidates
        if verdict.eligible
        for judgement in verdict.judgements
        if judgement.outcome.value != "pass"
    ]
