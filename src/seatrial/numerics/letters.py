"""Letters that lie beside one another on a keyboard, and letters that only look the same.

Neighbours are those of a QWERTY keyboard. Twins are Latin letters' Cyrillic and Greek ones, among those of Unicode Technical
Standard 39 (confusables).
"""

from __future__ import annotations

KEYBOARD = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
CYRILLIC = "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443"
CYRILLIC_CAPITALS = "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425"
TWINS = dict(zip("aceijopsxyABCEHIJKMOPSTXvNZ", CYRILLIC + CYRILLIC_CAPITALS + "\u03bd\u039d\u0396", strict=True))


def _neighbours() -> dict[str, str]:
    """The keys that touch a key: beside it, above (half a key to the right) and below."""
    places = {key: (row, column + row / 2) for row, keys in enumerate(KEYBOARD) for column, key in enumerate(keys)}
    return {
        key: "".join(
            other
            for other, (down, across) in places.items()
            if other != key and abs(down - row) <= 1 and abs(across - column) <= 1
        )
        for key, (row, column) in places.items()
    }


NEIGHBOURS = _neighbours()
