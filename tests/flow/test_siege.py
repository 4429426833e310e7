"""Attacks in real runs, and the signs of attacks that mean nothing: each is planted and raised, and not raised on a clean twin."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from test_robust import study

import seatrial
from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.securing import Leave, Security
from seatrial.contracts.verdict import Outcome
from seatrial.flow import assault
from seatrial.flow.besieged import Siege
from seatrial.flow.doubts import doubts
from seatrial.flow.siege import refused
from seatrial.flow.steps import Step
from seatrial.flow.target import Given, Watched
from seatrial.testing.attacks import Linear

SECURITY = "security: {linf: [0.02, 0.1], rows: 100, examples: 1, attacks: [fgsm, {pgd: {steps: 10, restarts: 1}}, transferred, {square: {queries: 60}}, {rays: {queries: 80}}]}"  # fmt: skip


def told(dossier: Dossier, what: str, **at: Any) -> dict[str, Finding]:
    """By the candidate's label."""
    labels = {one.id: one.label for one in dossier.candidates}
    return {labels[one.candidate]: one for one in dossier.findings if one.what == what and one.at.items() >= at.items()}


@pytest.fixture(scope="module")
def sieged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dossier]:
    """A linear model, float and int8, in two runtimes, under attack."""
    folder = tmp_path_factory.mktemp("siege")
    file = study(folder, f"metrics: [accuracy], {SECURITY}", "[as_is, int8_static]")
    text = file.read_text().replace(
        "{runtime: onnxruntime, variant: [as_is", "{runtime: [onnxruntime, openvino], variant: [as_is"
    )
    text += (
        "require:\n  - at_least: {what: attack.accuracy, bound: 0.05, at: {attack: all, norm: linf, epsilon: 0.02}}\n"
    )
    file.write_text(text)
    return file, seatrial.run(file)


def test_the_masked_gradient_is_raised_on_int8_in_both_runtimes_and_not_on_the_float_model(sieged):
    flags = told(sieged[1], "attack.flag", flag="masked_gradient")
    assert len(flags) == 4
    for label, flag in flags.items():
        assert flag.value is ("int8" in label), f"{label}: {flag.note}"
    assert all(one.value is False for one in told(sieged[1], "attack.flag", flag="no_gradient").values())
    assert all(one.value is False for one in told(sieged[1], "attack.flag", flag="random").values())


def test_of_a_linear_model_exactly_those_rows_fall_that_algebra_says(sieged):
    """A step along the sign of the weights is the best there is, and its length is the margin over the weights' sum."""
    file, dossier = sieged
    rows = pl.read_parquet(file.parent / "rows.parquet")
    x = rows.select("a", "b", "c", "d").to_numpy()
    weights = np.array([-1.2, 0.7, 0.2, 0.0])
    span = x.max(axis=0) - x.min(axis=0)
    for label, one in told(dossier, "attack.accuracy", attack="all", epsilon=0.02).items():
        if "int8" in label:
            continue
        far = np.abs(x @ weights) / (np.abs(weights) * span).sum()
        right = ((x @ weights) < 0) == rows["label"].to_numpy().astype(bool)
        assert one.value == pytest.approx(np.mean(right & (far > 0.02)), abs=0.12), "a hundred rows drawn by chance"
    both = [told(dossier, "attack.accuracy", attack=name, epsilon=0.1) for name in ("all", "fgsm")]
    reference = dossier.reference().label
    assert both[0][reference].value == both[1][reference].value


def test_the_union_is_no_better_than_any_attack_and_falls_with_the_budget(sieged):
    _, dossier = sieged
    union = {budget: told(dossier, "attack.accuracy", attack="all", epsilon=budget) for budget in (0.02, 0.1)}
    for one in dossier.findings:
        if one.what == "attack.accuracy" and one.value is not None:
            label = next(entry.label for entry in dossier.candidates if entry.id == one.candidate)
            assert union[one.at["epsilon"]][label].value <= one.value
            assert one.low <= one.value <= one.high
            assert one.n == 100
    for label, one in union[0.02].items():
        assert union[0.1][label].value <= one.value
    drops = told(dossier, "attack.accuracy.drop", attack="all", epsilon=0.02)
    assert set(drops) == set(union[0.02]) - {dossier.reference().label}
    for label, drop in drops.items():
        assert drop.value == pytest.approx(union[0.02][dossier.reference().label].value - union[0.02][label].value)


def test_requirements_read_it_and_nothing_is_attacked_twice(sieged):
    file, dossier = sieged
    judged = [one for verdict in dossier.verdict.candidates for one in verdict.judgements]
    assert judged
    assert all(one.outcome is Outcome.PASS for one in judged)
    again = seatrial.run(file)
    assert again.run.measured == 0
    assert {one.key: one.value for one in again.findings if one.what.startswith("attack")} == {one.key: one.value for one in dossier.findings if one.what.startswith("attack")}  # fmt: skip


def test_what_fooled_it_is_told_in_the_units_of_the_table(sieged):
    """Every column moved as far as it may, by no more than the distance that is stated."""
    file, dossier = sieged
    rows = pl.read_parquet(file.parent / "rows.parquet")
    shown = [one for one in dossier.findings if one.what == "attack.example"]
    assert len(shown) == 4
    for one in shown:
        moves = str(one.value).split(": ")[0].split("; ")
        assert {move.split()[0] for move in moves} >= {"a", "b", "c"}
        far = float(str(one.value).split(" away")[0].split(", ")[-1])
        for move in moves:
            name, before, _, after = move.split()
            span = rows[name].max() - rows[name].min()
            assert abs(float(after) - float(before)) <= far * span * 1.01 + 2e-3


def test_who_knows_less_can_do_less(tmp_path: Path):
    measure = "metrics: [accuracy], security: {linf: 0.05, rows: 30, threat: {knows: classes}, attacks: [fgsm, {square: {queries: 20}}, {rays: {queries: 20}}]}"  # fmt: skip
    dossier = seatrial.run(study(tmp_path, measure))
    names = {one.at["attack"] for one in dossier.findings if one.what == "attack.accuracy"}
    assert names == {"all", "rays(queries=20)"}
    (threat,) = [one for one in dossier.findings if one.what == "attack.threat"]
    assert "NIST AI 100-2e2025: NISTAML.025 Black-box Evasion" in threat.note
    assert "fgsm" in threat.note
    assert "square" in threat.note


# --- signs that attacks mean nothing ----------------------------------------------------------------------------------------


def looked(change: Any = None, lend: Any = None) -> dict[str, Any]:
    """What is seen of a linear model whose answers were changed."""
    model = Linear((12,), "linf")
    target = model.target(catalog.find("attacks", "pgd"), None)
    answer = (lambda values, rows: change(model, values)) if change else model.scores
    return assault.looked(target._possible, (answer, answer), lend or model.lend, model.labels, Given("linf", None))[
        "seen"
    ]


def test_nothing_is_raised_on_a_plain_model():
    seen = looked()
    assert seen["flat"] < 0.1
    assert seen["zero"] == seen["random"] == seen["certain"] == seen["unbroken"] == 0


def test_a_constant_a_random_a_rounding_and_a_saturated_model_are_told():
    constant = looked(lambda model, values: 0 * model.scores(values) + np.eye(5)[model.labels[0]])
    assert constant["unbroken"] == 1
    assert constant["flat"] == 1
    rng = np.random.default_rng(0)
    random = looked(lambda model, values: model.scores(values) + rng.normal(0, 0.1, (len(values["x"]), 5)))
    assert random["random"] == 1
    rounding = looked(lambda model, values: model.scores({"x": np.rint(values["x"] * 32) / 32}))
    assert rounding["flat"] == 1
    assert rounding["unbroken"] == 0
    steep = looked(lambda model, values: 1e5 * model.scores(values), lambda values, loss, labels: ({"x": 0 * values["x"]}, np.zeros(len(labels))))  # fmt: skip
    assert steep["certain"] == 1
    assert steep["zero"] == 1


def siege_of(model: Linear, lend: Any, names: tuple[str, ...], budget: float) -> dict[str, bool]:
    """The signs raised when these attacks are made on a linear model with gradients of one's own making."""
    made, steps = {}, []
    for name in names:
        part = catalog.find("attacks", name)
        gives = part.gives.get("gradient", ("",))[0]
        target = model.target(part, budget)
        target._lend = lend if gives else None
        catalog.load(part).attack(target, target.aim(), catalog.options(part))
        came = target.settle()
        step = Step(PartRef(name=name), "linf", budget, 1, gives)
        made[name, "linf"] = [(step, {"came": came})]
        steps.append(step)
    siege = Siege(np.arange(len(model.labels)), {}, model.labels, {}, tuple(steps), {"linf": (budget,), "l2": ()})
    return {one.at["flag"]: one.value for one in doubts(made, {"seen": looked()}, siege) if one.value is not None}


def test_a_broken_defence_is_exposed_by_what_needs_no_gradient():
    """A defence that hands out gradients of noise: what trusts them finds nothing, squares find plenty."""
    model = Linear((12,), "linf")
    budget = float(np.quantile(model.far, 0.8))
    rng = np.random.default_rng(1)

    def shattered(values: Any, loss: str, labels: Any) -> Any:
        gradient, lost = model.lend(values, loss, labels)
        return {"x": rng.normal(size=gradient["x"].shape)}, 0 * lost

    broken = siege_of(model, shattered, ("fgsm", "square"), budget)
    assert broken["black_box_beats_white_box"] is True
    honest = siege_of(model, model.lend, ("apgd_targeted", "square"), budget)
    assert honest["black_box_beats_white_box"] is False
    assert honest["loss_does_not_rise"] is False
    assert siege_of(model, shattered, ("apgd", "square"), budget)["loss_does_not_rise"] is True


def test_a_hit_that_does_not_come_again_is_taken_back():
    model = Linear((12,), "linf")
    part = catalog.find("attacks", "fgsm")
    times = [0]

    def fickle(values: Any, rows: Any) -> Any:
        times[0] += 1
        return model.scores(values) if times[0] <= 3 else np.eye(5)[model.labels[rows]]

    target = Watched(model.target(part, 0.2)._possible, fickle, model.lend, model.labels, Given("linf", 0.2))
    catalog.load(part).attack(target, target.aim(), catalog.options(part))
    before = int(np.isfinite(target.smallest).sum())
    came = target.settle()
    assert before > 10
    assert came["taken_back"] > 0
    assert came["hits"] + came["taken_back"] == before


def test_what_came_in_one_batch_alone_is_sought_anew():
    """Answers that lean on the rows beside them: a hit counts when it comes again among others, and the attack goes on until one does."""
    model = Linear((12,), "linf")
    part = catalog.find("attacks", "pgd")
    budget = float(np.quantile(model.far, 0.7))

    def leaning(values: Any, rows: Any) -> Any:
        return model.scores(values) + 6 * (values["x"].mean() - 0.5) * model.weights.sum(axis=0)

    ground = model.target(part, budget)._possible
    fooled = {}
    for fickle in (False, True):
        target = Watched(ground, leaning, model.lend, model.labels, Given("linf", budget, 1, fickle=fickle, beside=8))
        for number in range(3 if fickle else 1):
            catalog.load(part).attack(target, replace(target.aim(), seed=number), catalog.options(part, {"steps": 10}))
            if target.verified():
                break
        came = target.settle()
        fooled[fickle] = came["hits"]
        if not fickle:
            assert came["taken_back"] > 0, "the plant does what it is to do"
    assert fooled[True] > fooled[False]
    seen = looked(lambda model, values: leaning(values, None))
    assert seen["beside"] == 1
    assert seen["random"] == 0
    assert looked()["beside"] == 0


def test_what_stood_within_a_larger_budget_is_not_tried_again_by_an_attack_that_is_nested():
    model = Linear((12,), "linf")
    part = catalog.find("attacks", "pgd")
    known = np.where(model.far < np.median(model.far), model.far * 1.01, np.inf)
    small = float(np.quantile(model.far, 0.25))
    target = Watched(model.target(part, small)._possible, model.scores, model.lend, model.labels, Given("linf", small, known=known, nested=True))  # fmt: skip
    left = target.left(np.arange(len(known)))
    assert not left[np.isinf(known)].any()
    assert not left[known <= small].any()
    assert left[np.isfinite(known) & (known > small) & target.right].all()
    open_ = Watched(model.target(part, small)._possible, model.scores, model.lend, model.labels, Given("linf", small, known=known))  # fmt: skip
    assert open_.left(np.arange(len(known)))[np.isinf(known) & open_.right].all()


def test_answers_changed_after_the_model_are_what_is_attacked(tmp_path: Path):
    """A temperature changes no class, so nothing falls sooner; thresholds by group do, and rows near them fall."""
    measure = "metrics: [accuracy], groups: [sex], security: {linf: [0.0001, 0.05], rows: 200, attacks: [{pgd: {steps: 5, restarts: 1}}, {square: {queries: 40}}]}"  # fmt: skip
    dossier = seatrial.run(study(tmp_path, measure, "[as_is, recalibrated, {group_thresholds: {group: sex}}]"))
    for budget in (0.0001, 0.05):
        one = told(dossier, "attack.accuracy", attack="all", epsilon=budget)
        plain = one.pop(dossier.reference().label).value
        warm, moved = (next(found.value for label, found in one.items() if name in label) for name in ("recalibrated", "group_thresholds"))  # fmt: skip
        assert warm == plain
        assert moved != plain
        assert 0.3 < moved < 0.95
    assert all(found.value is False for found in told(dossier, "attack.flag", flag="masked_gradient").values())


# --- whose leave there is ---------------------------------------------------------------------------------------------------


def test_what_answers_over_a_network_is_attacked_with_its_owners_leave_alone():
    siege = Siege(np.arange(1), {}, np.zeros(1, np.int64), {}, ())
    served = SimpleNamespace(accepts={"device": ("remote",)})
    local = SimpleNamespace(accepts={"device": ("cpu",)})
    planned = SimpleNamespace(candidate=SimpleNamespace(model="one"), form="http")
    trial = SimpleNamespace(runtime=served, planned=planned)

    def voyage(leave: Leave | None) -> Any:
        forms = {"http": {"url": "http://127.0.0.1:9/v2"}}
        measure = SimpleNamespace(security=Security(authorisation=leave))
        study = SimpleNamespace(measure=measure, models={"one": SimpleNamespace(forms=forms)})
        return SimpleNamespace(plan=SimpleNamespace(study=study))

    assert refused(voyage(None), trial, siege)[0] is State.REFUSED
    words = {"owner": "Harbour Ltd", "dated": datetime.date(2026, 11, 1), "words": "You may attack this test server."}
    assert "for http://10.0.0.1" in refused(voyage(Leave(endpoint="http://10.0.0.1", **words)), trial, siege)[1]
    assert refused(voyage(Leave(endpoint="http://127.0.0.1:9", **words)), trial, siege) is None
    trial.runtime = local
    assert refused(voyage(None), trial, siege) is None


def test_no_more_questions_a_second_than_the_leave_allows(monkeypatch: pytest.MonkeyPatch):
    clock, asked = [0.0], []
    monkeypatch.setattr(assault.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(assault.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))

    def predict(values: Any) -> Any:
        asked.append(clock[0])
        return {"logits": np.zeros((len(values["x"]), 2), np.float32)}

    order = SimpleNamespace(settings={"task": "classification", "outputs": {"logits": {"means": "logits"}}}, base=".")
    answer = assault.answering(order, SimpleNamespace(predict=predict), 2, {"per_second": 4.0})
    assert answer({"x": np.zeros((9, 3), np.float32)}, np.arange(9)).shape == (9, 2)
    assert np.allclose(np.diff(asked), 0.25)
