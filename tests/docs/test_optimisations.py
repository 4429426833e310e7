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


def sentences() -> list[str]:
    """The guide's list of what follows from the tables, line by line."""
    told = PAGE[PAGE.index("## What follows") : PAGE.index("## Try it")]
    return [line for line in told.splitlines() if line.startswith("- ")]


def rows(name: str) -> dict[str, str]:
    """The lines of a table by the way that they are about."""
    return {found[1]: line for line in guide.tables(KNOWN)[name].splitlines() if (found := NAMED.search(line))}


def test_the_tables_are_the_recorded_ones() -> None:
    assert guide.filled(PAGE, KNOWN) == PAGE, "run benchmarks/_optimise_guide.py"


def test_every_sentence_has_a_figure_of_a_way_that_it_names() -> None:
    """A figure stands in the line of a way that the sentence names; a sentence without a figure isn't backed."""
    told = sentences()
    assert len(told) >= 6
    for sentence in told:
        figures = FIGURE.findall(sentence)
        assert figures, f"no figure backs: {sentence}"
        ways = set(NAMED.findall(sentence))
        lines = [line for name in ("fashion", "amx") for way, line in rows(name).items() if way in ways]
        assert lines, f"names no way of the tables: {sentence}"
        for figure in figures:
            assert any(re.search(rf"(?<![\d.]){re.escape(figure)}(?=×| pp| %| kB)", line) for line in lines), f"{figure} isn't in the tables: {sentence}"  # fmt: skip


def test_what_is_called_slower_is_slower() -> None:
    for sentence in sentences():
        if "slower" not in sentence:
            continue
        near = [float(one) for one in re.findall(r"([\d.]+)×", sentence.split("slower")[0])]
        assert near, f"slower, but by how much: {sentence}"
        assert min(near) < 1, f"nothing below 1×: {sentence}"


def test_a_record_says_where_and_how_each_was_made() -> None:
    recorded = KNOWN["fashion"]
    assert recorded["machine"]["processor"]
    assert isinstance(recorded["machine"]["amx"], bool)
    for way, one in recorded["candidates"].items():
        if "failed" in one or one["outcome"] == "reference":
            continue
        assert {"speedup", "accuracy.drop", "seed", "made_s", "rows_hash"} <= one.keys(), way


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
