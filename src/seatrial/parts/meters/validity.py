"""Whether a block is as long, and has as many queries, as MLPerf's LoadGen asks of a valid run; with the remedy where not.

Rules as of LoadGen 6 and its default configuration: every scenario lasts 600 s; the 90th percentile of single stream takes 64 queries
(early stopping), the 99th of multi stream 662; server takes so many that those over the latency bound may be chance (459 with
none over it), offline 24,576 rows. Our rounds are short on purpose: comparing candidates takes many short blocks in turn rather than one long
one. So most studies are `short` by these rules, and it is said. LoadGen-style, unverified: no result of MLPerf.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Probe, Reading, Round
from seatrial.contracts.study import Seconds
from seatrial.numerics.percentiles import discards, least_n, loadgen_discards
from seatrial.parts.meters import _legs

ACCEPTS = {"load": ("single_stream", "multi_stream", "server", "offline")}
GIVES = {"finding": ("validity",)}
CANNOT = {
    "instances": (
        "never",
        "LoadGen drives one system; of several instances side by side each would be a run of its own",
    ),
    "mlperf": (
        "never",
        "MLPerf results are reviewed and published by MLCommons alone; these are LoadGen-style, unverified",
    ),
}

DURATION_S = 600.0
OFFLINE_ROWS = 24_576
PERCENTILE = {"single_stream": 0.90, "multi_stream": 0.99}
SERVER_PERCENTILE = 0.99


class Options(PartOptions):
    """What blocks are held to; where that isn't LoadGen's default it is said."""

    latency: Seconds = Field(default=0.1, description="the bound of latency of the server scenario")
    duration: Seconds = Field(default=DURATION_S, description="how long a block lasts at least; LoadGen's default")
    rows: int = Field(default=OFFLINE_ROWS, ge=1, description="rows of an offline block, at least; LoadGen's default")

    @property
    def own(self) -> str:
        """What is held to other numbers than LoadGen's default; empty where nothing is."""
        said = f", {self.duration:g} s instead of {DURATION_S:g}" * (self.duration != DURATION_S)
        return said + f", {self.rows:,} rows instead of {OFFLINE_ROWS:,}" * (self.rows != OFFLINE_ROWS)


class Block(NamedTuple):
    """What the rules look at: how long a block lasted, its rows, its latencies, and what was never sent."""

    seconds: float
    rows: int
    latencies: Any
    unsent: int = 0


def read(probe: Probe) -> Reading:
    """Duration, rows and latencies of one block, and by how much the load itself was late at the 99th percentile."""
    events = probe.events
    assert events is not None
    late = events.issued - np.maximum(events.start, np.concatenate([[0], events.done[:-1]]))
    return _legs.read(events) | {
        "seconds": float((events.done[-1] - events.start[0]) / 1e9) if len(events.done) else 0.0,
        "rows": len(events.done) * events.samples,
        "late": float(np.quantile(late, 0.99) / 1e9) if len(late) else 0.0,
    }


def findings(rounds: Sequence[Round], load: str, level: float, options: Options) -> Iterable[Finding]:
    """`valid`, or `short` or `invalid` with what is missing and what to do."""
    for place, setting in enumerate(_legs.settings(rounds, load)):
        blocks = [_block(one.reading, place) for one in rounds]
        reasons = list(dict.fromkeys(reason for block in blocks for reason in _short(load, block, options)))
        wrong = list(dict.fromkeys(reason for block in blocks for reason in _wrong(load, block, options)))
        yield Finding(
            what="validity",
            at=setting.at,
            value="invalid" if wrong else "short" if reasons else "valid",
            n=len(blocks),
            unit_of_replication="rounds",
            method=f"LoadGen-style, unverified: each block by LoadGen's rules{options.own}; the load itself was late by {_late(rounds):.2g} s at p99",
            note=""
            if not (wrong or reasons)
            else f"not a valid run by LoadGen's rules: {'; '.join([*wrong, *reasons])}",
        )


def _short(load: str, block: Block, options: Options) -> list[str]:
    """What the block has too little of."""
    found = []
    if block.seconds < options.duration:
        found.append(
            f"it needs {options.duration:g} s: set `seconds: {options.duration:g}` and `most` above it, and `limits: {{block: ...}}`"
        )
    if load == "offline" and block.rows < options.rows:
        found.append(f"it needs {options.rows:,} rows: set `seconds` higher")
    if p := PERCENTILE.get(load):
        if loadgen_discards(len(block.latencies), p) is None:
            found.append(f"p{100 * p:g} needs {loadgen_least(p)} queries: set `queries: {loadgen_least(p)}`")
    elif load == "server" and len(block.latencies) < least_n(SERVER_PERCENTILE):
        found.append(f"p99 needs {least_n(SERVER_PERCENTILE)} queries: set `queries: {least_n(SERVER_PERCENTILE)}`")
    return found


def _wrong(load: str, block: Block, options: Options) -> list[str]:
    """What is wrong with it, however long it is."""
    if load != "server":
        return []
    found = [f"{block.unsent} queries were never answered: set `rate` lower"] if block.unsent else []
    over = int(np.sum(np.asarray(block.latencies) > options.latency))
    may = discards(len(block.latencies), SERVER_PERCENTILE)
    if may is not None and over > may:
        found.append(f"{over} queries took longer than {options.latency:g} s and {may} may: set `rate` lower")
    return found


def loadgen_least(p: float) -> int:
    """The fewest queries from which LoadGen estimates this percentile: 64, 662 and 6,636 at p90, p99 and p99.9."""
    n = least_n(p)
    while loadgen_discards(n, p) is None:
        n += 1
    return n


def _block(reading: Reading, place: int) -> Block:
    if "legs" not in reading:
        return Block(reading["seconds"], reading["rows"], reading["latencies"])
    leg = reading["legs"][place]
    lasted = leg["sent"] / leg["rate"] if leg["rate"] else reading["seconds"]
    return Block(lasted, leg["sent"], leg.get("latencies", np.empty(0)), leg["unsent"])


def _late(rounds: Sequence[Round]) -> float:
    return max(float(one.reading["late"]) for one in rounds)
