"""What looks for backdoors: every search sits the exam, and one that finds nothing, or too much, is caught by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.poisoning import Lineup, Poisoned
from seatrial.errors import Unsupported
from seatrial.testing import _backdoored, poisoning

BLIND = '''
"""Says the same of every class."""
import numpy as np
from seatrial.contracts.part import PartOptions
from seatrial.contracts.poisoning import Triggers
GIVES = {"way": ("search",)}

class Options(PartOptions):
    """None."""

def triggers(suspect, lineup, options):
    shape = (lineup.classes, *lineup.points.shape[1:])
    patterns = np.stack([lineup.points[lineup.labels == one].mean(axis=0) for one in range(lineup.classes)])
    masks = np.full(shape, 1.0)
    masks[ALSO] = 0.9
    return Triggers(masks, patterns)
'''


@pytest.mark.parametrize("name", catalog.parts("poisoning"))
def test_every_part_sits_the_exam(name: str):
    poisoning.exam(catalog.find("poisoning", name))


@pytest.mark.parametrize(("also", "said"), [("4", "have the smallest trigger"), ("5", "doesn't stand out")])
def test_the_exam_catches_what_finds_nothing(tmp_path: Path, also: str, said: str):
    (tmp_path / "blind.py").write_text(BLIND.replace("ALSO", also))
    with pytest.raises(AssertionError, match=said):
        poisoning.exam(catalog.find("poisoning", "./blind.py", tmp_path))


def test_the_trigger_that_is_found_lies_where_it_was_planted():
    found = poisoning.found(catalog.find("poisoning", "trigger_inversion"), poisoning.net(True))
    mask = found.masks[_backdoored.TARGET, 0]
    inside = np.zeros_like(mask, bool)
    inside[: _backdoored.PATCH, -_backdoored.PATCH :] = True
    assert mask[inside].mean() > 3 * mask[~inside].mean()


LAZY = '''
"""A poison that leaves its rows alone, or shows rows of the wanted class."""
from dataclasses import replace
from seatrial.contracts.part import PartOptions
GIVES = {"way": ("poison",), "trigger": ("yes",)}

class Options(PartOptions):
    """None."""

def fits(labels, options):
    return labels >= 0

def poisoned(rows, chance, options):
    return replace(rows, labels=LABELS)

def shown(rows, options):
    return replace(rows, labels=0 * rows.labels)
'''


@pytest.mark.parametrize(
    ("labels", "said"), [("rows.labels", "leaves rows"), ("(rows.labels + 1) % 8", "that class anyhow"), ("rows.labels + 1", "no classes")]
)  # fmt: skip
def test_the_exam_catches_poison_that_is_none(tmp_path: Path, labels: str, said: str):
    (tmp_path / "lazy.py").write_text(LAZY.replace("LABELS", labels))
    with pytest.raises(AssertionError, match=said):
        poisoning.exam(catalog.find("poisoning", "./lazy.py", tmp_path))


def test_one_class_is_relabelled_as_another_where_that_is_asked():
    part = catalog.find("poisoning", "flipped_labels")
    options = catalog.options(part, {"source": 2, "target": 4})
    labels = np.arange(8).repeat(3)
    fits = catalog.load(part).fits(labels, options)
    assert set(labels[fits]) == {2}
    made = catalog.load(part).poisoned(Poisoned(None, labels[fits], 8), np.random.default_rng(0), options)
    assert set(made.labels) == {4}
    with pytest.raises(ValueError, match="both"):
        catalog.options(part, {"source": 2})


def test_a_patch_lies_in_its_corner_whatever_the_axes():
    part = catalog.find("poisoning", "planted_patch")
    options = catalog.options(part, {"size": 2, "corner": "top right", "target": 1})
    for shape, axes in (((3, 1, 6, 6), "CHW"), ((3, 6, 6, 1), "HWC")):
        made = catalog.load(part).poisoned(
            Poisoned(np.zeros(shape, np.float32), np.zeros(3, int), 4, axes), None, options
        )
        picture = made.points.reshape(3, 6, 6)
        assert (picture[:, :2, -2:] == 1).all()
        assert picture.sum() == 3 * 4
    with pytest.raises(Unsupported, match="pictures alone"):
        catalog.load(part).poisoned(Poisoned(None, np.zeros(3, int), 4), None, options)


def test_tables_are_refused():
    part = catalog.find("poisoning", "trigger_inversion")
    lineup = Lineup(np.zeros((4, 3), np.float32), np.arange(4), 4, "")
    with pytest.raises(Unsupported, match="pictures alone"):
        catalog.load(part).triggers(None, lineup, catalog.options(part, {}))
