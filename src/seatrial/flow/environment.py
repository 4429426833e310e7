"""The environment: what the figures depend on and a reader must know."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from seatrial.contracts.record import digest

FEATURES = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
)


def look(packages: list[str]) -> dict[str, Any]:
    """Processor, its matrix and vector features, memory, system, load, and versions of `packages`, as found now."""
    model, flags = _processor()
    return {
        "cpu": model,
        "cpu_features": [feature for feature in FEATURES if feature in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "virtual": "hypervisor" in flags,
        "system": platform.system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_1min": os.getloadavg()[0],
        "clock_mhz": clock_mhz() or "not said",
        "temperature_celsius": temperature() or "not said",
        "gpus": [f"{name}, {memory}, driver {driver}" for name, memory, driver in gpus()] or "none that a driver names",
        "gpu_processes": gpu_processes(),
        "clock_governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or "not said",
        "packages": {package: version(package) for package in sorted(packages)},
    }


def clock_mhz(cpus: Path = Path("/sys/devices/system/cpu"), info: Path = Path("/proc/cpuinfo")) -> float | None:
    """The mean clock of the processors now, in MHz: as the kernel sets it, else as it says; None where it says neither."""
    set_to = [
        int(text) / 1e3 for file in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq") if (text := _first_line(file))
    ]
    lines = info.read_text().splitlines() if not set_to and info.exists() else []
    said = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    clocks = set_to or said
    return round(sum(clocks) / len(clocks), 1) if clocks else None


def temperature(home: Path = Path("/sys/class")) -> float | None:
    """The hottest sensor of the machine now, in degrees Celsius; None where there is none."""
    files = [*home.glob("thermal/thermal_zone*/temp"), *home.glob("hwmon/hwmon*/temp*_input")]
    read = [int(text) / 1e3 for file in files if (text := _first_line(file)).lstrip("-").isdigit()]
    return max(read, default=None)


def gpus() -> list[tuple[str, str, str]]:
    """NVIDIA GPUs by name, memory and driver, as `nvidia-smi` says; empty where it isn't there, fails, or gives no answer."""
    command = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    lines = [line.split(",") for line in said.splitlines() if line.count(",") == 2]
    return [(name.strip(), memory.strip(), driver.strip()) for name, memory, driver in lines]


def gpu_processes() -> int | str:
    """How many processes compute on the GPUs of this machine, ours included; in words where there is none to ask."""
    command = ("nvidia-smi", "--query-compute-apps=pid", "--format=csv,noheader")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except FileNotFoundError:
        return "no GPU driver here"
    except (OSError, subprocess.SubprocessError):
        return "the GPU driver doesn't answer"
    return sum(bool(line.strip()) for line in said.splitlines())


def source() -> str:
    """A hash of seatrial's own code: two installations of one version may differ in it."""
    home, digest = Path(__file__).parents[1], hashlib.sha256()
    for file in sorted(home.rglob("*.py")):
        digest.update(f"{file.relative_to(home)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Versions that are others there than here, as `numpy 2.1.0 (here 2.3.1)`: figures are of those there."""
    both = [("python", here["python"], there["python"])]
    both += [
        (name, version, there["packages"].get(name, "not installed")) for name, version in here["packages"].items()
    ]
    return [f"{name} {other} (here {mine})" for name, mine, other in both if mine != other]


def fingerprint(environment: dict[str, Any]) -> str:
    """What must be the same for a measurement to stand: processor, cores, kernel, Python, GPUs and their driver; of another machine its host, too."""
    known = [environment[key] for key in ("cpu", "cpu_features", "cores", "kernel", "python")]
    known += [environment["gpus"]] if isinstance(environment.get("gpus"), list) else []
    return digest([*known, environment["host"]] if "host" in environment else known)


def version(package: str) -> str:
    """The installed version, or `not installed`. A package may be called otherwise than what it is imported as."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        called = _distributions().get(package)
        return importlib.metadata.version(called[0]) if called else "not installed"


@cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _processor() -> tuple[str, set[str]]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return named.get("model name", platform.processor() or platform.machine()), set(named.get("flags", "").split())


def _first_line(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
