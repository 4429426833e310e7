"""The report's section on backdoors and poison: who is suspected, what twins lost, a picture only where one was handed over."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State, missing
from seatrial.parts.reports import _poisoning
from seatrial.parts.reports._view import view
from seatrial.testing import dossiers


def searched(picture: str = "") -> Dossier:
    """A sample whose reference is clean; another candidate is suspected, a third couldn't be searched; and twins."""
    sample = next(iter(dossiers.samples().values()))
    failed = {one.candidate for one in sample.findings if one.what == "run" and one.value is None}
    made = list(sample.findings)
    at: dict[str, Any] = {"search": "trigger_inversion"}
    for entry in (one for one in sample.candidates if one.id not in failed):
        if "torch" in entry.label:
            made.append(missing("backdoor.found", State.UNSUPPORTED, "no <b>gradient</b>", candidate=entry.id))
            continue
        bad = not entry.reference
        for number, name in enumerate(("cat", "dog")):
            here, small = at | {"class": name}, bad and not number
            drawn = {"trigger": picture} if picture and small else {}
            made += [
                Finding(what="backdoor.size", at=here, candidate=entry.id, value=0.01 if small else 0.1 + number / 10, artefacts=drawn),
                Finding(what="backdoor.flips", at=here, candidate=entry.id, value=0.97, low=0.9, high=0.99, n=64),
                Finding(what="backdoor.index", at=here, candidate=entry.id, value=4.2 if small else 0.3),
            ]  # fmt: skip
        note = "cat: index 4.20, its trigger covers 1.0% and carries 97% over" if bad else ""
        made.append(Finding(what="backdoor.found", at=at, candidate=entry.id, value=int(bad), n=10, note=note))
    for share, success in ((0.0, 0.02), (0.05, 0.9)):
        at = {"kind": "planted_patch", "share": share}
        made.append(Finding(what="poisoning.success", at=at, value=success, low=success - 0.01, high=success + 0.01, n=5, level=0.95))  # fmt: skip
        if share:
            made.append(Finding(what="poisoning.accuracy.drop", at=at, value=0.004, low=-0.002, high=0.01, n=5, level=0.95))  # fmt: skip
    made.append(Finding(what="poisoning.accuracy", at={"share": 0.0}, value=0.91, low=0.9, high=0.92, n=5, level=0.95))
    return sample.model_copy(update={"findings": tuple(made)})


def test_the_smallest_trigger_is_named_and_twins_stand_in_order():
    told = _poisoning.section(view(searched("0f. .f0")))
    assert told is not None
    by = {one.row.label: one for one in told.searched}
    suspected = [one for one in by.values() if one.found.value == 1]
    assert suspected
    for one in suspected:
        assert one.least is not None
        assert one.least.name == "cat"
        assert one.least.index.value == 4.2
        assert one.least.picture == [[0, 255, None], [None, 255, 0]]
    assert [(one.share, one.drop is not None) for one in told.twins] == [(0.0, False), (0.05, True)]
    assert _poisoning.section(view(next(iter(dossiers.samples().values())))) is None


@pytest.mark.parametrize("name", ["html", "terminal", "markdown"])
def test_reports_show_it_and_a_picture_only_where_there_is_one(name: str):
    part = catalog.find("reports", name)
    text = catalog.load(part).render(searched(), catalog.options(part))
    assert "<b>gradient" not in text or name == "terminal"
    if name == "html":
        assert 'id="poisoning"' in text
        assert "a backdoor is suspected: cat: index 4.20" in text
        assert "no trigger stands out among 10 classes" in text
        assert "carries 97" in text
        assert "covers more than half" not in text
        assert "covers more than half" in catalog.load(part).render(searched("0f. .f0"), catalog.options(part))
    if name == "terminal":
        assert "a backdoor is suspected" in text
        assert "planted_patch, 5%" in text
