"""Made-up tables for the exam of audits: clean ones, and their twins with every fault planted that an audit looks for.

Whoever adds an audit plants its fault here (or hands tables of its own to the exam): `PLANTED` says which rows have which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seatrial.contracts.audit import Chunk, Piece, Table
from seatrial.numerics.row_hash import row_hashes
from seatrial.testing import _backdoored

KEY = b"exam of audits"
SECRETS = (
    "ingrid.solheim@example.org", "+47 22 85 50 50", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "192.0.2.44", "529-98-2771",
    "12345678Z", "RSSMRA85T10A562S", "943 476 5919", "11144477735",
)  # fmt: skip
"""What stands in cells and must stand in no output."""


def clean(rows: int = 3000, seed: int = 0) -> dict[str, Any]:
    """Columns without a fault: numbers with long and short tails, words, dates, two classes, groups, an order."""
    rng = np.random.default_rng(seed)
    made = {
        "height": rng.normal(170, 9, rows),
        "income": np.round(rng.lognormal(10, 0.8, rows), 2),
        "visits": rng.poisson(4, rows),
        "score": rng.random(rows),
        "town": rng.choice(np.array(["Bergen", "Turku", "Århus", "Zürich"], object), rows),
        "plan": rng.choice(np.array(["basic", "plus"], object), rows, p=[0.6, 0.4]),
        "note": np.array([" ".join(rng.choice(WORDS, 12)) for _ in range(rows)], object),
        "person": rng.integers(0, rows // 2, rows),
        "day": np.arange(rows),
    }
    odds = 0.05 * (made["height"] - 170) + 0.8 * (made["plan"] == "plus") - 0.3
    made["y"] = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    return made


WORDS = np.array(
    [
        "harbour",
        "letter",
        "winter",
        "engine",
        "river",
        "basket",
        "copper",
        "window",
        "garden",
        "signal",
        "timber",
        "market",
        "candle",
        "bridge",
        "ladder",
        "meadow",
        "anchor",
        "barrel",
        "feather",
        "kettle",
        "lantern",
        "marble",
        "needle",
        "orchard",
        "pebble",
        "quarry",
        "ribbon",
        "saddle",
        "thistle",
        "velvet",
        "walnut",
        "yarrow",
        "amber",
        "beacon",
        "cellar",
        "driftwood",
        "ember",
        "furrow",
        "granite",
        "hollow",
    ],
    object,
)


def faulty(rows: int = 3000, seed: int = 0) -> dict[str, Any]:
    """The same with faults: see the comments."""
    rng, made = np.random.default_rng(seed + 1), clean(rows, seed)
    pick = rng.permutation(rows)
    # rare class
    rare = np.flatnonzero(made["y"] == 1)[20:]
    made["y"][rare] = 0
    # gaps that tell the label
    made["score"][pick[:200]] = np.nan
    made["score"][np.flatnonzero(made["y"] == 1)[:16]] = np.nan
    made["town"][pick[:90]] = "n/a"
    # outliers, codes, impossible values, units
    made["income"][pick[100:103]] = 1e12
    made["age"] = np.clip(rng.normal(40, 12, rows), 18, 90).round()
    made["age"][pick[11:21]] = -7
    made["visits"] = made["visits"].astype(float)
    made["visits"][pick[30:60]] = 9999
    made["height"][pick[60:160]] /= 100
    # constants and copies
    made["country"] = np.array(["NO"] * rows, object)
    made["score_2"] = made["score"].copy()
    # encodings, types, spellings
    made["plan"][pick[200:260]] = "Plus "
    made["city"] = made["town"].copy()
    made["city"][pick[300:330]] = "ZÃ¼rich"
    made["amount"] = np.array([f"{value:.2f}" for value in rng.random(rows)], object)
    made["amount"][pick[400:440]] = "about ten"
    # sensitive columns and a proxy
    made["sex"] = rng.choice(np.array(["F", "M"], object), rows)
    made["title"] = np.where(made["sex"] == "F", "Ms", "Mr").astype(object)
    # personal data
    made["remark"] = made["note"].copy()
    for at, secret in enumerate(SECRETS):
        made["remark"][pick[500 + at]] = f"please call {secret} about it"
    # near and exact copies: the last of the plants
    near, exact = pick[600:640], pick[700:760]
    for column in made.values():
        column[near + 0] = column[pick[:40] + 0]
        column[exact] = column[pick[800:860]]
    made["height"][near] *= 1 + 1e-7
    for row in near[20:]:
        words = made["note"][row].split()
        made["note"][row] = " ".join([*words[:11], "changed"])
    return made


STATED: dict[str, dict[str, Any]] = {
    "annotators": {"annotators": ("ann_1", "ann_2", "ann_3")},
    "representativeness": {"population": {"plan": {"basic": 0.6, "plus": 0.4}}},
}
"""What a study states for an audit that looks at nothing otherwise."""


def more(audit: str, columns: dict[str, Any], bad: bool) -> dict[str, Any]:
    """The columns with those that this audit alone looks at, good or bad."""
    if audit != "annotators":
        return columns
    rng = np.random.default_rng(11)
    label = columns["y"]
    for name in STATED[audit]["annotators"]:
        other = rng.random(len(label)) < (0.35 if bad else 0.005)
        columns[name] = np.where(rng.random(len(label)) < 0.1, None, np.where(other, 1 - label, label).astype(str))
    return columns


def own(audit: str) -> tuple[list[Table], list[Table]]:
    """Clean and faulty tables for an audit whose fault can't stand among the others; empty where it can."""
    if audit in ("spectral_signatures", "activation_clustering", "neighbour_disagreement"):
        return _pictures(False), _pictures(True, flipped=audit == "neighbour_disagreement")
    if audit in ("split_shift", "split_classifier", "shortcuts"):
        return _splits(False), _splits(True)
    if audit == "representativeness":
        made = [clean(seed=3), clean(seed=4)]
        made[1]["plan"][:900] = "plus"
        return tuple([table(one, "evaluation", "evaluation", label="y")] for one in made)  # type: ignore[return-value]
    if audit == "schema":
        return _schemas(False), _schemas(True)
    if audit != "label_errors":
        return [], []
    rng = np.random.default_rng(5)
    true = rng.integers(0, 3, 3000)
    columns = {f"x{at}": rng.normal(size=3000) + 3 * (true == at) for at in range(3)}
    wrong = np.where(rng.random(3000) < 0.1, (true + 1) % 3, true)
    return tuple([table(columns | {"y": y}, "train", "train", label="y")] for y in (true, wrong))  # type: ignore[return-value]


def _pictures(bad: bool, flipped: bool = False) -> list[Table]:
    """Pictures with labels; bad: a tenth carry a trigger and another label, or a fifth have another label alone."""
    x, labels = _backdoored.pictures(_backdoored.ROWS, 0)
    if bad and flipped:
        rng = np.random.default_rng(1)
        labels = np.where(rng.random(len(labels)) < 0.2, (labels + 1) % _backdoored.CLASSES, labels)
    elif bad:
        x, labels, _ = _backdoored.poisoned(_backdoored.ROWS, 0)
    return [table({"picture": x[:, 0], "y": labels}, "train", "train", label="y")]


def _schemas(bad: bool) -> list[Table]:
    """Rows that teach and rows that judge; bad: here a column is gone, one is text and one is new."""
    taught, judged = clean(300, seed=1), clean(300, seed=2)
    if bad:
        judged |= {"height": judged["height"].astype(str).astype(object), "added": judged["income"]}
        del judged["score"]
    return [table(taught, "train", "train", label="y"), table(judged, "evaluation", "evaluation", label="y")]


def _splits(bad: bool) -> list[Table]:
    """Rows that teach and rows that judge; bad: incomes are others there, and a column tells the label here and not there."""
    tables = []
    for seed, role in enumerate(("train", "evaluation")):
        columns, rng = clean(seed=seed), np.random.default_rng(seed)
        held = bad and role == "train"
        columns["lamp"] = np.where(
            rng.random(len(columns["y"])) < (0.8 if held else 0.0), columns["y"], rng.integers(0, 2, len(columns["y"]))
        )
        if bad and role == "evaluation":
            columns["income"] = columns["income"] * 3
            columns["town"] = np.where(rng.random(len(columns["y"])) < 0.5, "Oslo", columns["town"]).astype(object)
        tables.append(table(columns, role, role, label="y", group="person", order="day"))
    return tables


def table(
    columns: Mapping[str, Any], name: str = "rows", role: str = "rows", chunk: int | None = None, **named: Any
) -> Table:
    """A table of columns in memory: `label`, `group`, `order` and `weight` by name."""
    whole = {one: piece(values) for one, values in columns.items()}
    rows = len(next(iter(whole.values())).values)
    return Table(
        name, role, {one: words(values) for one, values in columns.items()}, reader(whole, rows, chunk), **named
    )


def reader(
    whole: Mapping[str, Piece], rows: int, chunk: int | None
) -> Callable[[Sequence[str], int | None], Iterator[Chunk]]:
    """What reads pieces that lie in memory."""

    def read(names: Sequence[str], asked: int | None) -> Iterator[Chunk]:
        size = asked or chunk or rows
        for first in range(0, rows, size):
            taken = {name: whole[name].take(slice(first, first + size)) for name in names}
            yield Chunk(first, taken, lambda pieces: row_hashes(pieces, KEY))

    return read


def words(values: Any) -> str:
    """A column's type in words."""
    shape = "x".join(map(str, values.shape[1:]))
    return ("text" if values.dtype == object else str(values.dtype)) + (f" {shape}" if shape else "")


def piece(values: Any) -> Piece:
    """An array as a piece: None and NaN are missing."""
    if values.dtype == object:
        missing = np.array([one is None for one in values], bool)
        known: dict[str, int] = {}
        codes = [0 if one is None else known.setdefault(one, len(known)) for one in values]
        return Piece("text", np.array(codes, np.int32), missing if missing.any() else None, list(known))
    if values.ndim > 1:
        return Piece("tensor", values)
    if values.dtype.kind == "M":
        gaps = np.isnat(values)
        return Piece("time", values.astype("datetime64[us]").astype(np.int64), gaps if gaps.any() else None)
    if values.dtype.kind == "f" and np.isnan(values).any():
        return Piece("number", np.nan_to_num(values, posinf=np.inf, neginf=-np.inf), np.isnan(values))
    return Piece("truth" if values.dtype.kind == "b" else "number", values)
