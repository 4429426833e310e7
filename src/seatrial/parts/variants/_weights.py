"""What the weights-only variants share: finding the weights of matrix products and convolutions, and rounding them in NumPy.

Linear quantisation: a weight w is stored as the whole number q = round(w / scale) + zero, and read back as (q - zero) * scale,
which is off by at most half a scale. Jacob et al. (2018), section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.parts.variants._onnx import attribute

if TYPE_CHECKING:
    from seatrial.contracts.values import Array


class Weight(NamedTuple):
    """A constant weight: the node that reads it, as which input, its values, and the axis of its output channels."""

    node: Any
    place: int
    name: str
    values: Array
    axis: int


_PLACES = {"MatMul": (1,), "Gemm": (1,), "Conv": (1,), "ConvTranspose": (1,), "LSTM": (1, 2), "GRU": (1, 2), "RNN": (1, 2)}  # fmt: skip


def weights(graph: Any) -> Iterator[Weight]:
    """Constant float32 weights with two axes or more, of matrix products, convolutions and recurrent layers."""
    from onnx import TensorProto, numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    for node in graph.node:
        for place in _PLACES.get(node.op_type, ()):
            if place < len(node.input) and node.input[place] in constants:
                name = node.input[place]
                values = numpy_helper.to_array(constants[name])
                if values.ndim > 1 and values.size:
                    yield Weight(node, place, name, values, _axis(node, values.ndim))


def _axis(node: Any, ndim: int) -> int:
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    return {"Conv": 0, "MatMul": ndim - 1}.get(node.op_type, 1)


def symmetric(values: Array, axis: int | None) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 values and the scales, one for each place along `axis` (None: one for all): largest absolute value / 127."""
    others = None if axis is None else tuple(one for one in range(values.ndim) if one != axis)
    largest = np.abs(values).max(axis=others, keepdims=axis is not None)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    rounded = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    return rounded, scale.reshape(-1) if axis is not None else scale.reshape(())


def smallest(values: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The array with this share of its entries, the smallest in absolute value, at zero; of equal ones the first go."""
    made = values.copy().reshape(-1)
    made[np.argsort(np.abs(made), kind="stable")[: int(share * made.size)]] = 0
    return made.reshape(values.shape)


class Blocks(NamedTuple):
    """A matrix in 4 bits by blocks: `stored` (columns x blocks x size / 2, two numbers a byte, the lower half first),
    `scales` (columns x blocks), `zeros` (columns x half as many blocks, packed alike)."""

    stored: NDArray[np.uint8]
    scales: NDArray[np.float32]
    zeros: NDArray[np.uint8]


def blocks(matrix: Array, size: int) -> Blocks:
    """A matrix (rows x columns) in 4 bits: each `size` numbers of a column share a scale, (largest - least) / 15, and a zero."""
    rows, columns = matrix.shape
    count = -(-rows // size)
    padded = np.zeros((columns, count * size), np.float32)
    padded[:, :rows] = matrix.T
    pieces = padded.reshape(columns, count, size)
    least, most = np.minimum(pieces.min(axis=2), 0), np.maximum(pieces.max(axis=2), 0)
    scales = np.where(most > least, (most - least) / 15, 1).astype(np.float32)
    zeros = np.clip(np.rint(-least / scales), 0, 15).astype(np.uint8)
    numbers = np.clip(np.rint(pieces / scales[..., None]) + zeros[..., None], 0, 15).astype(np.uint8)
    return Blocks(_packed(numbers), scales, _packed(zeros))


def _packed(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two numbers below 16 a byte along the last axis, the first in the lower half; an odd count is filled up with 8."""
    if numbers.shape[-1] % 2:
        numbers = np.concatenate([numbers, np.full((*numbers.shape[:-1], 1), 8, np.uint8)], axis=-1)
    return (numbers[..., 0::2] | (numbers[..., 1::2] << 4)).astype(np.uint8)
