"""The plan: which candidates will be measured, which were left out and why, and how long it may take."""

from __future__ import annotations

from seatrial.contracts.candidate import Candidate, PartRef
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
    """A candidate that will be measured, the form of its model that its runtime takes, and its short name.

    `conversion` is what turns that form into a format that the runtime takes, where it doesn't take it as it is.
    """

    candidate: Candidate
    label: str
    form: str
    reference: bool = False
    eligible: bool = True
    conversion: PartRef | None = None

    @property
    def route(self) -> str:
        """The form, and what converts it, in words: two candidates with the same route start from the same files."""
        return self.form if self.conversion is None else f"{self.form} by {self.conversion}"


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
