"""What trips up counters of operations: names given twice, other people's operators, fused and quantised files, shared weights, free axes."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from test_hardware_operators import FLOAT, by_name, node, saved, zeros
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seatrial.errors import ModelError, StudyError
from seatrial.flow.hardware import operators, probes
from seatrial.numerics import fused_work

HEAVY = ("matmul", "convolution", "depthwise", "recurrent")


def heavy(work):
    return sum(one.flops for one in work.operators if one.kind in HEAVY)


def with_domains(file, *domains):
    """The same file, saying that it uses operators of these domains."""
    model = onnx.load(file)
    model.opset_import.extend(helper.make_opsetid(domain, 1) for domain in domains)
    onnx.save(model, file)
    return file


def theirs(operator, inputs, output, domain="com.microsoft", **attributes):
    return helper.make_node(operator, inputs.split(), [output], name=output, domain=domain, **attributes)


# --- names -----------------------------------------------------------------------------------------------------------------


def test_operators_of_one_name_are_counted_apart(tmp_path):
    nodes = [helper.make_node(*one, name="same") for one in (("MatMul", ["x", "w"], ["a"]), ("MatMul", ["a", "v"], ["b"]))]  # fmt: skip
    nodes.append(helper.make_node("Relu", ["b"], ["y"], name="inputs"))  # what the way to the device is called
    work = operators.read(saved(tmp_path, nodes, {"x": (FLOAT, ["n", 6])}, {"w": zeros(6, 4), "v": zeros(4, 9)}), 5)
    assert [one.flops for one in work.operators if one.kind == "matmul"] == [2 * 5 * 24, 2 * 5 * 36]
    assert [one.reads for one in work.operators if one.type == "(inputs)"] == [5 * 6 * 4]
    assert len({one.name for one in work.operators}) == len(work.operators)


def test_an_operator_of_somebody_else_is_named_whatever_it_is_called(tmp_path):
    nodes = [theirs("MatMul", "x w", "a", domain="org.example"), node("MatMul", "x w", "y")]
    file = saved(tmp_path, nodes, {"x": (FLOAT, ["n", 6])}, {"w": zeros(6, 4)})
    work = operators.read(with_domains(file, "org.example"), 5)
    assert heavy(work) == 2 * 5 * 24
    assert "org.example.MatMul" in work.uncounted[0]
    alone = saved(tmp_path, nodes[:1], {"x": (FLOAT, ["n", 6])}, {"w": zeros(6, 4)}, output="a")
    with pytest.raises(ModelError, match="nothing could be counted"):
        operators.read(with_domains(alone, "org.example"), 5)


# --- fused by ONNX Runtime ---------------------------------------------------------------------------------------------------


FUSED = {
    "attention": (lambda: probes.attention("attention", 16, 32, 2, 2), True),
    "pictures": (lambda: probes.pooled("pictures", 16, (8, 16)), True),
    "separable": (lambda: probes.separable("separable", 12, 8, 2), True),
    "recurrent": (lambda: probes.recurrent("recurrent", 5, 6, 8, 2), False),
}


@pytest.mark.parametrize("name", FUSED)
def test_a_file_that_onnx_runtime_optimised_does_the_same_work(name, tmp_path):
    make, fuses = FUSED[name]
    file, made = make().save(tmp_path), tmp_path / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(made)
    onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    assert any(one.domain == fused_work.DOMAIN for one in onnx.load(made).graph.node) == fuses
    before, after = operators.read(file, 3), operators.read(made, 3)
    assert not after.uncounted
    assert heavy(after) == heavy(before) > 0


def test_attention_with_its_projections_by_hand(tmp_path):
    """One product makes queries, keys (16 wide each) and values (24); two heads; 3 rows of 5 steps, 12 wide."""
    fused = theirs("Attention", "x w b", "a", num_heads=2, qkv_hidden_sizes=[16, 16, 24])
    nodes = [fused, node("MatMul", "a v", "y")]
    file = saved(tmp_path, nodes, {"x": (FLOAT, ["n", 5, 12])}, {"w": zeros(12, 56), "b": zeros(56), "v": zeros(24, 7)})
    found = by_name(operators.read(with_domains(file, fused_work.DOMAIN), 3))
    assert found["a"].flops == 2 * 3 * 5 * 12 * 56 + 2 * 3 * 5 * 5 * 16 + 2 * 3 * 5 * 5 * 24
    assert found["y"].flops == 2 * 3 * 5 * 24 * 7  # its shape is known from there on
    assert found["a"].writes == 4 * 3 * 5 * 24


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "gives", "flops"),
    [
        ("FusedMatMul", [(2, 4, 8, 5), (2, 4, 8, 6)], {"transA": 1}, (2, 4, 5, 6), 2 * 2 * 4 * 5 * 6 * 8),
        ("MatMulNBits", [(2, 3, 64), (40, 2, 16)], {"K": 64, "N": 40}, (2, 3, 40), 2 * 2 * 3 * 64 * 40),
        ("DynamicQuantizeMatMul", [(3, 8), (8, 6)], {}, (3, 6), 2 * 3 * 8 * 6),
        ("MatMulIntegerToFloat", [(3, 8), (8, 6)], {}, (3, 6), 2 * 3 * 8 * 6),
        ("QGemm", [(3, 8), (), (), (6, 8)], {"transB": 1}, (3, 6), 2 * 3 * 8 * 6),
        ("QAttention", [(2, 5, 12), (12, 36)], {"num_heads": 2}, (2, 5, 12), 2 * 2 * 5 * 12 * 36 + 4 * 2 * 5 * 5 * 12),
        ("MultiHeadAttention", [(2, 5, 12), (2, 7, 12), (2, 7, 8)], {"num_heads": 2}, (2, 5, 8), 2 * 2 * 5 * 7 * (12 + 8)),
        ("GroupQueryAttention", [(2, 5, 32), (2, 5, 16), (2, 5, 16), (2, 2, 11, 8)], {"num_heads": 4, "kv_num_heads": 2}, (2, 5, 32), 2 * 2 * 5 * 16 * 2 * 32),
        ("GroupQueryAttention", [(2, 5, 64), None, None], {"num_heads": 4, "kv_num_heads": 2}, (2, 5, 32), 2 * 2 * 5 * 5 * 2 * 32),
        ("DynamicQuantizeLSTM", [(7, 2, 5), (1, 5, 24), (1, 6, 24)], {}, (7, 1, 2, 6), 2 * 7 * 2 * (24 * 5 + 24 * 6)),
        ("QLinearAdd", [(2, 3, 4), (), (), (4,)], {}, (2, 3, 4), 24),
        ("QLinearGlobalAveragePool", [(2, 4, 4, 3)], {"channels_last": 1}, (2, 1, 1, 3), 96),
        ("QLinearConcat", [(), (), (2, 3), (), (), (2, 5), (), ()], {"axis": -1}, (2, 8), 0),
        ("SkipLayerNormalization", [(2, 3), (2, 3)], {}, (2, 3), 54),
    ],
)  # fmt: skip
def test_fused_operators_by_hand(operator, inputs, attributes, gives, flops):
    one = fused_work.find(fused_work.DOMAIN, operator)
    outputs = one.gives(inputs, attributes)
    assert outputs[0] == gives
    assert one.flops(inputs, outputs, attributes) == flops


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("FusedMatMul", [(2, 4, 8), (2, 4, 8)], {"transBatchA": 1}),
        ("FusedMatMul", [(4,), (4, 2)], {}),
        ("MultiHeadAttention", [(2, 5, 2, 3, 8), None, None], {"num_heads": 2}),
        ("QLinearAdd", [(2, 3), (), (), None], {}),
    ],
)
def test_what_of_them_cant_be_counted_is_an_error(operator, inputs, attributes):
    with pytest.raises(ValueError, match=r"counted|known"):
        fused_work.find(fused_work.DOMAIN, operator).gives(inputs, attributes)


def test_others_names_are_not_ours():
    assert fused_work.find("", "Attention") is None
    assert fused_work.find("org.example", "FusedMatMul") is None
    assert fused_work.find("", "SimplifiedLayerNormalization") is not None


# --- the traps of torch's counter ---------------------------------------------------------------------------------------------


def test_a_transformers_layer_is_counted_though_it_runs_as_one_operator(tmp_path):
    """Attention runs as one operator, of which torch's own counter sees nothing unless it is taken apart."""
    wide, heads, steps, rows = 24, 3, 7, 5
    layer = nn.TransformerEncoderLayer(wide, heads, 40, dropout=0.0, batch_first=True)
    x = torch.randn(rows, steps, wide)
    with FlopCounterMode(display=False) as blind, torch.no_grad():
        layer.eval()(x)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        layer.train()(x)
    attention = 2 * 2 * rows * steps * steps * wide
    by_hand = 2 * rows * steps * wide * (4 * wide + 2 * 40) + attention
    file = tmp_path / "layer.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows_free = ({0: torch.export.Dim("rows")},)
        torch.onnx.export(layer.eval(), (x[:2],), str(file), dynamo=True, dynamic_shapes=rows_free, verbose=False)
    work = operators.read(file, rows)
    assert not work.uncounted
    assert heavy(work) == by_hand
    assert counter.get_total_flops() == by_hand
    assert blind.get_total_flops() <= by_hand - attention


def test_weights_in_dynamic_int8_cost_as_many_operations(tmp_path):
    file, made = probes.layers("dense", (32, 48, 8)).save(tmp_path), tmp_path / "int8.onnx"
    quantize_dynamic(file, made, weight_type=QuantType.QInt8)
    plain, work = operators.read(file, 5), operators.read(made, 5)
    assert not work.uncounted
    assert heavy(work) == heavy(plain) == 2 * 5 * (32 * 48 + 48 * 8)
    products = [one for one in work.operators if one.kind == "matmul"]
    assert all(one.quantised for one in products)
    assert [one.weights for one in products] == pytest.approx([32 * 48, 48 * 8], abs=64)
    ranges = [one for one in work.operators if one.type == "DynamicQuantizeLinear"]
    assert ranges
    assert all(one.flops > 0 and one.moved > 0 for one in ranges)  # what makes it slow on small models


class Examples(CalibrationDataReader):
    def __init__(self, net):
        self.rows = iter([net.feed(2)])

    def get_next(self):
        return next(self.rows, None)


@pytest.mark.parametrize("written", [QuantFormat.QOperator, QuantFormat.QDQ])
@pytest.mark.parametrize("make", [lambda: probes.pooled("pictures", 16, (8, 16)), lambda: probes.attention("attention", 16, 32, 2, 1)], ids=["pictures", "attention"])  # fmt: skip
def test_both_ways_to_write_a_quantised_file_do_the_same_work_in_int8(make, written, tmp_path):
    net, made = make(), tmp_path / "int8.onnx"
    file = net.save(tmp_path)
    quantize_static(str(file), str(made), Examples(net), quant_format=written, weight_type=QuantType.QInt8)
    before, after = operators.read(file, 3), operators.read(made, 3)
    assert not after.uncounted
    assert heavy(after) == heavy(before)
    assert all(one.quantised for one in after.operators if one.kind in HEAVY)
    assert after.stored < before.stored / 3  # weights are a byte wide


# --- memory ------------------------------------------------------------------------------------------------------------------


def test_constants_that_are_shared_are_stored_once(tmp_path):
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "a w", "y")]
    file = saved(tmp_path, nodes, {"x": (FLOAT, ["n", 8])}, {"w": zeros(8, 8), "idle": zeros(99, 99)})
    work = operators.read(file, 5)
    assert (work.weights, work.stored) == (512, 256)
    assert work.needed == 256 + 2 * 5 * 8 * 4  # and what one product reads and writes


def test_a_table_is_stored_whole(tmp_path):
    inputs = {"words": (TensorProto.INT64, ["n", 7])}
    work = operators.read(saved(tmp_path, [node("Gather", "table words", "y")], inputs, {"table": zeros(1000, 16)}), 1)
    assert work.stored == 64000
    assert by_name(work)["y"].weights == 7 * 64


# --- free axes -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def nameless(tmp_path):
    return saved(tmp_path, [node("MatMul", "x w", "y")], {"x": (FLOAT, [None, None, 6])}, {"w": zeros(6, 4)})


def test_an_axis_without_a_name_is_called_by_its_place(nameless):
    with pytest.raises(StudyError) as refused:
        operators.read(nameless, 3)
    assert "--axis x.1=" in refused.value.next_step
    assert operators.read(nameless, 3, {"x.1": 7}).flops == 2 * 3 * 7 * 24
    assert operators.read(nameless, 3, rows={"x": (7, 6)}).flops == 2 * 3 * 7 * 24


def test_a_name_that_no_axis_has_is_told(nameless):
    with pytest.raises(StudyError, match="words") as refused:
        operators.read(nameless, 3, {"words": 7})
    assert "`x.1`" in refused.value.next_step


def test_an_input_that_is_no_row_may_be_of_one(tmp_path):
    inputs = {"x": (FLOAT, ["n", 6]), "scale": (FLOAT, [1, 6])}
    file = saved(tmp_path, [node("Mul", "x scale", "a"), node("MatMul", "a w", "y")], inputs, {"w": zeros(6, 4)})
    assert heavy(operators.read(file, 8)) == 2 * 8 * 24


def test_numbers_of_another_width_are_told_apart(tmp_path):
    """A table in int8 that is made whole when it is read: a byte a number, and none is guessed."""
    table = numpy_helper.from_array(np.zeros((50, 8), np.int8), "t")
    assert table.data_type == TensorProto.INT8
    nodes = [node("DequantizeLinear", "t s", "w"), node("MatMul", "x w", "y")]
    constants = {"t": np.zeros((50, 8), np.int8), "s": np.float32(0.1)}
    found = by_name(operators.read(saved(tmp_path, nodes, {"x": (FLOAT, ["n", 50])}, constants), 2))
    assert (found["y"].weights, found["y"].quantised) == (400, False)
