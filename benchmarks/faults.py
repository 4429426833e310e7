"""Kills a running study again and again, at random moments, and looks for what was lost or measured twice.

    kills           times that the parent was killed (SIGKILL) while it ran
    findings_lost   entries of the store that were there before a kill and are gone, or changed (made again), after it
    measured_twice  rounds of a candidate beyond those that the study asks for
    leftovers       workers that outlived their parent
    finished        studies that were carried to their end by the runs between the kills

Once a study is finished it is begun anew in an empty folder. `--kills N` for fewer.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from _table import Figure, tell

from seatrial.flow.keep import ARTEFACT, FACTS, PREDICTION, ROUND, Keeper

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from small_study import STUDY, make

ROUNDS = 6
LONGEST_S = 6.0
SHELVES = (ROUND, PREDICTION, FACTS, ARTEFACT)
Kept = dict[tuple[str, str], Any]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args().kills
    chance = random.Random(1)
    kills = lost = twice = leftovers = finished = 0
    while kills < wanted:
        with tempfile.TemporaryDirectory() as name:
            file = make(Path(name), STUDY.replace("rounds: 2", f"rounds: {ROUNDS}"))
            done, before = False, {}
            while not done and kills < wanted:
                done, alive = sail(file, chance.uniform(0.2, LONGEST_S))
                kills += not done
                leftovers += alive
                after = kept(file.parent)
                lost += sum(after.get(key) != body for key, body in before.items())
                before = after
            finished += done
            twice += surplus(before)
    tell(
        {
            "kills": Figure(kills, None, "", kills, "at least 200"),
            "findings_lost": Figure(lost, None, "", kills, "0"),
            "measured_twice": Figure(twice, None, "", kills, "0"),
            "leftovers": Figure(leftovers, None, "", kills, "0"),
            "finished": Figure(finished, None, "", kills, "studies that reached their end between kills"),
        }
    )


def sail(file: Path, seconds: float) -> tuple[bool, int]:
    """Run the study for so long and kill it; whether it ended by itself first, and how many workers outlived it."""
    command = [sys.executable, "-m", "seatrial", "run", file.name, "--quiet"]
    process = subprocess.Popen(command, cwd=file.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
