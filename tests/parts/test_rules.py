"""Rules: bounds decide, want of evidence never passes, and reasons can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.finding import Condition, Finding, Origin, State, missing
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.verdict import Outcome
from seatrial.numerics.paired import tango
from seatrial.numerics.ratios import paired_ratio
from seatrial.parts.rules import _words
from seatrial.testing.rules import exam


def run(rule, options, *findings, level=0.9):
    part = catalog.find("rules", rule)
    return catalog.load(part).judge(Evidence("c", list(findings), level), catalog.options(part, options))


def p99(value=0.004, high=0.0045, **more):
    fields = {"at": {"load": "single_stream"}, "level": 0.98, "unit": "s", "n": 4000, "unit_of_replication": "queries"}
    return Finding(what="latency.p99", value=value, high=high, **(fields | more))


def drop(lost, gained, n, level=0.9):
    found = tango(lost, gained, n, level)
    return Finding(
        what="accuracy.drop", value=found.value, low=found.low, high=found.high, level=level, better="lower", n=n,
        unit_of_replication="rows", method=found.method,
    )  # fmt: skip


def in_a_slice(finding):
    where = (Condition(column="sex", relation="==", value="F"),)
    return [finding.model_copy(update={"slice": where})]


def found_by_a_search(finding):
    """With how many slices it confirmed, and what it could have seen."""
    said = {"candidate": finding.candidate, "better": "lower", "method": "exam"}
    return [
        *in_a_slice(finding),
        Finding(what=f"{finding.what}.count", value=1, **said),
        Finding(what=f"{finding.what}.detectable", value=0.01, **said),
    ]


def about_none(finding):
    """A limit of no fault at all instead of one half."""
    moved = {name: getattr(finding, name) for name in ("value", "low", "high")}
    return [finding.model_copy(update={name: None if one is None else one - 0.5 for name, one in moved.items()})]


AROUND = {"drop_in_slices": in_a_slice, "no_slice_hurt": found_by_a_search, "clean_audit": about_none}


@pytest.mark.parametrize("name", sorted(catalog.parts("rules")))
def test_every_rule_passes_the_exam(name):
    exam(catalog.find("rules", name), around=AROUND.get(name))


CARELESS = """
from seatrial.contracts.verdict import Judgement, Outcome

def needs(options):
    return "score", {{}}

def judge(evidence, options):
    finding = next((one for one in evidence.findings if one.what == "score"), None)
    low, value, high = (finding.low, finding.value, finding.high) if finding else (None, None, None)
    note = finding.note if finding else "nothing"
    outcome = Outcome.OPEN if None in (low, value, high) else {decision}
    return Judgement(requirement="r", rule="careless", candidate=evidence.candidate, outcome=outcome, reason=note or "r",
                     findings=(finding,) if finding else (), settle="more")
"""


@pytest.mark.parametrize(
    "decision",
    [
        "Outcome.PASS if value < 0.5 else Outcome.FAIL",  # by the value, not by bounds
        "Outcome.PASS if high < 0.5 else Outcome.FAIL if low > 0.5 else Outcome.OPEN",  # whatever the origin or level
        "Outcome.OPEN",  # never decides
    ],
)
def test_the_exam_finds_a_careless_rule(tmp_path, decision):
    name = f"careless_{abs(hash(decision))}"
    (tmp_path / f"{name}.py").write_text(CARELESS.format(decision=decision))
    with pytest.raises(AssertionError):
        exam(catalog.find("rules", f"{name}.py", tmp_path))


class TestBounds:
    def test_a_percentile_passes_by_its_bound(self):
        judgement = run("at_most", {"what": "latency.p99", "bound": "5 ms"}, p99())
        assert judgement.outcome is Outcome.PASS
        assert judgement.requirement == "latency.p99 at most 5 ms"
        assert judgement.reason == "latency.p99 at most 4.5 ms (99 % confidence; measured 4 ms, 4,000 queries)"

    def test_a_percentile_without_a_lower_bound_fails_by_its_value_and_says_so(self):
        judgement = run("at_most", {"what": "latency.p99", "bound": "5 ms"}, p99(0.0052, 0.006))
        assert judgement.outcome is Outcome.FAIL
        assert "measured value decides" in judgement.reason

    def test_a_percentile_whose_bound_alone_is_beyond_stays_open_and_says_how_many_queries(self):
        judgement = run("at_most", {"what": "latency.p99", "bound": "5 ms"}, p99(0.004, 0.006))
        assert judgement.outcome is Outcome.OPEN
        assert judgement.settle.startswith("about 12,000 more queries would settle it (16,000 in all)")

    def test_where_the_bound_that_is_needed_is_absent_no_number_settles(self):
        judgement = run("at_least", {"what": "latency.p99", "bound": "1 ms"}, p99())
        assert judgement.outcome is Outcome.OPEN
        assert judgement.settle == "more queries would not settle it: the method gives no lower bound"

    def test_an_exact_count_decides_by_its_value(self):
        size = Finding(what="size", value=4_000_000, unit="B", method="exact count of bytes")
        assert run("at_most", {"what": "size", "bound": "4 MB"}, size).outcome is Outcome.PASS
        failed = run("at_most", {"what": "size", "bound": "3.9 MB"}, size)
        assert (failed.outcome, failed.reason) == (Outcome.FAIL, "size 4 MB, beyond 3.9 MB (exact count of bytes)")

    def test_one_round_has_a_level_but_no_bounds_and_decides_nothing(self):
        found = paired_ratio([2.0], [1.0])
        speedup = Finding(what="speedup", value=found.value, level=found.level, unit="x", n=1, method=found.method)
        judgement = run("at_least", {"what": "speedup", "bound": 1.5}, speedup)
        assert (judgement.outcome, "uncertainty" in judgement.reason) == (Outcome.OPEN, True)

    def test_rounds_settle_by_the_t_interval_on_logarithms(self):
        found = paired_ratio([2.0, 2.2, 1.8, 2.1], [1.0] * 4, 0.9)
        speedup = Finding(
            what="speedup", value=found.value, low=found.low, high=found.high, level=0.9, unit="x", n=4,
            unit_of_replication="rounds",
        )  # fmt: skip
        assert "more rounds would settle it" in run("at_least", {"what": "speedup", "bound": 1.95}, speedup).settle

    def test_the_margin_reads_the_paired_difference(self):
        judgement = run("drop_at_most", {"what": "accuracy", "margin": "0.5 pp"}, drop(20, 15, 10_000))
        assert judgement.outcome is Outcome.PASS
        assert judgement.requirement == "accuracy drop at most 0.5 pp"
        assert judgement.reason.startswith("accuracy drop at most 0.15")
        assert "pp (95 % confidence; measured 0.05 pp, 10,000 rows)" in judgement.reason

    def test_no_visible_drop_on_few_rows_is_no_pass(self):
        assert run("drop_at_most", {"what": "accuracy", "margin": 0.005}, drop(0, 0, 300)).outcome is Outcome.OPEN

    def test_a_bare_margin_is_shown_in_percentage_points(self):
        assert " pp " in run("drop_at_most", {"what": "accuracy", "margin": 0.005}, drop(20, 15, 10_000)).reason

    @given(st.integers(0, 200), st.integers(0, 200), st.integers(400, 5000), st.floats(0, 0.1))
    def test_pass_and_fail_agree_with_the_bounds(self, lost, gained, n, margin):
        finding = drop(lost, gained, n)
        outcome = run("drop_at_most", {"what": "accuracy", "margin": margin}, finding).outcome
        expected = Outcome.PASS if finding.high <= margin else Outcome.FAIL if finding.low > margin else Outcome.OPEN
        assert outcome is expected


class TestEvidence:
    def test_the_level_that_is_needed_is_read_among_several(self):
        wide, narrow = drop(20, 15, 3000, 0.99), drop(20, 15, 3000, 0.5)
        judgement = run("drop_at_most", {"what": "accuracy", "margin": "0.5 pp"}, narrow, wide, level=0.95)
        assert judgement.findings == (wide,)

    def test_a_lower_level_than_needed_is_said(self):
        judgement = run("drop_at_most", {"what": "accuracy", "margin": "0.5 pp"}, drop(20, 15, 10_000), level=0.99)
        assert judgement.outcome is Outcome.OPEN
        assert judgement.reason == "accuracy drop is bounded with 95 % confidence, this decision needs 99.5 %"

    def test_too_few_queries_for_a_bound_are_open_even_where_the_value_is_fine(self):
        few = p99(high=None, level=None, n=100, state=State.TOO_FEW, note="100 queries, 459 are needed")
        judgement = run("at_most", {"what": "latency.p99", "bound": "5 ms"}, few)
        assert judgement.outcome is Outcome.OPEN
        assert judgement.reason == "latency.p99 4 ms, but there is too little for a bound (100 queries, 459 are needed)"
        assert judgement.settle == "more queries would give it a bound"

    def test_declared_counts_only_where_it_is_accepted(self):
        price = Finding(what="price", value=3.0, origin=Origin.DECLARED, better="lower")
        assert run("at_most", {"what": "price", "bound": 4}, price).outcome is Outcome.OPEN
        assert run("at_most", {"what": "price", "bound": 4, "accept": "declared"}, price).outcome is Outcome.PASS

    @pytest.mark.parametrize("origin", ["estimated", "predicted", "missing", "measured"])
    def test_only_declared_can_be_accepted(self, origin):
        with pytest.raises(ValidationError):
            catalog.options(catalog.find("rules", "at_most"), {"what": "x", "bound": 1, "accept": [origin]})

    def test_what_became_of_the_run_is_the_reason(self):
        gone = missing("run", State.OUT_OF_MEMORY, "killed at 2 GiB")
        judgement = run("at_least", {"what": "accuracy", "bound": 0.9}, gone)
        assert judgement.outcome is Outcome.OPEN
        assert judgement.reason == "accuracy is missing, out of memory: killed at 2 GiB"

    def test_a_slice_is_not_the_whole(self):
        part = Finding(
            what="accuracy", slice=(Condition(column="age", relation=">=", value=60),), value=0.9, low=0.85, high=0.95,
            level=0.9,
        )  # fmt: skip
        assert run("at_least", {"what": "accuracy", "bound": 0.5}, part).outcome is Outcome.OPEN

    def test_the_exact_setting_goes_before_wider_ones_and_two_are_no_answer(self):
        def f1(value, **at):
            return Finding(what="f1", at=at, value=value, low=value - 0.01, high=value + 0.01, level=0.9)

        several = run("at_least", {"what": "f1", "bound": 0.5}, f1(0.9, average="macro"), f1(0.1, **{"class": "a"}))
        assert several.outcome is Outcome.OPEN
        assert "{average: macro}, {class: a}" in several.reason
        named = {"what": "f1", "bound": 0.5, "at": {"average": "macro"}}
        assert run("at_least", named, f1(0.9, average="macro"), f1(0.1, **{"class": "a"})).outcome is Outcome.PASS
        assert run("at_least", {"what": "f1", "bound": 0.5}, f1(0.9), f1(0.1, **{"class": "a"})).outcome is Outcome.PASS

    def test_a_class_whose_name_is_a_number_is_found_by_the_number(self):
        found = Finding(what="recall", at={"class": "3"}, value=0.9, low=0.8, high=0.95, level=0.9)
        required = {"what": "recall", "bound": 0.5, "at": {"class": 3}}
        assert run("at_least", required, found).outcome is Outcome.PASS

    @pytest.mark.parametrize(("bound", "hint"), [(5, "`ms`"), ("5 MB", "`ms`"), ("5 x", "`ms`")])
    def test_another_unit_is_open_and_says_which_to_write(self, bound, hint):
        judgement = run("at_most", {"what": "latency.p99", "bound": bound}, p99())
        assert judgement.outcome is Outcome.OPEN
        assert hint in judgement.reason

    def test_a_bare_number_will_do_for_a_unit_that_is_written_in_one_way(self):
        loss = Finding(what="log_loss", value=0.3, low=0.28, high=0.32, level=0.9, unit="nats")
        assert run("at_most", {"what": "log_loss", "bound": 0.4}, loss).outcome is Outcome.PASS

    def test_a_word_and_a_p_value_decide_nothing(self):
        word = Finding(what="executed.precision", value="bf16")
        assert run("at_most", {"what": "executed.precision", "bound": 1}, word).outcome is Outcome.OPEN
        p_value = Finding(what="mcnemar", value=0.4, unit="p")
        judgement = run("at_least", {"what": "mcnemar", "bound": 0.05}, p_value)
        assert (judgement.outcome, "p-value" in judgement.reason) == (Outcome.OPEN, True)


@pytest.mark.parametrize("bound", ["fast", "5 parsecs", ""])
def test_a_bound_that_is_no_quantity_is_refused_when_the_study_is_read(bound):
    with pytest.raises(ValidationError):
        catalog.options(catalog.find("rules", "at_most"), {"what": "latency.p99", "bound": bound})


def test_a_negative_margin_is_refused():
    with pytest.raises(ValidationError, match="gain"):
        catalog.options(catalog.find("rules", "drop_at_most"), {"what": "accuracy", "margin": "-1 pp"})


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0052, "s", "5.2 ms"),
        (0.0000004, "s", "400 ns"),
        (0, "s", "0 s"),
        (12.5, "s", "12.5 s"),
        (123_456_789, "B", "123 MB"),
        (2.9, "x", "2.9x"),
        (12345.6, "samples/s", "12,346 samples/s"),
        (0.8876, "", "0.888"),
        (0.25, "nats", "0.25 nats"),
    ],
)
def test_figures_are_readable(value, unit, text):
    assert _words.figure(value, unit) == text


def test_figures_take_the_unit_that_was_written_and_digits_enough_to_differ_from_the_limit():
    assert _words.figure(0.0034, "", "pp") == "0.34 pp"
    assert _words.apart(0.0050004, 0.005, "s", "ms") == "5.0004 ms"
    assert _words.apart(0.005, 0.005, "s", "ms") == "5 ms"


def test_prefer_takes_the_direction_that_the_study_names():
    part = catalog.find("rules", "prefer")
    chooser, options = catalog.load(part), catalog.options(part, {"what": "size", "better": "higher"})
    sizes = {"a": 1, "b": 2}
    evidence = [Evidence(c, [Finding(what="size", value=v, unit="B", better="lower")], 0.9) for c, v in sizes.items()]
    assert chooser.order(evidence, options) == ["b", "a"]


def test_prefer_leaves_what_was_not_measured_for_last():
    part = catalog.find("rules", "prefer")
    chooser, options = catalog.load(part), catalog.options(part, {"what": "speedup"})
    guess = Evidence("a", [Finding(what="speedup", value=9.0, unit="x", better="higher", origin=Origin.PREDICTED)], 0.9)
    known = Evidence("b", [Finding(what="speedup", value=2.0, unit="x", better="higher")], 0.9)
    assert chooser.order([guess, known], options) == ["b", "a"]
    assert (chooser.words(guess, options), chooser.words(known, options)) == ("", "speedup 2x")
