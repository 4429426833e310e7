"""A runtime calibrated: the shares that it reaches by kind of operator, fitted to models that were measured on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.hardware import Level, Reach
from seatrial.flow.hardware import operators, probes
from seatrial.numerics import roofline
from seatrial.numerics.work import WIDTHS


def reach(points: Sequence[dict[str, Any]], levels: Sequence[Level], **named: Any) -> Reach:
    """From measured points (`model`, `batch`, `seconds`) of the calibration models; `named` are runtime, precision, threads."""
    works = _works(points, WIDTHS[named["precision"]])
    measured = np.array([one["seconds"] for one in points], np.float64)
    peak = max(sum(one.flops for one in work) / seconds for work, seconds in zip(works, measured, strict=True))
    load = roofline.load(works, bandwidth(levels))
    groups = [str(one["model"]) for one in points]
    roof = roofline.fit(load, measured, roofline.prior(peak))
    off = roofline.left_out(load, measured, roofline.prior(peak), groups)
    return Reach(
        peak=peak,
        shares=_named(roof.shares),
        flow=_named(roof.flow),
        start_s=_named(roof.start),
        call_s=roof.call,
        factor=roofline.within(off),
        off={f"{one['model']}/{one['batch']}": float(np.log(ratio)) for one, ratio in zip(points, off, strict=True)},
        models=len(set(groups)),
        points=len(points),
        **named,
    )


def bandwidth(levels: Sequence[Level]) -> Any:
    """Bandwidth at a working set, from measured levels."""
    return roofline.at_working_set([one.size for one in levels], [one.bandwidth for one in levels])


def roof(reached: Reach) -> roofline.Roof:
    """The calibrated shares as columns."""
    shares, flow, start = (_column(one) for one in (reached.shares, reached.flow, reached.start_s))
    return roofline.Roof(reached.peak, shares, flow, start, reached.call_s)


def _works(points: Sequence[dict[str, Any]], width: int) -> list[Sequence[Any]]:
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        nets = [make() for make, _ in probes.PROBES]
        files = {net.name: net.save(Path(folder)) for net in nets}
        return [operators.read(files[one["model"]], one["batch"], width=width).operators for one in points]


def _named(column: roofline.Floats) -> dict[str, float]:
    return {kind: float(value) for kind, value in zip(roofline.KINDS, column, strict=True)}


def _column(named: dict[str, float]) -> roofline.Floats:
    return np.array([named[kind] for kind in roofline.KINDS])
