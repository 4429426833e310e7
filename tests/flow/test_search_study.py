"""A search in a study: who is left out and why, what is measured in full, what is kept, and who comes back."""

import os
import random
from collections import Counter

import pytest
from small_study import STUDY, make, seatrial

from seatrial import catalog
from seatrial.contracts.finding import State
from seatrial.contracts.verdict import Outcome
from seatrial.errors import WorkerCrashed
from seatrial.flow import rounds
from seatrial.flow import study as flow
from seatrial.flow.keep import SHORT_ROUND, Keeper

# A runtime that keeps the processor busy for a while in each call: written beside the study as a local part.
BUSY = '''"""A runtime for tests: the linear model in numpy, slowed by a busy wait."""
import time
import numpy as np, onnx
from onnx import numpy_helper
from seatrial.contracts.protocols import Facts
ACCEPTS = {"format": ("onnx",), "precision": ("fp32",), "device": ("cpu",)}
def absent(device): return None
def import_framework(): pass
class Session:
    def __init__(self, file): self.weights = numpy_helper.to_array(onnx.load(file).graph.initializer[0])
    def facts(self): return Facts("cpu", "fp32")
    def close(self): pass
    def predict(self, values):
        end = time.perf_counter() + WAIT
        logits = (values["x"] @ self.weights).astype(np.float32)
        while time.perf_counter() < end: pass
        return {"logits": SIGN * logits}
def open(artefact, setting, options): return Session(artefact.files["model"])
'''
SEARCH = "search: {halving: {least: 4, most: 8, share: 0.2}}"
MEASURE = f"{{loads: [{{offline: {{seconds: 0.05}}}}], rounds: 2, meters: [throughput, size], metrics: [accuracy, drop], {SEARCH}}}"


SPEED = "{what: speedup, at: {load: offline}}"


def raced(folder, waits, measure=MEASURE, require="- at_least: {what: accuracy, bound: 0.5}", batch="8", prefer=SPEED):
    """A study of runtimes that wait so many milliseconds a call; one whose name begins with `wrong` answers wrong."""
    WAITS.clear()
    WAITS.update(waits)
    for name, wait in waits.items():
        sign = "-1" if name.startswith("wrong") else "1"
        (folder / f"{name}.py").write_text(BUSY.replace("WAIT", str(wait / 1000)).replace("SIGN", sign))
    grid = "\n".join(f"  - {{runtime: ./{name}.py, batch: {batch}}}" for name in waits)
    text = STUDY[: STUDY.index("candidates:")] + f"candidates:\n  - {{runtime: onnxruntime, batch: 1}}\n{grid}\n"
    text += f"reference: {{runtime: onnxruntime}}\nmeasure: {measure}\nrequire:\n  {require}\n"
    return make(folder, text + f"prefer: {prefer}\nreports: [json, html, junit, markdown]\n")


def gone(dossier):
    """Runtime names (with the batch) of those left out, with the reason."""
    return {
        one.candidate.split("/")[3].removesuffix(".py") + one.candidate.split("/")[-1]: one.note
        for one in dossier.findings
        if one.what == "run" and one.state is State.LEFT_OUT
    }


def full(dossier):
    return {one.candidate.split("/")[3].removesuffix(".py") for one in dossier.findings if one.what == "speedup"}


WAITS: dict[str, float] = {}
CRASHING: dict[str, int] = {}
"""Runtimes that are gone after so many blocks; a negative count: only full ones count."""
JOULES: list[float] = []
"""Where there is one: what the machine draws, in watts, by an energy counter that isn't there."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Other work on the machine must not decide what is tested here: times are those planted, 1 % apart between rounds."""
    ask, blocks = rounds._ask, Counter()
    CRASHING.clear()
    JOULES.clear()

    def planted(voyage, trial, load, cores, number=0, short=False):
        answer = ask(voyage, trial, load, cores, number, short)
        name = trial.planned.candidate.runtime.name.removeprefix("./").removesuffix(".py")
        most = CRASHING.get(name, 0)
        blocks[name] += load is not None and (most > 0 or not short)
        if most and blocks[name] > abs(most):
            raise WorkerCrashed("signal SIGSEGV, planted")
        wait = WAITS.get(name, 10.0) / 1000 * random.Random(f"{trial.id}{number}").gauss(1.0, 0.01)
        told = {"throughput": 8 / wait, "latencies": [wait] * 30, "median_latency": wait, "mean_latency": wait}
        for reading in answer["readings"].values():
            reading.update({key: value for key, value in told.items() if key in reading})
            if JOULES and "why" in reading:
                reading.update(joules=JOULES[0] * wait, seconds=wait, queries=1, rows=8, rest=None)
                del reading["why"]
        answer["disturbance"]["reason"] = ""
        return answer

    monkeypatch.setattr(rounds, "_ask", planted)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    return raced(folder, {"fast": 0.5, "slow": 1.5, "slower": 3.0, "wrong": 0.2}), folder


def test_who_can_not_be_the_best_is_left_out_and_the_winner_is_measured_in_full(searched):
    file, _ = searched
    dossier = flow.run(file)
    left = gone(dossier)
    assert set(left) == {"slowb8", "slowerb8", "wrongb8"}
    assert "times as good as `./fast.py fp32" in left["slowb8"]
    assert "fails a requirement, accuracy" in left["wrongb8"], left["wrongb8"]
    assert full(dossier) == {"fast"}
    assert dossier.verdict.outcome is Outcome.PASS
    assert "fast" in dossier.verdict.recommended
    outcomes = {one.candidate.split("/")[3]: one.outcome for one in dossier.verdict.candidates}
    assert outcomes["wrong.py"] is Outcome.FAIL, "what its outputs show is judged as always"
    assert outcomes["slow.py"] is Outcome.OPEN
    count = next(one for one in dossier.findings if one.what == "search.left_out")
    assert (count.value, count.n) == (3, 4)


def test_a_second_run_decides_the_same_and_measures_nothing(searched):
    file, folder = searched
    flow.run(file)
    kept = len(Keeper(folder).all(SHORT_ROUND, ""))
    again = flow.run(file)
    assert again.run.measured == 0
    assert set(gone(again)) == {"slowb8", "slowerb8", "wrongb8"}
    assert next(one for one in again.findings if one.what == "search.left_out").note == ""
    assert len(Keeper(folder).all(SHORT_ROUND, "")) == kept > 0


def test_reports_and_the_plan_say_it(searched):
    file, folder = searched
    dossier = flow.run(file)
    home = folder / ".seatrial" / "runs" / dossier.run.id
    for report in ("report.html", "report.md", "report.xml"):
        text = next(home.glob(f"*.{report.rsplit('.', maxsplit=1)[-1]}")).read_text()
        assert "left out by the search" in text.lower(), report
        assert "times as good as" in text
    terminal = catalog.load(catalog.find("reports", "terminal"))
    text = terminal.render(dossier, terminal.Options(width=160))
    assert "Left out by the search" in text
    assert "The search left out 3 of 4 candidates." in text
    assert "Could not be measured" not in text
    planned = seatrial("plan", file, folder=folder)
    assert "search: halving" in planned.stdout
    assert "short rounds" in planned.stdout


def test_exhaustive_measures_all_and_takes_no_short_rounds(tmp_path):
    file = raced(tmp_path, {"fast": 0.5, "slow": 1.5}, MEASURE.replace(f", {SEARCH}", ""))
    dossier = flow.run(file)
    assert not gone(dossier)
    assert full(dossier) == {"fast", "slow"}
    assert not Keeper(tmp_path).all(SHORT_ROUND, "")
    assert not [one for one in dossier.findings if one.what.startswith("search")]


LATENCY = (
    "{loads: [{offline: {seconds: 0.05}}, {single_stream: {seconds: 0.05, queries: 20}}], rounds: 2, "
    f"meters: [throughput, latency], metrics: [accuracy], {SEARCH}}}"
)
QUICK = "- at_most: {what: latency.p99, bound: 2 ms, at: {load: single_stream}}"


def outcomes(dossier):
    return {
        one.candidate.split("/")[3].removesuffix(".py") + one.candidate.split("/")[-1]: one.outcome
        for one in dossier.verdict.candidates
    }


def test_a_latency_that_short_rounds_show_to_fail_is_a_failure_with_its_bound(tmp_path):
    """The quickest in bulk is too slow for one: it is left out by the requirement, and doesn't displace the other."""
    file = raced(tmp_path, {"bulky": 6.0}, LATENCY, QUICK, batch="[8, 64]")
    dossier = flow.run(file)
    assert set(gone(dossier)) == {"bulkyb8", "bulkyb64"}
    verdicts = outcomes(dossier)
    assert verdicts["bulkyb8"] is verdicts["bulkyb64"] is Outcome.FAIL, "that is shown of each"
    assert dossier.verdict.outcome is Outcome.FAIL
    shown = [one for one in dossier.findings if one.what == "latency.p99" and "bulky" in one.candidate]
    assert shown
    assert all(one.low > 0.002 and "short rounds" in one.note for one in shown)


MEAN = QUICK.replace("p99", "mean")


def one_at_a_time(folder, monkeypatch, waits):
    """A study in which the slow one is opened with two threads first, and then only with one: fewer are assumed to be no better."""
    monkeypatch.setattr("seatrial.flow.measure.MEMORY_SHARE", 1e-9)
    file = raced(folder, waits, LATENCY.replace("share: 0.2", "share: 0.2, assume: [threads]"), MEAN)
    text = file.read_text()
    file.write_text(text.replace("{runtime: ./bulky.py, batch: 8}", "{runtime: ./bulky.py, batch: 8, threads: [1, 2]}"))
    return file


def threads_of(dossier):
    """What became of the slow one by its threads."""
    return {one.candidate.split("/")[6]: one for one in dossier.verdict.candidates if "bulky" in one.candidate}


def test_who_is_assumed_to_fail_is_not_said_to_have_failed(tmp_path, monkeypatch):
    dossier = flow.run(one_at_a_time(tmp_path, monkeypatch, {"bulky": 6.0, "prompt": 0.5}))
    assert dossier.verdict.outcome is Outcome.PASS
    verdicts = threads_of(dossier)
    assert verdicts["t2"].outcome is Outcome.FAIL
    assert verdicts["t1"].outcome is Outcome.OPEN
    (open_,) = [one for one in verdicts["t1"].judgements if one.rule == "run"]
    assert "assumed to fail as" in open_.reason
    assert open_.settle == "`search: exhaustive` measures all", "another run would leave it out again"


def test_where_nobody_passes_nothing_rests_on_an_assumption(tmp_path, monkeypatch):
    """The verdict would stay open for the one that was assumed to fail. It is looked at after all, and then the study fails."""
    file, notes = one_at_a_time(tmp_path, monkeypatch, {"bulky": 6.0}), []
    dossier = flow.run(file, watch=lambda event: notes.append(event.note) if event.stage == "note" else None)
    assert {one.outcome for one in threads_of(dossier).values()} == {Outcome.FAIL}
    assert dossier.verdict.outcome is Outcome.FAIL
    assert any("nobody passes: 1 that the search assumed to fail" in note for note in notes)
    again = flow.run(file)
    assert again.run.measured == 0
    assert again.verdict.outcome is Outcome.FAIL


def test_who_crashes_in_a_short_round_has_crashed_and_is_not_left_out(tmp_path):
    file = raced(tmp_path, {"brittle": 0.2, "fast": 0.5, "slow": 1.5})
    CRASHING["brittle"] = 2
    dossier = flow.run(file)
    assert set(gone(dossier)) == {"slowb8"}
    (run,) = [one for one in dossier.findings if one.what == "run" and "brittle" in one.candidate]
    assert run.state is State.CRASHED
    count = next(one for one in dossier.findings if one.what == "search.left_out")
    assert (count.value, count.n) == (1, 3)
    assert "fast" in dossier.verdict.recommended
    terminal = catalog.load(catalog.find("reports", "terminal"))
    text = terminal.render(dossier, terminal.Options(width=160))
    broken, spared = text.index("Could not be measured"), text.index("Left out by the search")
    assert min(broken, spared) < text.rindex("brittle", 0, max(broken, spared)) < max(broken, spared)


def test_who_was_displaced_comes_back_when_the_winner_crashes_in_full(tmp_path):
    file = raced(tmp_path, {"fast": 0.5, "slow": 1.5, "slower": 5.0})
    CRASHING["fast"] = -1
    dossier = flow.run(file)
    states = {one.candidate.split("/")[3]: one.state for one in dossier.findings if one.what == "run"}
    assert states == {"fast.py": State.CRASHED, "slower.py": State.LEFT_OUT}
    assert "slow.py" in dossier.verdict.recommended


def test_a_search_that_was_interrupted_goes_on_where_it_stopped(tmp_path):
    file = raced(tmp_path, {"fast": 0.5, "slow": 1.5, "slower": 3.0})

    def stop(event):
        if event.stage == "round" and event.done == 9:  # in the third of four short rounds of four
            raise KeyboardInterrupt

    first = flow.run(file, watch=stop)
    assert first.run.interrupted
    assert not gone(first), "nothing is known yet"
    assert {one.state for one in first.findings if one.what == "run"} == {State.TOO_FEW}
    kept = Counter(key.split("/")[0] for key, _ in Keeper(tmp_path).all(SHORT_ROUND, ""))
    assert {*kept.values()} == {2}
    dossier = flow.run(file)
    assert set(gone(dossier)) == {"slowb8", "slowerb8"}
    assert full(dossier) == {"fast"}
    then = Counter(key.split("/")[0] for key, _ in Keeper(tmp_path).all(SHORT_ROUND, ""))
    assert {*then.values()} == {4}, "two were kept, two were added"


@pytest.mark.parametrize(("what", "meter"), [("latency.p99", "latency"), ("energy.query", "energy")])
def test_less_may_be_preferred(tmp_path, what, meter):
    JOULES.append(20.0)
    measure = f"{{loads: [{{single_stream: {{seconds: 0.05, queries: 20}}}}], rounds: 2, meters: [{meter}], metrics: [accuracy], {SEARCH}}}"
    dossier = flow.run(raced(tmp_path, {"fast": 0.5, "slow": 1.5, "slower": 3.0}, measure, prefer=f"{{what: {what}}}"))
    left = gone(dossier)
    assert set(left) == {"slowb8", "slowerb8"}
    assert f"in {what}" in left["slowb8"]
    assert "fast" in dossier.verdict.recommended


def test_what_short_rounds_can_not_show_is_said_and_takes_no_more_of_them(tmp_path):
    """Energy without a counter: nothing can be told apart by it, so all are measured, after the first look."""
    measure = f"{{loads: [{{single_stream: {{seconds: 0.05, queries: 20}}}}], rounds: 2, meters: [latency, energy], metrics: [accuracy], {SEARCH}}}"
    measure = measure.replace("energy]", "{energy: {powercap: nowhere}}]")
    dossier = flow.run(raced(tmp_path, {"fast": 0.5, "slow": 1.5}, measure, prefer="{what: energy.query}"))
    assert not gone(dossier)
    count = next(one for one in dossier.findings if one.what == "search.left_out")
    assert "`energy.query`, could not be read in short rounds (" in count.note
    assert "counter" in count.note
    home = tmp_path / ".seatrial" / "runs" / dossier.run.id
    terminal = catalog.load(catalog.find("reports", "terminal"))
    for text in (
        terminal.render(dossier, terminal.Options(width=400)), *(next(home.glob(f"*.{end}")).read_text() for end in ("html", "md"))
    ):  # fmt: skip
        assert "The search left out 0 of 2 candidates: what is preferred" in text
    kept = Counter(key.split("/")[0] for key, _ in Keeper(tmp_path).all(SHORT_ROUND, ""))
    assert {*kept.values()} == {4}


def test_one_candidate_and_none_at_all_are_no_search(tmp_path):
    file = raced(tmp_path, {"alone": 0.5})
    dossier = flow.run(file)
    assert full(dossier) == {"alone"}
    assert next(one for one in dossier.findings if one.what == "search.left_out").note == ""
    assert not Keeper(tmp_path).all(SHORT_ROUND, "")
    only = flow.run(file, only=["onnxruntime"])
    count = next(one for one in only.findings if one.what == "search.left_out")
    assert (count.value, count.n, count.note) == (0, 0, "")


def test_who_was_displaced_comes_back_when_the_winner_fails_in_full(tmp_path):
    """The fastest looks sound in short rounds, which say nothing of the number of queries, and fails when it is measured in full."""
    (tmp_path / "patient.py").write_text('''"""Passes nobody that is fast, and says so only from full rounds."""
from pydantic import Field
from seatrial.contracts.part import PartOptions
from seatrial.contracts.verdict import Judgement, Outcome
class Options(PartOptions):
    """Nothing."""
def needs(options): return "throughput", {"load": "offline"}
def judge(evidence, options):
    seen = [f for f in evidence.findings if f.what == "throughput" and "short" not in f.note]
    outcome = Outcome.OPEN if not seen else Outcome.FAIL if "fast" in evidence.candidate else Outcome.PASS
    return Judgement(requirement="patience", rule="patient", candidate=evidence.candidate, outcome=outcome, reason="r", findings=tuple(seen))
''')
    file = raced(tmp_path, {"fast": 0.5, "slow": 1.5, "slower": 5.0}, require="- ./patient.py")
    dossier = flow.run(file)
    assert full(dossier) == {"fast", "slow"}
    assert set(gone(dossier)) == {"slowerb8"}
    assert "slow.py" in dossier.verdict.recommended
    assert dossier.verdict.outcome is Outcome.PASS


def test_where_all_are_open_for_want_of_rows_nobody_is_displaced_and_it_is_said(tmp_path):
    file = raced(tmp_path, {"fast": 0.5, "slow": 1.5}, require="- drop_at_most: {what: accuracy, margin: 0.1 pp}")
    dossier = flow.run(file)
    assert not gone(dossier)
    assert full(dossier) == {"fast", "slow"}
    count = next(one for one in dossier.findings if one.what == "search.left_out")
    assert count.value == 0
    assert "none could displace" in count.note


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor only")
def test_where_not_all_fit_into_memory_who_could_not_catch_up_is_never_opened(tmp_path, monkeypatch):
    """The slow one with two threads is measured first, as the likelier one; with one thread it would have to be 60 times as fast."""
    monkeypatch.setattr("seatrial.flow.measure.MEMORY_SHARE", 1e-9)
    file = raced(tmp_path, {"fast": 0.5, "slow": 30.0})
    file.write_text(
        file.read_text().replace("{runtime: ./slow.py, batch: 8}", "{runtime: ./slow.py, batch: 8, threads: [1, 2]}")
    )
    opened = []
    dossier = flow.run(file, watch=lambda event: opened.append(event.label) if event.stage == "open" else None)
    assert "assumed" in gone(dossier)["slowb8"]
    assert sum("slow" in label for label in opened) == 1
    assert "fast" in dossier.verdict.recommended


def test_an_unknown_search_is_named_with_the_nearest(tmp_path):
    file = raced(tmp_path, {"fast": 0.5}, MEASURE.replace("{halving: {least: 4, most: 8, share: 0.2}}", "halvin"))
    said = seatrial("plan", file, folder=tmp_path)
    assert said.returncode != 0
    assert "there is no search `halvin`" in said.stderr
    assert "halving" in said.stderr
