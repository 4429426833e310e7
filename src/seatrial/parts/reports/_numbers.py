"""Numbers as people read them: a unit that suits their size, and no more digits than the interval bears."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._words import about

_LADDERS = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Form(NamedTuple):
    """How a quantity is written: divided by `divisor`, followed by `unit`; `decimals` None means three significant digits."""

    divisor: float
    unit: str
    decimals: int | None = None

    def digits(self, value: float) -> str:
        """The number alone, with a real minus and commas between thousands."""
        shown = value / self.divisor
        if self.decimals is None and 0 < abs(shown) < 1e-3:
            return _tiny(shown)
        text = f"{shown:,.{self._decimals(shown)}f}"
        return f"−{text[1:]}" if text.startswith("-") and float(text.replace(",", "")) else text.lstrip("-")

    def text(self, value: float) -> str:
        """The number with its unit."""
        return self.say(self.digits(value))

    def say(self, digits: str) -> str:
        """Digits with this unit: `2.61×`, `1.3 ms`, `0.5 pp`, `12`."""
        return f"{digits}{'' if self.unit in ('', '×') else ' '}{self.unit}"

    def _decimals(self, shown: float) -> int:
        if self.decimals is not None:
            return self.decimals
        return 0 if shown == 0 else max(0, min(6, 2 - math.floor(math.log10(abs(shown)))))


def _tiny(value: float) -> str:
    """`2.4×10⁻⁶`."""
    lead, _, power = f"{value:.1e}".partition("e")
    return f"{lead.replace('-', '−')}×10{str(int(power)).translate(_RAISED)}"


def form(findings: Sequence[Finding]) -> Form:
    """One way of writing that suits all these findings, which speak of the same quantity."""
    with_number = [finding for finding in findings if isinstance(finding.value, int | float)]
    if not with_number:
        return Form(1.0, "")
    first, kind = with_number[0], about(with_number[0].what)["kind"]
    if first.unit in _LADDERS:
        return Form(*_rung(first.unit, [finding.number for finding in with_number]))
    if kind in ("share", "change") and not first.unit:
        return Form(0.01, "%" if kind == "share" else "pp", 1 if _wide(with_number) else 2)
    return Form(1.0, "×" if first.unit == "x" else first.unit)


def _rung(unit: str, values: list[float]) -> tuple[float, str]:
    sizes = sorted(map(abs, values))
    typical = math.sqrt(sizes[len(sizes) // 2] * sizes[-1])
    return next((rung for rung in _LADDERS[unit] if typical >= rung[0]), _LADDERS[unit][-1])


def _wide(findings: Iterable[Finding]) -> bool:
    """Whether intervals are so wide that hundredths of a per cent mean nothing."""
    halves = sorted(half for finding in findings if (half := half_width(finding)) is not None)
    return bool(halves) and halves[len(halves) // 2] >= 0.005


def half_width(finding: Finding) -> float | None:
    """The distance from the value to its farthest bound; None without bounds."""
    bounds = [bound for bound in (finding.low, finding.high) if bound is not None]
    return max((abs(bound - finding.number) for bound in bounds), default=None)


def interval(finding: Finding, how: Form) -> str:
    """`2.55–2.67`, or the one bound there is: `≤ 1.30`."""
    low, high = finding.low, finding.high
    if low is not None and high is not None:
        dash = " to " if low < 0 else "–"
        return f"{how.digits(low)}{dash}{how.digits(high)}"
    if high is not None:
        return f"≤{how.digits(high)}"
    return "" if low is None else f"≥{how.digits(low)}"


def bound(finding: Finding, how: Form) -> str:
    """The bound on the bad side: `≤1.30` where lower is better, `≥88.1` where higher is."""
    if finding.better == "higher":
        return "" if finding.low is None else f"≥{how.digits(finding.low)}"
    return "" if finding.high is None else f"≤{how.digits(finding.high)}"


def count(share: float, n: int) -> int:
    """How many of `n` rows a share is."""
    return round(share * n)


def per_cent(level: float) -> str:
    """A confidence level: .95 is `95 %`, .9875 is `98.8 %`."""
    return f"{100 * level:.4g} %"
