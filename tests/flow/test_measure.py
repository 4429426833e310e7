"""Measuring under accidents: faults in real workers become findings, the others go on, and what was measured is kept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from small_study import STUDY, make

from seatrial.contracts.finding import Origin, State
from seatrial.contracts.verdict import Outcome
from seatrial.errors import DataError, SeatrialError
from seatrial.flow import study as flow
from seatrial.flow.keep import Keeper, runs

# A runtime whose every call answers right, but for what a test plants: written beside the study as a local part.
LINEAR = '''"""A runtime for tests: the linear model in numpy."""
import ctypes, os, sys, time
import numpy as np, onnx
from onnx import numpy_helper
from seatrial.contracts.protocols import Facts
ACCEPTS = {"format": ("onnx",), "precision": ("fp32",), "device": ("cpu",)}
def absent(device): return None
def import_framework(): pass
class Session:
    def __init__(self, file): self.weights, self.calls = numpy_helper.to_array(onnx.load(file).graph.initializer[0]), 0
    def facts(self): return Facts("cpu", "fp32")
    def close(self): pass
    def predict(self, values):
        self.calls += 1
        x = values["x"]
        logits = (x @ self.weights).astype(np.float32)
        FAULT
        return {"logits": logits}
def open(artefact, setting, options): return Session(artefact.files["model"])
'''
UNINTERRUPTIBLE = (
    "libc, signals = ctypes.PyDLL(None), (ctypes.c_ubyte * 128)(); libc.sigfillset(signals); "
    "libc.pthread_sigmask(2, signals, None); libc.sleep(1000000)"
)
"""Sleeps in C with the interpreter's lock held and every signal blocked: nothing but SIGKILL ends it."""
LEAK = (
    "now = time.monotonic(); pause, self.last = now - getattr(self, 'last', now), now; "
    "self.__dict__.setdefault('hoard', []).append(b'x' * 4_000_000 if pause > 0.1 else b'')"
)
"""Keeps 4 MB whenever others had their turn: as much in every round, however many calls a busy machine lets through."""
SURVIVES = "- {runtime: onnxruntime, batch: 8}"


def planted(folder: Path, faults: dict[str, str], measure: str = "rounds: 2") -> Path:
    """A small study with one candidate for each fault, beside a healthy one and the reference."""
    for name, fault in faults.items():
        (folder / f"{name}.py").write_text(LINEAR.replace("FAULT", fault))
    grid = "\n  ".join(f"- {{runtime: ./{name}.py, batch: 8}}" for name in faults)
    text = STUDY[: STUDY.index("candidates:")] + f"candidates:\n  - {{runtime: onnxruntime, batch: [1, 8]}}\n  {grid}\n"
    text += STUDY[STUDY.index("reference:") :].replace("rounds: 2", measure)
    return make(folder, text)


def outcome(dossier, runtime):
    """The finding that says what became of the candidate on this runtime."""
    return next(
        (f for f in dossier.findings if f.what == "run" and f.candidate and f"/{runtime}/" in f.candidate), None
    )


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_every_fault_is_a_finding_and_the_others_go_on(tmp_path):
    asleep = 100_000 + os.getpid()  # seconds that no other test's child sleeps
    faults = {
        "segfault": "if self.calls > 3: ctypes.string_at(0)",
        "hang": f"if self.calls > 3: {UNINTERRUPTIBLE}",
        "raises": "if self.calls > 3: raise ValueError('planted words')",
        "silent": "if self.calls > 3: ctypes.CDLL(None)._exit(0)",
        "short": "logits = logits[:-1] if self.calls > 1 and len(x) > 1 else logits",
        "chatty": "os.write(1, b'{\"ok\": false}\\n'); sys.stdout.write('noise\\n')",
        "greedy": "self.hoard = np.ones(2 * 2**30 // 8)",
        "hungry": "ctypes.CDLL('libstdc++.so.6')._Znwm(ctypes.c_size_t(2 * 2**30))",
        "nan": "logits = logits * np.nan",
        "child": f"ctypes.CDLL(None).system(b'sleep {asleep} &') if self.calls == 2 else None",
    }
    limits = "rounds: 2, limits: {open: 20 s, block: 20 s, predict: 20 s, memory: 1 GiB}"
    file = planted(tmp_path, faults, limits.replace("open: 20", "open: 8"))
    before = children()
    dossier = flow.run(file)

    states = {name: (found.state if (found := outcome(dossier, f"./{name}.py")) else None) for name in faults}
    assert states == {
        "segfault": State.CRASHED,
        "hang": State.HUNG,
        "raises": State.FAILED,
        "silent": State.CRASHED,
        "short": State.FAILED,
        "chatty": None,
        "greedy": State.OUT_OF_MEMORY,
        "hungry": State.OUT_OF_MEMORY,
        "nan": None,
        "child": None,
    }
    assert "planted words" in outcome(dossier, "./raises.py").note
    assert "no memory was left" in outcome(dossier, "./hungry.py").note
    assert "SIGSEGV" in outcome(dossier, "./segfault.py").note
    assert "under `limits`" in outcome(dossier, "./hang.py").note
    accuracy = {f.candidate.split("/")[3]: f for f in dossier.findings if f.what == "accuracy" and "./" in f.candidate}
    assert "NaN" in accuracy["nan.py"].note
    assert accuracy["nan.py"].origin is Origin.MISSING
    healthy = dossier.verdict.of("linear/as_is/onnxruntime/cpu/fp32/t1/b8")
    assert healthy.outcome is Outcome.PASS
    sick = [
        dossier.verdict.of(one.id) for one in dossier.candidates if one.label.startswith(("./seg", "./han", "./nan"))
    ]
    assert len(sick) == 3
    assert all(one.outcome is not Outcome.PASS for one in sick)
    assert children() == before, "a process was left behind"
    sleepers = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", str(asleep)]]
    assert not sleepers, "a child of a worker was left behind"


def test_a_leak_is_told_and_a_healthy_candidate_has_none(tmp_path):
    file = planted(tmp_path, {"leak": LEAK, "healthy": "0"}, "rounds: 8")
    file.write_text(file.read_text().replace("meters: [throughput, size]", "meters: [throughput, memory]"))
    dossier = flow.run(file)
    growth = {f.candidate.split("/", 2)[2]: f for f in dossier.findings if f.what == "memory.growth"}
    leaking = next(f for name, f in growth.items() if "leak.py" in name)
    assert leaking.low > 0
    assert "a leak, or a cache without a bound" in leaking.note
    others = [f for name, f in growth.items() if "leak.py" not in name]
    assert len(others) >= 3
    assert not any("leak" in f.note for f in others)


def test_a_second_run_measures_nothing_and_says_so(tmp_path):
    file = make(tmp_path)
    first, second = flow.run(file), flow.run(file)
    assert first.run.measured > 0
    assert (second.run.measured, second.run.reused) == (0, first.run.measured + first.run.reused)
    values = [{f.key: f.value for f in one.findings if f.candidate} for one in (first, second)]
    assert values[0] == values[1]
    assert len(runs(tmp_path / ".seatrial")) == 2
    fresh = flow.run(file, fresh=True)
    assert (fresh.run.measured, fresh.run.reused) == (first.run.measured, first.run.reused)


def test_only_what_is_new_is_measured(tmp_path):
    file = make(tmp_path)
    flow.run(file)
    file.write_text(file.read_text().replace("batch: [1, 8]", "batch: [1, 8, 16]"))
    dossier = flow.run(file)
    measured = {one.id for one in dossier.candidates if one.candidate.batch == 16}
    assert len(measured) == 1
    assert dossier.run.measured == 2 * 2, "two rounds of the new one and of the reference beside it, its outputs shared"
    np.savez(tmp_path / "rows.npz", **{k: v[:300] for k, v in np.load(tmp_path / "rows.npz").items()})
    assert flow.run(file).run.measured == 4 * 2 + 2, "other rows: four candidates in two rounds, two sets of outputs"


def test_ctrl_c_keeps_what_is_done(tmp_path):
    file = make(tmp_path, STUDY.replace("rounds: 2", "rounds: 6"))

    def impatient(event):
        if event.stage == "round" and event.done >= event.total // 2:
            raise KeyboardInterrupt

    dossier = flow.run(file, watch=impatient)
    assert dossier.run.interrupted
    kept = Keeper(tmp_path).all("round", "")
    assert kept
    again = flow.run(file)
    assert not again.run.interrupted
    assert again.run.reused >= len(kept)


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_run_loses_nothing_that_was_finished(tmp_path, seed):
    file = make(tmp_path, STUDY.replace("rounds: 2", "rounds: 4"))
    process = subprocess.Popen([sys.executable, "-m", "seatrial", "run", file.name, "--quiet"], cwd=tmp_path)
    store = tmp_path / ".seatrial" / "seatrial.db"
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if store.exists() and len(Keeper(tmp_path).all("round", "")) > 2 * seed:
            break
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "workers outlived their parent"
    kept = Keeper(tmp_path).all("round", "")
    dossier = flow.run(file)
    assert dossier.run.reused >= len(kept)
    after = Keeper(tmp_path).all("round", "")
    assert dict(after).items() >= dict(kept).items()


def test_answers_that_change_with_the_batch_are_kept_apart(tmp_path):
    file = planted(tmp_path, {"fickle": "logits[:, 0] += 0.5 * len(x)", "steady": "pass"})
    text = file.read_text()
    for name in ("fickle", "steady"):
        text = text.replace(f"./{name}.py, batch: 8", f"./{name}.py, batch: [8, 16]")
    file.write_text(text)
    dossier = flow.run(file)
    kept = {key: body["outputs"]["logits"]["$array"]["hash"] for key, body in Keeper(tmp_path).all("prediction", "")}
    assert len(kept) == 6
    assert len(set(kept.values())) == 3, "the two fickle ones differ; all others are the same outputs, kept once"
    accuracy = {f.candidate: f.value for f in dossier.findings if f.what == "accuracy" and f.level == 0.95}
    assert len(accuracy) == 6


def test_forms_that_are_not_the_same_model_are_refused(tmp_path):
    import torch
    from safetensors.torch import save_file

    file = make(tmp_path)
    (tmp_path / "net.py").write_text("import torch\n\ndef linear():\n    return torch.nn.Linear(4, 3, bias=False)\n")
    weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    text = file.read_text()
    text = text.replace(
        "forms: {onnx: {path: linear.onnx}}",
        "forms: {onnx: {path: linear.onnx}, torch: {module: 'net.py:linear', weights: w.safetensors}}",
    )
    file.write_text(text.replace("reference:", "  - {runtime: torch, batch: 8}\nreference:"))
    for factor, state in ((1.0, State.OK), (1.1, State.REFUSED)):
        save_file({"weight": torch.tensor(weights.T * factor).contiguous()}, tmp_path / "w.safetensors")
        dossier = flow.run(file)
        form = next(f for f in dossier.findings if f.what == "forms.difference")
        assert form.state is state, form.note
        refused = outcome(dossier, "torch")
        assert (refused is None) == (state is State.OK)
        throughput = [f for f in dossier.findings if f.what == "throughput" and "/torch/" in f.candidate]
        assert bool(throughput) == (state is State.OK)


def test_a_broken_model_file_ends_the_run_in_words(tmp_path):
    file = make(tmp_path)
    (tmp_path / "linear.onnx").write_bytes(b"not a model")
    with pytest.raises(SeatrialError) as caught:
        flow.run(file)
    assert "linear.onnx" in str(caught.value)
    assert "next:" in str(caught.value)


def test_rows_that_do_not_fit_are_told(tmp_path):
    file = make(tmp_path)
    np.savez(tmp_path / "rows.npz", x=np.zeros((10, 5), np.float32), label=np.zeros(10, np.int64))
    with pytest.raises(DataError, match="takes rows of 4"):
        flow.run(file)


def test_a_budget_ends_the_rounds(tmp_path):
    file = make(tmp_path, STUDY.replace("rounds: 2", "rounds: 500"))
    begin = time.monotonic()
    dossier = flow.run(file, budget=20.0)
    assert time.monotonic() - begin < 90
    rounds = [f for f in dossier.findings if f.what == "throughput" and f.n and f.n < 500]
    assert rounds


def test_without_any_time_the_reference_is_judged_all_the_same(tmp_path):
    dossier = flow.run(make(tmp_path), budget=0.0)
    reference = next(entry.id for entry in dossier.candidates if entry.reference)
    found = {f.candidate: f for f in dossier.findings if f.what == "accuracy"}
    assert found[reference].value is not None
    waiting = [f for f in dossier.findings if f.what == "run" and f.candidate != reference]
    assert {f.state for f in waiting} == {State.TOO_FEW}


def test_going_on_until_settled_stops_at_a_planned_look(tmp_path):
    settled = make(tmp_path, STUDY.replace("rounds: 2", "rounds: {least: 3, most: 40}"))
    dossier = flow.run(settled)
    throughput = [f for f in dossier.findings if f.what == "throughput"]
    assert {f.n for f in throughput} == {3}, "accuracy settles it at the first look"
    assert {round(f.level, 6) for f in throughput} != {0.95}, "bounds must allow for several looks"


def test_the_dossier_on_disk_is_the_one_returned(tmp_path):
    dossier = flow.run(make(tmp_path))
    folder = tmp_path / ".seatrial" / "runs" / dossier.run.id
    written = json.loads((folder / "dossier.json").read_text())
    assert {"schema", "study", "candidates", "findings", "verdict", "environment"} <= set(written)
    assert len(written["findings"]) == len(dossier.findings)
    assert written["environment"]["cpu"]
    assert any(f["what"] == "environment.cpu" for f in written["findings"])


def test_cohorts_that_do_not_fit_into_memory_are_measured_one_after_another(tmp_path, monkeypatch):
    monkeypatch.setattr("seatrial.flow.measure.MEMORY_SHARE", 1e-9)
    dossier = flow.run(make(tmp_path))
    bodies = [body for _, body in Keeper(tmp_path).all("round", "")]
    cohorts = {body["pair"].split("/")[0] for body in bodies}
    others = [one for one in dossier.candidates if not one.reference]
    assert len(cohorts) == len(others), "one cohort for each candidate, the reference in all of them"
    speedups = [f for f in dossier.findings if f.what == "speedup"]
    assert {f.candidate for f in speedups} == {one.id for one in others}
    assert all(f.n == 2 for f in speedups)


def test_on_a_busy_machine_findings_are_marked_and_requirements_on_them_stay_open(tmp_path):
    limit = "require:\n  - at_least: {what: throughput, bound: 1, at: {load: offline}}\n"
    text = STUDY.replace("{runtime: onnxruntime, batch: [1, 8]}", "{runtime: onnxruntime, threads: [1, 2]}")
    text = text.replace("variant: as_is, batch: 1}", "variant: as_is, threads: 1}").replace("require:\n", limit)
    burn = "import os, sys, time; os.sched_setaffinity(0, {int(sys.argv[1])}); e = time.time() + 90\nwhile time.time() < e: pass"
    rivals = [subprocess.Popen([sys.executable, "-c", burn, str(core)]) for core in os.sched_getaffinity(0)]
    try:
        dossier = flow.run(make(tmp_path, text))
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
    throughput = [f for f in dossier.findings if f.what == "throughput"]
    assert {one.candidate.threads for one in dossier.candidates} == {1, 2}
    assert {f.candidate for f in throughput} == {one.id for one in dossier.candidates}
    assert {f.state for f in throughput} == {State.DISTURBED}
    assert dossier.verdict.outcome is Outcome.OPEN
    assert any("other things" in one.reason for verdict in dossier.verdict.candidates for one in verdict.judgements)


def test_a_meter_that_raises_costs_its_own_findings_only(tmp_path):
    (tmp_path / "clumsy.py").write_text(
        '"""A meter for tests."""\n'
        'ACCEPTS = {"load": ("offline",)}\n'
        'GIVES = {"finding": ("clumsiness",)}\n'
        "def read(probe): return {'n': 1}\n"
        "def findings(rounds, load, level, options): raise ZeroDivisionError('planted')\n"
    )
    dossier = flow.run(make(tmp_path, STUDY.replace("[throughput, size]", "[throughput, size, ./clumsy.py]")))
    clumsy = [f for f in dossier.findings if f.what == "clumsiness"]
    assert {f.candidate for f in clumsy} == {one.id for one in dossier.candidates}
    assert all("ZeroDivisionError: planted" in f.note and f.origin is Origin.MISSING for f in clumsy)
    assert [f for f in dossier.findings if f.what == "throughput"]
