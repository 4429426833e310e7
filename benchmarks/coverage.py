"""Simulated coverage of every interval that a study can state: what share of intervals at .95 hold the truth.

    coverage.py                     go on with the table `coverage.json` until every scene has its studies, then say what it holds
    coverage.py --minutes 8         no longer than so
    coverage.py --only clusters     the scenes whose names hold one of these words
    coverage.py --fresh             begin these scenes anew
    coverage.py --table             say what the table holds, as Markdown, and simulate nothing

Each scene (`_coverage_scenes.py`) is a population whose figures are known, from which studies draw rows; they go through the same
code as a study does, and the table counts how often the bounds of each figure hold the truth, lie above or lie below it. Bars:
at least .93, and at most .97 unless the method is named exact or conservative in the finding itself. Studies are numbered and
seeded by their number, so a table that was ended in the middle goes on as if it had not been.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
from pathlib import Path
from time import monotonic, process_time
from typing import Any

from _coverage_held import Held

TABLE = Path(__file__).parent / "coverage.json"
RUNS = 2000
LEAST, MOST = 0.93, 0.97

Table = dict[str, dict[str, Any]]


def read() -> Table:
    """The table as it stands: by scene how many studies, and by figure the counts of `Held`."""
    return json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}


def figures(scene: dict[str, Any]) -> dict[str, Held]:
    """The counts of each figure of a scene."""
    return {name: Held(*counts) for name, counts in scene["figures"].items()}


def go_on(only: list[str], minutes: float, fresh: bool, runs: int) -> None:
    """Simulate what is lacking, scene by scene, and keep the table after every few seconds."""
    from _coverage_direct import DIRECT
    from _coverage_runs import Simulated
    from _coverage_scenes import SCENES

    table, until = read(), monotonic() + 60 * minutes
    wanted = [name for name in [*DIRECT, *SCENES] if not only or any(word in name for word in only)]
    if fresh:
        table = {name: one for name, one in table.items() if name not in wanted}
    for name in wanted:
        kept = table.setdefault(name, {"runs": 0, "cpu": 0.0, "figures": {}})
        if kept["runs"] >= runs or monotonic() > until:
            continue
        begin = process_time()
        simulated = DIRECT[name] if name in DIRECT else Simulated(name, SCENES[name])
        while kept["runs"] < runs and monotonic() < until:
            add(kept, simulated.studies(kept["runs"]), simulated.at_once)
            write(table)
        kept["cpu"] = round(kept["cpu"] + process_time() - begin, 1)
        write(table)
        print(f"{kept['runs']:6} studies, {kept['cpu']:6.1f} CPU s  {name}", flush=True)


def add(kept: dict[str, Any], found: dict[str, Held], studies: int) -> None:
    """More studies of a scene."""
    kept["runs"] += studies
    for name, one in found.items():
        kept["figures"][name] = list(one.add(kept["figures"].get(name, Held())))


def write(table: Table) -> None:
    """The table in one move, so that no end finds half of it; a scene without studies isn't kept."""
    lines = [
        f'"{name}": {{"runs": {one["runs"]}, "cpu": {one["cpu"]}, "figures": {{\n'
        + ",\n".join(
            f"  {json.dumps(figure)}: {json.dumps(counts)}" for figure, counts in sorted(one["figures"].items())
        )
        + "}}"
        for name, one in sorted(table.items())
        if one["runs"]
    ]
    half = TABLE.with_suffix(".half")
    half.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    half.replace(TABLE)


def beyond(table: Table, errors: float = 0.0) -> list[str]:
    """Figures that miss a bar by more than so many standard errors of simulation, in words."""
    found = []
    for name, scene in table.items():
        for figure, one in figures(scene).items():
            covered = one.covered
            low, high = covered < LEAST, covered > MOST and one.named < one.bounded / 2
            if not (low or high) or one.bounded < 200:
                continue
            bar = LEAST if low else MOST
            away = abs(covered - bar) / math.sqrt(bar * (1 - bar) / one.bounded)
            if away <= errors:
                continue
            said = f"{covered:.3f} of {one.bounded} ({one.above} above, {one.below} below; {away:.1f} errors off)"
            found.append(f"{'LOW ' if low else 'high'} {said}  {figure}: {name}")
    return sorted(found)


def markdown(table: Table) -> str:
    """Of each quantity the least and the greatest coverage over all scenes and settings, and where the least is."""
    of: dict[str, list[tuple[float, str, Held]]] = {}
    for name, scene in table.items():
        for figure, one in figures(scene).items():
            if one.bounded >= 200:
                of.setdefault(figure.split(" ", 1)[0], []).append((one.covered, name, one))
    lines = [
        "| quantity | scenes | least | where | greatest | named exact or conservative there |",
        "|---|---|---|---|---|---|",
    ]
    for what, found in sorted(of.items()):
        least, most = min(found), max(found)
        named = f"{most[2].named / most[2].bounded:.0%}" if most[0] > MOST else ""
        scenes = len({name for _, name, _ in found})
        lines.append(f"| `{what}` | {scenes} | {least[0]:.3f} | {least[1]} | {most[0]:.3f} | {named} |")
    return "\n".join(lines)


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--only", nargs="*", default=[])
    asked.add_argument("--minutes", type=float, default=math.inf)
    asked.add_argument("--runs", type=int, default=RUNS)
    asked.add_argument("--fresh", action="store_true")
    asked.add_argument("--table", action="store_true")
    given = asked.parse_args()
    if not given.table:
        with TABLE.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one run at a time writes the table
            go_on(given.only, given.minutes, given.fresh, given.runs)
    table = read()
    print(markdown(table) if given.table else "\n".join(beyond(table)))


if __name__ == "__main__":
    main()
