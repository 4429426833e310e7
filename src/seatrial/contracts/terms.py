"""What an entry of the glossary says of a finding's name."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Term(NamedTuple):
    """A finding's name for people, what it means, its unit (empty: a share from 0 to 1, or a plain number), and which way is better.

    `short` is what the head of a column says. `kind` says how a number without unit is written: a `share` in per cent, a
    `change` of a share in percentage points, a probability `p`; a plain number where it is empty.
    """

    title: str
    meaning: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    short: str = ""
    kind: Literal["", "share", "change", "p"] = ""

    @property
    def name(self) -> str:
        """The title as it stands inside a sentence."""
        first = self.title.split()[0].removesuffix("'s")
        plain = first not in PEOPLE and not first[1:2].isupper() and not first[1:2].isdigit()
        return self.title[0].lower() + self.title[1:] if plain else self.title


PEOPLE = ("Brier", "McNemar", "Kolmogorov", "Wasserstein", "Gini", "Cohen", "Matthews", "Jensen", "Dice", "Jaccard")
"""Names that keep their capital inside a sentence."""
