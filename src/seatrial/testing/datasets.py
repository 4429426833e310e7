"""The exam of data sets: what was written is read back, in chunks of any size, and what is wrong is said with its place.

from seatrial import catalog
from seatrial.testing.datasets import exam

exam(catalog.find("datasets", "parquet"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.errors import DataError

Write = Callable[[Path, Mapping[str, np.ndarray[Any, Any]]], dict[str, Any]]
"""Writes columns into a folder and gives the options with which a part reads them back."""

ROWS = 11


def exam(part: PartInfo, write: Write | None = None) -> None:
    """Try a data set on rows of its own. `write` is needed for kinds of file that the exam can't write. Raises `AssertionError`."""
    module = catalog.load(part)
    own = OWN.get(part.name)
    write = write or (own[0] if own else _writer(part))
    with TemporaryDirectory() as name:
        folder, columns = Path(name), own[1]() if own else _carried(part)
        options = module.Options(**write(folder, columns))
        _describes(module, options, folder, columns)
        for rows in (1, 4, ROWS, 10 * ROWS):
            _gives_back(module, options, folder, columns, rows)
        _says_what_is_wrong(module, options, folder, list(columns))


def sample() -> dict[str, np.ndarray[Any, Any]]:
    """Columns of the kinds that every data set must give back: numbers, text, truth values, images, lists."""
    random = np.random.default_rng(0)
    return {
        "image": random.integers(0, 256, (ROWS, 4, 3), dtype=np.uint8),
        "width": random.normal(size=ROWS).astype(np.float32),
        "count": random.integers(-9, 9, ROWS),
        "list": random.normal(size=(ROWS, 5)),
        "height": random.normal(size=ROWS),
        "sure": random.random(ROWS) < 0.5,
        "name": np.array([f"row {row}, né{'e' * (row % 3)}" for row in range(ROWS)]),
    }


def write_parquet(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Columns as `rows.parquet` in several row groups; images become nested lists."""
    import polars as pl

    frame = pl.DataFrame({name: values.tolist() for name, values in columns.items()}, strict=False)
    types = {name: _parquet_type(values) for name, values in columns.items()}
    frame.cast(types).write_parquet(folder / "rows.parquet", row_group_size=3)  # type: ignore[arg-type]
    return {"path": "rows.parquet"}


def write_npz(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Columns as `rows.npz`."""
    np.savez_compressed(folder / "rows.npz", **columns)  # type: ignore[arg-type]
    return {"path": "rows.npz"}


def write_arrow(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Columns as `rows.arrow`."""
    import polars as pl

    write_parquet(folder, columns)
    pl.read_parquet(folder / "rows.parquet").write_ipc(folder / "rows.arrow", record_batch_size=3)
    return {"path": "rows.arrow"}


def write_csv(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Columns of single values as `rows.csv`."""
    import polars as pl

    pl.DataFrame({name: values.tolist() for name, values in columns.items()}).write_csv(folder / "rows.csv")
    return {"path": "rows.csv"}


def write_images(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Images as PNG files that are called what `name` says, and a list of them with the other columns."""
    from PIL import Image

    for name, pixels in zip(columns["name"], columns["image"], strict=True):
        Image.fromarray(pixels).save(folder / name, format="PNG")
    listed = {name: values for name, values in columns.items() if name != "image"}
    return write_csv(folder, listed) | {"file": "name"}


WRITERS: Mapping[str, Write] = {
    ".parquet": write_parquet,
    ".npz": write_npz,
    ".arrow": write_arrow,
    ".csv": write_csv,
    ".png": write_images,
}


def logged() -> dict[str, np.ndarray[Any, Any]]:
    """What an accuracy log of LoadGen holds: answers in the order in which queries were made, not that of the samples."""
    random = np.random.default_rng(0)
    answers = random.normal(size=(ROWS, 3)).astype(np.float32)
    return {"qsl_idx": random.permutation(ROWS), "seq_id": np.arange(ROWS), "output": answers}


def write_loadgen_log(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Columns as LoadGen writes them."""
    rows = [
        f'{{ "seq_id" : {seq}, "qsl_idx" : {index}, "data" : "{answer.tobytes().hex().upper()}" }}'
        for index, seq, answer in zip(*(columns[name] for name in ("qsl_idx", "seq_id", "output")), strict=True)
    ]
    (folder / "mlperf_log_accuracy.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
    return {"path": "mlperf_log_accuracy.json"}


def exported() -> dict[str, np.ndarray[Any, Any]]:
    """What trtexec exports: output tensors, printed with six significant digits."""
    random = np.random.default_rng(0)
    return {
        "boxes": random.integers(-9999, 9999, (ROWS, 4, 3)) / 100.0,
        "logits": random.integers(-999, 999, (ROWS, 5)) / 10.0,
    }


def write_trtexec(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Columns as trtexec writes its outputs."""
    tensors = [
        f'{{ "name" : "{name}"\n  , "dimensions" : "{"x".join(map(str, values.shape))}"\n'
        f'  , "values" : [ {", ".join(f"{one:g}" for one in values.reshape(-1))} ]\n  }}'
        for name, values in columns.items()
    ]
    (folder / "outputs.json").write_text("[\n  " + "\n, ".join(tensors) + "\n]\n")
    return {"path": "outputs.json"}


def known() -> dict[str, np.ndarray[Any, Any]]:
    """Events and one feature of whom they are about."""
    carried = {name: sample()[name] for name in ("count", "name", "height")}
    return {"customer": np.arange(ROWS) % 4, "moment": np.arange(ROWS) * 100.0, **carried}


def write_events(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """All columns but `height` as events; `height` as features that are known just before each, in another order, corrected afterwards."""
    import polars as pl

    features = {name: columns[name] for name in ("customer", "moment", "height")}
    right = pl.DataFrame(features).with_columns(pl.col("moment") - 1, written=pl.col("moment") - 1)
    wrong = right.with_columns(pl.col("height") + 1, written=pl.col("moment") + 2)
    pl.concat([wrong, right]).reverse().write_parquet(folder / "features.parquet", row_group_size=3)
    pl.DataFrame({name: values for name, values in columns.items() if name != "height"}).write_parquet(
        folder / "events.parquet"
    )
    table = {"path": "features.parquet", "time": "moment", "written": "written", "columns": "height"}
    return {"events": "events.parquet", "time": "moment", "key": "customer", "features": [table]}


def boxed() -> dict[str, np.ndarray[Any, Any]]:
    """Pictures, and one to three boxes in each, the last rows of the others filled with -1."""
    random = np.random.default_rng(0)
    count = np.arange(ROWS) % 3 + 1
    boxes = random.integers(1, 9, (ROWS, 3, 7)).astype(np.float32)
    boxes[:, :, 4], boxes[:, :, 5] = random.integers(0, 2, (2, ROWS, 3))
    boxes[np.arange(3) >= count[:, None]] = -1
    return {
        "image": random.integers(0, 256, (ROWS, 6, 8, 3), dtype=np.uint8),
        "file": np.array([f"picture {row}.png" for row in range(ROWS)]),
        "id": random.permutation(ROWS) + 40,
        "count": count,
        "boxes": boxes,
    }


def write_coco(folder: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Pictures as PNG files, and all that is known of them as COCO's JSON; categories have ids with gaps."""
    import json

    from PIL import Image

    listed, annotations = [], []
    for file, pixels, number, boxes in zip(*(columns[name] for name in ("file", "image", "id", "boxes")), strict=True):
        Image.fromarray(pixels).save(folder / file)
        listed.append({"id": int(number), "file_name": str(file), "height": pixels.shape[0], "width": pixels.shape[1]})
        for *corner, kind, crowd, area in (box.tolist() for box in boxes if box[0] >= 0):
            one = {"image_id": int(number), "bbox": corner, "category_id": 18 - int(1 - kind), "iscrowd": crowd}
            annotations.append(one | {"area": area, "id": len(annotations)})
    categories = [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}]
    whole = {"images": listed, "annotations": annotations, "categories": categories}
    (folder / "boxes.json").write_text(json.dumps(whole))
    return {"annotations": "boxes.json", "images": "."}


OWN: Mapping[str, tuple[Write, Callable[[], dict[str, np.ndarray[Any, Any]]]]] = {
    "as_of": (write_events, known),
    "coco": (write_coco, boxed),
    "loadgen_log": (write_loadgen_log, logged),
    "trtexec": (write_trtexec, exported),
}
"""Data sets whose columns are those of one kind of file."""


def _carried(part: PartInfo) -> dict[str, np.ndarray[Any, Any]]:
    """Of the sample what such files can hold: all of it, unless the part says `GIVES = {"columns": ("numbers", "text")}`."""
    held = {"numbers": ("count", "height", "sure"), "text": ("name",), "images": ("image",)}
    kinds = part.gives.get("columns")
    return sample() if kinds is None else {name: sample()[name] for kind in kinds for name in held[kind]}


def _writer(part: PartInfo) -> Write:
    for suffix, write in WRITERS.items():
        if suffix in part.gives.get("suffix", ()):
            return write
    raise AssertionError(f"{part.name}: the exam can't write its files; hand it a `write` that can")


def _parquet_type(values: np.ndarray[Any, Any]) -> Any:
    import polars as pl

    if values.dtype.kind == "U":
        return pl.String
    inner: Any = pl.Series(values.reshape(-1)).dtype
    for _ in values.shape[1:]:
        inner = pl.List(inner)
    return inner


def _describes(module: Any, options: Any, folder: Path, columns: Mapping[str, Any]) -> None:
    told = module.columns(options, folder)
    assert set(told) == set(columns), f"columns() names {sorted(told)}, not {sorted(columns)}"
    assert all(isinstance(words, str) and words for words in told.values()), "columns() tells each type in words"
    for name in [name for name, values in columns.items() if values.dtype.kind in "OU"]:
        assert "text" in told[name], "a column of text is called text"


def _gives_back(module: Any, options: Any, folder: Path, columns: Mapping[str, Any], rows: int) -> None:
    listed = list(columns)
    single = "count" if "count" in columns else listed[len(listed) // 2]
    for names in (listed, [single], [listed[-1], listed[0]]):
        pieces = list(module.chunks(options, folder, names, rows))
        for piece in pieces:
            assert set(piece) == set(names), f"asked for {names}, a chunk holds {sorted(piece)}"
            lengths = {len(values) for values in piece.values()}
            assert len(lengths) == 1, f"columns of a chunk are equally long, not {lengths}"
            assert 0 < lengths.pop() <= rows, f"a chunk holds 1 to {rows} rows"
        for name in names:
            whole = np.concatenate([piece[name] for piece in pieces])
            wanted = columns[name].astype(object) if columns[name].dtype.kind == "U" else columns[name]
            assert whole.dtype == wanted.dtype, f"`{name}` comes back as {whole.dtype}, not {wanted.dtype}"
            assert whole.shape == wanted.shape, f"`{name}` comes back as {whole.shape}, not {wanted.shape}"
            assert np.array_equal(whole, wanted), f"`{name}` comes back with other values or in another order"


def _says_what_is_wrong(module: Any, options: Any, folder: Path, names: list[str]) -> None:
    meant = names[-1]
    wrong = meant[0] + meant[2:]
    error = _refused(lambda: list(module.chunks(options, folder, [names[0], wrong], 4)), "a column that isn't there")
    assert wrong in str(error), "the error names the column"
    assert meant in error.next_step, "the next step names the nearest column"
    elsewhere = folder / "elsewhere"
    _refused(lambda: module.columns(options, elsewhere), "files that aren't there")
    _refused(lambda: list(module.chunks(options, elsewhere, names[:1], 4)), "files that aren't there")


def _refused(act: Callable[[], Any], what: str) -> DataError:
    caught: DataError | None = None
    try:
        act()
    except DataError as error:
        caught = error
    assert caught is not None, f"{what} must raise a DataError"
    assert caught.where, f"the error about {what} says where"
    return caught
