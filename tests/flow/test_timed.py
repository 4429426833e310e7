"""Timed answers are held against calm ones, and candidates that only remember are told; scheduled loads run in a study."""

import numpy as np
import pytest
from small_study import STUDY, make
from test_measure import LINEAR, outcome

from seatrial.contracts.events import Kept
from seatrial.contracts.finding import State
from seatrial.contracts.protocols import Facts
from seatrial.errors import DataError
from seatrial.flow import study as flow
from seatrial.flow.timed import repeats, rubbish

QUERIES = [{"x": np.random.default_rng(place).random((1, 8)).astype(np.float32)} for place in range(20)]


class Session:
    """Answers twice its input, off by `noise` otherwise each time."""

    def __init__(self, noise=0.0):
        self.noise, self.random = noise, np.random.default_rng(0)

    def predict(self, values):
        return {"y": values["x"] * 2 + self.noise * self.random.standard_normal(values["x"].shape)}

    def facts(self):
        return Facts("cpu", "fp32")

    def close(self):
        pass


def kept(change=lambda y: y):
    return [Kept(place, {"y": change(QUERIES[place]["x"] * 2.0)}) for place in (3, 7)]


def test_right_answers_pass_also_where_a_session_never_repeats_itself_exactly():
    assert rubbish(Session(), QUERIES, kept()) == ""
    assert rubbish(Session(noise=1e-3), QUERIES, kept(lambda y: y + 1e-3)) == ""
    not_numbers = [Kept(0, {"y": np.array([np.nan, 1.0])})]
    assert (
        rubbish(type("S", (Session,), {"predict": lambda self, v: not_numbers[0].answer})(), QUERIES, not_numbers) == ""
    )


@pytest.mark.parametrize(
    "change", [lambda y: y + 0.01, lambda y: y[:, :4], lambda y: y * np.nan, lambda y: np.zeros_like(y)]
)
def test_wrong_answers_are_told(change):
    assert "timed block" in rubbish(Session(), QUERIES, kept(change))


def test_an_honest_session_is_not_called_a_cache():
    assert repeats(Session(), QUERIES) == 1.0
    same = [{"x": np.zeros((1, 1), np.int64)}] * 3
    assert repeats(Session(), same) is None, "nothing new can be made of one value"


BUSY = "begin = time.perf_counter()\n        while {}time.perf_counter() - begin < {}: pass"
CACHE = "seen = self.__dict__.setdefault('seen', {})\n        "
CACHE += BUSY.format("x.tobytes() not in seen and ", 0.002) + "\n        seen[x.tobytes()] = 1"
STALE = (
    "fast = time.perf_counter() - self.__dict__.get('last', 0) < 0.005; was = self.__dict__.get('kept'); "
    "self.kept = logits if not fast or was is None or len(was) != len(x) else was; logits = self.kept; "
    "self.last = time.perf_counter()"
)


def study(folder, faults, measure):
    for name, fault in faults.items():
        (folder / f"{name}.py").write_text(LINEAR.replace("FAULT", fault))
    grid = "\n  ".join(f"- {{runtime: ./{name}.py}}" for name in faults)
    head, tail = STUDY[: STUDY.index("candidates:")], STUDY[STUDY.index("reference:") :]
    tail = tail.replace("loads: [offline], rounds: 2, meters: [throughput, size]", measure)
    tail = tail.replace("prefer: {what: speedup, at: {load: offline}}\n", "")
    return make(folder, f"{head}candidates:\n  - {{runtime: onnxruntime}}\n  {grid}\n{tail}")


def test_a_runtime_that_is_fast_because_it_answers_anything_is_refused(tmp_path):
    loads = "loads: [{single_stream: {seconds: 0.05, queries: 200}}], rounds: 2, meters: [latency]"
    dossier = flow.run(study(tmp_path, {"stale": STALE, "cache": CACHE}, loads))
    found = outcome(dossier, "./stale.py")
    assert found.state is State.REFUSED
    assert "timed block" in found.note
    assert not [f for f in dossier.findings if f.what.startswith("latency") and "stale" in f.candidate]

    (told,) = [f for f in dossier.findings if f.what == "identical_inputs"]
    assert "cache" in told.candidate
    assert told.value > 2
    marked = [f for f in dossier.findings if f.what.startswith("latency") and "cache" in f.candidate]
    assert marked
    assert all("identical inputs" in f.note for f in marked)
    assert all(f.state is not State.OK for f in marked), "a requirement could pass on what was only remembered"


def test_scheduled_loads_in_a_study(tmp_path):
    (tmp_path / "day.txt").write_text("\n".join(str(10 + place * 0.01) for place in range(15)))
    measure = (
        "loads: [{server: {rate: [100, 400], seconds: 0.1, queries: 30}}, "
        "{trace: {path: day.txt, speed: 2}}, {multi_stream: {seconds: 0.05, queries: 4}}], rounds: 2, "
        "meters: [{latency: {percentiles: [50]}}, {real_time: {deadline: 50 ms}}, {sustained: {percentile: 50, latency: 9 s}}, validity]"
    )
    file = study(tmp_path, {"slow": BUSY.format("", 0.004)}, measure)
    dossier = flow.run(file)
    slow = {(f.what, *f.at.values()): f for f in dossier.findings if f.candidate and "slow" in f.candidate}
    for at in (("server", 100), ("server", 400), ("trace",), ("multi_stream",)):
        assert slow["latency.p50", *at].value > 0.004
        assert slow["latency.misses", 0.05, *at].value >= 0
    assert slow["latency.p50", "multi_stream"].value > 0.032, "eight rows in calls of one"
    assert "outgrew" in slow["latency.p50", "server", 400].note
    assert "set `rate`" in slow["latency.p50", "server", 400].note
    assert slow["latency.p50", "server", 400].high is None
    sustained = slow["throughput.sustained", "server"]  # on a busy machine so few queries may not be enough at 100
    assert (sustained.value, "at 400 a second" in sustained.note) == (100, True) or "at 100 a second" in sustained.note
    assert slow["validity", "server", 100].value == "short"
    assert "unverified" in slow["validity", "server", 100].method
    assert ("speedup", "server", 400) not in slow
    assert slow["speedup", "trace"].value < 1


def test_a_trace_that_can_not_be_replayed_is_told_before_anything_is_made(tmp_path):
    (tmp_path / "day.txt").write_text("0\n7\n3\n")
    seen = []
    with pytest.raises(DataError, match="arrival 3 comes before"):
        flow.run(
            study(tmp_path, {}, "loads: [{trace: {path: day.txt}}], rounds: 1, meters: [latency]"), watch=seen.append
        )
    assert "make" not in [event.stage for event in seen]
