"""The plan: which candidates will be measured, which were left out and why, and how long it may take."""

from __future__ import annotations

from seatrial.contracts.candidate import Candidate
from seatrial.contracts.dossier import Dropped
from seatrial.contracts.record import Record
from seatrial.contracts.study import Study


class Levels(Record):
    """Two-sided levels of intervals: `describe` for what is shown, `gate` for what decides.

    `gate` is 1 - 2 (1 - confidence) / compared: each bound then holds one-sided for all `compared` candidates together
    (Bonferroni), because a study passes when *any* candidate passes. Describing and deciding read the same counts.
    """

    describe: float = 0.95
    gate: float = 0.90
    compared: int = 1


class Planned(Record):
    """A candidate that will be measured, the form of its model that its runtime takes, and its short name."""

    candidate: Candidate
    label: str
    form: str
    reference: bool = False
    eligible: bool = True


class Plan(Record):
    """What would run. `estimate_s` is an estimate of wall seconds when nothing is kept from before."""

    study: Study
    folder: str
    file: str
    candidates: tuple[Planned, ...]
    dropped: tuple[Dropped, ...]
    levels: Levels
    rounds: tuple[int, int]
    estimate_s: float = 0.0
    quick: bool = False

    @property
    def reference(self) -> Planned:
        """The reference candidate."""
        return next(planned for planned in self.candidates if planned.reference)
