"""The verdict as JUnit XML, which CI systems show as tests: a test for each candidate and requirement.

The first test is the study's verdict. A requirement that is not met is a failure, one for which there is not enough
evidence is skipped and says so (the exit code of `seatrial gate` tells it, too: 3), a candidate that could not be measured
is an error. A study may pass although some candidates fail: where red tests would stop the pipeline then,
`{junit: {failures: verdict}}` counts such candidates as skipped. Judging takes no time, so tests have the time 0; the suite
has the run's.
"""

from __future__ import annotations

from typing import Literal
from xml.etree import ElementTree as ET

from pydantic import Field

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.parts.reports._view import Row, view
from seatrial.parts.reports._words import clean, words

GIVES = {"suffix": ("xml",), "file": ("junit.xml",)}
VERSION = 1


class Options(PartOptions):
    """What counts as a failure."""

    failures: Literal["all", "verdict"] = Field(
        default="all",
        description="`all`: every requirement that fails; `verdict`: none of them while the study passes",
    )


def render(dossier: Dossier, options: Options) -> str:
    """The file's text: `testsuites` with one `testsuite`, the study. Raises nothing, whatever the texts of a study hold."""
    name = _line(dossier.study.get("name", ""))
    suite = ET.Element("testsuite", name=name, timestamp=_line(dossier.run.started)[:19])
    _properties(suite, _told(dossier))
    _verdict(suite, dossier, name)
    forgiven = options.failures == "verdict" and dossier.verdict.outcome is Outcome.PASS
    for row in view(dossier).rows:
        _candidate(suite, row, forgiven)
    for tag in ("failure", "error", "skipped"):
        plural = tag if tag == "skipped" else f"{tag}s"
        suite.set(plural, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("time", f"{dossier.run.seconds:.3f}")
    counts = {key: suite.get(key, "") for key in ("tests", "failures", "errors", "skipped", "time")}
    root = ET.Element("testsuites", {"name": "seatrial", **counts})
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _told(dossier: Dossier) -> dict[str, object]:
    """What the suite says of the run."""
    run, verdict = dossier.run, dossier.verdict
    return {
        "run": run.id,
        "seatrial": run.seatrial,
        "study_file": run.study_file,
        "outcome": verdict.outcome,
        "recommended": verdict.recommended or "",
        "confidence": verdict.confidence,
        "interrupted": str(run.interrupted).lower(),
        "out_of_time": str(run.out_of_time).lower(),
        "informal": str(run.informal).lower(),
    }


def _verdict(suite: ET.Element, dossier: Dossier, name: str) -> None:
    outcome, sentence = dossier.verdict.outcome, dossier.verdict.sentence
    case = _case(suite, name, words()["junit"]["verdict"])
    if outcome is Outcome.FAIL:
        _result(case, "failure", sentence, "verdict")
    elif outcome is Outcome.OPEN:
        _open(case, sentence)


def _candidate(suite: ET.Element, row: Row, forgiven: bool) -> None:
    said = words()["junit"]
    if row.spared and row.failure is not None:
        _open(_case(suite, row.label, said["measured"]), row.failure.note)
        return
    if row.failure is not None:
        state = words()["state"][row.failure.state]
        _result(
            _case(suite, row.label, said["measured"]), "error", f"{state}: {row.failure.note}", str(row.failure.state)
        )
        return
    judgements = row.verdict.judgements if row.verdict else ()
    if not judgements:
        _case(suite, row.label, said["measured"])
    for judgement in judgements:
        _judgement(_case(suite, row.label, judgement.requirement), judgement, forgiven)


def _judgement(case: ET.Element, judgement: Judgement, forgiven: bool) -> None:
    said = words()["junit"]
    if judgement.outcome is Outcome.OPEN:
        settle = said["settle"].format(reason=judgement.reason, settle=judgement.settle)
        _open(case, settle if judgement.settle else judgement.reason)
    elif judgement.outcome is Outcome.FAIL and forgiven:
        _properties(case, {"outcome": Outcome.FAIL})
        ET.SubElement(case, "skipped", message=_line(said["passed_anyway"].format(reason=judgement.reason)))
    elif judgement.outcome is Outcome.FAIL:
        _result(case, "failure", judgement.reason, judgement.rule)


def _case(suite: ET.Element, classname: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_line(classname), name=_line(name), time="0")


def _result(case: ET.Element, tag: str, message: str, kind: str) -> None:
    ET.SubElement(case, tag, message=_line(message), type=_line(kind)).text = clean(message)


def _open(case: ET.Element, reason: str) -> None:
    """Neither passed nor failed: `skipped` is the only word JUnit has for it, so a property says which."""
    _properties(case, {"outcome": Outcome.OPEN})
    ET.SubElement(case, "skipped", message=_line(words()["junit"]["open"].format(reason=reason)))


def _properties(parent: ET.Element, told: dict[str, object]) -> None:
    listed = ET.SubElement(parent, "properties")
    for name, value in told.items():
        ET.SubElement(listed, "property", name=name, value=_line(value))


def _line(text: object) -> str:
    """Text for an attribute: no control characters, which XML forbids, and no line breaks, which it would swallow."""
    return " ".join(clean(text).split())
