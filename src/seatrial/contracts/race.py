"""What a search sees: the candidates that are still in the race, what short rounds showed of each, and whom it leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from seatrial.contracts.candidate import Candidate


class Rungs(NamedTuple):
    """The counts of short rounds after which a search looks, rising, and the `share` of a block that a short one lasts."""

    counts: tuple[int, ...] = ()
    share: float = 1.0


class Failing(NamedTuple):
    """A requirement that a candidate is shown to fail: the finding it reads, and the bound that fails, in words.

    `same` names coordinates (`batch`) that change nothing for the better in what was asked: more of them would fail as well.
    """

    what: str
    reason: str
    same: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entrant:
    """One candidate in the race.

    `values` is what is preferred, above zero, by the round in which it was measured: equal keys are the same round. `sound`
    says that no requirement is known to be open or failing, so that it may displace others; `relied` that others
    were left out because of it.
    """

    candidate: Candidate
    label: str
    values: Mapping[str, float] = field(default_factory=dict)
    failing: tuple[Failing, ...] = ()
    sound: bool = True
    relied: bool = False

    @property
    def id(self) -> str:
        """The candidate's id."""
        return self.candidate.id


@dataclass(frozen=True)
class Race:
    """All that a search may look at. `running` are still in, `gone` were left out before.

    `compared` counts the candidates that entered, `looks` how often one looks in all: over these an error is to be spent.
    `what` is the preferred finding and `better` its direction; None where nothing is preferred that rounds show. `last` says
    that there will be no more short rounds: who stays now is measured in full. `sure` says that nothing may be assumed any
    more: the study's answer hung on it.
    """

    running: Sequence[Entrant]
    gone: Sequence[Entrant]
    compared: int
    looks: int
    what: str = ""
    better: Literal["higher", "lower"] | None = None
    processors: int | None = None
    last: bool = False
    sure: bool = False


class Leaving(NamedTuple):
    """A candidate that is left out, and why in words; `by` is the candidate that displaces it, where one does."""

    candidate: str
    reason: str
    by: str = ""
