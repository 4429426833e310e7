"""The page for two readers: what the first one says, and the page behind it that every candidate has."""

from __future__ import annotations

import re
from typing import Any

import pytest
from test_reports import BEST, FULL, SAMPLES, big, plus, read, shown_by

from seatrial import catalog
from seatrial.contracts.artefact import Step
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Condition, Finding, Origin, State, missing
from seatrial.contracts.glossary import FINDINGS
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports import _candidate, _page, _terms, html, notebook, picture, terminal
from seatrial.parts.reports._first import first
from seatrial.parts.reports._sections import grouped, section, sections
from seatrial.parts.reports._view import view
from seatrial.parts.reports._words import about, meaning, words
from seatrial.testing.reports import exam

PLAIN = " ".join(shown_by(html.render(FULL, html.Options())).split())


def said(dossier: Dossier, **options: Any) -> str:
    return shown_by(html.render(dossier, html.Options(**options)))


def ratio(value: float, low: float | None, high: float | None) -> Dossier:
    found = Finding(what="speedup", at={"load": "offline"}, candidate=BEST, value=value, low=low, high=high, level=0.95, unit="x", better="higher")  # fmt: skip
    return plus(FULL, found)


def judged(dossier: Dossier, **changed: Any) -> Dossier:
    """The dossier whose deciding findings of the recommended candidate are changed."""
    verdicts = tuple(
        one.model_copy(
            update={"judgements": tuple(
                judgement.model_copy(update={"findings": tuple(f.model_copy(update=changed) for f in judgement.findings)})
                for judgement in one.judgements
            )}
        )
        if one.candidate == BEST
        else one
        for one in dossier.verdict.candidates
    )  # fmt: skip
    return dossier.model_copy(update={"verdict": dossier.verdict.model_copy(update={"candidates": verdicts})})


# --- the first page ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "call"),
    [("normal", "use"), ("with care", "care"), ("nothing passes", "none"), ("open", "open"), ("imported", "open")],
)
def test_there_are_four_answers(name: str, call: str) -> None:
    assert first(view(SAMPLES[name])).call == call


def test_a_clean_candidate_wants_no_care_and_the_reference_is_stayed_with() -> None:
    assert first(view(FULL)).care == ()
    assert "with care" not in PLAIN
    verdict = FULL.verdict.model_copy(update={"recommended": FULL.reference().id})
    stay = FULL.model_copy(update={"verdict": verdict})
    assert first(view(stay)).call == "stay"
    assert "Stay with onnxruntime fp32" in said(stay)
    several = FULL.model_copy(update={"verdict": FULL.verdict.model_copy(update={"recommended": None})})
    assert first(view(several)).call == "several"


SLICED = Finding(what="accuracy.drop", candidate=BEST, value=0.03, low=0.01, high=0.05, level=0.95, slice=(Condition(column="age", relation=">=", value=60),))  # fmt: skip


@pytest.mark.parametrize(
    ("dossier", "why"),
    [
        (FULL.model_copy(update={"run": FULL.run.model_copy(update={"interrupted": True})}), "was interrupted"),
        (judged(FULL, state=State.DISTURBED), "measured while the machine did other things"),
        (judged(FULL, origin=Origin.DECLARED), "is declared: Stated by a person"),
        (plus(FULL, SLICED), "worse than the reference: age >= 60"),
        (plus(FULL, missing("cold_start", State.CRASHED, "signal 11", candidate=BEST)), "Cold start was tried on it and crashed: signal 11"),
        (plus(FULL, Finding(what="executed.precision", candidate=BEST, value="fp32")), "asked to run in bf16 and ran in fp32"),
    ],
    ids=["interrupted", "disturbed", "declared", "a group hurt", "something crashed", "another precision"],
)  # fmt: skip
def test_each_reason_for_care_is_said(dossier: Dossier, why: str) -> None:
    reason = next(one for one in first(view(dossier)).care if why in one)
    text = said(dossier)
    assert "Use openvino bf16 , with care" in text
    assert reason in text


def test_to_ask_nothing_of_the_answers_wants_care() -> None:
    timed = tuple(
        one.model_copy(update={"judgements": tuple(j for j in one.judgements if j.rule == "at_most")})
        for one in FULL.verdict.candidates
    )
    fast = FULL.model_copy(update={"verdict": FULL.verdict.model_copy(update={"candidates": timed})})
    assert first(view(fast)).care == (words()["first"]["care_no_quality"],)


def test_for_what_and_until_when() -> None:
    assert "For what A small classifier of clothes, and a dozen ways to run it. Task: classification. Judged on 10,000" in PLAIN  # fmt: skip
    assert "Until when Measured on 4 November 2026. It holds for this model ( a1a1a1a1a1a1a1a1 )" in PLAIN
    assert "this machine (Intel Xeon Platinum 8488C, 2 cores), these versions (openvino 2025.3.0)" in PLAIN


@pytest.mark.parametrize(
    ("dossier", "text"),
    [
        (ratio(4.0, 3.2, 5.0), "about 25 would do the same work (20 to 32, with 95 % confidence)"),
        (ratio(0.5, 0.4, 0.8), "about 200 would be needed for the same work (125 to 250, with 95 % confidence)"),
        (ratio(1.02, 0.9, 1.2), "whether it is faster than the reference isn't settled (for 100 of today, 84 to 112"),
        (ratio(4.0, None, None), "about 25 would do the same work (no interval was measured)"),
    ],
    ids=["faster", "slower", "the same", "no interval"],
)
def test_speed_is_told_as_machines(dossier: Dossier, text: str) -> None:
    assert text in " ".join(first(view(dossier)).machines)
    assert text in said(dossier)


def test_machines_are_left_out_where_throughput_was_not_compared() -> None:
    findings = tuple(f for f in FULL.findings if f.at.get("load") != "offline")
    assert first(view(FULL.model_copy(update={"findings": findings}))).machines == ()


def test_money_is_told_once_there_is_a_price() -> None:
    assert "Environment price: 0.120 EUR/h declared , as the study says" in PLAIN
    free = FULL.model_copy(update={"findings": tuple(f for f in FULL.findings if "price" not in f.what)})
    assert "Money: not stated, there is no price in the study." in said(free)
    dear = Finding(what="money.month", candidate=BEST, value=310.0, unit="EUR", origin=Origin.ESTIMATED)
    assert "310 EUR estimated" in said(plus(free, dear))
    mistakes = Finding(what="cost", candidate=BEST, value=0.4)  # of decisions, by a matrix: no money
    assert "Money: not stated" in said(plus(free, mistakes))


@pytest.mark.parametrize(
    ("finding", "gone"),
    [
        (Finding(what="calibration_error", candidate=BEST, value=0.02), "Calibration"),
        (Finding(what="equal_opportunity", candidate=BEST, value=0.02), "Fairness"),
        (Finding(what="accuracy", at={"corruption": "blur", "severity": 3}, candidate=BEST, value=0.5), "Robustness"),
        (Finding(what="accuracy", at={"attack": "pgd", "epsilon": 0.1}, candidate=BEST, value=0.5), "Security and privacy"),
        (Finding(what="money.month", candidate=BEST, value=3.0, unit="EUR"), "Money"),
        (Finding(what="latency.p99", at={"load": "server"}, candidate=BEST, value=0.1, unit="s"), "Many users at once"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_a_first_finding_ends_the_silence_on_its_subject_alone(finding: Finding, gone: str) -> None:
    before, after = (_page.untested(view(one)) for one in (FULL, plus(FULL, finding)))
    assert {text.split(".")[0] for text in set(before) - set(after)} == {gone}
    lost = missing(finding.what, State.CRASHED, "it fell over", at=finding.at, candidate=BEST)
    assert _page.untested(view(plus(FULL, lost))) == before


def test_where_nothing_was_run_nothing_is_said_of_running() -> None:
    text = said(SAMPLES["imported"])
    for word in ("this machine", "ways to run", "way to run", "Measured on", "in turns", "How to use it", "machines"):
        assert word not in text, word
    assert "Counted on 4 November 2026" in text
    assert "Nothing was run: the answers were made elsewhere" in text
    shown = terminal.render(SAMPLES["imported"], terminal.Options())
    assert "2 sets of answers, against" in shown
    assert "no model was run" in shown
    assert "Measured now" not in shown
    assert "11 ways to run it" in terminal.render(FULL, terminal.Options())


# --- a page for each candidate -----------------------------------------------------------------------------------------


def pages(dossier: Dossier = FULL) -> dict[str, str]:
    """Each candidate's page by its label."""
    found = re.findall(r'<section class="page" id="c\d+".*?</section>', html.render(dossier, html.Options()), re.S)
    return {re.search(r"<h2[^>]*>(.*?)</h2>", one).group(1): one for one in found}


def test_every_candidate_has_a_page_that_tables_lead_to() -> None:
    page = html.render(FULL, html.Options())
    assert set(pages()) == {entry.label for entry in FULL.candidates}
    links = [given.get("href") for tag, given in read(page).tags if tag == "a"]
    for number in range(1, len(FULL.candidates) + 1):
        assert links.count(f"#c{number}") >= 2


def test_a_page_holds_every_finding_of_its_candidate_and_no_other() -> None:
    row = view(FULL).recommended
    (page,) = [one for one in _candidate.pages(view(FULL), 99) if one.row == row]
    single = [f.key for group in page.groups for f in group.single]
    crossed = [f.key for group in page.groups for table in group.crossed for _, cells in table.rows for f in cells if f]
    assert sorted(single + crossed) == sorted({f.key for f in FULL.findings if f.candidate == BEST})
    text = shown_by(pages()["openvino bf16"])
    assert "peak memory 169 MB 167–171 95 % 5" in text
    assert "Dress 88.4 86.4–90.4 88.4" in text
    assert "energy unsupported this machine has no energy counter" in text
    assert "precision as executed bf16" in text


def test_findings_stand_in_their_sections() -> None:
    at = {"load": "offline"}
    for key, finding in {
        "speed": Finding(what="speedup", value=2.0, against="r", at=at),
        "takes": Finding(what="memory.peak", value=2.0),
        "quality": Finding(what="f1", value=0.9),
        "sameness": Finding(what="f1.drop", value=0.1, against="r"),
        "groups": Finding(what="f1.drop", value=0.1, against="r", slice=(Condition(column="a", relation="==", value=1),)),
        "robustness": Finding(what="f1", value=0.1, at={"severity": 3}),
        "executed": Finding(what="executed.device", value="cpu"),
        "failed": missing("f1", State.CRASHED, "why"),
        "other": Finding(what="unheard_of", value=1),
    }.items():  # fmt: skip
        assert section(finding) == key
    assert [one.key for one in grouped(FULL.findings)][:2] == ["failed", "speed"]


def test_each_finding_of_the_glossary_has_a_section() -> None:
    lost = [what for what in FINDINGS if section(Finding(what=what, value=1.0)) == "other"]
    assert set(lost) <= {"run", "environment"}
    members = [member for one in sections().values() for member in one.members]
    assert len(members) == len(set(members))


def test_how_to_use_it_names_files_runtime_and_settings() -> None:
    text = shown_by(pages()["openvino int8_static fp32"])
    assert "model file int8_static.onnx SHA-256 c3c3" in text
    assert "runtime openvino 2025.3.0" in text
    assert "threads 1 batch 32" in text
    assert "image float32 [rows × 1 × 28 × 28]" in text
    assert "--only 'cnn/int8_static/openvino/cpu/fp32/t1/b32'" in text
    lineage = text[text.index("Where it comes from") :]
    assert lineage.index("given by the study") < lineage.index("made by int8_static, seed 0, with the rows 9c9c")


def test_steps_around_the_model_and_options_of_the_runtime_are_part_of_how_to_use_it() -> None:
    hash_ = FULL.entry("openvino bf16").artefact
    artefact = FULL.artefacts[hash_].model_copy(
        update={"after": (Step(name="temperature", options={"by": 1.5}),), "entry": "m:build"}
    )
    text = shown_by(pages(FULL.model_copy(update={"artefacts": FULL.artefacts | {hash_: artefact}}))["openvino bf16"])
    assert "after the model temperature, by 1.5" in text
    assert "entry m:build" in text
    assert "torch: compiled True" in shown_by(pages()["torch(compiled=true) fp32"])


@pytest.mark.parametrize(
    ("path", "study", "said"),
    [
        ("m.onnx", "study.yaml", "m.onnx"),
        ("/home/me/s/models/m.onnx", "/home/me/s/study.yaml", "models/m.onnx"),
        ("/home/me/s/.seatrial/artefacts/ab/m.onnx", "study.yaml", ".seatrial/artefacts/ab/m.onnx"),
        ("/home/me/elsewhere/m.onnx", "/home/me/s/study.yaml", "m.onnx"),
    ],
)
def test_paths_tell_nothing_of_the_machine(path: str, study: str, said: str) -> None:
    assert _candidate._inside(path, study) == said


def test_a_candidate_that_failed_has_a_page_that_says_why() -> None:
    text = shown_by(pages()["torch(compiled=true) bf16"])
    assert "Hung : no answer within 120 s while compiling" in text


def test_two_hundred_candidates_make_a_page_of_less_than_three_megabytes() -> None:
    page = html.render(big(), html.Options())
    assert len(page.encode()) < 3_000_000
    assert len(re.findall('<section class="page"', page)) == 220
    assert "Show all 220, not the best 40 alone" in shown_by(page)
    assert page.count('<tbody class="more">') == 2
    assert len(re.findall('<div class="strip">', page)) <= 3 * 40
    assert "Show all" not in PLAIN


# --- words --------------------------------------------------------------------------------------------------------------


def test_the_glossary_is_the_one_source_of_what_names_mean() -> None:
    assert about("latency.p99")["plain"] == FINDINGS["latency.p99"].meaning
    assert "what" not in words()
    assert "term" not in words()
    assert about("f1.drop") == {
        "name": "drop in F1",
        "short": "drop",
        "kind": "change",
        "plain": "How much lower it is than the reference's, on the same rows. Negative: it is higher.",
    }
    assert about("unheard.of")["name"] == "unheard of"


def test_what_a_page_uses_it_explains() -> None:
    told = _terms.terms(view(FULL))
    names = {word.name for word in told.words}
    assert {"bf16", "int8_static", "hung", "unstable", "reference", "offline"} <= names
    assert "fp16" not in names
    assert "crashed" not in names
    assert all(word.meaning == meaning(word.name) for word in told.words)
    assert not {"offline", "round"} & {word.name for word in _terms.terms(view(SAMPLES["imported"])).words}
    assert set(told.findings) >= {"speedup", "flips.lost", "executed.precision"}


# --- pictures and notebooks -----------------------------------------------------------------------------------------------


def test_the_picture_draws_the_candidates_that_were_measured_and_names_the_others() -> None:
    drawn = picture.render(FULL, picture.Options())
    assert drawn.count("<g><title>") == 9
    assert "not drawn: onnxruntime fp32, torch(compiled=true) bf16" in drawn
    assert 'width="820"' in drawn
    assert "There are no numbers to draw" in picture.render(SAMPLES["bare"], picture.Options())
    short = picture.render(big(), picture.Options(most=5))
    assert short.count("<g><title>") == 4  # the reference is a sign of its own


def test_a_notebook_shows_the_best_and_counts_the_rest() -> None:
    text = notebook.render(big(), notebook.Options(most=10))
    assert text.count("<tr>") == 11
    assert "And 210 more:" in text
    assert "hung: no answer within 120 s" in notebook.render(FULL, notebook.Options())


def test_outcomes_have_words_everywhere() -> None:
    assert {first(view(SAMPLES[name])).call for name in SAMPLES} <= {"use", "care", "stay", "several", "none", "open"}
    assert set(words()["outcome"]) == {*map(str, Outcome), "none"}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("return str(changes.after.study)", "control characters"),
        ("import itertools; return f'{next(COUNT)}'", "two renderings"),
        ("return ''", "nothing is said"),
    ],
)
def test_the_exam_notices_a_report_that_is_careless_with_two_runs(tmp_path: Any, body: str, fault: str) -> None:
    file = tmp_path / "careless.py"
    file.write_text(
        '"""Tells too much."""\nimport itertools\nCOUNT = itertools.count()\nACCEPTS = {"record": ("dossier", "changes")}\n'
        "from seatrial.parts.reports.terminal import Options\n"
        "def render(dossier, options):\n    return ' '.join(e.label for e in dossier.candidates).replace(chr(27), '')\n"
        f"def render_changes(changes, options):\n    {body}\n"
    )
    with pytest.raises(AssertionError, match=fault):
        exam(catalog.find("reports", str(file)))
