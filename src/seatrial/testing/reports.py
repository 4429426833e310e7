"""The exam of reports: what every report must keep, tried on the sample dossiers of `testing/dossiers.py`.

`exam(part)` raises `AssertionError` with what is wrong.
"""

from __future__ import annotations

from html.parser import HTMLParser

from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartInfo
from seatrial.flow.changes import changes
from seatrial.testing.dossiers import sample_dossier, samples

__all__ = ["check_html", "exam", "sample_dossier", "samples"]

VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr", "source"}


def exam(part: PartInfo) -> None:
    """Render every sample: no error, twice the same, every candidate named, nothing a hostile label could do."""
    module = catalog.load(part)
    options = catalog.options(part)
    for name, dossier in samples().items():
        text = module.render(dossier, options)
        assert isinstance(text, str), f"{part.name}: a report is text, not {type(text).__name__}"
        assert text.strip(), f"{part.name}: the report of the sample `{name}` is empty"
        assert text == module.render(dossier, options), f"{part.name}: two renderings of `{name}` differ"
        assert "\x1b[2J" not in text, f"{part.name}: a label's control characters reach the report"
        if name != "hostile":
            _names_everyone(part, dossier, text)
        if "html" in part.gives.get("suffix", ()):
            check_html(text)
    if "changes" in part.accepts.get("record", ()):
        _tells_of_two_runs(part)


def _tells_of_two_runs(part: PartInfo) -> None:
    """What it makes of two runs: the same twice, whole, and nothing that a hostile label could do."""
    module, options, known = catalog.load(part), catalog.options(part), samples()
    for after in ("normal", "with care", "bare", "hostile", "imported"):
        made = changes(known["normal"], known[after])
        text = module.render_changes(made, options)
        assert isinstance(text, str), f"{part.name}: a report is text, not {type(text).__name__}"
        assert text.strip(), f"{part.name}: nothing is said of two runs (`normal` and `{after}`)"
        assert text == module.render_changes(made, options), f"{part.name}: two renderings of two runs differ"
        assert "\x1b[2J" not in text, f"{part.name}: control characters reach the report on two runs"
        if "html" in part.gives.get("suffix", ()):
            check_html(text)


def _names_everyone(part: PartInfo, dossier: Dossier, text: str) -> None:
    letters = "".join(letter for letter in text if letter.isalnum())
    for entry in dossier.candidates:
        said = "".join(letter for letter in entry.label if letter.isalnum())
        assert said in letters, f"{part.name}: the candidate {entry.label} isn't in the report"


def check_html(text: str) -> None:
    """Well formed, one language, no script of a label's, no request, no inline event handler."""
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, f"these tags are never closed: {page.open}"
    assert not page.faults, page.faults
    assert text.lstrip().lower().startswith("<!doctype html>"), "the page doesn't say that it is HTML"


class Page(HTMLParser):
    """Reads a page and notes what is wrong with it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._look(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style" and ("url(" in data or "@import" in data):
            self.faults.append("the style asks for something from outside")

    def _look(self, tag: str, given: dict[str, str | None]) -> None:
        self.faults += [f"inline event handler {name} on <{tag}>" for name in given if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "action", "poster", "data", "srcset"):
            target = given.get(name)
            if target and not target.startswith(("#", "data:image/")):
                self.faults.append(f"<{tag} {name}={target!r}> leads outside the page")
        if tag == "script" and "src" in given:
            self.faults.append("a script from outside the page")
        if tag == "html" and not given.get("lang"):
            self.faults.append("the page doesn't say its language")
