"""Letters that only look the same: Latin ones replaced by Cyrillic and Greek ones, as in spam and forged names.

2 5 10 20 40 percent of the letters that have such a twin, each on its own. Twins are among those of Unicode Technical Standard
39 (confusables).
"""

from __future__ import annotations

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.numerics.letters import TWINS
from seatrial.parts.corruptions._text import TextOptions, learn_text, spoil

ACCEPTS = {"input": ("text",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)

Options = TextOptions
learn = learn_text


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with twins of letters."""
    share = SHARES[damage.severity - 1]
    return spoil(columns, damage, "homoglyphs", lambda text, generator: _twinned(text, generator, share))


def _twinned(text: str, generator: np.random.Generator, share: float) -> str:
    letters = list(text)
    for place in np.flatnonzero(generator.random(len(text)) < share).tolist():
        letters[place] = TWINS.get(text[place], text[place])
    return "".join(letters)
