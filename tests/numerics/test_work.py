"""Work of operators: figures worked out by hand, and torch's own counter on the same shapes."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from seatrial.numerics import work

BY_HAND = [
    # operator, inputs, outputs, attributes, kind, operations
    ("MatMul", [(4, 8), (8, 16)], [(4, 16)], {}, "matmul", 2 * 4 * 8 * 16),
    ("MatMul", [(5, 3, 4, 8), (3, 8, 2)], [(5, 3, 4, 2)], {}, "matmul", 2 * 5 * 3 * 4 * 8 * 2),
    ("MatMul", [(8,), (8,)], [()], {}, "matmul", 2 * 8),
    ("Gemm", [(8, 4), (8, 16), (16,)], [(4, 16)], {"transA": 1}, "matmul", 2 * 4 * 8 * 16),
    ("Conv", [(2, 3, 8, 8), (16, 3, 3, 3)], [(2, 16, 8, 8)], {}, "convolution", 2 * 2 * 16 * 64 * 27),
    ("Conv", [(2, 8, 8, 8), (16, 4, 3, 3)], [(2, 16, 4, 4)], {"group": 2}, "depthwise", 2 * 2 * 16 * 16 * 36),
    ("Conv", [(2, 32, 8, 8), (32, 16, 3, 3)], [(2, 32, 8, 8)], {"group": 2}, "convolution", 2 * 2 * 32 * 64 * 144),
    ("Conv", [(1, 32, 8, 8), (32, 1, 5, 5)], [(1, 32, 8, 8)], {"group": 32}, "depthwise", 2 * 32 * 64 * 25),
    ("Conv", [(1, 4, 10), (6, 4, 3)], [(1, 6, 8)], {}, "convolution", 2 * 6 * 8 * 12),
    ("ConvTranspose", [(1, 8, 5, 5), (8, 4, 2, 2)], [(1, 4, 10, 10)], {}, "convolution", 2 * 8 * 25 * 16),
    ("QLinearConv", [(1, 3, 8, 8), (), (), (4, 3, 3, 3)], [(1, 4, 8, 8)], {}, "convolution", 2 * 4 * 64 * 27),
    ("Einsum", [(2, 3, 4), (2, 4, 5)], [(2, 3, 5)], {"equation": b"bij,bjk->bik"}, "matmul", 2 * 2 * 3 * 4 * 5),
    ("LSTM", [(7, 2, 5), (1, 24, 5), (1, 24, 6)], [(7, 1, 2, 6)], {}, "recurrent", 2 * 7 * 2 * (24 * 5 + 24 * 6)),
    ("Attention", [(2, 4, 9, 8), (2, 4, 11, 8), (2, 4, 11, 6)], [(2, 4, 9, 6)], {}, "matmul", 2 * 2 * 4 * 9 * 11 * 14),
    (
        "Attention",
        [(2, 9, 32), (2, 11, 16), (2, 11, 12)],
        [(2, 9, 24)],
        {"q_num_heads": 4, "kv_num_heads": 2},
        "matmul",
        2 * 2 * 9 * 11 * (32 + 24),
    ),
    (
        "Attention",
        [(2, 4, 9, 8), (2, 2, 1, 8), (2, 2, 1, 8), None, (2, 2, 10, 8), (2, 2, 10, 8)],
        [(2, 4, 9, 8)],
        {},
        "matmul",
        2 * 2 * 4 * 9 * 11 * 16,
    ),
    ("DynamicQuantizeLinear", [(2, 5)], [(2, 5), (), ()], {}, "normalisation", 40),
    ("Relu", [(2, 5)], [(2, 5)], {}, "elementwise", 10),
    ("Softmax", [(2, 5)], [(2, 5)], {}, "normalisation", 50),
    ("ReduceMean", [(2, 5, 4)], [(2, 4)], {}, "normalisation", 40),
    ("MaxPool", [(1, 2, 8, 8)], [(1, 2, 4, 4)], {"kernel_shape": [2, 2]}, "pooling", 2 * 16 * 4),
    ("GlobalAveragePool", [(1, 2, 8, 8)], [(1, 2, 1, 1)], {}, "pooling", 128),
    ("Transpose", [(2, 5)], [(5, 2)], {}, "movement", 0),
    ("Gather", [(100, 8), (4,)], [(4, 8)], {}, "lookup", 0),
    ("Reshape", [(2, 5), (1,)], [(10,)], {}, "free", 0),
]


@pytest.mark.parametrize(("operator", "inputs", "outputs", "attributes", "kind", "flops"), BY_HAND)
def test_figures_by_hand(operator, inputs, outputs, attributes, kind, flops):
    assert work.kind(operator, inputs, attributes) == kind
    assert work.flops(operator, inputs, outputs, attributes) == flops


TORCH = [
    ("MatMul", F.linear, (6, 10), (10, 12), {}, lambda a, b: a @ b),
    ("MatMul", None, (3, 6, 10), (3, 10, 12), {}, torch.bmm),
    ("Conv", None, (2, 6, 9, 9), (8, 6, 3, 3), {}, lambda a, b: F.conv2d(a, b, padding=1)),
    ("Conv", None, (2, 6, 9, 9), (8, 3, 3, 3), {"group": 2}, lambda a, b: F.conv2d(a, b, stride=2, groups=2)),
    ("Conv", None, (2, 6, 9, 9), (6, 1, 3, 3), {"group": 6}, lambda a, b: F.conv2d(a, b, groups=6)),
    ("Conv", None, (1, 4, 16), (8, 4, 5), {}, F.conv1d),
    ("ConvTranspose", None, (2, 6, 5, 5), (6, 4, 3, 3), {}, F.conv_transpose2d),
]


@pytest.mark.parametrize(("operator", "_", "one", "other", "attributes", "call"), TORCH)
def test_torchs_counter_says_the_same(operator, _, one, other, attributes, call):
    with FlopCounterMode(display=False) as counter:
        answer = call(torch.randn(one), torch.randn(other))
    assert counter.get_total_flops() > 0
    assert work.flops(operator, [one, other], [tuple(answer.shape)], attributes) == counter.get_total_flops()


def test_a_shape_that_is_needed_and_not_known_is_an_error():
    with pytest.raises(ValueError, match="isn't known"):
        work.flops("MatMul", [None, (8, 16)], [(4, 16)], {})
    with pytest.raises(ValueError, match="ellipsis"):
        work.flops("Einsum", [(2, 3), (3, 4)], [(2, 4)], {"equation": "...i,ij->...j"})


def test_what_isnt_known_has_no_kind():
    assert work.kind("MyOwnOperator", [(2, 2)], {}) is None


def test_no_operator_is_of_two_kinds():
    tables = [work.ELEMENTWISE, work.NORMALISATION, work.POOLING, work.MOVEMENT, work.LOOKUP, work.FREE]
    assert sum(map(len, tables)) == len(set().union(*tables))
