"""Detection: boxes found against boxes labelled, and mean average precision as COCO has it.

Within an image and a class, boxes found are taken by falling score (the first 100), each matched to the labelled box that it
overlaps most, by an intersection over union of at least a threshold, if that box isn't taken. Labelled crowds and boxes out
of the range of areas are ignored: who finds them is neither right nor wrong, and so is a box out of the range that found nothing.
A crowd may be found often; of it the overlap is the share of the found box that lies within it.

Over all images, boxes by falling score give precision by recall; precision is made falling (at each recall the best that is
reached from there on), read off at 101 recalls from 0 to 1, and averaged: over recalls, thresholds .50, .55 ... .95 and classes.

Lin et al. (2014), Microsoft COCO; definitions at cocodataset.org/#detection-eval. Images have weights here: 2 is as good as twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Ranges of areas in pixels, ends included."""
MOST_A_CLASS = 100
"""Boxes found of one class in one image that count."""
_BLOCK = 2**20  # numbers of boxes, thresholds and weightings that are summed at once


class Boxes(NamedTuple):
    """Boxes of all images in one list: image, class, corners (boxes, 4), and the score, or whether a crowd and the area."""

    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    corners: Floats
    score: Floats
    crowd: NDArray[np.bool_]
    area: Floats


class Curve(NamedTuple):
    """One class in one range of areas: found boxes by falling score, `right` and `wrong` (thresholds, boxes), and their images.

    `wanted` (images,) are how many labelled boxes of the class there are to be found in each image.
    """

    image: NDArray[np.int64]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    wanted: NDArray[np.int64]


def overlaps(found: Floats, labelled: Floats, crowd: NDArray[np.bool_]) -> Floats:
    """Intersection over union, (found, labelled); over the found box's own area where the labelled one is a crowd."""
    low = np.maximum(found[:, None, :2], labelled[None, :, :2])
    high = np.minimum(found[:, None, 2:], labelled[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    own, theirs = _areas(found)[:, None], _areas(labelled)[None]
    whole = np.where(crowd[None], own, own + theirs - shared)
    return np.asarray(np.divide(shared, whole, out=np.zeros(shared.shape), where=whole > 0))


def curves(found: Boxes, labelled: Boxes, images: int, area: str) -> dict[int, Curve]:
    """The curve of each class that is labelled or found, in one range of `AREAS`."""
    kinds = np.unique(np.concatenate([found.kind, labelled.kind])).tolist()
    by_class = {kind: (_of(found, kind), _of(labelled, kind)) for kind in kinds}
    return {kind: _curve(*both, images, AREAS[area]) for kind, both in by_class.items()}


def average_precisions(curve: Curve, weights: Floats) -> Floats:
    """At each of the ten thresholds, under `weights` (weightings, images); shape (weightings, 10), NaN where nothing is to be found."""
    return _under(curve, weights, _average_precisions)


def recalls(curve: Curve, weights: Floats) -> Floats:
    """The largest recall at each threshold; shapes as of `average_precisions`."""
    return _under(curve, weights, lambda right, wrong: right[..., -1])


def _under(curve: Curve, weights: Floats, read: Callable[[Floats, Floats], Floats]) -> Floats:
    """What is read off the sums of right (as shares of what is to be found) and wrong boxes, some weightings at a time."""
    wanted = weights @ curve.wanted
    made = np.where(wanted > 0, 0.0, math.nan)[:, None] * np.ones(len(THRESHOLDS))
    if not len(curve.image):
        return made
    asked = np.flatnonzero(wanted > 0)
    step = max(1, _BLOCK // curve.right.size)
    for some in (asked[start : start + step] for start in range(0, len(asked), step)):
        of = weights[some][:, None, curve.image]
        right, wrong = (np.cumsum(each * of, axis=2) for each in (curve.right, curve.wrong))
        share = wanted[some][:, None, None]
        made[some] = read(right / share, wrong / share)
    return made


def _average_precisions(right: Floats, wrong: Floats) -> Floats:
    """The best precision from each recall on, at the first box that reaches it: every box stands for the recalls that it is first to reach."""
    total = right + wrong
    precision = np.divide(right, total, out=np.zeros(right.shape), where=total > 0)
    best = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    reached = np.searchsorted(RECALLS, right, side="right")
    first = np.diff(reached, axis=-1, prepend=0)
    return np.asarray((best * first).sum(axis=-1) / len(RECALLS))


def _areas(corners: Floats) -> Floats:
    return np.asarray(np.clip(corners[:, 2:] - corners[:, :2], 0, None).prod(axis=1))


def _of(boxes: Boxes, kind: int) -> Boxes:
    members = boxes.kind == kind
    return Boxes(*(column[members] for column in boxes))


def _curve(found: Boxes, labelled: Boxes, images: int, bounds: tuple[float, float]) -> Curve:
    """All images of one class, put together by falling score; of equal scores the earlier image first."""
    low, high = bounds
    ignored = labelled.crowd | (labelled.area < low) | (labelled.area > high)
    wanted = np.bincount(labelled.image[~ignored], minlength=images)
    parts = [_matched(found, at, labelled, ignored, there, bounds) for at, there in _by_image(found, labelled, images)]
    if not parts:
        nothing = np.zeros((len(THRESHOLDS), 0), np.bool_)
        return Curve(np.zeros(0, np.int64), nothing, nothing, wanted)
    rows = np.concatenate([rows for rows, _, _ in parts])
    right, wrong = (np.concatenate([part[place] for part in parts], axis=1) for place in (1, 2))
    order = np.argsort(-found.score[rows], kind="stable")
    return Curve(found.image[rows][order], right[:, order], wrong[:, order], wanted)


def _by_image(found: Boxes, labelled: Boxes, images: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Of each image in which something was found: the first hundred by falling score, and what is labelled."""
    order = np.lexsort((-found.score, found.image))
    starts = np.searchsorted(found.image[order], np.arange(images + 1))
    theirs = np.argsort(labelled.image, kind="stable")
    ends = np.searchsorted(labelled.image[theirs], np.arange(images + 1))
    for image in np.flatnonzero(np.diff(starts)):
        yield order[starts[image] : starts[image + 1]][:MOST_A_CLASS], theirs[ends[image] : ends[image + 1]]


def _matched(
    found: Boxes,
    at: NDArray[np.intp],
    labelled: Boxes,
    ignored: NDArray[np.bool_],
    there: NDArray[np.intp],
    bounds: tuple[float, float],
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
    """One image's boxes (numbers `at` and `there`): which are right and which wrong at each threshold, (thresholds, boxes)."""
    size = (len(THRESHOLDS), len(at))
    hit, aside = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    area = _areas(found.corners[at])
    outside = (area < bounds[0]) | (area > bounds[1])
    if len(there):
        skip, crowd = ignored[there], labelled.crowd[there]
        shared = overlaps(found.corners[at], labelled.corners[there], crowd)
        free = np.ones((len(THRESHOLDS), len(there)), np.bool_)
        for place in range(len(at)):
            chosen = _choice(shared[place], free, skip)
            taken = np.flatnonzero(chosen >= 0)
            hit[taken, place] = True
            aside[taken, place] = skip[chosen[taken]]
            once = taken[~crowd[chosen[taken]]]
            free[once, chosen[once]] = False
    aside |= ~hit & outside
    return at, hit & ~aside, ~hit & ~aside


def _choice(shared: Floats, free: NDArray[np.bool_], skip: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The labelled box that one found box takes at each threshold, -1 for none: one that counts before one that is ignored.

    Of equally large overlaps the later one.
    """
    chosen = np.full(len(THRESHOLDS), -1, np.intp)
    least = np.minimum(THRESHOLDS, 1 - 1e-10)
    for members in (~skip, skip):
        if not members.any() or shared[members].max() < least[0]:
            continue
        value = np.where(free & members, shared, -1.0)
        last = value.shape[1] - 1 - value[:, ::-1].argmax(axis=1)
        reached = value[np.arange(len(value)), last] >= least
        chosen = np.where((chosen < 0) & reached, last, chosen)
    return chosen
