"""Rules on slices: those that a study names (`drop_in_slices`) and those that a search confirmed (`no_slice_hurt`)."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.contracts.finding import Condition, Finding, State, missing
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.tally import Slice
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.parts.rules import drop_in_slices, no_slice_hurt

LEVEL = 0.9


def where(**conditions: str) -> Slice:
    return tuple(Condition(column=column, relation="==", value=value) for column, value in conditions.items())


def drop(
    value: float, low: float | None, high: float | None, n: int = 1000, level: float | None = LEVEL, **slice_: str
):
    return Finding(
        what="accuracy.drop", slice=where(**slice_), against="ref", value=value, low=low, high=high, level=level,
        n=n, unit_of_replication="rows", better="lower", method="Tango",
    )  # fmt: skip


def exact(what: str, value: float, **slice_: str) -> Finding:
    """What the flow says of the reference against itself."""
    return Finding(what=what, slice=where(**slice_), against="ref", value=value, better="lower", method="by definition")


class TestNamedSlices:
    def judge(self, *findings: Finding, **given: Any) -> Judgement:
        options = drop_in_slices.Options(**({"what": "accuracy", "margin": "3 pp"} | given))
        return drop_in_slices.judge(Evidence("candidate", list(findings), LEVEL), options)

    def test_all_within_the_margin_pass(self):
        found = self.judge(drop(0.01, -0.01, 0.029, sex="F"), drop(0.0, -0.01, 0.01, sex="M"))
        assert found.outcome is Outcome.PASS
        assert "2 slices" in found.reason

    def test_one_beyond_fails_and_is_named(self):
        found = self.judge(drop(0.06, 0.04, 0.08, sex="F", town="c"), drop(0.0, -0.01, 0.01, sex="M"))
        assert found.outcome is Outcome.FAIL
        assert "sex == F and town == c" in found.reason
        assert [one.slice for one in found.findings] == [where(sex="F", town="c")]

    def test_one_around_the_margin_keeps_it_open_and_says_what_would_settle_it(self):
        found = self.judge(drop(0.02, -0.01, 0.05, sex="F"), drop(0.0, -0.01, 0.01, sex="M"))
        assert found.outcome is Outcome.OPEN
        assert "rows" in found.settle
        failing = self.judge(drop(0.02, -0.01, 0.05, sex="F"), drop(0.06, 0.04, 0.08, sex="M"))
        assert failing.outcome is Outcome.FAIL

    def test_small_slices_are_named_and_decide_nothing(self):
        found = self.judge(drop(0.2, 0.1, 0.3, n=40, sex="F"), drop(0.0, -0.01, 0.01, sex="M"))
        assert found.outcome is Outcome.PASS
        assert "too few rows to judge: sex == F" in found.reason
        alone = self.judge(drop(0.2, 0.1, 0.3, n=40, sex="F"))
        assert alone.outcome is Outcome.OPEN
        assert "no slice is large enough" in alone.reason
        assert self.judge(drop(0.2, 0.1, 0.3, n=40, sex="F"), least=40).outcome is Outcome.FAIL

    def test_the_bound_at_the_needed_level_decides(self):
        narrow = drop(0.02, 0.01, 0.025, level=0.5, sex="F")
        assert self.judge(narrow).outcome is Outcome.OPEN
        assert self.judge(narrow, drop(0.02, -0.01, 0.05, sex="F")).outcome is Outcome.OPEN
        assert self.judge(narrow, drop(0.02, -0.01, 0.028, sex="F")).outcome is Outcome.PASS

    def test_all_rows_are_no_slice(self):
        found = self.judge(drop(0.5, 0.4, 0.6))
        assert found.outcome is Outcome.OPEN
        assert "names no slices" in found.reason

    def test_the_reference_itself_passes(self):
        assert (
            self.judge(exact("accuracy.drop", 0.0, sex="F"), exact("accuracy.drop", 0.0, sex="M")).outcome
            is Outcome.PASS
        )


class TestSearchedSlices:
    def judge(self, *findings: Finding, **given: Any) -> Judgement:
        return no_slice_hurt.judge(Evidence("candidate", list(findings), LEVEL), no_slice_hurt.Options(**given))

    def hurt(self, value: float, low: float | None, high: float | None, **slice_: str) -> Finding:
        return drop(value, low, high, level=0.95, **slice_).model_copy(update={"what": "slice.hurt"})

    def summary(self, count: int = 0, least: float = 0.02) -> list[Finding]:
        return [exact("slice.hurt.count", count), exact("slice.hurt.detectable", least)]

    def test_nothing_confirmed_by_a_search_that_sees_passes(self):
        assert self.judge(*self.summary()).outcome is Outcome.PASS

    def test_a_confirmed_slice_beyond_the_margin_fails_and_is_named(self):
        worse = self.hurt(0.08, 0.05, 0.11, town="c")
        found = self.judge(worse, *self.summary(1), margin="4 pp")
        assert found.outcome is Outcome.FAIL
        assert "town == c: 8 pp worse, at least 5 pp" in found.reason
        assert found.findings == (worse,)
        blind = self.judge(worse, *self.summary(1, least=0.5), margin="4 pp")
        assert blind.outcome is Outcome.FAIL

    @pytest.mark.parametrize(("margin", "outcome"), [("6 pp", Outcome.OPEN), ("12 pp", Outcome.PASS)])
    def test_a_confirmed_slice_around_or_within_the_margin(self, margin: str, outcome: Outcome):
        found = self.judge(self.hurt(0.08, 0.05, 0.11, town="c"), *self.summary(1), margin=margin)
        assert found.outcome is outcome
        assert bool(found.settle) == (outcome is Outcome.OPEN)

    def test_without_bounds_it_is_open(self):
        assert self.judge(self.hurt(0.08, None, None, town="c"), *self.summary(1)).outcome is Outcome.OPEN

    def test_a_blind_search_is_open(self):
        found = self.judge(*self.summary(least=0.2))
        assert found.outcome is Outcome.OPEN
        assert "20 pp" in found.reason
        assert found.settle
        assert self.judge(*self.summary(least=0.2), least_seen="25 pp").outcome is Outcome.PASS

    def test_no_search_is_open(self):
        found = self.judge()
        assert found.outcome is Outcome.OPEN
        assert "measure.find" in found.reason

    def test_a_search_that_failed_is_open_and_says_why(self):
        found = self.judge(missing("slice.hurt.count", State.FAILED, "labels are missing"))
        assert found.outcome is Outcome.OPEN
        assert "labels are missing" in found.reason

    def test_a_search_whose_power_isnt_known_is_open(self):
        assert self.judge(self.summary()[0]).outcome is Outcome.OPEN

    def test_the_reference_itself_passes_although_others_hurt_a_slice(self):
        itself = [exact("slice.hurt", 0.0, town="c"), exact("slice.hurt.count", 0), exact("slice.hurt.detectable", 0)]
        assert self.judge(*itself).outcome is Outcome.PASS
        assert self.judge(*itself, margin="1 pp").outcome is Outcome.PASS
