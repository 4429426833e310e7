"""A prediction in words: what it is bound by, which unit idles, what would help and what would not."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from seatrial.contracts.hardware import BATCHES, Forecast, Remedy

WORDS = Path(__file__).parents[1] / "templates" / "hardware.toml"
WORTH = 1.1
"""From this gain on a change is said to help."""


class Advice(NamedTuple):
    """Sentences about a prediction; `helps` and `helps_not` are (change, factor) pairs."""

    bound: str
    idle: str
    why: str
    helps: list[tuple[str, str]]
    helps_not: list[tuple[str, str]]


@cache
def words() -> dict[str, dict[str, str]]:
    """All words, by section."""
    with WORDS.open("rb") as file:
        return tomllib.load(file)


def advice(made: Forecast) -> Advice:
    """What the prediction says, in sentences."""
    idle = {"arithmetic": _percent(1 - made.computing), "memory": _percent(1 - made.moving)}
    more = "arithmetic" if made.computing <= made.moving else "memory"
    side = "below" if made.intensity < made.balance else "above"
    pairs = [(_change(one, made), f"{one.gain:.3g}x as many rows a second", one.gain) for one in made.remedies]
    return Advice(
        bound=words()["bound"][made.limit].format(share=_percent(made.shares[made.limit])),
        idle=words()["idle"][more].format(**idle),
        why=words()["why"][side].format(intensity=figure(made.intensity), balance=figure(made.balance)),
        helps=[(change, gain) for change, gain, factor in pairs if factor >= WORTH],
        helps_not=[(change, gain) for change, gain, factor in pairs if factor < WORTH],
    )


def sentences(made: Forecast) -> list[str]:
    """The same as lines of text, and which kinds of model suit the device."""
    said, told = advice(made), words()["told"]
    helps, helps_not = ("; ".join(f"{change} ({gain})" for change, gain in one) for one in (said.helps, said.helps_not))
    lines = [said.bound, said.idle, said.why, told["helps"].format(listed=helps or words()["result"]["nothing"])]
    lines += [told["helps_not"].format(listed=helps_not)] if helps_not else []
    kinds = (told["kind"].format(kind=one.architecture, share=figure(100 * one.most)) for one in made.suits)
    return [*lines, told["suits"].format(batch=made.batch, kinds=", ".join(kinds))]


def figure(value: float) -> str:
    """A number with about two digits, without an exponent."""
    return f"{value:.2g}" if value < 10 else f"{round(value, -max(0, len(str(int(value))) - 2)):,.0f}"


def rate(value: float, unit: str) -> str:
    """A rate with its prefix: `121 TFLOP/s`, `300 GB/s`."""
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def seconds(value: float) -> str:
    """A duration with its unit: `1.4 ms`."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _change(one: Remedy, made: Forecast) -> str:
    name, _, precision = one.change.partition(":")
    given: dict[str, Any] = {"precision": precision, "batch": made.batch, "rows": made.batch * BATCHES}
    return words()["change"][name].format(**given)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
