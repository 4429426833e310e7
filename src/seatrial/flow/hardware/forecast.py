"""What a model would do on a device: latency and throughput with a range, what bounds it, and what would change it.

On this machine the range comes from models that were left out of the calibration. On a device of the catalogue it runs from the
best to the worst of what its row and `assumptions.toml` give; the value is their geometric mean. Either is *predicted*: no
requirement passes on it.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.hardware import BATCHES, Forecast, Limit, Operator, Range, Remedy, Spot, Suit, Work
from seatrial.errors import StudyError
from seatrial.flow.hardware import operators, probes
from seatrial.flow.hardware.advice import rate, words
from seatrial.flow.hardware.device import Device
from seatrial.numerics import roofline
from seatrial.numerics.work import WIDTHS

HALF, TWICE = 0.5, 2.0
INTEGERS = "how much int8 brings is open: the range runs from {gain:.2g}x, as large matrix products gain, to nothing"
Count = Callable[[int, int], Work]
"""The work of a model for so many rows with numbers so many bytes wide."""


def forecast(device: Device, count: Count, batch: int) -> Forecast:
    """The prediction for a model, counted by `count`, at this batch."""
    work = count(batch, WIDTHS[device.precision])
    low, high, value = _seconds(device, work)
    spots, parts = _spots(device, work)
    total = sum(parts.values())
    shares = {limit: seconds / total for limit, seconds in parts.items()}
    split = _split(device, work)
    peak, doubts = device.promised, list(device.doubts)
    if any(one.quantised for one in work.operators) and device.integers > 1:
        doubts.append(INTEGERS.format(gain=device.integers))
    fits = fitting(device, work)
    if fits is False:
        too_large = words()["told"]["too_large"]
        doubts.insert(0, too_large.format(needs=rate(work.needed, "B"), has=rate(device.memory or 0.0, "B")))
    if work.uncounted:
        doubts.append(f"not counted, so the figures are too good: {'; '.join(work.uncounted[:4])}")
    return Forecast(
        device=device.name,
        runtime=device.runtime,
        precision=device.precision,
        batch=batch,
        latency=Range(value=value, low=low, high=high),
        throughput=Range(value=batch / value, low=batch / high, high=batch / low, unit="samples/s"),
        shares=shares,
        limit=max(shares, key=lambda one: shares[one]),
        busy=work.flops / value / peak,
        computing=min(1.0, float(split.compute.sum()) / value),
        moving=min(1.0, float(split.move[_inside(work)].sum()) / value),
        balance=peak / device.bandwidth,
        intensity=work.flops / max(1.0, work.bytes),
        needs=work.needed,
        memory=device.memory,
        fits=fits,
        roof=peak,
        bandwidth=device.bandwidth,
        cached=device.cached,
        spots=tuple(spots),
        remedies=tuple(_remedies(device, count, batch)),
        suits=tuple(suits(device, batch)),
        basis=device.basis,
        doubts=tuple(doubts),
    )


def fitting(device: Device, work: Work) -> bool | None:
    """Whether a model fits a device's memory; None where that isn't known."""
    return None if device.memory is None else work.needed <= device.memory


def suits(device: Device, batch: int) -> list[Suit]:
    """For kinds of model at this batch, the most of the device's arithmetic that its memory can feed."""
    found = []
    for name, make in probes.ARCHETYPES.items():
        work = _archetype(make, batch, WIDTHS[device.precision])
        most = min(1.0, work.flops / work.bytes * device.bandwidth / device.promised)
        found.append(Suit(architecture=name, intensity=work.flops / work.bytes, most=most))
    return sorted(found, key=lambda one: -one.most)


def file_counter(file: Path, axes: Mapping[str, int], rows: Mapping[str, Sequence[int]] | None = None) -> Count:
    """Counts an ONNX file, its free axes bound by name or by the shape of one row of an input."""
    return cache(lambda batch, width: operators.read(file, batch, axes, width, rows))


def seconds(device: Device, count: Count, batch: int) -> Range:
    """Seconds a call alone, without the rest of a forecast."""
    low, high, value = _seconds(device, count(batch, WIDTHS[device.precision]))
    return Range(value=value, low=low, high=high)


@cache
def _archetype(make: Callable[[], probes.Net], batch: int, width: int) -> Work:
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        return operators.read(make().save(Path(folder)), batch, width=width)


def _faster_integers(work: Work, gain: float) -> list[Operator]:
    """Operators with what the file runs in int8 counted as so much less arithmetic as the device may do it faster."""
    return [one.model_copy(update={"flops": one.flops / gain}) if one.quantised else one for one in work.operators]


def _seconds(device: Device, work: Work) -> tuple[float, float, float]:
    """Least, most and middle seconds of a call. At worst int8 brings nothing: not every operator gains as matrix products do."""
    ends = []
    for roof, flow, gain in zip((device.best, device.worst), device.rates, (device.integers, 1.0), strict=True):
        load = roofline.load([_faster_integers(work, gain)], flow)
        ends.append(float(roofline.seconds(load, roof)[0]))
    low, high = ends[0] / device.factor, ends[1] * device.factor
    return low, high, math.sqrt(low * high)


def _split(device: Device, work: Work) -> roofline.Split:
    load = roofline.load([_faster_integers(work, math.sqrt(device.integers))], device.rates[0])
    return roofline.split(load, device.middle())


def _inside(work: Work) -> list[bool]:
    """Which of the operators that take time are inside the device, and not on the link to it."""
    return [one.kind != "transfer" for one in work.operators if one.kind != "free"]


def _spots(device: Device, work: Work) -> tuple[list[Spot], dict[Limit, float]]:
    """Every operator in the prediction, and the seconds of all by what they go to."""
    split = _split(device, work)
    parts: dict[Limit, float] = {"arithmetic": 0.0, "data": 0.0, "waiting": device.middle().call, "link": 0.0}
    spots = []
    counted = [one for one in work.operators if one.kind != "free"]
    for one, compute, move, start in zip(counted, split.compute, split.move, split.start, strict=True):
        carried: Limit = "link" if one.kind == "transfer" else "data"
        larger: Limit = "arithmetic" if compute >= move else carried
        limit: Limit = larger if max(compute, move) >= start else "waiting"
        seconds = float(max(compute, move) + start)
        parts[larger] += float(max(compute, move))
        parts["waiting"] += float(start)
        moved = one.weights + one.moved
        spots.append(
            Spot(
                name=one.name,
                type=one.type,
                kind=one.kind,
                intensity=one.flops / moved if moved and one.flops else None,
                rate=one.flops / seconds if seconds else 0.0,
                seconds=seconds,
                limit=limit,
            )
        )
    return spots, parts


def _remedies(device: Device, count: Count, batch: int) -> list[Remedy]:
    """What was tried on paper: the same model of time with one thing changed."""
    middle = device.middle()

    def rows_a_second(changed: Device, rows: int = batch) -> float:
        return rows / _seconds(changed, count(rows, WIDTHS[changed.precision]))[2]

    link = np.array([kind == "transfer" for kind in roofline.KINDS])

    def with_roof(**factors: Any) -> Device:
        roof = roofline.faster(middle, **factors)
        return replace(device, best=roof, worst=roof, rates=(device.rates[0], device.rates[0]))

    base = rows_a_second(with_roof())
    tried = {
        "arithmetic": rows_a_second(with_roof(peak=TWICE)) / base,
        "bandwidth": rows_a_second(with_roof(flow=np.where(link, 1.0, TWICE))) / base,
        "link": rows_a_second(with_roof(flow=np.where(link, TWICE, 1.0))) / base,
        "starts": rows_a_second(with_roof(start=HALF, call=HALF)) / base,
    }
    with contextlib.suppress(StudyError):  # the file may allow no other batch
        tried["batch"] = rows_a_second(with_roof(), batch * BATCHES) / base
    for precision, peak in device.peaks.items():
        if WIDTHS[precision] < WIDTHS[device.precision]:
            narrower = replace(with_roof(peak=peak / device.promised), precision=precision)
            tried[f"precision:{precision}"] = rows_a_second(narrower) / base
    return [Remedy(change=name, gain=gain) for name, gain in sorted(tried.items(), key=lambda one: -one[1])]
