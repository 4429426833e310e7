"""What a requirement says: the options that rules share, and a limit ready to be held against findings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.glossary import term
from seatrial.contracts.part import PartOptions
from seatrial.contracts.quantity import parse
from seatrial.contracts.record import Scalar
from seatrial.parts.rules._words import apart, subject, unit_of


def _readable(written: str | float) -> str | float:
    parse(written)
    return int(written) if isinstance(written, float) and written.is_integer() else written


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else [given]


Written = Annotated[float | str, AfterValidator(_readable)]
"""A number with its unit as people write it: `5 ms`, `0.5 pp`, `0.88`."""


def _not_below_zero(written: str | float) -> str | float:
    if parse(written).value < 0:
        raise ValueError(f"a margin of {written} would ask for a gain; 0 is the least margin")
    return written


Margin = Annotated[Written, AfterValidator(_not_below_zero)]
"""How much worse than the reference is still acceptable."""

At = Annotated[dict[str, Scalar], Field(description="the setting of the finding: `{load: single_stream}`, `{k: 3}`")]

Accepted = Annotated[
    tuple[Literal["declared"], ...],
    BeforeValidator(_listed),
    Field(description="`declared`: let a figure that somebody stated count like a measured one"),
]


def shown(drop: str) -> str:
    """The unit in which a paired difference is told where none was written: percentage points, unless it is known to be no share."""
    known = term(drop)
    return "pp" if known is None or known.kind == "change" else ""


class Limited(PartOptions):
    """A limit on one finding."""

    what: str = Field(description="the finding that is limited, like `latency.p99` or `accuracy`")
    bound: Written = Field(description="the limit with its unit, like `5 ms`, `40 MB` or `0.88`")
    at: At = {}
    accept: Accepted = ()


class Limit(NamedTuple):
    """A requirement: `most` tells `at most` from `at least`; `shown_in` is the unit for figures where none was written."""

    rule: str
    what: str
    at: dict[str, Scalar]
    written: str | float
    most: bool
    accept: tuple[str, ...] = ()
    shown_in: str = ""

    @property
    def value(self) -> float:
        """The limit in the base unit."""
        return parse(self.written).value

    @property
    def unit(self) -> str:
        """The base unit of the limit; empty for a plain number."""
        return parse(self.written).unit

    @property
    def side(self) -> str:
        """`at most` or `at least`."""
        return "at most" if self.most else "at least"

    @property
    def requirement(self) -> str:
        """The requirement in words: `accuracy drop at most 0.5 pp`."""
        return f"{subject(self.what, self.at)} {self.side} {self.written}"

    def beyond(self, number: float) -> bool:
        """Whether a number breaks the limit."""
        return number > self.value if self.most else number < self.value

    def near(self, finding: Finding) -> float | None:
        """The bound that must be within the limit for a pass."""
        return finding.high if self.most else finding.low

    def far(self, finding: Finding) -> float | None:
        """The bound that must be beyond the limit for a failure."""
        return finding.low if self.most else finding.high

    def say(self, number: float | None, unit: str) -> str:
        """A number in the unit in which the limit was written, with digits enough to tell it from the limit."""
        return "" if number is None else apart(number, self.value, unit, unit_of(str(self.written)) or self.shown_in)
