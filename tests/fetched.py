"""Examples whose data may not be kept in the repository: made once, where they lie, and left there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def employment() -> Path:
    """The folder of the employment example, with its models and rows; fetches and trains them where they are not there yet."""
    folder = EXAMPLES / "employment"
    done = subprocess.run(
        [sys.executable, str(folder / "prepare.py")], capture_output=True, text=True, check=False, timeout=500
    )
    if done.returncode:
        pytest.fail(f"examples/employment could not be made:\n{done.stderr}", pytrace=False)
    return folder
