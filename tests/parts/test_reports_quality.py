"""Quality in depth in reports: groups of rows, gaps between people, calibration, spoilt inputs, and who is served worse."""

from __future__ import annotations

import re
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_reports import BEST, FULL, SAMPLES, plus, shown_by

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Condition, Finding
from seatrial.contracts.glossary import FINDINGS, term
from seatrial.contracts.tally import Slice
from seatrial.parts.reports import (
    _calibration,
    _candidate,
    _fairness,
    _page,
    _robustness,
    _slices,
    github,
    html,
    markdown,
    terminal,
)
from seatrial.parts.reports._first import first
from seatrial.parts.reports._sections import named, section
from seatrial.parts.reports._served import brief, groups_hurt, worse
from seatrial.parts.reports._view import Row, view
from seatrial.parts.reports._words import about
from seatrial.testing._sample_quality import groups

DEEP = SAMPLES["in depth"]
PAGE = html.render(DEEP, html.Options())
TEXT = " ".join(shown_by(PAGE).split())
REFERENCE = FULL.reference().id


def where(**columns: object) -> Slice:
    return tuple(Condition(column=name, relation="==", value=value) for name, value in columns.items())  # type: ignore[arg-type]


def drop(value: float, half: float, slice_: Slice, what: str = "accuracy.drop") -> Finding:
    return Finding(what=what, slice=slice_, candidate=BEST, against=REFERENCE, value=value, low=value - half, high=value + half, level=0.95, better="lower", n=500)  # fmt: skip


def focus(dossier: Dossier) -> Row:
    row = view(dossier).focus
    assert row is not None
    return row


# --- allowing for how many were looked at ------------------------------------------------------------------------------------


@given(st.integers(1, 500), st.floats(0.8, 0.999))
def test_bounds_are_stretched_to_bonferronis_quantile(looked: int, level: float) -> None:
    finding = Finding(what="accuracy.drop", value=0.02, low=0.01, high=0.05, level=level)
    low, high = _slices.allowing(finding, looked)
    z = NormalDist().inv_cdf
    times = z(1 - (1 - level) / 2 / looked) / z(1 - (1 - level) / 2)
    assert low == pytest.approx(0.02 - 0.01 * times)
    assert high == pytest.approx(0.02 + 0.03 * times)
    assert times >= 1 - 1e-9


def test_one_slice_that_looks_hurt_among_many_is_no_reason_for_care() -> None:
    """Just above 0 alone is a finding; among forty it is what chance does."""
    hit = drop(0.02, 0.018, where(town="a"))
    quiet = [drop(0.0, 0.018, where(town=str(index))) for index in range(39)]
    alone, among = plus(FULL, hit), plus(FULL, hit, *quiet)
    assert groups_hurt(view(alone), focus(alone)) == ["town == a"]
    assert groups_hurt(view(among), focus(among)) == []
    assert any("town == a" in why for why in first(view(alone)).care)
    assert first(view(among)).call == "use"
    strong = plus(among, drop(0.06, 0.018, where(town="a")))
    assert groups_hurt(view(strong), focus(strong)) == ["town == a"]


def test_null_slices_rarely_raise_an_alarm() -> None:
    """Forty slices without any harm, 200 times: at most about one study in forty has one that is called hurt."""
    import numpy as np

    rng, called = np.random.default_rng(0), 0
    for values in rng.normal(0, 0.01, (200, 40)):
        found = [drop(float(value), 0.0196, where(town=str(index))) for index, value in enumerate(values)]
        row = Row(FULL.entry("openvino bf16"), tuple(found), None, True)
        looked = len(found)
        called += any((_slices.allowing(one, looked)[0] or 0.0) > 0 for one in row.listed)
    assert called <= 13  # 99.9 % bound of a binomial of 200 at 2.5 %


def test_a_fall_and_a_gap_are_held_against_all_that_were_tried() -> None:
    def extra(name: str, value: float) -> Finding:
        return Finding(what="corrupted.extra_drop", at={"corruption": name}, candidate=BEST, value=value, low=value - 0.02, high=value + 0.02, level=0.95)  # fmt: skip

    one, many = (
        plus(FULL, extra("blur", 0.022)),
        plus(FULL, extra("blur", 0.022), *(extra(str(i), 0.0) for i in range(7))),
    )
    assert _robustness.faster(focus(one)) == ["blur"]
    assert _robustness.faster(focus(many)) == []


# --- groups of rows -----------------------------------------------------------------------------------------------------------


def test_groups_that_are_hurt_come_first_and_say_so() -> None:
    listed = _slices.named(view(DEEP), focus(DEEP))
    assert {one.where for one in listed} == set(groups())
    assert len(listed) == 40
    assert [one.hurt for one in listed] == [True] * 3 + [False] * 37
    assert all(("camera", "c") in [(c.column, c.value) for c in one.where] for one in listed[:3])
    drops = [one.drop.number for one in listed if one.drop and not one.hurt and not one.behind]
    assert drops == sorted(drops, reverse=True)


def test_without_a_reference_the_worst_value_comes_first() -> None:
    found = [
        Finding(what="accuracy", slice=where(town=name), candidate=BEST, value=value, low=value - 0.05, high=value + 0.05, level=0.95, better="higher", n=200)
        for name, value in (("a", 0.9), ("b", 0.5), ("c", 0.88))
    ]  # fmt: skip
    listed = _slices.named(view(plus(FULL, *found)), focus(FULL))
    assert listed == []
    shown = view(plus(FULL, *found))
    assert shown.focus is not None
    listed = _slices.named(shown, shown.focus)
    assert [one.where[0].value for one in listed] == ["b", "c", "a"]
    assert [one.behind for one in listed] == [True, False, False]


def test_conditions_are_said_in_words() -> None:
    between = (Condition(column="age", relation=">=", value=30), Condition(column="age", relation="<", value=60))
    assert _slices.spoken((*between, *where(sex="F"))) == "age is at least 30 and below 60 and sex is F"
    assert _slices.spoken((Condition(column="town", relation="is", value="missing"),)) == "town is missing"
    assert _slices.spoken((Condition(column="town", relation="in", value=("a", "b")),)) == "town is one of a, b"
    assert _slices.conditions(between) == "age >= 30 and age < 60"


def test_the_page_tells_of_groups_and_how_much_would_have_been_seen() -> None:
    assert "sex is F and camera is c ✕ hurt" in TEXT or "sex is F and camera is c hurt" in TEXT
    assert "Show all 40 groups, not the first 12 alone" in TEXT
    assert "12, 60, 227, 402, 918" in TEXT
    assert "the 8 most frequent of 11 values" in TEXT
    totals = _slices.section(view(DEEP)).totals  # type: ignore[union-attr]
    assert [one.hurt for one in totals if one.row.recommended] == [3]
    worst = next(one.worst for one in totals if one.row.recommended)
    assert worst is not None
    assert worst.drop is not None
    assert worst.drop.number == max(one.drop.number for one in _slices.named(view(DEEP), focus(DEEP)) if one.drop)


def test_where_nothing_of_this_was_found_nothing_of_it_is_shown() -> None:
    page = html.render(FULL, html.Options())
    for key in ("slices", "fairness", "calibration", "robustness"):
        assert f'<section id="{key}"' not in page
        assert f'<section id="{key}"' in PAGE
        assert f'href="#{key}"' in PAGE
    assert worse(view(FULL)) is None
    assert "served worse" not in terminal.render(FULL, terminal.Options())


def test_a_candidates_page_has_every_finding_on_groups_that_it_promises() -> None:
    shown = view(DEEP)
    page = next(one for one in _candidate.pages(shown, 99) if one.row is shown.focus)
    table = next(t for group in page.groups for t in group.crossed if t.setting == _candidate.GROUPS)
    assert len(table.rows) == 40
    told = {f.key for _, cells in table.rows for f in cells if f}
    assert told == {f.key for one in page.row.sliced.values() for f in one}
    assert table.hidden == 0
    single = [f.what for group in page.groups for f in group.single]
    assert {"slice.excess", "slice.hurt", "slice.hurt.count"} <= set(single)


def test_the_page_of_eleven_candidates_and_forty_groups_stays_small() -> None:
    assert len(PAGE.encode()) < 1_000_000


# --- people, certainty, spoilt inputs ----------------------------------------------------------------------------------------


def test_a_gap_is_followed_from_the_labels_to_every_candidate() -> None:
    by_sex, crossed = _fairness.section(view(DEEP)) or []
    assert by_sex.groups == "sex"
    assert crossed.groups == "sex and camera"
    assert by_sex.stages[0].row is None
    assert by_sex.stages[0].finding.what == "label_parity"
    assert by_sex.stages[1].row.entry.reference  # type: ignore[union-attr]
    assert len(by_sex.stages) == 1 + len(view(DEEP).measured)
    assert "undecided, too few rows: M and h (14 rows)" in TEXT


def test_the_diagram_stands_where_the_numbers_are() -> None:
    found = _calibration.section(view(DEEP))
    assert found is not None
    (kind,) = found.views
    diagram = kind.diagrams[0]
    assert diagram.row is view(DEEP).focus or diagram.row.recommended
    assert len(diagram.bins) == len(diagram.reference) == 10
    assert [one.x for one in diagram.bins] == sorted(one.x for one in diagram.bins)
    for (
        one
    ) in diagram.bins:  # below the diagonal where less came true than was said; the height is counted from the top
        assert (100 - one.y < one.x) == (one.true.number < one.said.number)
        assert one.y_high <= one.y <= one.y_low
    (figures,) = found.figures
    assert [what for what, _ in figures.columns][:2] == ["ece", "calibration_error"]
    assert "chance alone gives 0.011" in TEXT


def test_a_curve_runs_from_clean_rows_to_the_worst_severity() -> None:
    found = _robustness.section(view(DEEP))
    assert found is not None
    blur = next(one for one in found.curves if one.corruption == "blur")
    assert [point.severity for point in blur.own] == [0, 1, 3, 5]
    assert [point.x for point in blur.own] == sorted(point.x for point in blur.own)
    assert [point.y for point in blur.own] == sorted(point.y for point in blur.own)
    assert blur.faster
    assert [one.corruption for one in found.curves if one.faster] == ["blur", "motion_blur"]
    assert len(found.curves) == 8


def test_what_was_tested_is_no_longer_called_untested() -> None:
    before, after = ({text.split(".")[0] for text in _page.untested(view(one))} for one in (FULL, DEEP))
    assert before - after == {"Calibration", "Groups of rows", "Fairness", "Robustness"}
    rate = Finding(what="selection_rate", at={"class": "Bag"}, candidate=BEST, value=0.1)
    assert "Fairness" in {text.split(".")[0] for text in _page.untested(view(plus(FULL, rate)))}


# --- in words -----------------------------------------------------------------------------------------------------------------


def test_the_first_page_says_who_is_served_worse() -> None:
    for text in (
        "In the rows where sex is F and camera is c, the model errs in 44 of 100 rows; elsewhere in 14.",
        "it errs in 6 more of 100 rows than the reference; elsewhere in 0.3 fewer.",
        "In the rows where camera is c, accuracy is 4.4 pp worse than the reference's: by at least 3.4 pp, allowing for the 40",
        "falls faster than the reference, onnxruntime fp32, when inputs are blurred or when inputs are blurred by motion.",
        "Groups by sex and camera with too few rows to say: M and h (14 rows).",
        "The change widened it by 0.24 pp.",
    ):
        assert text in TEXT
    assert "On some groups of rows it is worse than the reference: sex == F and camera == c" in TEXT


def test_a_named_group_is_told_in_errors_against_the_other_rows() -> None:
    """1,000 of 10,000 rows with 60 % right, all rows 90 %: elsewhere (9,000 - 600) / 9,000 are right."""
    group = Finding(what="accuracy", slice=where(town="c"), candidate=BEST, value=0.6, low=0.57, high=0.63, level=0.95, better="higher", n=1_000)  # fmt: skip
    overall = Finding(what="accuracy", candidate=BEST, value=0.9, low=0.894, high=0.906, level=0.95, better="higher", n=10_000)  # fmt: skip
    (text,) = worse(view(plus(FULL, group, overall))).behind  # type: ignore[union-attr]
    assert text == "In the rows where town is c, the model errs in 40 of 100 rows; elsewhere in 7."


def test_a_group_inside_a_wider_one_that_is_hurt_isnt_told_twice() -> None:
    found = [
        drop(0.1, 0.01, where(town="c")),
        drop(0.11, 0.01, where(sex="F", town="c")),
        drop(0.1, 0.01, where(town="d")),
    ]
    told = worse(view(plus(FULL, *found))).hurt  # type: ignore[union-attr]
    assert len(told) == 2
    assert not any("sex" in text for text in told)


def test_a_search_that_found_nothing_says_what_it_would_have_found() -> None:
    told = [
        Finding(what="slice.hurt.count", candidate=BEST, against=REFERENCE, value=0, n=100),
        Finding(what="slice.hurt.detectable", candidate=BEST, against=REFERENCE, value=0.031, n=50),
    ]
    (text,) = worse(view(plus(FULL, *told))).sentences  # type: ignore[union-attr]
    assert "found none. Harm of 3.10 pp in a twentieth of the rows" in text
    assert "found none" in terminal.render(plus(FULL, *told), terminal.Options())
    assert "served worse" not in github.render(plus(FULL, *told), github.Options())


def test_the_terminal_says_it_in_three_sentences_at_most() -> None:
    lines = brief(view(DEEP))
    assert len(lines) == 3
    text = " ".join(terminal.render(DEEP, terminal.Options()).split())
    assert all(line in text for line in lines)


def test_pipelines_are_told_of_groups_that_are_hurt() -> None:
    text = github.render(DEEP, github.Options())
    assert re.search(r"::warning [^\n]*who is served worse::In the rows where sex is F and camera is c", text)
    assert "- In the rows where sex is F and camera is c, it errs in 6 more" in markdown.render(
        DEEP, markdown.Options()
    )


# --- names --------------------------------------------------------------------------------------------------------------------


def test_the_drop_of_anything_known_is_known() -> None:
    assert term("f1.drop").title == "F1: worse than the reference by"  # type: ignore[union-attr]
    assert term("equal_opportunity.drop").kind == "change"  # type: ignore[union-attr]
    assert term("unheard_of.drop") is None
    assert term("accuracy.drop") == FINDINGS["accuracy.drop"]
    assert about("log_loss.drop")["name"] == "rise in log-loss"
    assert about("log_loss.drop")["plain"].startswith("How much higher, that is worse")


def test_dotted_names_find_their_section_before_their_first_word_does() -> None:
    assert named("brier.reliability") == "calibration"
    assert named("brier") == "quality"
    assert named("rows.unsliced") == "groups"
    assert named("rows.evaluation") == "other"
    hurt = Finding(what="slice.hurt.count", value=0, against=REFERENCE)
    assert section(hurt) == "groups"
    assert section(Finding(what="explanations.agreement", value=0.9, against=REFERENCE)) == "sameness"


def test_the_measure_of_quality_is_no_gap_between_people() -> None:
    gaps = [
        f.model_copy(update={"what": f.what.replace("accuracy", "mcc")})
        for f in DEEP.findings
        if not f.what.startswith("corrupted")
    ]
    assert view(DEEP.model_copy(update={"findings": tuple(gaps)})).quality in ("f1", "mcc")
