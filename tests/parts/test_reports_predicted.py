"""Predicted devices in reports: their order where it is known and where it is open, what is missing, and nothing a hostile file could do."""

from __future__ import annotations

from typing import Any

import pytest
from test_reports import FULL, plus, shown_by

from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.parts.reports import html, markdown, terminal
from seatrial.parts.reports._predicted import MOST, section
from seatrial.parts.reports._view import view
from seatrial.testing.reports import check_html

PICTURE = "data:image/svg+xml;base64,PHN2Zy8+"


def told(device: str, low: float, high: float, **more: Any) -> list[Finding]:
    at = {"model": "cnn", "variant": "as_is", "device": device, "precision": "bf16", "batch": 32} | more
    common: dict[str, Any] = {"at": at, "origin": Origin.PREDICTED, "note": "a lead"}
    middle = (low * high) ** 0.5
    return [
        Finding(what="predicted.latency", value=middle, low=low, high=high, unit="s", **common),
        Finding(what="predicted.throughput", value=32 / middle, low=32 / high, high=32 / low, unit="samples/s", **common),
        Finding(what="predicted.speedup", value=4.0, low=2.0, high=8.0, unit="x", **common),
        Finding(what="predicted.memory", value=5e8, unit="B", **common),
        Finding(what="predicted.limit", value="arithmetic", artefacts={"advice": "It is held up by arithmetic.\nWould help: more.", "roofline": PICTURE}, **common),
    ]  # fmt: skip


def sentences(*findings: Finding) -> tuple[str, ...]:
    made = section(view(plus(FULL, *findings)))
    assert made is not None
    return made.orders


def test_without_predictions_nothing_is_said() -> None:
    assert section(view(FULL)) is None
    assert 'id="predicted"' not in html.render(FULL, html.Options())


def test_ranges_that_overlap_leave_the_order_open() -> None:
    (text,) = sentences(*told("L4", 1e-3, 4e-3), *told("H100", 0.5e-3, 1.5e-3), *told("T4", 5e-3, 9e-3))
    assert text.startswith("by the middle of its range H100 is fastest with 32 rows a call")
    assert "the ranges of L4 overlap" in text
    assert "the order is open" in text


def test_ranges_apart_settle_it() -> None:
    (text,) = sentences(*told("L4", 2e-3, 4e-3), *told("H100", 0.5e-3, 1.5e-3))
    assert text == "H100 is fastest with 32 rows a call: no other range reaches its."
    assert sentences(*told("L4", 2e-3, 4e-3)) == ()


def test_models_and_variants_are_told_apart_where_there_are_several() -> None:
    texts = sentences(*told("L4", 2e-3, 4e-3), *told("T4", 5e-3, 6e-3), *told("L4", 2e-3, 4e-3, variant="int8"), *told("T4", 3e-3, 6e-3, variant="int8"))  # fmt: skip
    assert [text.split(":")[0] for text in texts] == ["as_is", "int8"]


def test_the_page_and_the_terminal() -> None:
    lost = missing("predicted.latency", State.UNSUPPORTED, "no form of tree fits", at={"model": "tree", "variant": "as_is"})  # fmt: skip
    dossier = plus(FULL, *told("L4", 1e-3, 4e-3), *told("H100", 0.5e-3, 1.5e-3), lost)
    page = html.render(dossier, html.Options())
    check_html(page)
    shown = " ".join(shown_by(page).split())
    assert "Would help: more." in shown
    assert "Doubts: a lead." in shown
    assert "16,000 8,000–32,000" in shown
    assert "15,99" not in shown
    assert "tree: no form of tree fits." in shown
    assert page.count(f'src="{PICTURE}"') == 2
    text = " ".join(terminal.render(dossier, terminal.Options()).split())
    assert "cnn: L4, bf16, 32 rows a call: 2.0 ms a call (1.0–4.0), 4.0× (2.0–8.0) the rows a second" in text
    assert "held up by arithmetic" in text
    assert "tree: no form of tree fits" in text
    summary = markdown.render(dossier, markdown.Options())
    assert "predicted, not measured: no requirement passes or fails on it" in summary
    assert "- cnn: L4, bf16, 32 rows a call: 2.0 ms a call" in summary


def test_many_are_cut_in_a_text() -> None:
    many = [one for place in range(MOST + 3) for one in told(f"D{place}", 1e-3, 2e-3)]
    text = terminal.render(plus(FULL, *many), terminal.Options())
    assert "… and 3 more, all in the page" in text


@pytest.mark.parametrize(
    "picture", ["https://example.org/x.svg", "javascript:alert(1)", "data:text/html;base64,PHN2Zy8+"]
)
def test_a_picture_that_is_none_of_ours_isnt_shown(picture: str) -> None:
    findings = [one.model_copy(update={"artefacts": {"advice": "<b>x</b>\x1b[2J", "roofline": picture}}) if one.what == "predicted.limit" else one for one in told("<script>", 1e-3, 2e-3)]  # fmt: skip
    page = html.render(plus(FULL, *findings), html.Options())
    check_html(page)
    assert picture not in page
    assert "<script>" not in page
    assert "\x1b" not in terminal.render(plus(FULL, *findings), terminal.Options())
