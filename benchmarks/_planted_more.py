"""More hostile input for hostile.py: model files of every format that `inspect` knows, tables to be joined, answers of other tools, lineage, bombs."""

from __future__ import annotations

import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _planted import damaged, pickled

FORMATS = ("onnx", "safetensors", "pickle", "npz", "archive", "torch_archive", "exported_program", "skops", "keras", "tflite", "openvino_ir")  # fmt: skip
LAUGHS = '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + at)} "{f"&{chr(97 + at)};" * 10}">' for at in range(20)) + "]><net>&u;</net>"  # fmt: skip


def model_format(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """A file of a format that `inspect` knows, damaged, lying, or with a payload; gives its name."""
    from seatrial.testing._format_samples import sample

    file = sample(draw.choice(FORMATS), folder)
    assert file is not None
    whole = file.read_bytes()
    way = draw.choice(("damaged", "damaged", "damaged", "payload", "zip", "deep", "link", "laughs"))
    made = {
        "damaged": lambda: damaged(draw, whole),
        "payload": lambda: pickled(mark, draw.choice(("0", "2", "4", "zip", "gzip", "pt2"))),
        "zip": lambda: _archive(draw, mark),
        "deep": lambda: draw.choice((b"[" * 100_000, b'{"a":' * 50_000, b"(" * 100_000 + b".", b"<a>" * 100_000, struct.pack("<Q", 200_000) + b'{"a":' * 40_000)),
        "laughs": lambda: LAUGHS.encode(),
        "link": lambda: whole,
    }[way]()  # fmt: skip
    file.write_bytes(made)
    if way == "link":
        other = folder / f"link{file.suffix}"
        other.symlink_to(draw.choice((file, Path("/dev/zero"), Path("/etc/passwd"), other, folder, Path("/nowhere"))))
        return other.name
    return file.name


def _archive(draw: random.Random, mark: Path) -> bytes:
    """Archives that unpack to too much, lead out of their folder, hold links, or hold the same name twice."""
    import io

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        way = draw.choice(("bomb", "out", "link", "twice", "many", "payload"))
        top = draw.choice(("schema.json", "m/data.pkl", "config.json", "m/models/model.json", "x.npy"))
        archive.writestr(top, draw.choice((b"{}", b"\x80\x04.", b"[" * 10_000, b"", b"\xff" * 100)))
        if way == "bomb":
            archive.writestr("x.bin", bytes(30_000_000))
        elif way == "many":
            for at in range(3_000):
                archive.writestr(f"{at}.npy", b"")
        elif way == "payload":
            archive.writestr("m/data.pkl", pickled(mark, "2"))
        else:
            names = {"out": "../../evil", "twice": "a.json", "link": "link"}
            entry = zipfile.ZipInfo(names[way])
            entry.external_attr = (0o120777 << 16) if way == "link" else 0
            archive.writestr(entry, "/etc/passwd")
            if way == "twice":
                archive.writestr(zipfile.ZipInfo("a.json"), "{}")
    return stream.getvalue()


# --- tables to be joined ----------------------------------------------------------------------------------------------------


def events(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """Events and features with keys and times of odd kinds, or a damaged file; gives the name of the events."""
    import polars as pl

    times: list[Callable[[], Any]] = [
        lambda: pl.Series([1, 2, 3]),
        lambda: pl.Series([1.5, float("nan"), float("inf")]),
        lambda: pl.Series(["2026-01-01", "soon", ""]),
        lambda: pl.Series(["2026-01-01T00:00:00Z", "2026-01-01", None]),
        lambda: pl.Series([-(2**62), 2**62, 0]),
        lambda: pl.Series([10**30, 1, 1], dtype=pl.Float64),
        lambda: pl.Series([1, 2, 3]).cast(pl.Datetime("ns")),
        lambda: pl.Series([1, 2, None]).cast(pl.Date),
        lambda: pl.Series([None, None, None]),
        lambda: pl.Series([[1], [2], [3]]),
        lambda: pl.Series([True, False, None]),
        lambda: pl.Series([b"a", b"b", b"c"]),
        lambda: pl.Series([1, 2, 3]).cast(pl.Duration("us")),
        lambda: pl.Series([1, 2, 3]).cast(pl.Time),
        lambda: pl.Series([{"a": 1}, {"a": 2}, {"a": 3}]),
    ]
    for name in ("rows.parquet", "features.parquet"):
        frame = pl.DataFrame(
            {"k": draw.choice(times)(), "t": draw.choice(times[:9])(), "w": draw.choice(times)()}
            | ({"x": draw.choice(times)()} if name == "features.parquet" else {"n": [0, 1, 2]})
        )
        frame.write_parquet(folder / name)
    if draw.random() < 0.3:
        victim = folder / draw.choice(("rows.parquet", "features.parquet"))
        victim.write_bytes(damaged(draw, victim.read_bytes()))
    return "rows.parquet"


def event_doors(folder: Path, file: str) -> Iterator[Any]:
    """The join, with and without the moment at which features were written."""
    from seatrial import catalog

    part = catalog.find("datasets", "as_of")
    for more in ({}, {"written": "w"}, {"longest": "1d"}, {"written": "w", "longest": "1s"}):
        table = {"path": "features.parquet", "time": "t", "columns": ["x"]} | more
        given = {"events": file, "time": "t", "key": "k", "features": [table], "absent": "unknown"}
        options = catalog.options(part, given)
        yield lambda options=options: catalog.load(part).columns(options, folder)
        yield lambda options=options: [None for _ in catalog.load(part).chunks(options, folder, ["x", "k"], 2)]


# --- answers of other tools, and what owners state ---------------------------------------------------------------------------


def answers(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """What LoadGen or trtexec would have written, damaged or lying; gives its name."""
    loadgen = [{"seq_id": at, "qsl_idx": at, "data": "0000803F0000003F", "token_count": 1} for at in range(20)]
    engine = [{"name": "scores", "dimensions": "4x3", "values": [0.5] * 12}]
    odd = draw.choice((None, -1, 2**70, 1e400, "x", "0" * 100_001, [], {}, [[[]]] * 3, "NaN", "9999999999x9999999999"))
    entries = draw.choice((loadgen, engine))
    entry = draw.choice(entries)
    entry[draw.choice(list(entry))] = odd
    whole = json.dumps(draw.choice((entries, entries, entries[0], entries * 200))).encode()
    deep = b"[" * 200_000, b'[{"a":' * 50_000, b'[{"data": "' + b"A" * 3_000_000
    content = draw.choice((whole, whole, damaged(draw, whole), draw.choice(deep), pickled(mark, "4"), b"[", b"[]", b"{}"))  # fmt: skip
    (folder / "rows.json").write_bytes(content)
    return "rows.json"


def answer_doors(folder: Path, file: str) -> Iterator[Any]:
    """Both parts that read such files."""
    from seatrial import catalog

    for name in ("loadgen_log", "trtexec"):
        part = catalog.find("datasets", name)
        module, options = catalog.load(part), catalog.options(part, {"path": file})
        names: list[str] = []
        yield lambda module=module, options=options, names=names: names.extend(module.columns(options, folder))
        yield lambda module=module, options=options, names=names: [None for _ in module.chunks(options, folder, names, 8)]  # fmt: skip


def lineage(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """What an owner states, damaged, nested, aliased, tagged; gives its name."""
    whole = "description: a row is a person\nowner: data team\nfiles:\n  - {path: ../../etc/passwd, sha256: '" + "a" * 64 + "'}\ndelete_after: 2020-01-01\n"  # fmt: skip
    odd = (
        "[" * 5_000, "a: &a [*a]", "".join(f"k{at}: &k{at} [{', '.join([f'*k{at - 1}'] * 9)}]\n" if at else "k0: &k0 [x]\n" for at in range(12)),
        "owner: !!python/object/apply:os.system [touch x]", "owner: " + "x" * 3_000_000, "files: " + "[a, " * 2_000, "files: [{path: /dev/zero}]", "files: [{path: .}]",
        "delete_after: 9999-99-99", "owner: {a: b}", "\x00", "%YAML 9.9\n---\na: 1", "? [a]\n: b", "owner: \"\\ud800\"", "files: [" + "{path: a}, " * 60_000 + "]",
        "version: 1e999", "description: |\n" + "  x\n" * 30_000, "owner: =cmd|' /C calc'!A0",
    )  # fmt: skip
    content = draw.choice((damaged(draw, whole.encode()), draw.choice(odd).encode("utf-8", "surrogatepass"), pickled(mark, "0")))  # fmt: skip
    (folder / "lineage.yaml").write_bytes(content)
    return "lineage.yaml"


def lineage_doors(folder: Path, file: str) -> Iterator[Any]:
    """What a study makes of it, and what `data gone` makes of it, as marks."""
    from seatrial.apps.cli import data
    from seatrial.contracts.study import Data
    from seatrial.flow import provenance

    stated = Data.model_validate({"from": {"npz": {"path": "rows.npz"}}, "lineage": file})
    yield lambda: list(provenance._of("evaluation", stated, folder, asked=True))
    yield lambda: data._marks(folder / file)


# --- doors that any table has ------------------------------------------------------------------------------------------------


def content_doors(folder: Path, file: str) -> Iterator[Any]:
    """What `data hash`, `data diff` and `data gone` do."""
    from seatrial.flow import contents

    def gone_through() -> None:
        source = contents.of_file(folder / file)
        contents.content(source, any_order=True)
        contents.difference(source, source, list(source.columns)[:1])
        contents.still_there(source, ["00" * 16], list(source.columns)[:3], b"s" * 32)

    yield gone_through


def inspect_doors(folder: Path, file: str) -> Iterator[Any]:
    """What `seatrial inspect` does."""
    from seatrial.flow import inspecting

    yield lambda: inspecting.inspect(folder / file).model_dump_json()


def bomb(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """A small Parquet or Arrow file that unpacks to gigabytes, or says that it would; gives its name."""
    import polars as pl

    way = draw.choice(("rows", "text", "says"))
    if way == "rows":
        rows = 4_000_000
        frame = pl.select(pl.repeat(0, rows, dtype=pl.Int8).alias("n"))
        frame = frame.with_columns(pl.lit(0, dtype=pl.Int64).alias(f"z{at}") for at in range(200))
        frame.write_parquet(folder / "rows.parquet", row_group_size=rows, statistics=False)
        return "rows.parquet"
    if way == "text":
        frame = pl.DataFrame({"t": ["x" * 100_000_000], "n": [1]})
        name = draw.choice(("rows.parquet", "rows.arrow"))
        write = frame.write_parquet if name.endswith("parquet") else frame.write_ipc
        write(folder / name, compression="zstd")
        return name
    pl.DataFrame({"t": ["word" * 100] * 500}).write_ipc(folder / "rows.arrow", compression="zstd")
    whole = (folder / "rows.arrow").read_bytes()
    sizes = [struct.pack("<q", size) for size in (400, 8000)]
    for size in sizes:
        whole = whole.replace(size, struct.pack("<q", draw.choice((2**43, 2**33, -5, 2**62))), 1)
    (folder / "rows.arrow").write_bytes(whole)
    return "rows.arrow"


KINDS: dict[str, Callable[[random.Random, Path, Path, Path], str]] = {
    "format": model_format,
    "events": events,
    "answers": answers,
    "lineage": lineage,
    "bomb": bomb,
}
DOORS: dict[str, Callable[[Path, str], Iterator[Any]]] = {
    "format": inspect_doors,
    "events": event_doors,
    "answers": answer_doors,
    "lineage": lineage_doors,
}
