"""The page in a real browser: no complaint, no request, no sideways scrolling on a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser

from seatrial.parts.reports import html
from seatrial.testing.dossiers import samples

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(os.environ.get("SEATRIAL_NO_BROWSER")), reason="SEATRIAL_NO_BROWSER is set"),
]
SAMPLES = samples()
FITS = "[document.documentElement.scrollWidth, innerWidth]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, dossier in SAMPLES.items():
        file = folder / f"{name.replace(' ', '_')}.html"
        file.write_text(html.render(dossier, html.Options()), encoding="utf-8")
        found[name] = file.as_uri()
    return found


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_page_loads_without_complaint_or_request(browser: Browser, addresses: dict[str, str], name: str) -> None:
    browser.open(addresses[name])
    assert browser.complaints() == []
    assert browser.requests() == [addresses[name]]
    assert browser.value("performance.getEntriesByType('resource').length") == 0
    assert browser.value("document.compatMode") == "CSS1Compat"


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_nothing_is_wider_than_the_screen(browser: Browser, addresses: dict[str, str], name: str, width: int) -> None:
    browser.open(addresses[name], width=width)
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    wide, screen = browser.value(FITS)
    assert screen == width
    assert wide <= screen


def test_dark_is_dark_and_light_is_light(browser: Browser, addresses: dict[str, str]) -> None:
    def brightness() -> int:
        colour = browser.value("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.strip("rgb()").split(","))

    browser.open(addresses["normal"], dark=True)
    dark = brightness()
    browser.open(addresses["normal"], dark=False)
    assert dark < 150 < 600 < brightness()


def test_pictures_are_drawn_inside_their_frames(browser: Browser, addresses: dict[str, str]) -> None:
    outside = """[...document.querySelectorAll('figure')].flatMap(figure => {
        const frame = figure.getBoundingClientRect();
        return [...figure.querySelectorAll('use, line, text')].filter(one => {
            const box = one.getBoundingClientRect();
            return box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top || box.bottom > frame.bottom;
        }).map(one => one.outerHTML);
    })"""
    drawn = "[...document.querySelectorAll('figure use')].filter(one => one.getBoundingClientRect().width > 5).length"
    for width in (360, 1280):
        browser.open(addresses["normal"], width=width)
        assert browser.value(outside) == []
        assert browser.value(drawn) >= 9 + 9 + 10 + 10


def test_the_page_can_be_printed(browser: Browser, addresses: dict[str, str], tmp_path: Path) -> None:
    browser.open(addresses["normal"])
    browser.pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    browser.ask("Emulation.setEmulatedMedia", media="print")
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    cut = (
        "[...document.querySelectorAll('.scroll')].filter(one => getComputedStyle(one).overflowX !== 'visible').length"
    )
    assert browser.value(cut) == 0
    browser.ask("Emulation.setEmulatedMedia", media="")


def test_the_browser_notices_a_page_that_asks_for_something(browser: Browser, tmp_path: Path) -> None:
    """The check can fail: a page that loads a picture and a script is seen doing so."""
    page = tmp_path / "bad.html"
    page.write_text(
        f'<!doctype html><img src="{(tmp_path / "gone.png").as_uri()}"><script>console.error("oh")</script>'
    )
    browser.open(page.as_uri())
    assert len(browser.requests()) == 2
    assert any("oh" in complaint for complaint in browser.complaints())
