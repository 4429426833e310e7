"""Letters that only look the same: Latin ones replaced by Cyrillic and Greek ones, as in spam and forged names.

2 5 10 20 40 percent of the letters that have such a twin, each on its own. Twins are among those of Unicode Technical Standard
39 (confusables).
"""

from __future__ import annotations

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._text import TextOptions, learn_text, spoil

ACCEPTS = {"input": ("text",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
CYRILLIC = "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443"
CYRILLIC_CAPITALS = "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425"
TWINS = dict(zip("aceijopsxyABCEHIJKMOPSTXvNZ", CYRILLIC + CYRILLIC_CAPITALS + "\u03bd\u039d\u0396", strict=True))

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
