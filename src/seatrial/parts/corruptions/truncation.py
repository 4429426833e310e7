"""Cut off: only the beginning of the text is left.

90 75 60 40 20 percent of its characters, rounded up: a field that was too short, a message that was broken off.
"""

from __future__ import annotations

import math

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._text import TextOptions, learn_text, spoil

ACCEPTS = {"input": ("text",)}
GIVES = {"chance": ("no",)}
LEFT = (0.9, 0.75, 0.6, 0.4, 0.2)

Options = TextOptions
learn = learn_text


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with the beginnings of their strings."""
    left = LEFT[damage.severity - 1]
    return spoil(columns, damage, "truncation", lambda text, _: text[: math.ceil(round(len(text) * left, 6))])
