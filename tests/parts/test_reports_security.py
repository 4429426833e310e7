"""The report's section on attacks: plain words first, curves with tables, doubts where they were raised."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.parts.reports import _security
from seatrial.parts.reports._view import view
from seatrial.testing import dossiers

STANDS = {0.01: 0.8, 0.03: 0.5, 0.1: 0.05}


def attacked() -> Dossier:
    """A sample whose candidates were attacked; the second stands worse, and its slopes are masked."""
    sample = next(iter(dossiers.samples().values()))
    failed = {one.candidate for one in sample.findings if one.what == "run" and one.value is None}
    rates: dict[str, Any] = {"level": 0.95, "n": 200, "unit_of_replication": "rows"}
    made = [
        *sample.findings,
        Finding(what="attack.threat", value="anybody, who wants <b>harm</b>; has the artefact", origin=Origin.DECLARED),
    ]
    for entry in sample.candidates:
        if entry.id in failed:
            continue
        if "torch" in entry.label:
            why = "it answers over a network"
            made.append(missing("attack.accuracy", State.REFUSED, why, candidate=entry.id))
            continue
        lost = 0.0 if entry.reference else 0.2
        for name in ("all", "pgd", "square"):
            for budget, value in STANDS.items():
                at = {"attack": name, "norm": "linf", "epsilon": budget}
                mine = max(0.0, value - lost)
                made.append(Finding(what="attack.accuracy", at=at, candidate=entry.id, value=mine, low=max(0.0, mine - 0.05), high=mine + 0.05, better="higher", **rates))  # fmt: skip
                if lost:
                    made.append(Finding(what="attack.accuracy.drop", at=at, candidate=entry.id, against=sample.reference().id, value=lost, low=lost - 0.05, high=lost + 0.05, better="lower", **rates))  # fmt: skip
        proof: dict[str, Any] = {"candidate": entry.id, "better": "higher", "note": "from 200 copies a row"}
        made.append(Finding(what="certified.accuracy", at={"norm": "l2", "epsilon": 0.2}, value=0.61, **proof))
        made.append(Finding(what="certified.radius", at={"norm": "l2"}, value=0.17, **proof))
        made.append(Finding(what="attack.flag", at={"flag": "masked_gradient"}, candidate=entry.id, value=bool(lost), note="as seen"))  # fmt: skip
    return sample.model_copy(update={"findings": tuple(made)})


def test_the_section_tells_what_stood_and_what_casts_doubt():
    shown = view(attacked())
    found = _security.section(shown)
    assert found is not None
    assert found.columns == [("linf", budget) for budget in STANDS]
    (curve,) = found.curves
    assert [point.budget for point in curve.own] == list(STANDS)
    assert [point.finding.number for point in curve.reference] == list(STANDS.values())
    assert [point.y for point in curve.own] == sorted(point.y for point in curve.own), "it falls with the budget"
    assert dict(curve.attacks).keys() == {"pgd", "square"}
    worse = {row.label: [cell.worse for cell in cells if cell] for row, cells in found.lines}
    assert all(all(cells) != row.entry.reference for row, cells in ((row, worse[row.label]) for row, _ in found.lines))
    assert shown.reference not in [row for row, _ in found.doubts]
    assert found.doubts


def test_every_sign_has_its_words():
    from seatrial.flow.doubts import SAID
    from seatrial.parts.reports._words import words

    flags = words()["security"]["flags"]
    assert {*SAID, "no_gradient", "black_box_beats_white_box", "loss_does_not_rise"} == set(flags)


@pytest.mark.parametrize("name", ["html", "terminal", "markdown"])
def test_reports_show_it_and_escape_what_the_study_says(name: str):
    part = catalog.find("reports", name)
    text = catalog.load(part).render(attacked(), catalog.options(part))
    if name == "html":
        assert 'id="security"' in text
        assert "<b>harm</b>" not in text
        assert "60 of 100 answers stayed right whatever was tried" in text
        assert "of the reference 80" in text
        assert "change by up to 0.2" in text
        assert "from 200 copies a row" in text
        assert "hides it from naive attacks" in text
    if name == "terminal":
        assert "Right whatever was tried" in text
        assert "hides it from naive attacks" in text
    plain = next(iter(dossiers.samples().values()))
    assert 'id="security"' not in catalog.load(part).render(plain, catalog.options(part))


# --- privacy ----------------------------------------------------------------------------------------------------------------


def exposed() -> Dossier:
    """A sample whose candidates tell of their rows; the others tell more than the reference, and one wasn't asked."""
    sample = next(iter(dossiers.samples().values()))
    failed = {one.candidate for one in sample.findings if one.what == "run" and one.value is None}
    rates: dict[str, Any] = {"level": 0.95, "n": 500, "unit_of_replication": "members", "better": "lower"}
    made = [
        *sample.findings,
        Finding(what="privacy.permitted", value="<b>Harbour Ltd</b> allowed it", origin=Origin.DECLARED),
        Finding(what="privacy.shadows", at={"model": "cnn"}, value=16, unit="models", note="trained in one pass"),
    ]
    for entry in sample.candidates:
        if entry.id in failed:
            continue
        if "torch" in entry.label:
            made.append(missing("privacy.tpr", State.REFUSED, "the study carries no leave", candidate=entry.id))
            continue
        for method, value in (("loss_threshold", 0.02), ("lira", 0.05 if entry.reference else 0.08)):
            at: dict[str, Any] = {"method": method, "fpr": 0.01}
            made.append(Finding(what="privacy.tpr", at=at, candidate=entry.id, value=value, low=value - 0.01, high=value + 0.01, note="500 members and 2000 outsiders were asked about, so that 20.0% were members", **rates))  # fmt: skip
            made.append(Finding(what="privacy.fpr", at=at, candidate=entry.id, value=0.01, low=0.005, high=0.02, **rates))  # fmt: skip
            if not entry.reference and method == "lira":
                made.append(Finding(what="privacy.tpr.change", at=at, candidate=entry.id, against=sample.reference().id, value=0.03, low=0.01, high=0.05, **rates))  # fmt: skip
        few = {"method": "lira", "fpr": 0.001}
        made.append(missing("privacy.tpr", State.TOO_FEW, "can't be resolved: 2000 are too few; more", candidate=entry.id, at=few))  # fmt: skip
    return sample.model_copy(update={"findings": tuple(made)})


@pytest.mark.parametrize("name", ["html", "terminal", "markdown"])
def test_privacy_is_told_with_both_rates(name: str):
    part = catalog.find("reports", name)
    text = " ".join(catalog.load(part).render(exposed(), catalog.options(part)).split())
    if name in ("html", "terminal"):
        assert "lira picks out 8 of 100 members while wrongly naming 1 of 100 outsiders" in text
        assert "of the reference" in text
        assert "can" in text
        assert "be resolved: 2000 are too few" in text
        assert "nobody tried what it tells of its rows: the study carries no leave" in text
    if name == "html":
        assert 'id="privacy"' in text
        assert "<b>Harbour" not in text
        assert "20.0% were members" in text
        assert "more than the reference" in text
        assert "trained in one pass" in text
    plain = next(iter(dossiers.samples().values()))
    assert 'id="privacy"' not in catalog.load(part).render(plain, catalog.options(part))


def test_what_fooled_it_is_shown_where_the_study_asked_and_what_to_do_next_follows_from_what_was_seen():
    sample = attacked()
    page = catalog.load(catalog.find("reports", "html"))
    options = catalog.options(catalog.find("reports", "html"))
    assert 'class="fooled"' not in page.render(sample, options)
    candidate = next(one.candidate for one in sample.findings if one.what == "attack.flag" and one.value)
    pictures = {"before": "data:image/png;base64,QUJD", "after": "data:image/png;base64,REVG"}
    one = Finding(what="attack.example", at={"norm": "linf", "number": 1}, candidate=candidate, value="a <b> was taken for c", artefacts=pictures)  # fmt: skip
    shown = page.render(sample.model_copy(update={"findings": (*sample.findings, one)}), options)
    assert shown.index("QUJD") < shown.index("REVG")
    assert "a &lt;b&gt; was taken for c" in shown
    told = _security.section(view(sample))
    assert told is not None
    assert told.advice[-1] == "always"
    row = next(row for row, _ in told.doubts)
    assert _security.advice([row])[:2] == ["worse", "masked_gradient"]
