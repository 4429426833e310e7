"""Slips of the finger and letters that only look the same, in the words that matter most, until the answer is wrong.

Each edit swaps two letters, leaves one out, doubles one, hits the key beside it, or puts in its twin of another alphabet. It needs
scores, or the class alone, and no more. Sources: Gao et al. (2018), "Black-box generation of adversarial text sequences to evade deep
learning classifiers" (DeepWordBug); Li et al. (2019), "TextBugger".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.numerics.letters import NEIGHBOURS, TWINS
from seatrial.parts.attacks._greedy import search

ACCEPTS = {"norm": ("characters", "character_share"), "knows": ("classes", "scores", "original", "weights")}
GIVES = {"budget": ("given",), "nested": ("yes",)}
CANNOT = {
    "meaning": ("not yet ours", "whether people would still read the same isn't judged: look at examples"),
    "tokens": ("not yet ours", "models that take numbers of tokens in place of text"),
}
Way = Literal["swap", "leave_out", "double", "neighbour", "twin"]
WAYS: tuple[Way, ...] = ("swap", "leave_out", "double", "neighbour", "twin")


class Options(PartOptions):
    """How letters are changed, and how long it tries."""

    ways: tuple[Way, ...] = Field(default=WAYS, min_length=1, description="kinds of edits")
    queries: int = Field(default=200, ge=2, description="answers a row that it may ask for")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `queries` answers a row."""

    def edit(parts: list[str], at: int, chance: np.random.Generator) -> Iterator[list[str]]:
        for way in options.ways:
            if changed := _changed(parts[at], way, chance):
                yield [*parts[:at], changed, *parts[at + 1 :]]

    search(target, aim, edit, options.queries)


def _changed(word: str, way: Way, chance: np.random.Generator) -> str:
    """The word with one letter changed, at a place by chance; empty where this can't be done to it."""
    places = [at for at in range(len(word)) if _can(word, at, way)]
    if not places:
        return ""
    at = places[int(chance.integers(len(places)))]
    letter = word[at]
    if way == "swap":
        return word[:at] + word[at + 1] + letter + word[at + 2 :]
    if way == "leave_out":
        return word[:at] + word[at + 1 :]
    if way == "double":
        return word[: at + 1] + word[at:]
    if way == "twin":
        return word[:at] + TWINS[letter] + word[at + 1 :]
    near = NEIGHBOURS[letter.lower()]
    other = near[int(chance.integers(len(near)))]
    return word[:at] + (other.upper() if letter.isupper() else other) + word[at + 1 :]


def _can(word: str, at: int, way: Way) -> bool:
    if way == "swap":
        return at + 1 < len(word) and word[at] != word[at + 1]
    if way == "leave_out":
        return len(word) > 1
    return way == "double" or (word[at] in TWINS if way == "twin" else word[at].lower() in NEIGHBOURS)
