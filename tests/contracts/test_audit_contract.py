"""Pieces, tables and row hashes: what audits stand on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contracts.audit import Auditing, Chunk, Piece, Table, told
from seatrial.contracts.finding import Severity
from seatrial.contracts.shown import shown
from seatrial.numerics.row_hash import row_hashes
from seatrial.testing._faulty import SECRETS

KEY = b"k" * 32


def _piece(values: list[float | None]) -> Piece:
    missing = np.array([one is None for one in values])
    return Piece(
        "number", np.array([0.0 if one is None else one for one in values]), missing if missing.any() else None
    )


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=2, max_size=30), st.integers(1, 29))
@settings(max_examples=60, deadline=None)
def test_equal_rows_hash_alike_however_they_are_cut(values: list[float | None], cut: int) -> None:
    whole = {"a": _piece(values), "b": _piece(values[::-1])}
    hashes = row_hashes(whole, KEY)
    rows = list(zip(values, values[::-1], strict=True))
    for one in range(len(rows)):
        for other in range(len(rows)):
            assert (hashes[one] == hashes[other]) == (rows[one] == rows[other])
    cut = min(cut, len(rows) - 1)
    pieces = [row_hashes({name: piece.take(part) for name, piece in reversed(whole.items())}, KEY)
              for part in (slice(0, cut), slice(cut, None))]  # fmt: skip
    assert np.array_equal(np.concatenate(pieces), hashes)


def test_types_do_not_matter_and_words_holes_names_and_keys_do() -> None:
    whole = row_hashes({"a": Piece("number", np.array([3, 0]))}, KEY)
    assert np.array_equal(whole, row_hashes({"a": Piece("number", np.array([3.0, -0.0]))}, KEY))
    assert not (whole == row_hashes({"b": Piece("number", np.array([3, 0]))}, KEY)).any()
    assert not (whole == row_hashes({"a": Piece("number", np.array([3, 0]))}, b"another")).any()
    text = Piece("text", np.array([0, 1, 0], np.int32), np.array([False, False, True]), ["", "x"])
    other = Piece("text", np.array([1, 0], np.int32), None, ["x", ""])
    hashes = row_hashes({"a": text}, KEY)
    assert len(set(hashes.tolist())) == 3
    assert np.array_equal(hashes[:2], row_hashes({"a": other}, KEY))
    large = row_hashes({"a": Piece("number", np.array([2**53, 2**53 + 1]))}, KEY)
    assert large[0] != large[1]
    with pytest.raises(ValueError, match="without columns"):
        row_hashes({}, KEY)


def test_hashes_of_many_rows_do_not_collide_and_use_all_bits() -> None:
    grid = np.arange(200_000)
    hashes = row_hashes({"a": Piece("number", grid % 500), "b": Piece("number", grid // 500)}, KEY)
    assert len(np.unique(hashes)) == len(grid)
    ones = [int(((hashes >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)]
    assert max(abs(one - 100_000) for one in ones) < 6 * np.sqrt(50_000)


def test_a_table_knows_its_rows_features_and_hashes() -> None:
    def read(names: object, rows: int | None) -> object:
        for first in (0, 2):
            yield Chunk(first, {name: _piece([1.0, 2.0]) for name in names}, lambda columns: row_hashes(columns, KEY))  # type: ignore[attr-defined]

    table = Table("t", "train", {"a": "float64", "y": "int64", "id": "int64"}, read, label="y", ignored=("id",))  # type: ignore[arg-type]
    assert (table.rows, table.features) == (4, ["a"])
    hashes = table.hashes()
    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]


def test_a_result_is_a_count_and_its_share() -> None:
    count, share = told("x", 3, 12, Severity.MINOR, "exact count", bounds=(0.1, 0.5), level=0.95, rows="r.csv")
    assert (count.what, count.value, count.unit, count.severity) == ("audit.x", 3, "rows", "minor")
    assert count.artefacts == {"rows": "r.csv"}
    assert (share.what, share.value, share.low, share.high, share.n) == ("audit.x.share", 0.25, 0.1, 0.5, 12)
    assert [one.what for one in told("x", 0, 0, Severity.FINE, "exact count")] == ["audit.x"]


def test_the_block_of_a_study_is_read() -> None:
    read = Auditing.model_validate({"audits": ["x", {"y": {"z": 1}}], "memory": "2 GiB", "sensitive": ["sex"]})
    assert [one.name for one in read.audits] == ["x", "y"]
    assert read.memory == 2**31


@pytest.mark.parametrize("cell", ["cat", "Shirt", "no answer given", 17, True, "2024"])
def test_short_words_are_shown(cell: object) -> None:
    assert shown(cell) == str(cell)


@pytest.mark.parametrize("cell", [*SECRETS, "a longer sentence about somebody and their family"])
def test_what_may_be_somebodys_is_told_by_its_form(cell: str) -> None:
    told = shown(cell)
    assert f"{len(cell)} letters" in told
    assert not any(len(word) > 2 and word in told for word in cell.replace("@", " ").replace(".", " ").split())
