"""Distances of texts: against a plain recursion, and in what they promise attacks."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.numerics.edits import allowed, cut, edits, far, rejoined

WORDS = st.text(alphabet="abc", max_size=7)
TEXTS = st.text(alphabet="ab \n", max_size=12)


def plainly(one: str, other: str) -> int:
    """Optimal string alignment, as its definition says."""

    @cache
    def at(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        found = [at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (one[i - 1] != other[j - 1])]
        if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
            found.append(at(i - 2, j - 2) + 1)
        return min(found)

    return at(len(one), len(other))


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS)
def test_it_is_the_distance_of_its_definition(one: str, other: str):
    assert edits(one, other) == edits(other, one) == plainly(one, other)
    assert edits(list(one), list(other)) == plainly(one, other)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_words_leave_gaps_alone(text: str, other: str):
    assert "".join(cut(text)) == text
    assert rejoined(text.split(), text) == text
    made = rejoined(other.split(), text)
    assert made.split() == other.split()
    assert far(text, made, "words") == edits(text.split(), other.split())


def test_known_cases():
    assert edits("seatrial", "seatrail") == 1
    assert edits(["a", "quick", "fox"], ["quick", "a", "fox"]) == 1
    assert far("one two three four", "one three four", "word_share") == 0.25
    assert far("abcd", "abd", "character_share") == 0.25
    assert rejoined(["one", "three"], "  one\n\ttwo  three\n") == "  one\n\tthree\n"
    assert allowed("one two three", "word_share", 0.67) == 2
    assert allowed("one two three", "word_share", 0.3) == 0
    assert allowed("one two three", "words", 2) == 2
