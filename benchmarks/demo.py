"""The main job as a user runs it: `seatrial run examples/fashion/study.yaml` in a fresh folder.

demo_wall_s     wall seconds from the command to the report, nothing kept before; at most 180
parent_peak_mb  peak resident memory of the parent process (VmHWM), its workers not counted; at most 300
candidates      candidates measured in five rounds; at least 8
again_wall_s    the same command a second time, when nothing is measured again
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _table import Figure, tell

FASHION = Path(__file__).parent.parent / "examples" / "fashion"


def timed(folder: Path) -> tuple[float, float, dict]:
    """Wall seconds and peak MB of the parent, and the dossier."""
    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "seatrial", "run", "study.yaml", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    peak = 0
    while process.poll() is None:  # the mark only rises: the last reading before the end stands
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))])
        readable, _, _ = select.select([process.stdout], [], [], 0.2)
        if readable:
            break
    output = process.communicate()[0]
    return time.monotonic() - begin, peak * 1024 / 1e6, json.loads(output)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "fashion"
        shutil.copytree(FASHION, folder, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
        wall, peak, dossier = timed(folder)
        again, _, second = timed(folder)
    measured = {one["candidate"] for one in dossier["findings"] if one["what"] == "throughput"}
    load = f"load average at the end {os.getloadavg()[0]:.1f}"
    tell(
        {
            "demo_wall_s": Figure(wall, None, "s", 1, f"at most 180; {load}"),
            "parent_peak_mb": Figure(peak, None, "MB", 1, "at most 300"),
            "candidates": Figure(len(measured), None, "", 1, "at least 8, five rounds each"),
            "again_wall_s": Figure(again, None, "s", 1, f"{second['run']['measured']} measured again"),
        }
    )


if __name__ == "__main__":
    main()
