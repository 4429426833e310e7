"""The runtimes' own tools beside ours: they are there, they run what we run, and what they say can be read."""

from __future__ import annotations

import os
import random
import re
import sys
from pathlib import Path

import pytest
from recipes import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import _beside

import tools


class Settled:
    """A contender that tells the same of every block; disturbed for the first so many."""

    def __init__(self, seconds: float, disturbed: int = 0) -> None:
        self._seconds, self._disturbed, self.closed = seconds, disturbed, False

    def block(self, core: int) -> tuple[dict[str, float], bool]:
        self._disturbed -= 1
        return {"median": self._seconds, "mean": self._seconds}, self._disturbed >= 0

    def close(self) -> None:
        self.closed = True


def core() -> int:
    return min(os.sched_getaffinity(0))


def test_onnx_runtimes_tool_runs_the_same_file_in_the_same_batch(tmp_path: Path) -> None:
    told, _ = tools.OwnTool(tmp_path, 4, calls=5).block(core())
    assert told["mean"] > 0


def test_benchmark_app_runs_as_it_is_asked_and_otherwise_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Median and rate are read; a hint, a batch or threads that it didn't take end the benchmark."""
    one = tools.App("fp32", 4)
    said = tools._on(core(), one._command)
    monkeypatch.setattr(tools, "_on", lambda *_, **__: said)
    told, _ = one.block(0)
    assert told["median"] > 0
    assert told["mean"] > 0
    for other in (tools.App("bf16", 4), tools.App("fp32", 4, fixed=True)):
        with pytest.raises(SystemExit, match="ran with another"):
            other.block(0)


def test_disturbed_blocks_are_run_again_or_counted_where_that_was_asked_for() -> None:
    calm, late = Settled(2.0), Settled(1.0, disturbed=4)
    found = _beside.in_turn({"ours": calm, "tool": late}, 6)
    figure = _beside.ratio(found, "ours", "tool", "why")
    assert (figure.ratio, figure.n) == (2.0, 6)
    assert "disturbed" not in figure.note
    assert calm.closed
    with pytest.raises(SystemExit, match="too busy"):
        _beside.in_turn({"ours": Settled(1.0, disturbed=99)}, 1)
    busy = _beside.in_turn({"ours": Settled(1.0, disturbed=99), "tool": Settled(1.0)}, 6, busy=True)
    assert _beside.rates(busy, "ours", "tool", 32, "why").ours == 32
    assert "6 of 12 blocks disturbed" in _beside.rates(busy, "ours", "tool", 32, "why").note


def test_the_interval_of_the_median_ratio_covers_it() -> None:
    """In 95 of 100 samples or more, whatever their number; of five there is none."""
    draw = random.Random(0)
    assert "no interval" in _beside._bounds([1.0] * 5)
    for n in (6, 20, 80):
        held = 0
        for _ in range(1000):
            low, high = map(float, re.findall(r"-?[\d.]+ to -?[\d.]+", _beside._bounds(sorted(draw.gauss(3, 1) for _ in range(n))))[0].split(" to "))  # fmt: skip
            held += low <= 3 <= high
        assert held >= 940, n
