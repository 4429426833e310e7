"""What attacks on text share: the words that matter most come first, and of several edits the one that helps most is kept.

Each row is a generator that yields the next text to ask for and is sent how sure the model still is; all rows are asked
together. Where an attacker sees the class alone every edit looks the same, and it is a search by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import numpy as np

from seatrial.contracts.attack import Aim, Target
from seatrial.numerics.edits import allowed, cut, edits, units

Asking = Generator[str, float, None]
"""Yields a text and is sent the label's score less the largest other."""
Edit = Callable[[list[str], int, np.random.Generator], Iterator[list[str]]]
"""Words and gaps in turn, and the place of a word, to lists of words and gaps that are one edit away."""
CLASS = 1.0
"""How sure a model is that tells its class alone."""
PROBED = 1 / 3
"""Of the questions, how many may go into finding out which words matter."""


def search(target: Target, aim: Aim, edit: Edit, questions: int) -> None:
    """Ask about every row that is left, at most `questions` times each, within its budget of edits."""
    rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
    asking: dict[int, Asking] = {}
    texts: dict[int, str] = {}
    for row in rows.tolist():
        asking[row] = _Row(aim, row, edit, questions).questions()
        first = next(asking[row], None)
        texts |= {} if first is None else {row: first}
    while texts:
        live = np.array(sorted(texts), np.int64)
        live = live[target.left(live)]
        if not len(live):
            return
        given = np.empty(len(live), object)
        given[:] = [texts[row] for row in live.tolist()]
        margins = _margins(target.scores(given, live), aim.labels[live])
        texts = {}
        for row, margin in zip(live.tolist(), margins.tolist(), strict=True):
            try:
                texts[row] = asking[row].send(margin)
            except StopIteration:
                continue  # this row has asked all that it may


class _Row:
    """One row's text, cut into words and gaps, and its questions."""

    def __init__(self, aim: Aim, row: int, edit: Edit, questions: int) -> None:
        self.text, self._norm, self._edit = str(aim.points[row]), aim.norm, edit
        self.parts = cut(self.text)
        self.places = [at for at in range(0, len(self.parts), 2) if self.parts[at]]
        self.edits = allowed(self.text, aim.norm, aim.budget or 0)
        self._left, self._probes = questions, int(questions * PROBED)
        self._chance = np.random.default_rng([aim.seed, row])

    def questions(self) -> Asking:
        """Which words matter, then edits from the clean text on, over and over, until nothing may be asked any more."""
        if not self.places or not self.edits:
            return
        sure = yield from self._ask(self.parts)
        order = yield from self._matter()
        while self._left > 0:
            before = self._left
            yield from self._edited(order, sure)
            if self._left == before:
                return  # no edit can be made of this text
            order = self._chance.permutation(self.places).tolist()

    def _ask(self, parts: Sequence[str]) -> Generator[str, float, float]:
        self._left -= 1
        return (yield "".join(parts))

    def _matter(self) -> Generator[str, float, list[int]]:
        """Places of words, those first without which the model is least sure; as many are tried as may be, by chance."""
        tried = np.sort(self._chance.permutation(self.places)[: max(1, self._probes)]).tolist()
        sure = {}
        for at in tried if self._probes else ():
            sure[at] = yield from self._ask([*self.parts[:at], *self.parts[at + 1 :]])
        untried = [at for at in self._chance.permutation(self.places).tolist() if at not in sure]
        return [*sorted(sure, key=lambda at: (sure[at], self._chance.random())), *untried]

    def _edited(self, order: Sequence[int], sure: float) -> Asking:
        """Edit words in this order, as long as it helps (or, where the class is all that is seen, can't be seen to hurt)."""
        parts, made, touched = self.parts, 0, set[int]()
        for at in [*order] * -(-self.edits // len(order)):
            best: list[str] | None = None
            least = sure
            for changed in self._able(parts, at, made, touched):
                if self._left <= 0:
                    return
                found = yield from self._ask(changed)
                if found < least or (found == least == CLASS and best is None):
                    best, least = changed, found
            if best is not None:
                touched |= _differing(parts, best)
                parts, sure, made = best, least, made + 1
            if made >= self.edits:
                return

    def _able(self, parts: list[str], at: int, made: int, touched: set[int]) -> Iterator[list[str]]:
        """Lists that are one edit away, in an order by chance; where one place is edited twice, only what isn't farther away for it."""
        able = list(self._edit(parts, at, self._chance))
        for number in self._chance.permutation(len(able)).tolist():
            twice = _differing(parts, able[number]) & touched
            if not twice or self._edits(able[number]) <= made + 1:
                yield able[number]

    def _edits(self, parts: Sequence[str]) -> int:
        return edits(units(self.text, self._norm), units("".join(parts), self._norm))


def _differing(one: Sequence[str], other: Sequence[str]) -> set[int]:
    return {at for at, (mine, theirs) in enumerate(zip(one, other, strict=True)) if mine != theirs}


def _margins(scores: Any, labels: Any) -> Any:
    """The label's score less the largest other; answers that are no numbers leave it as sure as can be."""
    rows = np.arange(len(labels))
    own = scores[rows, labels]
    others = np.where(np.arange(scores.shape[1])[None, :] == labels[:, None], -np.inf, scores)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(own - others.max(axis=1), nan=np.inf)
