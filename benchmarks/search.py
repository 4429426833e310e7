"""What a search saves, and what it costs: `halving` against measuring every candidate.

time_share         seconds in timed blocks, short ones included, over those of measuring all; at most .25
within_3pct_share  of 20 runs, those whose choice is within 3 % of the best of the table; at least .95
exhaustive_within_3pct_share  the same of measuring all, with the same noise
whole_share        as time_share, with opening, warming up and answering the rows once, which both do for every candidate
made_time_share    the greatest of the same over four kinds of tables that are drawn, of 48 candidates each, five of each kind; `note` tells them apart
made_within_3pct_share  the least of the same
live_time_share    with `--live`: seconds in timed blocks of one run, here and now, over those of five full rounds of its candidates: all 49,
                   or 12 with `--live-few`, of which the reference and one more are a sixth in full rounds already
live_choice        throughput of that run's choice over that of the best of these candidates, both as in the table

The table is the demo's network in 49 ways on one thread: `python search.py --record` makes it anew with seatrial itself, every candidate in 24
short rounds (blocks of 30 ms, a tenth of full ones) and then in 8 full ones. A run draws whole rounds with replacement, the same for all candidates, so
that what slowed all of them in a round still does; disturbed blocks count as time and as nothing else, as in a study. The best of the table is by its full rounds.

The table that stands here was recorded on 30 November 2026 on two cores of an AMD EPYC (virtual, no AMX) with nothing else running: 0.8 % from one short block to the next.
Its best two lie within 0.2 %, four within 2 %. A table without full blocks can be read, too: ten short ones in a row then stand for a full one. `ready` of
its last candidate holds other work and isn't counted.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from _table import Figure, tell

import seatrial.flow.measure as measuring
from seatrial import catalog
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.race import Entrant
from seatrial.flow import study as flow
from seatrial.flow.rounds import measure_rounds
from seatrial.flow.searching import Hunt
from seatrial.testing.searches import play

HERE = Path(__file__).parent
TABLE = HERE / "search_table.json"
FASHION = HERE.parent / "examples" / "fashion"
RUNS, FULL, SHORT, RECORDED, SHARE = 20, 5, 24, 8, 0.1
BATCHES = "[1, 2, 4, 8, 16, 32, 64]"
WIDE = f"""
  - {{runtime: onnxruntime, variant: [as_is, int8_dynamic, int8_static], batch: {BATCHES}}}
  - {{runtime: openvino, variant: [as_is, int8_static], precision: [fp32, bf16], batch: {BATCHES}}}
"""
NARROW = """
  - {runtime: onnxruntime, variant: [as_is, int8_static], batch: [1, 8, 64]}
  - {runtime: openvino, variant: [as_is, int8_static], batch: [1, 8, 64]}
"""
EVERYONE = f'''"""Short rounds of everyone, and nobody left out: what a table is recorded with."""
from seatrial.contracts.race import Rungs
def order(candidates, options): return [one.id for one in candidates]
def rungs(options): return Rungs(({SHORT},), {SHARE})
def leave(race, options): return []
'''
Table = dict[str, dict[str, Any]]


def study(folder: Path, candidates: str, search: str) -> Path:
    """The demo's network, run in these ways, preferred by throughput."""
    shutil.copytree(FASHION, folder, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
    (folder / "everyone.py").write_text(EVERYONE)
    text = (folder / "study.yaml").read_text()
    rest = f"""candidates:{candidates}
reference: {{runtime: onnxruntime, variant: as_is, batch: 1}}
measure:
  loads: [{{offline: {{seconds: 0.3, queries: 2}}}}]
  rounds: {FULL}
  meters: [throughput]
  search: {search}
prefer: {{what: throughput, at: {{load: offline}}}}
reports: [json]
"""
    (folder / "study.yaml").write_text(text[: text.index("candidates:")] + rest)
    return folder / "study.yaml"


def block(body: dict[str, Any]) -> list[Any]:
    """Throughput of a block, seconds with its repeats, and whether it was disturbed all the same."""
    one = body["loads"]["offline"]
    seen, speed = one["disturbance"], one["readings"]["throughput"]["throughput"]
    return [float(f"{speed:.5g}"), round(seen["seconds"] * one["attempts"], 4), int(bool(seen["reason"]))]


def carried_out(candidates: str, search: str, recording: bool) -> Table:
    """A study run in a fresh folder: blocks of each candidate, and the seconds that passed until it was ready."""
    found: Table = {}
    ready: dict[str, float] = defaultdict(float)
    last: list[Any] = [time.monotonic(), ""]

    class Recording(Hunt):
        def narrow(self, cohort):
            last[1] = ""
            staying = super().narrow(cohort)
            if recording:
                measure_rounds(self._voyage, staying, RECORDED, lambda _: False)
                self.findings()
                raise KeyboardInterrupt  # nothing else of the study is needed
            return staying

        def findings(self):
            for one in self._trials:
                blocks = {"short": [*map(block, one.probes.values())], "full": [*map(block, one.rounds.values())]}
                found[one.id] = blocks | {"ready": round(ready[one.planned.label], 3)}
            return super().findings()

    def watch(event):
        now = time.monotonic()
        if last[1]:
            ready[last[1]] += now - last[0]
        last[:] = [now, event.label if event.stage in ("open", "warm", "predict") else ""]
        if event.stage in ("round", "open"):
            print(f"\r{event.done} of {event.total} {event.label:60}", end="", file=sys.stderr)

    measuring.Hunt = Recording
    try:
        with tempfile.TemporaryDirectory() as name:
            flow.run(study(Path(name) / "fashion", candidates, search), watch=watch)
    finally:
        measuring.Hunt = Hunt
    print(file=sys.stderr)
    return found


def speed(blocks: list[list[Any]]) -> float:
    """The geometric mean of a candidate's undisturbed blocks, or of all where there are none."""
    values = [value for value, _, disturbed in blocks if not disturbed] or [value for value, *_ in blocks]
    return float(np.exp(np.mean(np.log(values))))


def seconds(blocks: list[list[Any]]) -> float:
    return sum(took for _, took, _ in blocks)


def whole(one: dict[str, Any]) -> list[list[Any]]:
    """A candidate's full blocks; where a table has none, ten short ones in a row stand for one, as long as they are together."""
    if one["full"]:
        return one["full"]
    rows = [[one["short"][(at + step) % SHORT] for step in range(round(1 / SHARE))] for at in range(SHORT)]
    return [[speed(row), seconds(row), int(all(disturbed for *_, disturbed in row))] for row in rows]


def drawn_from(table: Table, random: np.random.Generator) -> tuple[Table, Table]:
    """Short and full blocks of one run: rounds drawn with replacement, the same for all candidates."""
    rounds = min(len(whole(one)) for one in table.values())
    short, full = random.integers(0, SHORT, SHORT), random.integers(0, rounds, FULL)
    first = {id_: [one["short"][at] for at in short] for id_, one in table.items()}
    return first, {id_: [whole(one)[at] for at in full] for id_, one in table.items()}


def replay(table: Table, drawn: tuple[Table, Table]) -> dict[str, float]:
    """One run of the search on drawn blocks; each candidate stands as a runtime of that name."""
    short, full = drawn
    info = catalog.find("searches", "halving")
    search, options = catalog.load(info), catalog.options(info)
    field = [Entrant(Candidate(model="m", runtime=id_), id_) for id_ in table]
    names = {one.id: one.label for one in field}

    def draw(id_: str, index: int) -> float | None:
        value, _, disturbed = short[names[id_]][index]
        return None if disturbed else value

    played = play(search, options, field, draw)
    staying = [names[id_] for id_ in played.staying]
    everything = sum(map(seconds, full.values()))
    searched = sum(seconds(short[names[id_]][:count]) for id_, count in played.rounds.items())
    searched += sum(seconds(full[id_]) for id_ in staying)
    ready = sum(one["ready"] for one in [*table.values()][:-1])
    truth = {id_: speed(whole(one)) for id_, one in table.items()}
    good = max(truth.values()) / 1.03
    return {
        "time": searched / everything,
        "whole": (ready + searched) / (ready + everything),
        "within": truth[max(staying, key=lambda id_: speed(full[id_]))] >= good,
        "all_within": truth[max(full, key=lambda id_: speed(full[id_]))] >= good,
        "staying": len(staying),
    }


MADE = {"even": (0.01, 0.0, 1.0), "noisy": (0.1, 0.0, 1.0), "spikes": (0.02, 0.1, 1.0), "close": (0.03, 0.0, 0.05)}
"""Kinds of tables that are drawn: noise of a short block, share of them that lose up to a half unnoticed, spread of the candidates (logarithms)."""


def made(random: np.random.Generator, kind: str, candidates: int = 48) -> Table:
    """A table that is drawn: noise of each candidate's own size, what all of a round share, and full blocks that average ten short ones."""
    noise, spikes, spread = MADE[kind]
    truth, own = random.normal(8.5, spread, candidates), noise * np.exp(random.normal(0, 0.5, candidates))
    shape = (candidates, SHORT + 10 * RECORDED)
    logs = truth[:, None] + own[:, None] * random.normal(size=shape) + noise * random.normal(size=shape[1])
    logs += np.log1p((random.random(shape) < spikes) * random.random(shape) / -2)
    full = logs[:, SHORT:].reshape(candidates, RECORDED, 10).mean(axis=2)
    return {
        f"c{at}": {
            "short": [[float(value), 0.03, 0] for value in np.exp(logs[at, :SHORT])],
            "full": [[float(value), 0.3, 0] for value in np.exp(full[at])],
            "ready": 1.0,
        }
        for at in range(candidates)
    }


def drawn_tables() -> dict[str, Figure]:
    """The search on tables that it has never seen."""
    found = {}
    for kind in MADE:
        randoms = [np.random.default_rng([len(found), seed]) for seed in range(RUNS // 4)]
        tables = [(made(random, kind), random) for random in randoms]
        runs = [replay(table, drawn_from(table, random)) for table, random in tables for _ in range(4)]
        found[kind] = (mean(run["time"] for run in runs), mean(run["within"] for run in runs))
    time_note, within_note = ("; ".join(f"{kind} {pair[at]:.3g}" for kind, pair in found.items()) for at in (0, 1))
    return {
        "made_time_share": Figure(max(time for time, _ in found.values()), None, "", RUNS, time_note),
        "made_within_3pct_share": Figure(min(within for _, within in found.values()), None, "", RUNS, within_note),
    }


def live(table: Table, candidates: str) -> dict[str, Figure]:
    """The search on candidates of the table, measured now."""
    few = carried_out(candidates, "halving", recording=False)
    reference = next(iter(few))
    searched = sum(seconds(one["short"]) + seconds(one["full"]) for one in few.values())
    typical = mean(took for one in few.values() for _, took, _ in one["full"])
    staying = {id_: speed(one["full"]) for id_, one in few.items() if one["full"] and id_ != reference}
    chosen = max(staying, key=staying.__getitem__)
    truth = {id_: speed(whole(table[id_])) for id_ in few}
    note = f"{len(staying)} of {len(few)} measured in full beside the reference; took {chosen}"
    return {
        "live_time_share": Figure(searched / (typical * FULL * len(few)), None, "", len(few), note),
        "live_choice": Figure(truth[chosen], max(truth.values()), "rows/s", 1, "rival: the best of them in the table"),
    }


def main() -> None:
    if "--record" in sys.argv:
        recorded = carried_out(WIDE, "./everyone.py", recording=True)
        TABLE.write_text(json.dumps(recorded).replace('"cnn/', '\n"cnn/') + "\n")
    table = json.loads(TABLE.read_text())
    runs = [replay(table, drawn_from(table, np.random.default_rng(seed))) for seed in range(RUNS)]
    disturbed = mean(flag for one in table.values() for *_, flag in one["short"])
    staying = (
        f"{mean(run['staying'] for run in runs):.1f} of {len(table)} in full; {disturbed:.0%} of short blocks disturbed"
    )

    def share(key: str, note: str) -> Figure:
        return Figure(mean(run[key] for run in runs), None, "", RUNS, note)

    figures = {
        "time_share": share("time", f"at most .25; {staying}"),
        "within_3pct_share": share("within", "at least .95"),
        "exhaustive_within_3pct_share": share("all_within", "measuring all"),
        "whole_share": share("whole", "with opening every candidate"),
    }
    figures |= drawn_tables()
    asked = {"--live": WIDE, "--live-few": NARROW}
    tell(figures | next((live(table, grid) for word, grid in asked.items() if word in sys.argv), {}))


if __name__ == "__main__":
    main()
