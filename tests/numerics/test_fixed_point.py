"""Bounds of fixed point: no value of a random network, on random rows, cut up or down by chance, lies outside of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secure_parties import CNN, LINEAR, MLP, Node, save, weights

from seatrial.contracts.parties import Layer
from seatrial.errors import ModelError
from seatrial.flow.secure import network
from seatrial.flow.secure.terms import layers
from seatrial.numerics import fixed_point


def cut(product: Any, fraction: int, draw: np.random.Generator) -> Any:
    """MPyC's truncation: down or up by chance."""
    return (product >> fraction) + (draw.random(product.shape) < 0.5)


def compute(
    found: network.Network, described: tuple[Layer, ...], rows: Any, fraction: int, draw: np.random.Generator
) -> Any:
    """The protocol's arithmetic on whole numbers in the clear, with every value held against its bound."""
    values = fixed_point.encode(rows.reshape(len(rows), -1), fraction)
    for step, layer in zip(found.steps, described, strict=True):
        values = _step(step, layer, values, fraction, draw)
        assert (abs(values) < 2 ** (layer.bits - 1)).all()
        last = step is found.steps[-1]
        if last or step.kind == "max_pool":
            assert (np.ptp(values, axis=1) < 2 ** (layer.bits - 1)).all()
    return values / 2.0**fraction


def _step(step: network.Step, layer: Layer, values: Any, fraction: int, draw: np.random.Generator) -> Any:
    if step.kind == "relu":
        return np.maximum(values, 0)
    if step.kind == "linear":
        seen, places = values, None
    else:
        places = step.places
        seen = np.append(values, np.zeros((len(values), 1), np.int64), axis=1)[:, places]
    if step.kind == "max_pool":
        found = seen.max(axis=3)
    elif step.kind == "average_pool":
        product = seen.sum(axis=3) * round(2**fraction / seen.shape[3])
        assert (abs(product) < 2 ** (layer.wide - 1)).all()
        found = cut(product, fraction, draw)
    else:
        seen = seen if places is None else seen.reshape(len(values), len(places), -1)
        product = seen @ fixed_point.encode(step.weights, fraction) + fixed_point.encode(step.bias, 2 * fraction)
        assert (abs(product) < 2 ** (layer.wide - 1)).all()
        found = cut(product, fraction, draw)
    return found if places is None else found.transpose(0, 2, 1).reshape(len(values), -1)


@pytest.mark.parametrize(
    ("nodes", "shape"), [(LINEAR, (4,)), (MLP, (4,)), (CNN, (1, 4, 4))], ids=["linear", "mlp", "cnn"]
)
@pytest.mark.parametrize("fraction", [6, 12, 16])
def test_values_and_errors_keep_their_bounds(
    nodes: list[Node], shape: tuple[int, ...], fraction: int, tmp_path: Path
) -> None:
    nodes = [one for one in nodes if one[0] != "Softmax"]
    file, draw = save(tmp_path / "m.onnx", shape, nodes), np.random.default_rng(fraction)
    found = network.read(file)
    described, error = layers(found, -2.0, 3.0, fraction)
    edges = draw.choice([-2.0, 3.0], size=(400, *shape))
    rows = np.concatenate([draw.uniform(-2, 3, (2000, *shape)), edges]).astype(np.float32)
    scores = compute(found, described, rows, fraction, draw)
    plain = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(None, {"x": rows})[0]
    seen = abs(scores - plain).max()
    assert seen <= error
    assert seen > error / 60  # a bound that is far too wide would make every row uncertain


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 5), st.floats(0.01, 30.0))
@settings(max_examples=60, deadline=None)
def test_a_linear_layer_stays_within_its_bounds(seed: int, wide: int, out: int, scale: float) -> None:
    draw, fraction = np.random.default_rng(seed), 10
    heavy, bias = draw.normal(size=(wide, out)) * scale, draw.normal(size=out) * scale
    rows = draw.uniform(-1, 1, (50, wide))
    bound, product = fixed_point.linear(fixed_point.start(-1.0, 1.0, (1, wide), fraction), heavy, bias, fraction)
    whole = fixed_point.encode(rows, fraction) @ fixed_point.encode(heavy, fraction) + fixed_point.encode(bias, 20)
    assert (abs(whole) <= product * 2**20).all()
    assert (abs(cut(whole, fraction, draw) / 2**fraction - (rows @ heavy + bias)) <= bound.error).all()
    assert (abs(rows @ heavy + bias) <= bound.size).all()


def test_bits_hold_what_they_must() -> None:
    for size in (0.0, 0.3, 1.0, 7.9, 8.0, 1000.0):
        for fraction in (4, 16):
            one = fixed_point.bits(size, fraction)
            assert size * 2**fraction + 1 <= 2 ** (one - 1)
            assert fixed_point.bits(size, fraction, differences=True) == one + 1


def test_numbers_that_are_none_are_refused() -> None:
    for wrong in (np.nan, np.inf, 2.0**60):
        with pytest.raises(ValueError, match="not finite"):
            fixed_point.encode([1.0, wrong], 16)
    assert fixed_point.encode([0.5, -0.25, 2.5 / 16], 4).tolist() == [8, -4, 2]


def test_windows_are_those_of_a_picture() -> None:
    picture = np.arange(2 * 4 * 5).reshape(2, 4, 5)
    places = fixed_point.windows((2, 4, 5), (2, 3), (2, 1), (1, 0, 1, 0))
    padded = np.pad(picture, ((0, 0), (1, 1), (0, 0)), constant_values=40)
    wanted = [padded[:, top : top + 2, left : left + 3].reshape(2, -1) for top in (0, 2, 4) for left in (0, 1, 2)]
    assert (places == np.stack(wanted)).all()


# --- what can be read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "shape", "said"),
    [
        ([("Sigmoid", [], {}), *LINEAR], (4,), "`Sigmoid` isn't known"),
        ([("Relu", [], {})], (4,), "holds no weights"),
        (
            [("Conv", [weights(1, 2, 1, 3, 3)], {"group": 1, "dilations": [2, 2]}), ("Flatten", [], {})],
            (1, 8, 8),
            "no dilation",
        ),
        ([("MaxPool", [], {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]})], (1, 4, 4), "pooling with padding"),
        ([("MatMul", [weights(1, 5, 3)], {})], (4,), "don't fit a row"),
        ([("Softmax", [], {}), *LINEAR], (4,), "no single chain"),
        ([("Add", [weights(1, 4)], {}), *LINEAR], (4,), "elsewhere than behind weights"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_not_known_is_said(nodes: list[Node], shape: tuple[int, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        network.read(save(tmp_path / "m.onnx", shape, nodes))


def test_values_too_large_for_the_field_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "m.onnx", (4,), [("Gemm", [weights(1, 4, 3) * 1e5], {})])
    with pytest.raises(ModelError, match="fewer digits"):
        layers(network.read(file), 0.0, 1.0, 16)
