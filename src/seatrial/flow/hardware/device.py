"""Where a model would run: this machine as it was calibrated, or a device of the catalogue with what is believed of it.

Of a device that nobody has measured, the best and the worst roof are kept; what no vendor's sheet says stands in `assumptions.toml`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seatrial.contracts.hardware import Accelerator, Level, Range, Reach
from seatrial.flow.hardware import calibrated
from seatrial.flow.hardware.catalogue import assumed, usable
from seatrial.numerics import roofline

MATRIX = ("matmul", "convolution", "recurrent")
"""Kinds that run on matrix units where a device has them."""
VECTOR_OF_MATRIX = 1 / 16
"""Peak outside the matrix units, as a share of theirs, where the vendor gives no fp32 figure: assumed."""
DOUBT = {"high": 1.0, "medium": 1.05, "low": 1.3}
"""By how much a row's figures may be off, by its confidence: assumed; it widens the range."""
QUIET = 0.5
"""Load of a machine up to which it counts as quiet."""
BUSY = "the machine was busy when it was calibrated (load {load:g}): `--fresh` when it is quiet gives a truer and narrower range"


@dataclass(frozen=True)
class Device:
    """Where a model would run: the best and the worst roof that are believed, and bandwidth by working set for either."""

    name: str
    precision: str
    best: roofline.Roof
    worst: roofline.Roof
    rates: tuple[Any, Any]
    factor: float
    promised: float
    bandwidth: float
    integers: float
    """How many times as fast int8 products are as those of the precision."""
    peaks: dict[str, float]
    memory: float | None
    basis: str
    runtime: str = ""
    cached: float | None = None
    off: Mapping[str, float] = field(default_factory=dict)
    """Of a calibrated runtime: logarithm of predicted over measured seconds of calibration models left out of the fit."""
    doubts: tuple[str, ...] = ()

    def middle(self) -> roofline.Roof:
        """The roof between the best and the worst."""
        best, worst = self.best, self.worst
        means = {name: np.sqrt(getattr(best, name) * getattr(worst, name)) for name in ("shares", "flow", "start")}
        return roofline.Roof(best.peak, call=math.sqrt(best.call * worst.call), **means)


def this_machine(
    reached: Reach, levels: Sequence[Level], peaks: dict[str, float], name: str, memory: float | None = None
) -> Device:
    """This machine as a calibrated runtime sees it; `peaks` are measured operations a second by precision."""
    when = f" on {reached.measured_at[:10]}" if reached.measured_at else ""
    roof, rate = calibrated.roof(reached), calibrated.bandwidth(levels)
    own = peaks.get(reached.precision, reached.peak)
    return Device(
        name=name,
        precision=reached.precision,
        best=roof,
        worst=roof,
        rates=(rate, rate),
        factor=reached.factor,
        promised=max(reached.peak, own),
        bandwidth=levels[-1].bandwidth,
        integers=max(1.0, peaks.get("int8", 0.0) / own),
        peaks={reached.precision: own} | peaks,
        memory=memory,
        basis=f"calibrated on {reached.models} small models measured on this machine{when} ({reached.points} measurements); "
        f"nine in ten left out of it were predicted within a factor of {reached.factor:.2f}",
        runtime=reached.runtime,
        cached=max(one.bandwidth for one in levels),
        off=reached.off,
        doubts=(BUSY.format(load=reached.load_1m),) if reached.load_1m > QUIET else (),
    )


def against(one: Device, other: Device, first: float, second: float) -> Range:
    """How many times as fast as another runtime one is that takes `first` seconds where the other takes `second`, on this machine.

    The range is what models taught that were left out of both calibrations: what both are wrong about alike cancels.
    """
    ratio = second / first
    factor = roofline.apart(one.off, other.off) if one.off and other.off else one.factor * other.factor
    return Range(value=ratio, low=ratio / factor, high=ratio * factor, unit="x")


def of_catalogue(row: Accelerator, precision: str | None) -> Device:
    """A device of the catalogue in a precision (its narrowest floating-point one if none is given). Raises `StudyError`."""
    chosen = usable(row, precision)
    assert row.bandwidth is not None
    doubt = DOUBT[row.confidence]
    doubts = [row.note] if row.note else []
    if not row.own_source:
        doubts.insert(0, f"its figures are a lead and not from the vendor's own pages (confidence: {row.confidence})")
    return Device(
        name=row.name,
        precision=chosen,
        best=_roof(row, chosen, 0, doubt),
        worst=_roof(row, chosen, 1, 1 / doubt),
        rates=(_flat(row.bandwidth), _flat(row.bandwidth)),
        factor=1.0,
        promised=row.peaks[chosen],
        bandwidth=row.bandwidth,
        integers=max(1.0, row.peaks.get("int8", 0.0) / row.peaks[chosen]),
        peaks=row.peaks,
        memory=row.memory_bytes,
        basis=f"peaks of the catalogue (confidence: {row.confidence}); share of them: {row.matrix.source}; start-up times and links are assumed",
        doubts=tuple(doubts),
    )


def _roof(row: Accelerator, precision: str, place: int, doubt: float) -> roofline.Roof:
    """The best (`place` 0) or worst (1) roof that is believed of a row."""
    given, peak = assumed()[row.kind], row.peaks[precision]
    matrix, vector, flow, random = (
        (share.high, share.low)[place] * doubt for share in (row.matrix, row.vector, row.memory, row.random)
    )
    plain = min(peak, row.peaks.get("fp32", peak * VECTOR_OF_MATRIX))
    vector *= plain / peak
    link = given["link"][place] / (row.bandwidth or 1.0) if "link" in given else flow
    special = {"lookup": random, "transfer": link}
    return roofline.Roof(
        peak=peak,
        shares=np.array([matrix if kind in MATRIX else vector for kind in roofline.KINDS]),
        flow=np.array([special.get(kind, flow) for kind in roofline.KINDS]),
        start=np.full(len(roofline.KINDS), given["start_s"][place]),
        call=given["call_s"][place],
    )


def _flat(bandwidth: float) -> Callable[[float], float]:
    return lambda _: bandwidth
