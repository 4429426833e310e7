"""The roofline: its formula by hand, planted shares that the fit finds again, and a range that covers what it says."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.numerics import roofline

RATE = roofline.at_working_set([1e5, 1e7], [1e11, 1e10])


def operator(kind, flops=0.0, weights=0.0, moved=0.0, fused=False, table=0.0):
    return SimpleNamespace(kind=kind, flops=flops, weights=weights, moved=moved, fused=fused, table=table)


def roof(**changed):
    kinds = len(roofline.KINDS)
    made = {"peak": 1e11, "shares": np.full(kinds, 0.5), "flow": np.full(kinds, 0.5), "start": np.full(kinds, 1e-6), "call": 1e-5}  # fmt: skip
    return roofline.Roof(**made | changed)


def test_the_formula_by_hand():
    work = roofline.load(
        [
            [operator("matmul", flops=1e9, weights=1e5, moved=1e5), operator("free", flops=9e9)],
            [operator("movement", moved=1e7), operator("elementwise", flops=1e3, fused=True)],
        ],
        RATE,
    )
    first = 1e9 / (0.5 * 1e11) + 1e-6  # arithmetic is the longer; its bytes would take 2e5 / 0.5e11 s
    second = 1e7 / (0.5 * 1e10) + 1e-6 + 1e3 / 0.5e11  # data is the longer; what is fused starts nothing
    assert roofline.seconds(work, roof()) == pytest.approx([first + 1e-5, second + 1e-5])


def test_bandwidth_falls_from_cache_to_memory_and_no_further():
    assert RATE(1) == RATE(1e5) == pytest.approx(1e11)
    assert RATE(1e6) == pytest.approx(5.5e10)
    assert RATE(1e12) == pytest.approx(1e10)


def test_constants_are_read_at_the_working_set_of_all_and_tables_at_their_own():
    large = [operator("matmul", weights=1e7), operator("matmul", weights=1e5)]
    parts = roofline.split(roofline.load([large], RATE), roof())
    assert parts.move[1] == pytest.approx(1e5 / 0.5 / 1e10, rel=0.01)
    looked_up = roofline.split(roofline.load([[operator("lookup", weights=1e3, table=1e9)]], RATE), roof())
    assert looked_up.move[0] == pytest.approx(1e3 / 0.5 / 1e10)


positive = st.floats(1e3, 1e9)


@given(st.lists(st.tuples(st.sampled_from(roofline.KINDS), positive, positive, positive), min_size=1, max_size=6))
@settings(max_examples=60)
def test_more_work_takes_no_less_and_a_better_device_no_more(rows):
    works = [operator(kind, flops, weights, moved) for kind, flops, weights, moved in rows]
    more = [operator(one.kind, 2 * one.flops, one.weights, 2 * one.moved) for one in works]
    here = roofline.seconds(roofline.load([works], RATE), roof())[0]
    assert roofline.seconds(roofline.load([more], lambda _: 1e9), roof())[0] >= here * 0.999
    for better in ({"peak": 2.0}, {"flow": 2.0}, {"start": 0.5}, {"call": 0.5}):
        changed = roofline.seconds(roofline.load([works], RATE), roofline.faster(roof(), **better))[0]
        assert here / 2.001 <= changed <= here * (1 + 1e-12)


def planted(random, models=60):
    """Models of four kinds, and the roof that they are timed by."""
    shares, start = np.full(len(roofline.KINDS), 0.1), np.full(len(roofline.KINDS), 2e-6)
    shares[[0, 1, 2]] = 0.8, 0.6, 0.2
    truth = roof(shares=shares, flow=np.full(len(roofline.KINDS), 0.7), start=start, call=2e-5)
    made = []
    for _ in range(models):
        kinds = random.choice(["matmul", "convolution", "depthwise", "movement"], random.integers(1, 12))
        sizes = 10 ** random.uniform(3, 7.5, (len(kinds), 2))
        made.append(
            [
                operator(k, flops=0 if k == "movement" else 30 * s[0], moved=s[1])
                for k, s in zip(kinds, sizes, strict=True)
            ]
        )
    return roofline.load(made, RATE), truth


def test_the_fit_finds_planted_shares():
    random = np.random.default_rng(0)
    work, truth = planted(random)
    measured = roofline.seconds(work, truth) * np.exp(random.normal(0, 0.03, work.count))
    found = roofline.fit(work, measured, roofline.prior(truth.peak))
    assert found.shares[:3] == pytest.approx([0.8, 0.6, 0.2], rel=0.1)
    assert found.flow[roofline.KINDS.index("movement")] == pytest.approx(0.7, rel=0.1)
    assert found.call == pytest.approx(2e-5, rel=0.3)
    again = roofline.seconds(work, found) / measured
    assert np.exp(np.abs(np.log(again))).max() < 1.2


def test_a_kind_that_no_model_shows_stays_where_it_was():
    work, truth = planted(np.random.default_rng(1))
    start = roofline.prior(truth.peak)
    found = roofline.fit(work, roofline.seconds(work, truth), start)
    place = roofline.KINDS.index("recurrent")
    assert found.shares[place] == pytest.approx(start.shares[place], rel=1e-3)


def test_models_left_out_were_not_seen():
    random = np.random.default_rng(2)
    work, truth = planted(random, 12)
    measured = roofline.seconds(work, truth)
    measured[3] *= 10  # one model that is like no other: a fit that saw it would bend to it
    groups = [str(index) for index in range(12)]
    ratios = roofline.left_out(work, measured, roofline.prior(truth.peak), groups)
    alone = roofline.fit(work.only([one for one in range(12) if one != 3]), np.delete(measured, 3), roofline.prior(truth.peak))  # fmt: skip
    assert ratios[3] == pytest.approx(roofline.seconds(work.only([3]), alone)[0] / measured[3])
    assert ratios[3] < 0.2


def test_what_two_ways_are_wrong_about_alike_cancels_in_their_ratio():
    random = np.random.default_rng(4)
    shared, own = random.normal(0, 0.4, 3000), random.normal(0, 0.05, (2, 3000))
    one, other = ({str(at): value for at, value in enumerate(shared + mine)} for mine in own)
    factor = roofline.apart(one, other)
    assert factor < 1.2 < roofline.within(np.exp(shared + own[0]))
    covered = [abs(one[key] - other[key]) <= math.log(factor) for key in one]
    assert 0.89 <= np.mean(covered) <= 0.92
    assert roofline.apart({"a": 0.5, "b": 9.0}, {"a": 0.1}) == pytest.approx(math.exp(0.4))
    with pytest.raises(ValueError, match="both ways"):
        roofline.apart({"a": 1.0}, {"b": 1.0})


def test_the_factor_covers_the_next_model():
    """One more ratio of the same sort lies inside with the stated probability."""
    random = np.random.default_rng(3)
    inside = [
        abs(math.log(draws[0])) <= math.log(roofline.within(draws[1:], 0.9))
        for draws in np.exp(random.normal(0.05, 0.3, (4000, 31)))
    ]
    assert 0.885 <= np.mean(inside) <= 0.95
    assert roofline.within(np.array([2.0, 0.5, 1.0]), 0.9) == pytest.approx(2.0)
