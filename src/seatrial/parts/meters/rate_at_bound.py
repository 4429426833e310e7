"""The highest rate that kept a bound of latency while `server` searched for it, and the lowest shown not to.

Each probe is held to LoadGen's rule for its server scenario: so many queries, so few over the bound. The rate that is stated was itself
measured, held in every round in which it was tried, and lies below every rate at which a probe didn't hold. It is no interval:
between the two rates, and above, nothing is claimed, and that a higher rate is harder is assumed nowhere but in the choice of
what to try next.

Its lower bound is stated where more than LoadGen's rule is shown: the percentile's upper bound over all rounds keeps the
bound, queries that wait for each other allowed for, and all rates that were tried share the confidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seatrial.contracts.events import Bound
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.numerics.distributions import binomial_cdf
from seatrial.numerics.percentiles import discards
from seatrial.numerics.queues import percentile_in_queue
from seatrial.parts.meters import _legs

ACCEPTS = {"load": ("server",)}
GIVES = {"finding": ("rate_at_bound", "rate_at_bound.fails"), "instances": ("many",)}
CANNOT = {
    "mlperf": ("never", "each probe is far shorter than a valid run of MLPerf's; LoadGen-style, unverified"),
}

_NO_SEARCH = "the load searched for no rate: `server: {rate: 100, find: {latency: 50 ms}}`"
_CONFIDENCE = 0.99


class Options(PartOptions):
    """There is nothing to set: the load says what it searched for."""


class Tried(NamedTuple):
    """One probe: its latencies in seconds, infinite where a query was never sent; how many were over the bound for certain (what was
    never sent had waited so long); and whether it held (None: too few queries to say).
    """

    late: Any
    over: int
    held: bool | None


Rates = dict[float, list[Tried]]


def read(probe: Probe) -> Reading:
    """Latencies of each probe."""
    assert probe.events is not None
    return {"legs": [leg for leg in _legs.read(probe.events).get("legs", ()) if leg["bound"]]}


def together(read: Sequence[Reading]) -> Reading:
    """Instances that shared the arrivals: each has the whole."""
    return _legs.together(read)


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """The highest rate that held and the lowest that is shown not to."""
    legs = [leg for one in rounds for leg in one.reading["legs"]]
    if not legs:
        for what in GIVES["finding"]:
            yield missing(what, State.TOO_FEW, _NO_SEARCH, at={"load": load}, method="nothing was searched for")
        return
    bound = Bound(*legs[0]["bound"])
    tried: Rates = {}
    for leg in sorted(legs, key=lambda leg: float(leg["rate"])):
        tried.setdefault(float(leg["rate"]), []).append(_tried(leg, bound))
    at = {"load": load, "latency": bound.latency, "percentile": bound.percentile}
    yield _highest(tried, bound, level, at)
    yield _lowest(tried, bound, at)


def _tried(leg: Reading, bound: Bound) -> Tried:
    """A probe by LoadGen's rule. The last of a leg's latencies are the waits of queries that were never sent."""
    late = np.array(leg.get("latencies", ()), np.float64)
    over = int((late > bound.latency).sum())
    if leg["unsent"]:
        late[-leg["unsent"] :] = np.inf
    may = discards(late.size, bound.percentile / 100) if late.size else None
    return Tried(late, over, None if may is None else bool((late > bound.latency).sum() <= may))


def _highest(tried: Rates, bound: Bound, level: float, at: dict[str, Any]) -> Finding:
    method = (
        f"highest rate tried whose every probe had enough queries and few enough over {bound.latency:g} s for "
        f"p{bound.percentile:g} (order statistics, 99 %), below every rate with a probe that didn't hold; LoadGen-style, unverified"
    )
    ends = [rate for rate, probes in tried.items() if not all(one.held for one in probes)]
    held = [rate for rate in tried if rate < min(ends, default=np.inf)]
    said = _bracket(tried, ends)
    if not held:
        return missing("rate_at_bound", State.TOO_FEW, said, at=at, method=method)
    confidence = max(_CONFIDENCE, (1.0 + level) / 2.0)
    spent = 1.0 - (1.0 - confidence) / len(tried)
    shown = percentile_in_queue([one.late for one in tried[held[-1]]], bound.percentile / 100, spent)
    sure = shown.high is not None and shown.high <= bound.latency
    return Finding(
        what="rate_at_bound",
        at=at,
        value=held[-1],
        low=held[-1] if sure else None,
        level=2.0 * confidence - 1.0,
        unit="samples/s",
        better="higher",
        n=len(tried[held[-1]]),
        unit_of_replication="probes",
        method=method,
        state=State.OK if sure else State.TOO_FEW,
        note=said if sure else f"{said}; it holds by LoadGen's rule alone: {_unsure(shown.high, shown.method)}",
    )


def _unsure(high: float | None, method: str) -> str:
    return method if high is None else f"over all rounds it may be as much as {high:.3g} s"


def _bracket(tried: Rates, ends: list[float]) -> str:
    """How the two rates are to be read, in words."""
    if not ends:
        return f"all rates tried held, up to {max(tried):.4g} a second: a higher one may, too; allow more `probes`"
    probes = tried[min(ends)]
    short = sum(one.held is None for one in probes)
    why = f"{len(probes) - short} of {len(probes)} probes didn't hold"
    if short:
        why = f"{short} of {len(probes)} probes had too few queries to say"
    above = [rate for rate in tried if rate > min(ends) and all(one.held for one in tried[rate])]
    more = f"; a higher one, {max(above):.4g}, held where it was tried and isn't counted" if above else ""
    return f"at {min(ends):.4g} a second {why}; between the two nothing was tried{more}"


def _lowest(tried: Rates, bound: Bound, at: dict[str, Any]) -> Finding:
    """The lowest rate at which so many queries were over the bound that the percentile is above it, with 99 % confidence."""
    method = f"more queries over {bound.latency:g} s than p{bound.percentile:g} allows: binomial test at 1 % for all probes together, as if queries were independent"
    probes = [(rate, one) for rate, those in tried.items() for one in those]
    for rate, one in probes:
        chance = 1.0 - binomial_cdf(one.over - 1, one.late.size, 1.0 - bound.percentile / 100) if one.over else 1.0
        if chance <= (1.0 - _CONFIDENCE) / len(probes):
            return Finding(
                what="rate_at_bound.fails", at=at, value=rate, unit="samples/s", better="higher", n=len(tried[rate]),
                unit_of_replication="probes", method=method, note=f"at least {one.over} of {one.late.size} queries took longer",
            )  # fmt: skip
    return missing("rate_at_bound.fails", State.TOO_FEW, "no rate tried is shown to fail", at=at, method=method)
