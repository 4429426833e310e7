"""The exam of corruptions: nothing else changes, chunks don't matter, worse is worse, and what was given stays as it was.

from seatrial import catalog
from seatrial.testing.corruptions import exam

exam(catalog.find("corruptions", "./my_corruption.py"))
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.damage import SEVERITIES, Damage
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Columns

ROWS = {"image": 24, "table": 1500, "text": 60}
SEEDS = 8


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Try a corruption on made-up rows of each input that it accepts, with `given` options. Raises `AssertionError`."""
    module, options = catalog.load(part), catalog.options(part, given)
    kinds = part.accepts.get("input", ())
    assert kinds, f"{part.name}: say in ACCEPTS which inputs it takes: image, table, text"
    assert part.gives.get("chance") in (("yes",), ("no",)), (
        f"{part.name}: say in GIVES whether the seed matters: chance"
    )
    for kind in kinds:
        for columns in samples(kind):
            learnt = module.learn(columns, options)
            assert learnt, f"{part.name}: `learn` names the columns that go bad"
            assert json.loads(json.dumps(learnt, allow_nan=False)) == learnt, f"{part.name}: what is learnt is JSON"
            _only_values_change(part, module, options, columns, learnt)
            _chunks_do_not_matter(part, module, options, columns, learnt)
            _seeds_matter_if_said(part, module, options, columns, learnt)
            _worse_is_worse(part, module, options, columns, learnt)


def samples(kind: str) -> list[dict[str, Any]]:
    """Made-up columns of this kind of input, each with a neighbour that isn't of it."""
    rng, rows = np.random.default_rng(3), ROWS[kind]
    if kind == "text":
        return [{"message": _strings(rng, rows), "length": rng.integers(0, 9, rows)}]
    if kind == "table":
        return [_table(rng, rows)]
    pixels = _pictures(rng, rows, 28, 3)
    grey = np.rint(255 * pixels[..., 0]).astype(np.uint8)
    return [
        {"image": grey, "age": rng.integers(0, 9, rows)},
        {"image": np.rint(255 * pixels).astype(np.uint8)},
        {"image": np.moveaxis(pixels, -1, 1).astype(np.float32)},
        {"image": 255 * pixels[:, :20, :, :1]},
        {"image": np.rint(255 * _pictures(rng, 6, 96, 1)).astype(np.uint8)},
    ]


def distance(columns: Columns, spoilt: Columns) -> float:
    """How far rows are from what they were, on average: pixels, standard deviations, edits a character; 1 for a lost value."""
    return float(np.mean([_far(columns[name], spoilt[name]) for name in columns]))


def _only_values_change(part: PartInfo, module: Any, options: Any, columns: Columns, learnt: Any) -> None:
    """Same columns, rows, shapes and types; no empty cell is filled; the range of bytes and input arrays are untouched."""
    before = {name: column.copy() for name, column in columns.items()}
    frozen = {name: column.copy() for name, column in columns.items()}
    for column in frozen.values():
        column.flags.writeable = False
    for severity in SEVERITIES:
        damage = Damage(severity, seed=1, learnt=learnt)
        spoilt = module.corrupt(frozen, damage, options)
        assert list(spoilt) == list(columns), f"{part.name}: columns are {list(spoilt)}, not {list(columns)}"
        for name, column in columns.items():
            assert _same(frozen[name], before[name]), f"{part.name}: the input `{name}` was changed"
            assert spoilt[name].shape == column.shape, f"{part.name}: `{name}` has shape {spoilt[name].shape}"
            assert spoilt[name].dtype == column.dtype, f"{part.name}: `{name}` became {spoilt[name].dtype}"
            assert name in learnt or _same(spoilt[name], column), f"{part.name}: `{name}` isn't learnt, yet changed"
        none = {name: column[:0] for name, column in columns.items()}
        empty = module.corrupt(none, damage, options)
        assert all(empty[name].shape == none[name].shape for name in columns), f"{part.name}: no rows became some"
    if part.accepts["input"] == ("image",):
        _range_and_holes_are_kept(part, module, options, columns, learnt)


def _range_and_holes_are_kept(part: PartInfo, module: Any, options: Any, columns: Columns, learnt: Any) -> None:
    image = columns["image"].copy()
    if image.dtype.kind == "f":
        image[0, 0, 0] = np.nan
    spoilt = module.corrupt({**columns, "image": image}, Damage(5, learnt=learnt), options)["image"]
    assert _same(np.isnan(spoilt), np.isnan(image)), f"{part.name}: pixels that are no number are others than before"
    high = 1.0 if columns["image"].max() <= 1 else 255.0
    assert np.nanmin(spoilt) >= 0, f"{part.name}: pixels are below black"
    assert np.nanmax(spoilt) <= high, f"{part.name}: pixels are above white"


def _chunks_do_not_matter(part: PartInfo, module: Any, options: Any, columns: Columns, learnt: Any) -> None:
    """Any cut, rows one by one among them, at the start of the data and far inside."""
    rows = len(next(iter(columns.values())))
    cuts = np.sort(np.random.default_rng(5).integers(0, rows + 1, 4)).tolist()
    for first in (0, 1000, 5_000_000_000):
        whole = module.corrupt(columns, Damage(3, 2, first, learnt), options)
        again = module.corrupt(columns, Damage(3, 2, first, learnt), options)
        for name in columns:
            assert _same(again[name], whole[name]), f"{part.name}: the same twice isn't the same in `{name}`"
        for start, stop in zip([0, *cuts, rows - 1], [*cuts, rows, rows], strict=True):
            piece = {name: column[start:stop] for name, column in columns.items()}
            found = module.corrupt(piece, Damage(3, 2, first + start, learnt), options)
            for name in columns:
                assert _same(found[name], whole[name][start:stop]), f"{part.name}: `{name}` depends on chunks of rows"


def _seeds_matter_if_said(part: PartInfo, module: Any, options: Any, columns: Columns, learnt: Any) -> None:
    found = [module.corrupt(columns, Damage(4, seed, 0, learnt), options) for seed in range(SEEDS)]
    alike = all(_same(one[name], found[0][name]) for one in found[1:] for name in columns)
    said = part.gives["chance"] == ("yes",)
    assert alike != said, f"{part.name}: GIVES says chance: {'yes' if said else 'no'}, and the seed says otherwise"


def _worse_is_worse(part: PartInfo, module: Any, options: Any, columns: Columns, learnt: Any) -> None:
    """The mean distance from clean rows grows from each severity to the next."""
    spoilt = [module.corrupt(columns, Damage(severity, 7, 0, learnt), options) for severity in SEVERITIES]
    found = [0.0, *(distance(columns, one) for one in spoilt)]
    told = ", ".join(f"{value:.4g}" for value in found[1:])
    grows = all(one < other for one, other in itertools.pairwise(found))
    assert grows, f"{part.name}: rows should lie farther off at each severity; the distances are {told}"


# --- made-up rows, and how far two are apart ------------------------------------------------------------------------------


def _pictures(rng: np.random.Generator, rows: int, side: int, channels: int) -> Any:
    """Blots with soft edges and a few lines, 0 to 1, neither black nor white for the most part."""
    down, across = np.mgrid[0:side, 0:side] / side
    pixels = np.full((rows, side, side, channels), 0.25)
    for image in pixels:
        for _ in range(4):
            middle, width, colour = rng.random(2), rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.5, channels)
            blot = np.exp(-((down - middle[0]) ** 2 + (across - middle[1]) ** 2) / width**2)
            image += blot[..., None] * colour
        image[rng.integers(0, side, 2)] += 0.3
        image[:, rng.integers(0, side, 2)] -= 0.2
    return np.clip(pixels, 0, 1)


def _table(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    height = rng.normal(170, 9, rows)
    height[::50] = np.nan
    return {
        "height": height,
        "weight": rng.normal(70, 12, rows),
        "steps": rng.integers(0, 20_000, rows).astype(np.int32),
        "visits": rng.poisson(40, rows).astype(np.int32),
        "signals": rng.normal(0, 1, (rows, 3)).astype(np.float32),
        "town": rng.choice(np.array(["Bergen", "Turku", None], dtype=object), rows),
        "state": rng.choice(np.array(["old", "new"], dtype=object), rows),
        "flag": rng.random(rows) < 0.5,
    }


def _strings(rng: np.random.Generator, rows: int) -> Any:
    words = ["The", "parcel", "never", "Arrived,", "since", "7", "October", "PLEASE", "call", "back", "straße", "café"]
    told = [" ".join(rng.choice(words, rng.integers(5, 12))) for _ in range(rows - 3)]
    return np.array(["", None, "x", *told], dtype=object)


def _far(column: Any, spoilt: Any) -> float:
    if column.dtype == object:
        return float(np.mean([_edits(one, other) for one, other in zip(column, spoilt, strict=True)]))
    one, other = column.astype(np.float64), spoilt.astype(np.float64)
    lost = np.isnan(one) != np.isnan(other)
    apart = np.where(lost, 1.0, np.nan_to_num(np.abs(one - other))) / (np.nanstd(one) or 1.0)
    return float(np.mean(apart))


def _edits(one: Any, other: Any) -> float:
    """Levenshtein's distance for each character; 1 where there is a string on one side alone."""
    if not isinstance(one, str) or not isinstance(other, str):
        return float(one is not other)
    before = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        row = [place]
        for column, another in enumerate(other, 1):
            row.append(min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != another)))
        before = row
    return before[-1] / max(1, len(one))


def _same(one: Any, other: Any) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
