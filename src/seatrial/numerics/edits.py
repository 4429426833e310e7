"""How far one text is from another: characters or words that were put in, left out, changed, or swapped with the next.

The distance is that of optimal string alignment: the fewest such edits of which no two touch the same place. Source: Damerau
(1964), "A technique for computer detection and correction of spelling errors"; Boytsov (2011), "Indexing methods for
approximate dictionary searching", for the restricted form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

SHARE = "_share"


def cut(text: str) -> list[str]:
    """Words and the gaps between them, in turn: the first and the last are words, maybe empty ones. Joined they are the text."""
    return re.split(r"(\s+)", text)


def rejoined(words: Sequence[str], like: str) -> str:
    """Words with the gaps of another text, blanks where it has no more; that text itself where its words are the same."""
    if list(words) == like.split():
        return like
    gaps = cut(like.strip())[1::2]
    gaps += [" "] * (len(words) - 1 - len(gaps))
    between = [*gaps[: len(words) - 1], ""] if words else []
    inner = "".join(word + gap for word, gap in zip(words, between, strict=True))
    lead, tail = like[: len(like) - len(like.lstrip())], like[len(like.rstrip()) :]
    return lead + inner + (tail if like.strip() else "")


def units(text: str, norm: str) -> Sequence[str]:
    """What a norm counts: `characters` or `words` (and shares of them)."""
    return text.split() if norm.startswith("word") else text


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """The fewest edits that make one of the other."""
    start, most = 0, min(len(one), len(other))
    while start < most and one[start] == other[start]:
        start += 1
    end = 0
    while end < most - start and one[-1 - end] == other[-1 - end]:
        end += 1
    one, other = one[start : len(one) - end], other[start : len(other) - end]
    if not one or not other:
        return max(len(one), len(other))
    number = {unit: at for at, unit in enumerate(dict.fromkeys([*one, *other]))}
    mine, theirs = (np.array([number[unit] for unit in units_]) for units_ in (one, other))
    steps = np.arange(len(theirs) + 1)
    before, last = steps, steps
    for at, unit in enumerate(mine):
        row = np.empty_like(steps)
        row[0] = at + 1
        row[1:] = np.minimum(last[1:] + 1, last[:-1] + (theirs != unit))
        if at:
            swapped = (theirs[:-1] == unit) & (theirs[1:] == mine[at - 1])
            row[2:] = np.where(swapped, np.minimum(row[2:], before[:-2] + 1), row[2:])
        before, last = last, np.minimum.accumulate(row - steps) + steps
    return int(last[-1])


def far(text: str, changed: str, norm: str) -> float:
    """How far a changed text is from the first: a number of edits, or their share of its characters or words."""
    own = units(text, norm)
    made = edits(own, units(changed, norm))
    return made / max(1, len(own)) if norm.endswith(SHARE) else float(made)


def allowed(text: str, norm: str, budget: float) -> int:
    """How many edits of a text are within a budget."""
    most = budget * len(units(text, norm)) if norm.endswith(SHARE) else budget
    return int(most + 1e-9)
