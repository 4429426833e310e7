"""Energy for an answer, from counters of the processor and of the GPU: gross, and net of the machine at rest.

Counters are read before and after each block: RAPL of all processors and their memory, and that of the GPU where the candidate runs on
one. They count the whole machine, so other work on it is in them; blocks that were disturbed are left out as always. Money is
reckoned from gross figures: a machine at rest is paid for, too. Net figures take away what the machine drew at rest, measured for a moment before
the first block. Without a counter the figure is missing, with the reason: nothing is estimated from data sheets. Virtual machines rarely show the
processor's: what a GPU's own says is told apart by `device_energy`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from seatrial.contracts.candidate import NVIDIA
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.parts.meters._counters import POWERCAP, Counted, between, nvml, rapl, side_by_side, stated
from seatrial.parts.meters._time import At

ACCEPTS = {"load": ("single_stream", "multi_stream", "server", "bursts", "trace", "offline")}
GIVES = {"finding": ("energy.query", "energy.query.net", "energy.row", "energy.power"), "instances": ("many",)}
CANNOT = {
    "gpu": (
        "not run here",
        "the counter of NVIDIA GPUs is read through NVML; no GPU was at hand when this was written",
    ),
    "wall": ("never", "losses of the power supply, fans and disks are in no counter"),
    "amd": (
        "not yet ours",
        "counters of AMD and Intel GPUs aren't read yet; those of AMD processors are, where the kernel shows them as RAPL's",
    ),
}
VERSION = 2

_REST: dict[str, tuple[float, float]] = {}
"""Watts at rest of processor and GPU by device, measured once a process."""
_NOT_BEGUN = "no counter was read before the block"
_NONE = "no query was answered in a block"
_METHOD = "energy counters before and after each block, of the whole machine"


class Options(PartOptions):
    """Where the counters are, and how long the machine at rest is looked at."""

    powercap: str = Field(default=str(POWERCAP), description="folder of the kernel's counters")
    rest: float = Field(
        default=1.0, ge=0, description="seconds for which the machine at rest is measured, once a session; 0: not"
    )


class Begun(NamedTuple):
    """Counters before a block; or why there are none. `rest` is in watts, processor and GPU together."""

    at: float
    host: Counted | str
    gpu: Counted | str | None
    rest: float | None


def begin(device: str, options: Options) -> Begun:
    """The counters now, and what the machine draws at rest."""
    host, gpu = _counters(device, options)
    rest = (
        _at_rest(device, options) if isinstance(host, Counted) and not isinstance(gpu, str) and options.rest else None
    )
    host, gpu = _counters(device, options)
    return Begun(time.perf_counter(), host, gpu, rest)


def read(probe: Probe) -> Reading:
    """Joules of the block, its seconds, queries and rows, and watts at rest; or under `why` the reason why there are none."""
    begun, events = probe.begun, probe.events
    assert events is not None
    counts: dict[str, Any] = {
        "shared": events.servers > 1,
        "queries": len(events.done),
        "rows": len(events.done) * events.samples,
    }
    if not isinstance(begun, Begun):
        return counts | {"why": _NOT_BEGUN}
    host, gpu = _counters(probe.device, probe.options)
    took = time.perf_counter() - begun.at
    missing = [one for one in (begun.host, host, begun.gpu, gpu) if isinstance(one, str)]
    if missing:
        return counts | {"why": missing[0]}
    try:
        joules = sum(
            between(a, b)
            for a, b in ((begun.host, host), (begun.gpu, gpu))
            if isinstance(a, Counted) and isinstance(b, Counted)
        )
    except ValueError as error:
        return counts | {"why": str(error)}
    return counts | {"joules": joules, "seconds": took, "rest": begun.rest}


def together(read: Sequence[Reading]) -> Reading:
    """Instances side by side: the counters are the machine's, and count once."""
    return side_by_side(read)


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """Joules a query, gross and net, and a row; watts. Missing, with the reason, where a block had no counter."""
    at: At = {"load": load}
    read = [one.reading for one in rounds]
    if why := next((one["why"] for one in read if "why" in one), ""):
        yield from (missing(what, State.NOT_HERE, why, at=at, method=_METHOD) for what in GIVES["finding"])
        return
    if any(one["queries"] == 0 for one in read):
        yield from (missing(what, State.TOO_FEW, _NONE, at=at, method=_METHOD) for what in GIVES["finding"])
        return
    yield _stated("energy.query", [one["joules"] / one["queries"] for one in read], at, level, "J")
    yield _net(read, at, level)
    yield _stated("energy.row", [one["joules"] / one["rows"] for one in read], at, level, "J")
    yield _stated("energy.power", [one["joules"] / one["seconds"] for one in read], at, level, "W")


def _net(read: list[dict[str, Any]], at: At, level: float) -> Finding:
    what = "energy.query.net"
    if any(one["rest"] is None for one in read):
        return missing(what, State.TOO_FEW, "the machine at rest was not measured: `rest: 1`", at=at, method=_METHOD)
    net = [(one["joules"] - one["rest"] * one["seconds"]) / one["queries"] for one in read]
    if min(net) <= 0:
        why = "the machine drew no more than at rest in a round: the block is too short, or it wasn't at rest before"
        return missing(what, State.UNSTABLE, why, at=at, method=_METHOD)
    return _stated(what, net, at, level, "J")


def _stated(what: str, values: list[float], at: At, level: float, unit: str) -> Finding:
    return stated(what, values, at, level, unit, _METHOD)


def _counters(device: str, options: Options) -> tuple[Counted | str, Counted | str | None]:
    return rapl(Path(options.powercap)), nvml(device) if device.startswith(NVIDIA) else None


def _at_rest(device: str, options: Options) -> float:
    """Watts while this process sleeps, measured once."""
    if device not in _REST:
        before = _counters(device, options)
        began = time.perf_counter()
        time.sleep(options.rest)
        after, took = _counters(device, options), time.perf_counter() - began
        pairs = [
            (a, b) for a, b in zip(before, after, strict=True) if isinstance(a, Counted) and isinstance(b, Counted)
        ]
        _REST[device] = (sum(between(a, b) for a, b in pairs) / took, took)
    return _REST[device][0]
