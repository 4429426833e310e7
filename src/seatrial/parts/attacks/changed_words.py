"""Words left out, doubled, swapped with the next or replaced, those that matter most first, until the answer is wrong.

It needs scores, or the class alone, and no more. No synonyms are shipped: which word may stand for which is said by whoever knows the
texts (`substitutes`). Source: Jin et al. (2020), "Is BERT really robust?" (TextFooler), for the order of words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.parts.attacks._greedy import search

ACCEPTS = {"norm": ("words", "word_share"), "knows": ("classes", "scores", "original", "weights")}
GIVES = {"budget": ("given",), "nested": ("yes",)}
CANNOT = {
    "meaning": ("not yet ours", "whether people would still read the same isn't judged: look at examples"),
    "synonyms": ("never", "a list of synonyms fits one language and one trade: say your own in `substitutes`"),
    "tokens": ("not yet ours", "models that take numbers of tokens in place of text"),
}
Way = Literal["leave_out", "double", "swap", "put_in"]
WAYS: tuple[Way, ...] = ("leave_out", "double", "swap", "put_in")


class Options(PartOptions):
    """How words are changed, and how long it tries."""

    ways: tuple[Way, ...] = Field(default=WAYS, description="kinds of edits")
    substitutes: dict[str, tuple[str, ...]] = Field(
        default={}, description="words that may stand for another: `{good: [fine, decent]}`; capitals don't count"
    )
    put_in: tuple[str, ...] = Field(default=(), description="words that may be put in before any other")
    queries: int = Field(default=200, ge=2, description="answers a row that it may ask for")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `queries` answers a row."""
    known = {word.lower(): others for word, others in options.substitutes.items()}

    def edit(parts: list[str], at: int, chance: np.random.Generator) -> Iterator[list[str]]:
        before, word, after = parts[:at], parts[at], parts[at + 1 :]
        if not word:
            return
        for other in known.get(word.lower(), ()):
            yield [*before, other, *after]
        if "leave_out" in options.ways:
            yield [*before, "", *after]
        if "double" in options.ways:
            yield [*before, f"{word} {word}", *after]
        if "swap" in options.ways and len(after) > 1 and after[1] not in ("", word):
            yield [*before, after[1], after[0], word, *after[2:]]
        if "put_in" in options.ways and options.put_in:
            yield [*before, f"{options.put_in[int(chance.integers(len(options.put_in)))]} {word}", *after]

    search(target, aim, edit, options.queries)
