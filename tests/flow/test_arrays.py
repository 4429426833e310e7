"""Arrays in files: what is kept is what comes back, once each, and nothing half-written is ever seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.flow import arrays


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool"])
def test_numpy_reads_what_was_kept(tmp_path, dtype):
    array = (np.random.default_rng(0).random((7, 3, 2)) * 200).astype(dtype)
    ref = arrays.save(tmp_path, array)
    assert np.array_equal(np.load(ref.path, allow_pickle=False), array)
    assert np.array_equal(arrays.load(ref), array)
    assert np.array_equal(arrays.load(ref, 2, 5), array[2:5])
    assert np.array_equal(arrays.load(ref, 5, 50), array[5:])


@given(cuts=st.lists(st.integers(0, 40), max_size=5))
def test_the_same_content_has_the_same_name_however_it_came(tmp_path_factory, cuts):
    folder = tmp_path_factory.mktemp("arrays")
    array = np.arange(120, dtype=np.float32).reshape(40, 3)
    whole = arrays.save(folder, array)
    pieces = arrays.save_chunks(folder, np.split(array, sorted(cuts)))
    assert pieces == whole
    assert len(list(folder.iterdir())) == 1


def test_other_content_shape_or_type_has_another_name(tmp_path):
    base = np.arange(12, dtype=np.int64)
    others = [base + 1, base.reshape(3, 4), base.astype(np.float64), base.astype(np.int32)]
    assert len({arrays.save(tmp_path, array).hash for array in [base, *others]}) == 5


def test_a_failure_in_the_middle_leaves_nothing(tmp_path):
    def chunks():
        yield np.zeros((2, 2))
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError):
        arrays.save_chunks(tmp_path, chunks())
    with pytest.raises(ValueError, match="no pieces"):
        arrays.save_chunks(tmp_path, [])
    with pytest.raises(ValueError, match="pieces differ"):
        arrays.save_chunks(tmp_path, [np.zeros((2, 2)), np.zeros((2, 3))])
    assert list(tmp_path.iterdir()) == []


def test_readings_survive_packing(tmp_path):
    reading = {"latencies": np.arange(5.0), "n": np.int64(3), "nested": [{"x": 1.5, "word": "a", "none": None}]}
    packed = arrays.pack(reading, tmp_path)
    back = arrays.unpack(packed)
    assert np.array_equal(back["latencies"], reading["latencies"])
    assert back["n"] == 3
    assert back["nested"] == reading["nested"]
    assert [ref.shape for ref in arrays.refs(packed)] == [(5,)]
