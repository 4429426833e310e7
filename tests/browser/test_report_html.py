"""The page in a real browser: no complaint, no request, no sideways scrolling on a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser

from seatrial.contracts.dossier import Dossier
from seatrial.flow.changes import changes, tell
from seatrial.parts.reports import html, picture
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


@pytest.mark.parametrize("width", [360, 1280])
def test_diagrams_curves_and_gaps_are_drawn_inside_their_frames(
    browser: Browser, addresses: dict[str, str], width: int
) -> None:
    browser.open(addresses["in depth"], width=width)
    outside = """[...document.querySelectorAll('#fairness figure, #calibration figure, #robustness figure')].flatMap(figure => {
        const frame = figure.getBoundingClientRect();
        return [...figure.querySelectorAll('use, line, text, circle, polyline')].filter(one => {
            const box = one.getBoundingClientRect();
            return box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top || box.bottom > frame.bottom;
        }).map(one => one.outerHTML);
    })"""
    assert browser.value(outside) == []
    assert browser.value("document.querySelectorAll('#calibration .square circle').length") == 9 * 20
    assert browser.value("document.querySelectorAll('#robustness .curve').length") == 8
    assert browser.value("document.querySelectorAll('#fairness .strip .lane').length") == 2 * 11
    assert browser.complaints() == []


def test_all_groups_of_rows_are_shown_when_asked_for(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["in depth"])
    rows = "[...document.querySelectorAll('#slices .groups tbody tr')].filter(one => one.getBoundingClientRect().height).length"
    others = rows.replace(".groups", ".totals")
    assert (browser.value(rows), browser.value(others)) == (12, 10)
    browser.click("#all-slices")
    assert (browser.value(rows), browser.value(others)) == (40, 10)


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


SEEN = """[...document.querySelectorAll('main > *, .page')].filter(
    one => one.getBoundingClientRect().height > 0 && !one.classList.contains('pages')).map(one => one.id || one.tagName)"""


def many(times: int) -> Dossier:
    """The sample's candidates many times over."""
    full, entries, findings = SAMPLES["normal"], [], []
    for index in range(times):
        for entry in full.candidates:
            same = {"id": f"{entry.id}/{index}", "label": f"{entry.label} t{index}"}
            entries.append(entry.model_copy(update=same | {"reference": entry.reference and not index}))
            findings += [
                f.model_copy(update={"candidate": same["id"]}) for f in full.findings if f.candidate == entry.id
            ]
    return full.model_copy(update={"candidates": tuple(entries), "findings": tuple(findings)})


def test_a_candidates_page_is_there_when_a_link_leads_to_it_and_then_alone(
    browser: Browser, addresses: dict[str, str]
) -> None:
    browser.open(addresses["normal"])
    assert "verdict" in browser.value(SEEN)
    assert "c2" not in browser.value(SEEN)
    browser.click("#candidates tbody tr:nth-child(2) a")
    assert browser.value("location.hash") == "#c2"
    assert browser.value(SEEN) == ["c2"]
    assert browser.value("document.querySelector('.page:target h2').getBoundingClientRect().top") < 400
    browser.click(".page:target .way a")
    assert "candidates" in browser.value(SEEN)
    assert "c2" not in browser.value(SEEN)
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["normal", "hostile", "imported", "in depth"])
def test_no_candidates_page_is_wider_than_the_screen(
    browser: Browser, addresses: dict[str, str], name: str, width: int
) -> None:
    browser.open(addresses[name], width=width)
    wide = """(async () => { const found = [];
        for (const page of document.querySelectorAll('.page')) {
            location.hash = page.id;
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            const right = page.getBoundingClientRect().right, screen = document.documentElement.scrollWidth;
            const out = [...page.querySelectorAll('p, h2, h3, dd, .scroll')].filter(one => one.getBoundingClientRect().right > right + 1);
            found.push([page.id, screen, page.getBoundingClientRect().height > 100, out.length]);
        } return found; })()"""
    found = browser.value(wide)
    assert [one[1:] for one in found] == [[width, True, 0]] * len(SAMPLES[name].candidates)


def test_two_hundred_candidates_open_and_all_of_them_are_shown_when_asked_for(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "many.html"
    page.write_text(html.render(many(19), html.Options()), encoding="utf-8")
    browser.open(page.as_uri())
    rows = "[...document.querySelectorAll('#candidates tbody tr')].filter(one => one.getBoundingClientRect().height).length"
    assert browser.value(rows) == 40
    browser.click("#all-candidates")
    assert browser.value(rows) == 209
    browser.click("#candidates a[href='#c150']")
    assert browser.value(SEEN) == ["c150"]
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [360, 1280])
def test_two_runs_side_by_side_fit_the_screen(browser: Browser, tmp_path: Path, width: int) -> None:
    page = tmp_path / "changes.html"
    page.write_text(tell(changes(SAMPLES["normal"], SAMPLES["with care"]), "html"), encoding="utf-8")
    browser.open(page.as_uri(), width=width)
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    wide, screen = browser.value(FITS)
    assert (screen, browser.complaints(), browser.requests()) == (width, [], [page.as_uri()])
    assert wide <= screen


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_picture_is_drawn_inside_its_frame(browser: Browser, tmp_path: Path, name: str) -> None:
    file = tmp_path / "picture.svg"
    file.write_text(picture.render(SAMPLES[name], picture.Options()), encoding="utf-8")
    browser.open(file.as_uri())
    assert browser.complaints() == []
    outside = """(() => { const svg = document.documentElement, frame = svg.viewBox.baseVal;
        return [...svg.querySelectorAll('path, rect, circle, text')].map(one => [one, one.getBoundingClientRect()]).filter(
            ([one, box]) => box.left < -1 || box.right > frame.width + 1 || box.top < -1 || box.bottom > frame.height + 1
        ).map(([one]) => one.outerHTML); })()"""
    assert browser.value(outside) == []


def test_the_browser_notices_a_page_that_asks_for_something(browser: Browser, tmp_path: Path) -> None:
    """The check can fail: a page that loads a picture and a script is seen doing so."""
    page = tmp_path / "bad.html"
    page.write_text(
        f'<!doctype html><img src="{(tmp_path / "gone.png").as_uri()}"><script>console.error("oh")</script>'
    )
    browser.open(page.as_uri())
    assert len(browser.requests()) == 2
    assert any("oh" in complaint for complaint in browser.complaints())
