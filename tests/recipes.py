"""Carries out a page of the documentation: files that its blocks name are written, commands and Python are run, in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FILE = re.compile(r"# (\S+\.(?:py|yaml|csv))\n")


class Block(NamedTuple):
    """A code block: its language, its text, and the file that its first line names."""

    language: str
    text: str
    file: str | None


def blocks(page: str) -> list[Block]:
    """The code blocks of a page that say a language, in their order."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [Block(language, text, _file(text)) for language, text in found]


def carry_out(page: str, folder: Path) -> str:
    """Everything that the page says, in this folder; returns what was printed. Fails where a command fails."""
    printed = ""
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.language == "sh":
            printed += _run(["bash", "-c", f"set -euo pipefail\n{block.text}"], folder)
        elif block.language == "python":
            printed += _run([sys.executable, "-c", block.text], folder)
    return printed


def _file(text: str) -> str | None:
    named = FILE.match(text)
    return named[1] if named else None


def _run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = os.environ | {"EXAMPLES": str(ROOT / "examples"), "PATH": path, "COLUMNS": "120"}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
