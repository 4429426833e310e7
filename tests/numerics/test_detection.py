"""Mean average precision against COCO's own evaluation (values kept), and against a second way to work it out."""

import itertools
import json

import numpy as np
import pytest
from detections import CASES, FILE, planted

from seatrial.numerics import detection
from seatrial.numerics.detection import AREAS, THRESHOLDS, Boxes
from seatrial.numerics.replicates import GROUPS, difference
from seatrial.numerics.resampled import bounds

EXPECTED = json.loads(FILE.read_text())


def columns(of, score):
    corners = np.array([[*one["box"][:2], one["box"][0] + one["box"][2], one["box"][1] + one["box"][3]] for one in of])
    number = lambda name, default=0.0: np.array([one.get(name, default) for one in of])  # noqa: E731
    kinds = [np.array([one[name] for one in of], np.int64) for name in ("image", "kind")]
    return Boxes(*kinds, corners.reshape(-1, 4), number("score"), number("crowd") > 0, number("area"))


def boxes(case):
    labelled, found = planted(*case)
    return columns(found, True), columns(labelled, False)


def mean(found, labelled, images, area="all", each=detection.average_precisions, weights=None):
    """By threshold, over classes."""
    made = detection.curves(found, labelled, images, area)
    asked = np.ones((1, images)) if weights is None else weights[None]
    values = np.array([each(one, asked)[0] for one in made.values()])
    return values[~np.isnan(values[:, 0])].mean(axis=0)


@pytest.mark.parametrize("name", CASES)
def test_the_figures_are_those_of_pycocotools(name):
    both, images, wanted = boxes(CASES[name]), CASES[name][0], EXPECTED[name]
    whole = mean(*both, images)
    assert whole.mean() == pytest.approx(wanted["all"], abs=1e-9)
    assert (whole[0], whole[5]) == pytest.approx((wanted["0.5"], wanted["0.75"]), abs=1e-9)
    for area in ("small", "medium", "large"):
        if wanted[area] >= 0:  # -1: nothing is labelled there
            assert mean(*both, images, area).mean() == pytest.approx(wanted[area], abs=1e-9), area
    assert mean(*both, images, each=detection.recalls).mean() == pytest.approx(wanted["recall"], abs=1e-9)


def slow(found, labelled, images, area, threshold, kind):
    """One class, one threshold, box by box and recall by recall."""
    low, high = AREAS[area]
    marks, wanted = [], 0
    for image in range(images):
        truth = [at for at in range(len(labelled.kind)) if (labelled.image[at], labelled.kind[at]) == (image, kind)]
        aside = {at: bool(labelled.crowd[at]) or not low <= labelled.area[at] <= high for at in truth}
        wanted += sum(not one for one in aside.values())
        mine = [at for at in range(len(found.kind)) if (found.image[at], found.kind[at]) == (image, kind)]
        taken = set()
        for at in sorted(mine, key=lambda at: -found.score[at])[:100]:
            shared = {one: overlap(found.corners[at], labelled.corners[one], labelled.crowd[one]) for one in truth}
            able = [one for one in truth if shared[one] >= threshold and (one not in taken or labelled.crowd[one])]
            best = max(able, key=lambda one: (not aside[one], shared[one]), default=None)
            own = np.prod(found.corners[at][2:] - found.corners[at][:2])
            if best is None:
                marks += [(found.score[at], False)] if low <= own <= high else []
            else:
                taken.add(best)
                marks += [] if aside[best] else [(found.score[at], True)]
    if not wanted:
        return np.nan
    marks.sort(key=lambda one: -one[0])
    right = np.cumsum([hit for _, hit in marks])
    points = [(count / wanted, count / (at + 1)) for at, count in enumerate(right)]
    return np.mean([max((p for r, p in points if r >= level), default=0.0) for level in detection.RECALLS])


def overlap(one, other, crowd):
    sides = [max(0.0, min(one[at + 2], other[at + 2]) - max(one[at], other[at])) for at in (0, 1)]
    shared = sides[0] * sides[1]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (areas[0] if crowd else sum(areas) - shared)


def test_a_slow_second_way_gives_the_same():
    found, labelled = boxes((25, 2, 5, 7))
    for area in ("all", "medium"):
        made = detection.curves(found, labelled, 25, area)
        for kind, place in itertools.product(made, (0, 4, 9)):
            quick = detection.average_precisions(made[kind], np.ones((1, 25)))[0, place]
            assert quick == pytest.approx(slow(found, labelled, 25, area, THRESHOLDS[place], kind), abs=1e-9)


def test_a_weight_of_two_is_an_image_twice():
    found, labelled = boxes((20, 2, 5, 4))
    weights = np.random.default_rng(0).integers(0, 3, 20)
    copies = np.repeat(np.arange(20), weights)

    def again(of):
        rows = [np.flatnonzero(of.image == image) for image in copies]
        new = np.repeat(np.arange(len(copies)), [len(one) for one in rows])
        return Boxes(new, *(column[np.concatenate(rows)] for column in of[1:]))

    heavy = mean(found, labelled, 20, weights=weights.astype(float))
    assert heavy == pytest.approx(mean(again(found), again(labelled), len(copies)))


def test_nothing_labelled_is_no_value_and_nothing_found_is_nothing():
    found, labelled = boxes((10, 1, 3, 2))
    nothing = Boxes(*(column[:0] for column in found))
    assert np.isnan(
        detection.average_precisions(detection.curves(found, nothing, 10, "all")[0], np.ones((1, 10)))
    ).all()
    assert mean(nothing, labelled, 10).tolist() == [0.0] * 10
    assert detection.curves(nothing, nothing, 10, "all") == {}


def test_the_bounds_hold_as_often_as_they_say():
    """Images drawn from a pool, whose own figure is the truth; and the difference of two models on the same images."""
    pool, n, runs = 300, 120, 80
    found, labelled = boxes((pool, 2, 4, 11))
    keep = np.random.default_rng(5).random(len(found.kind)) < 0.97  # the other model loses 3 % of what this one finds
    models = [found, Boxes(*(column[keep] for column in found))]
    of = [detection.curves(one, labelled, pool, "all") for one in models]

    def figure(curves, weights):
        return np.mean([detection.average_precisions(one, weights[None])[0, 0] for one in curves.values()])

    truth = [figure(one, np.ones(pool)) for one in of]
    rng, inside = np.random.default_rng(3), np.zeros(2)
    for _ in range(runs):
        drawn = rng.choice(pool, n)
        group = np.arange(n) % GROUPS
        weights = [
            np.bincount(drawn[kept], minlength=pool).astype(float)
            for kept in (group != g for g in [-1, *range(GROUPS)])
        ]
        sides = [np.array([figure(one, weight) for weight in weights]) for one in of]
        own = bounds(sides[0][:1], sides[0][1:, None], [GROUPS], [n], 0.95)
        inside[0] += own.low[0] <= truth[0] <= own.high[0]
        args = [side[at] for at in (slice(0, 1), slice(1, None)) for side in sides]
        _, low, high = difference(args[0], args[1], args[2][:, None], args[3][:, None], [GROUPS], [n], 0.95)
        inside[1] += low[0] <= truth[0] - truth[1] <= high[0]
    assert inside[0] / runs >= 0.9
    assert inside[1] / runs >= 0.92
