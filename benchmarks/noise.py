"""Whether ratios hold on a machine that isn't quiet: a candidate against itself, while a load on another processor comes and goes.

ratio_coverage      share of 95 % intervals (five rounds) that contain 1, the true ratio; at least .93
false_faster_rate   share of repeats in which the study's stopping rule ends with "faster than itself"; beside it the most that
                    chance allows at the stated confidence (99 % binomial bound)
false_slower_rate   the same of "slower"
disturbed_repeats   share of repeats in which undisturbed rounds were too few, so that their figures are marked and decide nothing

Candidate and reference are one session in one worker, so that nothing but noise lies between them. All else is what a study runs: interleaved
rounds in random order, disturbed blocks repeated, looks at 5, 10 and 20 rounds, bounds that allow for them. Blocks last 30 ms instead of half a second. What isn't done
after eight minutes is left out; `n` says how many repeats there were. `--keep FILE` writes them down, and a later call goes on from there.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import onnx
from _table import Figure, tell
from onnx import TensorProto, helper

import seatrial.flow.measure as measuring
from seatrial.contracts.finding import State
from seatrial.contracts.verdict import Outcome
from seatrial.flow import quiet, rounds
from seatrial.flow import study as flow
from seatrial.flow.decide import decide
from seatrial.flow.searching import Hunt
from seatrial.flow.statements import statements
from seatrial.numerics.distributions import binomial_cdf
from seatrial.numerics.stopping import looks

REPEATS, LEAST, MOST, CONFIDENCE, BUDGET_S = 200, 5, 20, 0.95, 480.0
STUDY = f"""\
schema: 1
name: noise
models:
  tiny:
    forms: {{onnx: {{path: tiny.onnx}}}}
    task: classification
    inputs: {{x: {{columns: x}}}}
    outputs: {{logits: {{means: logits, classes: [a, b, c, d]}}}}
data:
  evaluation: {{from: {{npz: {{path: rows.npz}}}}, label: label, roles: confirm}}
candidates: [{{runtime: onnxruntime, batch: [1, 2]}}]
reference: {{batch: 1}}
measure:
  loads: [{{single_stream: {{seconds: 0.03, queries: 20}}}}]
  rounds: {{least: {LEAST}, most: {MOST}}}
  meters: [latency]
require:
  - at_least: {{what: speedup, bound: 1.0, at: {{load: single_stream}}}}
confidence: {CONFIDENCE}
reports: [json]
"""
RIVAL = """
import os, random, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
while True:
    end = time.time() + random.expovariate(2.0)
    while time.time() < end: pass
    time.sleep(random.expovariate(2.0))
"""
"""Half a second of work and half a second of rest, on average."""


def study(folder: Path) -> Path:
    """A network of three layers of 64, 64 and 4, and 200 rows."""
    import numpy as np

    noise = np.random.default_rng(0)
    np.savez(folder / "rows.npz", x=noise.normal(size=(200, 64)).astype(np.float32), label=noise.integers(0, 4, 200))
    weights = [noise.normal(size=size).astype(np.float32) / 8 for size in ((64, 64), (64, 64), (64, 4))]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h0"]),
        helper.make_node("Relu", ["h0"], ["r0"]),
        helper.make_node("MatMul", ["r0", "w1"], ["h1"]),
        helper.make_node("Relu", ["h1"], ["r1"]),
        helper.make_node("MatMul", ["r1", "w2"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 4])],
        [onnx.numpy_helper.from_array(one, f"w{at}") for at, one in enumerate(weights)],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "tiny.onnx"
    )
    (folder / "study.yaml").write_text(STUDY)
    return folder / "study.yaml"


def repeat(hunt: Hunt, voyage: Any, trials: list[Any], judged: Any, number: int) -> dict[str, Any]:
    """One study's rounds, from nothing: what is stated after five, and what the stopping rule ends with."""
    candidate = next(one for one in trials if not one.planned.reference)
    short = rounds.Short(1.0, ("single_stream",), f"repeat{number}")
    for one in trials:
        one.rounds.clear()
        one.probes.clear()
    found: dict[str, Any] = {"outcome": Outcome.OPEN, "state": State.OK}
    for done, count in zip((0, *looks(LEAST, MOST)), looks(LEAST, MOST), strict=False):
        rounds.measure_rounds(voyage, trials, count - done, lambda _: False, short)
        for one in trials:
            one.rounds = dict(one.probes)
        if count == LEAST:
            reference = next(one for one in trials if one.planned.reference)
            stated = rounds.speed_findings(voyage, candidate, reference, [0.95])
            ratio = next(one for one in stated if one.what == "speedup")
            found |= {
                "covers": bool(ratio.low <= 1.0 <= ratio.high),
                "state": ratio.state,
                "spread": ratio.high / ratio.low,
            }
        verdict = decide(voyage.plan, statements(voyage, trials, judged)).of(candidate.id)
        outcomes = [one.outcome for one in verdict.judgements if one.rule != "run"]
        found["outcome"] = outcomes[0]
        if outcomes[0] is not Outcome.OPEN:
            break
    return found | {"rounds": len(candidate.rounds)}


def measured(first: int, repeats: int) -> list[dict[str, Any]]:
    """All repeats from the `first` on, with the load on the last processor that we may use."""
    found: list[dict[str, Any]] = []

    class Repeating(Hunt):
        def narrow(self, cohort):
            reference = next(one for one in cohort if one.planned.reference)
            for one in cohort:
                one.link = reference.link  # one session for both
            begin = time.monotonic()
            for number in range(first, repeats):
                if time.monotonic() - begin > BUDGET_S:
                    break
                found.append(repeat(self, self._voyage, cohort, self._judged, number))
                if number % 20 == 0:
                    print(f"\r{number} of {repeats}", end="", file=sys.stderr)
            raise KeyboardInterrupt  # the rest of the study isn't needed

    measuring.Hunt = Repeating
    rounds.quietest = lambda count: quiet.quietest(count, 0.02)
    core = sorted(os.sched_getaffinity(0))[-1]
    rival = subprocess.Popen([sys.executable, "-c", RIVAL, str(core)])
    try:
        with tempfile.TemporaryDirectory() as name:
            flow.run(study(Path(name)))
    finally:
        rival.kill()
        rival.wait()
    print(file=sys.stderr)
    return found


def most_by_chance(n: int, rate: float) -> float:
    """The share that a rate exceeds in n trials with a probability of at most 1 %."""
    return next(k for k in range(n + 1) if binomial_cdf(k, n, rate) >= 0.99) / n


def main() -> None:
    random.seed(0)
    repeats = int(sys.argv[sys.argv.index("--repeats") + 1]) if "--repeats" in sys.argv else REPEATS
    kept = Path(sys.argv[sys.argv.index("--keep") + 1]) if "--keep" in sys.argv else None
    before = json.loads(kept.read_text()) if kept and kept.exists() else []
    found = before + measured(len(before), repeats)
    if kept:
        kept.write_text(json.dumps(found))
    marked = [one for one in found if one["state"] != State.OK]
    n, error = len(found), 1 - CONFIDENCE
    typical = f"{mean(one['rounds'] for one in found):.1f} rounds a repeat; interval of five rounds {mean(one['spread'] for one in found):.3f} from end to end"
    tell(
        {
            "ratio_coverage": Figure(mean(one["covers"] for one in found), None, "", n, f"at least .93; {typical}"),
            "false_faster_rate": Figure(
                mean(one["outcome"] == Outcome.PASS for one in found), most_by_chance(n, error), "", n,
                f"rival: the most that chance allows at {error:.0%} stated",
            ),
            "false_slower_rate": Figure(
                mean(one["outcome"] == Outcome.FAIL for one in found), most_by_chance(n, error), "", n, "the same"
            ),
            "disturbed_repeats": Figure(len(marked) / n, None, "", n, "marked, so that they decide nothing"),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
