"""Kills a running study again and again, at random moments, and looks for what was lost or measured twice.

    kills           times that the parent was killed (SIGKILL) while it ran
    findings_lost   entries of the store that were there before a kill and are gone, or changed (made again), after it
    measured_twice  rounds of a candidate beyond those that the study asks for
    leftovers       workers that outlived their parent
    finished        studies that were carried to their end by the runs between the kills

A kill falls at any moment of the time that one whole run takes here and now, which is measured first. Once a study is
finished it is begun anew in an empty folder. `--kills N` for fewer, `--minutes N` to stop early, `--seed N` for other
moments: pieces can be added up.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from _table import Figure, tell

from seatrial.flow.keep import ARTEFACT, FACTS, PREDICTION, ROUND, Keeper

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from small_study import STUDY, make

ROUNDS = 6
SOONEST_S = 0.2
SAID = "said.txt"
STAGES = (
    "reading rows",
    "making variants",
    "opening",
    "warming up",
    "answering",
    "measuring",
    "deciding",
    "writing reports",
)
TRIED = STUDY.replace("rounds: 2", f"rounds: {ROUNDS}").replace("[offline]", "[{offline: {seconds: 0.3}}]")
SHELVES = (ROUND, PREDICTION, FACTS, ARTEFACT)
Kept = dict[tuple[str, str], Any]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wanted, chance = given.kills, random.Random(given.seed)
    kills = lost = twice = leftovers = finished = 0
    stages: Counter[str] = Counter()
    end = time.monotonic() + 60 * given.minutes
    longest = whole()
    while kills < wanted and time.monotonic() < end:
        with tempfile.TemporaryDirectory() as name:
            file = make(Path(name), TRIED)
            done, before = False, {}
            while not done and kills < wanted and time.monotonic() < end:
                done, alive = sail(file, chance.uniform(SOONEST_S, longest))
                kills += not done
                stages.update([] if done else [stage(file.parent)])
                leftovers += alive
                after = kept(file.parent)
                lost += sum(after.get(key) != body for key, body in before.items())
                before = after
            finished += done
            twice += surplus(before)
    tell(
        {
            "kills": Figure(
                kills, None, "", kills, ", ".join(f"{name}: {count}" for name, count in stages.most_common())
            ),
            "findings_lost": Figure(lost, None, "", kills, "0"),
            "measured_twice": Figure(twice, None, "", kills, "0"),
            "leftovers": Figure(leftovers, None, "", kills, "0"),
            "finished": Figure(finished, None, "", kills, "studies that reached their end between kills"),
        }
    )


def whole() -> float:
    """Seconds that the study takes when nothing ends it."""
    with tempfile.TemporaryDirectory() as name:
        file = make(Path(name), TRIED)
        began = time.monotonic()
        done, _ = sail(file, 600)
        assert done, (file.parent / SAID).read_text()
        return time.monotonic() - began


def stage(folder: Path) -> str:
    """What the run said last that it was about to do, in its first words."""
    lines = (folder / SAID).read_text().splitlines()
    known = [line.split(":")[0].split(",")[0] for line in lines if line.startswith(STAGES)]
    return known[-1] if known else "before anything was said"


def sail(file: Path, seconds: float) -> tuple[bool, int]:
    """Run the study for so long and kill it; whether it ended by itself first, and how many workers outlived it."""
    command = [sys.executable, "-m", "seatrial", "run", file.name]
    with (file.parent / SAID).open("w") as said:
        process = subprocess.Popen(command, cwd=file.parent, stdout=subprocess.DEVNULL, stderr=said)
    try:
        process.wait(seconds)
        return process.returncode == 0, 0
    except subprocess.TimeoutExpired:
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    time.sleep(0.05)
    return False, len(alive)


def kept(folder: Path) -> Kept:
    """Everything that is kept and whole."""
    if not (folder / ".seatrial" / "seatrial.db").exists():
        return {}
    keeper = Keeper(folder)
    return {(shelf, key): body for shelf in SHELVES for key, body in keeper.all(shelf, "")}


def surplus(entries: Kept) -> int:
    """Rounds beyond those that were asked for. The reference's are left out: it sails along with each cohort."""
    counts: dict[str, int] = {}
    for shelf, key in entries:
        if shelf == ROUND:
            counts[key.split("/")[0]] = counts.get(key.split("/")[0], 0) + 1
    beyond = sorted(max(0, count - ROUNDS) for count in counts.values())
    return sum(beyond[:-1])


if __name__ == "__main__":
    main()
