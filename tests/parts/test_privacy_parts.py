"""Ways to learn of the rows behind a model: every one sits the exam, and cheats are caught by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seatrial import catalog
from seatrial.errors import Unsupported
from seatrial.numerics.membership import picked_out, told_apart
from seatrial.testing import privacy

FEW = {"model_extraction": {"steps": 200}}
CHEAT = '''
"""A cheat."""
import numpy as np
from seatrial.contracts.part import PartOptions
GIVES = {"learns": ("member",)}

class Options(PartOptions):
    """None."""

def pry(target, known, options):
    BODY
'''


@pytest.mark.parametrize("name", catalog.parts("privacy"))
def test_every_way_sits_the_exam(name: str):
    privacy.exam(catalog.find("privacy", name), FEW.get(name))


@pytest.mark.parametrize("name", ["lira", "rmia"])
def test_the_offline_ways_sit_it_too(name: str):
    privacy.exam(catalog.find("privacy", name), {"online": False})
    without = replace(privacy.Remembering().known, shadows=None)
    part = catalog.find("privacy", name)
    with pytest.raises(Unsupported, match="same recipe"):
        catalog.load(part).pry(None, without, catalog.options(part))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return np.random.default_rng().normal(size=len(known.labels))", "twice"),
        ("return np.arange(len(known.labels)) % 7", "doesn't tell"),
        ("return known.scores", "one number a row"),
        ("return np.full(len(known.labels), np.nan)", "twice|no number"),
        ("known.inputs['x'][:] = 1; return np.arange(len(known.labels))", "changes the rows"),
    ],
)
def test_the_exam_catches_what_is_no_way(tmp_path: Path, body: str, said: str):
    (tmp_path / "cheat.py").write_text(CHEAT.replace("BODY", body))
    with pytest.raises(AssertionError, match=said):
        privacy.exam(catalog.find("privacy", "./cheat.py", tmp_path))


@pytest.mark.parametrize(
    ("learns", "body", "said"),
    [
        ("hidden", "return np.zeros((2, len(known.labels)), int)", "imputer guesses"),
        ("hidden", "return np.full((2, len(known.labels)), 7)", "isn't among"),
        ("copy", "return np.zeros((2, len(known.labels)), int)", "agrees on"),
        ("copy", "return np.stack([target.scores(known.inputs).argmax(1)] * 2)", "more answers than"),
        ("likeness", "return np.zeros((known.classes, 8))", "another class"),
        ("likeness", "return np.zeros((known.classes, 3))", "not shape"),
        ("nonsense", "return 0", "nothing is known"),
    ],
)
def test_the_exam_catches_what_learns_nothing(tmp_path: Path, learns: str, body: str, said: str):
    (tmp_path / "cheat.py").write_text(CHEAT.replace("BODY", body).replace('"member"', f'"{learns}"'))
    with pytest.raises(AssertionError, match=said):
        privacy.exam(catalog.find("privacy", "./cheat.py", tmp_path))


def test_shadows_pick_out_members_whom_the_loss_alone_does_not():
    """Where rows differ in how hard they are, the loss says more of that than of membership."""
    world = privacy.Remembering(2.5)
    picked = {}
    for name in ("loss_threshold", "lira", "rmia"):
        part = catalog.find("privacy", name)
        found = catalog.load(part).pry(world, world.known, catalog.options(part))
        picked[name] = picked_out(found[world.members], found[~world.members], 0.05).members
    assert picked["lira"].low > picked["loss_threshold"].high
    assert picked["rmia"].value > picked["loss_threshold"].value


def test_probabilities_that_were_rounded_to_one_tell_as_much_as_they_can():
    """A confidence that was rounded to infinity would else stand above all others, whoever's it is."""
    world, rows = privacy.Remembering(2.5), np.arange(privacy.ROWS)
    scores, compared = world.known.scores.copy(), world.known.shadows.scores.copy()
    scores[rows, world.labels] += 14
    compared[:, rows, world.labels] += 14
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float32))
    rounded = powers / powers.sum(axis=1, keepdims=True, dtype=np.float32)
    one = rounded[rows, world.labels] == 1
    assert one.mean() > 0.1
    rounded[one] = np.eye(privacy.CLASSES)[world.labels[one]]
    known = replace(world.known, shadows=replace(world.known.shadows, scores=compared))
    part = catalog.find("privacy", "lira")
    for given in (scores, np.log(np.maximum(rounded.astype(np.float64), 1e-300))):
        found = catalog.load(part).pry(world, replace(known, scores=given), catalog.options(part))
        assert told_apart(found[world.members], found[~world.members]).value > 0.95
