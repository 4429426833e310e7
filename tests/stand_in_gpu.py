"""A machine with a GPU that isn't there: whole studies run on it, in processes of their own, as on one that has a GPU.

`nvidia-smi` answers, NVML counts, and PyTorch's runtime finds a device `cuda` that computes on the processor. What is measured on it says nothing of any
GPU; that everything on the way from a study to its reports takes it is what tests find out.
"""

from __future__ import annotations

import os
from pathlib import Path

NAME, DRIVER, WATTS = "NVIDIA Stand-in", "1.2.3", 100.0
_SMI = f"""#!/bin/sh
case "$*" in
  *=name,driver_version*) echo "{NAME}, {DRIVER}";;
  *=name,memory.total,driver_version*) echo "{NAME}, 1024 MiB, {DRIVER}";;
  *=pid,used_memory*) echo "$PPID, 7";;
  *=pid*) echo "$PPID";;
esac
"""
_SITE = f'''"""Read by every interpreter that starts: puts the stand-in in the place of a GPU where parts ask for one."""

import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from types import SimpleNamespace


def torch_part(part):
    class StandIn(part.Accelerator):
        now = 0.0

        def device(self, name):
            import torch

            return torch.device("cpu")

        def event(self):
            one = SimpleNamespace(at=0.0)

            def record():
                one.at = 1e3 * time.perf_counter()

            one.record, one.elapsed_time = record, lambda other: other.at - one.at
            return one

        def recorded(self, run):
            import torch

            class OnCard(torch.Tensor):
                def cpu(self):  # as from a card: another memory, which the next replay doesn't touch
                    return self.as_subclass(torch.Tensor).clone()

            answer = run().as_subclass(OnCard)
            return answer, lambda: answer.copy_(run())

    part.absent = lambda device: None
    part.accelerator = StandIn
    part._compile = lambda module, options: module
    part.Session.facts = lambda self: part.Facts("cuda", self._setting.precision, "", {{"version": "stand-in"}})


def counters(part):
    part.nvml = lambda device, library=None: part.Counted({{"gpu0": {WATTS} * time.monotonic()}}, {{"gpu0": 0.0}})


PATCHES = {{"seatrial.parts.runtimes.torch": torch_part, "seatrial.parts.meters._counters": counters}}


class Planted(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in PATCHES:
            return None
        spec = PathFinder.find_spec(name, path)
        plain = spec.loader.exec_module

        def run(module):
            plain(module)
            PATCHES[name](module)

        spec.loader.exec_module = run
        return spec


sys.meta_path.insert(0, Planted())
'''


def plant(folder: Path) -> dict[str, str]:
    """Writes what stands in into the folder; returns what the environment of a process must say so that it finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SITE)
    tool = folder / "nvidia-smi"
    tool.write_text(_SMI)
    tool.chmod(0o755)
    modules = os.environ.get("PYTHONPATH", "")
    return {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{folder}{os.pathsep}{modules}" if modules else str(folder),
    }
