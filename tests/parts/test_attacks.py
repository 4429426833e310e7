"""Attacks: every one sits the exam, and cheats are caught by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.attack import SLACK
from seatrial.testing import attacks

FEW = {
    "square": {"queries": 300},
    "rays": {"queries": 400},
    "pgd": {"steps": 20, "restarts": 1},
    "fmn": {"steps": 60},
    "hop_skip_jump": {"queries": 500},
}
CHEAT = '''
"""A cheat: goes twice as far as it may."""
import numpy as np
from seatrial.contracts.part import PartOptions
ACCEPTS = {"norm": ("linf",), "knows": ("weights",)}
GIVES = {"budget": ("given",), "gradient": ("own",)}

class Options(PartOptions):
    """None."""

def attack(target, aim, options):
    rows = np.arange(len(aim.points))
    felt = target.slope(aim.points, rows, "cross_entropy", aim.labels)
    target.scores(np.clip(aim.points + FACTOR * aim.budget * np.sign(felt.gradient) * aim.free, 0, 1), rows)
'''


@pytest.mark.parametrize("name", catalog.parts("attacks"))
def test_every_attack_sits_the_exam(name: str):
    attacks.exam(catalog.find("attacks", name), FEW.get(name))


@pytest.mark.parametrize(
    ("factor", "said"), [("2.0", "over its budget"), ("0.01", "should fall"), ("-1.0", "should fall")]
)
def test_the_exam_catches_what_cheats_or_finds_nothing(tmp_path: Path, factor: str, said: str):
    (tmp_path / "cheat.py").write_text(CHEAT.replace("FACTOR", factor))
    with pytest.raises(AssertionError, match=said):
        attacks.exam(catalog.find("attacks", "./cheat.py", tmp_path))
    (tmp_path / "honest.py").write_text(CHEAT.replace("FACTOR", "1.0"))
    attacks.exam(catalog.find("attacks", "./honest.py", tmp_path))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_strong_attacks_find_the_exact_distance_of_a_linear_model(norm: str):
    """What is found is never below, and hardly above, the distance that algebra gives."""
    model = attacks.Linear((12,), norm)
    part = catalog.find("attacks", "fmn")
    target = model.target(part, None)
    catalog.load(part).attack(target, target.aim(), catalog.options(part, {"steps": 100}))
    inside = target.right & (model.far < 0.2)
    found = target.settle()["smallest"][inside]
    assert inside.sum() > 5
    assert (found >= model.far[inside] - 1e-5).all()
    assert np.median(found / model.far[inside]) < 1.02


def test_classes_alone_come_near_the_exact_distance_in_l2():
    """Never below what algebra gives, and on the median row hardly above, within the questions that it was allowed."""
    model = attacks.Linear((12,), "l2")
    part = catalog.find("attacks", "hop_skip_jump")
    target = model.target(part, None)
    catalog.load(part).attack(target, target.aim(), catalog.options(part, {"queries": 600}))
    came = target.settle()
    ratio = came["smallest"][target.right] / model.far[target.right]
    assert (ratio >= 1 - 1e-4).all()
    assert np.median(ratio) < 1.05
    assert came["queries"] <= 601


def test_squares_give_up_what_is_hopeless_and_nothing_else():
    """The same rows fall within a budget, for fewer questions."""
    part, came = catalog.find("attacks", "square"), {}
    model = attacks.Linear((1, 6, 6), "linf")
    for hopeless in (0.0, 2.0):
        target = model.target(part, float(np.quantile(model.far, 0.4)))
        catalog.load(part).attack(target, target.aim(), catalog.options(part, {"queries": 400, "hopeless": hopeless}))
        came[hopeless] = target.settle()
    assert came[2.0]["hits"] >= came[0.0]["hits"] - 1
    assert came[2.0]["queries"] < 0.8 * came[0.0]["queries"]


@pytest.mark.parametrize(
    ("name", "given", "least"),
    [("apgd", {}, 0.75), ("pgd", {}, 0.75), ("apgd_targeted", {"targets": 4, "steps": 50}, 0.95)],
)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_gradient_attacks_break_what_can_be_broken_and_nothing_else(name: str, given: dict, least: float, norm: str):
    """The cross-entropy may lead to a class that is out of reach; trying each class in turn doesn't."""
    model = attacks.Linear((1, 6, 6), norm)
    part = catalog.find("attacks", name)
    budget = float(np.quantile(model.far, 0.5))
    target = model.target(part, budget)
    catalog.load(part).attack(target, target.aim(), catalog.options(part, given))
    fell = target.settle()["smallest"] <= budget + SLACK
    assert not fell[target.right & (model.far > budget * 1.001)].any()
    assert fell[target.right & (model.far < budget * 0.9)].mean() >= least
