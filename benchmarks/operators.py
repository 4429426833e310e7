"""ONNX's own operator tests on every runtime that takes ONNX, straight or converted: right, refused in words, wrong, or broken.

    python benchmarks/operators.py [--json] [--only torch,jax] [--record]

Each runtime answers in processes of its own, so that one that crashes costs its own test alone. On JAX and LiteRT a test is a model with
rows: inputs that haven't as many rows as the first become constants. `--record` writes `operators.json`, which a test holds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import _operators
from _table import Figure, tell

from seatrial import catalog

CHUNK = 250
LIMIT_S = 3600
CARRIED = ("jax", "litert")
MOST = {"openvino": 2, "jax": 1, "litert": 1}
"""Tests of each operator where one takes long; elsewhere all are done."""
WRITTEN_OUT = "_expanded"
"""How tests are called whose one operator is written out in simpler ones; where tests take long they are left out."""
RECORD = Path(__file__).with_name("operators.json")


def main() -> None:
    """Sweep, tell, and record where that is asked for."""
    given = _given()
    if given.worker:
        work(given.worker)
        return
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    figures = {}
    for runtime in given.only.split(",") if given.only else able():
        most = MOST.get(runtime, 0) if given.most is None else given.most
        told = dict(swept(runtime, most))
        known[runtime] = summary(told) | {"most": most}
        counts = Counter(state for state, _ in told.values())
        for state in ("right", "refused", "wrong", "broken"):
            figures[f"{runtime}_{state}"] = Figure(counts[state], None, "tests", len(told), "of ONNX's own")
        if given.record:
            RECORD.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    tell(figures, ["--json"] if given.json else [])


def able() -> list[str]:
    """The runtimes that an ONNX file can get to here."""
    parts = {name: [catalog.find("runtimes", name), *(catalog.find("conversions", one) for one in way)] for name, way in _operators.WAYS.items()}  # fmt: skip
    return [name for name, needed in parts.items() if not any(map(catalog.absent, needed))]


def summary(told: dict[str, tuple[str, str]]) -> dict[str, object]:
    """How many tests there were and how many were answered rightly; the others by name."""
    others = {state: sorted(name for name, (was, _) in told.items() if was == state) for state in ("refused", "wrong", "broken")}  # fmt: skip
    return {"tests": len(told), "right": sum(state == "right" for state, _ in told.values()), **others}


def swept(runtime: str, most: int) -> Iterator[tuple[str, tuple[str, str]]]:
    """State and words of each test on a runtime, by its name."""
    left = asked(runtime, most)
    while left:
        done = list(_chunk(runtime, left[:CHUNK]))
        if not done:
            raise SystemExit(f"the process for {runtime} gave no answer at all")
        yield from done
        left = left[len(done) :]


def asked(runtime: str, most: int) -> list[str]:
    """The names of the tests for a runtime, so many of each operator; all where that is 0."""
    known = _operators.cases()
    if most:
        known = _operators.some({name: case for name, case in known.items() if WRITTEN_OUT not in name}, most)
    return [name for name, case in known.items() if runtime not in CARRIED or _operators.carried(case)]


def _chunk(runtime: str, names: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """These tests in one process, up to the one at which it ended, which is broken."""
    command = [sys.executable, __file__, "--worker", runtime]
    try:
        ran = subprocess.run(command, input="\n".join(names), capture_output=True, text=True, timeout=LIMIT_S, check=False)  # fmt: skip
        out, end = ran.stdout, f"the process ended ({ran.returncode}): {ran.stderr[-200:]}"
    except subprocess.TimeoutExpired as error:
        out, end = _text(error.stdout), f"no answer in {LIMIT_S} s"
    begun = ""
    for line in out.splitlines():
        if not line.startswith("{"):
            continue
        said = json.loads(line)
        if "state" in said:
            print(f"{runtime} {said['name']}: {said['state']} {said['words'][:160]}", file=sys.stderr)
            yield said["name"], (said["state"], said["words"])
            begun = ""
        else:
            begun = said["name"]
    if begun:
        print(f"{runtime} {begun}: broken {end}", file=sys.stderr)
        yield begun, ("broken", end)


def _text(out: str | bytes | None) -> str:
    return out.decode() if isinstance(out, bytes) else out or ""


def work(runtime: str) -> None:
    """Answer the tests that stand on the standard input, a name a line."""
    known = _operators.cases()
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.stdin.read().split():
            print(json.dumps({"name": name}), flush=True)
            case = _operators.carried(known[name]) if runtime in CARRIED else known[name]
            assert case is not None
            state, words = _operators.outcome(case, runtime, Path(folder) / name)
            print(json.dumps({"name": name, "state": state, "words": words}), flush=True)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--only", default="", help="these runtimes, with commas between them")
    parser.add_argument("--most", type=int, help="so many tests of each operator; 0 for all")
    parser.add_argument("--record", action="store_true", help="write operators.json")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
