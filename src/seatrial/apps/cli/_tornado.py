"""A tornado picture: how far each input moves a figure, the widest on top; drawn as SVG that stands alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

_WIDTH, _NAMES, _ROW, _TOP = 860, 300, 26, 34
_STEADY, _CHANGED, _INK, _GRID = "#1d70a2", "#c2410c", "#64748b", "#94a3b8"


class Bar(NamedTuple):
    """An input: the figure at its low and high value (None: it can't be), and whether another choice is better there."""

    name: str
    low: float | None
    high: float | None
    low_changes: bool = False
    high_changes: bool = False


def tornado_svg(bars: Sequence[Bar], middle: float, title: str, changed: str) -> str:
    """The picture, with its numbers in `title` elements and as a description. What can't be has no bar and says so."""
    ends = [value for bar in bars for value in (bar.low, bar.high) if value is not None] + [middle]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.12 or abs(middle) * 0.1 or 1.0
    span = _WIDTH - _NAMES - 20

    def at(value: float) -> float:
        return round(_NAMES + span * (value - low + room) / (high - low + 2 * room), 1)

    height = _TOP + _ROW * len(bars) + 34
    rows = [_row(bar, _TOP + index * _ROW, at, middle) for index, bar in enumerate(bars)]
    described = "; ".join(f"{bar.name}: {_say(bar.low)} to {_say(bar.high)}" for bar in bars)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">',
        f"<title>{escape(title)}</title><desc>{escape(described)}</desc>",
        f'<text x="0" y="16" font-weight="650">{escape(title)}: {_say(middle)}</text>',
        *rows,
        f'<path d="M{at(middle)} {_TOP - 6}V{height - 30}" stroke="{_INK}"/>',
        *([f'<rect x="0" y="{height - 20}" width="12" height="12" fill="{_CHANGED}"/><text x="18" y="{height - 10}">{escape(changed)}</text>'] if any(bar.low_changes or bar.high_changes for bar in bars) else []),
        "</svg>",
        "",
    ])  # fmt: skip


def _row(bar: Bar, y: int, at: Callable[[float], float], middle: float) -> str:
    drawn = [f'<text x="{_NAMES - 10}" y="{y + 15}" text-anchor="end">{escape(bar.name)}</text>']
    ends: list[tuple[float, float]] = []
    for value, changes in ((bar.low, bar.low_changes), (bar.high, bar.high_changes)):
        if value is None:
            continue
        one, other = sorted((at(value), at(middle)))
        colour = _CHANGED if changes else _STEADY
        ends.append((at(value), value))
        drawn.append(f'<rect x="{one}" y="{y + 3}" width="{max(other - one, 5.0 if changes else 1.0):.1f}" height="{_ROW - 8}" fill="{colour}" fill-opacity=".75"><title>{escape(bar.name)}: {_say(value)}</title></rect>')  # fmt: skip
    for x, value in ends:
        side, way = ("end", -5) if x <= at(middle) and (len(ends) < 2 or x == min(ends)[0]) else ("start", 5)
        drawn.append(f'<text x="{x + way:.1f}" y="{y + 15}" text-anchor="{side}" font-size="11">{_say(value)}</text>')
    return "".join(drawn)


def _say(value: float | None) -> str:
    return "can't be" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
