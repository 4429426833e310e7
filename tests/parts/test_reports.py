"""Reports: what they show is what was found, at every edge, and nothing that a dossier holds can break them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Condition, Finding, Origin, State, missing
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports import _axis, _numbers, _page, html, terminal
from seatrial.parts.reports import json as json_report
from seatrial.parts.reports._view import view
from seatrial.parts.reports._words import TEMPLATES, words
from seatrial.testing.dossiers import sample_dossier, samples
from seatrial.testing.reports import check_html, exam

SAMPLES = samples()
FULL = SAMPLES["normal"]
BEST = FULL.verdict.recommended
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def plus(dossier: Dossier, *findings: Finding) -> Dossier:
    """The dossier with these findings in place of those with the same candidate and key."""
    replaced = {(finding.candidate, finding.key) for finding in findings}
    kept = [finding for finding in dossier.findings if (finding.candidate, finding.key) not in replaced]
    return dossier.model_copy(update={"findings": (*kept, *findings)})


def big(times: int = 20) -> Dossier:
    """The sample's candidates many times over."""
    entries, findings, verdicts = [], [], []
    for index in range(times):
        for entry in FULL.candidates:
            id_ = f"{entry.id}/{index}"
            entries.append(
                entry.model_copy(
                    update={"id": id_, "label": f"{entry.label} t{index}", "reference": entry.reference and index == 0}
                )
            )
            findings += [f.model_copy(update={"candidate": id_}) for f in FULL.findings if f.candidate == entry.id]
            verdicts.append(FULL.verdict.of(entry.id).model_copy(update={"candidate": id_}))
    verdict = FULL.verdict.model_copy(update={"candidates": tuple(verdicts), "recommended": f"{BEST}/0"})
    return FULL.model_copy(
        update={"candidates": tuple(entries), "findings": tuple(findings), "verdict": verdict, "dropped": ()}
    )


def shown_by(page: str) -> str:
    """The words of a page, without its tags."""
    reader = Reader()
    reader.feed(page)
    return re.sub(r"\s+", " ", " ".join(reader.words))


class Reader(HTMLParser):
    """Collects a page's words, tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "title"):
            self.words.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture(scope="module")
def page() -> str:
    return html.render(FULL, html.Options(rows="images"))


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(catalog.parts("reports")))
def test_every_report_passes_the_exam(name: str) -> None:
    exam(catalog.find("reports", name))


@pytest.mark.parametrize("fault", ["<p>never closed", '<a href="https://there/">x</a>', '<b onclick="x">y</b>', "</p>"])
def test_the_exam_notices_a_bad_page(fault: str) -> None:
    good = '<!doctype html><html lang="en"><body>{}</body></html>'
    check_html(good.format("<p>fine</p>"))
    with pytest.raises(AssertionError):
        check_html(good.format(fault))


def test_the_exam_notices_a_report_that_forgets_a_candidate(tmp_path: Any) -> None:
    file = tmp_path / "short.py"
    file.write_text('"""Too short."""\ndef render(dossier, options):\n    return dossier.candidates[0].label\n')
    with pytest.raises(AssertionError, match="isn't in the report"):
        exam(catalog.find("reports", str(file)))


# --- json ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_dossier_survives_json(name: str) -> None:
    dossier = SAMPLES[name]
    for indent in (2, None):
        text = json_report.render(dossier, json_report.Options(indent=indent))
        assert Dossier.model_validate_json(text) == dossier


def test_the_fields_of_the_file_are_those_documented_in_order() -> None:
    fields = ["schema", "run", "study", "candidates", "dropped", "findings", "verdict", "environment", "artefacts"]
    assert list(json.loads(json_report.render(FULL, json_report.Options()))) == fields
    assert all(field in (json_report.__doc__ or "") for field in fields)


# --- terminal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 60, 80, 100, 132, 220])
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    text = terminal.render(SAMPLES[name], terminal.Options(width=width))
    assert max(map(len, text.splitlines())) <= width


def test_a_row_tells_speed_latency_size_quality_and_verdict() -> None:
    text = terminal.render(FULL, terminal.Options(width=220))
    (row,) = [line for line in text.splitlines() if line.startswith("openvino bf16 ←")]
    said = row.split()
    for part in ("6.38", "6.29–6.48", "0.182", "≤0.198", "169", "430", "90.1", "89.5–90.6", "0.06", "≤0.20", "0.62"):
        assert part in said
    assert row.endswith("pass")
    assert "recommended" in row


def test_the_parts_of_the_text_come_in_the_order_in_which_one_needs_them() -> None:
    text = terminal.render(FULL, terminal.Options())
    order = ["openvino bf16", "Could not be measured", "Left out of the plan (4)", "Why not", "PASS  Take"]
    assert sorted(order, key=text.index) == order
    assert "hung: no answer within 120 s" in text
    assert text.rstrip().splitlines()[-1].strip()


def test_colour_says_nothing_that_words_do_not() -> None:
    plain, coloured = (terminal.render(FULL, terminal.Options(colour=colour)) for colour in (False, True))
    assert ANSI.search(plain) is None
    assert ANSI.search(coloured)
    squeezed = [re.sub(r"\s+", " ", ANSI.sub("", text)) for text in (plain, coloured)]
    assert squeezed[0] == squeezed[1]
    for outcome in Outcome:
        assert str(outcome).split()[0] in plain


def test_columns_that_have_no_room_are_named() -> None:
    narrow = " ".join(terminal.render(FULL, terminal.Options(width=80)).split())
    assert "No room here for: p90, memory, size" in narrow
    assert "No room" not in terminal.render(FULL, terminal.Options(width=120))


def test_what_is_not_plainly_measured_carries_a_letter_and_its_meaning() -> None:
    text = terminal.render(FULL, terminal.Options())
    assert "0.863ᵃ" in text
    assert "ᵃ not steady: It was measured before it had become steady, or its note says" in text
    guess = Finding(what="size", candidate=BEST, value=430_112, unit="B", better="lower", origin=Origin.ESTIMATED)
    assert "430ᵇ" in (guessed := terminal.render(plus(FULL, guess), terminal.Options()))
    assert "ᵇ estimated" in guessed


def test_a_missing_percentile_says_why_and_is_no_number() -> None:
    few = missing("latency.p99", State.TOO_FEW, "20 queries", candidate=BEST, at={"load": "single_stream"})
    text = terminal.render(plus(FULL, few), terminal.Options(width=220))
    (row,) = [line for line in text.splitlines() if line.startswith("openvino bf16 ←")]
    assert "– too few" in row
    assert "too few" in shown_by(html.render(plus(FULL, few), html.Options()))


def test_two_hundred_candidates_stay_readable() -> None:
    text = terminal.render(big(), terminal.Options())
    said = " ".join(text.split())
    assert len(text.splitlines()) < 220
    assert "… and 140 more candidates" in said
    assert "(and 17 more) hung" in said
    assert "… and 45 more in the other reports" in said
    assert said.count("openvino bf16 t") == 20


def test_a_second_run_says_that_nothing_was_measured_again() -> None:
    again = FULL.model_copy(update={"run": FULL.run.model_copy(update={"measured": 0, "reused": 110})})
    assert "Nothing was measured again: all 110" in " ".join(terminal.render(again, terminal.Options()).split())
    cut = FULL.model_copy(update={"run": FULL.run.model_copy(update={"interrupted": True})})
    assert "interrupted" in terminal.render(cut, terminal.Options())


def test_show_prints_to_a_console(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(FULL)
    assert "openvino bf16" in capsys.readouterr().out


# --- html ------------------------------------------------------------------------------------------------------------


def test_the_page_is_light(page: str) -> None:
    assert len(page.encode()) < 300_000


def test_the_verdict_counts_what_it_costs(page: str) -> None:
    text = shown_by(page)
    assert "Use openvino bf16" in text
    assert "about 6.4 times as fast as the reference" in text
    assert "Of 10,000 images, 6 fewer are right ; allowing for chance, between 8 more and 20 fewer" in text
    assert "The fastest, openvino int8_static fp32 (8.71×), is not the one to take" in text.replace(" ,", ",")


@pytest.mark.parametrize(
    ("drop", "said"),
    [(0.0031, "31 fewer are right"), (0.0, "just as many are right"), (-0.0012, "12 more are right")],
)
def test_lost_and_gained_answers_are_told_apart(drop: float, said: str) -> None:
    found = Finding(
        what="accuracy.drop", candidate=BEST, value=drop, low=drop - 0.001, high=drop + 0.001, level=0.95, n=10_000
    )
    assert said in shown_by(html.render(plus(FULL, found), html.Options()))


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(0.5, "it takes about 2.0 times as long as"), (1.0, "about as fast as"), (1.04, "about 1.04 times as fast as")],
)
def test_slower_is_not_called_faster(ratio: float, said: str) -> None:
    found = Finding(what="speedup", at={"load": "offline"}, candidate=BEST, value=ratio, low=ratio * 0.99, high=ratio * 1.01, level=0.95, unit="x", better="higher")  # fmt: skip
    assert said in shown_by(html.render(plus(FULL, found), html.Options()))


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("nothing passes", "Use none of them"),
        ("open", "There is not enough evidence yet"),
        ("all failed", "None of the candidates could be measured"),
        ("bare", "Use openvino bf16"),
    ],
)
def test_each_outcome_has_its_heading(name: str, heading: str) -> None:
    assert heading in shown_by(html.render(SAMPLES[name], html.Options()))


def test_nothing_required_is_said() -> None:
    bare = FULL.verdict.model_copy(
        update={
            "outcome": Outcome.OPEN,
            "recommended": None,
            "candidates": tuple(one.model_copy(update={"judgements": ()}) for one in FULL.verdict.candidates),
        }
    )
    text = shown_by(html.render(FULL.model_copy(update={"verdict": bare}), html.Options()))
    assert "Nothing was required, so nothing can pass" in text
    assert "not judged" in text


def test_headings_go_down_step_by_step(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in read(page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_and_pictures_can_be_read_aloud(page: str) -> None:
    tags = read(page).tags
    assert all(given.get("scope") in ("col", "row") for tag, given in tags if tag == "th")
    pictures = [given for tag, given in tags if tag == "svg" and "height" in given and "x" not in given]
    named = [given for given in pictures if given.get("role") == "img"]
    assert len(named) == 1 + 9 + 10 + 10
    assert all(given.get("aria-label") for given in named)
    assert all(given.get("aria-hidden") == "true" for given in pictures if given not in named)
    assert all(given.get("aria-label") for _, given in tags if given.get("role") == "region")


def test_every_link_leads_somewhere_on_the_page(page: str) -> None:
    tags = read(page).tags
    ids = [given["id"] for _, given in tags if "id" in given]
    assert len(ids) == len(set(ids))
    links = {given["href"] for tag, given in tags if tag in ("a", "use")}
    assert {link for link in links if link and link[1:] not in ids} == set()
    assert len(links) > 15


def test_the_page_forbids_itself_to_load_anything(page: str) -> None:
    policies = [given for tag, given in read(page).tags if given.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0]["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "<script" not in page


def test_pictures_and_their_tables_show_the_same_numbers(page: str) -> None:
    figures = re.findall(r"<figure id=\"picture-(\w+)\">(.*?)</figure>", page, re.S)
    assert [kind for kind, _ in figures] == ["tradeoff", "speed", "latency", "quality"]
    for _, figure in figures:
        picture, _, table = figure.partition("<details>")
        rows = [shown_by(row) for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.S)]
        assert len(rows) >= 9
        assert picture.count("<use") >= len(rows)
    speeds = dict(figures)["speed"].partition("<details>")
    assert "6.29–6.48" in speeds[0]
    assert "6.29–6.48" in speeds[2]


def test_text_of_a_dossier_is_shown_and_never_run() -> None:
    page = html.render(SAMPLES["hostile"], html.Options(title="<img src=x>", rows="<b>rows</b>"))
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>rows" not in page
    assert "{{ 7 * 7 }}" in shown_by(page)
    assert "\x1b" not in page


def test_origins_are_said_where_they_are_not_measured(page: str) -> None:
    assert re.search(r'0\.120 EUR/h <span class="mark">declared</span>', page)
    guess = Finding(what="accuracy", candidate=BEST, value=0.9, origin=Origin.PREDICTED, better="higher")
    assert page.count(">predicted</span>") == 0
    assert html.render(plus(FULL, guess), html.Options()).count(">predicted</span>") >= 3


def test_a_new_kind_of_number_needs_no_new_code() -> None:
    new = Finding(
        what="goodput", at={"limit": "2 s"}, candidate=BEST, value=31.25, low=30, high=32, level=0.95, unit="tokens/s"
    )
    sliced = Finding(
        what="accuracy", candidate=BEST, value=0.71, slice=(Condition(column="age", relation=">=", value=60),)
    )
    text = shown_by(html.render(plus(FULL, new, sliced), html.Options()))
    assert "goodput limit 2 s 31.2 tokens/s 30.0–32.0 95 %" in text
    assert "age >= 60 71.00 %" in text


def test_what_was_not_tested_shrinks_as_more_is_tested() -> None:
    before = _page.untested(view(FULL))
    sliced = Finding(what="accuracy", candidate=BEST, value=0.7, slice=(Condition(column="a", relation="==", value=1),))
    energy = Finding(what="energy", candidate=BEST, value=0.1, unit="J", origin=Origin.ESTIMATED)
    after = _page.untested(view(plus(FULL, sliced, energy)))
    assert {text.split(".")[0] for text in set(before) - set(after)} == {"Energy", "Groups of rows"}
    assert any(text.startswith("Other machines") for text in after)


def test_findings_of_many_candidates_are_left_to_the_json_file() -> None:
    short = html.render(FULL, html.Options(details=3))
    assert "numbers of the other 8 candidates" in shown_by(short)
    assert len(html.render(big(), html.Options()).encode()) < 2_000_000


def test_methods_share_a_line_and_tell_the_range_of_rows() -> None:
    found = {method.how: method for method in _page.methods(view(FULL))}
    assert found["Wilson score interval"].names[:2] == ("accuracy", "top-k accuracy")
    assert found["bootstrap of the counts"].number == "1,000 to 10,000 rows"
    assert any("one-sided" in method.level for method in found.values())
    alike = [
        Finding(what="mcnemar", candidate=entry.id, value=0.5, method=f"mid-p, {index} rows lost", n=100)
        for index, entry in enumerate(FULL.candidates[1:4], 7)
    ]
    joined = [method.how for method in _page.methods(view(plus(FULL, *alike)))]
    assert "mid-p, … rows lost" in joined
    assert sum("mid-p," in how for how in joined) == 1


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(scheme: int) -> None:
    """The contrast that WCAG 2.2 asks of text (criterion 1.4.3): 4.5 to 1."""
    sheet = (TEMPLATES / "style.css").read_text()
    named = colours(re.findall(r":root \{(.*?)\}", sheet, re.S)[scheme])
    behind = ("paper", "card", "faint")
    pairs = [(text, under) for text in ("ink", "soft", "accent", "pass", "fail", "open") for under in behind]
    pairs += [(name, f"{name}-bg") for name in ("pass", "fail", "open")] + [("soft", "none-bg"), ("soft", "pass-bg")]
    for text, under in pairs:
        light, dark = sorted((luminance(named[text]), luminance(named[under])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {under}"


# --- what they share -------------------------------------------------------------------------------------------------


def test_every_state_origin_and_outcome_has_its_word() -> None:
    assert set(words()["state"]) == set(map(str, State))
    assert set(words()["origin"]) == set(map(str, Origin))
    assert set(words()["outcome"]) == {*map(str, Outcome), "none"}


def test_the_best_come_first_and_the_reference_before_all() -> None:
    rows = view(FULL).rows
    assert rows[0].entry.reference
    assert rows[1].recommended
    ranks = [row.outcome for row in rows[2:]]
    order = [Outcome.PASS, Outcome.OPEN, Outcome.FAIL]
    measured = [order.index(outcome) for row, outcome in zip(rows[2:], ranks, strict=True) if row.failure is None]
    assert measured == sorted(measured)
    assert rows[-1].failure is not None


def test_numbers_are_shown_at_the_level_that_describes() -> None:
    row = view(FULL).recommended
    assert row is not None
    assert row.find("accuracy").level == 0.95
    assert row.find("accuracy", level=0.99).level == 0.99
    assert all(finding.level != 0.99 for finding in _page.listed(row))
    assert len({finding.key for finding in row.findings}) == len(_page.listed(row))


@pytest.mark.parametrize(
    ("unit", "what", "value", "text"),
    [
        ("s", "latency.p99", 0.00121, "1.21 ms"),
        ("s", "latency.p99", 4.2e-6, "4.20 µs"),
        ("B", "size", 430_112, "430 kB"),
        ("B", "size", 0, "0 B"),
        ("x", "speedup", 2.6149, "2.61×"),
        ("", "accuracy", 0.90123, "90.12 %"),
        ("", "accuracy.drop", -0.00021, "−0.02 pp"),
        ("samples/s", "throughput", 12_345.6, "12,346 samples/s"),
        ("nats", "kl", 2.4e-6, "2.4×10⁻⁶ nats"),
        ("", "unheard_of", 0.25, "0.250"),
    ],
)
def test_numbers_have_a_unit_that_suits_them(unit: str, what: str, value: float, text: str) -> None:
    finding = Finding(what=what, value=value, unit=unit)
    assert _numbers.form([finding]).text(value) == text


@given(st.floats(1e-9, 1e12), st.booleans())
def test_what_is_written_is_the_number_to_three_digits(value: float, negative: bool) -> None:
    value = -value if negative else value
    written = _numbers.Form(1.0, "").digits(value)
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
    number, _, power = written.replace(",", "").partition("×10")
    back = float(number.translate(raised)) * 10.0 ** int(power.translate(raised) or 0)
    assert back == pytest.approx(value, rel=0.05 if power else 0.0051)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20), st.booleans())
def test_an_axis_keeps_order_and_holds_everything(values: list[float], log: bool) -> None:
    scale = _axis.axis(values, log=log)
    places = [scale.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    ticks = scale.ticks()
    assert ticks == sorted(ticks)
    assert all(scale.low <= tick * (1 + 1e-9) and tick <= scale.high * (1 + 1e-9) for tick in ticks)
    assert 1 <= len(ticks) <= 14


def test_one_row_count_scales_the_sample() -> None:
    assert sample_dossier(rows=500).find("accuracy", BEST).n == 500
