"""Measures every candidate to the end, in the order of the study.

What is said of each is then equally good, and nothing rests on a search. With many candidates it takes long: `halving` leaves
out early what can't be the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.contracts.candidate import Candidate
from seatrial.contracts.part import PartOptions
from seatrial.contracts.race import Leaving, Race, Rungs


class Options(PartOptions):
    """There is nothing to set."""


def order(candidates: Sequence[Candidate], options: Options) -> list[str]:
    """As the study lists them."""
    return [one.id for one in candidates]


def rungs(options: Options) -> Rungs:
    """It never looks."""
    return Rungs()


def leave(race: Race, options: Options) -> list[Leaving]:
    """Nobody."""
    return []
