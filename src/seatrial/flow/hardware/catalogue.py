"""The catalogue of accelerators: `accelerators.csv`, one row a device, each with its sources and how far it can be relied on."""

from __future__ import annotations

import csv
import difflib
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from seatrial.contracts.hardware import Accelerator, Share
from seatrial.errors import StudyError
from seatrial.numerics.work import WIDTHS

FILE = Path(__file__).with_name("accelerators.csv")
PEAK = ("_tflops", "_tops")
"""What a column's name ends with where it holds a peak, in 10^12 operations a second; what stands before it is the precision."""
CONFIDENCE = {("yes", "A"): "high", ("yes", "B"): "medium", ("no", "A"): "medium"}
"""By own source and grade (A: figures agree, B: some doubt, C: derived or in conflict). What isn't the vendor's own is a lead: one step lower."""
ASSUMED = Path(__file__).with_name("assumptions.toml")


@cache
def devices() -> tuple[Accelerator, ...]:
    """All rows, in the file's order."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(_device(row) for row in csv.DictReader(file))


def find(name: str) -> Accelerator:
    """The device of that name; a part of a name will do where it is the only one. Raises `StudyError` with the nearest names."""
    asked = _plain(name)
    exact = [one for one in devices() if asked in (_plain(one.name), _plain(one.name.removeprefix(one.vendor)))]
    found = exact or [one for one in devices() if asked and asked in _plain(one.name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StudyError(
            f"`{name}` may be {', '.join(one.name for one in found)}", next_step=f"say which: `{found[0].name}`"
        )
    names = {_plain(one.name): one.name for one in devices()}
    near = difflib.get_close_matches(asked, names, n=1, cutoff=0.4)
    step = f"did you mean `{names[near[0]]}`? " if near else ""
    raise StudyError(
        f"there is no `{name}` in the catalogue", next_step=f"{step}`seatrial hardware --catalogue` lists it"
    )


def usable(row: Accelerator, precision: str | None = None) -> str:
    """The precision in which a model can be predicted on a row: the one asked for, else one of two bytes where there is one.

    Raises `StudyError` where the row lacks it, or the bandwidth without which nothing can be predicted.
    """
    wide = (one for one in row.peaks if WIDTHS[one] == WIDTHS["bf16"])
    chosen = precision or next(wide, next(iter(row.peaks)))
    if chosen not in row.peaks:
        raise StudyError(
            f"the catalogue has no {chosen} peak for {row.name}", next_step=f"take one of {', '.join(row.peaks)}"
        )
    if row.bandwidth is None:
        raise StudyError(
            f"the catalogue has no memory bandwidth for {row.name}, and without one nothing can be predicted",
            next_step="`seatrial hardware --catalogue` shows which rows have one",
        )
    return chosen


def wrong(names: Sequence[str], precision: str | None) -> Iterator[tuple[int, str, str]]:
    """Of devices that a study names: the place, the fault, the next step."""
    for place, name in enumerate(names):
        try:
            usable(find(name), precision)
        except StudyError as error:
            yield place, error.what, error.next_step


@cache
def assumed() -> dict[str, dict[str, Any]]:
    """What no vendor's sheet says, by sort of device: (best, worst) pairs and their `source`."""
    with ASSUMED.open("rb") as file:
        return tomllib.load(file)


def _share(kind: str, what: str) -> Share:
    given = assumed()[kind]
    return Share(low=given[what][1], high=given[what][0], source=given["source"])


def _device(row: dict[str, str]) -> Accelerator:
    peaks = {
        column.removesuffix(end): float(value) * 1e12
        for column, value in row.items()
        for end in PEAK
        if column.endswith(end) and value
    }
    return Accelerator(
        name=row["name"],
        vendor=row["vendor"],
        kind=row["kind"],
        year=int(row["year"]),
        peaks=peaks,
        memory_bytes=_number(row["mem_gb"], 1e9),
        bandwidth=_number(row["mem_bw_gbs"], 1e9),
        power_w=_number(row["tdp_w"], 1.0),
        own_source=row["own_source"] == "yes",
        confidence=CONFIDENCE.get((row["own_source"], row["grade"]), "low"),
        sources=tuple(filter(None, (one.strip() for one in row["source"].split(";")))),
        note=row["note"],
        matrix=Share(low=float(row["share_low"]), high=float(row["share_high"]), source=row["share_source"]),
        vector=_share(row["kind"], "vector"),
        memory=_share(row["kind"], "memory"),
        random=_share(row["kind"], "random"),
    )


def _number(text: str, factor: float) -> float | None:
    return float(text) * factor if text else None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
