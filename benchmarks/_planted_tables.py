"""Bad tables for hostile.py: damaged files, odd columns, headers and archives that lie, arrays of objects."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _planted import Payload, damaged

from seatrial.testing import _models


def table(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """Write a bad table into the folder; gives its name."""
    way = draw.choice((_damaged_table, _odd_columns, _odd_columns, _lying_header, _odd_zip, _object_arrays))
    return way(draw, home, folder, mark)


def _damaged_table(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    name = draw.choice(("rows.npz", "rows.npy", "rows.parquet", "rows.parquet"))
    (folder / name).write_bytes(damaged(draw, (home / name).read_bytes()))
    return name


def _odd_columns(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    import polars as pl

    columns = {"features": _models.rows(60, 32), "label": np.arange(60) % 10, "user": np.arange(60) // 3}
    if draw.random() < 0.5:
        columns[draw.choice(list(columns))] = draw.choice(_ODD_ARRAYS)()
        np.savez(folder / "rows.npz", **columns)
        return "rows.npz"
    frame = pl.DataFrame(columns)
    name = draw.choice(list(columns))
    odd = draw.choice(_ODD_SERIES)(pl).alias(name)
    (pl.DataFrame([odd]) if len(odd) != len(frame) else frame.with_columns(odd)).write_parquet(folder / "rows.parquet")
    return "rows.parquet"


_ODD_ARRAYS: tuple[Callable[[], Any], ...] = (
    lambda: np.array(3), lambda: np.zeros((0, 32), np.float32), lambda: np.zeros((60, 0), np.float32), lambda: np.zeros((59, 32)),
    lambda: np.zeros((60, 32), complex), lambda: np.zeros(60, "M8[ns]"), lambda: np.zeros(60, "m8[s]"), lambda: np.array([b"\xff\xfe"] * 60),
    lambda: np.array(["\x00", "é", ""] * 20), lambda: np.zeros(60, "f4,i8"), lambda: np.zeros(60, "V7"), lambda: np.zeros((60, 32), ">f8"),
    lambda: np.full((60, 32), np.nan, np.float32), lambda: np.full(60, np.inf), lambda: np.full(60, 2**63, np.uint64), lambda: np.full(60, -5),
    lambda: np.zeros(60, bool), lambda: np.zeros((60, 2, 2, 2)), lambda: np.zeros((60, 32), np.longdouble), lambda: np.full(60, 1.5),
    lambda: np.zeros((60, 32), np.float16), lambda: np.asfortranarray(np.zeros((60, 32))), lambda: np.full((60, 32), 1e300), lambda: np.zeros(60, "U0"),
)  # fmt: skip
_ODD_SERIES: tuple[Callable[[Any], Any], ...] = (
    lambda pl: pl.Series([None] * 60), lambda pl: pl.Series([None, *range(59)]), lambda pl: pl.Series([[1]] * 59 + [[1, 2]]),
    lambda pl: pl.Series([[]] * 60, dtype=pl.List(pl.Float32)), lambda pl: pl.Series([[None, 1.0]] * 60), lambda pl: pl.Series([{"a": 1}] * 60),
    lambda pl: pl.Series([[{"a": 1}]] * 60), lambda pl: pl.Series(["a"] * 60), lambda pl: pl.Series([b"\xff"] * 60), lambda pl: pl.Series([], dtype=pl.Int64),
    lambda pl: pl.Series([1] * 60).cast(pl.Decimal(20, 3)), lambda pl: pl.Series([1] * 60).cast(pl.Date), lambda pl: pl.Series([1] * 60).cast(pl.Time),
    lambda pl: pl.Series([1] * 60).cast(pl.Datetime), lambda pl: pl.Series([1] * 60).cast(pl.Duration), lambda pl: pl.Series(["a"] * 60).cast(pl.Categorical),
    lambda pl: pl.Series([float("nan")] * 60), lambda pl: pl.Series([2**63] * 60, dtype=pl.UInt64), lambda pl: pl.Series([True] * 60),
    lambda pl: pl.Series([[[1.0, 2.0], [3.0]]] * 60), lambda pl: pl.Series([["a", "b"]] * 60), lambda pl: pl.Series([1] * 60).cast(pl.Int128),
    lambda pl: pl.Series(["\x00\x1b[2J"] * 60), lambda pl: pl.Series([[1.0] * 32] * 60, dtype=pl.Array(pl.Float32, 32)), lambda pl: pl.Series([0] * 5),
)  # fmt: skip


def npy(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    text = header.encode("latin1", "replace")
    size = len(text) if length is None else length
    return (
        b"\x93NUMPY"
        + bytes(version)
        + struct.pack("<H" if version[0] == 1 else "<I", size & (0xFFFF if version[0] == 1 else 0xFFFFFFFF))
        + text
        + body
    )


def _lying_header(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    descr = draw.choice(
        (
            "'<f4'",
            "'|O'",
            "'<f4, <f4'",
            "[('a', '<f4')]",
            "'V99999999999'",
            "'U99999999999'",
            "'|S0'",
            "'x'",
            "3",
            "None",
            "'<M8[zz]'",
            "('<f4', (3,))",
            "('<f4', (99999999999,))",
            "[('a', '|O')]",
        )
    )
    shape = draw.choice(("(60, 32)", "(10**9,)", "(1000000000000,)", "(99999999999, 99999999999, 99999999999)", "(0, 99999999999999)", "(-1,)", "(-1, -60)", "(1.5,)", "(True,)", "()", "3", "('a',)", "(9223372036854775808,)", "(60, " + "1, " * 70 + ")"))  # fmt: skip
    header = f"{{'descr': {descr}, 'fortran_order': {draw.choice(('False', 'True', '1'))}, 'shape': {shape}, }}"
    header = draw.choice(
        (
            header,
            header,
            header,
            "(" * 9000,
            "{" * 300,
            "-" * 5000 + "1",
            "'" + "a" * 70_000,
            "{}",
            "9" * 5000,
            "\x00" * 64,
        )
    )
    version = draw.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    content = npy(header, bytes(draw.choice((0, 7680))), version, draw.choice((None, None, 0, 65535, 2**31)))
    if draw.random() < 0.5:
        (folder / "rows.npy").write_bytes(content)
        return "rows.npy"
    with zipfile.ZipFile(home / "rows.npz") as whole, zipfile.ZipFile(folder / "rows.npz", "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, content if name == "features.npy" else whole.read(name))
    return "rows.npz"


def _odd_zip(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """Archives whose directory says something else than what lies there."""
    whole = bytearray((home / "rows.npz").read_bytes())
    directory = whole.index(b"PK\x01\x02")
    field, values = draw.choice(((8, (1, 8, 0xFFFF)), (10, (0, 9, 12, 14, 93, 99)), (16, (0,)), (20, (0, 2**31)), (24, (0, 2**32 - 1)), (42, (0, 7, 2**32 - 1))))  # fmt: skip
    width = 2 if field < 16 else 4
    whole[directory + field : directory + field + width] = draw.choice(values).to_bytes(width, "little")
    if field == 10:  # the method stands in the member's own header too
        whole[8:10] = whole[directory + 10 : directory + 12]
    (folder / "rows.npz").write_bytes(bytes(whole))
    if draw.random() < 0.3:
        with zipfile.ZipFile(folder / "rows.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in draw.choice(
                (
                    ("../features.npy", "label.npy"),
                    ("a\x1b.npy", ".npy"),
                    ("x" * 9000 + ".npy",),
                    ("features.npy/",),
                    (),
                )
            ):
                archive.writestr(name, (home / "rows.npy").read_bytes())
        return "rows.npz"
    return "rows.npz"


def _object_arrays(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    objects = np.array([Payload(mark)] * 60, object)
    name = draw.choice(("rows.npz", "rows.npy"))
    if name == "rows.npy":
        np.save(folder / name, objects, allow_pickle=True)
    else:
        np.savez(folder / name, features=_models.rows(60, 32), label=np.arange(60) % 10, user=objects)
        if draw.random() < 0.5:
            np.savez(folder / name, features=objects, label=objects, user=objects)
    return name


def bomb(file: Path, megabytes: int = 400) -> None:
    """An archive of some hundred kilobytes whose one column unpacks to `megabytes`, in the order that can't be streamed."""
    header = {"descr": "<f4", "fortran_order": True, "shape": (60, megabytes * 2**20 // 240)}
    start = io.BytesIO()
    np.lib.format.write_array_header_1_0(start, header)
    size = 60 * header["shape"][1] * 4
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("features.npy", "w") as member:
            member.write(start.getvalue())
            for at in range(0, size, 2**20):
                member.write(bytes(min(2**20, size - at)))
        archive.writestr("label.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (60,), }\n", bytes(480)))
