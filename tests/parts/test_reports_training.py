"""Training in reports: what follows from the findings is said in words, and nothing where nothing follows."""

from __future__ import annotations

from typing import Any

import pytest
from test_reports import FULL, plus, shown_by

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.parts.reports import html, markdown, terminal
from seatrial.parts.reports._training import section
from seatrial.parts.reports._view import view
from seatrial.testing.dossiers import HOSTILE
from seatrial.testing.reports import check_html


def found(what: str, value: float, way: str = "bf16", half: float = 0.0, **more: Any) -> Finding:
    at = {"way": way} | more.pop("at", {})
    given = {"value": value, "low": value - half, "high": value + half, "level": 0.95, "n": 5} | more
    return Finding(what=f"training.{what}", at=at, **given)


USUAL = (
    found("step.p50", 0.010, "fp32", unit="s"),
    found("step.p50", 0.004, unit="s"),
    found("throughput", 3200.0, "fp32", unit="samples/s"),
    found("throughput", 7777.0, unit="samples/s"),
    found("speedup", 2.5, half=0.2, unit="x", against="fp32"),
    found("starved", 0.02, "fp32"),
    found("starved", 0.03),
)


def told(*findings: Finding) -> tuple[str, ...]:
    made = section(view(plus(FULL, *findings)))
    assert made is not None
    return made.sentences


def test_without_training_nothing_is_said() -> None:
    assert section(view(FULL)) is None
    assert 'id="training"' not in html.render(FULL, html.Options())


def test_the_fastest_is_named_where_it_is_more_than_chance() -> None:
    assert told(*USUAL) == ("Fastest: bf16 trains 2.50× (2.30–2.70) as fast as fp32.",)
    doubtful = found("speedup", 1.1, half=0.2, unit="x", against="fp32")
    assert told(doubtful) == ()


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (found("starved", 0.6, half=0.1), "bf16 waits for its next batch 60.0 %"),
        (found("padding", 0.4), "bf16: 40.00 % of the tokens only fill rows up"),
        (found("scaling_efficiency", 0.8, half=0.05, at={"workers": 2}), "2 workers do the work of 1.6 (1.5–1.7)"),
        (found("batch_effect", 0.02, half=0.01, at={"measure": "accuracy"}, against="b16"), "accuracy ends 0.02 worse than with b16"),
        (found("batch_effect", -0.02, half=0.01, at={"measure": "accuracy"}, against="b16"), "accuracy ends 0.02 better than with b16"),
        (found("batch_effect", 0.02, half=0.03, at={"measure": "accuracy"}, against="b16"), "ends at most 0.05 worse and at most 0.01 better than with b16, the same 5 seeds"),
        (found("quality.drop", 0.01, half=0.02, at={"measure": "accuracy"}, against="fp32"), "With bf16, accuracy ends at most 0.03 worse"),
        (found("quality.drop", 0.0, at={"measure": "accuracy"}, against="fp32"), "accuracy ends the same as with fp32"),
        (found("quality.drop", 0.01, at={"measure": "accuracy"}, against="fp32", low=None, high=None, n=1), "ended 0.01 worse than with fp32 from one seed"),
        (found("quality.drop", 0.0, at={"measure": "accuracy"}, against="fp32", low=None, high=None, n=1), "ended the same as with fp32 from one seed"),
        (missing("training.starved", State.UNSUPPORTED, "they come past", at={"way": "bf16"}), "bf16: how long it waits for data isn't known: they come past."),
        (found("time_to_target", 90.0, half=9.0, unit="s", at={"target": "accuracy ≥ 0.9"}), "Soonest to accuracy ≥ 0.9: bf16, in 90.0 s"),
        (found("target_speedup", 1.5, half=0.2, unit="x", at={"target": "loss ≤ 1"}, against="fp32"), "bf16 reaches loss ≤ 1 1.50× (1.30–1.70) as fast as fp32"),
        (missing("training.time_to_target", State.TOO_FEW, "5 of 5 seeds did not", at={"way": "bf16", "target": "accuracy ≥ 0.9"}), "does not reach accuracy ≥ 0.9: 5 of 5"),
    ],
)  # fmt: skip
def test_what_follows_is_said(one: Finding, words: str) -> None:
    assert any(words in sentence for sentence in told(one))


def test_who_reaches_the_target_in_some_trainings_alone() -> None:
    """One sentence, not two that contradict each other."""
    target = {"at": {"target": "accuracy ≥ 0.9"}}
    time, most, few = (
        found("time_to_target", 90.0, unit="s", **target), found("reached", 0.6, **target), found("reached", 0.2, **target)
    )  # fmt: skip
    untimed = missing("training.time_to_target", State.TOO_FEW, "4 of 5 did not", at={"way": "bf16", **target["at"]})
    assert any("in 3 of 5 trainings; the others ended before" in one for one in told(time, most))
    assert told(untimed, few) == ("bf16 reaches accuracy ≥ 0.9 in too few trainings for a time: 4 of 5 did not.",)


@pytest.mark.parametrize(
    "one",
    [
        found("starved", 0.05, half=0.01),
        found("starved", 0.3, half=0.3),
        found("padding", 0.05),
        found("target_speedup", 1.1, half=0.2, unit="x", at={"target": "loss ≤ 1"}, against="fp32"),
        found("reached", 1.0, at={"target": "accuracy ≥ 0.9"}),
    ],
)
def test_what_chance_or_little_does_is_not_said(one: Finding) -> None:
    assert told(one) == ()


@pytest.mark.parametrize(
    "one",
    [
        found("speedup", 11.0, half=2.0, unit="x", against="fp32"),
        found("time_to_target", 90.0, half=9.0, unit="s", at={"target": "accuracy ≥ 0.9"}),
        found("scaling_efficiency", 1.0, half=0.5, at={"workers": 2}),
        found("starved", 0.6, half=0.1),
    ],
)
def test_what_a_busy_machine_may_have_done_is_said_with_it(one: Finding) -> None:
    (text,) = told(one.model_copy(update={"state": State.DISTURBED}))
    assert text.endswith("The machine did other things meanwhile, and may be why: run it again when it is quiet.")
    assert "machine did" not in told(one)[0]


def test_an_interval_of_few_seeds_says_how_sure_it_is() -> None:
    few = found("time_to_target", 90.0, half=9.0, unit="s", at={"target": "accuracy ≥ 0.9"}, level=0.75, n=3)
    assert "in 90.0 s (81.0–99.0, with 75 % confidence), the median of 3 trainings." in told(few)[0]


def _with_all() -> Dossier:
    lost = missing("training.run", State.CRASHED, "signal SIGABRT", at={"way": "compiled"})
    seed = missing("training.run", State.FAILED, "`loss` became nan", at={"way": "bf16", "seed": 3})
    money = found("money_to_target", 1.5, unit="USD", origin=Origin.DECLARED, at={"target": "accuracy ≥ 0.9"})
    return plus(FULL, *USUAL, lost, seed, money, found("quality", 0.9, at={"measure": "accuracy"}))


def test_every_report_has_the_table_and_what_failed() -> None:
    dossier = _with_all()
    page = html.render(dossier, html.Options())
    check_html(page)
    texts = [
        " ".join(shown_by(page).split()),
        terminal.render(dossier, terminal.Options(width=140)),
        markdown.render(dossier, markdown.Options()),
    ]
    for text in texts:
        for word in ("What training costs, each way", "7,777", "SIGABRT", "seed 3", "became nan", "declared"):
            assert word in text, word


def test_the_numbers_stand_once_on_the_page() -> None:
    """They have a section of their own: not among what was found out about the run, too."""
    page = " ".join(shown_by(html.render(_with_all(), html.Options())).split())
    assert page.count("7,777–7,777") == 1


def test_a_hostile_way_does_no_harm() -> None:
    hostile = found("step.p50", 0.01, HOSTILE, unit="s"), found("starved", 0.9, HOSTILE)
    dossier = plus(FULL, *hostile)
    page = html.render(dossier, html.Options())
    check_html(page)
    assert "<script>alert" not in page
    assert "\x1b[2J" not in terminal.render(dossier, terminal.Options()) + markdown.render(dossier, markdown.Options())
