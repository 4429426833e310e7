"""LoadGen as an oracle: what its summaries say of a test, and what our meters make of the very same latencies, in all four scenarios.

    percentiles       percentiles and means of LoadGen's summaries that ours equal, to the nanosecond
    discards          single and multi stream: how many of the slowest it would discard, and the bound that it then states
    validity          tests that both call valid, or both not, by duration, number of queries and bound of latency
    rates             offline: rows a second, within 1 %

LoadGen runs on a session that sleeps, one process a test, in an environment of its own; its trace has the latency of every query. These are turned
into events as our loads return them. `--record` writes the tests down in `loadgen_runs.json`, which a test of the project reads: so the oracle
is asked wherever it isn't installed. Without `--record` LoadGen runs anew and nothing is written. Unverified: not a result of MLPerf.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _rivals import environment
from _table import Figure, tell

from seatrial import catalog
from seatrial.contracts.events import Events, Leg
from seatrial.contracts.protocols import Probe, Round
from seatrial.numerics.percentiles import loadgen_discards, percentile

HERE = Path(__file__).parent
RUNS = HERE / "loadgen_runs.json"
PACKAGES = ["mlcommons-loadgen==6.0.17", "numpy==2.4.6"]
LOADS = {"SingleStream": "single_stream", "MultiStream": "multi_stream", "Server": "server", "Offline": "offline"}


def case(scenario: str, n: int, service: float, **settings: Any) -> dict[str, Any]:
    """A test of exactly `n` queries (offline: rows), each answered after about `service` seconds."""
    counts = {"min_query_count": n} | ({} if scenario == "Offline" else {"max_query_count": n})
    return {
        "scenario": scenario,
        "seed": n,
        "service": service,
        "settings": {"min_duration_ms": 50} | counts | settings,
    }


def server(n: int, rate: float, bound: float, service: float = 0.001) -> dict[str, Any]:
    return case("Server", n, service, server_target_qps=rate, server_target_latency_ns=int(bound * 1e9))


MULTI = {"multi_stream_samples_per_query": 8}
CASES = [
    case("SingleStream", 63, 0.001),
    case("SingleStream", 64, 0.001),
    case("SingleStream", 300, 0.0005),
    case("SingleStream", 700, 0.0005),
    case("SingleStream", 100, 0.0005, min_duration_ms=5000),
    case("MultiStream", 661, 0.0005, **MULTI),
    case("MultiStream", 662, 0.0005, **MULTI),
    case("MultiStream", 1000, 0.0005, **MULTI),
    server(500, 200, 0.2),
    server(458, 200, 0.2),
    server(500, 200, 0.005, 0.004),
    server(600, 300, 0.05, 0.0045),
    case("Offline", 2000, 0.3, offline_expected_qps=1000),
    case("Offline", 500, 0.02, offline_expected_qps=1000, min_duration_ms=400),
]
"""In pairs of which one is just valid and one is just not: by queries, by duration, by the bound of latency."""


class Compared(NamedTuple):
    """One statement of LoadGen's and what ours says of the same test."""

    figure: str
    what: str
    ours: float | bool | str | None
    theirs: float | bool | str | None

    @property
    def same(self) -> bool:
        """Whether they agree; rates within 1 %, because LoadGen's clock begins before its first query."""
        if self.figure == "rates":
            return (
                isinstance(self.ours, float)
                and isinstance(self.theirs, float)
                and abs(self.ours / self.theirs - 1) < 0.01
            )
        return self.ours == self.theirs


def asked(one: dict[str, Any]) -> dict[str, Any]:
    """A test by LoadGen: its summary and its queries."""
    python = environment("loadgen_oracle", PACKAGES)
    command = [python, HERE / "rivals" / "loadgen_scenarios.py", json.dumps(one)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return one | {"rows": len(said["queries"]), "queries": _queries(said.pop("queries")), "said": said}


def events(run: dict[str, Any]) -> Events:
    """LoadGen's queries as one of our loads would have returned them."""
    begun, took = np.array(run["queries"], np.int64).T
    done, scenario = begun + took, run["scenario"]
    if scenario == "Server":
        legs = (Leg(run["settings"]["server_target_qps"], len(took), 0, int(done.max())),)
        return Events(issued=begun, done=done, scheduled=begun, legs=legs, unsent=np.empty(0, np.int64))
    return Events(issued=begun, done=done, samples=run["rows"] // len(took))


def _queries(rows: list[list[float]]) -> list[list[int]]:
    """When each query began and how long it took, in nanoseconds: one of several rows is answered when its last one is."""
    found: dict[float, list[int]] = {}
    for sequence, begun, took in rows:
        known = found.setdefault(sequence, [round(1e3 * begun), int(took)])
        known[:] = min(known[0], round(1e3 * begun)), max(known[1], int(took))
    return [found[sequence] for sequence in sorted(found)]


def compared(run: dict[str, Any]) -> Iterator[Compared]:
    """Every statement of a summary beside ours."""
    said, load, of = run["said"], LOADS[run["scenario"]], events(run)
    took = of.done - of.start
    for p, theirs in said["percentiles"].items():
        yield Compared("percentiles", f"p{p}", int(percentile(took, float(p) / 100)), theirs)
    yield Compared("percentiles", "mean", int(took.mean()), int(said["mean"]))
    yield Compared("validity", "valid", _valid(run, load, of), said["valid"])
    if load in ("single_stream", "multi_stream"):
        p = 0.9 if load == "single_stream" else 0.99
        least = loadgen_discards(len(took), p)
        theirs = said["discards"]
        yield Compared("discards", "of the slowest", least, theirs if theirs is None else int(theirs))
        for name, bound in said["estimates"].items():
            may = loadgen_discards(len(took), float(name) / 100)
            ordered = np.sort(took)
            yield Compared("discards", f"bound of p{name}", None if may is None else int(ordered[-1 - may]), bound)
    if load == "offline":
        yield Compared("rates", "rows a second", _throughput(of), said["rows_per_second"])


def _valid(run: dict[str, Any], load: str, of: Events) -> bool:
    """Our meter's word, held to the duration and the bound that LoadGen was given."""
    meter = catalog.load(catalog.find("meters", "validity"))
    settings = run["settings"]
    bound = settings.get("server_target_latency_ns", 10**8) / 1e9
    options = meter.Options(latency=bound, duration=settings["min_duration_ms"] / 1e3, rows=settings["min_query_count"])
    (one,) = meter.findings([Round(0, meter.read(Probe(of, {}, None)), None)], load, 0.95, options)
    return bool(one.value == "valid")


def _throughput(of: Events) -> float:
    meter = catalog.load(catalog.find("meters", "throughput"))
    return float(meter.read(Probe(of, {}, None))["throughput"])


def main() -> None:
    runs = []
    for place, one in enumerate(CASES):
        print(f"\r{place + 1} of {len(CASES)}: {one['scenario']:20}", end="", file=sys.stderr)
        runs.append(asked(one))
    print(file=sys.stderr)
    if "--record" in sys.argv:
        RUNS.write_text("[\n" + ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs) + "\n]\n")
    found = [(run, one) for run in runs for one in compared(run)]
    for run, one in found:
        if not one.same:
            print(
                f"{run['scenario']} {run['settings']}: {one.what}: ours {one.ours}, LoadGen {one.theirs}",
                file=sys.stderr,
            )
    figures = {}
    for name in ("percentiles", "discards", "validity", "rates"):
        mine = [one.same for _, one in found if one.figure == name]
        figures[name] = Figure(
            sum(mine) / len(mine), None, "", len(mine), "share that is the same; 1 is meant; LoadGen 6.0.17, unverified"
        )
    tell(figures)


if __name__ == "__main__":
    main()
