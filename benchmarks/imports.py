"""What it costs to have Seatrial: CPU time of `import seatrial` and of `seatrial --help`, size of the core install.

    python benchmarks/imports.py [--json]

CPU time is user + system of a fresh interpreter, nothing taken off; a bare interpreter, run in turn with it, is the baseline.
"""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from _table import Figure, tell

TIMES = 15
FRAMEWORKS = ("numpy", "polars", "torch", "onnx", "onnxruntime", "openvino", "jax", "ray", "sklearn", "pandas")
BARE, IMPORT, HELP = ("-c", "pass"), ("-c", "import seatrial"), ("-m", "seatrial", "--help")
MOST_PACKAGES, MOST_MB = 40, 480


def cpu_s(words: tuple[str, ...]) -> float:
    """User + system seconds of one fresh interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turn(*commands: tuple[str, ...], times: int = TIMES) -> list[float]:
    """Median seconds of each command, run one after the other so that a busy machine hits all alike; the first turn warms up."""
    turns = [[cpu_s(command) for command in commands] for _ in range(times + 1)][1:]
    return [statistics.median(column) for column in zip(*turns, strict=True)]


def core() -> list[Distribution]:
    """Every distribution that an install without extras brings, ours among them."""
    from packaging.requirements import Requirement

    found: dict[str, Distribution] = {}
    waiting = ["seatrial"]
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            raise SystemExit(f"{name} belongs to the core and isn't installed") from error
        wanted = map(Requirement, found[name].requires or ())
        waiting += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return list(found.values())


def megabytes(parts: list[Distribution]) -> float:
    """What their files take, in millions of bytes, without compiled caches."""
    files = {Path(str(part.locate_file(file))) for part in parts for file in part.files or () if file.suffix != ".pyc"}
    files |= {file for file in (Path(__file__).parent.parent / "src").rglob("*") if file.suffix != ".pyc"}
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def frameworks() -> list[str]:
    """Which frameworks stand in memory after the import and after the help page."""
    code = "import sys, seatrial; from seatrial.apps.cli.main import main; main(['--help']); sys.stderr.write(__import__('json').dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return sorted(set(json.loads(done.stderr)) & set(FRAMEWORKS))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def figures() -> dict[str, Figure]:
    """All figures of this benchmark."""
    bare, imported, helped = in_turn(BARE, IMPORT, HELP)
    parts, loaded = core(), frameworks()
    return {
        "import_cpu_s": Figure(imported, bare, "s", TIMES, "rival: a bare interpreter; at most 0.1"),
        "help_cpu_s": Figure(helped, bare, "s", TIMES, "rival: a bare interpreter; at most 0.4"),
        "core_packages": Figure(len(parts), MOST_PACKAGES, "packages", 1, "rival: the limit"),
        "core_mb": Figure(round(megabytes(parts), 1), MOST_MB, "MB", 1, "rival: the limit"),
        "frameworks_loaded": Figure(
            len(loaded), None, "packages", 1, ", ".join(loaded) or "none after import and help"
        ),
    }


if __name__ == "__main__":
    tell(figures())
