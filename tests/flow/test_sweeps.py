"""Batches in a study: the time of each, the knee, traffic gathered into batches, and all of it in the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_study import STUDY, make

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, Origin
from seatrial.flow import sweeps
from seatrial.flow.service import Service

SWEPT = STUDY.replace("batch: [1, 8]}", "batch: [1, 2, 8]}").replace(
    "{loads: [offline], rounds: 2, meters: [throughput, size], metrics: [accuracy, drop, flips]}",
    "{loads: [single_stream, {offline: {seconds: 0.05}}], rounds: 3, meters: [latency, throughput], metrics: [accuracy, {most_changed: {rows: 3}}]}",
)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dossier, Path]:
    folder = tmp_path_factory.mktemp("swept")
    return seatrial.run(make(folder, SWEPT), quick=True), folder


def test_a_sweep_has_times_and_a_knee(swept: tuple[Dossier, Path]) -> None:
    dossier, _ = swept
    for size in (1, 2, 8):
        id_ = f"linear/as_is/onnxruntime/cpu/fp32/t1/b{size}"
        rate, took = (dossier.find(what, id_, load="offline") for what in ("throughput", "batch.seconds"))
        assert rate is not None
        assert took is not None
        assert took.number == pytest.approx(size / rate.number)
        assert took.inputs == (rate.key,)
        assert took.low is not None
        assert took.low < took.number
    knees = [one for one in dossier.findings if one.what == "batch.knee"]
    assert [one.candidate for one in knees] == ["linear/as_is/onnxruntime/cpu/fp32/t1/b1"], "int8 has one size alone"
    assert knees[0].value in (1, 2, 8)


def test_gathered_traffic_is_told_or_why_not(swept: tuple[Dossier, Path]) -> None:
    dossier, _ = swept
    told = [one for one in dossier.findings if one.what == "batch.p99"]
    assert {(one.at["share"], one.at["batch"]) for one in told} == {(s, b) for s in sweeps.SHARES for b in (1, 8)}
    assert {one.origin for one in told} <= {Origin.PREDICTED, Origin.MISSING}
    assert all("without end" in one.note for one in told if one.value is None)


def test_the_page_draws_it(swept: tuple[Dossier, Path]) -> None:
    dossier, folder = swept
    page = next(folder.glob(".seatrial/runs/*/report.html")).read_text()
    knee = next(one for one in dossier.findings if one.what == "batch.knee")
    assert f"{knee.value}, the knee" in page
    assert 'id="batching"' in page
    assert "of the largest throughput" in page
    from seatrial.parts.reports import terminal

    told = terminal.render(dossier, terminal.Options())
    assert "What batches do" in told
    assert f"the knee is at {knee.value} row" in told
    assert ("may lie above 8" in " ".join(told.split())) is (knee.high == 8)
    assert ("may lie above 8" in page) is (knee.high == 8)


def test_rows_that_changed_most_are_named_and_nothing_of_them(swept: tuple[Dossier, Path]) -> None:
    dossier, folder = swept
    named = [one for one in dossier.findings if one.what == "most_changed" and "int8" in str(one.candidate)]
    assert len(named) == 3
    assert [one.number for one in named] == sorted((one.number for one in named), reverse=True)
    assert named[0].number > 0
    assert named[0].low is None, "it is a figure of these very rows"
    weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    x = np.load(folder / "rows.npz")["x"]
    assert all(0 <= int(one.at["row"]) < len(x) for one in named)
    assert (x @ weights).std() > 0
    page = next(folder.glob(".seatrial/runs/*/report.html")).read_text()
    assert f"{named[0].at['row']} ({named[0].number:.3g})" in page


def rate(batch: int, value: float, spread: float = 0.0, **more: object) -> Finding:
    ends = {"low": value * (1 - spread), "high": value * (1 + spread)} if spread else {}
    id_ = f"linear/as_is/onnxruntime/cpu/fp32/t1/b{batch}"
    return Finding(what="throughput", at={"load": "offline"}, value=value, level=0.95, candidate=id_, unit="samples/s", method="planted", **ends, **more)  # fmt: skip


def knee_of(rates: list[Finding], tmp_path: Path) -> Finding:
    sweep = dict(sorted((int(str(one.candidate).rpartition("b")[2]), one) for one in rates))
    return next(sweeps._of_sweep(sweep, "offline", rates, [], tmp_path, 0.95, 1))


def test_a_knee_at_the_end_of_a_sweep_is_said_to_lie_beyond_it_perhaps(tmp_path: Path) -> None:
    """A call that costs as much as 16 rows: sizes up to 8 never reach the knee, sizes from 32 on begin above it."""
    of = {size: rate(size, size / (16 + size)) for size in (1, 2, 4, 8, 16, 32, 64, 128, 256)}
    assert (knee_of(list(of.values()), tmp_path).value, knee_of(list(of.values()), tmp_path).note) == (16, "")
    short = knee_of([of[size] for size in (1, 2, 4, 8)], tmp_path)
    assert short.value == 8
    assert "above 8" in short.note
    assert "`batch: 16`" in short.note
    late = knee_of([of[size] for size in (32, 64, 128)], tmp_path)
    assert "below 32" in late.note
    wide = knee_of([rate(size, one.number, 0.4) for size, one in of.items() if size <= 64], tmp_path)
    assert wide.high == 64
    assert "above 64" in wide.note, "the noise doesn't rule it out"


def test_a_knee_that_rests_on_a_disturbed_size_is_disturbed(tmp_path: Path) -> None:
    from seatrial.contracts.finding import State

    rates = [rate(size, size / (4 + size), **({"state": State.DISTURBED} if size == 8 else {})) for size in (1, 2, 4, 8, 16)]  # fmt: skip
    assert knee_of(rates, tmp_path).state is State.DISTURBED
    assert knee_of([one.model_copy(update={"state": State.OK}) for one in rates], tmp_path).state is State.OK


def test_simulated_by_the_queue_that_capacity_uses() -> None:
    from seatrial.numerics.queueing import Batching
    from seatrial.numerics.replicas import BRIEF, Question, at_replicas

    rounds = tuple(np.random.default_rng(seed).gamma(20, 5e-5, 3000) for seed in range(3))
    times = Service("c", rounds, {1: 1e-3, 8: 2e-3}, ())
    of = Finding(what="throughput", at={"load": "offline"}, value=4000.0, level=0.95, candidate="c", unit="samples/s")
    found = {(one.at["share"], one.at["batch"]): one for one in sweeps._gathered(times, 4000.0, 8, of, 0.95)}
    assert found[0.25, 1].value is None, "1000 queries a second of 1 ms each are too many"
    right = at_replicas(
        rounds, Question(1000.0, 0.0, 0.99, 0.95, batching=Batching(8, 0.0, times.seconds(8))), 1, BRIEF
    )
    assert found[0.25, 8].number == right.value
    assert found[0.25, 8].number < found[0.8, 8].number, "more traffic takes longer"


def test_without_single_times_the_reason_is_told(tmp_path: Path) -> None:
    alone = SWEPT.replace("loads: [single_stream, {offline: {seconds: 0.05}}]", "loads: [{offline: {seconds: 0.05}}]")
    dossier = seatrial.run(make(tmp_path, alone), quick=True)
    (told,) = [one for one in dossier.findings if one.what == "batch.p99"]
    assert told.value is None
    assert "single" in told.note
