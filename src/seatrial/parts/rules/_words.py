"""Words of the rules: figures in readable units, and the sentences a judgement may say.

An engineer reads these in a terminal: they are short, and figures carry the unit in which the limit was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from seatrial.contracts.finding import Finding, State
from seatrial.contracts.glossary import term
from seatrial.contracts.quantity import UNITS
from seatrial.contracts.record import Scalar

P_VALUE = "p"
"""The unit of a p-value. It says how surprising a difference is, not how large: no rule decides by it."""

# Each reason is a statement that can stand alone, then its details in brackets.
REASONS = {
    "pass": "{subject} {side} {near} ({confidence} confidence; measured {value}, {n})",
    "fail": "{subject} {other_side} {far} ({confidence} confidence; measured {value}, {n})",
    "value fails": "{subject} {value}, beyond {limit} (the measured value decides: the method gives no bound on that side; {n})",
    "exact pass": "{subject} {value} ({method})",
    "exact fail": "{subject} {value}, beyond {limit} ({method})",
    "between": "{subject} {value}, from {low} to {high} ({limit} lies between; {confidence} confidence on either side, {n})",
    "reaches": "{subject} {value}, {side} {near} ({limit} lies between; {confidence} confidence, {n})",
    "no bound": "{subject} {value}, without the {which} bound that is needed ({method})",
    "unbounded": "{subject} {value}, with unknown uncertainty ({method})",
    "level": "{subject} is bounded with {has}, this decision needs {needs}",
    "word": "{subject} is the word `{value}`: no limit can be held against it",
    "p-value": "{subject} is a p-value, which says how surprising a difference is, not how large: require the difference",
    "unit": "{subject} is in {unit}, the limit is `{limit}`: write it in {like}",
    "origin": "{subject} is {origin}, not measured",
    "not accepted": "{subject} is declared, not measured (`accept: declared` lets it count)",
    "settings": "{subject} was found under several settings: name one with `at` ({settings})",
    "not looked at": "{subject} was not measured",
    "missing": "{subject} is missing, {state}: {note}",
    "state": "{subject} {value}, but {words}{note}",
}

STATES = {
    State.DISTURBED: "measured while the machine did other things",
    State.UNSTABLE: "measured before it had become steady",
    State.TOO_FEW: "there is too little for a bound",
}

SETTLES = {
    "more": "about {more} more {units} would settle it ({total} in all), if the value stays where it is",
    "never": "no number of {units} would settle it: the value is at the limit, or too close to it",
    "no bound": "more {units} would not settle it: the method gives no {which} bound",
    "unknown": "more {units} would settle it; how many can't be said, as it isn't stated how many there were",
}

REMEDIES = {
    State.TOO_FEW: "more {units} would give it a bound",
    State.DISTURBED: "measure it again with `--fresh` on a quiet machine",
    State.UNSTABLE: "measure it again with `--fresh`; if it stays so, it has no steady state",
}

RATIO = "{value} ({low} to {high})"

_READABLE = {"s": ("s", "ms", "µs", "ns"), "B": ("GB", "MB", "kB", "B")}


def figure(value: float, unit: str, written: str = "", digits: int = 3) -> str:
    """A number in a base `unit` as people write it: 0.0052 s is `5.2 ms`. `written` names the unit to use."""
    symbol = written if written and UNITS[written][1] == unit else _symbol(value, unit)
    number = plain(value / UNITS.get(symbol, (1.0, ""))[0], digits)
    return f"{number}{'' if symbol in ('', 'x') else ' '}{symbol}"


def plain(number: float, digits: int = 3) -> str:
    """A number with so many significant digits and no exponent where it can be helped: `0.0345`, `12`, `12,346`."""
    return f"{number:,.0f}" if abs(number) >= 10**digits else f"{number:.{digits}g}"


def about(count: int) -> str:
    """A number that was worked out ahead, no finer than it can be known: 504,522 is `510,000`, rounded up."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"{-(-count // step) * step:,}"


def apart(value: float, limit: float, unit: str, written: str) -> str:
    """The figure of `value`, with more digits where three would not tell it from the limit."""
    for digits in range(3, 9):
        told = figure(value, unit, written, digits)
        if value == limit or told != figure(limit, unit, written, digits):
            return told
    return figure(value, unit, written, 9)


def confidence(level: float) -> str:
    """The one-sided confidence of a bound whose two-sided level is `level`: .90 is `95 %`."""
    return f"{plain(50 * (1 + level), 4)} %"


def subject(what: str, at: Mapping[str, Scalar] | None = None) -> str:
    """A finding's name as people say it: `accuracy drop`, `mae rise` (what gets worse by rising), `latency.p99 {load: single_stream}`."""
    known = term(what.removesuffix(".drop"))
    worse = "rise" if known is not None and known.better == "lower" else "drop"
    return re.sub(r"\.drop$", f" {worse}", what) + (f" {settings(at)}" if at else "")


def settings(at: Mapping[str, Scalar]) -> str:
    """The setting of a finding as it stands in a study file: `{load: offline}`."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in sorted(at.items())) + "}"


def count(finding: Finding) -> str:
    """How much a finding rests on: `10,000 rows`."""
    return "n unknown" if finding.n is None else f"{finding.n:,} {finding.unit_of_replication}".strip()


def unit_of(written: str) -> str:
    """The unit of a quantity as it was written: `ms` of `5 ms`."""
    return re.sub(r"^\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*", "", written).strip()


def _symbol(value: float, unit: str) -> str:
    readable = _READABLE.get(unit, ())
    return next(
        (symbol for symbol in readable if abs(value) >= UNITS[symbol][0]), readable[-1] if value and readable else unit
    )
