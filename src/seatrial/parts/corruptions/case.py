"""cAPS lOCK: letters in the other case.

2 5 15 30 50 percent of the letters, each on its own. Letters whose other case isn't one letter (as ß) stay.
"""

from __future__ import annotations

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._text import TextOptions, learn_text, spoil

ACCEPTS = {"input": ("text",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.02, 0.05, 0.15, 0.3, 0.5)

Options = TextOptions
learn = learn_text


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with letters in the other case."""
    share = SHARES[damage.severity - 1]
    return spoil(columns, damage, "case", lambda text, generator: _swapped(text, generator, share))


def _swapped(text: str, generator: np.random.Generator, share: float) -> str:
    letters = list(text)
    for place in np.flatnonzero(generator.random(len(text)) < share).tolist():
        other = text[place].swapcase()
        letters[place] = other if len(other) == 1 else text[place]
    return "".join(letters)
