"""Steps before the model: filters against scipy and Pillow, and radii against the paper's formula and the truth of a linear model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import hypothesis.strategies
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import ndimage, stats

from seatrial import catalog
from seatrial.contracts.attack import Space
from seatrial.contracts.protocols import Loss, Making
from seatrial.contracts.study import Output
from seatrial.errors import Unsupported
from seatrial.numerics import filters, smoothing
from seatrial.testing import _models
from seatrial.testing._before import Linear

OUTPUTS = {"logits": Output(means="logits", classes=("no", "yes", "perhaps"))}


def step(name: str, folder: Path, space: Space, **options: Any) -> Any:
    """The options of the step that is made."""
    part = catalog.find("variants", name)
    making = Making(folder, 3, space=space, outputs=OUTPUTS)
    return catalog.load(part).make(_models.samples("onnx", folder)[0].artefact, making, catalog.options(part, options)).before[0].options  # fmt: skip


def around(name: str, session: Any, given: Any) -> Any:
    return catalog.load(catalog.find("variants", name)).around(session, given)


def pictures(axes: str, channels: int = 3) -> Space:
    """Pictures of 8 x 6 from -1 to 1."""
    shape = (channels, 8, 6) if axes == "CHW" else (8, 6, channels)
    return Space({"features": np.full(shape, -1.0)}, {"features": np.full(shape, 2.0)}, {"features": np.ones(shape, bool)}, axes)  # fmt: skip


class Seen:
    """A session that gives back what it is given."""

    def predict(self, values: Any) -> Any:
        return {"logits": values["features"]}


def test_levels_are_the_nearest_and_ends_stay() -> None:
    points = np.linspace(0, 1, 1001)
    levels = filters.fewer_levels(points, 3)
    assert np.allclose(np.unique(levels), np.arange(8) / 7)
    assert np.abs(levels - points).max() <= 0.5 / 7 + 1e-12
    assert np.array_equal(filters.fewer_levels(levels, 3), levels)


@pytest.mark.parametrize("width", [3, 5])
def test_the_median_is_scipys(width: int) -> None:
    rows = np.random.default_rng(0).random((4, 2, 9, 7))
    right = ndimage.median_filter(rows, size=(1, 1, width, width), mode="nearest")
    assert np.array_equal(filters.median(rows, width, (2, 3)), right)


@pytest.mark.parametrize("axes", ["CHW", "HWC"])
@pytest.mark.parametrize("options", [{"method": "median"}, {"method": "jpeg", "quality": 60}, {"bits": 2}])
def test_filters_see_pictures_whatever_their_units_and_axes(axes: str, options: dict[str, Any], tmp_path: Path) -> None:
    from PIL import Image

    given = step("preprocessing", tmp_path, pictures(axes), **options)
    rows = np.random.default_rng(1).uniform(-1, 1, (3, 8, 6, 3)).astype(np.float32)
    asked = np.moveaxis(rows, 3, 1) if axes == "CHW" else rows
    found = around("preprocessing", Seen(), given).predict({"features": asked})["logits"]
    found = np.moveaxis(found, 1, 3) if axes == "CHW" else found
    points = (rows + 1) / 2
    if options.get("method") == "median":
        right = ndimage.median_filter(points, size=(1, 3, 3, 1), mode="nearest")
    elif options.get("method") == "jpeg":
        files = [io.BytesIO() for _ in points]
        for file, one in zip(files, np.rint(points * 255).astype(np.uint8), strict=True):
            Image.fromarray(one).save(file, "JPEG", quality=60)
        right = np.stack([np.asarray(Image.open(file)) for file in files]) / 255
    else:
        right = np.rint(points * 3) / 3
    assert np.allclose(found, 2 * right - 1, atol=1e-6)


def test_a_features_range_that_has_no_length_is_left_alone(tmp_path: Path) -> None:
    space = Space({"features": np.array([0.0, 5.0])}, {"features": np.array([1.0, 0.0])}, {"features": np.ones(2, bool)})  # fmt: skip
    given = step("preprocessing", tmp_path, space, bits=1)
    found = around("preprocessing", Seen(), given).predict({"features": np.array([[0.6, 5.3]], np.float32)})["logits"]
    assert np.allclose(found, [[1.0, 5.3]])


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="for pictures"):
        step("preprocessing", tmp_path, Space({"features": np.zeros(4)}, {"features": np.ones(4)}, {"features": np.ones(4, bool)}), method="median")  # fmt: skip
    with pytest.raises(Unsupported, match="one channel or three"):
        step("preprocessing", tmp_path, pictures("CHW", 2), method="jpeg")


# --- votes and radii --------------------------------------------------------------------------------------------------------


def test_the_bound_is_scipys_exact_one_and_the_radius_the_papers() -> None:
    hits = np.array([0, 1, 400, 500, 900, 999, 1000])
    exact = [stats.binomtest(int(one), 1000, alternative="greater").proportion_ci(0.999, "exact").low for one in hits]
    assert np.allclose(smoothing.surest(hits, 1000, 0.001), exact, atol=1e-9)
    radii = smoothing.radius(hits, 1000, 0.25, 0.001)
    assert np.array_equal(np.isnan(radii), np.array(exact) <= 0.5)
    assert np.allclose(radii[4:], 0.25 * stats.norm.ppf(exact[4:]), atol=1e-9)
    with pytest.raises(ValueError, match="between"):
        smoothing.surest([11], 10, 0.1)


def two(weights: Any) -> Any:
    """A session of two classes, by the sign of a weighted sum."""

    class Sign:
        def predict(self, values: Any) -> Any:
            margin = values["features"] @ weights
            return {"logits": np.stack([-margin, margin], axis=1)}

    return Sign()


def test_a_radius_is_farther_than_the_truth_no_oftener_than_alpha_says(tmp_path: Path) -> None:
    """Of a linear model the vote's true radius is the distance to the plane: |w.x| over the length of w, in points."""
    rng = np.random.default_rng(0)
    span = np.array([1.0, 2.0, 4.0, 0.5])
    weights = rng.normal(size=4) / span
    space = Space({"features": np.zeros(4)}, {"features": span}, {"features": np.ones(4, bool)})
    given = step("smoothed", tmp_path, space, sigma=0.3)
    session = around("smoothed", two(weights), given)
    rows = (rng.uniform(0.45, 0.75, (4000, 4)) * span).astype(np.float32)
    margin = rows @ weights
    truth = np.abs(margin) / np.linalg.norm(weights * span)
    alpha, copies = 0.05, 200
    counts = session.votes({"features": rows}, copies, 7)
    assert (counts.sum(axis=1) == copies).all()
    top = session.votes({"features": rows}, 30, 8).argmax(axis=1)
    radii = smoothing.radius(counts[np.arange(len(rows)), top], copies, 0.3, alpha)
    told = np.isfinite(radii)
    wrong = told & ((radii > truth) | (top != (margin > 0)))
    assert told.mean() > 0.5
    assert wrong.mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / len(rows))
    assert wrong.mean() > alpha / 4, "far fewer: the bound would be looser than it need be"
    assert np.median(radii[told] / truth[told]) > 0.6


def test_votes_are_shares_in_the_outputs_own_terms_and_fixed_features_get_no_noise(tmp_path: Path) -> None:
    weights = np.array([1.0, 0.0, 0.0, 0.0])
    free = np.array([False, True, True, True])
    space = Space({"features": np.zeros(4)}, {"features": np.ones(4)}, {"features": free})
    given = step("smoothed", tmp_path, space, sigma=5.0, copies=40)
    rows = np.array([[0.1, 0, 0, 0], [-0.1, 0, 0, 0]], np.float32)
    found = around("smoothed", two(weights), given).predict({"features": rows})["logits"]
    assert np.allclose(np.exp(found), np.array([[0.5, 40.5], [40.5, 0.5]]) / 41)
    shares = around("smoothed", two(weights), given | {"means": "probabilities"}).predict({"features": rows})["logits"]
    assert np.array_equal(shares, [[0, 1], [1, 0]])


def test_one_number_a_row_stays_one_number(tmp_path: Path) -> None:
    class One:
        def predict(self, values: Any) -> Any:
            return {"logits": 1 / (1 + np.exp(-values["features"].sum(axis=1)))}

    space = Space({"features": np.zeros(4)}, {"features": np.ones(4)}, {"features": np.ones(4, bool)})
    given = step("smoothed", tmp_path, space, sigma=0.01, copies=10) | {"means": "probabilities"}
    rows = np.array([[1, 1, 1, 1], [-1, -1, -1, -1]], np.float32)
    assert np.array_equal(around("smoothed", One(), given).predict({"features": rows})["logits"], [1.0, 0.0])


def test_the_gradient_of_a_vote_is_the_mean_over_its_copies(tmp_path: Path) -> None:
    space = Space({"features": np.zeros(12)}, {"features": np.ones(12)}, {"features": np.ones(12, bool)})
    given = step("smoothed", tmp_path, space)
    inner = Linear()
    rows = np.zeros((3, 12), np.float32)
    loss = Loss("logits", "margin", np.array([0, 1, 2]))
    slope = around("smoothed", inner, given).gradient({"features": rows}, loss)
    assert np.allclose(slope.gradient["features"], inner.gradient({"features": rows}, loss).gradient["features"])
    assert len(slope.loss) == 3


def test_without_scores_there_is_nothing_to_vote_on(tmp_path: Path) -> None:
    part = catalog.find("variants", "smoothed")
    space = Space({"features": np.zeros(4)}, {"features": np.ones(4)}, {"features": np.ones(4, bool)})
    making = Making(tmp_path, 3, space=space, outputs={"value": Output(means="values")})
    with pytest.raises(Unsupported, match="no output"):
        catalog.load(part).make(_models.samples("onnx", tmp_path)[0].artefact, making, catalog.options(part))


# --- rounding after the model ------------------------------------------------------------------------------------------------


@given(hypothesis.strategies.integers(0, 2**32 - 1), hypothesis.strategies.integers(0, 4), hypothesis.strategies.booleans())  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_rounded_answers_have_few_digits_and_the_class_stays_unless_they_tie(
    seed: int, digits: int, sure: bool
) -> None:
    module = catalog.load(catalog.find("variants", "output_rounding"))
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(50, 4)) * (5 if sure else 0.3)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    found = module.apply({"digits": digits}, {"scores": scores, "probabilities": probabilities}, {})
    told = found["probabilities"]
    assert np.array_equal(found["scores"], told)
    assert np.allclose(told * 10**digits, np.rint(told * 10**digits))
    assert np.abs(told - probabilities).max() <= 0.5 * 10.0**-digits + 1e-12
    ordered = np.sort(told, axis=1)
    tied = ordered[:, -1] == ordered[:, -2]
    same = told.argmax(axis=1) == probabilities.argmax(axis=1)
    assert same[~tied].all()
    assert found.keys() == {"scores", "probabilities"}
