"""The search for bad slices: 1,000,000 rows x 10 categorical columns (88 levels), 0/1 errors, one bad slice planted.

    depth2_1m, depth3_1m      CPU seconds of `numerics.slicing.search`: exhaustive, found on one half, confirmed on the other
    peak_mb                   memory that the search to depth 3 allocates at its peak, beyond its input
    planted                   is the planted slice (a pair, 1.7 % of rows, 20 % errors instead of 10 %) confirmed, and how many others
    depth2_100k_sliceline     ours beside sliceline 0.3 on 100,000 rows, two conditions
    depth2_1m_sliceline       the same on all rows, within a limit of CPU time and memory
    support1_1m_divexplorer   ours to depth 3 beside DivExplorer 0.2.6 from 1 % of rows up, all rows
    false_alarms              share of 200 tables without any bad slice (20 columns, 200 levels) in which one was confirmed
    power_*                   share of 100 tables of 50,000 rows in which a planted pair of 1.7 % of rows was confirmed

    python benchmarks/slices.py [--quick] [--json]

CPU time (user + system of one process), so that other work on the machine matters little; `--quick` leaves out the rivals on all rows
and the simulations. Rivals search all rows and have no confirmation.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
from _rivals import environment
from _table import Figure, tell

LEVELS = [20, 15, 12, 10, 8, 6, 5, 5, 4, 3]
PLANTED = ((3, 1), (5, 2))
TIMES = 7
LIMIT_S, LIMIT_GB = 240, 8
RIVALS = {"sliceline": ["sliceline==0.3.0"], "divexplorer": ["divexplorer==0.2.6"]}


def table(n: int, bad: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes (rows, columns), errors (rows,) and the half to search, the same in every environment."""
    rng = np.random.default_rng(seed)
    codes = np.empty((n, len(LEVELS)), np.uint8, order="F")
    for at, size in enumerate(LEVELS):
        codes[:, at] = rng.integers(0, size, n)
    planted = np.logical_and.reduce([codes[:, column] == level for column, level in PLANTED])
    return codes, rng.random(n) < np.where(planted, bad, 0.1), rng.random(n) < 0.5


# --- in a process of its own ------------------------------------------------------------------------------------------


def ours(n: int, depth: int) -> dict:
    """CPU seconds of each of several searches, the memory beyond the input, and what was found."""
    from seatrial.numerics.slicing import search

    codes, errors, first = table(n)
    spent = []
    for _ in range(TIMES):
        begin = time.process_time()
        found = search(codes, LEVELS, errors, first, depth)
        spent.append(time.process_time() - begin)
    confirmed = [one.conditions for one in found.slices if one.confirmed]
    tracemalloc.start()
    search(codes, LEVELS, errors, first, depth)
    return {
        "cpu_s": spent,
        "mb": tracemalloc.get_traced_memory()[1] / 1e6,
        "searched": found.searched,
        "planted": PLANTED in confirmed,
        "others": len(confirmed) - (PLANTED in confirmed),
    }


def sliceline(n: int) -> dict:
    """Its ten worst slices of at most two conditions, from 50 rows up; with a smaller alpha the planted one scores below zero."""
    from sliceline.slicefinder import Slicefinder

    codes, errors, _ = table(n)
    begin = time.process_time()
    finder = Slicefinder(alpha=0.99, k=10, max_l=2, min_sup=50, verbose=False).fit(codes, errors.astype(float))
    spent = time.process_time() - begin
    found = [tuple((at, int(level)) for at, level in enumerate(one) if level is not None) for one in finder.top_slices_]
    return {"cpu_s": [spent], "planted": PLANTED in found}


def divexplorer(n: int) -> dict:
    """All patterns that at least 1 % of the rows meet, and whether the planted one diverges most or next to most."""
    import pandas
    from divexplorer import DivergenceExplorer

    codes, errors, _ = table(n)
    frame = pandas.DataFrame({f"c{at}": codes[:, at] for at in range(len(LEVELS))}).assign(error=errors)
    begin = time.process_time()
    found = DivergenceExplorer(frame).get_pattern_divergence(min_support=0.01, boolean_outcomes=["error"])
    spent = time.process_time() - begin
    worst = found.sort_values("error_div", ascending=False)["itemset"].head(10)
    wanted = {f"c{column}={level}" for column, level in PLANTED}
    return {"cpu_s": [spent], "planted": any(set(one) == wanted for one in worst), "searched": len(found)}


# --- from outside -----------------------------------------------------------------------------------------------------


def ask(python: str | Path, *words: object) -> dict | str:
    """What this file says when it is run by that interpreter with these words, or in words why it said nothing."""
    command = [str(python), __file__, "--one", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_limited)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if done.returncode < 0:
        return f"no answer in {LIMIT_S} CPU s"
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return f"out of memory at {LIMIT_GB} GB" if "Memory" in last or "allocate" in last else f"failed: {last[:80]}"


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_GB << 30, LIMIT_GB << 30))


def beside(mine: dict, theirs: dict | str, note: str) -> Figure:
    """Our median beside the rival's, or its silence in words."""
    if isinstance(theirs, str):
        return Figure(statistics.median(mine["cpu_s"]), None, "CPU s", len(mine["cpu_s"]), f"{note}: {theirs}")
    place = "among its ten worst" if theirs["planted"] else "not among its ten worst"
    rival = statistics.median(theirs["cpu_s"])
    return Figure(statistics.median(mine["cpu_s"]), rival, "CPU s", len(mine["cpu_s"]), f"{note}: planted {place}")


def rivals(quick: bool) -> dict[str, Figure]:
    """Ours beside sliceline and DivExplorer."""
    pythons = {name: environment(name, packages) for name, packages in RIVALS.items()}
    small = ask(sys.executable, "ours", 100_000, 2)
    found = {
        "depth2_100k_sliceline": beside(
            small, ask(pythons["sliceline"], "sliceline", 100_000), "sliceline 0.3, 100,000 rows"
        )
    }
    if not quick:
        pair, triple = (ask(sys.executable, "ours", 1_000_000, depth) for depth in (2, 3))
        found["depth2_1m_sliceline"] = beside(pair, ask(pythons["sliceline"], "sliceline", 1_000_000), "sliceline 0.3")
        theirs = ask(pythons["divexplorer"], "divexplorer", 1_000_000)
        found["support1_1m_divexplorer"] = beside(triple, theirs, "DivExplorer 0.2.6, patterns of 1 % of rows")
    return found


def simulations() -> dict[str, Figure]:
    """How often nothing is called something, and something is found."""
    from seatrial.numerics.slicing import search

    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        codes = np.asfortranarray(rng.integers(0, 10, (10_000, 20), np.uint8))
        found = search(codes, [10] * 20, rng.random(10_000) < 0.1, rng.random(10_000) < 0.5, 2)
        alarms += any(one.confirmed for one in found.slices)
    told = {"false_alarms": Figure(alarms / 200, 0.05, "share", 200, "rival: the nominal level")}
    for bad in (0.15, 0.2, 0.3):
        hits, others = 0, 0
        for seed in range(100):
            codes, errors, first = table(50_000, bad, seed)
            confirmed = [one.conditions for one in search(codes, LEVELS, errors, first).slices if one.confirmed]
            hits += PLANTED in confirmed
            others += len(confirmed) - (PLANTED in confirmed)
        note = f"{bad:.0%} errors instead of 10 % in 830 rows, half of them to find it by; {others} others confirmed"
        told[f"power_{bad:.2f}"] = Figure(hits / 100, None, "share", 100, note)
    return told


def main() -> None:
    quick = "--quick" in sys.argv
    pair, triple = (ask(sys.executable, "ours", 1_000_000, depth) for depth in (2, 3))
    told = {}
    for name, one, bar in (("depth2_1m", pair, 0.2), ("depth3_1m", triple, 0.6)):
        note = f"rival: the limit; first {one['cpu_s'][0]:.3f}, {one['searched']} slices"
        told[name] = Figure(statistics.median(one["cpu_s"]), bar, "CPU s", TIMES, note)
    told["peak_mb"] = Figure(round(triple["mb"], 1), 200, "MB", 1, "rival: the limit; beyond the input")
    told["planted"] = Figure(
        int(triple["planted"]), 1, "found", 1, f"{triple['others']} other slices confirmed; rival: all"
    )
    tell(told | rivals(quick) | ({} if quick else simulations()))


if __name__ == "__main__":
    if "--one" in sys.argv:
        name, *numbers = sys.argv[sys.argv.index("--one") + 1 :]
        contenders = {"ours": ours, "sliceline": sliceline, "divexplorer": divexplorer}
        print(json.dumps(contenders[name](*map(int, numbers))))
    else:
        main()
