"""Corruptions: the exam for each, and each against an oracle of its own (scipy.ndimage, Pillow, colorsys, counts)."""

from __future__ import annotations

import colorsys
import io
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from scipy import ndimage, stats

from seatrial import catalog
from seatrial.contracts.damage import Damage
from seatrial.contracts.part import PartInfo
from seatrial.errors import DataError
from seatrial.parts.corruptions import _draws, _images, _tables
from seatrial.testing.corruptions import distance, exam, samples

PARTS = catalog.parts("corruptions")
RNG = np.random.default_rng(11)
BYTES = RNG.integers(0, 256, (30, 28, 28)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (4, 96, 100, 3)).astype(np.uint8)


def spoilt(name: str, columns: dict[str, Any], severity: int = 3, seed: int = 0, /, **given: Any) -> Any:
    part = PARTS[name]
    module, options = catalog.load(part), catalog.options(part, given)
    return module.corrupt(columns, Damage(severity, seed, 0, module.learn(columns, options)), options)


def image(name: str, pixels: Any, severity: int = 3, /, **given: Any) -> Any:
    return spoilt(name, {"image": pixels}, severity, **given)["image"]


def refused(name: str, columns: dict[str, Any], match: str, /, **given: Any) -> None:
    with pytest.raises(DataError, match=match):
        spoilt(name, columns, **given)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_sits_its_exam(part: PartInfo) -> None:
    exam(part)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("blur", {"kind": "defocus"}),
        ("brightness", {"direction": "darker"}),
        ("gaussian_noise", {"constants": "imagenet_c"}),
        ("missing_values", {"value": "median"}),
        ("missing_values", {"value": -9.0}),
        ("unit_error", {"unit": "fahrenheit_to_celsius"}),
        ("unseen_category", {"columns": ["visits", "town"]}),
        ("swapped_columns", {"pairs": [["steps", "visits"]]}),
    ],
)
def test_sits_its_exam_with_options(name: str, given: dict[str, Any]) -> None:
    exam(PARTS[name], given)


# --- the exam can be failed -------------------------------------------------------------------------------------------------


def faulty(columns: Any, damage: Damage, options: Any, fault: str) -> Any:
    """Noise on text and numbers alike, with one fault."""
    out = dict(columns)
    values = columns["weight"]
    rng = np.random.default_rng(damage.first if fault == "chunks" else 0)
    noise = rng.normal(size=len(values)) if fault == "chunks" else np.full(len(values), 1.0)
    strength = 3 if fault == "severity" else damage.severity
    if fault == "in place":
        values[:1] += 1.0
    out["weight"] = values + strength * noise * (1 if fault != "seed" else 1 + damage.seed)
    if fault == "type":
        out["weight"] = out["weight"].astype(np.float32)
    if fault == "other column":
        out["flag"] = ~columns["flag"]
    return out


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ("chunks", "depends on chunks"),
        ("severity", "farther off"),
        ("in place", "read-only|was changed"),
        ("type", "became float32"),
        ("other column", "isn't learnt"),
        ("seed", "the seed says otherwise"),
    ],
)
def test_the_exam_finds_faults(monkeypatch: pytest.MonkeyPatch, fault: str, match: str) -> None:
    module: Any = catalog.load(PARTS["numeric_noise"])
    part = PARTS["numeric_noise"].model_copy(update={"gives": {"chance": ("no",)}})
    monkeypatch.setattr(module, "learn", lambda sample, options: {"weight": {}})
    monkeypatch.setattr(module, "corrupt", lambda *given: faulty(*given, fault="none"))
    exam(part)
    monkeypatch.setattr(module, "corrupt", lambda *given: faulty(*given, fault=fault))
    with pytest.raises((AssertionError, ValueError), match=match):
        exam(part)


def test_there_are_five_severities() -> None:
    for severity in (0, 6, -1):
        with pytest.raises(ValueError, match="1 to 5"):
            Damage(severity)
    with pytest.raises(ValueError, match="count from 0"):
        Damage(1, first=-1)


# --- draws ------------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1 << 40), st.integers(0, 2500), st.integers(0, 2500), st.integers(1, 3))
@settings(deadline=None, max_examples=40)  # no test depends on the clock
def test_draws_belong_to_rows(first: int, count: int, skip: int, width: int) -> None:
    draws = _draws.Draws(5, "a", "b")
    skip = min(skip, count)
    for draw in (draws.uniform, draws.normal):
        assert np.array_equal(draw(first, count, width)[skip:], draw(first + skip, count - skip, width))


def test_draws_are_what_they_say_and_differ_by_seed_column_and_row() -> None:
    draws = _draws.Draws(1, "noise", "x")
    assert stats.kstest(draws.uniform(7, 20_000)[:, 0], "uniform").pvalue > 1e-4
    assert stats.kstest(draws.normal(7, 20_000)[:, 0], "norm").pvalue > 1e-4
    firsts = [generator.random() for generator in draws.rows(3, 20_000)]
    assert stats.kstest(firsts, "uniform").pvalue > 1e-4
    assert abs(stats.spearmanr(firsts[:-1], firsts[1:]).statistic) < 0.03
    others = [
        _draws.Draws(seed, *words) for seed, words in ((2, ("noise", "x")), (1, ("noise", "y")), (1, ("blur", "x")))
    ]
    for other in others:
        assert abs(stats.spearmanr(draws.uniform(0, 5000)[:, 0], other.uniform(0, 5000)[:, 0]).statistic) < 0.06


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_any_cut_into_chunks_gives_the_same_rows(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(PARTS)))
    module, options = catalog.load(PARTS[name]), catalog.options(PARTS[name])
    columns = samples(PARTS[name].accepts["input"][0])[0]
    rows, learnt = len(next(iter(columns.values()))), module.learn(columns, options)
    severity, seed = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 9))
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=6)))
    whole = module.corrupt(columns, Damage(severity, seed, 0, learnt), options)
    pieces = [
        module.corrupt({k: v[start:stop] for k, v in columns.items()}, Damage(severity, seed, start, learnt), options)
        for start, stop in itertools.pairwise([0, *cuts, rows])
    ]
    for column in columns:
        joined = np.concatenate([piece[column] for piece in pieces])
        assert joined.tobytes() == whole[column].tobytes() or joined.tolist() == whole[column].tolist()


# --- images -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "deviations"), [(28, (0.04, 0.06, 0.08, 0.09, 0.10)), (96, (0.08, 0.12, 0.18, 0.26, 0.38))]
)
def test_gaussian_noise_has_the_published_deviation(side: int, deviations: tuple[float, ...]) -> None:
    for severity, deviation in enumerate(deviations, 1):
        noise = image("gaussian_noise", np.full((40, side, side), 0.5), severity) - 0.5
        edge = 0.5 / deviation  # black and white, where it is cut
        kept = 1 - 2 * stats.norm.sf(edge) - 2 * edge * stats.norm.pdf(edge) + 2 * edge**2 * stats.norm.sf(edge)
        assert noise.mean() == pytest.approx(0, abs=5 * deviation / math.sqrt(noise.size))
        assert noise.std() == pytest.approx(deviation * math.sqrt(kept), rel=5 / math.sqrt(2 * noise.size))
        if severity == 1:
            assert stats.kstest(noise.ravel()[::7] / deviation, "norm").pvalue > 1e-4


def test_noise_is_clipped_and_no_two_images_get_the_same() -> None:
    noisy = image("gaussian_noise", np.full((50, 28, 28), 250, np.uint8), 5)
    assert noisy.max() == 255
    assert np.mean(noisy == 255) == pytest.approx(stats.norm.sf(4.5 / 25.5), abs=0.02)
    assert abs(np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1]) < 0.2


@pytest.mark.parametrize(("side", "photons"), [(28, (500, 250, 100, 75, 50)), (96, (60, 25, 12, 5, 3))])
def test_shot_noise_counts_photons(side: int, photons: tuple[int, ...]) -> None:
    shade = 0.1
    for severity, count in enumerate(photons, 1):
        seen = image("shot_noise", np.full((40, side, side), shade), severity) * count
        assert np.allclose(seen, np.rint(seen), atol=1e-9)
        assert seen.mean() == pytest.approx(count * shade, rel=6 / math.sqrt(seen.size * count * shade))
        assert seen.var() == pytest.approx(count * shade, rel=0.03)


@pytest.mark.parametrize("constants", ["imagenet_c", "cifar_10_c"])
def test_blur_is_scipys(constants: str) -> None:
    sigma = {"imagenet_c": (1, 2, 3, 4, 6), "cifar_10_c": (0.4, 0.6, 0.7, 0.8, 1)}[constants]
    scale = 96 / {"imagenet_c": 224, "cifar_10_c": 32}[constants]
    pixels = COLOUR / 255
    for severity in range(1, 6):
        found = image("blur", pixels, severity, constants=constants)
        for before, after in zip(pixels, found, strict=True):
            expected = ndimage.gaussian_filter(
                before, sigma[severity - 1] * scale, mode="nearest", axes=(0, 1), truncate=4
            )
            assert np.allclose(after, expected, atol=1e-12)


def test_defocus_is_a_disc() -> None:
    module: Any = catalog.load(PARTS["blur"])
    for radius in (0.57, 1.0, 3.3, 10.0):
        kernel = module.disc(radius)
        reach = len(kernel) // 2
        assert kernel.sum() == pytest.approx(1)
        assert np.array_equal(kernel, kernel.T)
        assert np.array_equal(kernel, kernel[::-1])
        if radius >= 1:  # the centre pixel lies wholly inside
            assert kernel[reach, reach] == pytest.approx(1 / (math.pi * radius**2), rel=0.02)
        away = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
        assert np.all(kernel[away > radius + 0.71] == 0)
    found = image("blur", COLOUR / 255, 2, kind="defocus")
    expected = ndimage.correlate(COLOUR / 255, module.disc(4 * 96 / 224)[None, :, :, None], mode="nearest")
    assert np.allclose(found, expected, atol=1e-12)


def test_motion_smears_along_a_line() -> None:
    module: Any = catalog.load(PARTS["motion_blur"])
    for angle in module.ANGLES:
        kernel = module.line(15.0, 8.0, angle)
        reach = len(kernel) // 2
        down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        weight = kernel[kernel > 0]
        assert kernel.sum() == pytest.approx(1)
        turned = math.radians(angle)
        off = down[kernel > 0] * math.cos(turned) - across[kernel > 0] * math.sin(turned)
        along = down[kernel > 0] * math.sin(turned) + across[kernel > 0] * math.cos(turned)
        assert np.abs(off).max() < 1.5
        assert -1.5 < along.min() <= along.max() < 16.5
        steps = np.arange(0, 15.1, 0.01)
        mean = np.average(steps, weights=np.exp(-(steps**2) / 128))
        assert weight @ along == pytest.approx(mean, abs=0.3)
        assert weight @ off == pytest.approx(0, abs=1e-9)


def test_motion_uses_scipys_convolution_with_an_angle_for_each_image() -> None:
    module: Any = catalog.load(PARTS["motion_blur"])
    pixels = RNG.random((40, 32, 32))
    found = image("motion_blur", pixels, 4)
    kernels = [module.line(8.0, 2.0, angle) for angle in module.ANGLES]
    used = set()
    for before, after in zip(pixels, found, strict=True):
        fits = [np.allclose(ndimage.convolve(before, kernel, mode="nearest"), after, atol=1e-12) for kernel in kernels]
        assert sum(fits) == 1
        used.add(fits.index(True))
    assert len(used) > 8


def test_brightness_is_the_v_of_hsv() -> None:
    for direction, sign in (("brighter", 1), ("darker", -1)):
        found = image("brightness", COLOUR / 255, 3, direction=direction)
        for before, after in zip((COLOUR / 255).reshape(-1, 3)[::97], found.reshape(-1, 3)[::97], strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*before)
            expected = colorsys.hsv_to_rgb(hue, saturation, min(1.0, max(0.0, value + sign * 0.3)))
            assert np.allclose(after, expected, atol=1e-9)
    assert image("brightness", np.zeros((1, 4, 4, 3), np.uint8), 5).tolist() == [[[[76] * 3] * 4] * 4]  # small: .3
    assert np.array_equal(image("brightness", BYTES, 4), np.minimum(255, BYTES.astype(int) + 51))


def test_contrast_keeps_the_mean_and_shrinks_the_spread() -> None:
    pixels = COLOUR / 255
    for severity, share in enumerate((0.4, 0.3, 0.2, 0.1, 0.05), 1):
        found = image("contrast", pixels, severity)
        assert np.allclose(found.mean(axis=(1, 2)), pixels.mean(axis=(1, 2)))
        assert np.allclose(found.std(axis=(1, 2)), share * pixels.std(axis=(1, 2)))


@pytest.mark.parametrize("shape", [(28, 28), (13, 30), (96, 100), (5, 3, 3), (96, 90, 3)])
def test_jpeg_is_pillows_one_by_one(shape: tuple[int, ...]) -> None:
    pixels = (ndimage.gaussian_filter(RNG.random((6, *shape)), (0, 2, 2, 0)[: 1 + len(shape)]) * 255).astype(np.uint8)
    quality = (80, 65, 58, 50, 40) if min(shape[:2]) <= 85 else (25, 18, 15, 10, 7)
    layout = "HWC" if len(shape) == 3 else "HW"
    for severity in (1, 5):
        found = image("jpeg", pixels, severity, layout=layout)
        for before, after in zip(pixels, found, strict=True):
            file = io.BytesIO()
            Image.fromarray(before).save(file, "JPEG", quality=quality[severity - 1])
            assert np.array_equal(np.asarray(Image.open(file)), after)


def test_jpeg_of_many_small_images_is_cut_where_a_file_gets_too_tall() -> None:
    pixels = RNG.integers(0, 256, (9000, 2, 2)).astype(np.uint8)
    found = image("jpeg", pixels, 1)
    assert np.array_equal(found[-3:], image("jpeg", pixels[-3:], 1))


def test_jpeg_refuses_other_channels() -> None:
    refused("jpeg", {"image": np.zeros((2, 8, 8, 4), np.uint8)}, "has 4", layout="HWC")


def test_occlusion_covers_the_stated_share_with_one_square() -> None:
    pixels = RNG.integers(150, 256, (60, 40, 40)).astype(np.uint8)
    places = set()
    for severity, share in enumerate((0.05, 0.1, 0.2, 0.3, 0.5), 1):
        found = image("occlusion", pixels, severity, grey=0.2)
        covered = found == 51
        side = round(math.sqrt(share * 1600))
        assert np.all(covered.sum(axis=(1, 2)) == side**2)
        assert np.array_equal(found[~covered], pixels[~covered])
        for hit in covered:
            down, across = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
            assert (np.ptp(down), np.ptp(across)) == (side - 1, side - 1)
            places.add((down[0], across[0]))
    assert len(places) > 100


def test_stored_forms_of_one_picture_go_bad_alike() -> None:
    """Bytes, floats to 1, floats to 255, channels first and last, and flat rows."""
    for name in ("gaussian_noise", "blur", "contrast", "occlusion", "motion_blur"):
        bytes_ = image(name, COLOUR).astype(float)
        floats = image(name, COLOUR / 255.0) * 255
        wide = image(name, COLOUR.astype(np.float32))
        first = image(name, np.ascontiguousarray(np.moveaxis(COLOUR, -1, 1)))
        flat = image(name, COLOUR.reshape(4, -1), layout="HWC", shape=(96, 100, 3)).reshape(COLOUR.shape)
        assert np.array_equal(np.moveaxis(first, 1, -1), bytes_)
        assert np.array_equal(flat, bytes_)
        assert np.abs(wide - bytes_).max() <= 0.501
        if name not in ("gaussian_noise",):  # drawn in the width of the numbers
            assert np.abs(floats - bytes_).max() <= 0.501


def test_missing_pixels_stay_and_do_not_spread() -> None:
    pixels = BYTES / 255.0
    holes = pixels.copy()
    holes[:, 14, 14], holes[0, 3, 3] = np.nan, np.inf
    for name in ("blur", "contrast", "brightness", "gaussian_noise", "jpeg"):
        found = image(name, holes)
        assert np.array_equal(np.isnan(found), np.isnan(holes))
        assert found[0, 3, 3] == np.inf
        assert np.allclose(found[1:, :3, :3], image(name, pixels)[1:, :3, :3], atol=0.05)


def test_lengths_go_with_the_size_but_not_below_that_of_28_pixels() -> None:
    def length(side: int) -> float:
        block = _images.Block(np.zeros((1, side, side + 9, 1)), 0, _draws.Draws(0), 3, side <= _images.BORDER)
        return block.length((1, 2, 3, 4, 6), (0.4, 0.6, 0.7, 0.8, 1))

    assert [length(side) for side in (8, 28, 32, 64, 112, 224)] == pytest.approx([0.6125, 0.6125, 0.7, 1.4, 1.5, 3.0])


@pytest.mark.parametrize(
    ("pixels", "match", "given"),
    [
        (np.full((2, 8, 8), 7.0), "black and white aren't clear", {}),
        (np.full((2, 8, 8), -1.0), "black and white aren't clear", {}),
        (np.zeros((2, 8, 8)), "black and white aren't clear", {}),
        (np.full((2, 8, 8), 300, np.uint16), "black and white aren't clear", {}),
        (np.full((2, 8, 8), 0.5), r"not \[1, 0\]", {"range": (1, 0)}),
        (np.full((2, 8, 8), 3.0), "lie outside 0 to 1", {"range": (0, 1)}),
        (np.zeros((2, 3, 8, 3), np.uint8), "isn't clear", {}),
        (np.zeros((2, 8, 8, 5), np.uint8), "isn't clear", {}),
        (np.zeros((2, 8, 8), np.uint8), "doesn't fit", {"layout": "HWC"}),
        (np.zeros((2, 64), np.uint8), "no input is images", {}),
        (np.zeros((2, 64), np.uint8), "holds 64 numbers", {"shape": (8, 9), "layout": "HW"}),
        (np.array(["a", "b"], object), "no input is images", {}),
    ],
)
def test_images_that_are_not_clear_are_refused(pixels: Any, match: str, given: dict[str, Any]) -> None:
    refused("blur", {"image": pixels}, match, **given)


def test_a_misspelt_column_is_refused_with_the_right_one() -> None:
    with pytest.raises(DataError, match="did you mean `image`"):
        spoilt("blur", {"image": BYTES}, columns=["imgae"])
    with pytest.raises(ValidationError):
        catalog.options(PARTS["blur"], {"kind": "zoom"})


# --- tables -----------------------------------------------------------------------------------------------------------------

ROWS = 20_000
TABLE = {
    "height": RNG.normal(170, 9, ROWS),
    "weight": RNG.normal(70, 12, ROWS),
    "steps": RNG.integers(0, 250, ROWS).astype(np.uint8),
    "visits": RNG.poisson(40, ROWS),
    "signals": RNG.normal(0, 1, (ROWS, 3)).astype(np.float32),
    "town": RNG.choice(np.array(["Bergen", "Turku"], object), ROWS),
    "flag": RNG.random(ROWS) < 0.5,
}


def near(found: float, share: float, n: int = ROWS) -> bool:
    return abs(found - share) <= 4.5 * math.sqrt(share * (1 - share) / n) + 1e-12


@pytest.mark.parametrize("severity", range(1, 6))
def test_missing_values_are_missing_at_random(severity: int) -> None:
    share, found = (0.05, 0.1, 0.2, 0.3, 0.5)[severity - 1], spoilt("missing_values", TABLE, severity)
    holes = np.isnan(found["height"])
    assert near(holes.mean(), share)
    assert near(np.isnan(found["signals"]).mean(), share, 3 * ROWS)
    assert near(np.mean(found["town"] == None), share)  # noqa: E711
    assert near((holes & np.isnan(found["weight"])).mean(), share**2)
    assert np.array_equal(found["height"][~holes], TABLE["height"][~holes])
    assert np.array_equal(found["steps"], TABLE["steps"])
    if severity < 5:
        assert np.all(np.isnan(spoilt("missing_values", TABLE, severity + 1)["height"][holes]))


def test_types_without_nan_get_a_value_or_are_refused() -> None:
    refused("missing_values", TABLE, "has no NaN: state `value`", columns=["visits"])
    refused("missing_values", TABLE, "holds numbers, which `nothing` is not", columns=["visits"], value="nothing")
    refused("missing_values", TABLE, "holds text, which `0.0` is not", columns=["town"], value=0)
    refused("missing_values", TABLE, "300 doesn't fit", columns=["steps"], value=300)
    refused("missing_values", TABLE, "0.5 doesn't fit", columns=["steps"], value=0.5)
    refused("missing_values", {"visits": TABLE["visits"]}, "no input is a type with an empty value")
    median = spoilt("missing_values", TABLE, 5, columns=["visits"], value="median")["visits"]
    changed = median != TABLE["visits"]
    assert set(median[changed]) == {int(np.median(TABLE["visits"]))}
    assert np.mean(spoilt("missing_values", TABLE, 5, columns=["steps"], value=255)["steps"] == 255) > 0.45
    assert "?" in spoilt("missing_values", TABLE, columns=["town"], value="?")["town"]


def test_drift_moves_and_stretches_all_rows_alike() -> None:
    for severity, (gain, shift) in enumerate(
        zip((1.02, 1.05, 1.1, 1.2, 1.4), (0.1, 0.2, 0.4, 0.7, 1.0), strict=True), 1
    ):
        found = spoilt("shifted_scale", TABLE, severity)
        for name in ("height", "weight"):
            before, after = TABLE[name], found[name]
            assert after.std() == pytest.approx(gain * before.std())
            assert abs(after.mean() - before.mean()) == pytest.approx(shift * before.std())
        assert found["steps"].dtype == np.uint8  # rounded, within its bounds


def test_numeric_noise_is_in_deviations_of_its_column() -> None:
    for severity, deviation in enumerate((0.05, 0.1, 0.2, 0.4, 0.8), 1):
        found = spoilt("numeric_noise", TABLE, severity)
        off = (found["height"] - TABLE["height"]) / TABLE["height"].std()
        assert off.std() == pytest.approx(deviation, rel=0.03)
        assert stats.kstest(off / deviation, "norm").pvalue > 1e-4
        others = (found["weight"] - TABLE["weight"]) / TABLE["weight"].std()
        assert abs(np.corrcoef(off, others)[0, 1]) < 0.04
        assert np.array_equal(found["flag"], TABLE["flag"])


def test_units_are_mistaken_in_some_cells() -> None:
    for unit, expected in {
        "x10": lambda x: 10 * x,
        "x1000": lambda x: 1000 * x,
        "cm_to_inch": lambda x: x / 2.54,
        "celsius_to_fahrenheit": lambda x: x * 9 / 5 + 32,
        "fahrenheit_to_celsius": lambda x: (x - 32) * 5 / 9,
        "kg_to_pound": lambda x: x * 2.2046226218,
    }.items():
        found = spoilt("unit_error", TABLE, 4, unit=unit)
        wrong = found["height"] != TABLE["height"]
        assert near(wrong.mean(), 0.25)
        assert np.allclose(found["height"][wrong], expected(TABLE["height"][wrong]))
    steps = spoilt("unit_error", TABLE, 5)["steps"]
    assert set(steps[steps != TABLE["steps"]]) <= {*range(10, 260, 10), 255}


def test_every_unit_in_the_options_has_its_formula() -> None:
    module: Any = catalog.load(PARTS["unit_error"])
    for unit in module.UNITS:
        assert catalog.options(PARTS["unit_error"], {"unit": unit}).unit == unit
    words = set(module.Options.model_json_schema()["properties"]["unit"]["enum"])
    assert words == set(module.UNITS)


def test_columns_of_one_type_change_places() -> None:
    found = spoilt("swapped_columns", TABLE, 3)
    swapped = found["height"] == TABLE["weight"]
    assert near(swapped.mean(), 0.25)
    assert np.array_equal(found["weight"][swapped], TABLE["height"][swapped])
    assert np.array_equal(found["height"][~swapped], TABLE["height"][~swapped])
    assert np.array_equal(found["signals"][swapped], TABLE["signals"][swapped][:, [1, 0, 2]])
    assert np.array_equal(found["visits"], TABLE["visits"])  # no other int64
    assert np.array_equal(spoilt("swapped_columns", TABLE, 5)["height"], TABLE["weight"])


def test_pairs_that_can_not_change_places_are_refused() -> None:
    refused("swapped_columns", TABLE, "can't change places", pairs=[["height", "visits"]])
    refused("swapped_columns", TABLE, "no input column `hight`", pairs=[["hight", "weight"]])
    refused("swapped_columns", TABLE, "in two pairs", pairs=[["height", "weight"], ["weight", "height"]])
    refused("swapped_columns", TABLE, "with itself", pairs=[["height", "height"]])
    refused("swapped_columns", {"visits": TABLE["visits"]}, "none can change places")


def test_unseen_categories_are_unseen() -> None:
    found = spoilt("unseen_category", TABLE, 2)
    new = found["town"] == "never seen before"
    assert near(new.mean(), 0.1)
    assert np.array_equal(found["town"][~new], TABLE["town"][~new])
    codes = spoilt("unseen_category", TABLE, 2, columns=["visits"])["visits"]
    assert codes.max() == TABLE["visits"].max() + 1
    assert spoilt("unseen_category", TABLE, 2, columns=["visits"], value=999)["visits"].max() == 999
    refused("unseen_category", TABLE, "is a category of `town` already", value="Turku")
    refused("unseen_category", TABLE, "whole numbers", columns=["visits"], value="new")
    refused("unseen_category", TABLE, "doesn't fit", columns=["steps"], value=999)
    refused("unseen_category", TABLE, "holds no categories", columns=["height"])
    refused("unseen_category", {"visits": TABLE["visits"]}, "isn't a column of text")


def test_flags_are_left_alone_unless_named() -> None:
    flag = {"flag": np.array([0, 1, 1, 0]), "x": np.arange(4.0)}
    assert np.array_equal(spoilt("unit_error", flag, 5)["flag"], flag["flag"])
    assert catalog.load(PARTS["unit_error"]).learn(flag, catalog.options(PARTS["unit_error"], {"columns": ["flag"]}))
    refused("numeric_noise", {"flag": flag["flag"]}, "no more than two values")
    refused("numeric_noise", TABLE, "holds text", columns=["town"])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "float16", "float32"])
def test_numbers_are_kept_within_their_type(dtype: str) -> None:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        assert np.array_equal(
            _tables.stored(np.array([1.5, np.nan]), kind), np.array([1.5, np.nan], kind), equal_nan=True
        )
        return
    bounds = np.iinfo(kind)
    given = np.array([-1e30, bounds.min, 1.4, 1.6, float(bounds.max), 1e30])
    assert _tables.stored(given, kind).tolist() == [bounds.min, bounds.min, 1, 2, bounds.max, bounds.max]


# --- text -------------------------------------------------------------------------------------------------------------------

TEXT = np.array(["The quick brown fox jumps over the lazy dog near the pier"] * 1500, object)
LETTERS = sum(letter.isalnum() for letter in TEXT[0])


def strings(name: str, severity: int = 3, column: Any = TEXT) -> list[str]:
    return list(spoilt(name, {"text": column}, severity)["text"])


@pytest.mark.parametrize("severity", range(1, 6))
def test_typos_are_as_many_as_stated(severity: int) -> None:
    """Each slip adds, drops or changes a letter, or exchanges two: one edit, or two where letters changed places."""
    share = (0.01, 0.03, 0.06, 0.12, 0.2)[severity - 1]
    found = strings("typos", severity)
    untouched = sum(one == other for one, other in zip(TEXT, found, strict=True)) / len(TEXT)
    assert near(untouched, (1 - share) ** LETTERS, len(TEXT))
    edits = distance({"text": TEXT[:100]}, {"text": np.array(found[:100], object)}) * len(TEXT[0]) / LETTERS
    assert 0.6 * share < edits < 1.6 * share


def test_typos_hit_neighbouring_keys_and_keep_capitals() -> None:
    module: Any = catalog.load(PARTS["typos"])
    assert set(module.NEIGHBOURS["g"]) == set("fhtyvb")
    assert all(key in module.NEIGHBOURS[other] for key, near_ in module.NEIGHBOURS.items() for other in near_)
    single = strings("typos", 5, np.array(["G"] * 4000, object))
    assert set(single) == {"G", "GG"} | set("FHTYVB")
    assert set(strings("typos", 5, np.array(["é"] * 1000, object))) == {"é", "éé"}


def test_case_changes_nothing_but_case() -> None:
    for severity, share in enumerate((0.02, 0.05, 0.15, 0.3, 0.5), 1):
        found = strings("case", severity)
        assert all(one.lower() == other.lower() for one, other in zip(TEXT, found, strict=True))
        letters = [
            (a, b) for one, other in zip(TEXT, found, strict=True) for a, b in zip(one, other, strict=True) if a != " "
        ]
        assert near(np.mean([a != b for a, b in letters]), share, len(letters))
    assert strings("case", 5, np.array(["ß"] * 50, object)) == ["ß"] * 50


def test_truncation_keeps_the_beginning() -> None:
    for severity, left in enumerate((0.9, 0.75, 0.6, 0.4, 0.2), 1):
        assert strings("truncation", severity, np.array(["0123456789" * 2, "x", ""], object)) == [
            ("0123456789" * 2)[: round(20 * left)],
            "x",
            "",
        ]


def test_homoglyphs_only_look_the_same() -> None:
    import unicodedata

    module: Any = catalog.load(PARTS["homoglyphs"])
    for letter, twin in module.TWINS.items():
        assert letter.isascii()
        assert unicodedata.name(twin).split()[0] in ("CYRILLIC", "GREEK")
        assert letter.isupper() == twin.isupper()
    assert len(set(module.TWINS.values())) == len(module.TWINS)
    back = str.maketrans({twin: letter for letter, twin in module.TWINS.items()})
    found = strings("homoglyphs", 4)
    assert all(other.translate(back) == one for one, other in zip(TEXT, found, strict=True))
    able = [
        a != b
        for one, other in zip(TEXT, found, strict=True)
        for a, b in zip(one, other, strict=True)
        if a in module.TWINS
    ]
    assert near(np.mean(able), 0.2, len(able))


def test_missing_strings_stay_and_fixed_width_gets_wider() -> None:
    column = np.array([None, "", "hello there"], object)
    for name in ("typos", "case", "truncation", "homoglyphs"):
        assert strings(name, 5, column)[:2] == [None, ""]
    fixed = spoilt("typos", {"text": np.array(["abc"] * 300)}, 5)["text"]
    assert fixed.dtype.kind == "U"
    assert max(map(len, fixed)) > 3
    refused("typos", {"text": np.array([1, "a"], object)}, "holds more than text")
    refused("typos", {"n": np.arange(3)}, "no input is text")
