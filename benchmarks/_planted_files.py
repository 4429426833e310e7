"""Bad CSV and Arrow files and folders of images for hostile.py: damaged, lying, huge where little stands, of mixed types."""

from __future__ import annotations

import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _planted_tables
from _planted import Payload, damaged, pickled

# --- CSV ----------------------------------------------------------------------------------------------------------------

CELLS = (
    "", " ", "NaN", "nan", "inf", "-inf", "1e999", "-0", "0x10", "1_000", "1,5", '"', '""', '"a', 'a"b', "\x00", "\x1b[2J", "\ufeff", "\u202e",
    "true", "TRUE", "None", "null", "é" * 300, "9" * 400, "-", "+", ".", "1e", "١٢٣", "2026-01-01", "=cmd|' /C calc'!A0", "{{ 7 * 7 }}",
    "\r", "\n", "'", ";", "\t", "|", "\\", "\x85", "\u2028", "18446744073709551616", "-9223372036854775809", "1" + "0" * 308, "x" * 200_000,
)  # fmt: skip


def csv(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """Write a bad CSV file into the folder; gives its name."""
    way = draw.choice((_damaged_csv, _odd_cells, _odd_cells, _odd_lines, _odd_header, _encoded, _shaped))
    name = draw.choice(("rows.csv", "rows.csv", "rows.tsv"))
    whole = (home / "rows.csv").read_bytes()
    (folder / name).write_bytes(way(draw, whole.replace(b",", b"\t") if name.endswith("tsv") else whole, mark))
    return name


def _damaged_csv(draw: random.Random, whole: bytes, mark: Path) -> bytes:
    return damaged(draw, whole)


def _odd_cells(draw: random.Random, whole: bytes, mark: Path) -> bytes:
    """Some cells, or a whole column, hold something else."""
    lines = whole.decode().split("\n")
    column, cell = draw.randrange(34), draw.choice(CELLS)
    rows = range(1, 61) if draw.random() < 0.3 else [draw.randrange(1, 61) for _ in range(draw.choice((1, 2, 20)))]
    for row in rows:
        cells = lines[row].split(",")
        cells[min(column, len(cells) - 1)] = cell
        lines[row] = ",".join(cells)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _odd_lines(draw: random.Random, whole: bytes, mark: Path) -> bytes:
    """Lines too many, too short, too long; ends of lines of all kinds; quotes that never close."""
    lines = whole.split(b"\n")
    at = draw.randrange(len(lines))
    put = draw.choice((b"", b",", b"," * 5000, b'"', b'"\n' * 300, b"1,2,3", lines[1] + b",7", b"#", b"\x00" * 100, b"x" * 3_000_000, b'"' + b"y\n" * 100_000))  # fmt: skip
    lines.insert(at, put)
    end = draw.choice((b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\x0b", b"\xe2\x80\xa8"))
    return end.join(lines) + draw.choice((b"", b"\n", b"\n\n\n", b'"'))


def _odd_header(draw: random.Random, whole: bytes, mark: Path) -> bytes:
    """Names that are empty, double, far too long, or look like something else; a header alone."""
    header, _, body = whole.partition(b"\n")
    names = header.split(b",")
    put = draw.choice((b"", b"label", b"f0", b" ", b"\x1b[2J", b'"', b'"a\nb"', b"x" * 100_000, b"\xff", b"image", b"{{ 7 }}", "é".encode(), b"../x"))  # fmt: skip
    names[draw.randrange(len(names))] = put
    header = draw.choice((b",".join(names), b",".join(names), b"", b"," * 40, b",".join([put] * 34), b",".join(names * 300)))  # fmt: skip
    return header + draw.choice((b"\n" + body, b"\n" + body, b"\n" + body, b"\n", b""))


def _encoded(draw: random.Random, whole: bytes, mark: Path) -> bytes:
    """Other encodings, marks of byte order, archives and pickles under this name."""
    text = whole.decode()
    import gzip

    return draw.choice(
        (
            text.encode("utf-16"),
            text.encode("utf-32"),
            text.replace("row", "Zähler").encode("latin1"),
            b"\xef\xbb\xbf" + whole,
            b"\xfe\xff" + whole,
            gzip.compress(whole),
            pickled(mark, draw.choice(("0", "2", "4", "zip"))),
            b"PK\x03\x04" + whole,
            whole.replace(b"row", b"\xed\xa0\x80"),
            bytes(range(256)) * 50,
        )
    )


def _shaped(draw: random.Random, whole: bytes, mark: Path) -> bytes:
    """Wide, long, narrow, empty."""
    return draw.choice(
        (
            b",".join(b"c%d" % one for one in range(3_000)) + b"\n" + b",".join([b"1"] * 3_000),
            b"a\n" + b"1\n" * 300_000,
            b"a,b\n" * 100_000,
            b"\n" * 100_000,
            b"," * 100_000,
            b"a",
            b"a\n",
            b"\n1",
            b"",
            b'"' * 50_001,
            b"a,b\n" + b'"1","' + b"z" * 2_000_000 + b'"\n',
        )
    )


# --- Arrow ---------------------------------------------------------------------------------------------------------------


def arrow(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """Write a bad Arrow file into the folder; gives its name."""
    import polars as pl

    name, whole = draw.choice(("rows.arrow", "rows.arrow", "rows.feather")), (home / "rows.arrow").read_bytes()
    way = draw.choice(("damaged", "damaged", "column", "column", "other", "length"))
    if way == "damaged":
        (folder / name).write_bytes(damaged(draw, whole))
    elif way == "column":
        frame, column = pl.read_ipc(home / "rows.arrow"), draw.choice(("features", "label", "user"))
        odd = draw.choice(_planted_tables._ODD_SERIES)(pl).alias(column)
        made = pl.DataFrame([odd]) if len(odd) != len(frame) else frame.with_columns(odd)
        made.write_ipc(folder / name, compression=draw.choice(("uncompressed", "lz4", "zstd")))
    elif way == "other":
        content = draw.choice((pickled(mark, "4"), pickled(mark, "zip"), (home / "rows.parquet").read_bytes(), b"ARROW1", b"ARROW1\x00\x00" + bytes(100) + b"ARROW1", b"", whole[8:], whole[:-10]))  # fmt: skip
        (folder / name).write_bytes(content)
    else:  # the footer's length says something else
        length = draw.choice((0, 1, 2**31 - 1, -1, -(2**31), len(whole), len(whole) * 2))
        (folder / name).write_bytes(whole[:-10] + struct.pack("<i", length) + whole[-6:])
    return name


# --- images --------------------------------------------------------------------------------------------------------------


def images(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """A folder of pictures in which something is wrong; gives its name. A list beside it names files, too."""
    shutil.copytree(home / "pictures", folder / "pictures")
    place = folder / "pictures" / draw.choice(("cat", "dog"))
    victim = draw.choice(sorted(place.iterdir()))
    way = draw.choice((_damaged_image, _damaged_image, _damaged_image, _huge_image, _odd_image, _odd_place))
    way(draw, victim, mark)
    names = ["pictures/cat/0.png", f"pictures/{place.name}/{victim.name}", draw.choice(("../rows.npz", "/etc/passwd", "a\x00b", "", "~", "pictures", "/dev/zero", "x" * 5000))]  # fmt: skip
    (folder / "list.csv").write_text("file,label\n" + "".join(f'"{name}",1\n' for name in names))
    return "pictures"


def _damaged_image(draw: random.Random, victim: Path, mark: Path) -> None:
    victim.write_bytes(damaged(draw, victim.read_bytes()))


def _huge_image(draw: random.Random, victim: Path, mark: Path) -> None:
    """Few bytes that say they are very many pixels, or that unpack to them."""
    width, height = draw.choice(((65_000, 65_000), (2**31 - 1, 1), (1, 2**31 - 1), (0, 5), (30_000, 3_000), (2**32 - 1, 2**32 - 1), (7_000, 7_000)))  # fmt: skip
    how = draw.choice(("png", "png", "bmp", "gif", "tiff", "ppm", "bomb", "text"))
    small = b"\x00" * 100
    made = {
        "png": lambda: png(width, height, zlib.compress(small)),
        "bomb": lambda: png(6_000, 6_000, zlib.compress(bytes(6_000 * 18_001), 9)),
        "text": lambda: png(8, 8, zlib.compress(bytes(200)), _chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(80_000_000), 9))),
        "bmp": lambda: b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, min(width, 2**31 - 1), min(height, 2**31 - 1), 1, 24, 0, 0, 0, 0, 0, 0) + small,
        "gif": lambda: b"GIF89a" + struct.pack("<HHBBB", width & 0xFFFF, height & 0xFFFF, 0x80, 0, 0) + bytes(6) + b"," + struct.pack("<HHHHB", 0, 0, width & 0xFFFF, height & 0xFFFF, 0) + b"\x02\x02\x4c\x01\x00;",
        "tiff": lambda: _tiff(width & 0xFFFFFFFF, height & 0xFFFFFFFF),
        "ppm": lambda: f"P6 {width} {height} 255\n".encode() + small,
    }[how]()  # fmt: skip
    victim.write_bytes(made)


def _odd_image(draw: random.Random, victim: Path, mark: Path) -> None:
    """Other kinds of pixels, many frames, files of another kind under this name."""
    import numpy as np
    from PIL import Image

    def saved(image: Any, **how: Any) -> None:
        image.save(victim, format="PNG" if victim.suffix not in (".tif", ".gif") else None, **how)

    way = draw.choice(("float", "deep", "alpha", "frames", "pickle", "text", "svg", "size", "eps"))
    if way == "float":
        Image.fromarray(np.zeros((8, 8), np.float32)).save(victim, format="TIFF")
    elif way == "deep":
        Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(victim, format="PNG")
    elif way == "alpha":
        Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(victim, format="PNG")
    elif way == "frames":
        frames = [Image.fromarray(np.full((8, 8), one % 256, np.uint8)) for one in range(draw.choice((2, 400)))]
        frames[0].save(victim, format="GIF", save_all=True, append_images=frames[1:])
    elif way == "size":
        saved(Image.fromarray(np.zeros(draw.choice(((1, 1), (8, 9), (1, 4000))), np.uint8)))
    elif way == "pickle":
        import pickle

        victim.write_bytes(pickle.dumps(Payload(mark)))
    elif way == "eps":  # a format whose reader starts another program
        victim.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(" + str(mark).encode() + b") (w) file\n%%EOF\n")  # fmt: skip
    else:
        victim.write_bytes(b"GIF89a" if way == "text" else b"<svg xmlns='http://www.w3.org/2000/svg'/>")


def _odd_place(draw: random.Random, victim: Path, mark: Path) -> None:
    """Links out of the folder, pipes, folders and devices where a picture should be; names of all kinds."""
    way = draw.choice(("link", "hard", "pipe", "folder", "device", "name", "loop", "gone", "empty"))
    content = victim.read_bytes()
    victim.unlink()
    if way == "link":
        victim.symlink_to("/etc/passwd")
    elif way == "hard":
        os.link(victim.parents[2] / "rows.npz", victim)
    elif way == "pipe":
        os.mkfifo(victim)
    elif way == "folder":
        victim.mkdir()
    elif way == "device":
        victim.symlink_to("/dev/zero")
    elif way == "loop":
        victim.symlink_to(victim)
    elif way == "name":
        (victim.parent / f"{draw.choice((chr(27) + '[2J', 'a' * 240, chr(0x202E), 'é', '{{ 7 }}', '-rf', ' '))}.png").write_bytes(content)  # fmt: skip
    elif way == "empty":
        shutil.rmtree(victim.parent)
        victim.parent.mkdir()


def png(width: int, height: int, data: bytes, more: bytes = b"") -> bytes:
    """A PNG file of this size in colour, whatever its data hold."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + more + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _tiff(width: int, height: int) -> bytes:
    """One strip of pixels that isn't there."""
    entries = ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 2**31))  # fmt: skip
    return (
        b"II*\x00"
        + struct.pack("<IH", 8, len(entries))
        + b"".join(struct.pack("<HHII", *one) for one in entries)
        + bytes(4)
    )


def command(folder: Path, name: str) -> str:
    """Something for a command line that must be refused; gives its name."""
    if name == "bomb.png":
        (folder / "shots" / "cat").mkdir(parents=True)
        (folder / "shots" / "cat" / name).write_bytes(png(65_000, 65_000, zlib.compress(bytes(100))))
        return "shots"
    content = b"a,b\n" + b'"1","' + b"z" * 20_000_000 if name.endswith("csv") else b"ARROW1\x00\x00" + bytes(500) + b"ARROW1"  # fmt: skip
    (folder / name).write_bytes(content)
    return name


KINDS: dict[str, Callable[[random.Random, Path, Path, Path], str]] = {"csv": csv, "arrow": arrow, "images": images}
