"""What audits say of rows: files of rows to look at, rows that figures should be had without, and the key of row hashes."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.audit import MOST_ROWS, Table
from seatrial.flow import _tables

Marks = tuple[int, dict[str, NDArray[np.bool_]]]
"""How many rows a table has, and by kind of doubt which of them are in doubt."""


@dataclass(frozen=True)
class InDoubt:
    """Keeps which rows are in doubt, and why, a byte a row: by table and kind."""

    marks: dict[str, dict[str, NDArray[np.bool_]]] = field(default_factory=dict)

    def __call__(self, kind: str, table: Table, rows: NDArray[np.int64]) -> None:
        if len(rows):
            kinds = self.marks.setdefault(table.name, {})
            kinds.setdefault(kind, np.zeros(table.rows, bool))[rows] = True


@dataclass(frozen=True)
class RowFiles:
    """Writes numbers of rows (in the data set, from 0) with the keyed hash of each, in the order given: never what stands in them."""

    into: Path
    folder: Path

    def __call__(self, name: str, table: Table, rows: Iterable[int]) -> str:
        taken = few(rows)
        if not len(taken):
            return ""
        hashes = table.hashes()[taken]
        lines = [
            f"{row},{value:016x}" for row, value in zip(_tables.numbers(table, taken), hashes.tolist(), strict=True)
        ]
        self.into.mkdir(parents=True, exist_ok=True)
        safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in f"{name}-{table.name}")
        file = self.into / f"{safe[:120]}.csv"
        file.write_text("row,keyed_hash\n" + "\n".join(lines) + "\n", encoding="utf-8")
        return Path(os.path.relpath(file, self.folder)).as_posix()


def few(rows: Iterable[int]) -> NDArray[np.int64]:
    """The first so many of them, each once, in their order."""
    return np.array(list(dict.fromkeys(map(int, islice(rows, MOST_ROWS)))), np.int64)


def secret(kept: Path) -> bytes:
    """The key of the row hashes in this folder, made when it is first asked for; only its owner may read it."""
    file = kept / "audit.key"
    if not file.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was first
            _new_secret(file)
    return file.read_bytes()


def _new_secret(file: Path) -> None:
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as opened:
        opened.write(secrets.token_bytes(32))
