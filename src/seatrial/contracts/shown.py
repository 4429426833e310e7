"""What stands in a cell, as an error may say it: short words help, and what may be somebody's is told by its form alone."""

from __future__ import annotations

LONGEST, MOST_DIGITS, MOST_WORDS = 24, 5, 3


def shown(cell: object) -> str:
    """The cell itself where it is short, without many digits and no address; else how it is built: `aa99 9999 9999…, 27 letters`."""
    text = str(cell)
    digits = sum(letter.isdigit() for letter in text)
    plain = len(text) <= LONGEST and digits <= MOST_DIGITS and "@" not in text and len(text.split()) <= MOST_WORDS
    if plain:
        return text
    form = "".join("9" if one.isdigit() else "a" if one.isalpha() else " " if one.isspace() else "." for one in text)
    return f"{form[:12]}…, {len(text)} letters"
