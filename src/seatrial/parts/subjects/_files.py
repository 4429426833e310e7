"""What subjects share: finding files beside the study, and their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from seatrial.errors import ModelError


def found(folder: Path, name: str) -> Path:
    """The file `name` beside the study, as an absolute path. Raises `ModelError` where there is none."""
    path = (folder / name).resolve()
    if not path.is_file():
        raise ModelError(
            f"there is no file {path}", next_step="correct the path; it counts from the study file's folder"
        )
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def looks_pickled(path: Path) -> bool:
    """Whether a file begins as Python pickles or PyTorch checkpoints do (which can run code when they are loaded)."""
    with path.open("rb") as file:
        start = file.read(4)
    return start[:1] == b"\x80" or start == b"PK\x03\x04"
