"""What subjects share: finding files beside the study, and their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from seatrial.errors import ModelError


def found(folder: Path, name: str) -> Path:
    """The file `name` beside the study, as an absolute path. Raises `ModelError` where there is none that can be read."""
    try:
        path = (folder / name).resolve()
        if path.is_file():
            with path.open("rb") as file:
                file.read(1)
            return path
    except (OSError, ValueError) as error:  # too long, with characters that no path has, or not ours to read
        raise ModelError(
            f"`{name[:200]}` can't be read: {error}", next_step="correct the path, or its rights"
        ) from error
    if path.exists():
        raise ModelError(f"{path} is a folder, a pipe or a device", next_step="name the model's file")
    raise ModelError(f"there is no file {path}", next_step="correct the path; it counts from the study file's folder")


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt")


def looks_pickled(path: Path) -> bool:
    """Whether a file is named, or begins, as pickles and PyTorch checkpoints are (which can run code when they are loaded)."""
    with path.open("rb") as file:
        start = file.read(4)
    return path.suffix.lower() in PICKLES or start[:1] == b"\x80" or start == b"PK\x03\x04"
