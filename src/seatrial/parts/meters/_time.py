"""What the meters of time share."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.contracts.finding import Finding
from seatrial.contracts.protocols import Round
from seatrial.contracts.record import Scalar
from seatrial.numerics.ratios import paired_ratio

At = dict[str, Scalar]


def speedup(rounds: Sequence[Round], quantity: str, at: At, level: float, *, inverse: bool) -> list[Finding]:
    """How many times as fast as the reference, paired round by round; `inverse` where less of the quantity is faster."""
    pairs = [(one.reading[quantity], one.reference[quantity]) for one in rounds if one.reference]
    if not pairs:
        return []
    own, other = zip(*pairs, strict=True)
    interval = paired_ratio(other, own, level) if inverse else paired_ratio(own, other, level)
    return [
        Finding(
            what="speedup",
            at=at,
            against="reference",
            value=interval.value,
            low=interval.low,
            high=interval.high,
            level=level,
            unit="x",
            better="higher",
            n=len(pairs),
            unit_of_replication="rounds",
            method=f"{interval.method}; of {quantity.replace('_', ' ')}",
        )
    ]


def over_rounds(what: str, values: Sequence[float], at: At, level: float, unit: str, better: str) -> Finding:
    """The geometric mean of one positive number a round, with a t interval on logarithms."""
    interval = paired_ratio(values, [1.0] * len(values), level)
    return Finding(
        what=what,
        at=at,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        level=level,
        unit=unit,
        better="higher" if better == "higher" else "lower",
        n=len(values),
        unit_of_replication="rounds",
        method=f"geometric mean over {len(values)} rounds, t interval on logarithms",
    )
