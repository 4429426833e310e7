"""What loads and meters offer: how a session is driven by the clock, and what is read off meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.events import Events
from seatrial.contracts.finding import Finding
from seatrial.contracts.values import Values

if TYPE_CHECKING:
    from seatrial.contracts.protocols import Session


@dataclass(frozen=True)
class Feed:
    """Rows to send. `query(samples)` gives ready batches over and over, made before the clock runs."""

    values: Values
    rows: int

    def queries(self, samples: int, most: int = 64) -> list[Values]:
        """Up to `most` different batches of `samples` rows each, in row order, wrapping round at the end."""
        import numpy as np

        count = max(1, min(most, -(-self.rows // samples)))
        picks = [np.arange(start * samples, (start + 1) * samples) % self.rows for start in range(count)]
        return [{name: np.ascontiguousarray(value[pick]) for name, value in self.values.items()} for pick in picks]


class Load(Protocol):
    """`parts/loads`: a way of driving a session.

    Optional: `prepare(options, folder) -> options` reads what they name in the study's folder, before any worker has them;
    `warm(session, queries, samples, options) -> Events` stands in for `drive` while a candidate warms up. An option `round`
    is set to the number of the round, the same for all candidates in it.
    """

    def samples(self, batch: int) -> int:
        """Rows a query for a candidate of this batch size."""
        ...

    def drive(self, session: Session, queries: Sequence[Values], samples: int, options: Any) -> Events:
        """Send queries by the clock and say when each was issued and done. Nothing but that happens inside."""
        ...


Reading = dict[str, Any]
"""What a meter read off one block: numbers, and arrays of numbers."""


@dataclass(frozen=True)
class Probe:
    """What a meter may look at inside the worker after a block: the events, how the session came to be and what it `spent`, what its own `begin` gave."""

    events: Events | None
    opening: Mapping[str, float]
    artefact: Artefact
    device: str = "cpu"
    options: Any = None
    begun: Any = None
    spent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Round:
    """One round of one load as meters read it: the candidate's reading and, unless it is the reference, the reference's."""

    index: int
    reading: Reading
    reference: Reading | None = None
    disturbed: bool = False


class Meter(Protocol):
    """`parts/meters`: something read off while it runs. May also have `begin(device, options)`, called just before each block."""

    def read(self, probe: Probe) -> Reading:
        """Inside the worker, after a block."""
        ...

    def findings(self, rounds: Sequence[Round], load: str, level: float, options: Any) -> Iterable[Finding]:
        """From all rounds of one load. Findings come without candidate, part and date: `flow` fills them in."""
        ...
