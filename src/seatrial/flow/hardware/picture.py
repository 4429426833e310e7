"""The roofline as a picture: the device's roof, and the model's operators under it, as SVG that stands alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from seatrial.contracts.hardware import Forecast
from seatrial.flow.hardware.advice import figure, rate, seconds, words

TEMPLATES = Path(__file__).parents[1] / "templates"
WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 58, 60
SMALLEST, LARGEST = 3.0, 26.0
"""Radii of marks in pixels: their area is the operator's share of the time."""


class Dot(NamedTuple):
    """An operator, or several alike that stand at one place."""

    x: float
    y: float
    radius: float
    limit: str
    text: str


class Tick(NamedTuple):
    """A power of ten on an axis."""

    at: float
    text: str


class Scale(NamedTuple):
    """Logarithmic, from `low` to `high` onto pixels `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; what lies outside is put at the nearer end."""
        share = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def powers(self) -> list[float]:
        """Powers of ten inside; every third where they are many."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        step = 1 if last - first < 9 else 3
        return [10.0**power for power in range(first, last + 1, step)]


def picture(made: Forecast, model: str) -> str:
    """The picture as SVG. Operators without arithmetic (moving, looking up) are named below it with their share of the time."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    shown = [spot for spot in made.spots if spot.intensity and spot.rate > 0]
    x, y = _scales(made, [spot.intensity or 1.0 for spot in shown], [spot.rate for spot in shown])
    total = made.latency.value
    silent = sum(spot.seconds for spot in made.spots if not spot.intensity) / total
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("roofline.svg.jinja").render(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        bottom=HEIGHT - BOTTOM,
        right=WIDTH - RIGHT,
        top=TOP,
        title=f"{_plain(model)} · {made.device} · {made.precision} · {made.batch} rows a call",
        summary=f"{seconds(made.latency.value)} a call ({seconds(made.latency.low)} to {seconds(made.latency.high)}), predicted",
        roof=_roof(made.roof, made.bandwidth, x, y),
        cached=_roof(made.roof, made.cached, x, y) if made.cached else "",
        cached_text=words()["drawing"]["cached"].format(value=rate(made.cached or 0.0, "B/s")),
        ridge=x.at(made.balance),
        roof_text=words()["drawing"]["roof"].format(value=rate(made.roof, "FLOP/s")),
        slope_text=words()["drawing"]["slope"].format(value=rate(made.bandwidth, "B/s")),
        across=[Tick(x.at(value), figure(value) if value >= 1 else f"{value:g}") for value in x.powers()],
        up=[Tick(y.at(value), rate(value, "")) for value in y.powers()],
        dots=[
            Dot(x.at(spot.intensity or 1.0), y.at(spot.rate), _radius(spot.seconds / total), spot.limit, f"{_plain(spot.name)} ({_plain(spot.type)}): {seconds(spot.seconds)}, {figure(spot.intensity or 0)} operations a byte, {rate(spot.rate, 'FLOP/s')}")
            for spot in sorted(shown, key=lambda one: -one.seconds)
        ],
        limits=words()["limit"],
        present=[limit for limit in words()["limit"] if any(spot.limit == limit for spot in shown)],
        silent=f"{100 * silent:.0f} %",
        words=words()["drawing"],
    )  # fmt: skip


def _scales(made: Forecast, intensities: list[float], rates: list[float]) -> tuple[Scale, Scale]:
    """Axes that hold the roof's corner and every operator, to the next power of ten."""
    across = [*intensities, made.balance / 30, made.balance * 10]
    up = [*rates, made.roof / 100, made.roof]
    low, high = 10.0 ** math.floor(math.log10(min(across))), 10.0 ** math.ceil(math.log10(max(across)))
    return Scale(low, high, LEFT, WIDTH - RIGHT), Scale(
        10.0 ** math.floor(math.log10(min(up))), made.roof * 2, HEIGHT - BOTTOM, TOP
    )


def _roof(peak: float, bandwidth: float, x: Scale, y: Scale) -> str:
    """The line from the left edge up along the bandwidth to the corner, and on along the peak."""
    start, corner = max(x.low, y.low / bandwidth), peak / bandwidth
    points = ((start, start * bandwidth), (corner, peak), (x.high, peak))
    return " ".join(f"{x.at(one)},{y.at(other)}" for one, other in points)


def _radius(share: float) -> float:
    return round(max(SMALLEST, LARGEST * math.sqrt(min(1.0, share))), 1)


def _plain(text: str) -> str:
    """Without what can't be printed, which XML doesn't allow."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
