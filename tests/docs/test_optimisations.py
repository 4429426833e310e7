"""The guide to optimisations says what was measured: its tables are the recorded ones, and every figure of its sentences stands in them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import _optimise_guide as guide  # noqa: E402

KNOWN = json.loads(guide.TABLE.read_text())
PAGE = guide.PAGE.read_text()
FIGURE = re.compile(r"\d[\d.]*(?=×| pp| %| kB)")
NAMED = re.compile(r"`([^`]+)`")


CELL = re.compile(r"([\d.]+)×(?: \(([\d.]+) to ([\d.]+)\))?")
NO_GAIN = ("gains nothing", "gain nothing", "no time that shows", "nor does")


def sentences() -> list[tuple[str, str]]:
    """The guide's list of what follows, line by line, each with the table that it rests on."""
    told = PAGE[PAGE.index("## What follows") : PAGE.index("## Try it")]
    found, table = [], ""
    for line in told.splitlines():
        if line.startswith("### "):
            (table,) = (name for head, name in guide.HEADINGS.items() if line.startswith(f"### {head}"))
        elif line.startswith("- "):
            found.append((table, line))
    return found


def rows(name: str) -> dict[str, str]:
    """The lines of a table by the way that they are about."""
    return {found[1]: line for line in guide.tables(KNOWN)[name].splitlines() if (found := NAMED.search(line))}


def quoted(table: str, sentence: str) -> list[tuple[float, float | None, float | None]]:
    """The speed-ups that a sentence quotes, with the intervals that their table has; of the table by hand none."""
    lines = [line for way, line in rows(table).items() if way in NAMED.findall(sentence)]
    cells = [found.groups() for line in lines for found in CELL.finditer(line)]
    said = re.findall(r"([\d.]+)×", sentence)
    return [(float(value), *(None if end is None else float(end) for end in ends)) for value, *ends in cells if value in said]  # fmt: skip


def test_the_tables_are_the_recorded_ones() -> None:
    assert guide.filled(PAGE, KNOWN) == PAGE, "run benchmarks/_optimise_guide.py"
    assert {name for name, _ in sentences()} == set(guide.tables(KNOWN)), "each table is spoken of"


def test_every_sentence_has_a_figure_of_a_way_that_it_names() -> None:
    """A figure stands in the line of a way that the sentence names, in the table of its heading; one without a figure isn't backed."""
    told = sentences()
    assert len(told) >= 6
    for table, sentence in told:
        ways = set(NAMED.findall(sentence))
        lines = [line for way, line in rows(table).items() if way in ways]
        assert lines, f"names no way of its table: {sentence}"
        figures = FIGURE.findall(sentence)
        assert figures or all("did not run as asked" in line for line in lines), f"no figure backs: {sentence}"
        for figure in figures:
            assert any(re.search(rf"(?<![\d.]){re.escape(figure)}(?=×| pp| %| kB)", line) for line in lines), f"{figure} isn't in its table: {sentence}"  # fmt: skip


def test_what_is_called_slower_is_slower_and_what_is_told_as_faster_is_faster() -> None:
    """By the whole interval, where there is one."""
    for table, sentence in sentences():
        found = quoted(table, sentence)
        below = [one for one in found if one[0] < 1]
        if any(word in sentence for word in NO_GAIN):
            assert all(low is not None and low <= 1 <= high for value, low, high in found if 0.8 < value < 1.2), (
                sentence
            )
            continue
        assert not below or "slower" in sentence or "slows" in sentence or "where `torch fp32` has" in sentence, f"below 1× and not said to be slower: {sentence}"  # fmt: skip
        assert all(high is None or high < 1 for _, _, high in below), f"may be no slower: {sentence}"
        assert all(low is None or low > 1 for value, low, _ in found if value > 1), f"may be no faster: {sentence}"
        assert "slower" not in sentence or below, f"slower, but by how much: {sentence}"


def test_what_was_measured_where_is_what_was_recorded() -> None:
    """The processor, whether it has AMX, and the day, of every table that one run made."""
    for name in guide.RUNS:
        recorded = KNOWN[name]
        assert "EPYC" in recorded["machine"]["processor"]
        assert recorded["machine"]["amx"] is False
        year, month, day = recorded["date"].split("-")
        assert f"{int(day)} November {year}" in PAGE
        assert month == "11"


def test_a_record_says_where_and_how_each_was_made() -> None:
    for name in guide.RUNS:
        recorded = KNOWN[name]
        assert recorded["machine"]["processor"]
        assert isinstance(recorded["machine"]["amx"], bool)
        for way, one in recorded["candidates"].items():
            if "failed" in one or one["outcome"] == "reference":
                continue
            assert {"speedup", "accuracy.drop", "seed", "made_s", "rows_hash"} <= one.keys(), way


def test_speeds_in_sentences_follow_their_table() -> None:
    table = "| `a b` | 2.50× (2 to 3) | 0.1 pp |\n| `c` | 0.30× | |"
    text = "### The larger CNN, x\n- `a b` 9.99×, `c`, 1.00× and `d` 3.00×\n### The transformer\n- `a b` 1.00×\n"
    assert guide._refreshed(text, {"cnn": table, "transformer": ""}) == text.replace("9.99", "2.50").replace("`c`, 1.00", "`c`, 0.30")  # fmt: skip


def test_students_that_are_recorded_anew_replace_those_before_and_say_when() -> None:
    import optimise

    known = {
        "onnxruntime fp32": {"outcome": "reference"},
        "onnxruntime distilled(epochs=8) fp32": {"speedup": [2, 1, 3]},
    }
    table = {
        "onnxruntime fp32": {"outcome": "reference"},
        "onnxruntime distilled(epochs=5) fp32": {"speedup": [3, 2, 4]},
    }
    optimise._among(known, table, {"date": "2026-11-30"})
    assert known == {"onnxruntime fp32": {"outcome": "reference"}, "onnxruntime distilled(epochs=5) fp32": {"speedup": [3, 2, 4], "date": "2026-11-30"}}  # fmt: skip
