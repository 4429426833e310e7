"""The exam for rules: bounds decide, and want of evidence never passes.

from seatrial import catalog
from seatrial.testing.rules import exam

exam(catalog.find("rules", "./my_rule.py"), {"what": "accuracy", "bound": 0.5})
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from seatrial import catalog
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.verdict import Judgement, Outcome

LEVEL = 0.98
CANDIDATE = "model/as_is/runtime/cpu/fp32/t1/b1"
SAMPLE = {"what": "score", "bound": 0.5, "margin": 0.5}
"""Options of a limit of one half on a plain number; of these a rule is given those that it has."""


NO_EVIDENCE: list[dict[str, Any]] = [
    *({"origin": origin} for origin in (Origin.ESTIMATED, Origin.PREDICTED, Origin.DECLARED)),
    *({"state": state} for state in (State.DISTURBED, State.UNSTABLE, State.TOO_FEW)),
    {"level": LEVEL - 0.1},
    {"level": None},
    {"unit": "s"},
    {"unit": "p"},
    {"low": None, "high": None},
]
"""What makes of a clear finding one that decides nothing."""


Around = Callable[[Finding], list[Finding]]
"""Of a finding that the exam makes up, what a run would give to a rule that reads several."""


class _Beside:
    """A rule that is handed, for each finding, what a run would give with it."""

    def __init__(self, module: Any, around: Around) -> None:
        self._module, self._around, self.needs = module, around, module.needs

    def judge(self, evidence: Evidence, options: Any) -> Judgement:
        found = [one for finding in evidence.findings for one in self._around(finding)]
        judgement: Judgement = self._module.judge(replace(evidence, findings=found), options)
        return judgement


def exam(part: PartInfo, given: dict[str, Any] | None = None, around: Around | None = None) -> None:
    """Try a rule with a limit of 0.5 on a plain number, or an ordering by one. Raises `AssertionError`.

    `given` are its options, where `SAMPLE` doesn't fit them; `around` is for rules that read slices, or several findings.
    """
    module: Any = catalog.load(part)
    known = catalog.options_type(module).model_fields
    options = catalog.options(part, given or {name: value for name, value in SAMPLE.items() if name in known})
    if around is not None:
        module = _Beside(module, around)
    if hasattr(module, "order"):
        _orders(module, options)
    else:
        _decides_by_bounds(module, options)
        _never_passes_for_want_of_evidence(module, options)
        _says_what_it_read(module, options)


def _orders(module: Any, options: Any) -> None:
    """Best first, in the direction that findings state; those without a figure last; nobody is lost."""
    for better, best in (("higher", ["b", "c", "a"]), ("lower", ["a", "c", "b"])):
        values = {"a": 1.0, "b": 3.0, "c": 2.0}
        evidence = [_evidence(_ranked(options, id_, value, better), id_) for id_, value in values.items()]
        evidence.insert(0, Evidence("none", [], LEVEL))
        assert module.order(evidence, options) == [*best, "none"], f"{better} is better, best first, no figure last"
        assert module.words(evidence[0], options) == "", "words are empty where there is no figure"
        assert all(module.words(one, options) for one in evidence[1:]), "the figure is said in words"
        assert module.tied(evidence, options) == [], "candidates with intervals apart aren't tied"
    same = [_evidence(_ranked(options, id_, 1.0, "higher"), id_) for id_ in "ab"]
    assert module.order(same, options) == ["a", "b"], "equal ones stay in their order"
    assert module.tied(same, options) == ["b"], "overlapping intervals are tied"
    assert module.order([], options) == []


def _ranked(options: Any, id_: str, value: float, better: Any) -> Finding:
    return Finding(
        what=options.what, at=options.at, candidate=id_, value=value, low=value - 0.1, high=value + 0.1, level=LEVEL,
        better=better, n=100, unit_of_replication="rows",
    )  # fmt: skip


def _decides_by_bounds(module: Any, options: Any) -> None:
    """Of an interval below the limit and one above it, one passes and one fails; around the limit it is open."""
    below = _judge(module, options, value=0.15, low=0.1, high=0.2).outcome
    above = _judge(module, options, value=0.85, low=0.8, high=0.9).outcome
    assert {below, above} == {Outcome.PASS, Outcome.FAIL}, f"below the limit: {below}, above: {above}"
    for value in (0.15, 0.85):
        around = _judge(module, options, value=value, low=0.1, high=0.9)
        assert around.outcome is Outcome.OPEN, f"bounds decide, not the value {value}"
        assert around.settle, "an open one says what would settle it"


def _never_passes_for_want_of_evidence(module: Any, options: Any) -> None:
    """Nothing measured, not the needed confidence, not a clean state, not measured at all: never a pass, nor a failure."""
    what, at = module.needs(options)
    assert module.judge(_evidence(), options).outcome is Outcome.OPEN, "no finding at all"
    for state in State:
        if state is not State.OK:
            gone = module.judge(_evidence(missing(what, state, "for the exam", at=at)), options)
            assert gone.outcome is Outcome.OPEN, f"missing, {state}"
            assert "for the exam" in gone.reason, "the reason gives the finding's note"
    for value in (0.15, 0.85):
        bounds: dict[str, Any] = {"value": value, "low": value - 0.05, "high": value + 0.05}
        for wrong in NO_EVIDENCE:
            judgement = _judge(module, options, **(bounds | wrong))
            assert judgement.outcome is Outcome.OPEN, f"{wrong} decided: {judgement.outcome}, {judgement.reason}"
            assert judgement.reason, "an open one says why"


def _says_what_it_read(module: Any, options: Any) -> None:
    """The judgement names its candidate and carries the finding that it needed."""
    judgement = _judge(module, options, value=0.15, low=0.1, high=0.2)
    what, at = module.needs(options)
    assert judgement.candidate == CANDIDATE
    assert [(finding.what, finding.at) for finding in judgement.findings] == [(what, at)]
    assert judgement.requirement
    assert judgement.reason


def _judge(module: Any, options: Any, **fields: Any) -> Judgement:
    what, at = module.needs(options)
    filled = {"level": LEVEL, "n": 1000, "unit_of_replication": "rows", "better": "lower", "method": "exam"} | fields
    judgement: Judgement = module.judge(_evidence(Finding(what=what, at=at, candidate=CANDIDATE, **filled)), options)
    return judgement


def _evidence(finding: Finding | None = None, candidate: str = CANDIDATE) -> Evidence:
    return Evidence(candidate, [] if finding is None else [finding], LEVEL)
