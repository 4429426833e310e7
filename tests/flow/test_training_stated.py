"""What is stated of ways to train: every formula on rounds and trainings made up for it, and what disturbs or is lacking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seatrial.contracts.finding import Finding, State
from seatrial.contracts.training import Learning, Way, Ways
from seatrial.flow.trained import Trained
from seatrial.flow.training_stated import stated
from seatrial.flow.training_ways import short_names
from seatrial.flow.training_ways import ways as ways_of
from seatrial.numerics.ratios import paired_ratio

ASKED = Learning(ways=(Ways(trainer="torch_module"),), rounds=3)


def way(**given: Any) -> Way:
    return Way(trainer={"name": "torch_module"}, **given)


def body(step: float = 0.01, rows: int = 32, wait: float = 0.0, reason: str = "", steps: int = 40, **more: Any) -> Any:
    return {
        "steps": [step * (1 + 0.001 * place) for place in range(steps)],
        "waits": [wait] * steps,
        "rows": rows * steps,
        "tokens": 0,
        "padded": 0,
        "disturbance": {"reason": reason},
        "first_step_s": 0.5,
        "at": "2026-01-01T00:00:00+00:00",
    } | more


def trained(label: str, rounds: list[Any], **given: Any) -> Trained:
    return Trained(way(**given), label, rounds={f"a/{place:04d}": one for place, one in enumerate(rounds)})


def curve(*accuracies: float, second: float = 1.0) -> Any:
    points = [
        {"seconds": second * (at + 1), "steps": at, "measures": {"accuracy": value}}
        for at, value in enumerate(accuracies)
    ]
    return body(steps=3) | {"seconds": second * len(accuracies), "curve": points}


def of(found: list[Finding], what: str, label: str) -> Finding:
    (one,) = [one for one in found if one.what == f"training.{what}" and one.at["way"] == label]
    return one


def test_rows_a_second_are_rows_over_the_time_of_steps() -> None:
    rounds = [body(0.01), body(0.02), body(0.04)]
    found = stated(ASKED, [one := trained("a", rounds)], one, 0.95)
    rates = [each["rows"] / sum(each["steps"]) for each in rounds]
    expected = paired_ratio(rates, [1.0] * 3)
    rate = of(found, "throughput", "a")
    assert (rate.value, rate.low, rate.high) == pytest.approx(expected[:3])
    assert of(found, "step.p50", "a").number == pytest.approx(np.sort(np.concatenate([r["steps"] for r in rounds]))[60])


@pytest.mark.parametrize(
    ("workers", "time", "efficiency"), [(2, 0.005, 1.0), (2, 0.01, 0.5), (4, 0.005, 0.5), (4, 0.02, 0.125)]
)
def test_scaling_efficiency_is_t1_over_n_tn(workers: int, time: float, efficiency: float) -> None:
    alone = trained("x1", [body(0.01 * drift) for drift in (1.0, 3.0, 2.0)])
    several = trained("xN", [body(time * drift) for drift in (1.0, 3.0, 2.0)], workers=workers)
    one = of(stated(ASKED, [alone, several], alone, 0.95), "scaling_efficiency", "xN")
    assert one.number == pytest.approx(efficiency)
    assert one.at["workers"] == workers
    assert one.against == "x1"
    assert (one.low, one.high) == pytest.approx((efficiency, efficiency)), "the machine's drift cancels within rounds"


def test_there_is_no_efficiency_without_common_rounds_or_common_work() -> None:
    alone, several = trained("x1", [body()]), trained("x2", [body()], workers=2)
    several.rounds = {"b/0000": body()}
    assert of(stated(ASKED, [alone, several], alone, 0.95), "scaling_efficiency", "x2").state is State.TOO_FEW
    other = trained("x2", [body(rows=64)], workers=2)
    one = of(stated(ASKED, [alone, other], alone, 0.95), "scaling_efficiency", "x2")
    assert one.state is State.UNSUPPORTED
    assert "not the same work" in one.note


@pytest.mark.parametrize(("cores", "note"), [(8, ""), (3, "4 threads share 3 processors")])
def test_more_threads_than_processors_are_noted(cores: int, note: str) -> None:
    alone, several = trained("x1", [body()], threads=2), trained("x2", [body()], workers=2, threads=2)
    found = stated(ASKED, [alone, several], alone, 0.95, cores)
    assert of(found, "scaling_efficiency", "x2").note == note


def test_waiting_is_a_share_of_the_steps() -> None:
    rounds = [body(0.01, wait=share * 0.01) for share in (0.5, 0.6, 0.7)]
    one = of(stated(ASKED, [way_ := trained("a", rounds)], way_, 0.95), "starved", "a")
    assert one.number == pytest.approx(0.6, rel=0.05)
    assert one.low is not None
    assert one.high is not None
    assert 0.0 <= one.low < one.number < one.high <= 1.0


def test_waiting_is_missing_where_batches_come_past_the_job() -> None:
    rounds = [body(0.01, fed=False) for _ in range(3)]
    one = of(stated(ASKED, [way_ := trained("a", rounds)], way_, 0.95), "starved", "a")
    assert (one.value, one.state) == (None, State.UNSUPPORTED)
    assert of(stated(ASKED, [w := trained("a", [body(fed=True)] * 3)], w, 0.95), "starved", "a").value == 0.0


def test_disturbed_rounds_are_left_out_where_there_are_enough_others_and_else_marked() -> None:
    quiet, loud = body(0.01), body(0.05, reason="kept waiting")
    asked = ASKED.model_copy(update={"rounds": 4})
    one = of(stated(asked, [w := trained("a", [quiet, loud, quiet, quiet])], w, 0.95), "throughput", "a")
    assert (one.n, one.state) == (3, State.OK)
    one = of(stated(asked, [w := trained("a", [quiet, loud, loud, quiet])], w, 0.95), "throughput", "a")
    assert (one.n, one.state) == (4, State.DISTURBED)
    assert "2 of 4 rounds" in one.note


def test_first_steps_are_counted_once_a_worker() -> None:
    made = trained("a", [body(), body(), body()])
    made.rounds["b/0000"] = body(first_step_s=2.0)
    one = of(stated(ASKED, [made], made, 0.95), "first_step", "a")
    assert one.n == 2
    assert one.number == pytest.approx(1.0)  # the geometric mean of 0.5 and 2


def test_quality_is_that_of_the_last_pass_and_pairs_are_seeds() -> None:
    asked = Learning(ways=(Ways(trainer="torch_module"),), rounds=1, seeds=3)
    small, large = trained("b16", [body()], batch=16), trained("b64", [body()], batch=64)
    small.runs = {"0": curve(0.5, 0.9), "1": curve(0.5, 0.8), "2": curve(0.5, 0.7)}
    large.runs = {"0": curve(0.5, 0.88), "1": curve(0.5, 0.78), "2": curve(0.5, 0.68)}
    found = stated(asked, [small, large], small, 0.95)
    assert of(found, "quality", "b16").number == pytest.approx(0.8)
    effect = of(found, "batch_effect", "b64")
    assert effect.number == pytest.approx(0.02)
    assert effect.low == pytest.approx(0.02), "seeds differ by far more; in pairs the effect is plain"
    assert not [one for one in found if one.what == "training.quality.drop"], "it would say the same again"


def test_time_to_the_target_allows_for_trainings_that_never_reach_it() -> None:
    asked = Learning.model_validate(
        {
            "ways": [{"trainer": "torch_module"}],
            "rounds": 1,
            "seeds": 7,
            "target": {"measure": "accuracy", "at_least": 0.8},
            "price_per_hour": 7200,
        }
    )
    one = trained("a", [body()])
    one.runs = {str(seed): curve(0.5, 0.8, 0.9, second=1.0 + seed) for seed in range(5)} | {"5": curve(0.5, 0.6)}
    one.lost = {"6": Finding(what="training.run", origin="missing", state="crashed", note="planted")}
    found = stated(asked, [one], one, 0.95)
    time = of(found, "time_to_target", "a")
    assert time.number == 8.0  # 2, 4, 6, 8, 10 and two that never did
    assert time.low == 0.0, "a training that crashed may have been the quickest, for all that is known"
    assert time.high is None
    assert "2 of 7 seeds" in time.note
    assert of(found, "reached", "a").number == pytest.approx(5 / 7)
    assert of(found, "money_to_target", "a").number == pytest.approx(16.0)
    assert "1 of them because they failed" in time.note


def test_how_much_sooner_is_paired_by_seed_and_not_said_of_some_alone() -> None:
    asked = Learning.model_validate(
        {
            "ways": [{"trainer": "torch_module"}],
            "rounds": 1,
            "seeds": 3,
            "target": {"measure": "accuracy", "at_least": 0.8},
        }
    )
    slow, quick = trained("fp32", [body()]), trained("bf16", [body()], precision="bf16")
    for seed, second in enumerate((1.0, 2.0, 4.0)):
        slow.runs[str(seed)] = curve(0.5, 0.9, second=2 * second)
        quick.runs[str(seed)] = curve(0.5, 0.9, second=second)
    one = of(stated(asked, [slow, quick], slow, 0.95), "target_speedup", "bf16")
    assert (one.number, one.low, one.high) == pytest.approx((2.0, 2.0, 2.0))
    assert (one.against, one.n) == ("fp32", 3)
    quick.runs["2"] = curve(0.5, 0.6)
    lost = of(stated(asked, [slow, quick], slow, 0.95), "target_speedup", "bf16")
    assert lost.state is State.TOO_FEW
    assert "in 1 of 3 pairs" in lost.note


def test_a_loss_is_better_when_lower() -> None:
    asked = Learning(ways=(Ways(trainer="torch_module"),), rounds=1, seeds=1)
    first, second = trained("fp32", [body()]), trained("bf16", [body()], precision="bf16")
    for made, value in ((first, 0.5), (second, 0.7)):
        made.runs = {
            "0": body(steps=3) | {"seconds": 1.0, "curve": [{"seconds": 1.0, "steps": 1, "measures": {"loss": value}}]}
        }
    found = stated(asked, [first, second], first, 0.95)
    assert of(found, "quality", "bf16").better == "lower"
    assert of(found, "quality.drop", "bf16").number == pytest.approx(0.2)


def test_what_was_not_measured_to_its_end_says_so() -> None:
    one = trained("a", [body()])
    assert of(stated(ASKED, [one], one, 0.95), "run", "a").state is State.TOO_FEW


def test_short_names_say_what_tells_ways_apart() -> None:
    asked = Learning.model_validate(
        {
            "ways": [
                {
                    "trainer": [
                        {"torch_module": {"module": "net.py:net"}},
                        {"torch_module": {"module": "net.py:net", "compiled": True}},
                    ],
                    "precision": ["fp32", "bf16"],
                },
                {"trainer": "./train.py:fit", "batch": 64},
            ]
        }
    )
    assert short_names(ways_of(asked)) == [
        "torch_module fp32 b32",
        "torch_module bf16 b32",
        "torch_module fp32 compiled b32",
        "torch_module bf16 compiled b32",
        "./train.py:fit fp32 b64",
    ]
