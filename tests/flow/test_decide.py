"""Deciding: what a verdict is made of, and that a study passes wrongly no more often than it says."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.contracts.candidate import Candidate, PartRef, labels
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.plan import Levels, Plan, Planned
from seatrial.contracts.study import Study
from seatrial.contracts.verdict import Outcome
from seatrial.flow.decide import decide, requirements_read
from seatrial.numerics import ratios
from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.paired import rows_needed, tango
from seatrial.numerics.ratios import paired_ratio
from seatrial.numerics.stopping import level_at_look, looks

DROP = {"drop_at_most": {"what": "accuracy", "margin": "0.5 pp"}}
FAST = {"at_most": {"what": "latency.p99", "bound": "5 ms", "at": {"load": "single_stream"}}}
PREFER = {"what": "speedup", "at": {"load": "offline"}}


def make_plan(require=(DROP,), prefer=None, compared=2, confidence=0.95, eligible_reference=False):
    """A reference and so many candidates; their labels are `r0 fp32` (the reference), `r1 fp32`, ..."""
    names = [f"r{number}" for number in range(compared + 1)]
    candidates = [Candidate(model="m", runtime=PartRef(name=name)) for name in names]
    short = labels(candidates)
    study = Study(
        name="s",
        models={"m": {"forms": {"onnx": {"path": "m.onnx"}}, "task": "classification", "inputs": {}, "outputs": {}}},
        data={"evaluation": {"from": "parquet"}},
        candidates=[{"runtime": names}],
        reference={"runtime": "r0", "eligible": eligible_reference},
        require=require,
        prefer=prefer,
        confidence=confidence,
    )
    return Plan(
        study=study,
        folder=".",
        file="study.yaml",
        candidates=[
            Planned(
                candidate=c, label=short[c.id], form="onnx", reference=not i, eligible=bool(i) or eligible_reference
            )
            for i, c in enumerate(candidates)
        ],
        dropped=(),
        levels=Levels(gate=1 - 2 * (1 - confidence) / max(1, compared), compared=compared),
        rounds=(5, 5),
    )


def ids(plan):
    return [planned.candidate.id for planned in plan.candidates]


@cache
def interval(lost, gained, n, level):
    return tango(lost, gained, n, level)


def drop(plan, number, lost, gained, n=10_000, level=None):
    level = level or plan.levels.gate
    found = interval(lost, gained, n, level)
    return Finding(
        what="accuracy.drop", candidate=ids(plan)[number], against=ids(plan)[0], value=found.value, low=found.low,
        high=found.high, level=level, better="lower", n=n, unit_of_replication="rows", method=found.method,
    )  # fmt: skip


def speedup(plan, number, value, spread=0.03):
    return Finding(
        what="speedup", at={"load": "offline"}, candidate=ids(plan)[number], against=ids(plan)[0], value=value,
        low=value * (1 - spread), high=value * (1 + spread), level=0.95, unit="x", better="higher", n=5,
        unit_of_replication="rounds",
    )  # fmt: skip


def timed(plan, number, drawn, level):
    found = paired_ratio(drawn, np.ones(len(drawn)), level)
    bounds = {"value": found.value, "low": found.low, "high": found.high, "level": level, "n": len(drawn)}
    return speedup(plan, number, found.value).model_copy(update=bounds)


class TestVerdict:
    def test_the_fastest_fails_and_the_next_is_taken(self):
        plan = make_plan(prefer=PREFER)
        verdict = decide(plan, [
            drop(plan, 1, 20, 15), speedup(plan, 1, 2.9), drop(plan, 2, 220, 50), speedup(plan, 2, 5.2),
        ])  # fmt: skip
        assert verdict.outcome is Outcome.PASS
        assert verdict.recommended == ids(plan)[1]
        assert verdict.sentence == (
            "Take `r1 fp32`: speedup 2.9x (2.81x to 2.99x); accuracy drop at most 0.174 pp; "
            "the fastest, `r2 fp32`, speedup 5.2x (5.04x to 5.36x), fails: accuracy drop at least 1.39 pp."
        )
        assert (verdict.compared, verdict.confidence, verdict.level) == (2, 0.95, plan.levels.gate)

    def test_a_tie_is_said(self):
        plan = make_plan(prefer=PREFER)
        found = [drop(plan, 1, 20, 15), speedup(plan, 1, 2.9), drop(plan, 2, 20, 15), speedup(plan, 2, 2.88)]
        verdict = decide(plan, found)
        assert verdict.recommended == ids(plan)[1]
        assert "`r2 fp32` can't be told from it by speedup" in verdict.sentence

    def test_without_prefer_only_a_single_passing_candidate_is_taken(self):
        plan = make_plan()
        both = decide(plan, [drop(plan, 1, 20, 15), drop(plan, 2, 20, 15)])
        assert (both.outcome, both.recommended) == (Outcome.PASS, None)
        assert both.sentence == "2 candidates pass, `r1 fp32` and `r2 fp32`; say which to take by `prefer`."
        one = decide(plan, [drop(plan, 1, 20, 15), drop(plan, 2, 220, 50)])
        assert one.recommended == ids(plan)[1]

    def test_without_figures_to_prefer_by_nothing_is_chosen_at_random(self):
        plan = make_plan(prefer=PREFER)
        verdict = decide(plan, [drop(plan, 1, 20, 15), drop(plan, 2, 20, 15)])
        assert verdict.recommended is None
        assert "correct `what` or `at` under `prefer`" in verdict.sentence

    def test_all_fail(self):
        plan = make_plan(prefer=PREFER)
        found = [drop(plan, 1, 300, 20), speedup(plan, 1, 2.0), drop(plan, 2, 220, 50)]
        verdict = decide(plan, found)
        assert (verdict.outcome, verdict.recommended) == (Outcome.FAIL, None)
        assert verdict.sentence.startswith(
            "Take none: all 2 candidates fail, 2 of them at `accuracy drop at most 0.5 pp`"
        )

    def test_one_open_keeps_the_study_open_and_says_what_would_settle_it(self):
        plan = make_plan()
        verdict = decide(plan, [drop(plan, 1, 4, 3, n=1000), drop(plan, 2, 220, 50)])
        assert (verdict.outcome, verdict.recommended) == (Outcome.OPEN, None)
        assert "more rows would settle it" in verdict.sentence

    def test_a_crash_is_open_and_named(self):
        plan = make_plan(compared=1)
        verdict = decide(plan, [missing("run", State.CRASHED, "killed by signal 11", candidate=ids(plan)[1])])
        assert verdict.outcome is Outcome.OPEN
        assert "accuracy drop is missing, crashed: killed by signal 11" in verdict.sentence

    def test_nothing_required_is_no_pass(self):
        plan = make_plan(require=(), prefer=PREFER)
        verdict = decide(plan, [speedup(plan, 1, 2.0), speedup(plan, 2, 3.0)])
        assert (verdict.outcome, verdict.recommended) == (Outcome.OPEN, None)
        assert verdict.sentence.startswith("Nothing was required, so nothing can pass")
        assert "the fastest is `r2 fp32`, speedup 3x" in verdict.sentence

    def test_nobody_eligible(self):
        verdict = decide(make_plan(compared=0), [])
        assert (verdict.outcome, verdict.recommended) == (Outcome.OPEN, None)
        assert verdict.sentence.startswith("There is no eligible candidate")

    def test_every_requirement_must_hold(self):
        plan = make_plan(require=(DROP, FAST), compared=1)
        verdict = decide(plan, [drop(plan, 1, 20, 15)])
        outcomes = [judgement.outcome for judgement in verdict.of(ids(plan)[1]).judgements]
        assert outcomes == [Outcome.PASS, Outcome.OPEN]
        assert verdict.outcome is Outcome.OPEN

    def test_other_candidates_findings_are_not_read(self):
        plan = make_plan()
        assert decide(plan, [drop(plan, 2, 20, 15)]).of(ids(plan)[1]).outcome is Outcome.OPEN


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 60), st.floats(0.5, 9)), min_size=1, max_size=4))
def test_what_is_recommended_is_eligible_passes_and_is_the_best_of_those(counts):
    plan = make_plan(prefer=PREFER, compared=len(counts))
    found = [drop(plan, i + 1, lost, gained) for i, (lost, gained, _) in enumerate(counts)]
    speeds = {ids(plan)[i + 1]: speed for i, (_, _, speed) in enumerate(counts)}
    verdict = decide(plan, found + [speedup(plan, i + 1, speed) for i, (_, _, speed) in enumerate(counts)])
    passing = [one.candidate for one in verdict.candidates if one.eligible and one.outcome is Outcome.PASS]
    assert (verdict.outcome is Outcome.PASS) == bool(passing)
    assert (verdict.recommended in passing) == bool(passing)
    if passing:
        assert speeds[verdict.recommended] == max(speeds[id_] for id_ in passing)
    assert verdict.sentence.endswith(".")
    assert "  " not in verdict.sentence


class TestReference:
    def test_it_is_judged_and_shown_but_not_taken(self):
        plan = make_plan(compared=1)
        verdict = decide(plan, [drop(plan, 1, 300, 20)])
        reference = verdict.of(ids(plan)[0])
        assert (reference.outcome, reference.eligible) == (Outcome.PASS, False)
        assert "by definition" in reference.judgements[0].reason
        assert (verdict.outcome, verdict.recommended) == (Outcome.FAIL, None)

    def test_it_is_taken_where_the_study_lets_it(self):
        plan = make_plan(compared=1, eligible_reference=True)
        verdict = decide(plan, [drop(plan, 1, 300, 20)])
        assert verdict.recommended == ids(plan)[0]

    def test_what_was_measured_of_it_goes_before_what_follows_by_definition(self):
        plan = make_plan(compared=1)
        verdict = decide(plan, [drop(plan, 0, 300, 20), drop(plan, 1, 20, 15)])
        assert verdict.of(ids(plan)[0]).outcome is Outcome.FAIL


class TestLooks:
    """A study that may stop at several looks needs more of each bound on what is timed, and of nothing else."""

    FASTER = {"at_least": {"what": "speedup", "bound": 1.5}}

    def outcome(self, rounds, *levels, what=FASTER):
        plan = make_plan(require=(what,), compared=3).model_copy(update={"rounds": rounds})
        if what is DROP:
            found = [drop(plan, 1, 20, 15, level=level) for level in levels]
        else:
            found = [speedup(plan, 1, 2.0).model_copy(update={"level": level}) for level in levels]
        (judgement,) = decide(plan, found).of(ids(plan)[1]).judgements
        return judgement.outcome, [one.level for one in judgement.findings]

    def test_the_level_is_spent_over_the_looks(self):
        gate = make_plan(compared=3).levels.gate
        spent, described = 1 - (1 - gate) / 3, 1 - 0.05 / 3  # three looks from 5 to 20 rounds
        assert gate < described < spent
        assert self.outcome((5, 5), gate, described) == (Outcome.PASS, [gate])
        assert self.outcome((5, 20), described)[0] is Outcome.OPEN
        assert self.outcome((5, 20), described, spent) == (Outcome.PASS, [spent])

    def test_rows_are_counted_once(self):
        gate = make_plan(compared=3).levels.gate
        assert self.outcome((5, 20), gate, what=DROP) == (Outcome.PASS, [gate])


def test_requirements_read_names_each_finding_once():
    read = requirements_read(make_plan(require=(DROP, FAST, DROP)))
    assert read == [("accuracy.drop", {}), ("latency.p99", {"load": "single_stream"})]


def test_a_rule_that_raises_leaves_its_requirement_open(tmp_path):
    (tmp_path / "raises.py").write_text(
        '"""Raises."""\n'
        "def needs(options): return ('accuracy', {})\n"
        "def judge(evidence, options): raise RuntimeError('no idea')\n"
    )
    plan = make_plan(require=("raises.py", DROP), compared=1).model_copy(update={"folder": str(tmp_path)})
    (raised, kept) = decide(plan, [drop(plan, 1, 20, 15)]).of(ids(plan)[1]).judgements
    assert (raised.outcome, raised.reason) == (Outcome.OPEN, "the rule raised RuntimeError: no idea")
    assert kept.outcome is Outcome.PASS


class TestErrorRates:
    """Simulated: what the levels promise, with twelve candidates and any of them enough for a pass."""

    LOST, GAINED, ROWS, COMPARED = 0.0175, 0.0125, 4000, 12  # the true drop is the margin, 0.5 pp

    def share_of_wrong_passes(self, plan, studies=500, level=None):
        rng = np.random.default_rng(7)
        shares = [self.LOST, self.GAINED, 1 - self.LOST - self.GAINED]
        counts = rng.multinomial(self.ROWS, shares, size=(studies, self.COMPARED)).tolist()
        passed = 0
        for study in counts:
            found = [drop(plan, i + 1, lost, gained, self.ROWS, level) for i, (lost, gained, _) in enumerate(study)]
            passed += decide(plan, found).outcome is Outcome.PASS
        return passed / studies

    def test_a_study_of_twelve_at_the_margin_passes_wrongly_at_most_as_often_as_promised(self):
        plan = make_plan(compared=self.COMPARED)
        assert self.share_of_wrong_passes(plan) <= 0.05 + 3 * (0.05 * 0.95 / 500) ** 0.5

    def test_at_the_level_of_a_single_candidate_it_would_pass_wrongly_many_times_as_often(self):
        plan = make_plan(compared=self.COMPARED)
        single = plan.model_copy(update={"levels": Levels(gate=0.9, compared=1)})
        assert self.share_of_wrong_passes(single, studies=100) > 0.25

    def test_stopping_when_it_looks_settled_passes_wrongly_at_most_as_often_as_promised(self, monkeypatch):
        """Three candidates exactly as fast as the limit; the study stops at the first look where one passes or all are settled."""
        monkeypatch.setattr(ratios, "student_quantile", cache(student_quantile))  # the same few, many times
        rule = {"at_least": {"what": "speedup", "bound": 1}}
        plan = make_plan(require=(rule,), compared=3).model_copy(update={"rounds": (5, 20)})
        level = level_at_look(plan.levels.gate, 3)
        rng, passed = np.random.default_rng(5), 0
        for _ in range(300):
            drawn = np.exp(rng.normal(scale=0.03, size=(3, 20)))
            for rounds in looks(5, 20):
                outcome = decide(plan, [timed(plan, i + 1, one[:rounds], level) for i, one in enumerate(drawn)]).outcome
                if outcome is not Outcome.OPEN:
                    break
            passed += outcome is Outcome.PASS
        assert passed / 300 <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5

    def test_rows_needed_gives_the_power_that_it_promises(self):
        plan = make_plan(compared=self.COMPARED)
        confidence = (1 + plan.levels.gate) / 2
        rows = rows_needed(flip_rate=0.02, margin=0.005, confidence=confidence, power=0.8)
        counts = np.random.default_rng(8).multinomial(rows, [0.01, 0.01, 0.98], size=600).tolist()
        alone = plan.model_copy(update={"candidates": plan.candidates[:2]})
        passed = sum(decide(alone, [drop(alone, 1, a, b, rows)]).outcome is Outcome.PASS for a, b, _ in counts)
        assert passed / 600 == pytest.approx(0.8, abs=3 * (0.8 * 0.2 / 600) ** 0.5 + 0.01)


def test_what_was_not_measured_to_the_end_can_not_pass():
    plan = make_plan(compared=1)
    good = [drop(plan, 1, 20, 15)]
    assert decide(plan, good).outcome is Outcome.PASS
    crashed = missing("run", State.CRASHED, "killed by signal 11", candidate=ids(plan)[1])
    verdict = decide(plan, [*good, crashed])
    assert (verdict.outcome, verdict.recommended) == (Outcome.OPEN, None)


def test_where_nothing_is_required_nothing_is_judged_not_even_what_was_not_measured():
    plan = make_plan(require=())
    verdict = decide(plan, [missing("run", State.HUNG, "no answer within 20 s", candidate=ids(plan)[1])])
    assert verdict.outcome is Outcome.OPEN
    assert "Nothing was required" in verdict.sentence
    assert not any(one.judgements for one in verdict.candidates)


def stated(value, model=None, what="data.approved", **more):
    """A finding that speaks of no candidate: of the data, or of a model."""
    at = {"data": "evaluation"} | ({"model": model} if model else {})
    return Finding(what=what, at=at, value=value, better="higher", method="exact", **more)


APPROVED = {"at_least": {"what": "data.approved", "bound": 1}}


@pytest.mark.parametrize(("value", "outcome"), [(True, Outcome.PASS), (False, Outcome.FAIL)])
def test_what_is_found_of_the_data_counts_for_every_candidate(value, outcome):
    plan = make_plan([APPROVED])
    verdict = decide(plan, [stated(value)])
    assert [one.outcome for one in verdict.candidates] == [outcome] * 3


def test_nobody_passes_by_what_was_found_of_another_model():
    plan = make_plan([APPROVED], compared=1)
    assert decide(plan, [stated(True, "m")]).outcome is Outcome.PASS
    assert decide(plan, [stated(True, "another")]).outcome is Outcome.OPEN
    both = decide(plan, [stated(True, "another"), stated(False, "m")])
    assert both.outcome is Outcome.FAIL, "its own model's is the one that counts, and no ambiguity"


def test_nobody_passes_by_a_figure_that_is_measured_candidate_by_candidate():
    """The second candidate has no accuracy of its own; one that speaks of no candidate, and the first one's, don't stand in."""
    plan = make_plan([{"at_least": {"what": "accuracy", "bound": 0.5}}])
    mine = stated(1.0, what="accuracy", low=0.9, high=1.0, level=plan.levels.gate)
    alone = decide(plan, [mine.model_copy(update={"candidate": ids(plan)[1]}), mine])
    assert [alone.of(one).outcome for one in ids(plan)[1:]] == [Outcome.PASS, Outcome.OPEN]


def test_a_run_that_ended_for_nobody_in_particular_judges_nobody():
    plan = make_plan([APPROVED], compared=1)
    verdict = decide(plan, [stated(True), missing("run", State.FAILED, "no worker could be started")])
    assert verdict.outcome is Outcome.PASS
