"""What this machine can run: processor, memory, packages, devices. Loads no framework."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.part import PartInfo

FEATURES = {
    "avx2": "256-bit vectors",
    "avx512f": "512-bit vectors",
    "avx512_vnni": "int8 products, 512-bit",
    "avx_vnni": "int8 products, 256-bit",
    "avx512_bf16": "bf16 products",
    "avx512_fp16": "fp16 arithmetic",
    "amx_tile": "matrix units",
    "amx_bf16": "matrix unit for bf16",
    "amx_int8": "matrix unit for int8",
    "amx_fp16": "matrix unit for fp16",
    "asimd": "128-bit vectors (Arm)",
    "sve": "scalable vectors (Arm)",
    "asimddp": "int8 products (Arm)",
    "i8mm": "int8 matrix products (Arm)",
    "bf16": "bf16 products (Arm)",
}
"""Flags of /proc/cpuinfo that decide what low precision brings."""


def survey() -> dict[str, Any]:
    """Everything `doctor` says."""
    return {"seatrial": version("seatrial"), "machine": machine(), "parts": [provision(info) for info in _needing()]}


def machine() -> dict[str, Any]:
    """Python, processor, cores, memory and load of this machine."""
    import psutil

    memory = psutil.virtual_memory()
    cpuinfo = _cpuinfo(Path("/proc/cpuinfo"))
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": cpuinfo.get("model name") or platform.processor() or "unknown",
        "cores": os.cpu_count() or 1,
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_bytes": memory.total,
        "memory_free_bytes": memory.available,
        "load_1m": round(os.getloadavg()[0], 2),
        "features": features(cpuinfo),
    }


def features(cpuinfo: dict[str, str]) -> list[str]:
    """Which of `FEATURES` the processor has, by its flags (`Features` on Arm)."""
    flags = set((cpuinfo.get("flags") or cpuinfo.get("Features") or "").split())
    return [name for name in FEATURES if name in flags]


def provision(info: PartInfo) -> dict[str, Any]:
    """A part's packages with their versions, what is missing, and for a runtime its devices with the reason when absent."""
    absent = catalog.absent(info)
    return {
        "kind": info.kind,
        "name": info.name,
        "installed": {package: _version(package) for package in info.needs if package not in absent},
        "missing": absent,
        "install": info.install() if absent else "",
        "devices": devices(info),
    }


def devices(info: PartInfo) -> dict[str, str]:
    """The devices that a runtime takes: an empty word where one seems there, else why not."""
    if info.kind != "runtimes":
        return {}
    module = catalog.load(info)
    return {device: module.absent(device) or "" for device in info.accepts.get("device", ())}


def _needing() -> list[PartInfo]:
    found = [info for kind in catalog.kinds() for info in catalog.parts(kind).values()]
    return [info for info in found if info.needs or info.kind == "runtimes"]


def _cpuinfo(file: Path) -> dict[str, str]:
    """The first processor's entries; empty where the system has no such file."""
    if not file.is_file():
        return {}
    first = file.read_text(errors="replace").split("\n\n")[0]
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def _version(package: str) -> str:
    """The installed version of the distribution that brings this package."""
    try:
        return version(_distributions().get(package, [package])[0])
    except PackageNotFoundError:
        return "unknown version"


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()
