"""What looks for backdoors: every search sits the exam, and one that finds nothing, or too much, is caught by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.poisoning import Lineup
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
def test_every_search_sits_the_exam(name: str):
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


def test_tables_are_refused():
    part = catalog.find("poisoning", "trigger_inversion")
    lineup = Lineup(np.zeros((4, 3), np.float32), np.arange(4), 4, "")
    with pytest.raises(Unsupported, match="pictures alone"):
        catalog.load(part).triggers(None, lineup, catalog.options(part, {}))
