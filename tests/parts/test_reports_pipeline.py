"""Reports for pipelines: valid, within the platforms' limits, and deaf to whatever a study's texts try."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_reports import BEST, FULL, SAMPLES, big

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports import github, junit, markdown, sarif
from seatrial.parts.reports._view import view

NASTY = "a|b `c` <img src=x onerror=1> [x](javascript:1) **d** @everyone ::error::x \x1b[2J\x00\ud800\n## e %0A,:;$"
TEXTS = st.text(max_size=60)


def suite_of(dossier: Dossier, **options: Any) -> ET.Element:
    """The one suite of the file, read by a parser that refuses what isn't XML."""
    root = ET.fromstring(junit.render(dossier, junit.Options(**options)).encode())
    assert root.tag == "testsuites"
    (suite,) = root
    return suite


def cases(suite: ET.Element) -> dict[tuple[str, str], ET.Element]:
    return {(case.get("classname", ""), case.get("name", "")): case for case in suite.iter("testcase")}


def named(text: str) -> Dossier:
    """The sample with this text in every place that a study or a part fills, and a failing verdict."""
    failing = SAMPLES["nothing passes"]
    each = tuple(
        one.model_copy(
            update={
                "judgements": tuple(
                    j.model_copy(
                        update={"requirement": f"{text} {index}", "reason": text, "settle": text, "rule": text}
                    )
                    for index, j in enumerate(one.judgements)
                )
            }
        )
        for one in failing.verdict.candidates
    )
    entries = tuple(
        entry.model_copy(update={"label": f"{text} {index}"}) for index, entry in enumerate(failing.candidates)
    )
    findings = tuple(f.model_copy(update={"note": text}) for f in failing.findings)
    return failing.model_copy(
        update={
            "candidates": entries,
            "findings": findings,
            "study": failing.study | {"name": text},
            "dropped": tuple(one.model_copy(update={"id": text, "reason": text}) for one in failing.dropped),
            "verdict": failing.verdict.model_copy(update={"candidates": each, "sentence": text}),
            "run": failing.run.model_copy(update={"study_file": text, "started": text, "id": text}),
        }
    )


# --- junit -------------------------------------------------------------------------------------------------------------


def test_a_test_for_every_candidate_and_requirement() -> None:
    suite = suite_of(FULL)
    found = cases(suite)
    measured = {row.entry.id: row.label for row in view(FULL).measured}
    judged = [
        (one.candidate, j) for one in FULL.verdict.candidates if one.candidate in measured for j in one.judgements
    ]
    assert len(found) == len(judged) + 2  # the verdict, and the candidate that hung
    tags = {Outcome.PASS: None, Outcome.FAIL: "failure", Outcome.OPEN: "skipped"}
    for candidate, judgement in judged:
        case = found[measured[candidate], judgement.requirement]
        results = [child for child in case if child.tag != "properties"]
        assert [child.tag for child in results] == ([tags[judgement.outcome]] if tags[judgement.outcome] else [])
        assert all(judgement.reason in child.get("message", "") for child in results)


def test_want_of_evidence_is_said_and_is_no_pass() -> None:
    case = cases(suite_of(SAMPLES["open"]))["fashion", "verdict"]
    skipped, outcome = case.find("skipped"), case.find("properties/property[@name='outcome']")
    assert skipped is not None
    assert skipped.get("message", "").startswith("not enough evidence: ")
    assert outcome is not None
    assert outcome.get("value") == "not enough evidence"


def test_what_could_not_be_measured_is_an_error() -> None:
    error = cases(suite_of(FULL))["torch(compiled=true) bf16", "measured"].find("error")
    assert error is not None
    assert (error.get("type"), "no answer within 120 s" in error.get("message", "")) == ("hung", True)
    assert suite_of(SAMPLES["all failed"]).get("errors") == str(len(FULL.candidates))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_counts_are_those_of_the_tests(name: str) -> None:
    suite = suite_of(SAMPLES[name])
    for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.get(count, "-1")) == len(list(suite.iter(tag)))
    assert int(suite.get("tests", "-1")) == len(list(suite.iter("testcase")))


def test_the_suite_tells_the_run() -> None:
    suite = suite_of(FULL)
    told = {one.get("name"): one.get("value") for one in suite.findall("properties/property")}
    assert (told["run"], told["seatrial"], told["recommended"]) == (FULL.run.id, "0.1.0", BEST)
    assert (suite.get("time"), suite.get("timestamp")) == ("156.200", "2026-11-04T10:15:02")


def test_failures_can_be_left_to_the_verdict() -> None:
    assert suite_of(FULL).get("failures") == "2"
    lenient = suite_of(FULL, failures="verdict")
    assert (lenient.get("failures"), lenient.get("skipped")) == ("0", "3")
    assert suite_of(SAMPLES["nothing passes"], failures="verdict").get("failures") != "0"


@settings(max_examples=40, deadline=None)
@given(TEXTS)
@example(NASTY)
def test_no_text_makes_it_anything_but_xml(text: str) -> None:
    suite_of(named(text))


# --- markdown ------------------------------------------------------------------------------------------------------------


def summary(dossier: Dossier, **options: Any) -> str:
    return markdown.render(dossier, markdown.Options(**options))


def cells(line: str) -> list[str]:
    """The cells of a row, split as GitHub splits them: at bars without a backslash before."""
    return re.split(r"(?<!\\)\|", line)


def table(text: str) -> list[list[str]]:
    return [cells(line) for line in text.splitlines() if line.startswith("|")]


def test_the_summary_says_verdict_table_and_why_not() -> None:
    text = summary(FULL)
    assert text.startswith("## fashion: pass\n\nTake <code>openvino bf16</code>: speedup 6.38")
    rows = table(text)
    assert len(rows) == 2 + 10
    assert len({len(row) for row in rows}) == 1
    assert "**openvino bf16** (recommended)" in rows[3][1]
    assert rows[3][2].strip() == "6.38 (6.29–6.48)"
    assert "accuracy drop at least 0.788 pp" in text
    assert "hung: no answer within 120 s" in text
    assert text.count("<details>") == text.count("</details>") == 4


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_tables_and_folds_are_whole(name: str) -> None:
    text = summary(SAMPLES[name])
    assert len({len(row) for row in table(text)}) <= 1
    assert text.count("<details>") == text.count("</details>")
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")


def test_a_large_study_is_cut_and_says_so() -> None:
    many = big(25)
    text = summary(many)
    assert len(many.candidates) > 250
    assert len(table(text)) == 2 + 100
    assert f"and {len(view(many).measured) - 100} more candidates" in text
    assert len(text.encode()) < 1_024_000


def test_the_summary_stays_below_the_limit_of_the_platform() -> None:
    verbose = big(60)
    long = "wörter " * 400
    verdicts = tuple(
        one.model_copy(update={"judgements": tuple(j.model_copy(update={"reason": long}) for j in one.judgements)})
        for one in verbose.verdict.candidates
    )
    entries = tuple(e.model_copy(update={"label": f"{e.label} {long}"}) for e in verbose.candidates)
    wordy = verbose.model_copy(
        update={
            "candidates": entries,
            "verdict": verbose.verdict.model_copy(update={"candidates": verdicts, "sentence": long}),
        }
    )
    for size in (1_000_000, 20_000):
        text = summary(wordy, rows=10_000, size=size)
        assert len(text.encode()) <= size
        assert "more candidates" in text
    assert len(summary(wordy, rows=10_000).encode()) > 300_000, "no more is cut than has to be"


def test_names_are_shown_and_never_read_as_markup() -> None:
    text = summary(named(NASTY))
    assert len({len(row) for row in table(text)}) == 1
    assert "<img" not in text
    assert "@everyone" not in text
    assert "\x1b" not in text
    bare = re.sub(r"\\.", "", text)
    assert "[x]" not in bare
    assert "**d**" not in bare
    assert "\n## e" not in text
    assert "`" not in bare
    assert set(re.findall(r"<(/?\w+)", text)) <= {"details", "/details", "summary", "/summary", "code", "/code"}


@settings(max_examples=40, deadline=None)
@given(TEXTS)
@example(NASTY)
def test_no_text_breaks_the_summary(text: str) -> None:
    made = summary(named(text))
    made.encode()
    assert len({len(row) for row in table(made)}) == 1
    assert set(re.findall(r"<(/?\w+)", made)) <= {"details", "/details", "summary", "/summary", "code", "/code"}


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "2) a", "=== a", "---"])
def test_a_sentence_is_no_heading_and_no_list(text: str) -> None:
    sentence = FULL.verdict.model_copy(update={"sentence": text})
    line = summary(FULL.model_copy(update={"verdict": sentence})).splitlines()[2]
    assert line.replace("\\", "", 1) == text
    assert "\\" in line[:2]


# --- github --------------------------------------------------------------------------------------------------------------

COMMAND = re.compile(r"::(error|warning|notice) (?:file=([^,:]*))?,?(?:title=([^,:]*))?::(.*)")


def commands(dossier: Dossier, **options: Any) -> list[tuple[str, ...]]:
    """Level, file, title, message of every line, unescaped as the runner does it."""
    text = github.render(dossier, github.Options(**options))
    found = [COMMAND.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [tuple(_plain(part or "") for part in match.groups()) for match in found if match]


def _plain(text: str) -> str:
    for code, letter in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, letter)
    return text


def test_a_passing_study_has_no_error() -> None:
    found = commands(FULL)
    assert found[0][:3] == ("notice", "study.yaml", "Seatrial: fashion: pass")
    assert found[0][3] == FULL.verdict.sentence
    assert {level for level, *_ in found} == {"notice", "warning"}
    assert [title for level, _, title, _ in found if level == "warning"] == ["torch(compiled=true) bf16: hung"]


@pytest.mark.parametrize(("name", "level"), [("nothing passes", "error"), ("open", "warning")])
def test_what_keeps_a_study_from_passing_is_told_for_each(name: str, level: str) -> None:
    found = commands(SAMPLES[name])
    assert found[0][0] == level
    assert "openvino bf16: " in " ".join(title for of, _, title, _ in found if of == level)
    (own,) = [message for _, _, title, message in found if title.startswith("openvino bf16: ")]
    assert own.splitlines()[0].startswith("accuracy drop at most 0.5 pp: ")


def test_no_level_has_more_than_the_platform_shows() -> None:
    failing = big(20)
    verdict = failing.verdict.model_copy(update={"outcome": Outcome.FAIL, "recommended": None})
    found = commands(failing.model_copy(update={"verdict": verdict}))
    levels = [level for level, *_ in found]
    assert max(levels.count(level) for level in levels) == github.MOST == 10
    assert any(re.fullmatch(r"and \d+ more", title) for _, _, title, _ in found)
    assert found[0][2].startswith("Seatrial: fashion")


def test_hostile_texts_start_no_command_and_end_no_property() -> None:
    found = commands(named(NASTY))
    assert found[0][1].startswith("a|b `c`")
    assert all("\x1b" not in part for command in found for part in command)


@settings(max_examples=40, deadline=None)
@given(TEXTS)
@example(NASTY)
def test_every_line_is_one_command(text: str) -> None:
    raw = github.render(named(text), github.Options())
    assert all(COMMAND.fullmatch(line) for line in raw.split("\n")[:-1])


def test_the_file_can_be_named() -> None:
    assert {file for _, file, *_ in commands(FULL, file="models/a,b.yaml")} == {"models/a,b.yaml"}


# --- sarif ---------------------------------------------------------------------------------------------------------------

KINDS = {"pass", "open", "informational", "notApplicable", "review", "fail"}
LEVELS = {"none", "note", "warning", "error"}


def results(dossier: Dossier, **options: Any) -> list[dict[str, Any]]:
    """The results of the file, after what the standard asks of it."""
    log = json.loads(sarif.render(dossier, sarif.Options(**options)))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules)), "3.19.23: the rules of a tool are distinct"
    for one in run["results"]:
        assert rules[one["ruleIndex"]] == one["ruleId"], "3.27.6: the index is that of the rule"
        assert one["kind"] in KINDS
        assert one["level"] in LEVELS
        assert one["kind"] == "fail" or one["level"] == "none", "3.27.10: only what fails has a level"
        assert one["message"]["text"].strip(), "3.27.11: a result says something"
        for place in one["locations"]:
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[!-~]+", uri), "3.4.3: a URI reference, RFC 3986"
    fingerprints = [one["partialFingerprints"]["seatrial/v1"] for one in run["results"]]
    assert len(fingerprints) == len(set(fingerprints)), "one alert would hide another"
    return list(run["results"])


def test_a_result_for_every_candidate_and_requirement() -> None:
    found = results(FULL)
    assert (found[0]["ruleId"], found[0]["kind"]) == ("verdict", "pass")
    failed = {row.entry.id for row in view(FULL).rows if row.failure is not None}
    judged = [j for one in FULL.verdict.candidates if one.candidate not in failed for j in one.judgements]
    told = [one for one in found if one["ruleId"].startswith("requirement/")]
    assert Counter(one["kind"] for one in told) == Counter(
        {Outcome.PASS: "pass", Outcome.FAIL: "fail", Outcome.OPEN: "open"}[j.outcome] for j in judged
    )
    assert {one["level"] for one in told} <= {"none", "note"}, "a study that passes has no error"
    assert any(one["level"] == "warning" and "hung" in one["message"]["text"] for one in found)


def test_what_fails_is_an_error_and_want_of_evidence_is_open() -> None:
    failing, open_ = results(SAMPLES["nothing passes"]), results(SAMPLES["open"])
    assert (failing[0]["kind"], failing[0]["level"]) == ("fail", "error")
    assert any(one["level"] == "error" for one in failing[1:])
    assert (open_[0]["kind"], open_[0]["level"]) == ("open", "none")
    assert any(one["kind"] == "open" for one in open_[1:])


@settings(max_examples=40, deadline=None)
@given(TEXTS)
@example(NASTY)
def test_no_text_breaks_the_file(text: str) -> None:
    assert results(named(text), file=text)


def test_the_same_findings_have_the_same_fingerprints() -> None:
    later = FULL.model_copy(update={"run": FULL.run.model_copy(update={"id": "20300101-000000-ffff"})})
    assert [one["partialFingerprints"] for one in results(FULL)] == [
        one["partialFingerprints"] for one in results(later)
    ]
