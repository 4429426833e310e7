"""Content hashes: the same whatever the layout, another for every change, in any order where that is asked for."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contracts.audit import Piece
from seatrial.numerics.content import WIDTH, Content, as_keys, cells, row_digests


def text(words):
    known = sorted({one for one in words if one is not None})
    places = np.array([0 if one is None else known.index(one) for one in words], np.int32)
    gone = np.array([one is None for one in words])
    return Piece("text", places, gone if gone.any() else None, known)


def number(values, dtype=np.float64):
    return Piece("number", np.array(values, dtype))


def hashed(*chunks, any_order=False):
    made = Content(any_order)
    for chunk in chunks:
        made.see(chunk)
    return made.digest()


ROWS = st.lists(st.tuples(st.integers(-(2**62), 2**62), st.text(max_size=3) | st.none()), min_size=1, max_size=12)


def table(rows):
    return {"n": number([one for one, _ in rows], np.int64), "t": text([two for _, two in rows])}


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 12), st.randoms())
def test_neither_cuts_nor_order_of_columns_matter_and_order_of_rows_only_where_it_counts(rows, cut, random):
    whole = hashed(table(rows))
    pieces = [table(part) for part in (rows[:cut], rows[cut:]) if part]
    assert hashed(*pieces) == whole
    assert hashed(dict(reversed(table(rows).items()))) == whole
    mixed = rows[:]
    random.shuffle(mixed)
    assert hashed(table(mixed), any_order=True) == hashed(table(rows), any_order=True)
    assert (hashed(table(mixed)) == whole) == (mixed == rows)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_other_rows_have_another_hash(one, other):
    assert (hashed(table(one)) == hashed(table(other))) == (one == other)
    key = lambda row: (row[0], row[1] is None, row[1] or "")  # noqa: E731
    alike = sorted(one, key=key) == sorted(other, key=key)
    assert (hashed(table(one), any_order=True) == hashed(table(other), any_order=True)) == alike


def test_equal_numbers_are_equal_in_whatever_type():
    digests = {hashed({"x": number([0, 3, 7], dtype)}) for dtype in (np.int8, np.uint64, np.float32, np.float64)}
    digests.add(hashed({"x": number([-0.0, 3.0, 7.0])}))
    assert len(digests) == 1
    assert hashed({"x": number([2**53], np.int64)}) == hashed({"x": number([2.0**53])})
    assert hashed({"x": number([2**53 + 1], np.int64)}) != hashed({"x": number([2**53], np.int64)})
    assert hashed({"x": number([2**63 + 1], np.uint64)}) != hashed({"x": number([2**63], np.uint64)})


def test_what_is_missing_is_no_value_and_has_no_type():
    gone = np.array([True, False])
    assert hashed({"x": Piece("number", np.array([5.0, 1.0]), gone)}) == hashed(
        {"x": Piece("number", np.array([9.0, 1.0]), gone)}
    )
    assert hashed({"x": Piece("number", np.array([0.0, 1.0]), gone)}) != hashed({"x": number([0.0, 1.0])})
    nothing = np.array([True])
    as_text = {"x": Piece("text", np.zeros(1, np.int32), nothing)}
    assert hashed(as_text) == hashed({"x": Piece("number", np.zeros(1), nothing)})
    assert hashed({"x": text([""])}) != hashed(as_text)
    assert hashed({"x": text(["1"])}) != hashed({"x": number([1])})


def test_cells_do_not_run_into_each_other():
    assert hashed({"a": text(["xy"]), "b": text(["z"])}) != hashed({"a": text(["x"]), "b": text(["yz"])})
    assert hashed({"a": number([1]), "b": number([2])}) != hashed({"a": number([2]), "b": number([1])})
    assert hashed({"a": Piece("tensor", np.ones((1, 2, 3)))}) != hashed({"a": Piece("tensor", np.ones((1, 3, 2)))})
    assert hashed({"a": Piece("tensor", np.ones((2, 3), np.uint8))}) == hashed({"a": Piece("tensor", np.ones((2, 3)))})


def test_a_digest_of_a_row_is_the_hash_of_its_cells():
    columns = {"b": cells(number([1.5, 2.5])), "a": cells(text(["x", "y"]))}
    by_hand = hashlib.blake2b(b"a\x00b", digest_size=16, key=b"k" * 20)
    by_hand.update(columns["a"][1].tobytes() + columns["b"][1].tobytes())
    assert row_digests(columns, b"k" * 20)[1] == by_hand.digest()
    assert row_digests(columns, b"other" * 4)[1] != by_hand.digest()
    assert columns["a"].shape == (2, WIDTH)
    assert len(np.unique(as_keys([b"a" * 16, b"b" * 16, b"a" * 16]))) == 2


def test_columns_that_change_on_the_way_are_refused():
    made = Content()
    made.see({"a": number([1])})
    with pytest.raises(ValueError, match="columns"):
        made.see({"b": number([1])})
