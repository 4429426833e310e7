"""Rules on money beyond their exam: each candidate at its cheapest place, and what is declared must be accepted."""

import pytest

from seatrial import catalog
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.verdict import Outcome
from seatrial.testing.rules import LEVEL, exam


def month(candidate, place, value, low=None, **fields):
    given = {
        "low": value if low is None else low,
        "high": value,
        "level": LEVEL,
        "unit": "EUR",
        "better": "lower",
    } | fields
    return Finding(
        what="money.month", at={"place": place}, candidate=candidate, value=value, origin=Origin.DECLARED, **given
    )


def rule(name, **options):
    part = catalog.find("rules", name)
    return catalog.load(part), catalog.options(part, options)


@pytest.mark.parametrize("name", ["cheapest", "payback", "edge_or_cloud"])
def test_they_sit_the_exam(name):
    exam(catalog.find("rules", name))


def test_each_candidate_at_its_cheapest_place():
    module, options = rule("cheapest")
    evidence = [
        Evidence("a", [month("a", "cloud", 900.0), month("a", "own", 500.0)], LEVEL),
        Evidence("b", [month("b", "cloud", 400.0), month("b", "own", 700.0)], LEVEL),
        Evidence("c", [missing("money.month", State.UNSUPPORTED, "too slow", at={"place": "cloud"})], LEVEL),
        Evidence("d", [month("d", "cloud", 600.0, low=300.0)], LEVEL),
    ]
    assert module.order(evidence, options) == ["b", "a", "d", "c"]
    assert "(cloud)" in module.words(evidence[1], options)
    assert module.words(evidence[2], options) == ""
    assert module.tied(evidence, options) == ["d"], "its range reaches below"
    own, only = rule("cheapest", at={"place": "own"})
    assert own.order(evidence, only)[:2] == ["a", "b"]


def test_what_was_estimated_is_no_cost_to_rank_by():
    module, options = rule("cheapest")
    guessed = month("a", "cloud", 1.0).model_copy(update={"origin": Origin.ESTIMATED})
    assert module.words(Evidence("a", [guessed], LEVEL), options) == ""


def test_prefer_ranks_by_what_is_declared_only_where_that_is_accepted():
    for accept, said in ((("declared",), True), ((), False)):
        module, options = rule("prefer", what="money.month", at={"place": "cloud"}, accept=accept)
        assert bool(module.words(Evidence("a", [month("a", "cloud", 9.0)], LEVEL), options)) == said


@pytest.mark.parametrize(
    ("name", "what", "at", "unit"),
    [
        ("payback", "money.payback", {"place": "cloud"}, "months"),
        ("edge_or_cloud", "money.ratio", {"place": "edge", "against": "cloud"}, "x"),
    ],
)
def test_bounds_decide_once_declared_money_is_accepted(name, what, at, unit):
    for (low, high), expected in (((0.1, 0.4), Outcome.PASS), ((0.6, 0.9), Outcome.FAIL), ((0.4, 0.6), Outcome.OPEN)):
        found = Finding(what=what, at=at, candidate="a", value=high, low=low, high=high, level=LEVEL, unit=unit, origin=Origin.DECLARED, better="lower", n=200, unit_of_replication="simulations")  # fmt: skip
        module, accepting = rule(name, bound=0.5, accept="declared")
        assert module.judge(Evidence("a", [found], LEVEL), accepting).outcome is expected
        _, strict = rule(name, bound=0.5)
        judged = module.judge(Evidence("a", [found], LEVEL), strict)
        assert judged.outcome is Outcome.OPEN
        assert "accept: declared" in judged.reason
