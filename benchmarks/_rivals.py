"""Environments for rivals, one each, so that they stay out of the project's own: `benchmarks/.envs/<name>`."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ENVS = Path(__file__).parent / ".envs"


def environment(name: str, packages: list[str]) -> Path:
    """The interpreter of an environment that has exactly these packages, made where it isn't there yet."""
    folder = ENVS / name
    done = folder / ".packages"
    if not done.exists() or done.read_text() != "\n".join(packages):
        print(f"making {folder} with {', '.join(packages)}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages], check=True)
        done.write_text("\n".join(packages))
    return folder / "bin" / "python"
