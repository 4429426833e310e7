"""The operators of an ONNX file: bytes and operations by hand, what is free, what is fused, what is refused."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seatrial.errors import ModelError, StudyError
from seatrial.flow.hardware import operators, probes

FLOAT, WORD = TensorProto.FLOAT, TensorProto.INT64


def saved(folder, nodes, inputs, constants=(), name="model", output=None, opset=20):
    """A file with these nodes; the last node's output is the model's."""
    values = [helper.make_tensor_value_info(one, kind, shape) for one, (kind, shape) in inputs.items()]
    given = [numpy_helper.from_array(np.asarray(value), one) for one, value in dict(constants).items()]
    last = helper.make_tensor_value_info(output or nodes[-1].output[0], FLOAT, None)
    model = helper.make_model(helper.make_graph(nodes, name, values, [last], given), opset_imports=[helper.make_opsetid("", opset)], ir_version=10)  # fmt: skip
    file = folder / f"{name}.onnx"
    onnx.save(model, str(file))
    return file


def node(operator, inputs, output, **attributes):
    return helper.make_node(operator, inputs.split(), [output], name=output, **attributes)


def by_name(work):
    return {one.name: one for one in work.operators}


def zeros(*shape):
    return np.zeros(shape, np.float32)


def test_a_small_network_by_hand(tmp_path):
    nodes = [
        node("Conv", "x w", "conv", pads=[1, 1, 1, 1]),
        node("Relu", "conv", "relu"),
        node("Flatten", "relu", "flat"),
        node("MatMul", "flat v", "dense"),
    ]
    file = saved(tmp_path, nodes, {"x": (FLOAT, ["n", 3, 8, 8])}, {"w": zeros(4, 3, 3, 3), "v": zeros(256, 10)})
    found = by_name(work := operators.read(file, 5))
    conv, relu, flat, dense = (found[one] for one in ("conv", "relu", "flat", "dense"))
    assert (conv.flops, conv.weights, conv.reads, conv.writes) == (2 * 5 * 256 * 27, 4 * 108, 4 * 5 * 192, 4 * 5 * 256)
    assert (relu.flops, relu.kind, relu.fused) == (5 * 256, "elementwise", True)
    assert conv.saved == relu.saved == 4 * 5 * 256  # what Conv hands to Relu never reaches memory
    assert conv.moved == 4 * 5 * 192
    assert (flat.kind, flat.flops, flat.moved) == ("free", 0, 0)
    assert (dense.flops, dense.weights, dense.reads, dense.writes) == (2 * 5 * 256 * 10, 10240, 5 * 1024, 200)
    assert (found["inputs"].reads, found["outputs"].writes) == (4 * 5 * 192, 200)
    assert work.flops == conv.flops + relu.flops + dense.flops
    assert work.weights == 432 + 10240


def test_narrower_numbers_move_half_but_come_in_as_they_are(tmp_path):
    file = saved(tmp_path, [node("MatMul", "x w", "y")], {"x": (FLOAT, ["n", 6])}, {"w": zeros(6, 4)})
    wide, narrow = by_name(operators.read(file, 3)), by_name(operators.read(file, 3, width=2))
    assert narrow["y"].flops == wide["y"].flops
    assert (narrow["y"].weights, narrow["y"].reads, narrow["y"].writes) == (48, 36, 24)
    assert narrow["inputs"].reads == wide["inputs"].reads == 72


def test_an_embedding_reads_what_it_looks_up(tmp_path):
    file = saved(tmp_path, [node("Gather", "table words", "y")], {"words": (WORD, ["n", 7])}, {"table": zeros(1000, 16)})  # fmt: skip
    found = by_name(operators.read(file, 4))["y"]
    assert (found.kind, found.flops, found.table) == ("lookup", 0, 64000)
    assert (found.weights, found.reads, found.writes) == (4 * 7 * 64, 4 * 7 * 8, 4 * 7 * 64)


def test_broadcasting_reads_the_small_one_once(tmp_path):
    file = saved(tmp_path, [node("Add", "x b", "y")], {"x": (FLOAT, ["n", 8, 10]), "b": (FLOAT, ["n", 1, 10])})
    found = by_name(operators.read(file, 2))["y"]
    assert (found.flops, found.reads, found.writes) == (160, 640 + 80, 640)


def test_what_depends_on_constants_and_shapes_alone_is_free(tmp_path):
    nodes = [
        node("Transpose", "w", "turned"),
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "rows", axis=0),
        node("Concat", "rows rest", "target", axis=0),
        node("MatMul", "x turned", "product"),
        node("Reshape", "product target", "y"),
    ]
    constants = {"w": zeros(4, 6), "zero": np.array([0]), "rest": np.array([2, 2])}
    found = by_name(operators.read(saved(tmp_path, nodes, {"x": (FLOAT, ["n", 6])}, constants), 3))
    assert [name for name, one in found.items() if one.kind != "free"] == ["product", "inputs", "outputs"]
    assert found["product"].weights == 96  # the transposed constant is a constant
    assert found["outputs"].writes == 48


def test_a_result_that_is_used_twice_reaches_memory(tmp_path):
    nodes = [node("MatMul", "x w", "a"), node("Tanh", "a", "b"), node("Mul", "a b", "y")]
    found = by_name(operators.read(saved(tmp_path, nodes, {"x": (FLOAT, ["n", 4])}, {"w": zeros(4, 4)}), 2))
    assert (found["a"].saved, found["b"].fused) == (0, False)
    assert (found["y"].fused, found["y"].saved) == (True, 32)  # with Tanh, whose result nobody else reads


@pytest.mark.parametrize("weights", [np.int8, np.float32])
def test_a_product_between_quantised_tensors_is_int8(tmp_path, weights):
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        *([node("DequantizeLinear", "w s t", "v")] if weights == np.int8 else [node("Identity", "w", "v")]),
        node("MatMul", "d v", "y"),
    ]
    constants = {"s": np.float32(0.1), "z": np.uint8(128), "t": np.int8(0), "w": np.zeros((6, 4), weights)}
    found = by_name(operators.read(saved(tmp_path, nodes, {"x": (FLOAT, ["n", 6])}, constants), 5))
    quantised = weights == np.int8
    assert found["y"].quantised == quantised
    assert (found["y"].reads, found["y"].weights) == (30, 24 if quantised else 96)
    assert found["q"].kind == found["d"].kind == "free"


# --- free axes ---------------------------------------------------------------------------------------------------------------


def test_rows_are_bound_wherever_they_stand_and_other_axes_by_name(tmp_path):
    nodes = [node("MatMul", "x w", "a"), node("Add", "a b", "y")]
    inputs = {"x": (FLOAT, ["n", "words", 6]), "b": (FLOAT, ["n", 1, 4])}
    file = saved(tmp_path, nodes, inputs, {"w": zeros(6, 4)})
    assert by_name(operators.read(file, 3, {"words": 7}))["a"].flops == 2 * 3 * 7 * 4 * 6
    with pytest.raises(StudyError, match="axis 1 of the input `x`") as refused:
        operators.read(file, 3)
    assert "--axis words=" in refused.value.next_step


@pytest.mark.parametrize(("fixed", "step"), [(1, "--batch 1"), (8, "--batch 8")])
def test_a_file_that_fixes_its_rows_says_so(tmp_path, fixed, step):
    file = saved(tmp_path, [node("MatMul", "x w", "y")], {"x": (FLOAT, [fixed, 6])}, {"w": zeros(6, 4)})
    assert operators.read(file, fixed).flops == 2 * fixed * 24
    with pytest.raises(StudyError) as refused:
        operators.read(file, 4)
    assert step in refused.value.next_step


# --- what can't be counted -----------------------------------------------------------------------------------------------------


def test_what_isnt_known_is_named_and_not_guessed(tmp_path):
    nodes = [node("MatMul", "x w", "a"), node("NonZero", "a", "where"), node("GatherND", "a where", "y")]
    weights = {"w": zeros(6, 4), "idle": zeros(32, 1, 3, 3)}  # small axes, and more numbers than a shape has
    work = operators.read(saved(tmp_path, nodes, {"x": (FLOAT, ["n", 6])}, weights), 2)
    assert "NonZero" in work.uncounted[0]
    assert "isn't known before it runs" in work.uncounted[1]
    assert work.flops == 2 * 2 * 6 * 4


def test_a_file_of_which_nothing_is_known_is_refused(tmp_path):
    with pytest.raises(ModelError, match="nothing could be counted"):
        operators.read(saved(tmp_path, [node("NonZero", "x", "y")], {"x": (FLOAT, ["n", 6])}), 2)


@pytest.mark.parametrize("made", ["ConstantOfShape", "Range", "Expand"])
def test_a_file_that_makes_much_of_little_is_not_computed(tmp_path, made):
    """A terabyte of zeros, were it computed; the sums that exporters do with shapes are small."""
    inputs = {"ConstantOfShape": "many", "Range": "zero end one", "Expand": "zero many"}[made]
    nodes = [node(made, inputs, "large"), node("NonZero", "x", "unknown"), node("MatMul", "x w", "y")]
    constants = {"many": np.array([2**38]), "zero": np.int64(0), "end": np.int64(2**38), "one": np.int64(1), "w": zeros(6, 4)}  # fmt: skip
    assert operators.read(saved(tmp_path, nodes, {"x": (FLOAT, ["n", 6])}, constants), 2).flops == 2 * 2 * 24


def test_branches_are_refused(tmp_path):
    def branch(name):
        return helper.make_graph([helper.make_node("Relu", ["x"], [name])], name, [], [helper.make_tensor_value_info(name, FLOAT, None)])  # fmt: skip

    chosen = helper.make_node("If", ["c"], ["y"], then_branch=branch("one"), else_branch=branch("two"))
    inputs = {"x": (FLOAT, ["n", 6]), "c": (TensorProto.BOOL, [])}
    with pytest.raises(ModelError, match="decides while it runs"):
        operators.read(saved(tmp_path, [chosen], inputs, output="y"), 2)


def test_what_is_no_onnx_file_is_refused(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"\x80\x04nothing of the sort")
    with pytest.raises(ModelError) as refused:
        operators.read(file)
    assert "ONNX" in refused.value.what


# --- torch's own counter on the same models ------------------------------------------------------------------------------------


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.out = nn.Linear(24, 72), nn.Linear(24, 24)

    def forward(self, x):
        q, k, v = self.mix(x).unflatten(2, (3, 4, 6)).permute(2, 0, 3, 1, 4)
        return self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Remembering(nn.Module):
    """Two layers of LSTM: the exporter computes the second one's shape from the first one's."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(6, 8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


MODELS = {
    "convolutions": (nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, groups=4), nn.Conv2d(16, 16, 3, groups=16), nn.Flatten(), nn.Linear(16 * 3 * 3, 5)), (3, 16, 16)),
    "attention": (Attending(), (10, 24)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_torch_counts_the_same_for_what_it_exports(name, tmp_path):
    module, shape = MODELS[name]
    file = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = ({0: torch.export.Dim("rows")},)
        torch.onnx.export(module.eval(), (torch.randn(2, *shape),), str(file), dynamo=True, dynamic_shapes=rows, verbose=False)  # fmt: skip
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(torch.randn(6, *shape))
    heavy = ("matmul", "convolution", "depthwise")
    ours = sum(one.flops for one in operators.read(file, 6).operators if one.kind in heavy)
    assert counter.get_total_flops() > 0
    assert ours == counter.get_total_flops()


def test_shapes_that_are_computed_from_shapes_become_known(tmp_path):
    file = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = ({0: torch.export.Dim("rows")},)
        torch.onnx.export(Remembering().eval(), (torch.randn(2, 5, 6),), str(file), dynamo=True, dynamic_shapes=rows, verbose=False)  # fmt: skip
    work = operators.read(file, 7)
    assert not work.uncounted
    recurrent = [one.flops for one in work.operators if one.kind == "recurrent"]
    assert recurrent == [2 * 5 * 7 * (32 * 6 + 32 * 8), 2 * 5 * 7 * (32 * 8 + 32 * 8)]


@pytest.mark.parametrize("place", range(len(probes.PROBES)))
def test_calibration_models_are_counted_whole_and_grow_with_rows(place, tmp_path):
    file = probes.PROBES[place][0]().save(tmp_path)
    one, eight = operators.read(file, 1), operators.read(file, 8)
    assert not one.uncounted
    assert eight.flops == pytest.approx(8 * one.flops)
    assert eight.weights == one.weights


def test_every_kind_that_can_be_calibrated_stands_in_two_models(tmp_path):
    seen = {}
    for make, _ in probes.PROBES:
        net = make()
        for one in operators.read(net.save(tmp_path)).operators:
            seen.setdefault(one.kind, set()).add(net.name)
    assert all(len(names) >= 2 for names in seen.values())
    assert {"matmul", "convolution", "depthwise", "elementwise", "normalisation", "pooling", "movement", "lookup", "recurrent"} <= seen.keys()  # fmt: skip
