"""Two runs side by side: planted changes are called, chance isn't, and what can't be compared says why."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from seatrial.contracts.changes import Call, Changes, Shift
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Condition, Finding, State, missing
from seatrial.contracts.verdict import Outcome
from seatrial.errors import UnknownPart, Unsupported
from seatrial.flow.changes import changes, tell
from seatrial.testing.dossiers import sample_dossier, samples

FULL = sample_dossier()
BEST = str(FULL.verdict.recommended)
OFFLINE = {"load": "offline"}


def changed(dossier: Dossier, what: str, candidate: str = BEST, **fields: Any) -> Dossier:
    """The dossier with all findings of that name changed; `times` multiplies value and bounds."""
    times = fields.pop("times", 1.0)

    def one(finding: Finding) -> Finding:
        if finding.what != what or finding.candidate != candidate:
            return finding
        scaled = {name: getattr(finding, name) for name in ("value", "low", "high") if times != 1.0}
        scaled = {name: number if number is None else number * times for name, number in scaled.items()}
        return finding.model_copy(update=scaled | fields)

    return dossier.model_copy(update={"findings": tuple(map(one, dossier.findings))})


def shift(made: Changes, what: str, candidate: str = BEST, **at: Any) -> Shift:
    found = [one for one in made.shifts if one.candidate == candidate and one.finding.what == what and at.items() <= one.finding.at.items()]  # fmt: skip
    assert len(found) == 1
    return found[0]


def test_a_run_against_itself_has_no_change() -> None:
    made = changes(FULL, FULL)
    assert {one.call for one in made.shifts} == {Call.SAME}
    assert (made.facts, made.added, made.removed, made.tested) == ((), (), (), 0)
    assert all(turn.before is turn.after and not turn.reasons for turn in made.turns)
    keys = {(f.candidate, f.key) for f in FULL.findings if f.candidate}
    assert len(made.shifts) == len(keys)


@pytest.mark.parametrize(
    ("what", "times", "call"),
    [
        ("throughput", 0.9, Call.WORSE),
        ("throughput", 1.1, Call.BETTER),
        ("memory.peak", 1.1, Call.WORSE),
        ("memory.peak", 1.005, Call.UNCLEAR),
        ("accuracy", 0.97, Call.WORSE),
        ("accuracy", 0.999, Call.UNCLEAR),
        ("size", 1.01, Call.WORSE),
        ("size", 0.99, Call.BETTER),
        ("latency.mean", 0.8, Call.BETTER),
    ],
)
def test_a_planted_change_is_called_and_a_small_one_is_not(what: str, times: float, call: Call) -> None:
    made = changes(FULL, changed(FULL, what, times=times))
    assert shift(made, what).call is call
    others = {one.call for one in made.shifts if (one.candidate, one.finding.what) != (BEST, what)}
    assert others == {Call.SAME}


def test_times_are_compared_as_ratios_and_counts_as_differences() -> None:
    made = changes(FULL, changed(changed(FULL, "throughput", times=0.5), "accuracy", times=0.9))
    rate, share = shift(made, "throughput"), shift(made, "accuracy")
    assert (rate.ratio, rate.change) == (True, pytest.approx(0.5))
    assert rate.low < 0.5 < rate.high
    assert rate.level == 0.95
    assert "on logarithms" in rate.method
    old = FULL.find("accuracy", BEST).number
    assert (share.ratio, share.change) == (False, pytest.approx(-0.1 * old))
    assert made.tested == 2
    assert made.by_chance == pytest.approx(0.1)


def test_what_was_not_measured_in_peace_is_not_called() -> None:
    made = changes(FULL, changed(changed(FULL, "throughput", times=0.5), "throughput", state=State.DISTURBED))
    found = shift(made, "throughput")
    assert (found.call, found.why) == (Call.UNCLEAR, "in the second run it was disturbed")
    assert made.tested == 0


def test_one_bound_no_interval_and_other_levels_are_not_called() -> None:
    slow = shift(changes(FULL, changed(FULL, "latency.p99", times=9.0)), "latency.p99")
    assert (slow.call, slow.change, slow.low) == (Call.UNCLEAR, pytest.approx(9.0), None)
    assert "one side" in slow.why
    start = shift(changes(FULL, changed(FULL, "cold_start", times=2.0)), "cold_start")
    assert (start.call, "without an interval" in start.why) == (Call.UNCLEAR, True)
    other = shift(changes(FULL, changed(FULL, "brier", value=0.2, level=0.9)), "brier")
    assert (other.call, "levels" in other.why) == (Call.UNCLEAR, True)


def test_figures_against_another_reference_are_not_called() -> None:
    found = shift(
        changes(FULL, changed(FULL, "speedup", value=1.0, against="somebody else")), "speedup", load="offline"
    )
    assert (found.call, "different references" in found.why) == (Call.UNCLEAR, True)


def test_words_values_that_come_and_go_and_slices() -> None:
    ran = shift(changes(FULL, changed(FULL, "executed.precision", value="fp32")), "executed.precision")
    assert ran.call is Call.CHANGED
    gone = FULL.model_copy(update={"findings": tuple(f for f in FULL.findings if f.what != "brier")})
    assert shift(changes(FULL, gone), "brier").call is Call.GONE
    assert shift(changes(gone, FULL), "brier").call is Call.APPEARED
    lost = missing("size", State.CRASHED, "it fell over", candidate=BEST)
    without = FULL.model_copy(update={"findings": (*(f for f in FULL.findings if (f.what, f.candidate) != ("size", BEST)), lost)})  # fmt: skip
    found = shift(changes(FULL, without), "size")
    assert (found.call, found.why) == (Call.GONE, "it fell over")
    assert shift(changes(FULL, FULL), "energy").call is Call.SAME  # missing in both
    old = Finding(what="accuracy", candidate=BEST, value=0.9, low=0.88, high=0.92, level=0.95, better="higher", n=900, unit_of_replication="rows", slice=(Condition(column="age", relation=">=", value=60),))  # fmt: skip
    new = old.model_copy(update={"value": 0.7, "low": 0.67, "high": 0.73})
    two = [FULL.model_copy(update={"findings": (*FULL.findings, one)}) for one in (old, new)]
    sliced = [one for one in changes(*two).shifts if one.finding.slice]
    assert [one.call for one in sliced] == [Call.WORSE]


def test_surroundings_rows_artefacts_and_candidates() -> None:
    environment = FULL.environment | {"packages": {"openvino": "2026.1.0"}, "load_1min": 9.0}
    kept = tuple(entry.model_copy(update={"artefact": "ffff"}) if entry.id == BEST else entry for entry in FULL.candidates[1:])  # fmt: skip
    rows = tuple(f.model_copy(update={"at": f.at | {"hash": "00" * 32}}) if f.what == "rows.evaluation" else f for f in FULL.findings)  # fmt: skip
    made = changes(FULL, FULL.model_copy(update={"environment": environment, "candidates": kept, "findings": rows}))
    facts = {fact.what: (fact.before, fact.after) for fact in made.facts}
    assert facts["environment.packages.openvino"] == ("2025.3.0", "2026.1.0")
    assert facts["environment.packages.torch"] == ("2.8.0", "")
    assert facts["artefact.openvino bf16"] == ("a1" * 8, "ffff")
    assert facts["rows.evaluation.cnn"][1] == f"10000 ({'00' * 8})"
    assert not any("load_1min" in what for what in facts)
    assert (made.removed, made.added) == ((FULL.candidates[0].label,), ())
    assert any("different rows" in note for note in made.notes)


def machine(kernel: str) -> Dossier:
    known = {"cpu": "x", "cpu_features": [], "cores": 2, "kernel": kernel, "python": "3.11"}
    return FULL.model_copy(update={"environment": known})


def test_another_machine_is_said() -> None:
    assert any("different machines" in note for note in changes(machine("6.1"), machine("6.2")).notes)
    assert any("isn't the same every day" in note for note in changes(machine("6.1"), machine("6.1")).notes)


def test_nothing_in_common_is_said() -> None:
    made = changes(FULL, FULL.model_copy(update={"candidates": ()}))
    assert (made.shifts, made.notes) == ((), ("The two runs have no candidate in common.",))


def test_a_turned_verdict_says_which_requirement_and_why() -> None:
    turn = next(one for one in changes(FULL, samples()["nothing passes"]).turns if one.candidate == BEST)
    assert (turn.before, turn.after) == (Outcome.PASS, Outcome.FAIL)
    assert len(turn.reasons) == 3
    assert turn.reasons[0].startswith("accuracy drop at most 0.5 pp: pass, now fail: ")


def test_chance_alone_is_called_as_rarely_as_is_said() -> None:
    """Two runs of 300 candidates whose true throughputs are the same, 5 rounds each: at most 1 in 20 is called."""
    rng = np.random.default_rng(3)

    def measured() -> Dossier:
        logs = 0.02 * rng.standard_normal((300, 5))
        half = 2.776 * logs.std(axis=1, ddof=1) / 5**0.5
        ends = np.exp(np.stack([logs.mean(1), logs.mean(1) - half, logs.mean(1) + half], axis=1))
        first = FULL.find("throughput", BEST)
        entries = tuple(FULL.candidates[0].model_copy(update={"id": str(i), "label": str(i)}) for i in range(300))
        found = tuple(first.model_copy(update={"candidate": str(i), "value": v, "low": lo, "high": hi}) for i, (v, lo, hi) in enumerate(ends.tolist()))  # fmt: skip
        return FULL.model_copy(update={"candidates": entries, "findings": found})

    made = changes(measured(), measured())
    called = sum(one.call in (Call.BETTER, Call.WORSE) for one in made.shifts)
    assert made.tested == 300
    assert called <= made.by_chance + 3 * (300 * 0.05 * 0.95) ** 0.5
    assert made.by_chance == 15


def test_it_is_told_as_text_page_and_json() -> None:
    made = changes(FULL, changed(FULL, "throughput", times=0.5))
    assert Changes.model_validate_json(tell(made, "json")) == made
    assert json.loads(tell(made, "json"))["schema"] == 1
    text = " ".join(tell(made, "terminal", {"width": 200}).split())
    assert "×0.5 (×0.492 to ×0.509) worse" in text
    assert "1 worse" in text
    assert "1 worse, 0 better" in tell(made, "html")
    with pytest.raises(Unsupported, match="one run alone") as refused:
        tell(made, "junit")
    assert refused.value.next_step == "say one of: html, json, terminal"
    with pytest.raises(UnknownPart):
        tell(made, "papyrus")
