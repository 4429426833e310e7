"""What devices that aren't here would do: a line each, what holds the model up there, what would help, and how sure their order is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._view import View
from seatrial.parts.reports._words import clean, words

LATENCY, THROUGHPUT, SPEEDUP = "predicted.latency", "predicted.throughput", "predicted.speedup"
MEMORY, LIMIT = "predicted.memory", "predicted.limit"
SETTINGS = ("model", "variant", "device", "precision", "batch")
MOST = 12
"""Lines in a text."""


class Line(NamedTuple):
    """One model on one device: its name and setting, findings by name, advice in sentences, doubts, the picture, or why there is nothing."""

    name: str
    device: str
    precision: str
    batch: str
    found: dict[str, Finding]
    limit: str
    advice: tuple[str, ...]
    doubts: str
    picture: str
    why: str

    @property
    def title(self) -> str:
        """How it is called in a line."""
        setting = words()["predicted"]["setting"].format(precision=self.precision, batch=self.batch)
        return f"{self.name}{self.device}, {setting}" if self.device else self.name.rstrip(": ")


class Foretold(NamedTuple):
    """The section: a line a device, how each number is written, and what is to be said of the order."""

    lines: tuple[Line, ...]
    forms: dict[str, Form]
    orders: tuple[str, ...]

    def cell(self, line: Line, what: str) -> tuple[str, str]:
        """The number and its range, with no more digits than a prediction bears; empty where there is none."""
        one, how = line.found.get(what), self.forms[what]
        if one is None:
            return "", ""
        ends = () if one.low is None or one.high is None else (one.low, one.high)
        return rough(one.number, how), "–".join(rough(end, how) for end in ends)


def section(shown: View) -> Foretold | None:
    """All that was predicted; None where the study asked for nothing."""
    found: dict[tuple[str, ...], dict[str, Finding]] = {}
    for one in shown.dossier.findings:
        if one.what.startswith("predicted."):
            found.setdefault(tuple(clean(one.at.get(name, "")) for name in SETTINGS), {})[one.what] = one
    if not found:
        return None
    names = _names(list(found))
    lines = [_line(names[key[:2]], key, those) for key, those in found.items()]
    forms = {
        what: form([line.found[what] for line in lines if what in line.found])
        for what in (LATENCY, THROUGHPUT, SPEEDUP, MEMORY)
    }
    return Foretold(tuple(lines), forms, tuple(_orders(lines)))


def brief(told: Foretold) -> Iterator[tuple[str, str]]:
    """The same in a few lines, each with its style."""
    said = words()["predicted"]
    yield said["brief"], "bold"
    for line in told.lines[:MOST]:
        yield f"  {line.title}: {line.why or _in_words(line, told)}", ""
    if len(told.lines) > MOST:
        yield f"  {said['more'].format(count=len(told.lines) - MOST)}", "dim"
    for text in told.orders:
        yield f"  {text}", ""


def _in_words(line: Line, told: Foretold) -> str:
    said = words()["predicted"]
    text = str(said["takes"].format(**_number(line, told, LATENCY)))
    if SPEEDUP in line.found:
        text += str(said["buys"].format(**_number(line, told, SPEEDUP)))
    return text + str(said["held_up"].format(limit=line.limit))


def _number(line: Line, told: Foretold, what: str) -> dict[str, str]:
    value, ends = told.cell(line, what)
    return {"value": told.forms[what].say(value), "range": ends}


def rough(value: float, how: Form) -> str:
    """Two significant digits: `1,300`, `0.042`."""
    shown = value / how.divisor
    places = 1 - math.floor(math.log10(abs(shown))) if shown else 0
    return f"{round(shown, places):,.{max(0, places)}f}"


def _names(keys: list[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """What stands before the device: the model where there are several, the variant likewise; nothing where there is one alone."""
    models, variants = ({key[place] for key in keys} for place in (0, 1))
    named = {}
    for key in keys:
        parts = [key[0]] * (len(models) > 1) + [key[1]] * (len(variants) > 1)
        named[key[:2]] = f"{' '.join(parts)}: " if parts else ""
    return named


def _line(name: str, key: tuple[str, ...], found: dict[str, Finding]) -> Line:
    took, limit = found.get(LATENCY), found.get(LIMIT)
    why = clean(took.note) if took is not None and took.value is None else ""
    artefacts = limit.artefacts if limit else {}
    picture = artefacts.get("roofline", "")
    return Line(
        name if any(key[2:]) or name else f"{key[0]}: ",
        *key[2:],
        found={what: one for what, one in found.items() if one.value is not None},
        limit=clean(limit.value) if limit else "",
        advice=tuple(clean(artefacts.get("advice", "")).split("\n")) if artefacts.get("advice") else (),
        doubts=clean(limit.note) if limit else "",
        picture=picture if picture.startswith("data:image/svg+xml;base64,") else "",
        why=why,
    )


def _orders(lines: list[Line]) -> Iterator[str]:
    """Which device is fastest, at the largest batch of each model and variant; where ranges overlap, that it isn't known."""
    said = words()["predicted"]
    groups: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        if LATENCY in line.found:
            groups.setdefault(line.name, {}).setdefault(line.batch, []).append(line)
    for name, batches in groups.items():
        largest = max(batches, key=int)
        those = sorted(batches[largest], key=lambda line: line.found[LATENCY].number)
        if len(those) < 2:
            continue
        best = those[0]
        ends = [(line, line.found[LATENCY].low or 0.0) for line in those[1:]]
        open_ = [line.device for line, low in ends if low <= (best.found[LATENCY].high or 0.0)]
        key = "order_open" if open_ else "order_settled"
        yield str(said[key].format(name=name, device=best.device, others=", ".join(open_), batch=largest))
