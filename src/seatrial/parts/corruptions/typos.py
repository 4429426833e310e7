"""Slips of the finger: letters changed for their neighbours on the keyboard, left out, doubled, or swapped with the next.

1 3 6 12 20 percent of the letters and digits, each on its own; the four slips are equally likely. Neighbours are those of
a QWERTY keyboard; a letter that isn't on it is doubled instead.
"""

from __future__ import annotations

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.numerics.letters import NEIGHBOURS
from seatrial.parts.corruptions._text import TextOptions, learn_text, spoil

ACCEPTS = {"input": ("text",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.01, 0.03, 0.06, 0.12, 0.2)

Options = TextOptions
learn = learn_text


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with slips in their strings."""
    share = SHARES[damage.severity - 1]
    return spoil(columns, damage, "typos", lambda text, generator: _typed(text, generator, share))


def _typed(text: str, generator: np.random.Generator, share: float) -> str:
    chances = generator.random((len(text), 3))
    slips = np.flatnonzero(chances[:, 0] < share).tolist()
    letters = list(text)
    for place in slips:
        if text[place].isalnum():
            _slip(letters, text, place, float(chances[place, 1]), float(chances[place, 2]))
    return "".join(letters)


def _slip(letters: list[str], text: str, place: int, which: float, key: float) -> None:
    """One slip, in the list of what stands at each place of the text."""
    letter = text[place]
    near = NEIGHBOURS.get(letter.lower(), "")
    last = place + 1 == len(text)
    if which < 0.25 and near:
        other = near[int(key * len(near))]
        letters[place] = other.upper() if letter.isupper() else other
    elif which < 0.5 and len(text) > 1:
        letters[place] = ""
    elif which < 0.75 and not last and letters[place] == letter and letters[place + 1] != letter:
        letters[place], letters[place + 1] = letters[place + 1], letters[place]
    else:
        letters[place] = letters[place] + letter
